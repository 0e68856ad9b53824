package motif

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"heed/data"
	"heed/explain"
)

// A word is a planted matrix: in each column the letter of the consensus has
// the probability sure, the others share the rest.
type word struct {
	consensus string
	sure      float64
}

func (w word) probabilities() [][]float64 {
	m := matrix(len(w.consensus))
	for i := range m {
		for k := range 4 {
			m[i][k] = (1 - w.sure) / 3
		}
		m[i][code(w.consensus[i])] = w.sure
	}
	return m
}

func (w word) draw(r *rand.Rand) []byte {
	out := make([]byte, len(w.consensus))
	for i := range out {
		out[i] = w.consensus[i]
		if r.Float64() >= w.sure {
			for out[i] == w.consensus[i] {
				out[i] = Letters[r.IntN(4)]
			}
		}
	}
	return out
}

// best returns the largest log-odds (nats) of the word along a sequence.
func (w word) best(seq []byte) float64 {
	m := w.probabilities()
	best := math.Inf(-1)
	for i := 0; i+len(m) <= len(seq); i++ {
		sum := 0.0
		for j, row := range m {
			if k := code(seq[i+j]); k >= 0 {
				sum += math.Log(4 * row[k])
			}
		}
		best = max(best, sum)
	}
	return best
}

func random(n int, r *rand.Rand) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = Letters[r.IntN(4)]
	}
	return out
}

// softplus is how strongly the models of the tests react to a word: not at all
// to a poor one, linearly to a good one.
func softplus(x float64) float64 { return math.Log1p(math.Exp(x)) }

// noise is a number in [-0.5, 0.5) that depends on every letter.
func noise(seq []byte) float64 {
	h := fnv.New64a()
	h.Write(seq)
	x := h.Sum64() * 0x9e3779b97f4a7c15
	return float64(x>>40)/(1<<24) - 0.5
}

// explained returns the tracks of sequences under a score.
func explained(t testing.TB, seqs [][]byte, score func([]byte) float64) []Track {
	t.Helper()
	out := make([]Track, len(seqs))
	for i, s := range seqs {
		e, err := explain.Mutagenesis(context.Background(), s, []byte(Letters), 64, func(seqs [][]byte) []float64 {
			out := make([]float64, len(seqs))
			for i, s := range seqs {
				out[i] = score(s)
			}
			return out
		})
		if err != nil {
			t.Fatal(err)
		}
		out[i] = Track{s, e.Hypothetical()}
	}
	return out
}

func shuffled(seqs [][]byte) [][]byte {
	out := make([][]byte, len(seqs))
	for i, s := range seqs {
		out[i] = data.ShuffleDinucleotides(s, rand.New(rand.NewPCG(3, uint64(i))))
	}
	return out
}

var (
	box    = word{"TATAATG", 0.85}
	signal = word{"GTTGACAC", 0.85}
)

// twoWords returns the input of a model that knows both words, for sequences of
// which each has both with a probability of a half or more.
func twoWords(t testing.TB, n int, plant func(s []byte, r *rand.Rand)) Input {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	positives, negatives := make([][]byte, n), make([][]byte, n)
	for i := range n {
		positives[i], negatives[i] = random(80, r), random(80, r)
		plant(positives[i], r)
	}
	score := func(s []byte) float64 {
		return softplus(box.best(s)-4) + softplus(signal.best(s)-5) + 0.3*noise(s)
	}
	return Input{explained(t, positives, score), explained(t, negatives, score), explained(t, shuffled(positives), score)}
}

func plantBoth(s []byte, r *rand.Rand) {
	if r.Float64() < 0.8 {
		copy(s[10+r.IntN(20):], box.draw(r))
	}
	if r.Float64() < 0.6 {
		copy(s[45+r.IntN(20):], signal.draw(r))
	}
}

func TestTwoPlantedWords(t *testing.T) {
	in := twoWords(t, 150, plantBoth)
	r := Find(in, Options{})
	if len(r.Motifs) != 2 {
		for _, m := range r.Motifs {
			t.Logf("%s %s %v %v", m.Name, m.Consensus(), m.Found, m.E)
		}
		t.Fatalf("%d motifs, want 2; %+v", len(r.Motifs), r.For)
	}
	for i, w := range []word{box, signal} {
		m := r.Motifs[i]
		p := m.Probabilities(r.Background)
		found := Correlate(p, w.probabilities(), false)
		if !(found.R >= 0.9) {
			t.Errorf("%s: Pearson %.3f to the planted matrix, want .9", w.consensus, found.R)
		}
		other := []word{signal, box}[i]
		if x := Correlate(p, other.probabilities(), false); x.R > 0.6 {
			t.Errorf("%s: Pearson %.3f to the other word", w.consensus, x.R)
		}
		if m.From > found.Column+1 || m.To < found.Column+len(w.consensus)-1 || m.To-m.From > len(w.consensus)+2 {
			t.Errorf("%s: trimmed to [%d, %d), the word is at %d", w.consensus, m.From, m.To, found.Column)
		}
		if m.E > 1e-6 || m.Against || m.Enrichment(Negative) < 3 || m.Enrichment(Shuffled) < 3 || m.PNegative > 1e-6 {
			t.Errorf("%s: E %v, enrichment %.1f and %.1f", w.consensus, m.E, m.Enrichment(Negative), m.Enrichment(Shuffled))
		}
		// Every occurrence must be a word of the model.
		lost := 0
		for _, q := range m.Seqlets {
			start, end := m.At(q)
			seq := in.tracks(q.Group)[q.Track].Sequence
			if b := w.best(seq[max(start-2, 0):min(end+2, len(seq))]); b < 2 {
				lost++
			}
		}
		if lost > len(m.Seqlets)/20 {
			t.Errorf("%s: %d of %d occurrences are none", w.consensus, lost, len(m.Seqlets))
		}
	}
}

// TestAgainst plants a word that speaks against the class.
func TestAgainst(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	seqs := make([][]byte, 120)
	for i := range seqs {
		seqs[i] = random(60, r)
		copy(seqs[i][20+r.IntN(10):], box.draw(r))
	}
	score := func(s []byte) float64 { return -softplus(box.best(s)-4) + 0.2*noise(s) }
	res := Find(Input{Positives: explained(t, seqs, score), Shuffled: explained(t, shuffled(seqs), score)}, Options{})
	if len(res.Motifs) != 1 || !res.Motifs[0].Against || res.Motifs[0].Mean >= 0 || !math.IsNaN(res.Motifs[0].PNegative) {
		t.Fatalf("motifs %+v", res.Motifs)
	}
	if m := Correlate(res.Motifs[0].Probabilities(res.Background), box.probabilities(), false); m.R < 0.9 {
		t.Errorf("Pearson %.3f", m.R)
	}
}

// TestStrands plants a word on either strand: with both strands one motif, else
// two.
func TestStrands(t *testing.T) {
	rc := func(s []byte) []byte {
		out := make([]byte, len(s))
		for i, c := range s {
			out[len(s)-1-i] = Letters[3-code(c)]
		}
		return out
	}
	r := rand.New(rand.NewPCG(2, 2))
	seqs := make([][]byte, 160)
	forward := 0
	for i := range seqs {
		seqs[i] = random(60, r)
		s := signal.draw(r)
		if r.IntN(3) > 0 {
			s = rc(s)
		} else {
			forward++
		}
		copy(seqs[i][10+r.IntN(35):], s)
	}
	score := func(s []byte) float64 { return softplus(max(signal.best(s), signal.best(rc(s)))-5) + 0.2*noise(s) }
	in := Input{Positives: explained(t, seqs, score), Shuffled: explained(t, shuffled(seqs), score)}
	if res := Find(in, Options{}); len(res.Motifs) != 2 {
		t.Errorf("one strand: %d motifs, want 2", len(res.Motifs))
	}
	res := Find(in, Options{Strands: true})
	if len(res.Motifs) != 1 {
		t.Fatalf("both strands: %d motifs, want 1", len(res.Motifs))
	}
	m := res.Motifs[0]
	match := Correlate(m.Probabilities(res.Background), signal.probabilities(), true)
	if match.R < 0.9 || !match.Reverse {
		t.Errorf("match %+v, want .9 on the other strand, where most are", match)
	}
	// The counts are those of the letters at the seqlets, read on their strand.
	counts := matrix(len(m.Counts))
	for _, q := range m.Seqlets {
		if q.Group != Positive {
			continue
		}
		letters := bytes.Repeat([]byte("N"), len(counts))
		for j := range letters {
			if i := q.Start + j; i >= 0 && i < 60 {
				letters[j] = seqs[q.Track][i]
			}
		}
		for j := range letters {
			c := letters[j]
			if q.Reverse {
				c = letters[len(letters)-1-j]
			}
			switch k := code(c); {
			case k >= 0 && q.Reverse:
				counts[j][3-k]++
			case k >= 0:
				counts[j][k]++
			}
		}
	}
	if !reflect.DeepEqual(counts, m.Counts) {
		t.Errorf("counts %v, want %v", m.Counts, counts)
	}
	for _, q := range m.Seqlets {
		if q.Group != Positive || q.Similarity < 0.8 {
			continue
		}
		start, end := m.At(q)
		s := slices.Clone(seqs[q.Track][max(start-1, 0):min(end+1, 60)])
		if q.Reverse { // the motif is the reverse of signal
			if w := signal.best(s); w < 2 {
				t.Errorf("occurrence %s on the other strand", s)
			}
		} else if w := signal.best(rc(s)); w < 2 {
			t.Errorf("occurrence %s", s)
		}
	}
}

// TestNothing searches models that know no word: nothing may be found.
func TestNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	seqs, others := make([][]byte, 150), make([][]byte, 150)
	for i := range seqs {
		seqs[i], others[i] = random(80, r), random(80, r)
		copy(seqs[i][20:], box.draw(r)) // there is a word, but the model does not know it
	}
	for name, score := range map[string]func([]byte) float64{
		"noise":    noise,
		"constant": func([]byte) float64 { return 1 },
		"composition": func(s []byte) float64 {
			n := 0.0
			for _, c := range s {
				if c == 'A' || c == 'T' {
					n++
				}
			}
			return 0.1 * n
		},
	} {
		res := Find(Input{explained(t, seqs, score), explained(t, others, score), explained(t, shuffled(seqs), score)}, Options{})
		for _, m := range res.Motifs {
			if m.E <= Significant {
				t.Errorf("%s: motif %s, E %v, seqlets %v", name, m.Consensus(), m.E, m.Found)
			}
		}
	}
	if res := Find(Input{}, Options{}); len(res.Motifs) != 0 || !math.IsInf(res.For.Threshold, 1) {
		t.Errorf("of no sequences: %+v", res)
	}
}

// TestOrderAndCores permutes the sequences and changes the number of cores.
func TestOrderAndCores(t *testing.T) {
	in := twoWords(t, 100, plantBoth)
	want := Find(in, Options{Cores: 1})
	if len(want.Motifs) != 2 {
		t.Fatalf("%d motifs", len(want.Motifs))
	}
	for _, n := range []int{2, 3, 8} {
		got := Find(in, Options{Cores: n})
		if !reflect.DeepEqual(got.Motifs, want.Motifs) {
			t.Errorf("%d cores: other motifs", n)
		}
	}
	r := rand.New(rand.NewPCG(4, 4))
	var moved Input
	var orders [groups][]int
	for g := range Group(groups) {
		orders[g] = r.Perm(len(in.tracks(g)))
	}
	for _, i := range orders[Positive] {
		moved.Positives = append(moved.Positives, in.Positives[i])
	}
	for _, i := range orders[Negative] {
		moved.Negatives = append(moved.Negatives, in.Negatives[i])
	}
	for _, i := range orders[Shuffled] {
		moved.Shuffled = append(moved.Shuffled, in.Shuffled[i])
	}
	got := Find(moved, Options{})
	if len(got.Motifs) != len(want.Motifs) {
		t.Fatalf("another order: %d motifs, want %d", len(got.Motifs), len(want.Motifs))
	}
	for i, m := range got.Motifs {
		w := want.Motifs[i]
		if !reflect.DeepEqual(m.Counts, w.Counts) || !reflect.DeepEqual(m.profile, w.profile) || m.E != w.E || len(m.Seqlets) != len(w.Seqlets) {
			t.Errorf("another order: motif %s differs", m.Name)
		}
		// The same seqlets, under their new numbers.
		key := func(q Seqlet, track int) string { return fmt.Sprint(q.Group, track, q.Start, q.Similarity) }
		old := map[string]bool{}
		for _, q := range w.Seqlets {
			old[key(q, q.Track)] = true
		}
		for _, q := range m.Seqlets {
			if !old[key(q, orders[q.Group][q.Track])] {
				t.Errorf("another order: seqlet %+v is new", q)
			}
		}
	}
}

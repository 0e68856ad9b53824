package dna

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"heed/explain"
	"heed/model/sequence"
)

// trained returns a model that has learned TATAAT at index 7 of 20 letters.
func trained(t *testing.T, change func(*Config)) (*Fitted, *Dataset) {
	t.Helper()
	d := planted(80)
	c := tiny()
	c.Train.Epochs = 20
	c.ValidShare, c.Patience, c.Threshold = 0, 0, 0.5
	if change != nil {
		change(&c)
	}
	f, err := Fit(context.Background(), c, d, upTo(0, len(d.Seqs)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f, d
}

func explaining(t testing.TB, cores int) Explaining {
	t.Helper()
	ms, err := pickMethods("default")
	if err != nil {
		t.Fatal(err)
	}
	return Explaining{Methods: ms, Seed: 1, Cores: cores}
}

// TestPlantedMotif explains a model of planted motifs: the mean track of the
// positives must have its peak in the motif and nothing to speak of elsewhere.
func TestPlantedMotif(t *testing.T) {
	f, d := trained(t, nil)
	classes := make([]int, len(d.Seqs))
	for i := range classes {
		classes[i] = d.Positive
	}
	steps := 0
	es, err := f.explainAll(context.Background(), d, upTo(0, len(d.Seqs)), classes, d.Labels, explaining(t, 2), func(p Progress) {
		if steps++; p.Done != steps || p.Total != len(d.Seqs) {
			t.Errorf("progress %d of %d, want %d of %d", p.Done, p.Total, steps, len(d.Seqs))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	const tss = 15 // index 7 is -8
	x := &Explained{Model: f, How: explaining(t, 1), Sequences: es, TSS: tss, Motifs: []Motif{{"TATA", -8, -3}, {"nothing", 1, 4}}}
	x.averages()
	if len(x.Tracks) != 2 || x.Tracks[0].Class != "yes" || x.Tracks[0].N != 40 || x.Tracks[1].Class != "no" {
		t.Fatalf("tracks %+v", x.Tracks)
	}
	track := x.Tracks[0]
	if p := track.Peaks(1, peakGap, tss)[0]; p < -8 || p > -3 {
		t.Errorf("highest peak at %d, want it in the motif, -8 to -3: %.2f", p, track.Mean)
	}
	found := track.Compare(x.Motifs, tss)
	if f := found[0]; f.Rank != 1 || f.Away != 0 || !(f.Enrichment > 2.5) {
		t.Errorf("planted motif: %+v", f)
	}
	if f := found[1]; !(f.Enrichment < 0.5) {
		t.Errorf("no motif: %+v", f)
	}
	for i, v := range track.Mean {
		if sum := track.Heights[i][0] + track.Heights[i][1] + track.Heights[i][2] + track.Heights[i][3]; math.Abs(sum-v) > 1e-9 {
			t.Errorf("letters at %d add up to %v, the mean is %v", i, sum, v)
		}
		if !(track.Low[i] <= v && v <= track.High[i]) {
			t.Errorf("position %d: mean %v outside of %v to %v", i, v, track.Low[i], track.High[i])
		}
	}
	for _, want := range []string{"80 sequences explained for yes\n", "motif TATA, expected at -8 to -3: peak at -", ", rank 1, enrichment "} {
		if s := x.Summary(); !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
	// Taking the motif away costs all that there is to lose, and nothing else
	// does; the parts add up.
	if x.Shared, err = x.share(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := x.Shared
	if len(s.Values) != 3 || s.Names[2] != "all else" || s.Class != "yes" || s.Sequences != 6 {
		t.Fatalf("sharing %+v", s)
	}
	if motif, nothing := s.Values[0].Estimate, s.Values[1].Estimate; !(motif > 4*math.Abs(nothing)) || s.Pairs[0][1] != s.Pairs[1][0] {
		t.Errorf("sharing %+v", s)
	}
	if _, err := x.sections(); err != nil {
		t.Error(err)
	}
}

// TestExplainSingle compares mutagenesis with single forward passes, for every
// way to read tokens and to pool them.
func TestExplainSingle(t *testing.T) {
	for _, c := range []struct {
		name    string
		k       int
		pooling string
		members int
	}{
		{"letters", 1, "cls", 1},
		{"ensemble", 1, "cls", 2},
		{"3-mers", 3, "cls", 1},
		{"mean", 1, "mean", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := planted(2)
			cfg := tiny()
			cfg.Model.Tokenizer.K, cfg.Model.Pooling, cfg.Model.MaxLen, cfg.Model.Classes, cfg.Model.Layers = c.k, c.pooling, 20, 2, 2
			f := &Fitted{Config: cfg, Classes: d.Classes, Positive: 1}
			r := rand.New(rand.NewPCG(1, 2))
			for range c.members {
				f.Members = append(f.Members, own{sequence.New(cfg.Model, r)})
			}
			seq := d.Seqs[1]
			e, err := f.Explain(context.Background(), "s1", seq, 1, explaining(t, 2))
			if err != nil {
				t.Fatal(err)
			}
			score := func(s []byte) float64 {
				p := f.Probabilities([][]byte{s}, 1)[0][1]
				return math.Log(p / (1 - p))
			}
			if math.Abs(e.Effects.Score-score(seq)) > 1e-4 || math.Abs(e.Prob-f.Probabilities([][]byte{seq}, 1)[0][1]) > 1e-5 {
				t.Errorf("score %v, p %v; want %v", e.Effects.Score, e.Prob, score(seq))
			}
			for i := range seq {
				for k := range Letters {
					m := bytes.Clone(seq)
					m[i] = Letters[k]
					if want := score(m) - score(seq); math.Abs(e.Effects.Delta[i][k]-want) > 1e-4 {
						t.Fatalf("Delta[%d][%c] = %v, want %v", i, Letters[k], e.Effects.Delta[i][k], want)
					}
				}
			}
			// The rollout over tokens sums to 1; what is missing is [CLS].
			sum := 0.0
			for _, v := range e.Rollout {
				sum += v
			}
			if !(sum > 0 && sum < 1) || len(e.Heads) != 4 || len(e.Tokens) != 1+20-c.k+1 {
				t.Errorf("rollout of letters sums to %v, %d layers, %d tokens", sum, len(e.Heads), len(e.Tokens))
			}
			if c.name == "letters" {
				row := explain.Rollout(f.parts(seq, 1, 1)[0].attention(), 0, explain.Mean)
				if !slices.Equal(row[1:], e.Rollout) {
					t.Error("rollout differs from that of [CLS]")
				}
				total := 0.0
				for _, v := range e.Scores[1] {
					total += v
				}
				if i := e.Integral; !i.Met || math.Abs(total-(i.Score-i.Baseline)) > 0.02*math.Abs(i.Score-i.Baseline)+1e-3 || math.Abs(i.Score-e.Effects.Score) > 1e-4 {
					t.Errorf("integrated gradients sum to %v: %+v", total, i)
				}
				if e.Tokens[0] != "[CLS]" || strings.Join(e.Tokens[1:], "") != string(seq) {
					t.Errorf("tokens %q", e.Tokens)
				}
			}
			x := &Explained{Model: f, How: explaining(t, 1), Sequences: []*Explanation{e}, TSS: -1}
			if len(x.maps(e)) != 2 || len(x.headBlocks()) != 2 {
				t.Error("no attention")
			}
			x.averages()
			if _, err := x.sections(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestExplainLength(t *testing.T) {
	cfg := tiny()
	cfg.Model.MaxLen, cfg.Model.Classes, cfg.Model.Tokenizer.K = 20, 2, 3
	f := &Fitted{Config: cfg, Classes: []string{"no", "yes"}}
	for n, want := range map[int]string{
		21: `sequence "s" has 21 letters, the model takes 20`,
		2:  `sequence "s" has 2 letters, one token needs 3`,
	} {
		if _, err := f.Explain(context.Background(), "s", bytes.Repeat([]byte("A"), n), 1, explaining(t, 1)); err == nil || err.Error() != want {
			t.Errorf("%d letters: error %v, want %q", n, err, want)
		}
	}
}

func TestParseMotif(t *testing.T) {
	for s, want := range map[string]Motif{
		"TATA=-32:-27": {"TATA", -32, -27},
		"-10=-12:-7":   {"-10", -12, -7},
		"Inr=1":        {"Inr", 1, 1},
		"a=b=-3:+2":    {"a=b", -3, 2},
	} {
		if m, err := ParseMotif(s); err != nil || m != want {
			t.Errorf("ParseMotif(%q) = %+v, %v", s, m, err)
		}
	}
	for _, s := range []string{"", "TATA", "=1", "x=", "x=2:1", "x=1:", "x=a:b"} {
		want := `expect "` + s + `": want NAME=FROM:TO, such as TATA=-32:-27`
		if _, err := ParseMotif(s); err == nil || err.Error() != want {
			t.Errorf("ParseMotif(%q): %v", s, err)
		}
	}
}

func TestExplanationTables(t *testing.T) {
	e := &Explanation{
		Name: "a", Sequence: []byte("AN"), Importance: []float64{0.5, -1}, Rollout: []float64{0.25, 0.125}, Scores: [][]float64{{0.25, 0.125}, {0.5, -1}},
		Effects: &explain.Effects{Delta: [][]float64{{0, -0.5, -0.5, -0.5}, {1, 1, 1, 1}}},
	}
	var b bytes.Buffer
	for _, c := range []struct {
		write func() error
		want  string
	}{
		{func() error {
			return WriteExplanations(&b, []*Explanation{e}, []method{{key: keyRollout}, {key: keyMutagenesis}}, 1)
		},
			"sequence\tposition\tletter\timportance\tdelta_A\tdelta_C\tdelta_G\tdelta_T\trollout\n" +
				"a\t-1\tA\t0.5\t0\t-0.5\t-0.5\t-0.5\t0.25\n" +
				"a\t1\tN\t-1\t1\t1\t1\t1\t0.125\n"},
		{func() error { return WriteBedGraph(&b, []*Explanation{e}) },
			"track type=bedGraph name=\"importance\" description=\"fall of the log-odds when the letter is replaced\"\n" +
				"a\t0\t1\t0.5\na\t1\t2\t-1\n"},
		{func() error { return WriteTracks(&b, []*MeanTrack{meanTrack("yes", []*Explanation{e})}, -1) },
			"class\tsequences\tposition\timportance\tlow\thigh\trollout\n" +
				"yes\t1\t1\t0.5\t0.5\t0.5\t0.25\nyes\t1\t2\t-1\t-1\t-1\t0.125\n"},
	} {
		b.Reset()
		if err := c.write(); err != nil || b.String() != c.want {
			t.Errorf("got %v\n%s\nwant\n%s", err, b.String(), c.want)
		}
	}
}

func TestLogOdds(t *testing.T) {
	for _, c := range []struct {
		probs []float64
		class int
		want  float64
	}{
		{[]float64{0.5, 0.5}, 0, 0},
		{[]float64{1e-12, 1}, 1, 12 * math.Ln10},
		{[]float64{0.25, 0.5, 0.25}, 2, math.Log(1. / 3)},
		{[]float64{1, 0}, 1, -30 * math.Ln10},
	} {
		if got := logOdds(c.probs, c.class); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("logOdds(%v, %d) = %v, want %v", c.probs, c.class, got, c.want)
		}
	}
}

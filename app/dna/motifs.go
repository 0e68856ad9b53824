package dna

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"heed/data"
	"heed/internal/cli"
	"heed/internal/par"
	"heed/metric"
	"heed/motif"
)

// A MotifSearch is what a model reacts to in many sequences.
type MotifSearch struct {
	Model  *Fitted
	Class  int
	TSS    int    // index of +1; negative if unknown
	Seed   uint64 // of the shuffled sequences and of the sample
	Origin string // says where the sequences are from
	Hidden *Motif // a stretch that the model does not get to see; nil for none
	// Names and Scores, the log-odds of Class in nats, of positives and
	// negatives.
	Names  [2][]string
	Scores [2][]float64
	Input  motif.Input
	Result *motif.Result
	Known  []*KnownMotif
}

// A KnownMotif is compared with the motifs that were found.
type KnownMotif struct {
	Name, Consensus string
	matrix          [][]float64

	Found *motif.Motif // the one that is most like it; nil if none was found
	Match motif.Match
	Floor motif.Floor
}

// ParseKnownMotif reads "NAME=CONSENSUS", such as "TATA=TATAAA", in the letters
// of the IUPAC code.
func ParseKnownMotif(s string) (*KnownMotif, error) {
	name, consensus, ok := cutLast(s, "=")
	if !ok || name == "" {
		return nil, cli.Usagef("expect %q: want NAME=CONSENSUS, such as TATA=TATAAA", s)
	}
	m, err := motif.ParseConsensus(consensus)
	if err != nil {
		return nil, cli.Usagef("expect %q: %v", s, err)
	}
	return &KnownMotif{Name: name, Consensus: strings.ToUpper(consensus), matrix: m}, nil
}

const (
	streamShuffle = 0x73687566 // "shuf"
	streamFloor   = 0x666c6f72 // "flor"
	floorShuffles = 1000
)

// hashSequence depends on the letters and the seed, and on nothing else: what is
// drawn for a sequence does not depend on its place in a file.
func hashSequence(seq []byte, seed uint64) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", seed, seq)
	return h.Sum64()
}

// sample returns up to limit of the indices, ascending; 0 means all.
func sample(d *Dataset, idx []int, limit int, seed uint64) []int {
	if limit == 0 || len(idx) <= limit {
		return idx
	}
	chosen := slices.Clone(idx)
	slices.SortStableFunc(chosen, func(a, b int) int {
		return cmp.Or(cmp.Compare(hashSequence(d.Seqs[a], seed), hashSequence(d.Seqs[b], seed)), slices.Compare(d.Seqs[a], d.Seqs[b]))
	})
	chosen = chosen[:limit]
	slices.Sort(chosen)
	return chosen
}

// explain fills in the tracks: of the sequences at two lists of indices, and of
// the first ones with their letters shuffled.
func (x *MotifSearch) explain(ctx context.Context, d *Dataset, positives, negatives []int, cores int, progress func(Progress)) error {
	var seqs [][]byte
	for _, i := range append(slices.Clone(positives), negatives...) {
		if err := x.Model.fits(d.Names[i], d.Seqs[i]); err != nil {
			return err
		}
		seqs = append(seqs, d.Seqs[i])
	}
	for _, i := range positives {
		seqs = append(seqs, data.ShuffleDinucleotides(d.Seqs[i], rand.New(rand.NewPCG(hashSequence(d.Seqs[i], x.Seed), streamShuffle))))
	}
	x.hide(seqs)
	tracks, scores, err := x.Model.tracks(ctx, seqs, x.Class, cores, progress)
	if err != nil {
		return err
	}
	x.forget(tracks)
	p, n := len(positives), len(positives)+len(negatives)
	x.Input = motif.Input{Positives: tracks[:p:p], Negatives: tracks[p:n:n], Shuffled: tracks[n:]}
	x.Scores = [2][]float64{scores[:p], scores[p:n]}
	for g, idx := range [2][]int{positives, negatives} {
		for _, i := range idx {
			x.Names[g] = append(x.Names[g], d.Names[i])
		}
	}
	return nil
}

// hide replaces the letters of the hidden stretch by N, in copies.
func (x *MotifSearch) hide(seqs [][]byte) {
	for s, seq := range seqs {
		if from, to := x.hidden(len(seq)); from < to {
			seqs[s] = slices.Clone(seq)
			for i := from; i < to; i++ {
				seqs[s][i] = 'N'
			}
		}
	}
}

// forget removes what letters would contribute inside the hidden stretch.
func (x *MotifSearch) forget(tracks []motif.Track) {
	for _, t := range tracks {
		from, to := x.hidden(len(t.Sequence))
		for i := from; i < to; i++ {
			clear(t.Hypothetical[i])
		}
	}
}

// hidden returns the hidden indices [from, to) of a sequence of n letters.
func (x *MotifSearch) hidden(n int) (from, to int) {
	if x.Hidden == nil {
		return 0, 0
	}
	for from < n && coordinate(from, x.TSS) < x.Hidden.From {
		from++
	}
	for to = from; to < n && coordinate(to, x.TSS) <= x.Hidden.To; {
		to++
	}
	return from, to
}

// tracks explains sequences by mutagenesis.
func (f *Fitted) tracks(ctx context.Context, seqs [][]byte, class, cores int, progress func(Progress)) ([]motif.Track, []float64, error) {
	if cores < 1 {
		cores = par.Cores()
	}
	workers := min(cores, len(seqs))
	out, scores, errs := make([]motif.Track, len(seqs)), make([]float64, len(seqs)), make([]error, len(seqs))
	var mu sync.Mutex
	done := 0
	par.Do(len(seqs), workers, func(_, i int) {
		e, err := f.mutagenesis(ctx, seqs[i], class, max(1, cores/workers))
		if err != nil {
			errs[i] = err
			return
		}
		out[i], scores[i] = motif.Track{Sequence: seqs[i], Hypothetical: e.Hypothetical()}, e.Score
		mu.Lock()
		defer mu.Unlock()
		if done++; progress != nil {
			progress(Progress{Stage: "explain", Done: done, Total: len(seqs)})
		}
	})
	return out, scores, errors.Join(errs[:firstError(errs)]...)
}

// find searches the tracks and compares what was found with what is known.
func (x *MotifSearch) find(o motif.Options) {
	x.Result = motif.Find(x.Input, o)
	found := x.significant()
	var matrices [][][]float64
	for _, m := range found {
		matrices = append(matrices, m.Probabilities(x.Result.Background))
	}
	for _, k := range x.Known {
		at, match := motif.Best(matrices, k.matrix, o.Strands)
		if at < 0 {
			continue
		}
		k.Found, k.Match = found[at], match
		k.Floor = motif.ShuffledFloor(matrices, k.matrix, o.Strands, floorShuffles, rand.New(rand.NewPCG(x.Seed, streamFloor)))
	}
}

// significant returns the motifs that count as found.
func (x *MotifSearch) significant() []*motif.Motif {
	var out []*motif.Motif
	for _, m := range x.Result.Motifs {
		if m.E <= motif.Significant {
			out = append(out, m)
		}
	}
	return out
}

// auroc says how well the model tells the explained positives from the
// negatives; NaN without negatives.
func (x *MotifSearch) auroc() float64 {
	scores := slices.Concat(x.Scores[0], x.Scores[1])
	is := make([]bool, len(scores))
	for i := range x.Scores[0] {
		is[i] = true
	}
	b, err := metric.NewBinary(scores, is)
	if err != nil {
		return math.NaN()
	}
	return b.AUROC()
}

// leastAUROC is that below which a model knows too little of its classes for its
// motifs to mean anything.
const leastAUROC = 0.7

// places returns the coordinate of the first letter of each occurrence of a
// motif in a group, ascending.
func (x *MotifSearch) places(m *motif.Motif, g motif.Group) []int {
	var out []int
	for _, q := range m.Seqlets {
		if q.Group == g {
			start, _ := m.At(q)
			out = append(out, coordinate(start, x.TSS))
		}
	}
	slices.Sort(out)
	return out
}

// A spread says where the occurrences of a motif begin.
type spread struct {
	low, median, high int // quartiles
	most, times       int // the most frequent place, the least of equals
}

func spreadOf(sorted []int) spread {
	n := len(sorted)
	if n == 0 {
		return spread{}
	}
	s := spread{low: sorted[n/4], median: sorted[n/2], high: sorted[3*n/4]}
	s.most, s.times = mode(sorted)
	return s
}

// mode returns the most frequent number, the least of equals, and how often it
// occurs.
func mode(list []int) (most, times int) {
	n := map[int]int{}
	for _, v := range list {
		n[v]++
		if n[v] > times || n[v] == times && v < most {
			most, times = v, n[v]
		}
	}
	return most, times
}

// place writes a coordinate as the rest of the page does.
func (x *MotifSearch) place(at int) string {
	if x.TSS < 0 {
		return fmt.Sprint(at)
	}
	return fmt.Sprintf("%+d", at)
}

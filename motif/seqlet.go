package motif

import (
	"cmp"
	"math"
	"slices"

	"heed/internal/par"
)

// seqlets returns the seqlets of one sign in all groups, above the lowest
// threshold whose false discovery rate is no more than wanted.
func seqlets(in *Input, o Options, against bool) ([]Seqlet, Search) {
	var all [groups][]Seqlet
	for g := range Group(groups) {
		tracks := in.tracks(g)
		each := make([][]Seqlet, len(tracks))
		par.Do(len(tracks), cores(o), func(_, i int) {
			for _, w := range windows(&tracks[i], o, against) {
				each[i] = append(each[i], Seqlet{Group: g, Track: i, Start: w.start - o.Flank, Sum: w.sum})
			}
		})
		all[g] = slices.Concat(each...)
	}
	real, null := heights(all[Positive]), heights(all[Shuffled])
	s := Search{}
	s.Threshold, s.FDR = threshold(real, null, letters(in.Positives), letters(in.Shuffled), o.FDR)
	var out []Seqlet
	for g, list := range all {
		for _, q := range list {
			if math.Abs(q.Sum) >= s.Threshold {
				out = append(out, q)
				s.Seqlets[g]++
			}
		}
	}
	return out, s
}

func cores(o Options) int {
	if o.Cores > 0 {
		return o.Cores
	}
	return par.Cores()
}

func heights(list []Seqlet) []float64 {
	out := make([]float64, len(list))
	for i, q := range list {
		out[i] = math.Abs(q.Sum)
	}
	return out
}

func letters(tracks []Track) float64 {
	n := 0
	for _, t := range tracks {
		n += len(t.Sequence)
	}
	return float64(n)
}

// A window is o.Window letters from start on, and the sum of their
// contributions.
type window struct {
	start int
	sum   float64
}

// windows returns the windows of the largest sums of one sign, the largest
// first, no two of which have a letter in common.
func windows(t *Track, o Options, against bool) []window {
	n := len(t.Sequence) - o.Window + 1
	if n < 1 {
		return nil
	}
	var all []window
	for i := range n {
		sum := 0.0
		for j := range o.Window {
			sum += t.contribution(i + j)
		}
		if against && sum < 0 || !against && sum > 0 {
			all = append(all, window{i, sum})
		}
	}
	slices.SortStableFunc(all, func(a, b window) int { return cmp.Compare(math.Abs(b.sum), math.Abs(a.sum)) })
	taken := make([]bool, n+o.Window)
	var out []window
	for _, w := range all {
		// Both ends free means free between them: what is taken is as long.
		if taken[w.start] || taken[w.start+o.Window-1] {
			continue
		}
		for j := range o.Window {
			taken[w.start+j] = true
		}
		out = append(out, w)
	}
	return out
}

// threshold returns the lowest height t for which
//
//	FDR(t) = (1 + null heights of t or more) · letters/nullLetters / (real heights of t or more)
//
// is no more than limit, and that rate; +Inf and 0 if there is none. The one
// that is added keeps a few high windows from being believed (Barber and Candès
// 2015).
func threshold(real, null []float64, letters, nullLetters, limit float64) (t, fdr float64) {
	slices.Sort(real)
	slices.Sort(null)
	t = math.Inf(1)
	for i := range real {
		if i > 0 && real[i] == real[i-1] {
			continue
		}
		above, _ := slices.BinarySearch(null, real[i])
		rate := (1 + float64(len(null)-above)) * letters / nullLetters / float64(len(real)-i)
		if rate <= limit {
			return real[i], rate
		}
	}
	return t, 0
}

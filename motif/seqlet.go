package motif

import (
	"cmp"
	"math"
	"slices"

	"heed/internal/par"
)

// seqlets returns the seqlets of one sign in all groups, above the lowest
// threshold whose false discovery rate in the positives is no more than wanted.
func seqlets(in *Input, o Options, against bool) ([]Seqlet, Search) {
	var s Search
	s.Threshold, s.FDR = threshold(sums(in.Positives, o, against), sums(in.Shuffled, o, against), o.FDR)
	var out []Seqlet
	for g := range Group(groups) {
		tracks := in.tracks(g)
		each := make([][]Seqlet, len(tracks))
		par.Do(len(tracks), cores(o), func(_, i int) {
			for _, w := range windows(&tracks[i], o, against) {
				if math.Abs(w.sum) >= s.Threshold {
					each[i] = append(each[i], Seqlet{Group: g, Track: i, Start: w.start - o.Flank, Sum: w.sum})
				}
			}
		})
		for _, list := range each {
			out = append(out, list...)
			s.Seqlets[g] += len(list)
		}
	}
	return out, s
}

// sums returns the contributions of all windows, with the other sign if against
// is set.
func sums(tracks []Track, o Options, against bool) []float64 {
	var out []float64
	for i := range tracks {
		t := &tracks[i]
		for start := range max(0, len(t.Sequence)-o.Window+1) {
			out = append(out, t.sum(start, o.Window))
		}
	}
	if against {
		for i, v := range out {
			out[i] = -v
		}
	}
	return out
}

// sum returns the contributions of n letters.
func (t *Track) sum(start, n int) float64 {
	sum := 0.0
	for i := start; i < start+n; i++ {
		sum += t.contribution(i)
	}
	return sum
}

func cores(o Options) int {
	if o.Cores > 0 {
		return o.Cores
	}
	return par.Cores()
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
		if sum := t.sum(i, o.Window); against && sum < 0 || !against && sum > 0 {
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

// threshold returns the lowest positive t among the values for which the share
// of false discoveries
//
//	FDR(t) = n/2·exp(-(t-m)/b) / (values of t or more)
//
// is no more than limit, and that share; +Inf and 0 if there is none. n is the
// number of values. The null is a Laplace distribution with the median m of the
// null values, and the scale b with which it has the median of those above m:
// null sequences that hold a motif by chance are in its tail and hardly move it.
// values and null are sorted.
func threshold(values, null []float64, limit float64) (t, fdr float64) {
	slices.Sort(values)
	slices.Sort(null)
	n, k := len(values), len(null)
	if n == 0 || k == 0 {
		return math.Inf(1), 0
	}
	m, upper := null[k/2], null[(k+k/2)/2]
	b := (upper - m) / math.Ln2
	for i, v := range values {
		if v <= 0 || v <= m || i > 0 && v == values[i-1] {
			continue
		}
		noise := 0.0
		if b > 0 {
			noise = float64(n) / 2 * math.Exp(-(v-m)/b)
		}
		if rate := noise / float64(n-i); rate <= limit {
			return v, rate
		}
	}
	return math.Inf(1), 0
}

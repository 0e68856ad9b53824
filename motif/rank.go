package motif

import (
	"math"
	"slices"

	"heed/metric"
)

// strongest returns, for each track of a group, the size of the contributions of
// the strongest occurrence of the motif that starts in [from, to); 0 without
// one.
func (m *Motif) strongest(g Group, from, to int) []float64 {
	out := make([]float64, m.Of[g])
	for _, q := range m.Seqlets {
		if q.Group == g && from <= q.Start && q.Start < to {
			out[q.Track] = max(out[q.Track], math.Abs(q.Sum))
		}
	}
	return out
}

// placeWidth is the number of letters by which the occurrences of a motif at one
// place may differ.
const placeWidth = 5

// place returns the start of the placeWidth letters in which most occurrences in
// positives and shuffled sequences together start, the first of equals. It is
// chosen blind to where they come from, so that it decides no test.
func (m *Motif) place() int {
	var starts []int
	for _, q := range m.Seqlets {
		if q.Group != Negative {
			starts = append(starts, q.Start)
		}
	}
	slices.Sort(starts)
	best, most, j := 0, 0, 0
	for i, s := range starts {
		for j < len(starts) && starts[j] < s+placeWidth {
			j++
		}
		if j-i > most {
			best, most = s, j-i
		}
	}
	return best
}

// test fills in the probabilities. Positions mean something only if all
// sequences have one length.
func (m *Motif) test(in *Input) {
	compare := func(g Group, from, to int) float64 {
		return rankSum(m.strongest(Positive, from, to), m.strongest(g, from, to))
	}
	all := func(g Group) float64 { return compare(g, math.MinInt, math.MaxInt) }
	m.P, m.PNegative, m.PPlace = all(Shuffled), all(Negative), math.NaN()
	if in.aligned() {
		from := m.place()
		m.PPlace = compare(Shuffled, from, from+placeWidth)
	}
}

// aligned says whether all sequences have one length.
func (in *Input) aligned() bool {
	for g := range Group(groups) {
		for _, t := range in.tracks(g) {
			if len(t.Sequence) != len(in.Positives[0].Sequence) {
				return false
			}
		}
	}
	return true
}

// rankSum returns the one-sided probability that a is so much larger than b if
// both are of one distribution: the test of Mann and Whitney (1947), by the
// normal approximation with its corrections for ties and for continuity. It is
// NaN if one of them is empty, and 1 if all values are equal.
func rankSum(a, b []float64) float64 {
	n, m := float64(len(a)), float64(len(b))
	if n == 0 || m == 0 {
		return math.NaN()
	}
	all := slices.Concat(a, b)
	u := -n * (n + 1) / 2
	for _, r := range metric.MidRanks(all)[:len(a)] {
		u += r
	}
	slices.Sort(all)
	ties := 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j] == all[i] {
			j++
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	variance := n * m / 12 * (n + m + 1 - ties/((n+m)*(n+m-1)))
	if variance <= 0 {
		return 1
	}
	return math.Erfc((u-n*m/2-0.5)/math.Sqrt(2*variance)) / 2
}

package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A Touch says what is known of a pair of positions.
type Touch uint8

const (
	Unknown Touch = iota // one of them is missing from the structure
	Apart
	Contact
)

// A Separation is a range of |i-j|, the distance of two positions along the
// sequence.
type Separation struct {
	Name     string
	Min, Max int // both included; Max 0 means no end
}

// Separations returns the ranges that contacts are scored in, after CASP: short
// (6 to 11), medium (12 to 23), long (24 and more), and all of them.
func Separations() []Separation {
	return []Separation{{"short", 6, 11}, {"medium", 12, 23}, {"long", 24, 0}, {"all", 6, 0}}
}

// Has reports whether a separation is in the range.
func (s Separation) Has(separation int) bool {
	return separation >= s.Min && (s.Max == 0 || separation <= s.Max)
}

// ContactRanking holds the pairs i < j of a range whose truth is known, by falling
// score; pairs of one score stand in the order of i, then of j.
type ContactRanking struct {
	Positions int // L, of the sequence
	Pairs     int // known
	Contacts  int // among them
	Unknown   int // pairs of the range that were left out
	ranked    []rankedPair
}

type rankedPair struct {
	i, j    int32
	contact bool
}

// RankContacts ranks the pairs of a range by symmetric scores (L, L), of which
// those with i < j are read, and compares them with the truth (L, L). It is an
// error if the sizes differ or a score is not a number.
func RankContacts(scores []float64, truth []Touch, positions int, s Separation) (*ContactRanking, error) {
	l := positions
	if l < 1 || len(scores) != l*l || len(truth) != l*l {
		return nil, fmt.Errorf("metric: %d scores and %d truths of %d positions", len(scores), len(truth), l)
	}
	r := &ContactRanking{Positions: l}
	for i := range l {
		for j := i + 1; j < l; j++ {
			if !s.Has(j - i) {
				continue
			}
			if math.IsNaN(scores[i*l+j]) {
				return nil, fmt.Errorf("metric: score of positions %d and %d is NaN", i, j)
			}
			switch truth[i*l+j] {
			case Unknown:
				r.Unknown++
				continue
			case Contact:
				r.Contacts++
			}
			r.ranked = append(r.ranked, rankedPair{int32(i), int32(j), truth[i*l+j] == Contact})
		}
	}
	r.Pairs = len(r.ranked)
	slices.SortStableFunc(r.ranked, func(a, b rankedPair) int {
		return cmp.Compare(scores[int(b.i)*l+int(b.j)], scores[int(a.i)*l+int(a.j)])
	})
	return r, nil
}

// Background returns the share of contacts among the pairs, which is the
// precision of a random order. It is NaN without pairs.
func (r *ContactRanking) Background() float64 { return ratio(r.Contacts, r.Pairs) }

// Precision returns the precision of the top L/k, "P@L/k": the number of contacts
// among the first ⌊L/k⌋ pairs, by ⌊L/k⌋, also where there are fewer pairs. It is
// NaN if L is less than k, or if no pair is known.
func (r *ContactRanking) Precision(k int) float64 {
	n := r.Positions / k
	if r.Pairs == 0 {
		return math.NaN()
	}
	hits := 0
	for _, p := range r.ranked[:min(n, r.Pairs)] {
		if p.contact {
			hits++
		}
	}
	return ratio(hits, n)
}

// PrecisionCurve returns the precisions of the first 1 to n pairs, or of all pairs
// if there are fewer.
func (r *ContactRanking) PrecisionCurve(n int) []float64 {
	var out []float64
	hits := 0
	for m, p := range r.ranked[:min(n, r.Pairs)] {
		if p.contact {
			hits++
		}
		out = append(out, float64(hits)/float64(m+1))
	}
	return out
}

// ResampledPrecision is Precision for a resample of the positions with
// replacement, as [Bootstrap] draws it: a pair counts as often as its two
// positions occur together (the vertex bootstrap of Snijders & Borgatti 1999),
// and pairs are taken until they count ⌊L/k⌋.
//
// Pairs of one structure are not independent, and resampling pairs would pretend
// that they are. Positions are not independent either: neighbours in a sheet make
// contacts together. Intervals from this are therefore too narrow rather than too
// wide, and say nothing about other families.
func (r *ContactRanking) ResampledPrecision(idx []int, k int) float64 {
	n := r.Positions / k
	if n == 0 || r.Pairs == 0 {
		return math.NaN()
	}
	times := make([]int, r.Positions)
	for _, i := range idx {
		times[i]++
	}
	taken, hits := 0, 0
	for _, p := range r.ranked {
		m := min(times[p.i]*times[p.j], n-taken)
		taken += m
		if p.contact {
			hits += m
		}
		if taken == n {
			break
		}
	}
	return ratio(hits, n)
}

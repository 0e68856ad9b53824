package explain

import (
	"cmp"
	"slices"
)

// A Peak is a high point of a track.
type Peak struct {
	Index int
	Value float64
}

// Peaks returns the up to k highest points of a track (L), the highest first,
// any two of them at least gap positions apart. Of equal values the earlier
// comes first. NaN is passed over.
func Peaks(track []float64, k, gap int) []Peak {
	var order []int
	for i, v := range track {
		if v == v {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(track[b], track[a]) })
	var peaks []Peak
	for _, i := range order {
		if len(peaks) >= k {
			break
		}
		if !slices.ContainsFunc(peaks, func(p Peak) bool { return max(i-p.Index, p.Index-i) < gap }) {
			peaks = append(peaks, Peak{i, track[i]})
		}
	}
	return peaks
}

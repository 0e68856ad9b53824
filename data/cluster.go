package data

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// ClusteredKFold deals whole clusters (see [Clusters]) to k folds so that each
// fold gets nearly its share of every label. A cluster is never divided,
// therefore folds differ more than those of [KFold], and where one cluster is
// larger than n/k its fold is too large. It returns the fold of every sample. It
// is an error if there are fewer than k clusters, or k is less than 2.
//
// Clusters are dealt greedily, the largest first, each to the fold where the sum
// over labels of (have - want)²/want grows least; rng orders those of one size.
func ClusteredKFold(labels, clusters []int, k int, rng *rand.Rand) ([]int, error) {
	if err := checkClusters(labels, clusters); err != nil {
		return nil, err
	}
	if err := checkK(k, len(labels)); err != nil {
		return nil, err
	}
	groups := classes(clusters)
	if len(groups) < k {
		return nil, fmt.Errorf("data: %d folds of %d clusters", k, len(groups))
	}
	shares := make([]float64, k)
	for i := range shares {
		shares[i] = 1 / float64(k)
	}
	return deal(labels, groups, shares, rng), nil
}

// ClusteredHoldout is [Holdout] for whole clusters, dealt as [ClusteredKFold]
// deals them. It is an error if a part with a fraction above 0 gets nothing.
func ClusteredHoldout(labels, clusters []int, valid, test float64, rng *rand.Rand) (Parts, error) {
	if err := checkClusters(labels, clusters); err != nil {
		return Parts{}, err
	}
	if err := checkFractions(valid, test); err != nil {
		return Parts{}, err
	}
	var p Parts
	groups := classes(clusters)
	for i, part := range deal(labels, groups, []float64{1 - valid - test, valid, test}, rng) {
		switch part {
		case 0:
			p.Train = append(p.Train, i)
		case 1:
			p.Valid = append(p.Valid, i)
		case 2:
			p.Test = append(p.Test, i)
		}
	}
	if len(p.Train) == 0 || valid > 0 && len(p.Valid) == 0 || test > 0 && len(p.Test) == 0 {
		return Parts{}, fmt.Errorf("data: %d clusters of %d samples cannot be split into parts of %v, %v and %v",
			len(groups), len(labels), 1-valid-test, valid, test)
	}
	return p, nil
}

// deal assigns groups of samples to bins whose shares of the whole sum to 1, and
// returns the bin of every sample.
func deal(labels []int, groups [][]int, shares []float64, rng *rand.Rand) []int {
	// Labels become 0 to C-1.
	class := make([]int, len(labels))
	var total []float64 // samples of each class
	for c, samples := range classes(labels) {
		total = append(total, float64(len(samples)))
		for _, i := range samples {
			class[i] = c
		}
	}
	rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	slices.SortStableFunc(groups, func(a, b []int) int { return cmp.Compare(len(b), len(a)) })

	have := make([][]float64, len(shares)) // [bin][class]
	size := make([]float64, len(shares))
	for b := range have {
		have[b] = make([]float64, len(total))
	}
	bins := make([]int, len(labels))
	add := make([]float64, len(total)) // samples of each class in the group
	for _, group := range groups {
		clear(add)
		for _, i := range group {
			add[class[i]]++
		}
		best, least := -1, 0.0
		for b, share := range shares {
			if share <= 0 {
				continue
			}
			grow := 0.0
			for c, n := range add {
				want := share * total[c]
				grow += n * (2*(have[b][c]-want) + n) / want
			}
			if best < 0 || grow < least || grow == least && size[b]/share < size[best]/shares[best] {
				best, least = b, grow
			}
		}
		for c, n := range add {
			have[best][c] += n
		}
		size[best] += float64(len(group))
		for _, i := range group {
			bins[i] = best
		}
	}
	return bins
}

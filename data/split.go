package data

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// KFold deals the samples to k folds at random, stratified: in the counts of
// every label, and in their sizes, any two folds differ by at most 1. It returns
// the fold, 0 to k-1, of every sample. It is an error if k is less than 2 or
// more than there are samples.
func KFold(labels []int, k int, rng *rand.Rand) ([]int, error) {
	if err := checkK(k, len(labels)); err != nil {
		return nil, err
	}
	folds := make([]int, len(labels))
	// Dealing on where the last class stopped keeps the sizes even as well.
	next := 0
	for _, class := range classes(labels) {
		shuffle(class, rng)
		for _, i := range class {
			folds[i] = next
			next = (next + 1) % k
		}
	}
	return folds, nil
}

// LeaveOneOut returns an assignment in which each of n samples is a fold of its
// own.
func LeaveOneOut(n int) []int {
	folds := make([]int, n)
	for i := range folds {
		folds[i] = i
	}
	return folds
}

// Holdout splits the samples at random into three parts, stratified: of each
// label the part for validation takes the fraction valid, that for testing the
// fraction test, rounded to the nearest number, and training the rest. It is an
// error if a fraction is negative or nothing is left to train on.
func Holdout(labels []int, valid, test float64, rng *rand.Rand) (Parts, error) {
	if err := checkFractions(valid, test); err != nil {
		return Parts{}, err
	}
	var p Parts
	for _, class := range classes(labels) {
		shuffle(class, rng)
		n := float64(len(class))
		v := int(math.Round(n * valid))
		w := min(int(math.Round(n*test)), len(class)-v)
		p.Valid = append(p.Valid, class[:v]...)
		p.Test = append(p.Test, class[v:v+w]...)
		p.Train = append(p.Train, class[v+w:]...)
	}
	slices.Sort(p.Train)
	slices.Sort(p.Valid)
	slices.Sort(p.Test)
	if len(p.Train) == 0 {
		return Parts{}, fmt.Errorf("data: fractions %v for validation and %v for testing of %d samples leave nothing to train on", valid, test, len(labels))
	}
	return p, nil
}

// classes returns the samples of each label, the labels ascending.
func classes(labels []int) [][]int {
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(labels[a], labels[b]) })
	var all [][]int
	for len(order) > 0 {
		n := 1
		for n < len(order) && labels[order[n]] == labels[order[0]] {
			n++
		}
		all = append(all, order[:n:n])
		order = order[n:]
	}
	return all
}

func shuffle(s []int, rng *rand.Rand) {
	rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// Package data decides which samples are trained on together and which are kept
// apart: splits into folds or parts, also along clusters of related sequences
// ([KFold], [Holdout], [Clusters], [ClusteredKFold]), a measure of what leaks
// from one part to another ([Overlap]), shuffled sequences to compare with
// ([ShuffleDinucleotides]), the order of an epoch ([Shuffle]) and the
// cutting of that order into batches and of a batch into leaves ([Packs],
// [Leaves]). For alignments it weighs rows and chooses among them ([RowWeights],
// [DiverseRows], [RowFilter], [SampleRows]).
//
// Labels, clusters, lengths and sequences flow in as plain slices, one element
// per sample; indices of samples flow out. Nothing here reads files or knows
// tensors.
//
// Everything is a pure function of its arguments; what draws does so from the
// *rand.Rand it is given, in an order that depends on the input alone.
//
// Why clusters matter: sets of promoters hold overlapping windows of one region
// and copies of one family of repeats. With a random split a model is tested on
// what it has seen, and its score says little about new sequences.
package data

import "fmt"

// Fold returns the samples outside and inside one fold of an assignment made by
// [KFold], [ClusteredKFold] or [LeaveOneOut], in ascending order.
func Fold(folds []int, fold int) (train, test []int) {
	for i, f := range folds {
		if f == fold {
			test = append(test, i)
		} else {
			train = append(train, i)
		}
	}
	return train, test
}

// Parts are the samples of a split into three, in ascending order.
type Parts struct {
	Train, Valid, Test []int
}

func checkK(k, n int) error {
	switch {
	case k < 2:
		return fmt.Errorf("data: %d folds; at least 2 are needed", k)
	case k > n:
		return fmt.Errorf("data: %d folds of %d samples", k, n)
	}
	return nil
}

func checkFractions(valid, test float64) error {
	// The negated comparisons are true for NaN too.
	switch {
	case !(valid >= 0) || !(valid < 1):
		return fmt.Errorf("data: fraction for validation is %v; it must be at least 0 and less than 1", valid)
	case !(test >= 0) || !(test < 1):
		return fmt.Errorf("data: fraction for testing is %v; it must be at least 0 and less than 1", test)
	case valid+test >= 1:
		return fmt.Errorf("data: fractions %v for validation and %v for testing leave nothing to train on", valid, test)
	}
	return nil
}

func checkClusters(labels, clusters []int) error {
	if len(labels) != len(clusters) {
		return fmt.Errorf("data: %d labels but %d clusters", len(labels), len(clusters))
	}
	return nil
}

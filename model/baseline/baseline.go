// Package baseline holds the simple models that every score on DNA is compared
// to. A transformer has learned something only if it is better than these.
//
// Sequences of letters and class labels flow in; class probabilities flow out.
// From the least to the most that a model can know:
//
//   - [GC] knows the share of G and C in the sequence;
//   - [KmerLogistic] knows which words of 1 to 4 letters occur how often, but
//     not where;
//   - [PositionLogistic] knows which letter stands at which place of sequences
//     that are aligned, and no interaction of places;
//   - [CNN] knows motifs and roughly where they stand.
//
// The first three are a [Classifier]: Fit learns all they need, their choice of
// regularisation included, from the training set alone. The CNN is trained by
// gradients like any other model of layers.
//
// Upper and lower case are the same and U is T. Any other letter is unknown and
// tells a model nothing.
package baseline

import (
	"errors"
	"fmt"
	"math/rand/v2"
)

// A Classifier learns to tell classes of sequences apart.
type Classifier interface {
	// Fit learns from sequences and their labels in [0, classes); each class
	// must have one example or more. What is random is drawn from rng. An error
	// names the first label or sequence that makes no sense.
	Fit(seqs [][]byte, labels []int, classes int, rng *rand.Rand) error
	// Predict returns the probability of each class for each sequence,
	// (len(seqs), classes). Fit must have succeeded before.
	Predict(seqs [][]byte) [][]float64
}

// check reports the first thing that makes training impossible.
func check(seqs [][]byte, labels []int, classes int) error {
	if len(seqs) != len(labels) {
		return fmt.Errorf("baseline: %d sequences but %d labels", len(seqs), len(labels))
	}
	if classes < 2 {
		return fmt.Errorf("baseline: %d classes: want 2 or more", classes)
	}
	if len(seqs) == 0 {
		return errors.New("baseline: no sequences to train on")
	}
	count := make([]int, classes)
	for i, y := range labels {
		if y < 0 || y >= classes {
			return fmt.Errorf("baseline: label %d of sequence %d: want 0 to %d", y, i, classes-1)
		}
		count[y]++
	}
	for c, n := range count {
		if n == 0 {
			return fmt.Errorf("baseline: no sequence of class %d to train on", c)
		}
	}
	return nil
}

// matrix returns n rows of the given width over one slice.
func matrix(n, width int) [][]float64 {
	values := make([]float64, n*width)
	rows := make([][]float64, n)
	for i := range rows {
		rows[i] = values[i*width : (i+1)*width : (i+1)*width]
	}
	return rows
}

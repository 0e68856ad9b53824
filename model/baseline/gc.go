package baseline

import (
	"math"
	"math/rand/v2"

	"heed/data"
	"heed/metric"
)

// GC tells classes apart by nothing but the share of G and C.
//
// It is linear discriminant analysis of one variable (Fisher 1936): the GC
// content of every class is taken to be normal with a mean of its own and one
// common variance, and the classes to be equally frequent, so that the nearest
// mean wins:
//
//	p(c | x) ∝ exp(-(x - Mean[c])² / (2·Variance))
//
// With two classes the border is not midway between the means but at the
// Threshold that has the largest Matthews correlation on the training set. So
// the score grows or falls with GC content, whichever way promoters lie.
type GC struct {
	Mean      []float64 // (C) mean GC content of each class
	Variance  float64   // within the classes
	Threshold float64   // GC content at which two classes are equally likely; NaN if there are more
}

var _ Classifier = (*GC)(nil)

// Fit learns the means, the variance and the threshold. rng is not used and may
// be nil.
func (m *GC) Fit(seqs [][]byte, labels []int, classes int, _ *rand.Rand) error {
	if err := check(seqs, labels, classes); err != nil {
		return err
	}
	content := make([]float64, 0, len(seqs))
	of := make([]int, 0, len(seqs))
	mean := make([]float64, classes)
	count := make([]float64, classes)
	for i, s := range seqs {
		if x, ok := gcContent(s); ok {
			content = append(content, x)
			of = append(of, labels[i])
			mean[labels[i]] += x
			count[labels[i]]++
		}
	}
	for c := range mean {
		if count[c] == 0 { // only unknown letters: no class is nearer than another
			*m = GC{Mean: make([]float64, classes), Variance: 1, Threshold: math.NaN()}
			return nil
		}
		mean[c] /= count[c]
	}
	variance := 0.0
	for i, x := range content {
		variance += (x - mean[of[i]]) * (x - mean[of[i]])
	}
	variance = max(variance/float64(len(content)), minVariance)
	*m = GC{Mean: mean, Variance: variance, Threshold: math.NaN()}
	if classes == 2 {
		var err error
		if m.Threshold, err = border(content, of, mean[1] < mean[0]); err != nil {
			return err
		}
	}
	return nil
}

// minVariance keeps probabilities finite when all sequences of a class have the
// same GC content. It is that of a hundredth of a per cent.
const minVariance = 1e-8

// border returns the GC content that divides two classes best. falling says that
// class 1 is the one with less GC.
func border(content []float64, of []int, falling bool) (float64, error) {
	sign := 1.0
	if falling {
		sign = -1
	}
	score := make([]float64, len(content))
	positive := make([]bool, len(content))
	for i, x := range content {
		score[i] = sign * x
		positive[i] = of[i] == 1
	}
	b, err := metric.NewBinary(score, positive)
	if err != nil {
		return 0, err
	}
	t, _ := b.BestThreshold()
	return sign * t, nil
}

// Predict returns class probabilities (S, C). A sequence of unknown letters only
// gets the same probability for all classes.
func (m *GC) Predict(seqs [][]byte) [][]float64 {
	out := matrix(len(seqs), len(m.Mean))
	for i, s := range seqs {
		x, ok := gcContent(s)
		for c, mean := range m.Mean {
			switch {
			case !ok:
			case len(m.Mean) > 2 || math.IsNaN(m.Threshold):
				out[i][c] = -(x - mean) * (x - mean) / (2 * m.Variance)
			case c == 1: // the difference of the two exponents, moved to the threshold
				out[i][c] = (mean - m.Mean[0]) / m.Variance * (x - m.Threshold)
			}
		}
		softmax(out[i])
	}
	return out
}

// gcContent returns the share of G and C among the known letters, and whether
// there is one.
func gcContent(seq []byte) (float64, bool) {
	gc, known := 0, 0
	for _, b := range seq {
		switch data.Nucleotide(b) {
		case 1, 2:
			gc++
			known++
		case 0, 3:
			known++
		}
	}
	if known == 0 {
		return 0, false
	}
	return float64(gc) / float64(known), true
}

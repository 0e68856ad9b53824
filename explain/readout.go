package explain

import (
	"errors"
	"fmt"
	"math"

	"heed/nn"
	"heed/tensor"
)

// readoutVector returns what turns a change of the last layer's output (L, D)
// into one of the score, and what the score has apart from it. With w = Class·
// Classifier, of row i with mean μ and variance σ², which are taken as given,
//
//	score = Σ_i (L, D)[i]·x[i] + bias
//	(L, D)[i] = readout[i]/√(σ²+ε) · (w∘γ - mean(w∘γ))
//	bias = Σ readout·(w·β) + Class·Classifier.Bias
func (e *Encoder) readoutVector(c *Case, last []float32) (vector []float32, bias float64) {
	d := e.width()
	tensor.Check("explain: classifier", e.Classifier.Weight.Shape, len(e.Class), d)
	tensor.Check("explain: readout", []int{len(c.Readout)}, c.Rows)
	w := make([]float64, d)
	for k, f := range e.Class {
		for j, v := range e.Classifier.Weight.Data[k*d : (k+1)*d] {
			w[j] += float64(f) * float64(v)
		}
		bias += float64(f) * float64(e.Classifier.Bias.Data[k])
	}
	shift, mean := 0.0, 0.0
	for j, v := range w {
		shift += v * float64(e.Norm.Bias.Data[j])
		w[j] = v * float64(e.Norm.Weight.Data[j])
		mean += w[j] / float64(d)
	}
	vector = make([]float32, c.Rows*d)
	for i, s := range rowScales(e.Norm, last) {
		for j, v := range w {
			vector[i*d+j] = float32(c.Readout[i] * float64(s) * (v - mean))
		}
		bias += c.Readout[i] * shift
	}
	return vector, bias
}

// rowScales returns 1/√(σ²+ε) of each row of x (L, D): what a norm, once it is
// taken as given, multiplies the centred row by.
func rowScales(n *nn.LayerNorm, x []float32) []float32 {
	d := len(n.Weight.Data)
	out := make([]float32, len(x)/d)
	for i := range out {
		row := x[i*d : (i+1)*d]
		mean, variance := 0.0, 0.0
		for _, v := range row {
			mean += float64(v) / float64(d)
		}
		for _, v := range row {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(d)
		}
		out[i] = float32(1 / math.Sqrt(variance+float64(n.Eps)))
	}
	return out
}

// dot adds up the products of two slices in double precision.
func dot(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

var errForeign = errors.New("the encoder or the readout is not that of the case")

// checkSum reports parts of a score that are not those of the score: the
// encoder or the readout is that of another model. size is the sum of their
// absolute values, in proportion to which they are rounded.
func checkSum(score, sum, size float64) error {
	if math.Abs(sum-score) <= 1e-3*max(math.Abs(score), size) {
		return nil
	}
	return fmt.Errorf("%w: the parts add up to %.6g, the score is %.6g", errForeign, sum, score)
}

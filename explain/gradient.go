package explain

import (
	"fmt"
	"slices"

	"heed/autograd"
	"heed/tensor"
)

// A Saliency is the gradient of a score f with respect to the embedded input
// (Simonyan et al. 2014).
type Saliency struct {
	Score float64        // f(x)
	Input *tensor.Tensor // (L, D) x, the embedding
	Grad  *tensor.Tensor // (L, D) ∂f/∂x
}

// Gradient returns the gradient of the score with respect to the embedding,
// positions fixed: one forward and one backward pass.
//
// A gradient is the slope at one point. It says which way an infinitely small
// step moves the score, not what the input has contributed: where the model is
// saturated it is 0, however much the input matters.
func Gradient(c *Case) *Saliency {
	y, x, g := c.passEmbedding(&autograd.Tape{Frozen: true}, 1, nil)
	s := &Saliency{float64(y[0]), tensor.Of(slices.Clone(x), c.Rows, len(x)/c.Rows), tensor.New(c.Rows, len(x)/c.Rows)}
	copy(s.Grad.Data, g)
	return s
}

// TimesInput returns gradient x input (L), signed:
//
//	r[i] = Σ_d x[i, d]·∂f/∂x[i, d]
//
// It is the first term of a Taylor series from an embedding of zeros. Of a
// linear f without a constant it is exact; of any other its sum is not the
// score, two inputs of which either would do get 0 both, and two that are
// needed together get the whole both.
func (s *Saliency) TimesInput() []float64 { return dotRows(s.Input, s.Grad) }

// dotRows returns the products (L) of the rows of two tensors (L, D).
func dotRows(a, b *tensor.Tensor) []float64 {
	d := a.Dim(1)
	tensor.Check("explain: rows", b.Shape, -1, d)
	out := make([]float64, a.Dim(0))
	for i := range out {
		for k := i * d; k < (i+1)*d; k++ {
			out[i] += float64(a.Data[k]) * float64(b.Data[k])
		}
	}
	return out
}

// LetterGradient projects a gradient (L, D) on the letters of an alphabet,
// whose embeddings are the rows of letters (K, D), and centres it at each
// position:
//
//	r[i, k] = E[k]·g[i] - mean over all letters c of E[c]·g[i]
//
// E[k]·g[i] is the derivative by letter k of the one-hot input. Letters of a
// sequence sum to one at each position, so whatever the gradient has in common
// for all of them leads off the inputs that exist and is noise; Majdandzic et
// al. 2023 (Genome Biology 24:109) subtract it. r[i, k] is the first-order
// estimate of what [Effects.Hypothetical] measures, at the cost of one gradient.
//
// It needs tokens of one letter: with k-mers a letter is part of k tokens. Rows
// of special tokens are projected like any other; they mean nothing.
func LetterGradient(grad, letters *tensor.Tensor) [][]float64 {
	tensor.Check("explain.LetterGradient", letters.Shape, -1, grad.Dim(1))
	n, d := letters.Dim(0), letters.Dim(1)
	out := make([][]float64, grad.Dim(0))
	for i := range out {
		row := make([]float64, n)
		mean := 0.0
		for k := range row {
			for j := range d {
				row[k] += float64(letters.Data[k*d+j]) * float64(grad.Data[i*d+j])
			}
			mean += row[k] / float64(n)
		}
		for k := range row {
			row[k] -= mean
		}
		out[i] = row
	}
	return out
}

// Embedded returns the embedding (L, D) of the input of a case, such as one
// that is to be a baseline of [IntegratedGradients]: one forward pass.
func (c *Case) Embedded() *tensor.Tensor {
	_, x, _ := c.passEmbedding(&autograd.Tape{NoGrad: true}, 1, nil)
	return tensor.Of(slices.Clone(x), c.Rows, len(x)/c.Rows)
}

// passEmbedding runs n copies on a tape, and back unless the tape has NoGrad.
// If write is not nil it gets the embedding of all copies, n·L·D values, and
// changes it. The scores (n), the embedding and its gradient are the tape's
// memory; the gradient is nil if the score does not depend on the embedding.
func (c *Case) passEmbedding(t *autograd.Tape, n int, write func(x []float32)) (y, x, g []float32) {
	var seen *autograd.Var
	t.NoWeights = true
	t.Probe = func(name string, v *autograd.Var) {
		if name != Embedding {
			return
		}
		tensor.Check("explain: "+name, v.Shape, n*c.Rows, -1)
		seen = v
		if write != nil {
			write(v.Data)
		}
	}
	out := c.run(t, n)
	if seen == nil {
		panic(fmt.Sprintf("explain: the case never showed %q to the probe", Embedding))
	}
	if !t.NoGrad {
		ones := make([]float32, n)
		for i := range ones {
			ones[i] = 1
		}
		t.BackwardFrom(out, ones)
	}
	return out.Data, seen.Data, seen.Grad
}

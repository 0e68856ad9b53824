package explain

import (
	"context"
	"errors"
	"fmt"
	"math"

	"heed/autograd"
	"heed/format"
	"heed/internal/kernel"
	"heed/internal/par"
	"heed/nn"
)

// A Decomposition is a score as a sum over the rows of the encoder's input.
type Decomposition struct {
	Score  float64
	Values []float64 // (L) signed
	Bias   float64   // what the biases of all layers make of an input of zeros
	// Error is the sum of Values and Bias less Score: rounding.
	Error float64
}

// MaxDecomposition is the number of multiplications from which [Decompose]
// refuses unless told otherwise: about half a minute of one core.
const MaxDecomposition = 1e12

var errNoLayers = errors.New("an encoder without layers")

// Decompose splits the score exactly into signed parts of the rows of the
// encoder's input, by carrying each row's share a[i, k, :] of every row i
// through all layers: the decomposition of DecompX (Modarressi et al. 2023) for
// a pre-norm encoder. In what one pass has left, three things are taken as
// given, and everything else is linear:
//
//	attention weights         Σ_j α[i, j]·W_O·W_V·a[j, k]
//	variances of the norms    γ∘(a - mean(a))/√(σ²[i]+ε)
//	slopes from the origin    θ∘a,  θ = gelu(z)/z = Φ(z) of the real z; ½ at z = 0
//
// and at last the readout, as in [DirectLogitAttribution]. The biases are a
// share of their own, Bias, and are not spread over the rows by a rule:
//
//	Σ_k Values[k] + Bias = Score
//
// The shares of different rows never meet, so row k is a pass of the linear
// network over an input that is zero but for row k. Time is that of about L + 1
// forward passes; memory is that of a batch of rows on each core, about 1,000
// rows of 3D + F values, beside one layer's weights. limit bounds the
// multiplications; 0 stands for [MaxDecomposition], and above it the error is of
// the kind [format.ErrTooLarge]. It is that of the context if that is done.
//
// Rows are those that enter the first layer: after a convolutional stem each
// holds a neighbourhood of tokens, and positions are part of their row. What the
// sum cannot tell: that a row was attended to is given, so queries and keys have
// no part; a slope from the origin is one convention of several, and the values
// change with it; a part is no effect of leaving the row out.
func Decompose(ctx context.Context, c *Case, e *Encoder, limit float64) (*Decomposition, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	if len(e.Layers) == 0 {
		return nil, errNoLayers
	}
	if limit == 0 {
		limit = MaxDecomposition
	}
	if n := e.multiplications(c.Rows); n > limit {
		return nil, fmt.Errorf("%w: decomposition of %d rows by %d layers of width %d and %d takes %.2g multiplications, limit %.2g",
			format.ErrTooLarge, c.Rows, len(e.Layers), e.width(), e.Layers[0].Up.Weight.Dim(0), n, limit)
	}
	d := e.width()
	traces := e.trace(c)
	layers := make([]linearLayer, len(traces))
	for i := range traces {
		layers[i] = linearize(&traces[i], c.Rows, d)
	}
	g, bias := e.readoutVector(c, traces[len(traces)-1].output)

	out := &Decomposition{Score: c.Score(), Values: make([]float64, c.Rows)}
	batch := max(1, 1024/c.Rows)
	works := make([]kernel.Work, par.Cores())
	par.Do(1+(c.Rows+batch-1)/batch, len(works), func(worker, task int) {
		if ctx.Err() != nil {
			return
		}
		w := &works[worker]
		if task == 0 {
			x := make([]float32, c.Rows*d)
			for i := range layers {
				layers[i].apply(w, x, 1, true)
			}
			out.Bias = bias + dot(g, x)
			return
		}
		lo := (task - 1) * batch
		hi := min(lo+batch, c.Rows)
		x := make([]float32, (hi-lo)*c.Rows*d) // a[:, k, :] for k = lo..hi-1
		share := func(k int) []float32 { return x[(k-lo)*c.Rows*d : (k-lo+1)*c.Rows*d] }
		for k := lo; k < hi; k++ {
			copy(share(k)[k*d:(k+1)*d], traces[0].input[k*d:])
		}
		for i := range layers {
			layers[i].apply(w, x, hi-lo, false)
		}
		for k := lo; k < hi; k++ {
			out.Values[k] = dot(g, share(k))
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sum, size := out.Bias, math.Abs(out.Bias)
	for _, v := range out.Values {
		sum += v
		size += math.Abs(v)
	}
	out.Error = sum - out.Score
	return out, checkSum(out.Score, sum, size)
}

// multiplications returns the number that Decompose needs for L rows.
func (e *Encoder) multiplications(rows int) float64 {
	l, d, n := float64(rows), float64(e.width()), 0.0
	for _, layer := range e.Layers {
		n += (l + 1) * l * d * (2*d + 2*float64(layer.Up.Weight.Dim(0)) + l)
	}
	return n
}

// A linearLayer is a layer with everything that is not linear taken as given.
type linearLayer struct {
	*trace
	rows, d        int
	scale1, scale2 []float32 // (L) of the rows before the two norms
	slope          []float32 // (L, F) gelu(z)/z
}

func linearize(s *trace, rows, d int) linearLayer {
	l := s.layer
	z := l.Up.Forward(noGrad(), l.Norm2.Forward(noGrad(), autograd.Input(s.middle, rows, d))).Data
	slope := make([]float32, len(z))
	for i, v := range z { // gelu(z) = z·Φ(z): nothing is ever divided
		slope[i] = float32(0.5 * math.Erfc(-float64(v)/math.Sqrt2))
	}
	return linearLayer{s, rows, d, rowScales(l.Norm1, s.input), rowScales(l.Norm2, s.middle), slope}
}

// apply maps n shares (n, L, D) through the layer, in place; biases are added
// if they are what is carried.
func (l *linearLayer) apply(w *kernel.Work, x []float32, n int, biases bool) {
	rows, d, a := l.rows, l.d, l.attention
	h, o := make([]float32, len(x)), make([]float32, len(x))
	frozenNorm(h, x, l.layer.Norm1, l.scale1, biases)
	v := linear(w, h, a.Value, biases)
	size := d / a.Heads
	for k := range n {
		for head := range a.Heads {
			block := func(data []float32) kernel.View {
				return kernel.View{Data: data[k*rows*d+head*size:], Rows: rows, Cols: size, RowStride: d, ColStride: 1}
			}
			kernel.Mul(w, block(o), kernel.Matrix(l.weights[head*rows*rows:(head+1)*rows*rows], rows, rows), block(v), false)
		}
	}
	kernel.Add(x, linear(w, o, a.Out, biases))

	frozenNorm(h, x, l.layer.Norm2, l.scale2, biases)
	u := linear(w, h, l.layer.Up, biases)
	for i := range u {
		u[i] *= l.slope[i%len(l.slope)]
	}
	kernel.Add(x, linear(w, u, l.layer.Down, biases))
}

// linear returns the map of rows x, with its bias or without.
func linear(w *kernel.Work, x []float32, l *nn.Linear, bias bool) []float32 {
	n, k := l.Weight.Dim(0), l.Weight.Dim(1)
	m := len(x) / k
	y := make([]float32, m*n)
	var b []float32
	if bias {
		b = l.Bias.Data
	}
	kernel.MulBias(w, kernel.Matrix(y, m, n), kernel.Matrix(x, m, k), kernel.Matrix(l.Weight.Data, n, k).T(), b)
	return y
}

// frozenNorm writes γ∘(x - mean(x))·scale of each row, and β more if bias is
// set; row i of every share is scaled as the real row i was.
func frozenNorm(y, x []float32, n *nn.LayerNorm, scale []float32, bias bool) {
	d := len(n.Weight.Data)
	for r := range len(x) / d {
		row, out, s := x[r*d:(r+1)*d], y[r*d:(r+1)*d], scale[r%len(scale)]
		sum := 0.0
		for _, v := range row {
			sum += float64(v)
		}
		mean := float32(sum / float64(d))
		for j, v := range row {
			out[j] = (v - mean) * s * n.Weight.Data[j]
		}
		if bias {
			kernel.Add(out, n.Bias.Data)
		}
	}
}

func noGrad() *autograd.Tape { return &autograd.Tape{NoGrad: true} }

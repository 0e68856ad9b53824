package explain

import (
	"context"
	"math"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/internal/par"
)

// ValueZeroing returns for each layer of a case how much the output of the layer
// changes when one source is silenced (Mohebbi et al. 2023):
//
//	C_ij = 1 - cos(h_i, h_i^¬j)        (L, L)
//
// h_i is position i after the whole layer, attention, residual and feed-forward, and
// h_i^¬j the same when the value vector v_j of every head is zero. That is done by
// zeroing column j of the weights, (H, L, L), in a probe: the other weights keep
// their size. The input of the layer stays what it was, so layers are judged one by
// one.
//
// L runs of one layer, for each layer: about L passes of the model in all. They
// run on copies, packed in chunks that hold the weights of some 4 million pairs,
// on all cores. The error is that of [Encoder.Check] or of the context.
//
// Normalized makes the rows sum to 1, for [Roll] over the layers, without another
// identity; a position that nothing changes keeps itself. Value zeroing is the one
// method of attention here that measures an effect: it sees values, output
// projection, residual, norms and the feed-forward layer. What it cannot tell: a
// cosine has no sign and no class, and does not see a change of length; a layer's
// change need not reach the score; of two sources that say the same, each alone
// may seem to say nothing; and multiplied over layers it is a rollout like others.
func (e *Encoder) ValueZeroing(ctx context.Context, c *Case) ([]Mixing, error) {
	return e.valueZeroing(ctx, c, 1<<22)
}

// valueZeroing is ValueZeroing with chunks of so many weights.
func (e *Encoder) valueZeroing(ctx context.Context, c *Case, weights int) ([]Mixing, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	n, d := c.Rows, e.width()
	var out []Mixing
	for _, s := range e.trace(c) {
		m := Mixing{s.layer.Name, n, make([]float32, n*n)}
		chunk := min(n, max(1, weights/(s.attention.Heads*n*n)))
		tapes := make([]autograd.Tape, par.Cores())
		par.Do((n+chunk-1)/chunk, len(tapes), func(worker, i int) {
			if ctx.Err() != nil {
				return
			}
			lo, hi := i*chunk, min(n, (i+1)*chunk)
			t := &tapes[worker]
			t.NoGrad = true
			silenced := s.silence(t, n, lo, hi)
			for j := lo; j < hi; j++ {
				h := silenced[(j-lo)*n*d : (j-lo+1)*n*d]
				for i := range n {
					m.Row(i)[j] = cosineDistance(s.output[i*d:(i+1)*d], h[i*d:(i+1)*d])
				}
			}
			t.Reset()
		})
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// silence returns the output of the layer (hi-lo, L, D) for copies of its input in
// which the values of source lo, lo+1, ... are zero.
func (s *trace) silence(t *autograd.Tape, n, lo, hi int) []float32 {
	x := make([]float32, 0, (hi-lo)*len(s.input))
	lengths := make([]int, hi-lo)
	for k := range lengths {
		lengths[k] = n
		x = append(x, s.input...)
	}
	t.Probe = func(name string, v *autograd.Var) {
		if name != s.attention.Name+weightsSuffix {
			return
		}
		heads := v.Shape[1]
		for k := range lengths {
			for row := k * heads * n; row < (k+1)*heads*n; row++ {
				v.Data[row*n+lo+k] = 0
			}
		}
	}
	return s.layer.Forward(t, autograd.Input(x, len(x)/(len(s.input)/n), len(s.input)/n), autograd.Packed(lengths...)).Data
}

// cosineDistance returns 1 - cos(a, b) as half the squared distance of the unit
// vectors: exactly 0 if a and b are the same, and exact where they nearly are.
// Of two zero vectors it is 0, of one 1.
func cosineDistance(a, b []float32) float32 {
	x, y := math.Sqrt(kernel.SumSquares(a)), math.Sqrt(kernel.SumSquares(b))
	if x == 0 || y == 0 {
		if x == y {
			return 0
		}
		return 1
	}
	sum := 0.0
	for i, v := range a {
		d := float64(v)/x - float64(b[i])/y
		sum += d * d
	}
	return float32(sum / 2)
}

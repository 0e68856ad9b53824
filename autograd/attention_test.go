package autograd

import (
	"math/rand/v2"
	"testing"
)

func normal(r *rand.Rand, shape ...int) *Var {
	v := Param(shape...)
	for i := range v.Data {
		v.Data[i] = float32(r.NormFloat64())
	}
	return v
}

// The blocked kernel and the two probed operations are independent code for
// the same thing.
func TestAttentionBlockedEqualsProbed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	mask := make([]bool, 40)
	for i := range mask {
		mask[i] = r.Float64() < 0.7
	}
	for name, spec := range map[string]AttentionSpec{
		"packed":   {Heads: 4, Query: Packed(13, 20, 7)},
		"causal":   {Heads: 2, Query: Packed(13, 27), Causal: true},
		"masked":   {Heads: 2, Query: Packed(13, 27), KeyMask: mask},
		"columns":  {Heads: 2, Query: GridColumns(0, 8, 5)},
		"tied":     {Heads: 2, Query: GridRows(0, 8, 5), Tied: 4},
		"grouped":  {Heads: 8, Query: Packed(40)},
		"cross":    {Heads: 2, Query: Packed(13, 27), Key: []Segment{{0, 6, 1}, {6, 30, 1}}},
		"dropout":  {Heads: 2, Query: Packed(13, 27), Dropout: 0.3},
		"relative": {Heads: 2, Query: Packed(13, 27), Relative: normal(r, 2, 11)},
		"bias":     {Heads: 2, Query: Packed(13, 27), Bias: normal(r, 2, 27, 27)},
	} {
		t.Run(name, func(t *testing.T) {
			width := 16
			if name == "grouped" {
				width = 8
			}
			q, k, v, c := normal(r, 40, 16), normal(r, 40, width), normal(r, 40, width), normal(r, 40, 16)
			spec.Name = "a"
			var grads [2][][]float32
			var outs [2]*Var
			for i := range 2 {
				tape := &Tape{Rand: rand.New(rand.NewPCG(3, 4))}
				if i == 1 {
					tape.Probe = func(string, *Var) {}
				}
				o := Attention(tape, q, k, v, spec)
				outs[i] = o
				tape.Backward(Sum(tape, Mul(tape, o, c)))
				for _, p := range []*Var{q, k, v, spec.Bias, spec.Relative} {
					if p != nil {
						grads[i] = append(grads[i], tape.Grad(p))
					}
				}
			}
			near(t, "output", outs[0].Data, outs[1].Data)
			for i := range grads[0] {
				near(t, "gradient", grads[0][i], grads[1][i])
			}
		})
	}
}

func near(t *testing.T, what string, a, b []float32) {
	t.Helper()
	if len(a) == 0 || len(a) != len(b) {
		t.Fatalf("%s: lengths %d and %d", what, len(a), len(b))
	}
	for i := range a {
		if d := a[i] - b[i]; !(d < 1e-5 && d > -1e-5) {
			t.Fatalf("%s: element %d: %v and %v", what, i, a[i], b[i])
		}
	}
}

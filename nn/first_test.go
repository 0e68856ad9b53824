package nn

import (
	"slices"
	"testing"

	"heed/autograd"
)

// A still mixer leaves rows as they are, and knows no single rows.
type still struct{}

func (still) Visit(string, Visitor) {}
func (still) Mix(_ *autograd.Tape, x *autograd.Var, _ []autograd.Segment) *autograd.Var {
	return x
}

// The first rows of segments, computed alone, are those of the full pass to
// the bit, and have its gradient.
func TestFirst(t *testing.T) {
	const dim, tokens = 12, 130
	relative := NewMultiHeadAttention(dim, 2, source())
	relative.Relative = autograd.Param(2, 7)
	gaussian(relative.Relative, 1, source())
	rotary := NewMultiHeadAttention(dim, 3, source())
	rotary.Rotary = autograd.RotaryFrequencies(4, 100)
	x := autograd.Param(tokens, dim)
	gaussian(x, 1, source())
	segments := autograd.Packed(5, 1, 100, 24)
	for name, mixer := range map[string]Mixer{
		"plain": NewMultiHeadAttention(dim, 3, source()), "relative": relative, "rotary": rotary, "other": still{},
	} {
		l := NewEncoderLayer(mixer, dim, 10, source())
		var full, first autograd.Tape
		want := autograd.Rows(&full, l.Forward(&full, x, segments), []int32{0, 5, 6, 106})
		got := l.First(&first, x, segments)
		if !slices.Equal(got.Shape, want.Shape) || !slices.Equal(got.Data, want.Data) {
			t.Errorf("%s: rows differ\n%v\n%v", name, got.Data, want.Data)
		}
		full.Backward(autograd.Sum(&full, want))
		first.Backward(autograd.Sum(&first, got))
		g, w := first.Grad(x), full.Grad(x)
		for i := range w {
			if d := g[i] - w[i]; d > 1e-4 || d < -1e-4 {
				t.Fatalf("%s: gradient %d is %v, want %v", name, i, g[i], w[i])
			}
		}
	}
}

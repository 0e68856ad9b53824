package explain

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"heed/autograd"
	"heed/nn"
)

// TestValueZeroing compares with whole passes of the model in which the values
// themselves are zero, one source of one layer at a time.
func TestValueZeroing(t *testing.T) {
	m, c := smallCase(t, "cls")
	e := encoderOf(m, 1)
	got, err := e.ValueZeroing(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	const width = 8
	for l, s := range e.trace(c) {
		for j := range c.Rows {
			// Attention by hand, with v_j = 0.
			tape := &autograd.Tape{NoGrad: true}
			x := autograd.Input(slices.Clone(s.input), c.Rows, width)
			normed := s.layer.Norm1.Forward(tape, x)
			v := s.attention.Value.Forward(tape, normed)
			clear(v.Data[j*width : (j+1)*width])
			h := autograd.Attention(tape, s.attention.Query.Forward(tape, normed), s.attention.Key.Forward(tape, normed), v,
				autograd.AttentionSpec{Heads: s.attention.Heads, Query: autograd.Packed(c.Rows)})
			x = autograd.Add(tape, x, s.attention.Out.Forward(tape, h))
			h = s.layer.Down.Forward(tape, autograd.GELU(tape, s.layer.Up.Forward(tape, s.layer.Norm2.Forward(tape, x))))
			h = autograd.Add(tape, x, h)
			for i := range c.Rows {
				a, b := s.output[i*width:(i+1)*width], h.Data[i*width:(i+1)*width]
				dot, aa, bb := 0.0, 0.0, 0.0
				for k := range a {
					dot += float64(a[k]) * float64(b[k])
					aa += float64(a[k]) * float64(a[k])
					bb += float64(b[k]) * float64(b[k])
				}
				want := 1 - dot/math.Sqrt(aa*bb)
				if g := float64(got[l].Row(i)[j]); math.Abs(g-want) > 1e-5*(1e-2+want) {
					t.Fatalf("layer %d: C[%d, %d] = %v, want %v", l, i, j, g, want)
				}
			}
		}
	}
	sum := 0.0
	normalized := []Mixing{got[0].Normalized(), got[1].Normalized()}
	for _, v := range Roll(normalized, c.Readout) {
		sum += v
	}
	if math.Abs(sum-1) > 1e-6 {
		t.Errorf("rollout sums to %v", sum)
	}

	// Chunks and cores change no bit.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	for _, weights := range []int{1, 3 * 2 * 100} {
		again, err := e.valueZeroing(context.Background(), c, weights)
		if err != nil || !slices.Equal(again[1].Weights, got[1].Weights) {
			t.Errorf("chunks of %d weights: other bits (error %v)", weights, err)
		}
	}
}

func TestValueZeroingErrors(t *testing.T) {
	m, c := smallCase(t, "cls")
	e := encoderOf(m, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.ValueZeroing(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	e.Layers[0].Mixer = &nn.MultiHeadAttention{}
	if _, err := e.ValueZeroing(ctx, c); err == nil || err.Error() != "layer 0 has no name for a probe" {
		t.Errorf("error %v", err)
	}
}

func TestCosineDistance(t *testing.T) {
	for _, c := range []struct {
		a, b []float32
		want float32
	}{
		{[]float32{3, 4}, []float32{3, 4}, 0},
		{[]float32{3, 4}, []float32{6, 8}, 0},
		{[]float32{1, 0}, []float32{0, 2}, 1},
		{[]float32{1, 0}, []float32{-2, 0}, 2},
		{[]float32{0, 0}, []float32{0, 0}, 0},
		{[]float32{0, 0}, []float32{0, 1}, 1},
	} {
		if got := cosineDistance(c.a, c.b); math.Abs(float64(got-c.want)) > 1e-7 {
			t.Errorf("distance of %v and %v is %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

package explain

import (
	"math"
	"math/rand/v2"
	"testing"

	"heed/autograd"
	"heed/nn"
)

// TestAttention collects two layers and checks what was collected against the
// output of the second one.
func TestAttention(t *testing.T) {
	const dim, heads, length = 8, 2, 5
	r := rand.New(rand.NewPCG(5, 6))
	a, b := nn.NewMultiHeadAttention(dim, heads, r), nn.NewMultiHeadAttention(dim, heads, r)
	a.Name, b.Name = "layers.0.attention", "layers.1.attention"
	x := make([]float32, length*dim)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	var values, out *autograd.Var
	layers := Attention(&Case{Rows: length, Run: func(t *autograd.Tape, n int) *autograd.Var {
		s := autograd.Packed(length)
		h := a.Mix(t, autograd.Input(x, length, dim), s)
		t.Watch("layers.0.output", h)
		values = b.Value.Forward(t, h)
		out = b.Mix(t, h, s)
		return autograd.Input([]float32{0}, 1, 1)
	}})
	if len(layers) != 2 || layers[0].Name != "layers.0.attention.weights" || layers[1].Name != "layers.1.attention.weights" {
		t.Fatalf("layers %+v", layers)
	}
	for _, l := range layers {
		if l.Heads != heads || l.Length != length || len(l.Weights) != heads*length*length {
			t.Fatalf("%s: %d heads, length %d, %d weights", l.Name, l.Heads, l.Length, len(l.Weights))
		}
	}
	mixed := make([]float32, length*dim)
	for i := range length {
		for c := range dim {
			h := c / (dim / heads)
			for j := range length {
				mixed[i*dim+c] += layers[1].Weights[(h*length+i)*length+j] * values.Data[j*dim+c]
			}
		}
	}
	want := b.Out.Forward(&autograd.Tape{NoGrad: true}, autograd.Input(mixed, length, dim))
	for i, y := range out.Data {
		if math.Abs(float64(y-want.Data[i])) > 1e-5 {
			t.Fatalf("output %d is %v, the weights give %v", i, y, want.Data[i])
		}
	}
}

func TestAttentionOfTwoSequences(t *testing.T) {
	a := nn.NewMultiHeadAttention(4, 1, rand.New(rand.NewPCG(1, 1)))
	a.Name = "a"
	defer func() {
		const want = "explain: attention of one input: shape (2, 1, 3, 3), want (1, *, 3, 3)"
		if err, _ := recover().(error); err == nil || err.Error() != want {
			t.Errorf("panic %v, want %q", err, want)
		}
	}()
	Attention(&Case{Rows: 3, Run: func(t *autograd.Tape, n int) *autograd.Var {
		return a.Mix(t, autograd.Input(make([]float32, 24), 6, 4), autograd.Packed(3, 3))
	}})
}

// TestAttentionGradient compares derivatives with difference quotients: the
// probe writes the changed weight.
func TestAttentionGradient(t *testing.T) {
	_, c := smallCase(t, "cls")
	layers := AttentionGradient(c)
	if len(layers) != 2 {
		t.Fatalf("%d layers", len(layers))
	}
	const step = 1e-2
	for _, l := range layers {
		for i := 0; i < len(l.Weights); i += 7 {
			score := func(by float32) float64 {
				t := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
					if name == l.Name {
						v.Data[i] += by
					}
				}}
				return float64(c.Run(t, 1).Data[0])
			}
			want := (score(step) - score(-step)) / (2 * step)
			if got := float64(l.Grad[i]); math.Abs(got-want) > 2e-3*(1+math.Abs(want)) {
				t.Fatalf("%s: derivative by weight %d is %v, difference quotient %v", l.Name, i, got, want)
			}
		}
	}
}

func TestContrast(t *testing.T) {
	logits := autograd.Input([]float32{1, 2, 4, -1, 0, 0}, 2, 3)
	y := Contrast(&autograd.Tape{NoGrad: true}, logits, 2)
	if y.Data[0] != 2.5 || y.Data[1] != 0.5 {
		t.Errorf("contrasts %v, want 2.5 and 0.5", y.Data)
	}
}

package optim

import (
	"fmt"
	"math"
	"testing"

	"heed/autograd"
	"heed/internal/golden"
	"heed/internal/kernel"
)

// Five steps of torch.optim.AdamW give the same parameters and moments, with
// every kernel. The matrix decays, the vector does not.
func TestGoldens(t *testing.T) {
	cases, err := golden.Load("testdata/adamw.json")
	if err != nil {
		t.Fatal(err)
	}
	options := map[string]struct {
		opt   AdamW
		limit float64
	}{
		"defaults":      {},
		"decay":         {AdamW{Decay: 0.1}, 0},
		"clipped":       {AdamW{Decay: 0.01}, 1.5},
		"other moments": {AdamW{Decay: 0.01, Beta1: 0.8, Beta2: 0.95, Eps: 1e-3}, 0},
	}
	if len(cases) != len(options) {
		t.Errorf("%d cases, want %d", len(cases), len(options))
	}
	for _, c := range cases {
		o, ok := options[c.Name]
		if !ok {
			t.Errorf("no options of %s", c.Name)
			continue
		}
		for _, impl := range kernel.Available() {
			t.Run(c.Name+" "+impl.String(), func(t *testing.T) {
				defer kernel.Force(impl)()
				checkGolden(t, &c, o.opt, o.limit)
			})
		}
	}
}

func checkGolden(t *testing.T, c *golden.Case, opt AdamW, limit float64) {
	w := &autograd.Var{Tensor: *c.Input("w"), Trainable: true}
	b := &autograd.Var{Tensor: *c.Input("b"), Trainable: true}
	params := []*autograd.Var{w, b}
	for i, rate := range c.Input("rates").Data {
		w.Grad, b.Grad = c.Input(fmt.Sprintf("gw.%d", i)).Data, c.Input(fmt.Sprintf("gb.%d", i)).Data
		norm := GlobalNorm(params)
		if limit > 0 {
			c.Check(t, fmt.Sprintf("norm.%d", i), []float32{float32(norm)})
		}
		opt.Update(params, float64(rate), ClipScale(norm, limit))
		c.Check(t, fmt.Sprintf("w.%d", i), w.Data)
		c.Check(t, fmt.Sprintf("b.%d", i), b.Data)
	}
	if opt.Step != 5 {
		t.Fatalf("%d steps, want 5", opt.Step)
	}
	// The moments enter the update divided by 1-β^t, and only so do they agree:
	// PyTorch's β2 is 0.999, ours is that in float32, and 1-β2 differs by 1e-5.
	b1, b2 := or(opt.Beta1, 0.9), or(opt.Beta2, 0.999)
	for i, name := range []string{"w", "b"} {
		c.Check(t, "m."+name, scaled(opt.M[i], correction(b1)/correction(narrow(b1))))
		c.Check(t, "v."+name, scaled(opt.V[i], correction(b2)/correction(narrow(b2))))
	}
}

// correction returns 1-β^5.
func correction(beta float64) float64 { return 1 - math.Pow(beta, 5) }

func scaled(x []float32, f float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(float64(v) * f)
	}
	return y
}

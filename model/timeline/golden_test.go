package timeline

import (
	"math"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/internal/golden"
	"heed/internal/kernel"
)

// fixed is the vocabulary of the goldens, and of other tests.
func fixed() *Vocabulary {
	v := &Vocabulary{
		Codes: []string{"A", "B"}, Channels: 2,
		Knots: [][]float32{{0, 1, 2, 4}, {-1, 1}, {10, 20, 30}, {}},
		Mean:  []float32{1, 0, 20, 0}, SD: []float32{2, 1, 5, 1},
	}
	if err := v.Prepare(); err != nil {
		panic(err)
	}
	return v
}

// patients are those of the goldens.
func patients(v *Vocabulary) []*Sequence {
	nan := float32(math.NaN())
	a := v.Encode([]Event{
		{Code: "A", Values: []float32{0.5, nan}, Time: 3, Visit: 1},
		{Code: "B", Values: []float32{25, nan}, Time: 1, Visit: 2},
		{Code: "B", Time: 1, Visit: 2},
		{Code: "never seen", Values: []float32{1, 1}, Time: 0.5, Visit: 3},
	}, 61, false)
	b := v.Encode([]Event{{Code: "A", Values: []float32{5, 0}, Time: 0.125}}, 34, false)
	return []*Sequence{&a, &b}
}

func goldenConfig() Config {
	return Config{
		Layers: 2, Dim: 8, Heads: 2, FFN: 12, Value: "knots", Time: "both", Outputs: 2,
		LagUnit: 0.25, MaxTokens: 100, ValueHidden: 5,
	}
}

// The model agrees with PyTorch in all its outputs and the gradients of all
// parameters, for each way in which values and times enter.
func TestGoldens(t *testing.T) {
	configs := map[string]func(c *Config){
		"knots_both":          func(*Config) {},
		"projection_time2vec": func(c *Config) { c.Value, c.Time, c.Age, c.Visits = "projection", "time2vec", true, true },
		"linear_bias":         func(c *Config) { c.Value, c.Time, c.Causal = "linear", "bias", true },
		"bins_none":           func(c *Config) { c.Value, c.Time, c.Age = "bins", "none", true },
	}
	for name, set := range configs {
		cases, err := golden.Load("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		cfg := goldenConfig()
		set(&cfg)
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, impl := range kernel.Available() {
			t.Run(name+" "+impl.String(), func(t *testing.T) {
				defer kernel.Force(impl)()
				checkGolden(t, cfg, &cases[0], &autograd.Tape{})
			})
		}
		t.Run(name+" probed", func(t *testing.T) {
			checkGolden(t, cfg, &cases[0], &autograd.Tape{Probe: func(string, *autograd.Var) {}})
		})
	}
}

func checkGolden(t *testing.T, cfg Config, c *golden.Case, tape *autograd.Tape) {
	v := fixed()
	m := New(cfg, v, nil)
	m.Visit("", func(name string, p *autograd.Var) {
		in := c.Input(name)
		if !slices.Equal(p.Shape, in.Shape) {
			t.Fatalf("%s: shape %v, PyTorch has %v", name, p.Shape, in.Shape)
		}
		copy(p.Data, in.Data)
	})
	b := m.Pack(nil, patients(v)...)
	outputs := map[string]*autograd.Var{
		"logits": m.Logits(tape, b), "forecast": m.Forecasts(tape, b), "masked": m.MaskedLogits(tape, b, []int32{1, 3}),
	}
	var total *autograd.Var
	for _, name := range []string{"logits", "forecast", "masked"} {
		y := outputs[name]
		c.Check(t, name, y.Data)
		cot := autograd.Input(c.Cotangent(name).Data, y.Shape...)
		part := autograd.Sum(tape, autograd.Mul(tape, y, cot))
		if total == nil {
			total = part
		} else {
			total = autograd.Add(tape, total, part)
		}
	}
	tape.Backward(total)
	m.Visit("", func(name string, p *autograd.Var) {
		if strings.HasSuffix(name, "key.bias") {
			for _, g := range tape.Grad(p) {
				if math.Abs(float64(g)) > 1e-5 {
					t.Errorf("%s: gradient %v, want 0", name, g)
				}
			}
			return
		}
		c.Check(t, "grad."+name, tape.Grad(p))
	})
}

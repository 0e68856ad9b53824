package nn

import (
	"math"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/internal/golden"
	"heed/internal/kernel"
)

// goldenLayer builds the layer of a case with the parameters of the case.
func goldenLayer(t *testing.T, c *golden.Case) (Module, Mixer) {
	x := c.Input("x")
	a := NewMultiHeadAttention(x.Dim(1), c.Int("heads"), nil)
	a.Name = "a"
	if c.Int("rotary") == 1 {
		a.Rotary = autograd.RotaryFrequencies(x.Dim(1)/a.Heads, 10000)
	}
	if strings.HasSuffix(c.Name, "/relative") {
		a.Relative = autograd.Param(c.Input("relative").Shape...)
	}
	var m Module = a
	if strings.HasPrefix(c.Name, "encoder/") {
		l := NewEncoderLayer(a, x.Dim(1), c.Input("up.bias").Dim(0), nil)
		l.Name = "l"
		m = l
	}
	m.Visit("", func(name string, p *autograd.Var) {
		in := c.Input(name)
		if !slices.Equal(p.Shape, in.Shape) {
			t.Fatalf("%s: shape %v, PyTorch has %v", name, p.Shape, in.Shape)
		}
		copy(p.Data, in.Data)
	})
	return m, a
}

// Values and the gradients of the input and of every parameter agree with
// PyTorch as package golden demands, with every kernel, probed or not.
func TestGoldens(t *testing.T) {
	seen := 0
	for _, file := range []string{"testdata/attention.json", "testdata/encoder.json"} {
		cases, err := golden.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			seen++
			for _, impl := range kernel.Available() {
				for _, probe := range []func(string, *autograd.Var){nil, func(string, *autograd.Var) {}} {
					t.Run(c.Name+" "+impl.String()+map[bool]string{true: " probed"}[probe != nil], func(t *testing.T) {
						defer kernel.Force(impl)()
						checkGolden(t, &c, &autograd.Tape{Probe: probe})
					})
				}
			}
		}
	}
	if seen != 5 {
		t.Errorf("%d cases, want 5", seen)
	}
}

func checkGolden(t *testing.T, c *golden.Case, tape *autograd.Tape) {
	m, mixer := goldenLayer(t, c)
	x := &autograd.Var{Tensor: *c.Input("x"), Trainable: true}
	segments := autograd.Packed(c.Ints("lengths")...)
	var y *autograd.Var
	if l, ok := m.(*EncoderLayer); ok {
		y = l.Forward(tape, x, segments)
	} else {
		y = mixer.Mix(tape, x, segments)
	}
	c.Check(t, "out", y.Data)
	tape.BackwardFrom(y, c.Cotangent("out").Data)
	checked := []string{"out", "grad.x"}
	c.Check(t, "grad.x", tape.Grad(x))
	m.Visit("", func(name string, p *autograd.Var) {
		checked = append(checked, "grad."+name)
		g := tape.Grad(p)
		if query, ok := strings.CutSuffix(name, "key.bias"); ok && c.Int("rotary") == 0 {
			// A constant in all keys moves all scores of a query alike, which
			// softmax does not see: the gradient is zero, and what remains is
			// rounding, of the size of that of the queries.
			bound := c.Bound("grad." + query + "query.bias")
			for i, v := range g {
				if !(math.Abs(float64(v)) <= bound) {
					t.Errorf("%s: gradient %d is %g, want 0 within %.3g", name, i, v, bound)
				}
			}
			return
		}
		c.Check(t, "grad."+name, g)
	})
	want := c.Results()
	slices.Sort(checked)
	slices.Sort(want)
	if !slices.Equal(checked, want) {
		t.Errorf("checked %v, the golden has %v", checked, want)
	}
}

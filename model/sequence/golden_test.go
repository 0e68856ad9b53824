package sequence

import (
	"math"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/internal/golden"
	"heed/internal/kernel"
	"heed/nn"
)

func int32s(x []int) []int32 {
	y := make([]int32, len(x))
	for i, v := range x {
		y[i] = int32(v)
	}
	return y
}

// The whole model agrees with PyTorch in logits, loss and the gradients of all
// parameters, for each kind of position, both poolings and the masked head.
func TestGoldens(t *testing.T) {
	for _, name := range []string{"learned_cls", "sinusoidal_mean", "rotary_cls", "relative_masked"} {
		cases, err := golden.Load("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if len(cases) != 1 {
			t.Errorf("%s: %d cases, want 1", name, len(cases))
		}
		for _, impl := range kernel.Available() {
			t.Run(name+" "+impl.String(), func(t *testing.T) {
				defer kernel.Force(impl)()
				checkGolden(t, &cases[0], &autograd.Tape{})
			})
		}
		t.Run(name+" probed", func(t *testing.T) {
			checkGolden(t, &cases[0], &autograd.Tape{Probe: func(string, *autograd.Var) {}})
		})
	}
}

func checkGolden(t *testing.T, c *golden.Case, tape *autograd.Tape) {
	position, head, _ := strings.Cut(c.Name, " ")
	cfg := Config{
		Tokenizer: Tokenizer{K: 1}, MaxLen: 7, Layers: 2, Dim: 8, Heads: 2, FFN: 12,
		Stem: c.Ints("stem"), Position: position, Pooling: "cls", Classes: 3,
	}
	if head == "mean" {
		cfg.Pooling = "mean"
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	m := New(cfg, nil)
	m.Visit("", func(name string, p *autograd.Var) {
		in := c.Input(name)
		if !slices.Equal(p.Shape, in.Shape) {
			t.Fatalf("%s: shape %v, PyTorch has %v", name, p.Shape, in.Shape)
		}
		copy(p.Data, in.Data)
	})
	ids := int32s(c.Ints("ids"))
	var seqs [][]int32
	for _, n := range c.Ints("lengths") {
		seqs, ids = append(seqs, ids[:n]), ids[n:]
	}
	b := m.Pack(seqs...)
	var logits *autograd.Var
	labels := int32s(c.Ints("labels"))
	if head == "masked" {
		logits, labels = m.MaskedLogits(tape, b, int32s(c.Ints("hidden"))), int32s(c.Ints("truth"))
	} else {
		logits = m.Logits(tape, b)
	}
	c.Check(t, "logits", logits.Data)
	loss := autograd.CrossEntropy(tape, logits, labels, float32(len(labels)))
	c.Check(t, "loss", loss.Data)
	tape.BackwardFrom(loss, c.Cotangent("loss").Data)
	checkGradients(t, c, m, tape, position != "rotary")
}

// checkGradients compares the gradient of every parameter. If constantKeys, a
// constant in all keys leaves the softmax as it is, so that the gradient of
// the keys' bias is zero but for rounding, which is like that of the queries.
func checkGradients(t *testing.T, c *golden.Case, m nn.Module, tape *autograd.Tape, constantKeys bool) {
	checked := []string{"logits", "loss"}
	m.Visit("", func(name string, p *autograd.Var) {
		checked = append(checked, "grad."+name)
		g := tape.Grad(p)
		if g == nil { // of the head that took no part
			g = make([]float32, len(p.Data))
		}
		query, key := strings.CutSuffix(name, "key.bias")
		if !key || !constantKeys {
			c.Check(t, "grad."+name, g)
			return
		}
		bound := c.Bound("grad." + query + "query.bias")
		for i, v := range g {
			if !(math.Abs(float64(v)) <= bound) {
				t.Errorf("%s: gradient %d is %g, want 0 within %.3g", name, i, v, bound)
			}
		}
	})
	want := c.Results()
	slices.Sort(checked)
	slices.Sort(want)
	if !slices.Equal(checked, want) {
		t.Errorf("checked %v, the golden has %v", checked, want)
	}
}

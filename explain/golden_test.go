package explain

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"heed/autograd"
	"heed/internal/golden"
	"heed/nn"
)

// goldenCase builds the encoder of a golden and the case of its input.
func goldenCase(t *testing.T, g *golden.Case) (*Case, *Encoder) {
	t.Helper()
	fill := func(prefix string, m nn.Module) {
		m.Visit(prefix, func(name string, p *autograd.Var) {
			in := g.Input(name)
			if !slices.Equal(p.Shape, in.Shape) {
				t.Fatalf("%s: shape %v, PyTorch has %v", name, p.Shape, in.Shape)
			}
			copy(p.Data, in.Data)
		})
	}
	x := g.Input("x")
	rows, dim := x.Dim(0), x.Dim(1)
	e := &Encoder{Norm: nn.NewLayerNorm(dim), Classifier: nn.NewLinear(dim, 3, nil), Class: ContrastWeights(3, 1)}
	for i := range 2 {
		a := nn.NewMultiHeadAttention(dim, 2, nil)
		l := nn.NewEncoderLayer(a, dim, 12, nil)
		l.Name = fmt.Sprintf("layers.%d", i)
		a.Name = l.Name + ".attention"
		fill(l.Name, l)
		e.Layers = append(e.Layers, l)
	}
	fill("norm", e.Norm)
	fill("classifier", e.Classifier)

	c := &Case{Rows: rows}
	for _, f := range g.Input("readout").Data {
		c.Readout = append(c.Readout, float64(f))
	}
	ids := make([]int32, rows)
	for i := range ids {
		ids[i] = int32(i)
	}
	c.Run = func(t *autograd.Tape, n int) *autograd.Var {
		h := autograd.Embedding(t, &autograd.Var{Tensor: *x}, slices.Repeat(ids, n))
		t.Watch(Embedding, h)
		s := autograd.Packed(slices.Repeat([]int{rows}, n)...)
		for _, l := range e.Layers {
			h = l.Forward(t, h, s)
		}
		h = e.Norm.Forward(t, h)
		if g.Name == "mean" {
			letters := slices.Clone(s)
			for i := range letters {
				letters[i].Start, letters[i].Count = s[i].Start+1, rows-1
			}
			h = autograd.MeanPool(t, h, letters)
		} else {
			first := make([]int32, n)
			for i := range first {
				first[i] = int32(i * rows)
			}
			h = autograd.Rows(t, h, first)
		}
		return Contrast(t, e.Classifier.Forward(t, h), 1)
	}
	return c, e
}

// Gradients, gradient x attention, integrated gradients and both decompositions
// agree with PyTorch within 1e-4, and with what its own float32 errs.
func TestGoldens(t *testing.T) {
	cases, err := golden.Load("testdata/encoder.json")
	if err != nil {
		t.Fatal(err)
	}
	for i := range cases {
		g := &cases[i]
		t.Run(g.Name, func(t *testing.T) {
			c, e := goldenCase(t, g)
			checked := []string{}
			check := func(name string, got []float64) {
				t.Helper()
				checked = append(checked, name)
				low := make([]float32, len(got))
				for i, v := range got {
					low[i] = float32(v)
				}
				g.Check(t, name, low)
			}
			s := Gradient(c)
			check("score", []float64{s.Score})
			check("gradient", wide(s.Grad.Data))
			check("gradient_input", s.TimesInput())
			layers := AttentionGradient(c)
			for _, part := range []Part{Positive, Negative, Signed} {
				check(part.String(), GradientAttention(layers, c.Readout, part))
			}
			base := g.Input("base").Data
			p := &integrator{c, s.Input, 5}
			mean, err := p.meanGradient(context.Background(), base, 16)
			if err != nil {
				t.Fatal(err)
			}
			for i := range mean {
				mean[i] *= float64(s.Input.Data[i] - base[i])
			}
			check("integrated", mean)
			d := decompose(t, c, e)
			check("shares", append(d.Values, d.Bias))
			direct := direct(t, c, e)
			check("heads", slices.Concat(direct.Heads...))
			check("feed_forward", direct.FeedForward)
			want := g.Results()
			slices.Sort(checked)
			slices.Sort(want)
			if !slices.Equal(checked, want) {
				t.Errorf("checked %v, the golden has %v", checked, want)
			}
		})
	}
	if len(cases) != 2 {
		t.Errorf("%d cases, want 2", len(cases))
	}
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

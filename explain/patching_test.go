package explain

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"heed/autograd"
	"heed/model/sequence"
)

// copier is a model of two layers of two heads over five tokens of width 2. In
// the second layer, head 1 copies what the fourth token has in its column to
// the first token; the score reads it there. Nothing else does anything.
func copier(token [5]float32) *Case {
	const length, heads = 5, 2
	x := make([]float32, length*heads)
	for i, v := range token {
		x[i*heads], x[i*heads+1] = 10*v, v
	}
	weights := func(layer int) *autograd.Var { // log of them
		b := autograd.Input(make([]float32, heads*length*length), heads, length, length)
		if layer == 1 {
			for j := range length {
				b.Data[(1*length+0)*length+j] = -1e3
			}
			b.Data[(1*length+0)*length+3] = 0
		}
		return b
	}
	out := []*autograd.Var{
		autograd.Input([]float32{0, 0, 0, 0}, 2, 2),
		autograd.Input([]float32{0, 0, 0, 1}, 2, 2), // head 1 to column 1
	}
	return &Case{Rows: length, Readout: ReadRow(length, 0), Run: func(t *autograd.Tape, n int) *autograd.Var {
		lengths, first := slices.Repeat([]int{length}, n), make([]int32, n)
		for i := range first {
			first[i] = int32(i * length)
		}
		h := autograd.Input(slices.Repeat(x, n), n*length, heads)
		zero := autograd.Input(make([]float32, len(h.Data)), n*length, heads)
		for layer, name := range []string{"layers.0", "layers.1"} {
			h = autograd.Add(t, h, zero)
			t.Watch(name+".input", h)
			o := autograd.Attention(t, zero, zero, h, autograd.AttentionSpec{
				Name: name + ".attention", Heads: heads, Query: autograd.Packed(lengths...), Bias: weights(layer),
			})
			t.Watch(name+".attention.heads", o)
			h = autograd.Add(t, h, autograd.Linear(t, o, out[layer], nil))
			t.Watch(name+".middle", h)
			h = autograd.Scale(t, h, 2)
			t.Watch(name+".output", h)
		}
		return autograd.Linear(t, autograd.Rows(t, h, first), autograd.Input([]float32{0, 1}, 1, 2), nil)
	}}
}

func TestPatchCopier(t *testing.T) {
	clean, corrupt := copier([5]float32{1, 2, 3, 4, 5}), copier([5]float32{1, -2, 7, -4, 9})
	zeros := []float64{0, 0, 0, 0, 0}
	fourth, first := []float64{0, 0, 0, 1, 0}, []float64{1, 0, 0, 0, 0}
	for _, c := range []struct {
		at   Residual
		want [2][]float64
	}{
		{LayerInput, [2][]float64{fourth, fourth}},
		{LayerMiddle, [2][]float64{fourth, first}},
		{LayerOutput, [2][]float64{fourth, first}},
	} {
		for _, p := range []*Patching{
			must(PatchPositions(background, clean, corrupt, c.at, 7)),
			must(AttributePositions(clean, corrupt, c.at)), // the model is linear
		} {
			for l, row := range p.Effect {
				near(t, string(c.at), row, c.want[l], 1e-6)
			}
			if p.Reason != "" || !slices.Equal(p.Layers, []string{"layers.0", "layers.1"}) {
				t.Errorf("%s: layers %v, reason %q", c.at, p.Layers, p.Reason)
			}
		}
	}
	for _, p := range []*Patching{must(PatchHeads(background, clean, corrupt, 2)), must(AttributeHeads(clean, corrupt))} {
		near(t, "heads of layer 0", p.Effect[0], []float64{0, 0}, 1e-6)
		near(t, "heads of layer 1", p.Effect[1], []float64{0, 1}, 1e-6)
		if !slices.Equal(p.Layers, []string{"layers.0.attention", "layers.1.attention"}) {
			t.Errorf("layers %v", p.Layers)
		}
	}
	// What is the same in both restores nothing.
	p := must(PatchPositions(background, clean, corrupt, LayerInput, 10))
	near(t, "equal token", p.Effect[0][:1], zeros[:1], 0)
}

// pairOf returns two inputs of one model that differ in three tokens.
func pairOf(t *testing.T) (m *sequence.Model, clean, corrupt *Case) {
	m, clean = smallCase(t, "cls")
	return m, clean, caseOf(m, []int32{3, 4, 6, 3, 6, 3, 6, 6, 5}, 1)
}

// TestPatchModel compares a batch with one intervention by hand, on one core
// and on many.
func TestPatchModel(t *testing.T) {
	_, clean, corrupt := pairOf(t)
	var state []float32
	clean.Run(&autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		if name == "layers.1.input" {
			state = slices.Clone(v.Data)
		}
	}}, 1)
	p := must(PatchPositions(background, clean, corrupt, LayerInput, 6))
	if len(p.Effect) != 2 || len(p.Effect[0]) != 10 || math.Abs(p.Clean-clean.Score()) > 1e-6 || math.Abs(p.Corrupt-corrupt.Score()) > 1e-6 {
		t.Fatalf("patching %+v", p)
	}
	for i, got := range p.Effect[1] {
		y := corrupt.Run(&autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
			if name == "layers.1.input" {
				copy(v.Data[i*8:(i+1)*8], state[i*8:])
			}
		}}, 1)
		want := (float64(y.Data[0]) - corrupt.Score()) / (clean.Score() - corrupt.Score())
		// The scores of want are of passes without a probe, whose attention is
		// blocked and rounds in another order.
		if math.Abs(got-want) > 1e-5 || want == 0 {
			t.Errorf("position %d: effect %v, want %v", i, got, want)
		}
	}
	for _, cores := range []int{1, 4} {
		old := runtime.GOMAXPROCS(cores)
		again := must(PatchPositions(background, clean, corrupt, LayerInput, 1))
		runtime.GOMAXPROCS(old)
		if !slices.EqualFunc(again.Effect, p.Effect, slices.Equal) {
			t.Errorf("%d cores, batch 1: other effects", cores)
		}
	}
	// Only [CLS] is read, so after the last layer it is all there is.
	last := must(PatchPositions(background, clean, corrupt, LayerOutput, 20)).Effect[1]
	near(t, "last layer", last, []float64{1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 1e-5)
	// Two passes of one input: no difference.
	same := must(PatchHeads(background, clean, clean, 4))
	const want = "there is no difference to restore"
	if len(same.Reason) < len(want) || same.Reason[len(same.Reason)-len(want):] != want || !math.IsNaN(same.Effect[1][1]) {
		t.Errorf("reason %q, effect %v", same.Reason, same.Effect)
	}
}

// TestPatchEverything restores the clean score with all positions or all heads
// of a layer at once (heads: of inputs whose hidden states differ in nothing
// else), and nothing with none.
func TestPatchEverything(t *testing.T) {
	_, clean, corrupt := pairOf(t)
	for _, suffix := range []string{".input", ".middle", ".output"} {
		a, b, out, patches, err := patchPlaces(clean, corrupt, &autograd.Tape{NoGrad: true}, suffix)
		if err != nil {
			t.Fatal(err)
		}
		for layer := range b {
			scores := must(corrupt.variants(background, 2, 2, func(name string, v *autograd.Var, copies, copy, variant int) {
				for _, p := range patches {
					if p.layer == layer && name == b[layer].name && variant == 1 {
						p.write(v.Data[copy*len(a[layer].data):], a[layer].data, a[layer].shape[1])
					}
				}
			}))
			if scores[0] != out.Corrupt || scores[1] != out.Clean {
				t.Errorf("%s of layer %d: nothing gives %v, want %v; everything %v, want %v", suffix, layer, scores[0], out.Corrupt, scores[1], out.Clean)
			}
		}
	}
}

// TestAttributeModel: for two inputs that are close, the first order is all.
func TestAttributeModel(t *testing.T) {
	m, clean, corrupt := pairOf(t)
	near := func(what string, a, b *Patching, tolerance float64) {
		t.Helper()
		for l := range a.Effect {
			for i := range a.Effect[l] {
				if math.Abs(a.Effect[l][i]-b.Effect[l][i]) > tolerance {
					t.Errorf("%s, layer %d, %d: patched %v, attributed %v", what, l, i, a.Effect[l][i], b.Effect[l][i])
				}
			}
		}
	}
	// Tokens 3 and 4 become nearly the same letter.
	d := m.Config.Dim
	table := m.Embed.Weight.Data
	for token := int32(4); token <= 6; token++ {
		for i := range d {
			at := int(token)*d + i
			table[at] = table[3*d+i] + 0.01*(table[at]-table[3*d+i])
		}
	}
	near("positions", must(PatchPositions(background, clean, corrupt, LayerInput, 9)), must(AttributePositions(clean, corrupt, LayerInput)), 0.03)
	near("heads", must(PatchHeads(background, clean, corrupt, 9)), must(AttributeHeads(clean, corrupt)), 0.03)
}

func TestPatchErrors(t *testing.T) {
	m, clean := smallCase(t, "cls")
	for _, c := range []struct {
		corrupt *Case
		at      Residual
		want    string
	}{
		{caseOf(m, []int32{3, 4}, 1), LayerInput, "the clean input has 10 rows, the corrupt one 3: patching needs pairs of one length"},
		{clean, ".nowhere", `the case shows nothing whose name ends in ".nowhere"`},
		{wired(6), LayerInput, "the inputs are not of one model: the corrupt one shows layers.0.input [10 4]"},
	} {
		if _, err := PatchPositions(background, clean, c.corrupt, c.at, 1); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	other := caseOf(m, []int32{3, 4, 6, 3, 6, 3, 6, 6, 5}, 1)
	if _, err := PatchHeads(ctx, clean, other, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

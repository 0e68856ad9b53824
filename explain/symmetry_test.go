package explain

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/autograd"
	"heed/nn"
)

// tokensOnly returns an encoder of two layers without positions and the case of
// some tokens, each a row of a random table.
func tokensOnly(tokens ...int) (*Encoder, *Case) {
	const width = 8
	r := rand.New(rand.NewPCG(61, 62))
	table := make([]float32, 16*width)
	for i := range table {
		table[i] = float32(r.NormFloat64())
	}
	e := &Encoder{Norm: nn.NewLayerNorm(width)}
	for _, name := range []string{"a", "b"} {
		a := nn.NewMultiHeadAttention(width, 2, r)
		a.Name = name + ".attention"
		for _, p := range []*autograd.Var{a.Query.Weight, a.Key.Weight} {
			for i := range p.Data {
				p.Data[i] *= 2
			}
		}
		l := nn.NewEncoderLayer(a, width, 12, r)
		l.Name = name
		e.Layers = append(e.Layers, l)
	}
	c := &Case{Rows: len(tokens), Readout: ReadRow(len(tokens), 0)}
	c.Run = func(t *autograd.Tape, n int) *autograd.Var {
		var x []float32
		lengths := make([]int, n)
		for k := range lengths {
			lengths[k] = len(tokens)
			for _, token := range tokens {
				x = append(x, table[token*width:(token+1)*width]...)
			}
		}
		h := autograd.Input(x, n*len(tokens), width)
		for _, l := range e.Layers {
			h = l.Forward(t, h, autograd.Packed(lengths...))
		}
		return autograd.Input(make([]float32, n), n, 1)
	}
	return e, c
}

// maps runs every method of attention on a case and returns a map over its rows
// for each.
func maps(t *testing.T, e *Encoder, c *Case) map[string][]float64 {
	t.Helper()
	out := map[string][]float64{}
	layers := Attention(c)
	for name, spec := range map[string]FuseSpec{"rollout": {}, "max": {Fusion: Max}, "min": {Fusion: Min, NoResidual: true}, "discard": {Discard: 0.5}} {
		out[name] = Roll(Fuse(layers, spec), c.Readout)
	}
	f, err := AttentionFlow(context.Background(), Fuse(layers, FuseSpec{}), c.Readout, FlowLength)
	if err != nil {
		t.Fatal(err)
	}
	out["flow"] = f.Max
	norms, err := e.Norms(c)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Mixing
	for _, n := range norms {
		rows = append(rows, n.Residual.Normalized())
	}
	out["norms"] = Roll(rows, c.Readout)
	final, err := e.FinalNorms(c)
	if err != nil {
		t.Fatal(err)
	}
	rows[1] = final.Residual.Normalized()
	out["final norms"] = Roll(rows, c.Readout)
	l1, err := e.ALTI(c)
	if err != nil {
		t.Fatal(err)
	}
	l2, err := e.ALTI2(c)
	if err != nil {
		t.Fatal(err)
	}
	out["ALTI"], out["ALTI2"] = Roll(l1, c.Readout), Roll(l2, c.Readout)
	zeroing, err := e.ValueZeroing(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range zeroing {
		rows[i] = zeroing[i].Normalized()
	}
	out["value zeroing"] = Roll(rows, c.Readout)
	var all HeadAverage
	all.Add(Heads(layers, HeadSpec{Distance: func(i, j int) float64 { return 1 }}))
	for _, s := range all.Summary() { // what does not depend on places
		out["heads"] = append(out["heads"], s.Entropy.Estimate, s.Perplexity.Estimate, s.Sharpness.Estimate, s.Confidence.Estimate, s.Self.Estimate)
	}
	return out
}

// TestPermutation: without positions, a permutation of the tokens permutes the
// maps.
func TestPermutation(t *testing.T) {
	tokens := []int{0, 5, 9, 2, 7, 1, 11}
	e, c := tokensOnly(tokens...)
	want := maps(t, e, c)
	order := []int{3, 6, 0, 5, 1, 4, 2}
	permuted := make([]int, len(tokens))
	for i, from := range order {
		permuted[i] = tokens[from]
	}
	e, c = tokensOnly(permuted...)
	c.Readout = ReadRow(len(tokens), slices.Index(order, 0))
	for name, m := range maps(t, e, c) {
		for i, v := range m {
			w := want[name][i]
			if name != "heads" {
				w = want[name][order[i]]
			}
			if math.Abs(v-w) > 2e-6*max(1, w) {
				t.Errorf("%s: position %d has %v, want %v", name, i, v, w)
			}
		}
	}
}

// TestDuplicates: tokens that are the same get the same.
func TestDuplicates(t *testing.T) {
	e, c := tokensOnly(0, 5, 9, 5, 7, 5, 11)
	for name, m := range maps(t, e, c) {
		if name == "heads" {
			continue
		}
		if math.Abs(m[1]-m[3]) > 1e-6 || math.Abs(m[1]-m[5]) > 1e-6 {
			t.Errorf("%s: %v, %v and %v for three equal tokens", name, m[1], m[3], m[5])
		}
		if math.Abs(m[1]-m[2]) < 1e-4 && name != "flow" && name != "discard" {
			t.Errorf("%s: %v and %v for two different tokens", name, m[1], m[2])
		}
	}
}

// pad adds positions that nobody reads, and that read whatever they like.
func pad(layers []Layer, by int) []Layer {
	r := rand.New(rand.NewPCG(71, 72))
	out := make([]Layer, len(layers))
	for i, l := range layers {
		n := l.Length + by
		out[i] = Layer{Name: l.Name, Heads: l.Heads, Length: n, Weights: make([]float32, l.Heads*n*n)}
		for h := range l.Heads {
			for row := range n {
				dst := out[i].Weights[(h*n+row)*n : (h*n+row+1)*n]
				if row < l.Length {
					copy(dst, l.Weights[(h*l.Length+row)*l.Length:(h*l.Length+row+1)*l.Length])
					continue
				}
				for j := range dst {
					dst[j] = r.Float32()
				}
			}
		}
	}
	return out
}

// TestMaskedPads: 50 masked pads change nothing.
func TestMaskedPads(t *testing.T) {
	const n, pads = 20, 50
	layers := randomLayers(rand.New(rand.NewPCG(73, 74)), 3, 2, n, 2)
	padded := pad(layers, pads)
	mask := make([]bool, n+pads)
	for i := range n {
		mask[i] = true
	}
	same := func(what string, got, want []float64) {
		t.Helper()
		for i, v := range got {
			w := 0.0
			if i < len(want) {
				w = want[i]
			}
			if math.Abs(v-w) > 1e-5 {
				t.Fatalf("%s: position %d has %v, without pads %v", what, i, v, w)
			}
		}
	}
	for _, spec := range specs(n) {
		if spec.Mask != nil {
			continue
		}
		with := spec
		with.Mask = mask
		a, b := Fuse(layers, spec), Fuse(padded, with)
		same("rollout", Roll(b, ReadRow(n+pads, 0)), Roll(a, ReadRow(n, 0)))
		fa, err := AttentionFlow(context.Background(), a, ReadRow(n, 0), FlowLength)
		if err != nil {
			t.Fatal(err)
		}
		fb, err := AttentionFlow(context.Background(), b, ReadRow(n+pads, 0), FlowLength)
		if err != nil {
			t.Fatal(err)
		}
		same("flow", fb.Max, fa.Max)
		same("variation of the flow", []float64{fb.CV}, []float64{fa.CV})
	}
	a, b := Heads(layers, HeadSpec{Window: 2}), Heads(padded, HeadSpec{Window: 2, Mask: mask})
	for k := range a {
		x, y := a[k].values(), b[k].values()
		same("head", y[:], x[:])
		oa, sa := a[k].Offset()
		if ob, sb := b[k].Offset(); ob != oa || sb != sa {
			t.Errorf("offset %d (%v), without pads %d (%v)", ob, sb, oa, sa)
		}
	}
	da, db := HeadDistances(layers, HeadSpec{}), HeadDistances(padded, HeadSpec{Mask: mask})
	for k := range da {
		same("distances of heads", db[k], da[k])
	}
}

// TestDegenerate: one position, one head, all mass on one key.
func TestDegenerate(t *testing.T) {
	e, c := tokensOnly(3)
	for name, m := range maps(t, e, c) {
		for _, v := range m {
			if math.IsNaN(v) || math.IsInf(v, 0) || name != "heads" && math.Abs(v-1) > 1e-6 {
				t.Errorf("%s of one position: %v", name, m)
			}
		}
	}
	one := make([]float32, 25)
	for i := range 5 {
		one[5*i+2] = 1
	}
	layers := []Layer{{Heads: 1, Length: 5, Weights: one}, {Heads: 1, Length: 5, Weights: one}}
	for _, spec := range specs(5) {
		if spec.Mask != nil {
			continue
		}
		m := Fuse(layers, spec)
		v := Roll(m, ReadRow(5, 0))
		f, err := AttentionFlow(context.Background(), m, ReadRow(5, 0), 5)
		if err != nil {
			t.Fatal(err)
		}
		want := 0.75 // half of a half stays at 0
		if spec.NoResidual {
			want = 1
		}
		if spec.Discard >= 0.9 { // all that may go has gone
			want = 0
		}
		if math.Abs(v[2]-want) > 1e-6 || math.IsNaN(f.CV) || f.Max[2] > 1 {
			t.Errorf("%+v: rollout %v, flow %+v", spec, v, f)
		}
	}
	grid := AxialRollout([]AxialBlock{{Heads: 1, Row: []float32{1}, Columns: []float32{1}}}, 1, 1, []float64{1}, FuseSpec{Fusion: Max, Discard: 0.9})
	if grid[0] != 1 {
		t.Errorf("axial rollout of one cell: %v", grid)
	}
	for _, h := range Heads(layers, HeadSpec{}) {
		for _, v := range h.values() {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Errorf("head with all mass on one key: %+v", h)
			}
		}
		if h.Word() != "sharp" || h.Perplexity != 1 {
			t.Errorf("a head with all mass on one key is %q, perplexity %v", h.Word(), h.Perplexity)
		}
	}
	if d := HeadDistances(layers, HeadSpec{})[0][1]; d != 0 {
		t.Errorf("distance of equal heads %v", d)
	}
}

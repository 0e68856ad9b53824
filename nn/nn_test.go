package nn

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
)

func source() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func names(m Module, prefix string) []string {
	var s []string
	m.Visit(prefix, func(name string, _ *autograd.Var) { s = append(s, name) })
	return s
}

// The names are what checkpoints store: they must never change.
func TestNames(t *testing.T) {
	relative := NewMultiHeadAttention(4, 2, nil)
	relative.Relative = autograd.Param(2, 5)
	for _, tt := range []struct {
		module Module
		prefix string
		want   string
	}{
		{NewLinear(2, 3, nil), "", "weight bias"},
		{NewLinear(2, 3, nil), "classifier", "classifier.weight classifier.bias"},
		{NewLayerNorm(4), "norm", "norm.weight norm.bias"},
		{NewEmbedding(3, 2, 1, nil), "embed", "embed.weight"},
		{NewConv1D(2, 3, 5, nil), "stem.0", "stem.0.weight stem.0.bias"},
		{NewMultiHeadAttention(4, 2, nil), "", "query.weight query.bias key.weight key.bias value.weight value.bias out.weight out.bias"},
		{relative, "a", "a.query.weight a.query.bias a.key.weight a.key.bias a.value.weight a.value.bias a.relative a.out.weight a.out.bias"},
		{NewAxialLayer("", 4, 2, 8, true, nil), "", `
			norm_row.weight norm_row.bias
			row.query.weight row.query.bias row.key.weight row.key.bias row.value.weight row.value.bias row.out.weight row.out.bias
			norm_column.weight norm_column.bias
			column.query.weight column.query.bias column.key.weight column.key.bias column.value.weight column.value.bias column.out.weight column.out.bias
			norm.weight norm.bias up.weight up.bias down.weight down.bias`},
		{NewEncoderLayer(relative, 4, 8, nil), "layers.3", `
			layers.3.norm1.weight layers.3.norm1.bias
			layers.3.attention.query.weight layers.3.attention.query.bias
			layers.3.attention.key.weight layers.3.attention.key.bias
			layers.3.attention.value.weight layers.3.attention.value.bias
			layers.3.attention.relative
			layers.3.attention.out.weight layers.3.attention.out.bias
			layers.3.norm2.weight layers.3.norm2.bias
			layers.3.up.weight layers.3.up.bias
			layers.3.down.weight layers.3.down.bias`},
	} {
		if got, want := names(tt.module, tt.prefix), strings.Fields(tt.want); !slices.Equal(got, want) {
			t.Errorf("%T: names\n%q, want\n%q", tt.module, got, want)
		}
	}
}

func TestJoin(t *testing.T) {
	for _, tt := range [][3]string{{"", "weight", "weight"}, {"layers.3", "up", "layers.3.up"}} {
		if got := Join(tt[0], tt[1]); got != tt[2] {
			t.Errorf("Join(%q, %q) = %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}

func TestParamsAndCount(t *testing.T) {
	const d, ffn = 8, 12
	l := NewEncoderLayer(NewMultiHeadAttention(d, 2, nil), d, ffn, nil)
	params := Params(l)
	if len(params) != 16 || params[0] != l.Norm1.Weight || params[15] != l.Down.Bias {
		t.Errorf("%d parameters, in another order than the names", len(params))
	}
	want := 4*(d*d+d) + 2*2*d + ffn*d + ffn + d*ffn + d
	if got := Count(l); got != want {
		t.Errorf("Count = %d, want %d", got, want)
	}
	l.Up.Weight.Trainable = false // frozen
	if got := Count(l); got != want-ffn*d {
		t.Errorf("Count with a frozen matrix = %d, want %d", got, want-ffn*d)
	}
	if got := len(Params(l)); got != 16 {
		t.Errorf("Params leaves out frozen parameters: %d, want 16", got)
	}
}

// moments returns mean, standard deviation and largest absolute value.
func moments(x []float32) (mean, sd, top float64) {
	for _, v := range x {
		mean += float64(v) / float64(len(x))
		top = max(top, math.Abs(float64(v)))
	}
	for _, v := range x {
		sd += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	return mean, math.Sqrt(sd), top
}

func TestInitialValues(t *testing.T) {
	r := source()
	linear, conv, embed := NewLinear(300, 100, r), NewConv1D(20, 150, 9, r), NewEmbedding(200, 150, 0.5, r)
	for _, tt := range []struct {
		name string
		p    *autograd.Var
		sd   float64
		top  float64 // bound of all values
	}{
		{"Linear", linear.Weight, math.Sqrt(2. / 400), math.Sqrt(6. / 400)},
		{"Conv1D", conv.Weight, math.Sqrt(2. / 180), math.Inf(1)},
		{"Embedding", embed.Weight, 0.5, math.Inf(1)},
	} {
		n := float64(len(tt.p.Data)) // 27,000 or more: the standard error of sd is below half a percent
		mean, sd, top := moments(tt.p.Data)
		if math.Abs(mean) > 4*tt.sd/math.Sqrt(n) || math.Abs(sd/tt.sd-1) > 0.02 {
			t.Errorf("%s: mean %.3g, standard deviation %.4g, want 0 and %.4g", tt.name, mean, sd, tt.sd)
		}
		if top > tt.top*(1+1e-6) || !math.IsInf(tt.top, 1) && top < 0.99*tt.top {
			t.Errorf("%s: largest value %.4g, want nearly %.4g", tt.name, top, tt.top)
		}
	}
	for _, p := range []*autograd.Var{linear.Bias, conv.Bias, NewLayerNorm(5).Bias} {
		if _, _, top := moments(p.Data); top != 0 {
			t.Error("a bias is not zero")
		}
	}
	norm := NewLayerNorm(5)
	if mean, sd, _ := moments(norm.Weight.Data); mean != 1 || sd != 0 || norm.Eps != 1e-5 {
		t.Errorf("LayerNorm: weight %v, eps %v", norm.Weight.Data, norm.Eps)
	}
}

// everything has one of each layer.
type everything struct {
	layer *EncoderLayer
	embed *Embedding
	conv  *Conv1D
}

func newEverything(r *rand.Rand) *everything {
	return &everything{NewEncoderLayer(NewMultiHeadAttention(6, 3, r), 6, 10, r), NewEmbedding(5, 6, 1, r), NewConv1D(6, 6, 3, r)}
}

func (e *everything) Visit(prefix string, f Visitor) {
	e.layer.Visit(Join(prefix, "layer"), f)
	e.embed.Visit(Join(prefix, "embed"), f)
	e.conv.Visit(Join(prefix, "conv"), f)
}

func values(m Module) []float32 {
	var v []float32
	for _, p := range Params(m) {
		v = append(v, p.Data...)
	}
	return v
}

func TestSourceDecidesInitialValues(t *testing.T) {
	a, b := values(newEverything(source())), values(newEverything(source()))
	if !slices.Equal(a, b) {
		t.Error("two layers from one seed differ")
	}
	if slices.Equal(a, values(newEverything(rand.New(rand.NewPCG(1, 3))))) {
		t.Error("two seeds give the same values")
	}
	zero := newEverything(nil)
	zero.Visit("", func(name string, p *autograd.Var) {
		want := float32(0)
		if strings.Contains(name, "norm") && strings.HasSuffix(name, "weight") {
			want = 1
		}
		for _, v := range p.Data {
			if v != want {
				t.Fatalf("%s without a source: %v, want %v", name, v, want)
			}
		}
	})
}

func TestPositions(t *testing.T) {
	for _, tt := range []struct {
		name     string
		segments []autograd.Segment
		n        int
		want     []int32
	}{
		{"packed", autograd.Packed(3, 0, 2, 1), 6, []int32{0, 1, 2, 0, 1, 0}},
		{"columns", autograd.GridColumns(0, 2, 3), 6, []int32{0, 0, 0, 1, 1, 1}},
		{"row outside", []autograd.Segment{{Start: 1, Count: 2, Stride: 1}}, 4, []int32{0, 0, 1, 0}},
	} {
		if got := Positions(tt.segments, tt.n); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestSinusoidal(t *testing.T) {
	const length, dim = 50, 7 // an odd width too
	v := Sinusoidal(length, dim)
	if v.Trainable {
		t.Error("the table is trainable")
	}
	if !slices.Equal(v.Shape, []int{length, dim}) {
		t.Fatalf("shape %v", v.Shape)
	}
	for p := range length {
		for i := 0; 2*i < dim; i++ {
			sin, cos := math.Sincos(float64(p) / math.Pow(10000, float64(2*i)/dim))
			if got := float64(v.Data[p*dim+2*i]); math.Abs(got-sin) > 1e-7 {
				t.Errorf("position %d, column %d: %v, want sin %v", p, 2*i, got, sin)
			}
			if 2*i+1 < dim {
				if got := float64(v.Data[p*dim+2*i+1]); math.Abs(got-cos) > 1e-7 {
					t.Errorf("position %d, column %d: %v, want cos %v", p, 2*i+1, got, cos)
				}
			}
		}
	}
}

// A probe sees the weights under the names of the layers, and only then.
func TestProbeSeesNamedLayers(t *testing.T) {
	r := source()
	a := NewMultiHeadAttention(8, 2, r)
	l := NewEncoderLayer(a, 8, 16, r)
	x := autograd.Input(make([]float32, 7*8), 7, 8)
	see := func() (seen map[string][]int) {
		seen = map[string][]int{}
		tape := &autograd.Tape{Probe: func(name string, v *autograd.Var) { seen[name] = slices.Clone(v.Shape) }}
		l.Forward(tape, x, autograd.Packed(4, 3))
		return seen
	}
	if seen := see(); len(seen) != 0 {
		t.Errorf("layers without names show %v", seen)
	}
	a.Name, l.Name = "layers.0.attention", "layers.0"
	want := map[string][]int{
		"layers.0.attention.query": {7, 8}, "layers.0.attention.key": {7, 8},
		"layers.0.attention.weights": {2, 2, 4, 4}, "layers.0.attention.heads": {7, 8},
		"layers.0.input": {7, 8}, "layers.0.middle": {7, 8}, "layers.0.output": {7, 8},
	}
	if seen := see(); !maps.EqualFunc(seen, want, slices.Equal) {
		t.Errorf("the probe saw %v, want %v", seen, want)
	}
}

// Dropout of a layer acts only on a tape with a source of randomness, and at
// each of its three places.
func TestDropoutOnlyInTraining(t *testing.T) {
	r := source()
	a := NewMultiHeadAttention(8, 2, r)
	l := NewEncoderLayer(a, 8, 16, r)
	x := autograd.Param(6, 8)
	gaussian(x, 1, r)
	forward := func(tape *autograd.Tape) []float32 {
		return slices.Clone(l.Forward(tape, x, autograd.Packed(6)).Data)
	}
	plain := forward(&autograd.Tape{})
	for _, tt := range []struct {
		name           string
		layer, weights float32
	}{{"of the layer", 0.5, 0}, {"of the weights", 0, 0.5}} {
		l.Dropout, a.Dropout = tt.layer, tt.weights
		if !slices.Equal(forward(&autograd.Tape{}), plain) {
			t.Errorf("dropout %s without a source changes the values", tt.name)
		}
		if slices.Equal(forward(&autograd.Tape{Rand: source()}), plain) {
			t.Errorf("dropout %s with a source changes nothing", tt.name)
		}
	}
}

// Names for a probe cost nothing while there is none: a pass of a named layer
// allocates what a nameless one does, and not the weights.
func TestNamesCostNothing(t *testing.T) {
	r := source()
	a := NewMultiHeadAttention(8, 2, r)
	l := NewEncoderLayer(a, 8, 16, r)
	x := autograd.Input(make([]float32, 64*8), 64, 8)
	s := autograd.Packed(64)
	tape := &autograd.Tape{NoGrad: true}
	pass := func() {
		tape.Reset()
		l.Forward(tape, x, s)
	}
	pass()
	want := testing.AllocsPerRun(20, pass)
	a.Name, l.Name = "layers.0.attention", "layers.0"
	pass()
	if got := testing.AllocsPerRun(20, pass); got != want {
		t.Errorf("%v allocations with names, %v without", got, want)
	}
}

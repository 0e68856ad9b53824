package explain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/nn"
)

// layered is a module of three layers whose parameters are its maps.
type layered [3]*autograd.Var

func newLayered(r *rand.Rand) *layered {
	m := &layered{}
	for i := range m {
		m[i] = autograd.Param(400)
		for k := range m[i].Data {
			m[i].Data[k] = float32(r.NormFloat64())
		}
	}
	return m
}

func (m *layered) Visit(prefix string, f nn.Visitor) {
	for i, p := range m {
		f(nn.Join(prefix, fmt.Sprintf("layers.%d.weight", i)), p)
	}
	f(nn.Join(prefix, "tied.weight"), m[0])
}

// maps returns two maps that the parameters of one layer are.
func (m *layered) maps(layer int) func() ([][]float64, error) {
	out := [][]float64{make([]float64, 200), make([]float64, 200)} // the same in every call
	return func() ([][]float64, error) {
		for i := range 400 {
			out[i/200][i%200] = float64(m[layer].Data[i])
		}
		return out, nil
	}
}

// TestParameterTest knows at which step the map must change.
func TestParameterTest(t *testing.T) {
	for _, redraw := range []Redraw{nil, NormalValues} {
		for layer := range 3 {
			m := newLayered(rand.New(rand.NewPCG(1, 2)))
			var before []float32
			for _, p := range m {
				before = append(before, p.Data...)
			}
			p := ParameterTest{Module: m, Redraw: redraw}
			r, err := p.Run(background, rand.New(rand.NewPCG(3, 4)), m.maps(layer))
			if err != nil {
				t.Fatal(err)
			}
			var after []float32
			for _, p := range m {
				after = append(after, p.Data...)
			}
			if !slices.Equal(before, after) {
				t.Error("the parameters were not restored")
			}
			if len(r.Cascade) != 3 || len(r.Independent) != 3 || r.Grade != Pass {
				t.Fatalf("%+v", r)
			}
			for i, s := range r.Cascade {
				names := []string{"layers.2", "layers.1", "layers.0"}
				if !slices.Equal(s.Layers, names[:i+1]) || !slices.Equal(r.Independent[i].Layers, names[i:i+1]) {
					t.Errorf("step %d: layers %v and %v", i, s.Layers, r.Independent[i].Layers)
				}
				if kept := i < 2-layer; kept != (s.Rho.Estimate > 0.999) || !kept && s.Rho.Estimate > 0.2 {
					t.Errorf("map of layer %d, cascade step %d: correlation %v", layer, i, s.Rho.Estimate)
				}
				if kept := i != 2-layer; kept != (r.Independent[i].Rho.Estimate > 0.999) {
					t.Errorf("map of layer %d, %s alone: correlation %v", layer, names[i], r.Independent[i].Rho.Estimate)
				}
			}
			if !strings.HasPrefix(r.Sentence, "pass: with random parameters the map keeps a rank correlation of 0.") ||
				!strings.HasSuffix(r.Sentence, "(unrelated maps: 0.06; 2 examples); this is necessary and not sufficient") {
				t.Errorf("sentence %q", r.Sentence)
			}
		}
	}
}

func TestParameterTestGrades(t *testing.T) {
	m := newLayered(rand.New(rand.NewPCG(1, 2)))
	test := ParameterTest{Module: m, Layer: func(string) string { return "all" }}
	run := func(scores func() ([][]float64, error)) (*Randomised, error) {
		return test.Run(background, rand.New(rand.NewPCG(5, 6)), scores)
	}
	// A map of the input alone, and one that becomes its own negative.
	flip := 1.0
	for _, f := range []func() float64{func() float64 { return 1 }, func() float64 { flip = -flip; return flip }} {
		r := must(run(func() ([][]float64, error) {
			f := f()
			return [][]float64{{1 * f, 2 * f, 3 * f}}, nil
		}))
		if r.Grade != Fail || r.Cascade[0].Rho.Estimate != 1 {
			t.Errorf("a map of the input: %+v", r)
		}
	}
	// Correlations of given size: the map is the input plus noise.
	for _, c := range []struct {
		features int
		noise    float64
		want     Grade
	}{{400, 0, Fail}, {400, 1.2, Fail}, {400, 2.5, Warn}, {400, 20, Pass}, {10, 2.5, Undecided}} {
		r := rand.New(rand.NewPCG(7, 8))
		x := make([][]float64, 30)
		for i := range x {
			x[i] = normals(r, c.features)
		}
		first := true
		got := must(run(func() ([][]float64, error) {
			maps := cloneMaps(x)
			for i := range maps {
				for k := range maps[i] {
					if !first {
						maps[i][k] += c.noise * r.NormFloat64()
					}
				}
			}
			first = false
			return maps, nil
		}))
		if got.Grade != c.want || !strings.HasPrefix(got.Sentence, string(c.want)+": ") {
			t.Errorf("%d features, noise %v: %s, want %s", c.features, c.noise, got.Sentence, c.want)
		}
	}
	flat := must(run(func() ([][]float64, error) { return [][]float64{{1, 1, 1}}, nil }))
	if flat.Grade != Undecided || flat.Sentence != "undecided: the maps are flat" {
		t.Errorf("flat maps: %+v", flat)
	}
	// Errors; the parameters are restored after each.
	before := slices.Clone(m[1].Data)
	calls := 0
	broken := errors.New("no maps")
	_, err := run(func() ([][]float64, error) {
		if calls++; calls > 1 {
			return nil, broken
		}
		return [][]float64{{1, 2}}, nil
	})
	if err != broken || !slices.Equal(before, m[1].Data) {
		t.Errorf("error %v", err)
	}
	calls = 0
	_, err = run(func() ([][]float64, error) { calls++; return make([][]float64, calls), nil })
	if err == nil || err.Error() != "maps of 1 and of 2 examples" || !slices.Equal(before, m[1].Data) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := test.Run(ctx, rand.New(rand.NewPCG(5, 6)), m.maps(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	test.Layer = func(string) string { return "" }
	if _, err := run(m.maps(0)); err == nil || err.Error() != "no parameter to randomise" {
		t.Errorf("error %v", err)
	}
}

// TestParameterTestOfAModel randomises a real one.
func TestParameterTestOfAModel(t *testing.T) {
	m, c := smallCase(t, "cls")
	before := c.Score()
	p := ParameterTest{Module: m, Layer: func(name string) string {
		if strings.HasPrefix(name, "masked") {
			return "" // the score does not come from it
		}
		return LayerName(name)
	}}
	r := must(p.Run(background, rand.New(rand.NewPCG(1, 1)), func() ([][]float64, error) {
		g := AttentionGradient(c)
		row := make([]float64, 10) // gradient times weight of [CLS] in the last layer
		for h := range 2 {
			for j := range row {
				at := h*100 + j
				row[j] += float64(g[1].Weights[at]) * float64(g[1].Grad[at])
			}
		}
		return [][]float64{row}, nil
	}))
	var last []string
	for _, s := range r.Cascade {
		last = s.Layers
	}
	if want := []string{"classifier", "norm", "layers.1", "layers.0", "stem.0", "position", "embed"}; !slices.Equal(last, want) {
		t.Errorf("layers %v, want %v", last, want)
	}
	if c.Score() != before {
		t.Error("the model was not restored")
	}
}

func TestRedraw(t *testing.T) {
	x := make([]float32, 10000)
	for i := range x {
		x[i] = float32(3 + 2*rand.New(rand.NewPCG(1, uint64(i))).NormFloat64())
	}
	for name, redraw := range map[string]Redraw{"permute": PermuteValues, "normal": NormalValues} {
		y := slices.Clone(x)
		redraw(y, rand.New(rand.NewPCG(1, 1)))
		mean, square := 0.0, 0.0
		for _, v := range y {
			mean += float64(v) / 1e4
			square += float64(v) * float64(v) / 1e4
		}
		if sd := math.Sqrt(square - mean*mean); slices.Equal(x, y) || math.Abs(mean-3) > 0.1 || math.Abs(sd-2) > 0.1 {
			t.Errorf("%s: mean %v, standard deviation %v, want 3 and 2", name, mean, sd)
		}
		if sx, sy := slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y)); slices.Equal(sx, sy) != (name == "permute") {
			t.Errorf("%s: same values %t", name, slices.Equal(sx, sy))
		}
	}
	for name, want := range map[string]string{
		"layers.3.attention.query.weight": "layers.3", "layers.11.norm1.bias": "layers.11", "embed.weight": "embed", "norm": "norm",
	} {
		if got := LayerName(name); got != want {
			t.Errorf("layer %q of %q, want %q", got, name, want)
		}
	}
}

func TestRandomLogit(t *testing.T) {
	m := smallModel(t, "cls")
	ids := []int32{3, 4, 6, 5, 3, 3, 6, 4, 5}
	layers := [2][]Layer{AttentionGradient(caseOf(m, ids, 0)), AttentionGradient(caseOf(m, ids, 1))}
	rollouts := [2][][]float64{{Rollout(layers[0], 0, Mean)}, {Rollout(layers[1], 0, Mean)}}
	r := must(RandomLogit(rand.New(rand.NewPCG(1, 1)), rollouts[0], rollouts[1]))
	if !r.ClassAgnostic || r.Rho.Estimate != 1 {
		t.Errorf("rollout: %+v", r)
	}
	var signed [2][][]float64
	for class := range signed {
		signed[class] = [][]float64{make([]float64, 10)}
		for j := range 10 {
			signed[class][0][j] = float64(layers[class][1].Weights[j] * layers[class][1].Grad[j])
		}
	}
	r = must(RandomLogit(rand.New(rand.NewPCG(1, 1)), signed[0], signed[1]))
	if r.ClassAgnostic || math.Abs(r.Rho.Estimate+1) > 1e-9 {
		t.Errorf("gradient times attention: %+v", r)
	}
	// One example that differs is enough to lose the badge.
	for _, other := range [][][]float64{{{1, 2, 3}, {1, 2, 4}}, {{1, 2, 4}, {1, 2, 3}}} {
		r = must(RandomLogit(rand.New(rand.NewPCG(1, 1)), [][]float64{{1, 2, 3}, {1, 2, 3}}, other))
		if r.ClassAgnostic || r.Rho.Estimate != 1 {
			t.Errorf("%+v", r)
		}
	}
	for _, c := range []struct {
		a, b [][]float64
		want string
	}{
		{nil, nil, "maps of 0 and of 0 examples"},
		{[][]float64{{1}}, [][]float64{{1, 2}}, "example 0: maps of 1 and of 2 features"},
		{[][]float64{{1}}, [][]float64{{math.NaN()}}, "example 0: a score is not a number"},
	} {
		if _, err := RandomLogit(rand.New(rand.NewPCG(1, 1)), c.a, c.b); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestSeedStability(t *testing.T) {
	a := []float64{1, 2, 3}
	s := must(SeedStability([][][]float64{{a, a}, {a, a}, {a, {3, 2, 1}}, {{3, 2, 1}, {3, 2, 1}}}))
	want := [][]float64{{1, 1, 0, -1}, {1, 1, 0, -1}, {0, 0, 1, 0}, {-1, -1, 0, 1}}
	for i, row := range s.Rho {
		near(t, "correlations", row, want[i], 1e-12)
	}
	near(t, "mean, low, high", []float64{s.Mean, s.Low, s.High}, []float64{-1. / 6, -1, 1}, 1e-12)
	if _, err := SeedStability([][][]float64{{a}}); err == nil || err.Error() != "maps of 1 models: want 2 or more" {
		t.Errorf("error %v", err)
	}
	if _, err := SeedStability([][][]float64{{a}, {a[1:]}}); err == nil || err.Error() != "models 0 and 1: example 0: maps of 3 and of 2 features" {
		t.Errorf("error %v", err)
	}
}

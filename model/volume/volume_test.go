package volume

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/nn"
	"heed/train"
)

func source() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// small is a configuration that a test can train.
func small(mixer string) Config {
	c := Config{Size: [3]int{8, 6, 10}, Spacing: [3]float64{2, 1, 1}, Channels: 1, Stem: []int{8, 12}, Blocks: 1, Mixer: mixer, Layers: 2,
		Heads: 2, FFN: 16, Position: "sinusoidal", Pooling: "mean", Classes: 2}
	if mixer == Attention {
		c.Pooling = "cls"
	}
	return c
}

func noise(n int, r *rand.Rand) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// All alternatives at the default size have the parameters of attention to
// within 2 %.
func TestMixersHaveEqualParameters(t *testing.T) {
	counts := map[string]int{}
	for _, mixer := range Mixers() {
		c := Config{Size: [3]int{28, 28, 28}, Spacing: [3]float64{1, 1, 1}, Channels: 1, Stem: []int{16, 48}, Blocks: 1, Mixer: mixer, Layers: 2,
			Heads: 4, FFN: 96, Position: "sinusoidal", Pooling: "mean", Classes: 2}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		counts[mixer] = nn.Count(New(c, nil))
	}
	for mixer, n := range counts {
		if r := float64(n) / float64(counts[Attention]); r < 0.98 || r > 1.02 {
			t.Errorf("%s has %d parameters, attention %d", mixer, n, counts[Attention])
		}
	}
}

// The logits of a volume are the same bits in any company, and with or without
// a gradient or a probe.
func TestLogitsOfAVolumeDependOnItAlone(t *testing.T) {
	for _, mixer := range Mixers() {
		for _, pooling := range []string{"cls", "mean", "meanmax"} {
			c := small(mixer)
			c.Pooling = pooling
			if err := c.Validate(); err != nil {
				if pooling != "cls" || mixer == Attention {
					t.Error(err)
				}
				continue
			}
			m, n := New(c, source()), voxels(c.Size)
			x := noise(3*n, source())
			together := m.Logits(&autograd.Tape{}, autograd.Input(x, 3, 8, 6, 10, 1))
			alone := m.Logits(&autograd.Tape{NoGrad: true}, autograd.Input(x[n:2*n], 1, 8, 6, 10, 1))
			if !slices.Equal(together.Data[2:4], alone.Data) {
				t.Errorf("%s, %s: %v among others, %v alone", mixer, pooling, together.Data[2:4], alone.Data)
			}
			seen := map[string][]int{}
			probed := m.Logits(&autograd.Tape{Probe: func(name string, v *autograd.Var) { seen[name] = slices.Clone(v.Shape) }}, autograd.Input(x, 3, 8, 6, 10, 1))
			for i, v := range probed.Data {
				if d := v - together.Data[i]; d > 1e-5 || d < -1e-5 {
					t.Errorf("%s, %s: logits %v with a probe, %v without", mixer, pooling, probed.Data, together.Data)
				}
			}
			if !slices.Equal(seen["map"], []int{3, 2, 2, 3, 12}) {
				t.Errorf("%s: the probe saw a map of %v", mixer, seen["map"])
			}
			if w := seen["layers.1.attention.weights"]; mixer == Attention && pooling == "cls" && !slices.Equal(w, []int{3, 2, 13, 13}) {
				t.Errorf("weights %v, want those of [CLS] and 12 voxels", w)
			}
			if w := seen["layers.1.attention.depth.weights"]; mixer == Axial && !slices.Equal(w, []int{18, 2, 2, 2}) {
				t.Errorf("weights along the depth %v", w)
			}
		}
	}
}

// Axial attention is attention over what lies on the three lines through a voxel,
// here by plain loops over queries and keys of one head.
func TestAxialAgainstPlainLoops(t *testing.T) {
	grid := [3]int{2, 3, 4}
	const d, batch = 4, 2
	a := &axial{nn.NewMultiHeadAttention(d, 1, source()), grid}
	n := voxels(grid)
	x := autograd.Input(noise(batch*n*d, source()), batch*n, d)
	tape := &autograd.Tape{}
	segments := autograd.Packed(n, n)
	got := a.Mix(tape, x, segments)
	q, k, v := a.Query.Forward(tape, x), a.Key.Forward(tape, x), a.Value.Forward(tape, x)
	sum := make([]float32, batch*n*d)
	at := func(i int) [3]int { return [3]int{i / 12, i / 4 % 3, i % 4} }
	for b := range batch {
		for i := range n {
			for axis := range 3 {
				var w, total float64
				mix := make([]float64, d)
				for j := range n {
					same := true
					for o := range 3 {
						same = same && (o == axis || at(i)[o] == at(j)[o])
					}
					if !same {
						continue
					}
					s := 0.0
					for c := range d {
						s += float64(q.Data[(b*n+i)*d+c]) * float64(k.Data[(b*n+j)*d+c])
					}
					w = math.Exp(s / 2)
					total += w
					for c := range d {
						mix[c] += w * float64(v.Data[(b*n+j)*d+c])
					}
				}
				for c := range d {
					sum[(b*n+i)*d+c] += float32(mix[c] / total)
				}
			}
		}
	}
	want := a.Out.Forward(tape, autograd.Input(sum, batch*n, d))
	for i := range want.Data {
		if e := got.Data[i] - want.Data[i]; e > 1e-5 || e < -1e-5 {
			t.Fatalf("element %d: %v, want %v", i, got.Data[i], want.Data[i])
		}
	}
}

// Every mixer learns where two bright voxels lie to one another: on the same
// side of the middle or not. No histogram tells. Attention and the axial one
// need no neighbourhood for it; the others have one that covers the map.
func TestMixersLearn(t *testing.T) {
	for _, mixer := range Mixers() {
		c := small(mixer)
		m, n := New(c, source()), voxels(c.Size)
		r := source()
		x, labels := make([]float32, 64*n), make([]int32, 64)
		for i := range 64 {
			labels[i] = int32(i % 2)
			z, y := r.IntN(3), r.IntN(6)
			x[i*n+(z*6+y)*10+r.IntN(10)] = 4
			if labels[i] == 1 {
				z += 5
			}
			x[i*n+(z*6+y)*10+r.IntN(10)] += 4
		}
		loss := func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			var in []float32
			var y []int32
			for _, e := range examples {
				in, y = append(in, x[e*n:(e+1)*n]...), append(y, labels[e])
			}
			return autograd.CrossEntropy(t, m.Logits(t, autograd.Input(in, len(examples), 8, 6, 10, 1)), y, norm)
		}
		run, err := train.New(train.Config{Epochs: 25, Batch: 16, Leaves: 2, Rate: 3e-3, Warmup: 0.1},
			train.Problem{Model: m, Lengths: slices.Repeat([]int{12}, 64), Loss: loss})
		if err != nil {
			t.Fatal(err)
		}
		var first, last float64
		for s, err := range run.Steps(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if s.N == 1 {
				first = s.Loss
			}
			last = s.Loss
		}
		if !(last < first/4) {
			t.Errorf("%s: the loss went from %.3f to %.3f", mixer, first, last)
		}
	}
}

// Recomputation changes no bit, dropout included, and needs less memory.
func TestRecompute(t *testing.T) {
	var want []float32
	for _, recompute := range []bool{false, true} {
		c := small(Attention)
		c.Dropout, c.Recompute = 0.2, recompute
		m := New(c, source())
		tape := &autograd.Tape{Rand: source()}
		x := autograd.Input(noise(2*voxels(c.Size), source()), 2, 8, 6, 10, 1)
		tape.Backward(autograd.CrossEntropy(tape, m.Logits(tape, x), []int32{0, 1}, 2))
		var got []float32
		for _, p := range nn.Params(m) {
			got = append(got, tape.Grad(p)...)
		}
		if want == nil {
			want = got
		} else if !slices.Equal(got, want) {
			t.Error("gradients have other bits")
		}
	}
}

// The plan is not below what a step takes by more than a tenth, nor above it by a quarter.
func TestPlan(t *testing.T) {
	for _, recompute := range []bool{false, true} {
		c := Config{Size: [3]int{24, 24, 24}, Spacing: [3]float64{1, 1, 1}, Channels: 1, Stem: []int{8, 16}, Blocks: 1, Mixer: Attention, Layers: 1,
			Heads: 2, FFN: 32, Position: "learned", Pooling: "cls", Classes: 2, Dropout: 0.1, Recompute: recompute}
		m := New(c, source())
		x := autograd.Input(noise(4*voxels(c.Size), source()), 4, 24, 24, 24, 1)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tape := &autograd.Tape{Rand: source()} // its arena gives nothing back
		tape.Backward(autograd.CrossEntropy(tape, m.Logits(tape, x), []int32{0, 1, 1, 0}, 4))
		runtime.ReadMemStats(&after)
		took := int64(after.TotalAlloc - before.TotalAlloc)
		plan := NewPlan(c, 4, 1)
		if plan.Activations < took*9/10 || plan.Activations > took*5/4 {
			t.Errorf("recompute %v: planned %d bytes of activations, a step takes %d", recompute, plan.Activations, took)
		}
	}
}

// Equal places have equal codes whatever the spacing, and all places differ.
func TestPositionsAreInMillimetres(t *testing.T) {
	fine, coarse := Positions([3]int{4, 5, 6}, [3]float64{2, 2, 2}, 24), Positions([3]int{2, 3, 3}, [3]float64{4, 4, 4}, 24)
	row := func(v *autograd.Var, i int) []float32 { return v.Data[i*24 : (i+1)*24] }
	if !slices.Equal(row(fine, (2*5+4)*6+2), row(coarse, (1*3+2)*3+1)) {
		t.Error("voxel (2, 4, 2) of 2 mm and voxel (1, 2, 1) of 4 mm have different codes")
	}
	for i := range 120 {
		for j := range i {
			if slices.Equal(row(fine, i), row(fine, j)) {
				t.Fatalf("voxels %d and %d have one code", i, j)
			}
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		change func(c *Config)
		want   string
	}{
		{func(c *Config) { c.Size[1] = 0 }, "size [8 0 10]: want edges of 1 to 1024 voxels"},
		{func(c *Config) { c.Size = [3]int{1024, 1024, 1024} }, "size [1024 1024 1024]: want 134217728 voxels or fewer"},
		{func(c *Config) { c.Spacing[2] = math.NaN() }, "spacing [2 1 NaN] mm: want numbers above 0, up to 1000"},
		{func(c *Config) { c.Stem = nil }, "stem of 0 stages: want 1 to 10"},
		{func(c *Config) { c.Stem[0] = 6 }, "stem of [6 12] channels: want multiples of 4, up to 4096"},
		{func(c *Config) { c.Heads = 5 }, "heads 5: want a divisor of the stem's last 12 channels"},
		{func(c *Config) { c.Mixer = "mlp" }, `mixer "mlp": want one of ["attention" "axial" "conv" "inception" "lstm"]`},
		{func(c *Config) { c.Mixer = Conv }, "pooling cls needs the mixer attention, not conv: [CLS] stands on no grid"},
		{func(c *Config) { c.Position = "rotary" }, `position "rotary": want sinusoidal, learned or none`},
		{func(c *Config) { c.Pooling = "max" }, `pooling "max": want cls, mean or meanmax`},
		{func(c *Config) { c.Dropout = 1 }, "dropout 1: want 0 or more, less than 1"},
		{func(c *Config) { c.Size = [3]int{128, 128, 128} }, "full attention over 32 x 32 x 32 voxels: 32768 tokens, 1.07 billion scores for each head and layer " +
			"(4.29 GB as float32), limit 8192 tokens; a stem of 4 stages leaves 8 x 8 x 8 = 512 tokens, 4.1 thousand times fewer scores " +
			`(or mix by "axial": 3.15 million scores)`},
	} {
		cfg := small(Attention)
		c.change(&cfg)
		if err := cfg.Validate(); err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
	cfg := small(Attention)
	cfg.Size = [3]int{512, 512, 300}
	if err := cfg.RawAttention(); err == nil || !strings.Contains(err.Error(), "78643200 tokens") || !strings.Contains(err.Error(), "24.7 PB") {
		t.Errorf("raw CT: %v", err)
	}
}

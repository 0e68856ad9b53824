package sequence

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/nn"
)

// small returns a valid configuration.
func small() Config {
	return Config{
		Tokenizer: Tokenizer{K: 1}, MaxLen: 40, Layers: 2, Dim: 16, Heads: 2, FFN: 24,
		Stem: []int{3, 4}, Position: "learned", Pooling: "cls", Classes: 3,
	}
}

var positions = []string{"learned", "sinusoidal", "rotary", "relative"}

// newModel returns a model with random values in all parameters: also in those
// that New sets to zero or one.
func newModel(c Config) *Model {
	r := source()
	m := New(c, r)
	for _, p := range nn.Params(m) {
		for i := range p.Data {
			p.Data[i] += float32(0.1 * r.NormFloat64())
		}
	}
	return m
}

func TestConfigValidate(t *testing.T) {
	valid := small()
	if err := valid.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"k-mer length 9: want 1 to 6":                                   func(c *Config) { c.Tokenizer.K = 9 },
		"max_len 2: want 3 to 1048576":                                  func(c *Config) { c.Tokenizer.K, c.MaxLen = 3, 2 },
		"max_len 1048577: want 1 to 1048576":                            func(c *Config) { c.MaxLen = 1<<20 + 1 },
		"layers -1: want 0 to 256":                                      func(c *Config) { c.Layers = -1 },
		"layers 257: want 0 to 256":                                     func(c *Config) { c.Layers = 257 },
		"dim 0: want an even number, 2 to 16384":                        func(c *Config) { c.Dim = 0 },
		"dim 15: want an even number, 2 to 16384":                       func(c *Config) { c.Dim = 15 },
		"dim 16386: want an even number, 2 to 16384":                    func(c *Config) { c.Dim = 16386 },
		"heads 0: want a divisor of dim 16":                             func(c *Config) { c.Heads = 0 },
		"heads 3: want a divisor of dim 16":                             func(c *Config) { c.Heads = 3 },
		"ffn 0: want 1 to 65536":                                        func(c *Config) { c.FFN = 0 },
		"ffn 65537: want 1 to 65536":                                    func(c *Config) { c.FFN = 1<<16 + 1 },
		"stem of 17 convolutions: want 16 or fewer":                     func(c *Config) { c.Stem = make([]int, 17) },
		"stem kernel 0: want 1 to 255":                                  func(c *Config) { c.Stem = []int{3, 0} },
		"stem kernel 256: want 1 to 255":                                func(c *Config) { c.Stem = []int{256} },
		"classes 1: want 2 to 1000":                                     func(c *Config) { c.Classes = 1 },
		"classes 1001: want 2 to 1000":                                  func(c *Config) { c.Classes = 1001 },
		"position_scale -1: want 0 to 10":                               func(c *Config) { c.PositionScale = -1 },
		"dropout 1: want 0 or more, less than 1":                        func(c *Config) { c.Dropout = 1 },
		"dropout -0.1: want 0 or more, less than 1":                     func(c *Config) { c.Dropout = -0.1 },
		"dropout NaN: want 0 or more, less than 1":                      func(c *Config) { c.Dropout = float32(math.NaN()) },
		`pooling "": want cls or mean`:                                  func(c *Config) { c.Pooling = "" },
		`pooling "max": want cls or mean`:                               func(c *Config) { c.Pooling = "max" },
		`position "none": want learned, sinusoidal, rotary or relative`: func(c *Config) { c.Position = "none" },
		"rotary positions need heads of even width, not 1":              func(c *Config) { c.Position, c.Heads = "rotary", 16 },
	} {
		c := small()
		change(&c)
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	for _, position := range positions {
		c := small()
		c.Position, c.Pooling, c.Layers, c.Stem = position, "mean", 0, nil
		if err := c.Validate(); err != nil {
			t.Errorf("%s, no layers: %v", position, err)
		}
	}
}

// The names are what checkpoints store: they must never change.
func TestVisitNames(t *testing.T) {
	layer := func(i int, relative string) string {
		s := "norm1.weight norm1.bias attention.query.weight attention.query.bias attention.key.weight attention.key.bias " +
			"attention.value.weight attention.value.bias " + relative + " attention.out.weight attention.out.bias " +
			"norm2.weight norm2.bias up.weight up.bias down.weight down.bias"
		var names []string
		for _, name := range strings.Fields(s) {
			names = append(names, fmt.Sprintf("layers.%d.%s", i, name))
		}
		return strings.Join(names, " ")
	}
	head := " norm.weight norm.bias classifier.weight classifier.bias masked.weight masked.bias"
	stem := " stem.0.weight stem.0.bias stem.1.weight stem.1.bias "
	for position, want := range map[string]string{
		"learned":    "embed.weight position.weight" + stem + layer(0, "") + " " + layer(1, "") + head,
		"sinusoidal": "embed.weight" + stem + layer(0, "") + " " + layer(1, "") + head,
		"rotary":     "embed.weight" + stem + layer(0, "") + " " + layer(1, "") + head,
		"relative":   "embed.weight" + stem + layer(0, "attention.relative") + " " + layer(1, "attention.relative") + head,
	} {
		c := small()
		c.Position = position
		for _, prefix := range []string{"", "members.2."} {
			var got, wants []string
			New(c, nil).Visit(strings.TrimSuffix(prefix, "."), func(name string, _ *autograd.Var) { got = append(got, name) })
			for _, name := range strings.Fields(want) {
				wants = append(wants, prefix+name)
			}
			if !slices.Equal(got, wants) {
				t.Errorf("%s: names\n%q, want\n%q", position, got, wants)
			}
		}
	}
}

func TestPack(t *testing.T) {
	c := small()
	c.MaxLen = 3
	m := New(c, nil)
	b := m.Pack([]int32{3, 4, 5}, nil, []int32{7})
	if want := []int32{1, 3, 4, 5, 1, 1, 7}; !slices.Equal(b.Tokens, want) {
		t.Errorf("tokens %v, want %v", b.Tokens, want)
	}
	if want := []int32{0, 1, 2, 3, 0, 0, 1}; !slices.Equal(b.Positions, want) {
		t.Errorf("positions %v, want %v", b.Positions, want)
	}
	if want := []autograd.Segment{{Start: 0, Count: 4, Stride: 1}, {Start: 4, Count: 1, Stride: 1}, {Start: 5, Count: 2, Stride: 1}}; !slices.Equal(b.Segments, want) {
		t.Errorf("segments %v, want %v", b.Segments, want)
	}
	if want := []autograd.Segment{{Start: 1, Count: 3, Stride: 1}, {Start: 5, Count: 0, Stride: 1}, {Start: 6, Count: 1, Stride: 1}}; !slices.Equal(b.Letters, want) {
		t.Errorf("letters %v, want %v", b.Letters, want)
	}
	if want := []int32{0, 4, 5}; !slices.Equal(b.Cls, want) {
		t.Errorf("[CLS] at %v, want %v", b.Cls, want)
	}
	if slices.Contains(b.Tokens, PadToken) {
		t.Error("a packed batch has padding")
	}
	defer func() {
		if got, want := recover(), "sequence: 4 tokens, limit 3"; got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	m.Pack([]int32{3, 3, 3, 3})
}

// A sequence has the same logits, to the bit, alone and packed with others in
// any order: nothing leaks from one to another.
func TestPackingChangesNothing(t *testing.T) {
	r := source()
	var seqs [][]int32
	for _, n := range []int{40, 1, 17, 0, 33, 8} {
		seqs = append(seqs, Tokenizer{K: 1}.Encode(letters("ACGTN", n, r)))
	}
	for _, position := range positions {
		for _, pooling := range []string{"cls", "mean"} {
			c := small()
			c.Position, c.Pooling = position, pooling
			m := newModel(c)
			var alone [][]float32
			for _, s := range seqs {
				alone = append(alone, slices.Clone(m.Logits(&autograd.Tape{NoGrad: true}, m.Pack(s)).Data))
			}
			if slices.Equal(alone[0], alone[2]) {
				t.Fatalf("%s, %s: two sequences have the same logits", position, pooling)
			}
			for range 4 {
				order := r.Perm(len(seqs))
				var packed [][]int32
				for _, i := range order {
					packed = append(packed, seqs[i])
				}
				logits := m.Logits(&autograd.Tape{}, m.Pack(packed...))
				if !slices.Equal(logits.Shape, []int{len(seqs), 3}) {
					t.Fatalf("shape %v", logits.Shape)
				}
				for row, i := range order {
					if got := logits.Data[3*row : 3*row+3]; !slices.Equal(got, alone[i]) {
						t.Errorf("%s, %s: sequence %d packed in order %v: %v, alone %v", position, pooling, i, order, got, alone[i])
					}
				}
			}
		}
	}
}

// Without positions attention is blind to the order of the letters; each kind
// of position lets the model see it.
func TestPositionsSeeOrder(t *testing.T) {
	a, b := Tokenizer{K: 1}.Encode([]byte("ACGTTA")), Tokenizer{K: 1}.Encode([]byte("TAGCAT"))
	difference := func(m *Model) (d float64) {
		logits := m.Logits(&autograd.Tape{NoGrad: true}, m.Pack(a, b)).Data
		for i := range 3 {
			d = max(d, math.Abs(float64(logits[i]-logits[3+i])))
		}
		return d
	}
	for _, position := range positions {
		for _, pooling := range []string{"cls", "mean"} {
			c := small()
			c.Stem, c.Position, c.Pooling = nil, position, pooling // a convolution sees the order too
			m := newModel(c)
			if d := difference(m); d < 1e-3 {
				t.Errorf("%s, %s: permuted letters change the logits by %g", position, pooling, d)
			}
			m.Position = nil
			for _, l := range m.Layers {
				a := l.Mixer.(*nn.MultiHeadAttention)
				a.Rotary, a.Relative = nil, nil
			}
			if d := difference(m); d > 1e-5 {
				t.Errorf("%s, %s: with positions removed, permuted letters change the logits by %g", position, pooling, d)
			}
		}
	}
}

// What explain reads: the weights of every layer and head, whose rows sum to 1,
// and the gradients of weights and embedding.
func TestProbe(t *testing.T) {
	m := newModel(small())
	seen := map[string]*autograd.Var{}
	tape := &autograd.Tape{Probe: func(name string, v *autograd.Var) { seen[name] = v }}
	b := m.Pack(m.Config.Tokenizer.Encode([]byte("ACGTTA")))
	logits := m.Logits(tape, b)
	tape.BackwardFrom(logits, []float32{0, 1, 0})
	plain := m.Logits(&autograd.Tape{}, b)
	for i, v := range logits.Data {
		if math.Abs(float64(v-plain.Data[i])) > 1e-5 {
			t.Errorf("logit %d: %v probed, %v not", i, v, plain.Data[i])
		}
	}
	for name, shape := range map[string][]int{
		"embedding":                  {7, 16},
		"layers.0.input":             {7, 16},
		"layers.1.input":             {7, 16},
		"layers.0.middle":            {7, 16},
		"layers.1.middle":            {7, 16},
		"layers.0.attention.heads":   {7, 16},
		"layers.1.attention.heads":   {7, 16},
		"layers.0.attention.weights": {1, 2, 7, 7},
		"layers.1.attention.weights": {1, 2, 7, 7},
		"layers.0.output":            {7, 16},
		"layers.1.output":            {7, 16},
	} {
		v := seen[name]
		if v == nil {
			t.Errorf("the probe did not see %s", name)
			continue
		}
		if !slices.Equal(v.Shape, shape) {
			t.Errorf("%s: shape %v, want %v", name, v.Shape, shape)
		}
		var sum float64
		for _, g := range tape.Grad(v) {
			sum += math.Abs(float64(g))
		}
		if len(tape.Grad(v)) != len(v.Data) || !(sum > 0) {
			t.Errorf("%s: %d gradients of sum %v", name, len(tape.Grad(v)), sum)
		}
		if !strings.HasSuffix(name, ".weights") {
			continue
		}
		for row := range v.Rows() {
			sum = 0
			for _, w := range v.Data[row*7 : row*7+7] {
				sum += float64(w)
			}
			if math.Abs(sum-1) > 1e-6 {
				t.Errorf("%s: row %d sums to %v", name, row, sum)
			}
		}
	}
	if len(seen) != 15 {
		t.Errorf("the probe saw %d values, want 15", len(seen))
	}
}

// The gradient of the embedding is that of the logit: a small step along it
// changes the logit as it says.
func TestEmbeddingGradient(t *testing.T) {
	m := newModel(small())
	b := m.Pack(m.Config.Tokenizer.Encode([]byte("ACCCCC"))) // A and [CLS] occur once
	var embedding *autograd.Var
	tape := &autograd.Tape{Probe: func(name string, v *autograd.Var) {
		if name == "embedding" {
			embedding = v
		}
	}}
	tape.BackwardFrom(m.Logits(tape, b), []float32{0, 1, 0})
	row := m.Embed.Weight.Data[3*16 : 4*16] // the token A, in row 1
	logit := func(i int, step float32) float64 {
		old := row[i]
		row[i] += step
		defer func() { row[i] = old }()
		return float64(m.Logits(&autograd.Tape{NoGrad: true}, b).Data[1])
	}
	const step = 1. / 64
	for i := range row {
		want := (logit(i, step) - logit(i, -step)) / (2 * step)
		if got := float64(tape.Grad(embedding)[16+i]); math.Abs(got-want) > 1e-3+0.02*math.Abs(want) {
			t.Errorf("coordinate %d: gradient %v, difference quotient %v", i, got, want)
		}
	}
}

func TestNewIsDeterministic(t *testing.T) {
	a, b := nn.Params(New(small(), source())), nn.Params(New(small(), source()))
	for i := range a {
		if !slices.Equal(a[i].Data, b[i].Data) {
			t.Errorf("parameter %d differs between two models of one seed", i)
		}
	}
}

// Without a gradient the last layer computes [CLS] rows alone. The bits are
// those of the pass that computes all rows.
func TestLogitsOfClsAlone(t *testing.T) {
	for _, position := range positions {
		for _, layers := range []int{0, 1, 3} {
			c := small()
			c.Position, c.Layers, c.MaxLen = position, layers, 100
			m := newModel(c)
			var seqs [][]int32
			for _, n := range []int{100, 7, 0, 40} {
				seqs = append(seqs, c.Tokenizer.Encode(letters("ACGTN", n, source())))
			}
			b := m.Pack(seqs...)
			var full autograd.Tape
			want := slices.Clone(m.Logits(&full, b).Data)
			rows := 0
			probed := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
				if name == "layers.0.output" {
					rows = v.Dim(0)
				}
			}}
			for name, tape := range map[string]*autograd.Tape{"values": {NoGrad: true}, "probe": probed} {
				got := m.Logits(tape, b).Data
				for i := range want {
					// A probe materialises the weights, which are added up in another order.
					if d := math.Abs(float64(got[i] - want[i])); name == "values" && d > 0 || d > 1e-5 {
						t.Errorf("%s, %d layers, %s: logits %v, want %v", position, layers, name, got, want)
						break
					}
				}
			}
			if layers > 0 && rows != len(b.Tokens) {
				t.Errorf("%s, %d layers: a probe saw %d rows of %d", position, layers, rows, len(b.Tokens))
			}
		}
	}
}

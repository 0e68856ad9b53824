package baseline

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/autograd"
	"heed/internal/golden"
	"heed/nn"
	"heed/optim"
	"heed/tensor"
)

func TestCNNConfig(t *testing.T) {
	for _, c := range []struct {
		change func(*CNNConfig)
		want   string
	}{
		{func(c *CNNConfig) { c.Length = -1 }, "length -1: want 0 to 1048576"},
		{func(c *CNNConfig) { c.Filters = 0 }, "filters 0: want 1 to 4096"},
		{func(c *CNNConfig) { c.Kernel = 1024 }, "kernel 1024: want 1 to 1023"},
		{func(c *CNNConfig) { c.Pool = 0 }, "pool 0: want 1 to the length, 81"},
		{func(c *CNNConfig) { c.Pool = 82 }, "pool 82: want 1 to the length, 81"},
		{func(c *CNNConfig) { c.Dense = 0 }, "dense 0: want 1 to 16384"},
		{func(c *CNNConfig) { c.Classes = 1 }, "classes 1: want 2 to 1000"},
		{func(c *CNNConfig) { c.Dropout = 1 }, "dropout 1: want 0 or more, less than 1"},
		{func(c *CNNConfig) { c.Dropout = float32(math.NaN()) }, "dropout NaN: want 0 or more, less than 1"},
		{func(c *CNNConfig) { c.Length = 1 << 20 }, "a hidden layer of 6710886400 weights: want 134217728 or fewer; a larger pool makes fewer"},
	} {
		cfg := DefaultCNNConfig(81, 2)
		c.change(&cfg)
		if err := cfg.Validate(); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	for _, length := range []int{0, 5, 57, 81, 251, 300} {
		cfg := DefaultCNNConfig(length, 2)
		if err := cfg.Validate(); err != nil {
			t.Errorf("length %d: %v", length, err)
		}
	}
	if c := DefaultCNNConfig(81, 2); c.Filters != 100 || c.Kernel != 7 || c.Pool != 2 || c.Dense != 128 {
		t.Errorf("not that of CNNProm for bacteria: %+v", c)
	}
}

func TestCNNGolden(t *testing.T) {
	cases, err := golden.Load("testdata/cnn.json")
	if err != nil {
		t.Fatal(err)
	}
	for i := range cases {
		c := &cases[i]
		t.Run(c.Name, func(t *testing.T) {
			lengths := c.Ints("lengths")
			w, h := c.Input("conv_w"), c.Input("hidden_w")
			cfg := CNNConfig{
				Filters: w.Dim(0), Kernel: w.Dim(1), Pool: c.Int("pool"),
				Dense: h.Dim(0), Classes: c.Input("out_w").Dim(0),
			}
			if cfg.Pool > 0 {
				cfg.Length = lengths[0]
			}
			m := NewCNN(cfg, nil)
			params := map[string]*autograd.Var{
				"conv_w": m.Conv.Weight, "conv_b": m.Conv.Bias,
				"hidden_w": m.Hidden.Weight, "hidden_b": m.Hidden.Bias,
				"out_w": m.Out.Weight, "out_b": m.Out.Bias,
			}
			for name, p := range params {
				in := c.Input(name)
				tensor.Check(name, in.Shape, p.Shape...)
				copy(p.Data, in.Data)
			}
			x := c.Input("x")
			tape := &autograd.Tape{}
			y := m.Logits(tape, &Batch{autograd.Input(x.Data, x.Shape...), autograd.Packed(lengths...)})
			c.Check(t, "out", y.Data)
			tape.BackwardFrom(y, c.Cotangent("out").Data)
			for _, name := range c.Inputs() {
				c.Check(t, "grad."+name, tape.Grad(params[name]))
			}
		})
	}
}

func TestPack(t *testing.T) {
	b := Pack([]byte("AcN"), nil, []byte("uG"))
	want := []float32{
		1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0,
		0, 0, 0, 1, 0, 0, 1, 0,
	}
	if !slices.Equal(b.OneHot.Data, want) || !slices.Equal(b.Segments, autograd.Packed(3, 1, 2)) {
		t.Errorf("%v %v", b.OneHot.Data, b.Segments)
	}
}

func TestCNNShape(t *testing.T) {
	defer func() {
		var shape *tensor.ShapeError
		if err, _ := recover().(error); !errors.As(err, &shape) || shape.Got[0] != 11 || shape.Want[0] != 12 {
			t.Errorf("panic %v, want a shape error of 11 and 12", err)
		}
	}()
	m := NewCNN(DefaultCNNConfig(12, 2), source(1))
	m.Logits(&autograd.Tape{}, Pack(make([]byte, 12), make([]byte, 11)))
}

func TestCNNVisit(t *testing.T) {
	var names []string
	m := NewCNN(DefaultCNNConfig(81, 2), source(1))
	m.Visit("net", func(name string, p *autograd.Var) { names = append(names, name) })
	want := []string{"net.conv.weight", "net.conv.bias", "net.hidden.weight", "net.hidden.bias", "net.out.weight", "net.out.bias"}
	if !slices.Equal(names, want) {
		t.Errorf("%v", names)
	}
	// (4·7+1)·100 + (41·100+1)·128 + (128+1)·2
	if n := nn.Count(m); n != 2900+524928+258 {
		t.Errorf("%d parameters", n)
	}
}

// learn trains a CNN with AdamW and returns it.
func learn(t *testing.T, cfg CNNConfig, seqs [][]byte, labels []int, steps int) *CNN {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	m := NewCNN(cfg, source(20))
	params := nn.Params(m)
	opt := &optim.AdamW{Decay: 0.01}
	r := source(21)
	tape := &autograd.Tape{Rand: rand.New(rand.NewPCG(22, 1))}
	for range steps {
		batch := make([][]byte, 32)
		truth := make([]int32, len(batch))
		for i := range batch {
			j := r.IntN(len(seqs))
			batch[i], truth[i] = seqs[j], int32(labels[j])
		}
		tape.Backward(autograd.CrossEntropy(tape, m.Logits(tape, Pack(batch...)), truth, float32(len(batch))))
		autograd.Gather(params, tape)
		opt.Update(params, 3e-3, 1)
		tape.Reset()
	}
	return m
}

// A network with a length learns where a word must lie, which no count of words
// tells; one without learns a word wherever it lies.
func TestCNNLearns(t *testing.T) {
	r := source(23)
	seqs := random(r, 900, 40)
	labels := halves(len(seqs))
	for i, s := range seqs { // both classes have the word, at different places
		copy(s[6+18*labels[i]+r.IntN(6):], "TATAAT")
	}
	cfg := CNNConfig{Length: 40, Filters: 16, Kernel: 7, Pool: 2, Dense: 32, Classes: 2, Dropout: 0.2}
	m := learn(t, cfg, seqs[:700], labels[:700], 150)
	if a := auroc(t, m.Predict(seqs[700:]), labels[700:]); a < 0.97 {
		t.Errorf("place: AUROC %.3f", a)
	}

	for i, s := range random(r, 900, 40) {
		seqs[i] = s[:20+r.IntN(21)]
		if labels[i] == 1 {
			copy(seqs[i][r.IntN(len(seqs[i])-6):], "TATAAT")
		}
	}
	cfg.Length = 0
	m = learn(t, cfg, seqs[:700], labels[:700], 250)
	if a := auroc(t, m.Predict(seqs[700:]), labels[700:]); a < 0.93 {
		t.Errorf("any place: AUROC %.3f", a)
	}
}

// Predict gives the probabilities of Logits, whatever else is in the batch.
func TestCNNPredict(t *testing.T) {
	m := NewCNN(CNNConfig{Length: 30, Filters: 5, Kernel: 6, Pool: 4, Dense: 7, Classes: 3, Dropout: 0.5}, source(1))
	seqs := random(source(2), 150, 30)
	p := m.Predict(seqs)
	for _, i := range []int{0, 63, 64, 149} {
		want := autograd.Softmax(m.Logits(&autograd.Tape{NoGrad: true}, Pack(seqs[i])).Data)
		for c := range want {
			if math.Abs(p[i][c]-float64(want[c])) > 1e-6 {
				t.Errorf("sequence %d: %v, want %v", i, p[i], want)
			}
		}
	}
	if len(m.Predict(nil)) != 0 {
		t.Error("predictions of nothing")
	}
}

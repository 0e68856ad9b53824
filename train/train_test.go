package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"heed/autograd"
	"heed/checkpoint"
	"heed/model/sequence"
	"heed/nn"
)

// toy is a problem that only attention over the whole sequence can solve: are
// the first and the eighth letter the same?
type toy struct {
	model  *sequence.Model
	seqs   [][]int32
	labels []int32
}

func newToy(n int) *toy {
	r := rand.New(rand.NewPCG(7, 7))
	p := &toy{model: sequence.New(sequence.Config{
		Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: 12, Layers: 2, Dim: 16, Heads: 2, FFN: 32,
		Stem: []int{3}, Position: "learned", Pooling: "cls", Classes: 2, Dropout: 0.1,
	}, r)}
	for range n {
		seq := make([]byte, 8+r.IntN(5))
		for i := range seq {
			seq[i] = "ACGT"[r.IntN(4)]
		}
		label := int32(0)
		if r.IntN(2) == 1 {
			seq[7] = seq[0]
		}
		if seq[7] == seq[0] {
			label = 1
		}
		p.seqs = append(p.seqs, p.model.Config.Tokenizer.Encode(seq))
		p.labels = append(p.labels, label)
	}
	return p
}

func (p *toy) problem() Problem {
	lengths := make([]int, len(p.seqs))
	for i, s := range p.seqs {
		lengths[i] = 1 + len(s)
	}
	return Problem{Model: p.model, Lengths: lengths, Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
		var seqs [][]int32
		var labels []int32
		for _, e := range examples {
			seqs = append(seqs, sequence.Augment{Mutate: 0.05}.Apply(p.model.Config.Tokenizer, p.seqs[e], t.Rand))
			labels = append(labels, p.labels[e])
		}
		return autograd.CrossEntropy(t, p.model.Logits(t, p.model.Pack(seqs...)), labels, norm)
	}}
}

func config() Config {
	return Config{Epochs: 3, Batch: 16, Leaves: 4, Rate: 3e-3, Warmup: 0.1, Decay: 0.01, Seed: 5}
}

func weights(m nn.Module) []uint32 {
	var bits []uint32
	for _, p := range nn.Params(m) {
		for _, v := range p.Data {
			bits = append(bits, math.Float32bits(v))
		}
	}
	return bits
}

func TestSameBitsOnAnyNumberOfCores(t *testing.T) {
	var want []uint32
	for _, cores := range []int{1, 2, 3, 8} {
		old := runtime.GOMAXPROCS(cores)
		p := newToy(70)
		cfg := config()
		cfg.Cores = cores
		run, err := New(cfg, p.problem())
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range run.Steps(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		runtime.GOMAXPROCS(old)
		got := weights(p.model)
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d cores: the weights differ from those of 1 core", cores)
		}
	}
}

func TestResumeAtAnyStep(t *testing.T) {
	full := newToy(40)
	run, err := New(config(), full.problem())
	if err != nil {
		t.Fatal(err)
	}
	var fullBest Best
	for s, err := range run.Steps(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if s.EpochEnds {
			fullBest.See(full.model, s.N, -s.Loss)
		}
	}
	want := weights(full.model)
	total := run.Total()
	if total != 9 {
		t.Fatalf("%d steps, want 9", total)
	}
	for cut := range total {
		path := filepath.Join(t.TempDir(), "last.safetensors")
		p := newToy(40)
		run, err := New(config(), p.problem())
		if err != nil {
			t.Fatal(err)
		}
		var best Best
		see := func(p *toy, best *Best, s Step) {
			if s.EpochEnds {
				best.See(p.model, s.N, -s.Loss)
			}
		}
		if cut > 0 {
			for s, err := range run.Steps(context.Background()) {
				if err != nil {
					t.Fatal(err)
				}
				see(p, &best, s)
				if s.N == cut {
					break
				}
			}
		}
		if err := checkpoint.Save(path, nil, append(run.Entries(), best.Entries(p.model)...)); err != nil {
			t.Fatal(err)
		}

		q := newToy(40)
		clear(q.model.Embed.Weight.Data) // must come from the file
		again, err := New(config(), q.problem())
		if err != nil {
			t.Fatal(err)
		}
		f, err := checkpoint.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Restore(f); err != nil {
			t.Fatal(err)
		}
		var resumed Best
		if err := resumed.Restore(q.model, f); err != nil {
			t.Fatal(err)
		}
		for s, err := range again.Steps(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			see(q, &resumed, s)
		}
		if !slices.Equal(weights(q.model), want) {
			t.Errorf("cut at step %d: the weights differ from the uninterrupted run's", cut)
		}
		resumed.Load(q.model)
		fullBest.Load(full.model)
		if resumed.Step != fullBest.Step || !slices.Equal(weights(q.model), weights(full.model)) {
			t.Errorf("cut at step %d: best step %d, want %d", cut, resumed.Step, fullBest.Step)
		}
	}
}

func TestLearnsWhatOnlyAttentionOverADistanceCanSee(t *testing.T) {
	for layers, learns := range map[int]bool{2: true, 0: false} {
		p := newToy(1000)
		c := p.model.Config
		c.Dropout, c.Layers = 0, layers
		p.model = sequence.New(c, rand.New(rand.NewPCG(1, 1)))
		run, err := New(Config{Epochs: 25, Batch: 32, Rate: 5e-3, Warmup: 0.1, Seed: 5}, p.problem())
		if err != nil {
			t.Fatal(err)
		}
		var loss float64
		for s, err := range run.Steps(context.Background()) {
			if err != nil {
				t.Fatal(err)
			}
			loss = 0.9*loss + 0.1*s.Loss
		}
		t.Logf("%d layers: loss %.3f", layers, loss)
		if learned := loss < 0.45; learned != learns {
			t.Errorf("%d layers: loss %.3f at the end", layers, loss)
		}
	}
}

func TestDivergenceStopsBeforeTheUpdate(t *testing.T) {
	p := newToy(40)
	cfg := config()
	cfg.Rate = 1e30
	run, err := New(cfg, p.problem())
	if err != nil {
		t.Fatal(err)
	}
	for s, e := range run.Steps(context.Background()) {
		err = e
		if e != nil && s.N < 2 {
			t.Errorf("failed at step %d", s.N)
		}
	}
	if !errors.Is(err, ErrDiverged) {
		t.Fatalf("error %v, want ErrDiverged", err)
	}
}

func TestCancelStopsBetweenSteps(t *testing.T) {
	p := newToy(40)
	run, err := New(config(), p.problem())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	for _, e := range run.Steps(ctx) {
		if err = e; e == nil {
			n++
			cancel()
		}
	}
	if n != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d steps, error %v", n, err)
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"train: epochs -1: want 1 or more":        func(c *Config) { c.Epochs = -1 },
		"train: leaves 3: want a power of two":    func(c *Config) { c.Leaves = 3 },
		"train: rate NaN: want a positive number": func(c *Config) { c.Rate = math.NaN() },
		"train: warmup 1: want a share in [0, 1)": func(c *Config) { c.Warmup = 1 },
		"train: decay -0.5: want 0 or more":       func(c *Config) { c.Decay = -0.5 },
		"train: clip -1: want a positive number":  func(c *Config) { c.Clip = -1 },
		"train: floor 2: want a share in [0, 1]":  func(c *Config) { c.Floor = 2 },
		"train: batch -2: want 1 or more":         func(c *Config) { c.Batch = -2 },
		"train: cores -1: want 1 or more":         func(c *Config) { c.Cores = -1 },
	} {
		cfg := config()
		change(&cfg)
		if _, err := New(cfg, newToy(4).problem()); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if _, err := New(config(), Problem{Model: newToy(1).model}); err == nil || err.Error() != "train: no examples" {
		t.Errorf("error %v", err)
	}
}

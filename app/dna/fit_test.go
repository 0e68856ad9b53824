package dna

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"heed/checkpoint"
	"heed/model/sequence"
	"heed/train"
)

// planted returns n sequences of 20 letters, every second with TATAAT at index
// 7.
func planted(n int) *Dataset {
	r := rand.New(rand.NewPCG(7, 7))
	d := &Dataset{Classes: []string{"no", "yes"}, Positive: 1}
	for i := range n {
		s := make([]byte, 20)
		for j := range s {
			s[j] = Letters[r.IntN(4)]
		}
		if i%2 == 1 {
			copy(s[7:], "TATAAT")
		}
		d.Names = append(d.Names, fmt.Sprintf("s%d", i))
		d.Seqs = append(d.Seqs, s)
		d.Labels = append(d.Labels, i%2)
	}
	return d
}

// tiny is a configuration that trains in a blink.
func tiny() Config {
	c := DefaultConfig(20)
	c.Model = sequence.Config{
		Tokenizer: sequence.Tokenizer{K: 1}, Layers: 1, Dim: 8, Heads: 2, FFN: 8,
		Stem: []int{5}, Position: "learned", Pooling: "cls", Dropout: 0.1,
	}
	c.Train.Epochs, c.Train.Batch, c.Train.Leaves, c.Train.Rate = 6, 8, 2, 0.01
	return c
}

func upTo(from, to int) []int {
	var idx []int
	for i := from; i < to; i++ {
		idx = append(idx, i)
	}
	return idx
}

func hash(t *testing.T, f *Fitted) string {
	t.Helper()
	h, err := checkpoint.Hash(f.entries())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestFitLearns(t *testing.T) {
	d, c := planted(120), tiny()
	c.Train.Epochs = 15
	f, err := Fit(context.Background(), c, d, upTo(0, 80), upTo(80, 100), nil)
	if err != nil {
		t.Fatal(err)
	}
	probs := f.Probabilities(d.seqs(upTo(100, 120)), 0)
	wrong := 0
	for i, p := range probs {
		if f.Call(p) != d.Labels[100+i] {
			wrong++
		}
		if sum := p[0] + p[1]; sum < 0.9999 || sum > 1.0001 {
			t.Errorf("probabilities of sequence %d add up to %v", i, sum)
		}
	}
	if wrong > 2 {
		t.Errorf("%d of 20 wrong, want 2 or fewer", wrong)
	}
	if len(f.History) == 0 || f.History[len(f.History)-1].Metric < 0.9 {
		t.Errorf("validation curve %+v", f.History)
	}
}

// everything switches on all that draws random numbers.
func everything() Config {
	c := tiny()
	c.Pretrain.Epochs = 2
	c.Ensemble = 2
	c.Augment = sequence.Augment{ReverseComplement: true, Shift: 1, Mutate: 0.05, Mask: 0.05}
	c.Strands = true
	c.Train.Epochs = 3
	return c
}

func TestFitSameBitsOnAnyCores(t *testing.T) {
	d := planted(40)
	var want string
	for _, cores := range []int{1, 2, 5} {
		c := everything()
		c.Train.Cores = cores
		f, err := Fit(context.Background(), c, d, upTo(0, 30), upTo(30, 40), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(hash(t, f), f.Threshold, f.Probabilities(d.Seqs, cores))
		if want == "" {
			want = got
		} else if got != want {
			t.Errorf("%d cores: another result than with 1", cores)
		}
	}
}

func TestFitResume(t *testing.T) {
	d := planted(40)
	fit := func(path string) *Fitting {
		return &Fitting{Config: everything(), Data: d, Train: upTo(0, 30), Valid: upTo(30, 40),
			Unlabelled: [][]byte{[]byte("ACGTACGTACGTTTTT")}, Checkpoint: path}
	}
	whole, err := fit("").Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := hash(t, whole)
	// Both members, both stages, the borders between them, and the end.
	for _, cut := range []int{1, 7, 8, 9, 13, 20, 21, 22, 30, 39, 40} {
		path := filepath.Join(t.TempDir(), "last.safetensors")
		ctx, cancel := context.WithCancel(context.Background())
		f := fit(path)
		steps := 0
		f.Progress = func(p Progress) {
			if p.Stage == "train" || p.Stage == "pretrain" {
				if steps++; steps == cut {
					cancel()
				}
			}
		}
		if _, err := f.Run(ctx); !errors.Is(err, context.Canceled) && steps < 40 {
			t.Fatalf("cut at step %d: error %v", cut, err)
		}
		cancel()
		g := fit(path)
		seen := 0
		g.Progress = func(p Progress) {
			if p.Stage == "train" || p.Stage == "pretrain" {
				seen++
			}
		}
		got, err := g.Run(context.Background())
		if err != nil {
			t.Fatalf("resumed at step %d: %v", cut, err)
		}
		if hash(t, got) != want || got.Threshold != whole.Threshold || fmt.Sprint(got.History) != fmt.Sprint(whole.History) {
			t.Errorf("cut at step %d and resumed: another result than in one run", cut)
		}
		if steps+seen != 40 {
			t.Errorf("cut at step %d: %d steps before and %d after, want 40 in all", cut, steps, seen)
		}
	}
}

func TestFitResumeOtherConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.safetensors")
	f := &Fitting{Config: tiny(), Data: planted(20), Train: upTo(0, 20), Checkpoint: path}
	if _, err := f.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.Config.Train.Seed++
	want := path + ": another configuration or other data than those of this run"
	if _, err := f.Run(context.Background()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFitDiverges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.safetensors")
	c := tiny()
	c.Train.Rate, c.Train.Warmup = 1e30, 0
	f := &Fitting{Config: c, Data: planted(40), Train: upTo(0, 40), Checkpoint: path}
	_, err := f.Run(context.Background())
	if !errors.Is(err, train.ErrDiverged) || !strings.HasPrefix(err.Error(), "train: step 2: the loss is not finite") {
		t.Fatalf("got %v", err)
	}
	file, err := checkpoint.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if step, err := file.Int64s("run.step"); err != nil || step[0] != 1 {
		t.Errorf("saved step %v, %v; want the last good one, 1", step, err)
	}
}

func TestPretrainSeesNoTestSequences(t *testing.T) {
	// Other validation and test sequences must not change the encoder.
	c := tiny()
	c.Pretrain.Epochs, c.Train.Epochs, c.Patience = 2, 1, 0
	d := planted(40)
	a, err := Fit(context.Background(), c, d, upTo(0, 20), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 20; i < 40; i++ {
		d.Seqs[i] = []byte(strings.Repeat("G", 20))
		d.Labels[i] = 0
	}
	b, err := Fit(context.Background(), c, d, upTo(0, 20), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if hash(t, a) != hash(t, b) {
		t.Error("sequences outside of the training part changed the model")
	}
}

func TestConfigErrors(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"layers -1: want 0 to 256":                                      func(c *Config) { c.Model.Layers = -1 },
		"heads 3: want a divisor of dim 8":                              func(c *Config) { c.Model.Heads = 3 },
		"batch -1: want 1 or more":                                      func(c *Config) { c.Train.Batch = -1 },
		"shift -1: want 0 or more":                                      func(c *Config) { c.Augment.Shift = -1 },
		"mutate 2: want a share in [0, 1]":                              func(c *Config) { c.Augment.Mutate = 2 },
		"mask -1: want a share in [0, 1]":                               func(c *Config) { c.Augment.Mask = -1 },
		"pretrain -1: want 0 epochs or more":                            func(c *Config) { c.Pretrain.Epochs = -1 },
		"pretrain-mask 1: want a share in [0, 1)":                       func(c *Config) { c.Pretrain.Mask = 1 },
		"pretrain-rate -1: want 0 or more":                              func(c *Config) { c.Pretrain.Rate = -1 },
		"valid-share 1: want a share in [0, 1)":                         func(c *Config) { c.ValidShare = 1 },
		"patience -1: want 0 or more":                                   func(c *Config) { c.Patience = -1 },
		"threshold 1: want a share in [0, 1)":                           func(c *Config) { c.Threshold = 1 },
		"ensemble 101: want 1 to 100":                                   func(c *Config) { c.Ensemble = 101 },
		`metric "f1": want auroc, accuracy, mcc or loss`:                func(c *Config) { c.Metric = "f1" },
		"max-len 5: the longest sequence has 20 letters":                func(c *Config) { c.Model.MaxLen = 5 },
		`position "sine": want learned, sinusoidal, rotary or relative`: func(c *Config) { c.Model.Position = "sine" },
	} {
		c := tiny()
		change(&c)
		_, err := Fit(context.Background(), c, planted(10), upTo(0, 10), nil, nil)
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	c := DefaultConfig(81)
	if err := c.Validate(); err != nil {
		t.Errorf("DefaultConfig: %v", err)
	}
}

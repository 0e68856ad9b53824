package study

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"heed/autograd"
	"heed/explain"
	"heed/internal/par"
	"heed/metric"
	"heed/model/volume"
	"heed/nn"
	"heed/train"
)

// A reader is one architecture in the comparison: the same stem below, and what
// mixes the cells of the feature map above.
type reader struct {
	name  string
	mixer string // "" for none
}

func readers() []reader {
	return []reader{
		{"stem, axial attention, mean", volume.Axial},
		{"stem, mean (CNN + pooling)", ""},
		{"stem, attention, mean", volume.Attention},
		{"stem, 3³ convolutions, mean", volume.Conv},
		{"stem, Inception, mean", volume.Inception},
		{"stem, LSTM over slices, mean", volume.LSTM},
	}
}

// A readerFit is a trained reader.
type readerFit struct {
	model  *volume.Model
	params int
	seen   int // scans until the validation AUROC reached .9; 0 if never
	took   time.Duration
	cores  int
}

// config is the network of a reader: 16 and 32 channels, then one layer of mixer
// and feed-forward, and the mean of its cells. [CLS] or a maximum would do some of
// the work that is asked of the mixer: the maximum over both lungs of "a lesion at
// this height" counts what is not mirrored.
func (c reader) config(a *anatomy) volume.Config {
	m := volume.Config{Size: a.size, Spacing: a.spacing, Channels: 1, Stem: []int{16, 32}, Mixer: cmp.Or(c.mixer, volume.Conv), Layers: 1, Heads: 4, FFN: 64,
		Position: "sinusoidal", Pooling: "mean", Classes: 2}
	if c.mixer == "" {
		m.Layers = 0
	}
	return m
}

// Streams of random numbers; no scan of one is in another.
const (
	streamTrain = 1 << 40
	streamValid = 2 << 40
	streamTest  = 3 << 40
)

// scans returns n scans of alternating class.
func (k *task) scans(a *anatomy, n int, seed, stream uint64, cores int) []*scan {
	out := make([]*scan, n)
	par.Do(n, cmp.Or(cores, par.Cores()), func(_, i int) { out[i] = k.make(a, i%2, seed, stream+uint64(i)) })
	return out
}

// fitReader trains a reader on scans that are made as they are needed, none of
// them twice: what is compared is how many a model has to see, not how well it
// remembers. It stops when the AUROC on valid reaches .995.
func (l *Lab) fitReader(ctx context.Context, c reader, a *anatomy, k *task, total int, seed uint64) (*readerFit, error) {
	const batch, every = 16, 100
	cfg := c.config(a)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	f := &readerFit{model: volume.New(cfg, rand.New(rand.NewPCG(seed, 1))), cores: l.Cores}
	f.params = nn.Count(f.model)
	valid := k.scans(a, l.pick(400, 40), seed, streamValid, l.Cores)
	lengths := make([]int, total)
	for i := range lengths {
		lengths[i] = cfg.Tokens()
	}
	n := a.voxels()
	run, err := train.New(train.Config{Epochs: 1, Batch: batch, Leaves: 2, Rate: 3e-3, Warmup: 0.05, Floor: 0.1, Decay: 0.01, Seed: seed, Cores: l.Cores}, train.Problem{
		Model:   f.model,
		Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			x, want := make([]float32, n*len(examples)), make([]int32, len(examples))
			for i, e := range examples {
				want[i] = int32(e % 2)
				made := *k
				if k.easy != nil && e/2%2 == 0 {
					made.draw = k.easy
				}
				made.make(a, e%2, seed, streamTrain+uint64(e)).window(x[i*n : (i+1)*n])
			}
			return autograd.CrossEntropy(t, f.model.Logits(t, autograd.Input(x, len(examples), a.size[0], a.size[1], a.size[2], 1)), want, norm)
		},
	})
	if err != nil {
		return nil, err
	}
	best, began := &train.Best{}, time.Now()
	sum, steps := 0.0, 0.0
	for step, err := range run.Steps(ctx) {
		if err != nil {
			return nil, err
		}
		sum, steps = sum+step.Loss, steps+1
		if step.N%every != 0 && !step.EpochEnds {
			continue
		}
		auroc := f.auroc(a, valid)
		best.See(f.model, step.N, auroc)
		if auroc >= 0.9 && f.seen == 0 {
			f.seen = step.N * batch
		}
		l.tell("%s, seed %d, %s: %d scans, loss %.3f, AUROC %.3f, %.0f s", k.name, seed, c.name, step.N*batch, sum/steps, auroc, time.Since(began).Seconds())
		sum, steps = 0, 0
		if auroc >= 0.995 {
			break
		}
	}
	best.Load(f.model)
	f.took = time.Since(began)
	return f, nil
}

// scores returns the log-odds of class 1 of inputs (n, D, H, W).
func (f *readerFit) scores(inputs [][]float32) []float64 {
	const together = 8
	s := f.model.Config.Size
	out := make([]float64, len(inputs))
	par.Do((len(inputs)+together-1)/together, cmp.Or(f.cores, par.Cores()), func(_, b int) {
		part := inputs[b*together : min((b+1)*together, len(inputs))]
		var x []float32
		for _, p := range part {
			x = append(x, p...)
		}
		z := f.model.Logits(&autograd.Tape{NoGrad: true}, autograd.Input(x, len(part), s[0], s[1], s[2], 1)).Data
		for i := range part {
			out[b*together+i] = float64(z[2*i+1] - z[2*i])
		}
	})
	return out
}

func windows(a *anatomy, scans []*scan) ([][]float32, []bool) {
	x, y := make([][]float32, len(scans)), make([]bool, len(scans))
	for i, s := range scans {
		x[i], y[i] = make([]float32, a.voxels()), s.label == 1
		s.window(x[i])
	}
	return x, y
}

func (f *readerFit) auroc(a *anatomy, scans []*scan) float64 {
	x, y := windows(a, scans)
	return mustAUROC(f.scores(x), y)
}

// mustAUROC is AUROC of finite scores of both classes.
func mustAUROC(scores []float64, y []bool) float64 {
	b, err := metric.NewBinary(scores, y)
	if err != nil {
		panic(fmt.Sprintf("study: %v", err)) // a diverged training ends before
	}
	return b.AUROC()
}

// lineWeights returns the attention of axial layers along the width of an input,
// which joins the lungs: (layers, lines, heads, n, n), and the heads of a layer.
func (f *readerFit) lineWeights(x []float32) (layers [][]float32, heads int) {
	c := &f.model.Config
	t := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		if strings.HasSuffix(name, ".width.weights") {
			layers, heads = append(layers, slices.Clone(v.Data)), v.Shape[1]
		}
	}}
	f.model.Logits(t, autograd.Input(x, 1, c.Size[0], c.Size[1], c.Size[2], 1))
	return layers, heads
}

// slope returns gradient x input of the cells of the feature map, for class 1.
func (f *readerFit) slope(x []float32) []float64 {
	c := &f.model.Config
	var seen *autograd.Var
	t := &autograd.Tape{Frozen: true, NoWeights: true, Probe: func(name string, v *autograd.Var) {
		if name == "map" {
			seen = v
		}
	}}
	t.Backward(explain.Contrast(t, f.model.Logits(t, autograd.Input(x, 1, c.Size[0], c.Size[1], c.Size[2], 1)), 1))
	out := make([]float64, c.Tokens())
	for i, g := range seen.Grad {
		out[i/c.Dim()] += float64(g) * float64(seen.Data[i])
	}
	return out
}

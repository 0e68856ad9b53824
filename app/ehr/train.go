package ehr

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/internal/cli"
	"heed/internal/par"
	"heed/metric"
	"heed/model/timeline"
	"heed/nn"
	"heed/train"
)

// A Config says how a model is made from cases. It is stored in checkpoints.
type Config struct {
	Tokens   Tokens          `json:"tokens"`
	Model    timeline.Config `json:"model"`
	Knots    int             `json:"knots"`     // quantiles of each value
	MinCount int             `json:"min_count"` // cases in which a code must occur to be learned
	Train    train.Config    `json:"train"`
	Ensemble int             `json:"ensemble"` // models of different seeds, whose logits are averaged
	Average  float64         `json:"average"`  // decay of the running mean of weights; 0 means none
	Patience int             `json:"patience"` // epochs without improvement; 0 means all epochs
	Pretrain Pretraining     `json:"pretrain"`
	// Calibration on the tuning part: "temperature" divides logits, "platt" shifts
	// them as well.
	Calibration string `json:"calibration"`
}

// DefaultConfig returns what suits some thousand stays of some days.
func DefaultConfig() Config {
	return Config{
		Tokens: Tokens{Windows: []float64{0, 8}}, Model: timeline.DefaultConfig(), Knots: 12, MinCount: 20,
		Train:    train.Config{Epochs: 8, Batch: 64, Rate: 1e-3, Warmup: 0.1, Decay: 0.01},
		Ensemble: 1, Average: 0.99, Pretrain: Pretraining{Kind: "none"}, Calibration: "platt",
	}
}

// Validate reports the first field that makes no sense.
func (c *Config) Validate() error {
	if err := c.Tokens.Validate(); err != nil {
		return err
	}
	if err := c.Model.Validate(); err != nil {
		return err
	}
	if c.Calibration == "" {
		c.Calibration = "temperature"
	}
	switch {
	case c.Knots < 2 || c.Knots > 256:
		return fmt.Errorf("knots %d: want 2 to 256", c.Knots)
	case c.MinCount < 1:
		return fmt.Errorf("min-count %d: want 1 or more", c.MinCount)
	case c.Ensemble < 1 || c.Ensemble > 100:
		return fmt.Errorf("ensemble %d: want 1 to 100", c.Ensemble)
	case !(c.Average >= 0 && c.Average < 1):
		return fmt.Errorf("average %v: want 0 or more, less than 1", c.Average)
	case c.Calibration != "temperature" && c.Calibration != "platt":
		return fmt.Errorf("calibration %q: want temperature or platt", c.Calibration)
	case c.Patience < 0:
		return fmt.Errorf("patience %d: want 0 or more", c.Patience)
	}
	if err := c.Pretrain.Validate(); err != nil {
		return err
	}
	return c.Train.Validate()
}

// Progress is what a fit says about itself at the end of every epoch.
type Progress struct {
	Fold   int     `json:"fold"`             // from 1
	Member int     `json:"member"`           // of the ensemble, from 1
	Stage  string  `json:"stage"`            // "pretrain" or "train"
	Epoch  int     `json:"epoch"`            // from 1
	Epochs int     `json:"epochs"`           // of the stage
	Loss   float64 `json:"loss"`             // mean over the epoch's batches
	AUROC  float64 `json:"auroc,omitempty"`  // on the tuning part, of the averaged weights
	AUPRC  float64 `json:"auprc,omitempty"`  // likewise
	Tuning float64 `json:"tuning,omitempty"` // log-loss, likewise
	Best   bool    `json:"best,omitempty"`
}

// What is drawn for one purpose must not change what is drawn for another.
const (
	streamInit     = 0x696e6974         // "init"
	streamPretrain = 0x707265           // "pre"
	memberStride   = 0x9e3779b97f4a7c15 // between the seeds of an ensemble
)

// Fit learns the vocabulary and trains the models on the cases trainIdx. On
// tuneIdx, whose patients must be others, it chooses the epoch (the largest sum
// of AUROC and AUPRC), the temperature and the threshold. Nothing else is looked
// at. progress may be nil.
//
// The result is a function of the arguments: the same bits for any
// cfg.Train.Cores.
func Fit(ctx context.Context, cfg Config, cases []Case, trainIdx, tuneIdx []int, progress func(Progress)) (*Fitted, error) {
	if err := cfg.Validate(); err != nil {
		return nil, &cli.UsageError{Reason: err.Error()}
	}
	if len(trainIdx) == 0 || len(tuneIdx) == 0 {
		return nil, errors.New("training needs cases to train and to tune on")
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	vocabulary, err := timeline.Learn(func(yield func([]timeline.Event) bool) {
		for _, i := range trainIdx {
			if !yield(cfg.Tokens.Make(&cases[i])) {
				return
			}
		}
	}, cfg.Tokens.Channels(), cfg.MinCount, cfg.Knots)
	if err != nil {
		return nil, err
	}
	f := &Fitted{Config: cfg, Vocabulary: vocabulary, Temperature: 1}
	p := f.fitPart(cases, trainIdx, tuneIdx)
	for k := range cfg.Ensemble {
		see := func(x Progress) { x.Member = k + 1; progress(x) }
		seed := cfg.Train.Seed + uint64(k)*memberStride
		m := timeline.New(cfg.Model, vocabulary, rand.New(rand.NewPCG(seed, streamInit)))
		if err := f.pretrain(ctx, m, seed, p, see); err != nil {
			return nil, err
		}
		if err := f.classify(ctx, m, seed, p, see); err != nil {
			return nil, err
		}
		f.Members = append(f.Members, m)
	}
	return f, f.tune(p)
}

// A fitPart is what one fit may look at.
type fitPart struct {
	cases               []Case
	train, tune         []int
	trainSeqs, tuneSeqs []timeline.Sequence
}

func (f *Fitted) fitPart(cases []Case, trainIdx, tuneIdx []int) *fitPart {
	return &fitPart{
		cases: cases, train: trainIdx, tune: tuneIdx,
		trainSeqs: f.sequences(cases, trainIdx), tuneSeqs: f.sequences(cases, tuneIdx),
	}
}

// sequences returns the sequences of some cases.
func (f *Fitted) sequences(cases []Case, idx []int) []timeline.Sequence {
	seqs := make([]timeline.Sequence, len(idx))
	par.Do(len(idx), f.cores(), func(_, i int) { seqs[i] = f.sequence(&cases[idx[i]]) })
	return seqs
}

func (f *Fitted) sequence(c *Case) timeline.Sequence {
	return f.Vocabulary.Encode(f.Config.Tokens.Make(c), c.Age, f.Config.Model.Time == "tokens")
}

func (f *Fitted) cores() int {
	if n := f.Config.Train.Cores; n > 0 {
		return n
	}
	return par.Cores()
}

// classify trains one member on the labels.
func (f *Fitted) classify(ctx context.Context, m *timeline.Model, seed uint64, p *fitPart, see func(Progress)) error {
	lengths := make([]int, len(p.trainSeqs))
	for i := range lengths {
		lengths[i] = 1 + len(p.trainSeqs[i].Codes)
	}
	tc := f.Config.Train
	tc.Seed = seed
	run, err := train.New(tc, train.Problem{
		Model:   m,
		Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			seqs, targets := make([]*timeline.Sequence, len(examples)), make([]float32, len(examples))
			for i, e := range examples {
				seqs[i] = &p.trainSeqs[e]
				if p.cases[p.train[e]].Positive {
					targets[i] = 1
				}
			}
			return autograd.BinaryCrossEntropy(t, m.Logits(t, m.Pack(t.Rand, seqs...)), targets, norm)
		},
	})
	if err != nil {
		return err
	}
	return f.follow(ctx, run, m, p, func() []float64 { return logits(m, p.tuneSeqs, f.cores()) }, see)
}

// follow runs a training run to its end and leaves the weights of the best epoch
// in the model: those of the running mean, judged on the tuning part, whose logits
// tuneLogits computes.
func (f *Fitted) follow(ctx context.Context, run *train.Run, m nn.Module, p *fitPart, tuneLogits func() []float64, see func(Progress)) error {
	average := train.Average{Decay: f.Config.Average}
	best := train.Best{Patience: f.Config.Patience}
	loss, steps := 0.0, 0
	for s, err := range run.Steps(ctx) {
		if err != nil {
			return err
		}
		average.See(m)
		loss, steps = loss+s.Loss, steps+1
		if !s.EpochEnds {
			continue
		}
		average.Swap(m)
		b, err := metric.NewBinary(tuneLogits(), positives(p.cases, p.tune))
		if err != nil {
			return fmt.Errorf("train: step %d: %w on the tuning part", s.N, train.ErrDiverged)
		}
		auroc, auprc := b.AUROC(), b.AUPRC()
		improved, stop := best.See(m, s.N, auroc+auprc)
		average.Swap(m)
		see(Progress{Stage: "train", Epoch: s.Epoch, Epochs: run.Config().Epochs, Loss: loss / float64(steps), AUROC: auroc, AUPRC: auprc, Best: improved})
		loss, steps = 0, 0
		if stop {
			break
		}
	}
	best.Load(m)
	return nil
}

// tune chooses the calibration and the threshold of alerts.
func (f *Fitted) tune(p *fitPart) error {
	z, positive := f.logits(p.tuneSeqs), positives(p.cases, p.tune)
	return f.calibrate(z, positive)
}

// calibrate chooses them for the logits of the tuning part.
func (f *Fitted) calibrate(z []float64, positive []bool) error {
	f.Temperature, f.Shift = metric.Temperature(z, positive), 0
	if f.Config.Calibration == "platt" {
		slope, intercept := metric.Platt(z, positive)
		f.Temperature, f.Shift = 1/slope, intercept
	}
	b, err := metric.NewBinary(f.probabilities(z), positive)
	if err != nil {
		return err
	}
	if f.Threshold = b.ThresholdAt(alertSpecificity); math.IsNaN(f.Threshold) {
		f.Threshold = 0.5
	}
	return nil
}

func positives(cases []Case, idx []int) []bool {
	out := make([]bool, len(idx))
	for i, j := range idx {
		out[i] = cases[j].Positive
	}
	return out
}

// logits returns the logit of every sequence. Which are packed together does
// not change them.
func logits(m *timeline.Model, seqs []timeline.Sequence, cores int) []float64 {
	const pack = 16
	out := make([]float64, len(seqs))
	tapes := make([]autograd.Tape, cores)
	par.Do((len(seqs)+pack-1)/pack, cores, func(worker, i int) {
		t := &tapes[worker]
		t.NoGrad = true
		t.Reset()
		some := make([]*timeline.Sequence, 0, pack)
		for j := i * pack; j < min((i+1)*pack, len(seqs)); j++ {
			some = append(some, &seqs[j])
		}
		for j, z := range m.Logits(t, m.Pack(nil, some...)).Data {
			out[i*pack+j] = float64(z)
		}
	})
	return out
}

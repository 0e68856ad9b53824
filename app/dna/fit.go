package dna

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/checkpoint"
	"heed/internal/cli"
	"heed/internal/par"
	"heed/metric"
	"heed/train"
)

// Fit trains a classifier on the sequences trainIdx of a dataset. The epoch
// that is best on validIdx is kept; without validIdx, the last one. Nothing
// else of the dataset is looked at. progress may be nil.
//
// The result is a function of the arguments: the same bits for any
// cfg.Train.Cores.
func Fit(ctx context.Context, cfg Config, d *Dataset, trainIdx, validIdx []int, progress func(Progress)) (*Fitted, error) {
	return (&Fitting{Config: cfg, Data: d, Train: trainIdx, Valid: validIdx, Progress: progress}).Run(ctx)
}

// Progress is what a training run says about itself: one for every step, and a
// second one at the end of an epoch that was evaluated.
type Progress struct {
	Fold   int    `json:"fold,omitempty"`   // from 1; 0 for the final model
	Member int    `json:"member,omitempty"` // of an ensemble, from 1; 0 if there is only one
	Stage  string `json:"stage"`            // "pretrain", "train", "valid", or "done" at the end of a fit
	Epoch  int    `json:"epoch"`
	Step   int    `json:"step"`
	// Done and Total count the steps of the whole fit with all its stages.
	Done  int     `json:"-"`
	Total int     `json:"-"`
	Fits  int     `json:"-"`    // how many fits of this size there are
	Loss  float64 `json:"loss"` // of the batch, or of the validation part
	Rate  float64 `json:"rate,omitempty"`
	Norm  float64 `json:"norm,omitempty"`
	// Metric is Config.Metric on the validation part, in stage "valid".
	Metric float64 `json:"metric,omitempty"`
	Best   bool    `json:"best,omitempty"`
}

// A Fitting is one fit with everything that Fit has no argument for.
type Fitting struct {
	Config     Config
	Data       *Dataset
	Train      []int
	Valid      []int
	Unlabelled [][]byte // more sequences to pre-train on
	Progress   func(Progress)
	Checkpoint string // file to which the state is saved, and from which it is resumed; empty means none
	SaveEvery  int    // epochs between two saves; 0 means only when the fit ends or is cut

	ids     [][]int32 // tokens of all sequences of Data
	hash    string    // of Data
	resumed position  // of the checkpoint
	out     *Fitted
	history []Progress // of stage "valid"
	done    int        // steps of finished stages
	total   int
}

// What is drawn for one purpose must not change what is drawn for another.
const (
	streamInit     = 0x696e6974         // "init"
	memberStride   = 0x9e3779b97f4a7c15 // between the seeds of an ensemble
	pretrainOffset = 0x707265           // "pre"
)

// Stages of a member, in their order.
const (
	stagePretrain = iota
	stageTrain
)

// Run trains. If it is cancelled, or the loss is not finite, the state is saved
// and the error returned.
func (f *Fitting) Run(ctx context.Context) (*Fitted, error) {
	cfg := f.Config
	if len(f.Train) == 0 {
		return nil, errors.New("no training sequences")
	}
	if err := cfg.complete(f.Data); err != nil {
		return nil, &cli.UsageError{Reason: err.Error()}
	}
	shortest, _ := f.Data.Lengths()
	f.out = &Fitted{
		Config: cfg, Classes: f.Data.Classes, Positive: f.Data.Positive,
		Threshold: cfg.Threshold, MinLen: shortest,
	}
	z := cfg.reader()
	f.ids = make([][]int32, len(f.Data.Seqs))
	for i, s := range f.Data.Seqs {
		f.ids[i] = z.encode(s, false)
	}
	f.history, f.hash = nil, f.Data.Hash()
	f.count()
	at, file, err := f.load()
	if err != nil {
		return nil, err
	}
	for m := range cfg.Ensemble {
		seed := cfg.Train.Seed + uint64(m)*memberStride
		model := cfg.newMember(rand.New(rand.NewPCG(seed, streamInit)))
		f.out.Members = append(f.out.Members, model)
		if m < at.Member {
			if err := file.Under(memberPrefix(m)).Restore(weights(memberPrefix(m), model)); err != nil {
				return nil, err
			}
			f.skip(m)
			continue
		}
		resumed := m == at.Member && file != nil
		if cfg.Pretrain.Epochs > 0 && !(resumed && at.Stage > stagePretrain) {
			if err := f.pretrain(ctx, m, seed, model.(own).Model, resumeFrom(file, resumed)); err != nil {
				return nil, err
			}
			resumed = false
		}
		if err := f.classify(ctx, m, seed, model, resumeFrom(file, resumed)); err != nil {
			return nil, err
		}
	}
	f.out.History = f.history
	f.chooseThreshold()
	if f.Progress != nil {
		f.Progress(Progress{Stage: "done", Done: f.total, Total: f.total})
	}
	return f.out, f.save(position{Member: cfg.Ensemble}, nil, nil)
}

func resumeFrom(file *checkpoint.File, resumed bool) *checkpoint.File {
	if resumed {
		return file
	}
	return nil
}

// classify trains one member on the labels.
func (f *Fitting) classify(ctx context.Context, member int, seed uint64, model Network, file *checkpoint.File) error {
	cfg := f.out.Config
	z := cfg.reader()
	lengths := make([]int, len(f.Train))
	for i, j := range f.Train {
		lengths[i] = rows(z, len(f.ids[j]))
	}
	tc := cfg.Train
	tc.Seed = seed
	run, err := train.New(tc, train.Problem{
		Model:   model,
		Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			seqs, targets := make([][]int32, len(examples)), make([]int32, len(examples))
			for i, e := range examples {
				j := f.Train[e]
				seqs[i] = z.vary(f.Data.Seqs[j], f.ids[j], cfg.Augment, t.Rand)
				targets[i] = int32(f.Data.Labels[j])
			}
			return autograd.CrossEntropy(t, model.logits(t, seqs...), targets, norm)
		},
	})
	if err != nil {
		return err
	}
	best := &train.Best{Patience: cfg.Patience}
	at := position{Member: member, Stage: stageTrain}
	if file != nil && at == f.resumed {
		if err := run.Restore(file); err != nil {
			return err
		}
		if err := best.Restore(model, file); err != nil {
			return err
		}
	}
	for step, err := range run.Steps(ctx) {
		if err != nil {
			return f.cut(err, at, run, best)
		}
		f.report(member, "train", step)
		if !step.EpochEnds {
			continue
		}
		stop := false
		if len(f.Valid) > 0 {
			if stop, err = f.evaluate(member, step, model, best); err != nil {
				return f.cut(err, at, run, best)
			}
		}
		if stop {
			break
		}
		if f.SaveEvery > 0 && step.Epoch%f.SaveEvery == 0 {
			if err := f.save(at, run, best); err != nil {
				return err
			}
		}
	}
	if len(f.Valid) > 0 {
		best.Load(model)
	}
	f.done += run.Total()
	return nil
}

// evaluate compares an epoch with those before it and reports whether patience
// has run out.
func (f *Fitting) evaluate(member int, step train.Step, model Network, best *train.Best) (stop bool, err error) {
	one := *f.out
	one.Members = []Network{model}
	probs := one.Probabilities(f.Data.seqs(f.Valid), f.cores())
	value, loss := validMetric(one.Config.Metric, probs, f.Data.labels(f.Valid), f.Data.Positive)
	if math.IsNaN(loss) {
		return false, fmt.Errorf("train: step %d: %w on the validation part", step.N, train.ErrDiverged)
	}
	improved, stop := best.See(model, step.N, ranking(value, loss))
	p := f.progress(member, "valid", step)
	p.Loss, p.Metric, p.Best = loss, value, improved
	if f.Progress != nil {
		f.Progress(p)
	}
	p.Done, p.Total = 0, 0
	f.history = append(f.history, p)
	return stop, nil
}

func (f *Fitting) progress(member int, stage string, s train.Step) Progress {
	p := Progress{Stage: stage, Epoch: s.Epoch, Step: s.N, Done: f.done + s.N, Total: f.total}
	if f.out.Config.Ensemble > 1 {
		p.Member = member + 1
	}
	return p
}

func (f *Fitting) report(member int, stage string, s train.Step) {
	if f.Progress == nil {
		return
	}
	p := f.progress(member, stage, s)
	p.Loss, p.Rate, p.Norm = s.Loss, s.Rate, s.Norm
	f.Progress(p)
}

func (f *Fitting) cores() int {
	if n := f.out.Config.Train.Cores; n > 0 {
		return n
	}
	return par.Cores()
}

// count works out the number of steps of the whole fit.
func (f *Fitting) count() {
	cfg := f.out.Config
	per := func(n int) int { return (n + cfg.Train.Batch - 1) / cfg.Train.Batch }
	one := cfg.Train.Epochs*per(len(f.Train)) + cfg.Pretrain.Epochs*per(len(f.Train)+len(f.Unlabelled))
	f.total, f.done = cfg.Ensemble*one, 0
}

// skip counts the steps of a member that was finished before the run was cut.
func (f *Fitting) skip(member int) {
	f.done = f.total / f.out.Config.Ensemble * (member + 1)
}

// chooseThreshold takes the threshold of the largest MCC on the validation
// part, unless one was given.
func (f *Fitting) chooseThreshold() {
	if f.out.Threshold > 0 {
		return
	}
	probs := f.out.Probabilities(f.Data.seqs(f.Valid), f.cores())
	f.out.Threshold = bestThreshold(probs, f.Data.labels(f.Valid), f.Data)
}

// bestThreshold returns the threshold of the largest MCC, and 0.5 where there
// is none.
func bestThreshold(probs [][]float64, labels []int, d *Dataset) float64 {
	if len(probs) == 0 || len(d.Classes) != 2 {
		return 0.5
	}
	b, err := binary(probs, labels, d.Positive)
	if err != nil {
		return 0.5
	}
	if t, _ := b.BestThreshold(); t > 0 && t < 1 {
		return t
	}
	return 0.5
}

// ranking is what epochs are compared by. Equal metrics are told apart by the
// loss, whose weight is below any difference of the metric that matters.
func ranking(value, loss float64) float64 { return value - 1e-6*min(loss, 100) }

// validMetric returns the metric of a name, larger being better, and the mean
// cross-entropy. A metric that does not exist, because a class is absent, is
// the negative loss.
func validMetric(name string, probs [][]float64, labels []int, positive int) (value, loss float64) {
	for i, p := range probs {
		loss -= math.Log(max(p[labels[i]], 1e-12)) / float64(len(probs))
	}
	value = math.NaN()
	switch name {
	case "auroc":
		if b, err := binary(probs, labels, positive); err == nil {
			value = b.AUROC()
		}
	case "accuracy", "mcc":
		calls := make([]int, len(probs))
		for i, p := range probs {
			calls[i] = argmax(p)
		}
		if m, err := metric.NewConfusionMatrix(labels, calls, len(probs[0])); err == nil {
			value = m.Accuracy()
			if name == "mcc" {
				value = m.MCC()
			}
		}
	}
	if math.IsNaN(value) {
		value = -loss
	}
	return value, loss
}

func binary(probs [][]float64, labels []int, positive int) (*metric.Binary, error) {
	scores, is := make([]float64, len(probs)), make([]bool, len(probs))
	for i, p := range probs {
		scores[i], is[i] = p[positive], labels[i] == positive
	}
	return metric.NewBinary(scores, is)
}

func argmax(p []float64) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}

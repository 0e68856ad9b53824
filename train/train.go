// Package train is the training loop.
//
// Into it flow a model, a loss of numbered examples and a Config; out of it
// flows an iterator of steps. The caller's loop body is the hook: it prints,
// evaluates, saves and stops.
//
//	run, err := train.New(cfg, train.Problem{Model: model, Lengths: lengths, Loss: loss})
//	if err != nil {
//		return err
//	}
//	for step, err := range run.Steps(ctx) {
//		if err != nil {
//			return err
//		}
//		if step.EpochEnds {
//			// evaluate; best.See(model, step.N, metric); checkpoint.Save
//		}
//	}
//	best.Load(model)
//
// The model is any [nn.Module]; package train knows no data and no metric. [Best]
// keeps the weights of the best evaluation and says when to stop; [Run.Entries]
// and [Best.Entries] are the state that package checkpoint saves, and [Weights]
// the trained model.
//
// A batch is cut into a fixed number of leaves; every leaf has its own tape and
// its own gradient, and the gradients are added along one fixed tree. So the
// result has the same bits on any number of cores. Everything random is a
// function of the seed and of the step, so a run that was cut at any step and
// resumed from [Run.Entries] equals the uninterrupted one bit for bit.
package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/data"
	"heed/internal/par"
	"heed/nn"
	"heed/optim"
)

// ErrDiverged reports a loss or a gradient that is not finite. The parameters
// are those of the last good step.
var ErrDiverged = errors.New("the loss is not finite")

// A Config says how to train. The zero value of a field means its default, if
// one is given here, and otherwise zero.
type Config struct {
	Epochs int     `json:"epochs"`          // passes over the examples; default 20
	Batch  int     `json:"batch"`           // examples in a step; default 32
	Leaves int     `json:"leaves"`          // pieces of a batch, a power of two; default: see New
	Rate   float64 `json:"rate"`            // peak learning rate; default 1e-3
	Warmup float64 `json:"warmup"`          // share of all steps in which the rate rises; usually 0.1
	Floor  float64 `json:"floor,omitempty"` // the last rate as a share of the peak
	Decay  float64 `json:"decay"`           // decoupled weight decay of matrices; usually 0.01
	Clip   float64 `json:"clip"`            // limit of the global gradient norm; default 1
	Seed   uint64  `json:"seed"`            // of data order and dropout
	Cores  int     `json:"-"`               // goroutines; default: all cores. Results do not depend on it
}

// Validate fills in the defaults and reports the first field that makes no
// sense.
func (c *Config) Validate() error {
	set(&c.Epochs, 20)
	set(&c.Batch, 32)
	set(&c.Rate, 1e-3)
	set(&c.Clip, 1)
	set(&c.Cores, par.Cores())
	switch {
	case c.Epochs < 1:
		return fmt.Errorf("epochs %d: want 1 or more", c.Epochs)
	case c.Batch < 1:
		return fmt.Errorf("batch %d: want 1 or more", c.Batch)
	case c.Leaves < 0 || c.Leaves&(c.Leaves-1) != 0:
		return fmt.Errorf("leaves %d: want a power of two", c.Leaves)
	case !(c.Rate > 0) || math.IsInf(c.Rate, 1):
		return fmt.Errorf("rate %v: want a positive number", c.Rate)
	case !(c.Warmup >= 0 && c.Warmup < 1):
		return fmt.Errorf("warmup %v: want a share in [0, 1)", c.Warmup)
	case !(c.Floor >= 0 && c.Floor <= 1):
		return fmt.Errorf("floor %v: want a share in [0, 1]", c.Floor)
	case !(c.Decay >= 0):
		return fmt.Errorf("decay %v: want 0 or more", c.Decay)
	case !(c.Clip > 0):
		return fmt.Errorf("clip %v: want a positive number", c.Clip)
	case c.Cores < 1:
		return fmt.Errorf("cores %d: want 1 or more", c.Cores)
	}
	return nil
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// A Problem is what is trained: parameters, and the loss of examples.
type Problem struct {
	Model nn.Module
	// Lengths has one entry for each example: the rows that it occupies. They
	// decide how a batch is cut into leaves of equal work.
	Lengths []int
	// Loss computes the loss of some examples, given by their indices into
	// Lengths: the sum over them, divided by norm, which is the number of examples
	// in the whole batch (what autograd.CrossEntropy does). It is called from
	// several goroutines at once, each with a tape of its own; t.Rand is set, for
	// dropout and augmentation.
	Loss func(t *autograd.Tape, examples []int, norm float32) *autograd.Var
}

// A Step is what one update did.
type Step struct {
	N         int // counted from 1
	Steps     int // of the whole run
	Epoch     int // counted from 1
	EpochEnds bool
	Loss      float64 // of this batch, before the update
	Rate      float64 // learning rate
	Norm      float64 // of the gradient, before clipping
	Rows      int     // of all examples of the batch
}

// A Run is a training run that can be iterated, saved and resumed.
type Run struct {
	cfg     Config
	problem Problem
	params  []*autograd.Var
	opt     optim.AdamW
	step    int
	tapes   []*autograd.Tape
	sources []*rand.PCG
}

// New checks a configuration and prepares a run. If cfg.Leaves is 0 it becomes
// the largest power of two up to 8 that leaves 1,000 rows or more in a leaf of
// an average batch.
func New(cfg Config, p Problem) (*Run, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if len(p.Lengths) == 0 {
		return nil, errors.New("train: no examples")
	}
	if cfg.Leaves == 0 {
		total := 0
		for _, n := range p.Lengths {
			total += n
		}
		rows := total / len(p.Lengths) * min(cfg.Batch, len(p.Lengths))
		for cfg.Leaves = 1; cfg.Leaves < 8 && rows/(2*cfg.Leaves) >= 1000; {
			cfg.Leaves *= 2
		}
	}
	r := &Run{cfg: cfg, problem: p, params: nn.Params(p.Model)}
	r.opt.Decay = cfg.Decay
	for range cfg.Leaves {
		src := rand.NewPCG(0, 0)
		r.sources = append(r.sources, src)
		r.tapes = append(r.tapes, &autograd.Tape{Rand: rand.New(src)})
	}
	return r, nil
}

// Config returns the configuration with its defaults filled in.
func (r *Run) Config() Config { return r.cfg }

func (r *Run) stepsPerEpoch() int {
	return (len(r.problem.Lengths) + r.cfg.Batch - 1) / r.cfg.Batch
}

// Total returns the number of steps of the whole run.
func (r *Run) Total() int { return r.cfg.Epochs * r.stepsPerEpoch() }

// streamDropout keeps what is drawn inside a step apart from what the same seed
// draws for another purpose.
const streamDropout = 0x64726f70 // "drop"

// Steps runs the remaining steps. It stops after an error, which is that of
// the context if it was cancelled; between two steps all state is consistent.
func (r *Run) Steps(ctx context.Context) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		per := r.stepsPerEpoch()
		order, epoch := []int(nil), -1
		for r.step < r.Total() {
			if err := ctx.Err(); err != nil {
				yield(Step{N: r.step, Steps: r.Total()}, err)
				return
			}
			if e := r.step / per; e != epoch {
				epoch = e
				order = data.Shuffle(len(r.problem.Lengths), r.cfg.Seed, uint64(e))
			}
			i := r.step % per
			batch := order[i*r.cfg.Batch : min((i+1)*r.cfg.Batch, len(order))]
			s, err := r.update(batch)
			s.Epoch, s.EpochEnds = epoch+1, i == per-1
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// update makes one step on a batch.
func (r *Run) update(batch []int) (Step, error) {
	s := Step{N: r.step + 1, Steps: r.Total()}
	leaves := data.Leaves(batch, r.problem.Lengths, r.cfg.Leaves)
	losses := make([]float64, len(leaves))
	par.Do(len(leaves), r.cfg.Cores, func(_, i int) {
		t := r.tapes[i]
		t.Reset()
		r.sources[i].Seed(r.cfg.Seed, streamDropout+uint64(r.step)<<16+uint64(i)<<56)
		loss := r.problem.Loss(t, leaves[i], float32(len(batch)))
		t.Backward(loss)
		losses[i] = float64(loss.Data[0])
	})
	for _, l := range losses {
		s.Loss += l
	}
	for _, e := range batch {
		s.Rows += r.problem.Lengths[e]
	}
	autograd.Gather(r.params, r.tapes[:len(leaves)]...)
	s.Norm = optim.GlobalNorm(r.params)
	if !finite(s.Loss) || !finite(s.Norm) {
		return s, fmt.Errorf("train: step %d: %w (loss %v, gradient norm %v)", s.N, ErrDiverged, s.Loss, s.Norm)
	}
	warmup := int(r.cfg.Warmup * float64(r.Total()))
	s.Rate = optim.WarmupCosine(r.step, warmup, r.Total(), r.cfg.Rate, r.cfg.Floor)
	r.opt.Update(r.params, s.Rate, optim.ClipScale(s.Norm, r.cfg.Clip))
	r.step++
	return s, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

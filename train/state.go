package train

import (
	"fmt"
	"math"

	"heed/autograd"
	"heed/checkpoint"
	"heed/format"
	"heed/nn"
	"heed/tensor"
)

// Entries returns everything that a resumed run needs, for checkpoint.Save:
// parameters, moments of the optimiser and the step, under names that begin
// with "run.". The values are shared, not copied.
func (r *Run) Entries() []checkpoint.Entry {
	if r.opt.M == nil { // no step yet: the state is zero
		for _, p := range r.params {
			r.opt.M = append(r.opt.M, make([]float32, len(p.Data)))
			r.opt.V = append(r.opt.V, make([]float32, len(p.Data)))
		}
	}
	es := []checkpoint.Entry{checkpoint.Int64s("run.step", int64(r.step))}
	i := 0
	r.problem.Model.Visit("", func(name string, p *autograd.Var) {
		es = append(es,
			checkpoint.Tensor("run.weight."+name, &p.Tensor),
			entry("run.m."+name, p.Shape, r.opt.M[i]),
			entry("run.v."+name, p.Shape, r.opt.V[i]))
		i++
	})
	return es
}

func entry(name string, shape []int, values []float32) checkpoint.Entry {
	return checkpoint.Tensor(name, &tensor.Tensor{Shape: shape, Data: values})
}

// Restore continues from the state that Entries gave. The model, the examples
// and the configuration must be those of the saved run.
func (r *Run) Restore(f *checkpoint.File) error {
	steps, err := f.Int64s("run.step")
	if err != nil {
		return err
	}
	if len(steps) != 1 || steps[0] < 0 || steps[0] > int64(r.Total()) {
		return format.Invalidf(f.Name, 0, "step %v of a run of %d steps", steps, r.Total())
	}
	if err := f.Under("run.").Restore(r.Entries()); err != nil {
		return err
	}
	r.step = int(steps[0])
	r.opt.Step = r.step
	return nil
}

// Weights returns the parameters of a model as checkpoint entries that share
// their values: what Save writes, and what Restore fills.
func Weights(m nn.Module) []checkpoint.Entry {
	var es []checkpoint.Entry
	m.Visit("", func(name string, p *autograd.Var) {
		es = append(es, checkpoint.Tensor(name, &p.Tensor))
	})
	return es
}

// Best keeps the parameters of the best evaluation, for early stopping.
type Best struct {
	// Patience is how many evaluations without improvement are borne; 0 means
	// all.
	Patience int

	Metric  float64 // the best so far; higher is better
	Step    int     // of the best evaluation; 0 before the first
	Bad     int     // evaluations since
	weights [][]float32
}

// See takes note of an evaluation and reports whether it is the best so far
// and whether patience has run out. A NaN is never the best.
func (b *Best) See(m nn.Module, step int, metric float64) (improved, stop bool) {
	if b.weights == nil || metric > b.Metric {
		params := nn.Params(m)
		if b.weights == nil {
			b.weights = make([][]float32, len(params))
		}
		for i, p := range params {
			b.weights[i] = append(b.weights[i][:0], p.Data...)
		}
		b.Metric, b.Step, b.Bad = metric, step, 0
		return true, false
	}
	b.Bad++
	return false, b.Patience > 0 && b.Bad >= b.Patience
}

// Entries returns the state for checkpoint.Save, under names that begin with
// "best."; before the first evaluation it is empty.
func (b *Best) Entries(m nn.Module) []checkpoint.Entry {
	if b.weights == nil {
		return nil
	}
	es := []checkpoint.Entry{checkpoint.Uint64s("best.state", math.Float64bits(b.Metric), uint64(b.Step), uint64(b.Bad))}
	i := 0
	m.Visit("", func(name string, p *autograd.Var) {
		es = append(es, entry("best.weight."+name, p.Shape, b.weights[i]))
		i++
	})
	return es
}

// Restore continues from the state that Entries gave for the same model.
func (b *Best) Restore(m nn.Module, f *checkpoint.File) error {
	f = f.Under("best.")
	if len(f.Entries) == 0 {
		return nil
	}
	state, err := f.Uint64s("best.state")
	if err != nil {
		return err
	}
	if len(state) != 3 {
		return format.Invalidf(f.Name, 0, "best.state has %d values, want 3", len(state))
	}
	var ws [][]float32
	for _, p := range nn.Params(m) {
		ws = append(ws, make([]float32, len(p.Data)))
	}
	old := *b
	b.weights = ws
	if err := f.Restore(b.Entries(m)); err != nil {
		*b = old
		return err
	}
	b.Metric, b.Step, b.Bad = math.Float64frombits(state[0]), int(state[1]), int(state[2])
	return nil
}

// Load puts the best parameters back into the model.
func (b *Best) Load(m nn.Module) {
	if b.weights == nil {
		return
	}
	for i, p := range nn.Params(m) {
		if len(p.Data) != len(b.weights[i]) {
			panic(fmt.Sprintf("train.Best: parameter %d has %d values, want %d", i, len(p.Data), len(b.weights[i])))
		}
		copy(p.Data, b.weights[i])
	}
}

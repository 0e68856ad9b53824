// Package autograd computes gradients: a tape records coarse operations as
// they run, and plays their derivatives back in reverse.
//
// Each operation is one function that computes its output at once and pushes
// one closure that adds to the gradients of its inputs; forward and backward
// stand beside each other. There is no graph, no compiler and no registry. A
// pass looks like this:
//
//	t := &autograd.Tape{}
//	y := autograd.Linear(t, x, w, b)
//	loss := autograd.CrossEntropy(t, y, targets, float32(len(targets)))
//	t.Backward(loss)
//	autograd.Gather(params, t) // p.Grad of every parameter
//	t.Reset()
//
// Parameters are shared: any number of tapes may use the same parameters at
// once, because each tape keeps its own sum of their gradients until [Gather]
// adds those sums along one fixed tree. That is how a training step runs on
// many cores and yet gives the same bits on any number of them.
package autograd

import (
	"fmt"
	"math/rand/v2"

	"heed/internal/kernel"
	"heed/tensor"
)

// A Var is a tensor that can have a gradient of the same length as Data.
//
// A Var made by an operation belongs to its tape, is valid until the tape is
// reset, and its Grad is recycled during Backward unless [Tape.Keep] retains
// it. A Var made by [Param] belongs to the caller; its Grad is what [Gather]
// wrote.
type Var struct {
	tensor.Tensor
	Grad []float32

	// Trainable says that a parameter wants a gradient. Setting it to false
	// freezes the parameter; setting it on an input asks for its gradient.
	Trainable bool

	tape  *Tape // the owner; nil for parameters and inputs
	scope int   // of the tape when it was made
	needs bool  // an operation's output: some input wants a gradient, or keep
	keep  bool  // Grad survives Backward

	packed *kernel.Packed // in place of Data, see Pack
}

// Param returns a trainable parameter of zeros.
func Param(shape ...int) *Var {
	return &Var{Tensor: *tensor.New(shape...), Trainable: true}
}

// Input returns a constant over data, which is not copied.
func Input(data []float32, shape ...int) *Var {
	return &Var{Tensor: *tensor.Of(data, shape...)}
}

// A Tape is the record of one forward pass. The zero Tape is ready to use: it
// records gradients and applies no dropout. A Tape serves one goroutine.
type Tape struct {
	// NoGrad computes values only.
	NoGrad bool
	// Rand is the source of dropout masks; nil switches dropout off.
	Rand *rand.Rand
	// Frozen makes parameters constants: they get no gradient, and the passes
	// that compute one are saved. It is for explaining, where the gradients of
	// Vars that were kept or watched are wanted and no others.
	Frozen bool
	// Probe sees intermediate values: hidden states as [Watch] names them and
	// the weights of every named attention, shape (segments, heads, queries,
	// keys), which are materialised only while Probe is set. Their gradients
	// are valid after Backward.
	//
	// A probe may write to v.Data: everything that follows in the pass computes
	// with what it wrote, and the gradient of v is that at the new value. This
	// is an intervention: operations before v know nothing of it, and gradients
	// that flow back beyond v mean nothing.
	Probe func(name string, v *Var)
	// NoWeights keeps attention blocked although there is a probe, which then
	// sees hidden states and no weights: for whoever looks at nothing else.
	NoWeights bool
	// Cores lets a single operation use several cores, for one large input;
	// 0 stands for 1. Results do not depend on it.
	Cores int

	steps  []step
	params map[*Var]*paramGrad
	arena  arena
	vars   slab
	works  []kernel.Work
	angles angleTable      // of Rotary
	scope  int             // depth of the call of Recompute that is running; 0 outside
	crew   *kernel.Workers // of a tape of several cores
}

type step struct {
	out  *Var
	back func()
}

// paramGrad is a tape's own sum of a parameter's gradients.
type paramGrad struct {
	sum   []float32
	valid bool // sum has been written since the last Reset
}

// Reset forgets the recorded pass and recycles its buffers.
func (t *Tape) Reset() {
	clear(t.steps)
	t.steps = t.steps[:0]
	for v, p := range t.params {
		if !p.valid {
			delete(t.params, v) // an input of some earlier pass
		}
		p.valid = false
	}
	t.scope = 0
	t.angles = angleTable{}
	t.arena.reset()
	t.vars.reset()
}

// Backward computes the gradient of the scalar loss with respect to every Var
// that wants one. A tape plays back once; Reset makes it ready for the next
// pass.
func (t *Tape) Backward(loss *Var) {
	if len(loss.Data) != 1 {
		panic(&tensor.ShapeError{Op: "Backward", Got: loss.Shape, Want: []int{1}})
	}
	t.BackwardFrom(loss, []float32{1})
}

// BackwardFrom is Backward for an output of any shape: grad, of the length of
// out.Data, is the derivative of the unnamed objective with respect to out.
func (t *Tape) BackwardFrom(out *Var, grad []float32) {
	if t.NoGrad || out.tape != t || !out.needs {
		panic("autograd: Backward of a value that was not recorded on this tape or depends on nothing trainable")
	}
	if len(grad) != len(out.Data) {
		panic(&tensor.ShapeError{Op: "BackwardFrom", Got: []int{len(grad)}, Want: out.Shape})
	}
	kernel.Add(t.grad(out), grad)
	t.play(0)
}

// play runs the closures of the steps in reverse, down to step from.
func (t *Tape) play(from int) {
	for i := len(t.steps) - 1; i >= from; i-- {
		s := t.steps[i]
		if s.out.Grad == nil {
			continue // nothing downstream depends on it
		}
		s.back()
		if !s.out.keep {
			t.arena.put(s.out.Grad)
			s.out.Grad = nil
		}
	}
}

// Keep retains the gradient of v, a Var of this tape, after Backward. A Var
// that depends on nothing trainable gets a gradient too if Keep comes before
// the operations that use it. Parameters and inputs keep theirs in any case.
func (t *Tape) Keep(v *Var) {
	if v.tape == t {
		v.keep, v.needs = true, true
	}
}

// Watch shows v to the probe under a name, if there is a probe.
func (t *Tape) Watch(name string, v *Var) {
	if t.Probe != nil {
		t.Keep(v)
		t.Probe(name, v)
	}
}

// Wants reports whether v takes part in the gradient of this pass.
func (t *Tape) Wants(v *Var) bool {
	return v != nil && !t.NoGrad && (v.needs || v.Trainable && !t.Frozen)
}

// Grad returns the gradient of v on this tape after Backward: of a parameter,
// of an input, or of a Var that was kept. It is nil if v has none.
func (t *Tape) Grad(v *Var) []float32 {
	if v.tape != nil {
		return v.Grad
	}
	if p := t.params[v]; p != nil && p.valid {
		return p.sum
	}
	return nil
}

// gradient returns the buffer of v's gradient. If add is false the buffer is
// fresh and holds garbage: the caller must write every element of it. If add
// is true the caller must add to it.
func (t *Tape) gradient(v *Var) (g []float32, add bool) {
	if v.tape != nil {
		if v.Grad == nil {
			v.Grad = t.arena.get(len(v.Data), v.scope)
			return v.Grad, false
		}
		return v.Grad, true
	}
	p := t.params[v]
	if p == nil {
		if t.params == nil {
			t.params = map[*Var]*paramGrad{}
		}
		p = &paramGrad{sum: make([]float32, len(v.Data))}
		t.params[v] = p
	}
	add = p.valid
	p.valid = true
	return p.sum, add
}

// grad returns the buffer of v's gradient, zeroed if it is fresh.
func (t *Tape) grad(v *Var) []float32 {
	g, add := t.gradient(v)
	if !add {
		clear(g)
	}
	return g
}

// gradOrSpare returns what grad does, or a buffer of the same length that
// nobody reads if v wants no gradient.
func (t *Tape) gradOrSpare(v *Var) []float32 {
	if t.Wants(v) {
		return t.grad(v)
	}
	spare := t.scratch(len(v.Data))
	clear(spare)
	return spare
}

// freeSpare gives back what gradOrSpare returned for a v without a gradient.
func (t *Tape) freeSpare(v *Var, g []float32) {
	if !t.Wants(v) {
		t.free(g)
	}
}

// out returns a new Var of this tape. Its Data is not cleared.
func (t *Tape) out(shape ...int) *Var {
	v := t.vars.get(shape)
	v.Data = t.arena.get(tensor.Size(v.Shape), t.scope)
	v.tape, v.scope = t, t.scope
	return v
}

// view returns a new Var of this tape over the data of another.
func (t *Tape) view(data []float32, shape ...int) *Var {
	v := t.vars.get(shape)
	v.Data = data
	v.tape, v.scope = t, t.scope
	return v
}

// record pushes the derivative of an operation whose output is y. The closure
// runs if some input wants a gradient and y has received one.
func (t *Tape) record(y *Var, back func()) {
	y.needs = true
	t.steps = append(t.steps, step{y, back})
}

// wantsAny reports whether any of the inputs wants a gradient.
func (t *Tape) wantsAny(vs ...*Var) bool {
	for _, v := range vs {
		if t.Wants(v) {
			return true
		}
	}
	return false
}

// scratch returns a buffer that holds garbage and lives until Reset or free.
func (t *Tape) scratch(n int) []float32 { return t.arena.get(n, t.scope) }

// free gives a buffer back before Reset.
func (t *Tape) free(b []float32) { t.arena.put(b) }

func (t *Tape) cores() int { return max(1, t.Cores) }

// team returns the goroutines of a tape of several cores. They stay awake from one
// operation to the next, and end by themselves a moment after the last.
func (t *Tape) team() *kernel.Workers {
	if t.crew == nil || t.crew.Cores() != t.cores() {
		t.crew = kernel.NewWorkers(t.cores())
	}
	return t.crew
}

// work returns the kernels' scratch space of each worker.
func (t *Tape) work() []kernel.Work {
	for len(t.works) < t.cores() {
		t.works = append(t.works, kernel.Work{})
	}
	return t.works
}

// dropoutKey draws the key of one dropout mask, and reports whether dropout is
// on: a rate above 0 and a source of randomness.
func (t *Tape) dropoutKey(rate float32) (key uint64, on bool) {
	if rate < 0 || rate >= 1 {
		panic(fmt.Sprintf("autograd: dropout rate %v is not in [0, 1)", rate))
	}
	if t.Rand == nil || rate == 0 {
		return 0, false
	}
	return t.Rand.Uint64(), true
}

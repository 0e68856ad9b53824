package autograd

import "math/rand/v2"

// Recompute returns f(t, x) and forgets what f stored on the way: Backward runs
// f again when it needs it (Chen et al. 2016, "Training deep nets with sublinear
// memory cost"). It costs the time of one more forward pass of f, and the memory
// of f's activations exists only while f runs. Values and gradients have the bits
// that they have without Recompute: random numbers that f draws from t.Rand are
// drawn once and replayed.
//
// f must be a function of x and of parameters; it may use other Vars of the
// tape that were made before. Vars made inside f do not exist afterwards. With
// a probe on the tape nothing is forgotten, and Recompute is a call of f.
func Recompute(t *Tape, f func(t *Tape, x *Var) *Var, x *Var) *Var {
	if t.Probe != nil {
		return f(t, x)
	}
	var drawn record
	y, needs := t.forget(x, f, &drawn)
	if needs {
		t.record(y, func() { t.again(y, x, f, drawn.values) })
	}
	return y
}

// forget computes f(t, x), cuts the record of it off and gives back all buffers
// but the result's. It reports whether f depends on anything that wants a
// gradient.
func (t *Tape) forget(x *Var, f func(*Tape, *Var) *Var, drawn *record) (y *Var, needs bool) {
	mark, source, vars := len(t.steps), t.Rand, t.vars.n
	if source != nil {
		drawn.from = source
		t.Rand = rand.New(drawn)
	}
	t.scope++
	inner := f(t, x)
	t.scope--
	t.Rand = source
	needs = t.Wants(inner)
	data := t.arena.get(len(inner.Data), t.scope)
	copy(data, inner.Data)
	shape := append([]int(nil), inner.Shape...)
	t.cut(mark, vars)
	return t.view(data, shape...), needs
}

// again records f(t, x) at the end of the tape, plays that part back from the
// gradient of y, and cuts it off.
func (t *Tape) again(y, x *Var, f func(*Tape, *Var) *Var, values []uint64) {
	mark, source, vars := len(t.steps), t.Rand, t.vars.n
	if source != nil {
		t.Rand = rand.New(&replay{values})
	}
	t.scope++
	inner := f(t, x)
	if t.Wants(inner) {
		t.accumulate(inner, y.Grad)
		t.play(mark)
	}
	t.scope--
	t.Rand = source
	t.cut(mark, vars)
}

// cut forgets the steps, Vars and buffers of a call of Recompute.
func (t *Tape) cut(steps, vars int) {
	clear(t.steps[steps:])
	t.steps = t.steps[:steps]
	t.vars.n = vars
	t.arena.release(t.scope + 1)
}

// record is a source of random numbers that notes what it draws from another.
type record struct {
	from   *rand.Rand
	values []uint64
}

func (r *record) Uint64() uint64 {
	v := r.from.Uint64()
	r.values = append(r.values, v)
	return v
}

// replay draws again what a record has noted.
type replay struct{ values []uint64 }

func (r *replay) Uint64() uint64 {
	if len(r.values) == 0 {
		panic("autograd: Recompute of a function that draws more random numbers the second time")
	}
	v := r.values[0]
	r.values = r.values[1:]
	return v
}

package autograd

import (
	"math/rand/v2"
	"testing"
)

// deep is a chain of blocks with dropout, each recomputed or not. The weights
// are shared by all blocks, and every block also reads the first input.
func deep(t *Tape, x, w *Var, blocks int, recompute bool) *Var {
	first := x
	f := func(t *Tape, x *Var) *Var {
		h := Dropout(t, GELU(t, Linear(t, x, w, nil)), 0.2)
		h = Linear(t, GELU(t, h), w, nil)
		return Add(t, Add(t, x, Dropout(t, h, 0.2)), first)
	}
	for range blocks {
		if recompute {
			x = Recompute(t, f, x)
		} else {
			x = f(t, x)
		}
	}
	return x
}

// Recompute changes no bit of values and gradients: dropout is replayed,
// weights are shared, blocks are nested and Vars of outside are used.
func TestRecomputeHasTheSameBits(t *testing.T) {
	x, w := Param(40, 16), Param(16, 16)
	r := rand.New(rand.NewPCG(1, 2))
	for _, v := range []*Var{x, w} {
		for i := range v.Data {
			v.Data[i] = float32(r.NormFloat64()) / 4
		}
	}
	pass := func(t *Tape, f func(*Tape, *Var) *Var) (out, dx, dw []float32) {
		t.Reset()
		t.Rand = rand.New(rand.NewPCG(3, 4))
		y := f(t, Scale(t, x, 2))
		after := t.Rand.Uint64() // the stream goes on where it would have
		t.BackwardFrom(y, cotangent(len(y.Data)))
		return append(append([]float32(nil), y.Data...), float32(after>>40)), t.Grad(x), t.Grad(w)
	}
	plain, tape := &Tape{}, &Tape{}
	out, dx, dw := pass(plain, func(t *Tape, x *Var) *Var { return deep(t, x, w, 4, false) })
	for _, c := range []struct {
		name string
		f    func(*Tape, *Var) *Var
	}{
		{"one by one", func(t *Tape, x *Var) *Var { return deep(t, x, w, 4, true) }},
		{"all at once", func(t *Tape, x *Var) *Var {
			return Recompute(t, func(t *Tape, x *Var) *Var { return deep(t, x, w, 4, false) }, x)
		}},
		{"nested", func(t *Tape, x *Var) *Var {
			return Recompute(t, func(t *Tape, x *Var) *Var { return deep(t, x, w, 4, true) }, x)
		}},
	} {
		for range 2 { // again on the buffers of the pass before
			o, gx, gw := pass(tape, c.f)
			if !sameBits(o, out) || !sameBits(gx, dx) || !sameBits(gw, dw) {
				t.Errorf("%s: other bits", c.name)
			}
		}
	}
}

// The activations of one block are alive at a time.
func TestRecomputeSavesMemory(t *testing.T) {
	x, w := Param(200, 16), Param(16, 16)
	w.Data[5] = 1
	floats := func(recompute bool) int {
		tape := &Tape{Rand: rand.New(rand.NewPCG(3, 4))}
		y := deep(tape, x, w, 20, recompute)
		tape.BackwardFrom(y, cotangent(len(y.Data)))
		n := 0
		for _, h := range tape.arena.used {
			n += cap(h.buf)
		}
		for _, bs := range tape.arena.free {
			for _, b := range bs {
				n += cap(b)
			}
		}
		return n
	}
	if plain, less := floats(false), floats(true); less > plain/4 {
		t.Errorf("%d floats without Recompute, %d with it: want a quarter or less", plain, less)
	}
}

// Without gradients what f made is forgotten too.
func TestRecomputeWithoutGradients(t *testing.T) {
	x, w := Param(200, 16), Param(16, 16)
	tape := &Tape{NoGrad: true}
	y := deep(tape, x, w, 20, true)
	if n := len(tape.arena.used); n != 20 {
		t.Errorf("%d buffers are in use after 20 blocks", n)
	}
	if y.Dim(0) != 200 || len(tape.steps) != 0 {
		t.Errorf("shape %v, %d steps", y.Shape, len(tape.steps))
	}
}

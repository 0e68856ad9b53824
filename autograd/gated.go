package autograd

import (
	"heed/internal/kernel"
	"heed/tensor"
)

// Tanh computes y = tanh(x).
//
//	dx += dy·(1 - y²)
func Tanh(t *Tape, x *Var) *Var {
	y := t.out(x.Shape...)
	kernel.Tanh(y.Data, x.Data)
	if t.wantsAny(x) {
		t.record(y, func() { kernel.TanhBack(t.grad(x), y.Grad, y.Data) })
	}
	return y
}

// GEGLU computes y = GELU(a) ∘ b for x (..., 2·F), whose rows hold a and then b;
// y is (..., F). Shazeer 2020, with the exact GELU.
//
//	da += dy·b·GELU'(a)    db += dy·GELU(a)
func GEGLU(t *Tape, x *Var) *Var {
	m, f := x.Rows(), x.Dim(-1)/2
	if x.Dim(-1) != 2*f || f == 0 {
		panic(&tensor.ShapeError{Op: "GEGLU (even width)", Got: x.Shape, Want: []int{-1, 2 * f}})
	}
	shape := append([]int{}, x.Shape...)
	shape[len(shape)-1] = f
	y := t.out(shape...)
	gate := t.scratch(m * f) // GELU(a), which the backward pass wants again
	t.eachRange(m, func(_, lo, hi int) {
		for r := lo; r < hi; r++ {
			a, b := x.Data[2*r*f:(2*r+1)*f], x.Data[(2*r+1)*f:(2*r+2)*f]
			g, out := gate[r*f:(r+1)*f], y.Data[r*f:(r+1)*f]
			kernel.GELU(g, a)
			clear(out)
			kernel.MulAdd(out, g, b)
		}
	})
	if t.wantsAny(x) {
		t.record(y, func() {
			dx, add := t.gradient(x)
			db := t.scratch(f)
			for r := range m {
				dy := y.Grad[r*f : (r+1)*f]
				a, b := x.Data[2*r*f:(2*r+1)*f], x.Data[(2*r+1)*f:(2*r+2)*f]
				da, dlast := dx[2*r*f:(2*r+1)*f], dx[(2*r+1)*f:(2*r+2)*f]
				clear(db)
				kernel.MulAdd(db, dy, b)
				kernel.GELUBack(da, db, a, add)
				if !add {
					clear(dlast)
				}
				kernel.MulAdd(dlast, dy, gate[r*f:(r+1)*f])
			}
			t.free(db)
		})
	}
	return y
}

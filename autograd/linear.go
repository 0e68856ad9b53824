package autograd

import (
	"fmt"
	"slices"

	"heed/internal/kernel"
	"heed/tensor"
)

// Linear computes y = x·wᵀ + b for x (..., K), w (N, K) and b (N), which may
// be nil; y is (..., N). Rows are independent.
//
//	dx += dy·w    dw += dyᵀ·x    db += column sums of dy
func Linear(t *Tape, x, w, b *Var) *Var {
	tensor.Check("Linear weight", w.Shape, -1, x.Dim(-1))
	m, n, k := x.Rows(), w.Dim(0), w.Dim(1)
	if b != nil {
		tensor.Check("Linear bias", b.Shape, n)
	}
	if w.packed != nil {
		y := t.packedOut(x, w, b)
		kernel.MulPacked(t.team(), kernel.Matrix(x.Data, m, k), packedTarget(y, w, b))
		return y
	}
	y := t.out(append(slices.Clone(x.Shape[:len(x.Shape)-1]), n)...)
	var bias []float32
	if b != nil {
		bias = b.Data
	}
	t.mulRows(y.Data, x.Data, kernel.Matrix(w.Data, n, k).T(), m, bias, false)
	if t.wantsAny(x, w, b) {
		t.record(y, func() {
			dy := y.Grad
			if t.Wants(x) {
				dx, add := t.gradient(x)
				t.mulRows(dx, dy, kernel.Matrix(w.Data, n, k), m, nil, add)
			}
			if t.Wants(w) {
				dw, add := t.gradient(w)
				kernel.Mul(&t.work()[0], kernel.Matrix(dw, n, k), kernel.Matrix(dy, m, n).T(), kernel.Matrix(x.Data, m, k), add)
			}
			if t.Wants(b) {
				kernel.AddRows(t.grad(b), dy, m)
			}
		})
	}
	return y
}

// Pack arranges weights (N, K) of [Linear] once, in the order in which its kernel
// reads them, and not anew in each product. This is for inference: their Data, whose
// memory is used again, is nil from then on, and they have no gradient. Linear gives
// the same bits as before. Tapes may share packed weights.
func Pack(weights ...*Var) {
	var work kernel.Work
	for _, w := range weights {
		tensor.Check("Pack", w.Shape, -1, -1)
		if w.tape != nil || w.Data == nil {
			panic("autograd: Pack of a Var that is no parameter, or is packed")
		}
		w.packed = kernel.Pack(&work, kernel.Matrix(w.Data, w.Dim(0), w.Dim(1)).T(), w.Data)
		w.Data, w.Grad, w.Trainable = nil, nil, false
	}
}

// Linears is [Linear] of one x with three layers, such as those of queries, keys
// and values. Packed weights make it one product.
func Linears(t *Tape, x *Var, w, b [3]*Var) (y [3]*Var) {
	if w[0].packed == nil || w[1].packed == nil || w[2].packed == nil {
		for i := range y {
			y[i] = Linear(t, x, w[i], b[i])
		}
		return y
	}
	var targets [3]kernel.Target
	for i := range y {
		tensor.Check("Linears weight", w[i].Shape, -1, x.Dim(-1))
		y[i] = t.packedOut(x, w[i], b[i])
		targets[i] = packedTarget(y[i], w[i], b[i])
	}
	kernel.MulPacked(t.team(), kernel.Matrix(x.Data, x.Rows(), x.Dim(-1)), targets[:]...)
	return y
}

// packedOut returns the output of a linear layer with packed weights.
func (t *Tape) packedOut(x, w, b *Var) *Var {
	if t.wantsAny(x, b) {
		panic(fmt.Sprintf("autograd: the gradient of packed weights %v", w.Shape))
	}
	return t.out(append(slices.Clone(x.Shape[:len(x.Shape)-1]), w.Dim(0))...)
}

func packedTarget(y, w, b *Var) kernel.Target {
	target := kernel.Target{C: kernel.Matrix(y.Data, y.Rows(), w.Dim(0)), B: w.packed}
	if b != nil {
		target.Bias = b.Data
	}
	return target
}

// mulRows computes the rows of y = x·b + bias, or y += x·b, where x and y are
// contiguous with m rows; it shares the work among the tape's cores.
func (t *Tape) mulRows(y, x []float32, b kernel.View, m int, bias []float32, add bool) {
	c, a := kernel.Matrix(y[:m*b.Cols], m, b.Cols), kernel.Matrix(x[:m*b.Rows], m, b.Rows)
	switch {
	case t.cores() > 1:
		kernel.MulParallel(t.team(), c, a, b, bias, add)
	case add:
		kernel.Mul(&t.work()[0], c, a, b, true)
	default:
		kernel.MulBias(&t.work()[0], c, a, b, bias)
	}
}

// MatMul computes c = a·b for a (M, K) and b (K, N).
//
//	da += dc·bᵀ    db += aᵀ·dc
func MatMul(t *Tape, a, b *Var) *Var {
	tensor.Check("MatMul a", a.Shape, -1, -1)
	tensor.Check("MatMul b", b.Shape, a.Dim(1), -1)
	m, k, n := a.Dim(0), a.Dim(1), b.Dim(1)
	c := t.out(m, n)
	w := &t.work()[0]
	kernel.Mul(w, kernel.Matrix(c.Data, m, n), kernel.Matrix(a.Data, m, k), kernel.Matrix(b.Data, k, n), false)
	if t.wantsAny(a, b) {
		t.record(c, func() {
			dc := kernel.Matrix(c.Grad, m, n)
			if t.Wants(a) {
				da, add := t.gradient(a)
				kernel.Mul(w, kernel.Matrix(da, m, k), dc, kernel.Matrix(b.Data, k, n).T(), add)
			}
			if t.Wants(b) {
				db, add := t.gradient(b)
				kernel.Mul(w, kernel.Matrix(db, k, n), kernel.Matrix(a.Data, m, k).T(), dc, add)
			}
		})
	}
	return c
}

package autograd

import (
	"fmt"
	"slices"

	"heed/internal/kernel"
	"heed/internal/par"
	"heed/tensor"
)

// eachRange cuts n rows into one range for each core, in multiples of 16 rows.
func (t *Tape) eachRange(n int, f func(worker, lo, hi int)) {
	const align = 16
	units := (n + align - 1) / align
	parts := min(t.cores(), units)
	if parts <= 1 {
		if n > 0 {
			f(0, 0, n)
		}
		return
	}
	t.do(parts, func(worker, i int) { f(worker, i*units/parts*align, min(n, (i+1)*units/parts*align)) })
}

// do runs tasks on the tape's cores.
func (t *Tape) do(tasks int, f func(worker, task int)) {
	if t.cores() == 1 {
		par.Do(tasks, 1, f)
		return
	}
	t.team().Do(tasks, f)
}

// Add computes y = a + b for equal shapes: the residual connection.
func Add(t *Tape, a, b *Var) *Var {
	tensor.Check("Add", b.Shape, a.Shape...)
	y := t.out(a.Shape...)
	if t.cores() > 1 {
		t.eachRange(len(y.Data), func(_, lo, hi int) { kernel.Sum2(y.Data[lo:hi], a.Data[lo:hi], b.Data[lo:hi]) })
	} else {
		kernel.Sum2(y.Data, a.Data, b.Data)
	}
	if t.wantsAny(a, b) {
		t.record(y, func() {
			for _, v := range [2]*Var{a, b} {
				if t.Wants(v) {
					t.accumulate(v, y.Grad)
				}
			}
		})
	}
	return y
}

// accumulate adds g to the gradient of v.
func (t *Tape) accumulate(v *Var, g []float32) {
	if d, add := t.gradient(v); add {
		kernel.Add(d, g)
	} else {
		copy(d, g)
	}
}

// AddRow computes y = x + row for x (..., D) and row (D), added to every row.
func AddRow(t *Tape, x, row *Var) *Var {
	tensor.Check("AddRow", row.Shape, x.Dim(-1))
	m, d := x.Rows(), x.Dim(-1)
	y := t.out(x.Shape...)
	for i := range m {
		kernel.Sum2(y.Data[i*d:(i+1)*d], x.Data[i*d:(i+1)*d], row.Data)
	}
	if t.wantsAny(x, row) {
		t.record(y, func() {
			if t.Wants(x) {
				t.accumulate(x, y.Grad)
			}
			if t.Wants(row) {
				kernel.AddRows(t.grad(row), y.Grad, m)
			}
		})
	}
	return y
}

// Mul computes y = a ∘ b, element by element, for equal shapes.
func Mul(t *Tape, a, b *Var) *Var {
	tensor.Check("Mul", b.Shape, a.Shape...)
	y := t.out(a.Shape...)
	clear(y.Data)
	kernel.MulAdd(y.Data, a.Data, b.Data)
	if t.wantsAny(a, b) {
		t.record(y, func() {
			if t.Wants(a) {
				kernel.MulAdd(t.grad(a), y.Grad, b.Data)
			}
			if t.Wants(b) {
				kernel.MulAdd(t.grad(b), y.Grad, a.Data)
			}
		})
	}
	return y
}

// Scale computes y = f·x for a constant factor.
func Scale(t *Tape, x *Var, f float32) *Var {
	y := t.out(x.Shape...)
	clear(y.Data)
	kernel.Axpy(y.Data, f, x.Data)
	if t.wantsAny(x) {
		t.record(y, func() { kernel.Axpy(t.grad(x), f, y.Grad) })
	}
	return y
}

// Sum adds all elements of x to a scalar.
func Sum(t *Tape, x *Var) *Var {
	y := t.out()
	var s float64
	for _, v := range x.Data {
		s += float64(v)
	}
	y.Data[0] = float32(s)
	if t.wantsAny(x) {
		t.record(y, func() {
			d := t.grad(x)
			for i := range d {
				d[i] += y.Grad[0]
			}
		})
	}
	return y
}

// GELU computes y = x·Φ(x) with the exact normal distribution function Φ;
// Hendrycks & Gimpel 2016.
//
//	dx += dy·(Φ(x) + x·φ(x))
func GELU(t *Tape, x *Var) *Var {
	y := t.out(x.Shape...)
	t.eachRange(len(x.Data), func(_, lo, hi int) { kernel.GELU(y.Data[lo:hi], x.Data[lo:hi]) })
	if t.wantsAny(x) {
		t.record(y, func() {
			dx, add := t.gradient(x)
			t.eachRange(len(dx), func(_, lo, hi int) {
				kernel.GELUBack(dx[lo:hi], y.Grad[lo:hi], x.Data[lo:hi], add)
			})
		})
	}
	return y
}

// ReLU computes y = max(x, 0); its derivative at 0 is 0.
func ReLU(t *Tape, x *Var) *Var {
	y := t.out(x.Shape...)
	kernel.ReLU(y.Data, x.Data)
	if t.wantsAny(x) {
		t.record(y, func() { kernel.ReLUBack(t.grad(x), y.Grad, y.Data) })
	}
	return y
}

// Dropout sets each element to 0 with probability rate and multiplies the rest
// by 1/(1-rate) (Srivastava et al. 2014). Without a source of randomness on
// the tape it returns x itself.
func Dropout(t *Tape, x *Var, rate float32) *Var {
	key, on := t.dropoutKey(rate)
	if !on {
		return x
	}
	threshold, factor := dropoutThreshold(rate), 1/(1-rate)
	y := t.out(x.Shape...)
	kernel.Dropout(y.Data, x.Data, key, threshold, factor, false)
	if t.wantsAny(x) {
		t.record(y, func() {
			dx, add := t.gradient(x)
			kernel.Dropout(dx, y.Grad, key, threshold, factor, add)
		})
	}
	return y
}

// dropoutThreshold is the number below which a 32-bit hash means "drop".
func dropoutThreshold(rate float32) uint32 { return uint32(float64(rate) * (1 << 32)) }

// Reshape returns x under another shape of the same size; the data is shared.
func Reshape(t *Tape, x *Var, shape ...int) *Var {
	if tensor.Size(shape) != len(x.Data) {
		panic(&tensor.ShapeError{Op: "Reshape", Got: x.Shape, Want: slices.Clone(shape)})
	}
	y := t.view(x.Data, shape...)
	if t.wantsAny(x) {
		t.record(y, func() { t.accumulate(x, y.Grad) })
	}
	return y
}

// Concat joins tensors that agree in all axes but the last along the last one.
func Concat(t *Tape, xs ...*Var) *Var {
	m, width := xs[0].Rows(), 0
	for _, x := range xs {
		if x.Rows() != m {
			panic(&tensor.ShapeError{Op: "Concat", Got: x.Shape, Want: xs[0].Shape})
		}
		width += x.Dim(-1)
	}
	y := t.out(append(slices.Clone(xs[0].Shape[:len(xs[0].Shape)-1]), width)...)
	at := 0
	for _, x := range xs {
		d := x.Dim(-1)
		for i := range m {
			copy(y.Data[i*width+at:], x.Data[i*d:(i+1)*d])
		}
		at += d
	}
	if t.wantsAny(xs...) {
		xs := slices.Clone(xs)
		t.record(y, func() {
			at := 0
			for _, x := range xs {
				d := x.Dim(-1)
				if t.Wants(x) {
					dx := t.grad(x)
					for i := range m {
						kernel.Add(dx[i*d:(i+1)*d], y.Grad[i*width+at:i*width+at+d])
					}
				}
				at += d
			}
		})
	}
	return y
}

// Columns returns columns lo to hi of x (..., D): what Concat has joined.
func Columns(t *Tape, x *Var, lo, hi int) *Var {
	d := x.Dim(-1)
	if lo < 0 || hi > d || lo >= hi {
		panic(fmt.Sprintf("Columns: %d to %d of %v", lo, hi, x.Shape))
	}
	m, w := x.Rows(), hi-lo
	y := t.out(append(slices.Clone(x.Shape[:len(x.Shape)-1]), w)...)
	for i := range m {
		copy(y.Data[i*w:(i+1)*w], x.Data[i*d+lo:i*d+hi])
	}
	if t.wantsAny(x) {
		t.record(y, func() {
			dx := t.grad(x)
			for i := range m {
				kernel.Add(dx[i*d+lo:i*d+hi], y.Grad[i*w:(i+1)*w])
			}
		})
	}
	return y
}

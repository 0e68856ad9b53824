package kernel

import (
	"fmt"

	"heed/internal/par"
)

// Mul computes the matrix product C = A·B, or C += A·B if add is set, for a of
// (M, K), b of (K, N) and c of (M, N), whose columns must be adjacent
// (c.ColStride 1). Transposed operands are transposed views.
//
//	for i := range M {
//		for j := range N {
//			s := add ? c[i, j] : 0
//			for k := range K {
//				s = fma(a[i, k], b[k, j], s)
//			}
//			c[i, j] = s
//		}
//	}
func Mul(w *Work, c, a, b View, add bool) {
	checkMul(c, a, b)
	mul(w, nil, c, a, b, nil, add)
}

// MulBias computes C = A·B + bias, where bias (N) is added to every row of C.
// The sum of element (i, j) starts at bias[j]. A nil bias stands for zeros.
func MulBias(w *Work, c, a, b View, bias []float32) {
	checkMul(c, a, b)
	checkBias(c, bias)
	mul(w, nil, c, a, b, bias, false)
}

// Workers is what [MulParallel] keeps from one call to the next, and the goroutines
// that share its work. It serves one call at a time.
type Workers struct {
	works []Work
	pool  par.Pool
}

// NewWorkers returns workers for up to n cores. It panics if n is not positive.
func NewWorkers(n int) *Workers {
	if n < 1 {
		panic(fmt.Sprintf("kernel.NewWorkers: %d workers", n))
	}
	return &Workers{works: make([]Work, n)}
}

// Cores returns the number of cores that w was made for.
func (w *Workers) Cores() int { return len(w.works) }

// Do calls f(worker, task) for every task, as [par.Do], on the cores of w.
func (w *Workers) Do(tasks int, f func(worker, task int)) { w.pool.Do(tasks, len(w.works), f) }

// MulParallel computes what [MulBias] computes, or [Mul] with add set, on the
// cores of w. The bits of the result are the same for any number of them.
func MulParallel(w *Workers, c, a, b View, bias []float32, add bool) {
	checkMul(c, a, b)
	checkBias(c, bias)
	if bias != nil && add {
		panic("kernel.MulParallel: both a bias and add")
	}
	one := &w.works[0]
	if len(w.works) == 1 || c.Rows*c.Cols*a.Cols < minParallel {
		w = nil
	}
	mul(one, w, c, a, b, bias, add)
}

// minParallel is the number of multiplications from which a second core
// gains more than it costs to start it.
const minParallel = 1 << 21

func checkMul(c, a, b View) {
	if c.Rows != a.Rows || a.Cols != b.Rows || b.Cols != c.Cols || c.ColStride != 1 && c.Cols > 1 {
		panic(fmt.Sprintf("kernel.Mul: (%d, %d) = (%d, %d)·(%d, %d), column stride %d",
			c.Rows, c.Cols, a.Rows, a.Cols, b.Rows, b.Cols, c.ColStride))
	}
	c.check()
	a.check()
	b.check()
}

func (v View) check() {
	if v.Rows > 0 && v.Cols > 0 {
		if last := (v.Rows-1)*v.RowStride + (v.Cols-1)*v.ColStride; last >= len(v.Data) {
			panic(fmt.Sprintf("kernel: view (%d, %d) reaches element %d of %d", v.Rows, v.Cols, last, len(v.Data)))
		}
	}
}

func checkBias(c View, bias []float32) {
	if bias != nil && len(bias) != c.Cols {
		panic(fmt.Sprintf("kernel.Mul: bias of %d for %d columns", len(bias), c.Cols))
	}
}

// mul is MulParallel without the checks. It runs on one core, with
// the scratch space one, if w is nil.
func mul(one *Work, w *Workers, c, a, b View, bias []float32, add bool) {
	switch {
	case c.Rows == 0 || c.Cols == 0:
	case active == Generic || a.Cols == 0:
		mulGeneric(c, a, b, bias, add)
	default:
		mulTiled(one, w, c, a, b, bias, add)
	}
}

func mulGeneric(c, a, b View, bias []float32, add bool) {
	for i := range c.Rows {
		row := c.Data[i*c.RowStride : i*c.RowStride+c.Cols]
		switch {
		case add:
		case bias != nil:
			copy(row, bias)
		default:
			clear(row)
		}
		for k := range a.Cols {
			x := a.Data[i*a.RowStride+k*a.ColStride]
			p := k * b.RowStride
			if b.ColStride == 1 {
				for j, y := range b.Data[p : p+len(row)] {
					row[j] += x * y
				}
				continue
			}
			for j := range row {
				row[j] += x * b.Data[p+j*b.ColStride]
			}
		}
	}
}

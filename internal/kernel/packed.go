package kernel

import "fmt"

// A Packed is the right operand (K, N) of many products, copied once to panels of
// packWidth adjacent columns, in the order in which tiles read them. It belongs to
// no implementation: each reads it as one View after another.
type Packed struct {
	rows, cols int
	data       []float32 // (panels, K, packWidth); undefined beyond the last column
}

// packWidth is the width of the largest tile of any implementation.
const packWidth = 32

// Pack copies b. It uses the memory of buf if that has the length, which is K·N if
// N is a multiple of 32; buf may be that of b, and w is only needed for that.
func Pack(w *Work, b View, buf []float32) *Packed {
	b.check()
	n := parts(b.Cols, packWidth) * packWidth * b.Rows
	p := &Packed{rows: b.Rows, cols: b.Cols, data: buf}
	var to []float32
	if len(buf) == n {
		to = grow(&w.packB, n)
	} else {
		p.data = make([]float32, n)
		to = p.data
	}
	for j := 0; j < b.Cols && b.Rows > 0; j += packWidth {
		v := b
		v.Data, v.Cols = b.Data[j*b.ColStride:], min(packWidth, b.Cols-j)
		if active == Generic {
			packPanelGeneric(to[j*b.Rows:], v, packWidth)
		} else {
			packPanel(to[j*b.Rows:], v, packWidth)
		}
	}
	if len(buf) == n {
		copy(p.data, to)
	}
	return p
}

// parts returns the number of pieces of at most size that n is cut into.
func parts(n, size int) int { return (n + size - 1) / size }

// Rows returns K.
func (p *Packed) Rows() int { return p.rows }

// Cols returns N.
func (p *Packed) Cols() int { return p.cols }

// panel returns columns j to j+32 of b.
func (p *Packed) panel(j int) View {
	return View{p.data[j*p.rows:], p.rows, min(packWidth, p.cols-j), packWidth, 1}
}

// A Target is one of several products of the same A, C = A·B + Bias. A nil bias
// stands for zeros.
type Target struct {
	C    View
	B    *Packed
	Bias []float32 // (N)
}

// MulPacked computes the products of a with the packed operand of each target, as
// [MulBias] would, on the cores of w. The bits of the results are the same for any
// number of them.
//
//	for _, t := range targets {
//		MulBias(work, t.C, a, t.B, t.Bias)
//	}
func MulPacked(w *Workers, a View, targets ...Target) {
	a.check()
	panels := 0
	for _, t := range targets {
		if t.C.Rows != a.Rows || a.Cols != t.B.rows || t.B.cols != t.C.Cols || t.C.ColStride != 1 && t.C.Cols > 1 {
			panic(fmt.Sprintf("kernel.MulPacked: (%d, %d) = (%d, %d)·(%d, %d), column stride %d",
				t.C.Rows, t.C.Cols, a.Rows, a.Cols, t.B.rows, t.B.cols, t.C.ColStride))
		}
		t.C.check()
		checkBias(t.C, t.Bias)
		panels += parts(t.C.Cols, packWidth)
	}
	if a.Rows == 0 || panels == 0 {
		return
	}
	workers := w.Cores()
	if a.Rows*a.Cols*panels*packWidth < minParallel {
		workers = 1
	}
	mulPacked(w, a, targets, panels, workers)
}

// mulPacked is MulPacked without the checks, for a number of panels in all.
func mulPacked(w *Workers, a View, targets []Target, panels, workers int) {
	if active == Generic || a.Cols == 0 {
		mulPackedGeneric(w, a, targets, workers)
	} else {
		mulPackedTiled(w, a, targets, panels, workers)
	}
}

// mulPackedGeneric is mulPacked with panels for tasks.
func mulPackedGeneric(w *Workers, a View, targets []Target, workers int) {
	for _, t := range targets {
		w.pool.Do(parts(t.C.Cols, packWidth), workers, func(_, i int) {
			j := i * packWidth
			b := t.B.panel(j)
			mulGeneric(t.C.columns(j, b.Cols), a, b, t.Bias[min(j, len(t.Bias)):min(j+b.Cols, len(t.Bias))], false)
		})
	}
}

// packPanelGeneric copies the panel b to rows of width adjacent floats.
func packPanelGeneric(dst []float32, b View, width int) {
	for k := range b.Rows {
		for j := range b.Cols {
			dst[k*width+j] = b.Data[k*b.RowStride+j*b.ColStride]
		}
	}
}

// columns returns the view of n columns from column j on.
func (v View) columns(j, n int) View {
	v.Data = v.Data[min(j*v.ColStride, len(v.Data)):]
	v.Cols = n
	return v
}

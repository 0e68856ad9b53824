// Package kernel holds the inner loops: functions of float32 slices and
// integers that know no tensor and no gradient.
//
// Every function exists as plain Go (the specification, *Generic) and, on
// amd64, as generated assembly for AVX2+FMA and for AVX-512. The assembly of
// both computes the same bits: a matrix product is one chain of fused
// multiply-adds per element in the order of k, and every sum over a slice runs
// in 16 lanes that are added in a fixed tree. Plain Go rounds twice where they
// round once, and agrees within the bounds of docs/numerics.md.
//
// Lengths are the caller's duty; exported functions check them once and panic.
// Nothing here allocates in the steady state: scratch space comes from a
// [Work], of which each goroutine has its own.
package kernel

// A View describes a matrix inside a slice: element (i, j) is
// Data[i*RowStride+j*ColStride]. A transposed matrix, the columns that belong
// to one head, every L-th row of a grid, and the overlapping windows of a
// convolution are all Views, and none of them is ever copied.
type View struct {
	Data                 []float32
	Rows, Cols           int
	RowStride, ColStride int
}

// Matrix returns the view of a contiguous (rows, cols) matrix.
func Matrix(data []float32, rows, cols int) View {
	return View{data, rows, cols, cols, 1}
}

// T returns the transposed view.
func (v View) T() View {
	return View{v.Data, v.Cols, v.Rows, v.ColStride, v.RowStride}
}

// A Work is the scratch space of one goroutine. Its zero value is ready to
// use; it grows to what the largest call has needed.
type Work struct {
	packA, packB []float32
	attn         []float32
}

// grow returns a slice of length n over *buf, which it enlarges if necessary.
// The content is undefined.
func grow(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n+n/8)
	}
	return (*buf)[:n]
}

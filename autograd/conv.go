package autograd

import (
	"fmt"

	"heed/internal/kernel"
	"heed/tensor"
)

// Conv1D convolves each segment of x (T, C) with w (O, K, C) and adds b (O),
// which may be nil; the result is (T, O). The segments must not overlap and are
// padded with zeros to keep their length, (K-1)/2 of them on the left:
//
//	y[l, o] = b[o] + Σ_k Σ_c w[o, k, c] · x[l+k-(K-1)/2, c]
//
// It is a matrix product with overlapping windows of x as rows, which are
// views of the padded segment: no window is ever copied. Rows of a segment need
// not lie side by side: the columns of a grid are convolved as they are, and
// over [Dilated] segments the convolution is a dilated one. (PyTorch stores the
// weight as (O, C, K).)
func Conv1D(t *Tape, x, w, b *Var, segments []Segment) *Var {
	tensor.Check("Conv1D weight", w.Shape, -1, -1, x.Dim(1))
	checkSegments("Conv1D", segments, x.Dim(0))
	o, k, c := w.Dim(0), w.Dim(1), w.Dim(2)
	var bias []float32
	if b != nil {
		tensor.Check("Conv1D bias", b.Shape, o)
		bias = b.Data
	}
	left := (k - 1) / 2
	work := &t.work()[0]
	weight := kernel.Matrix(w.Data, o, k*c)
	y := t.out(x.Dim(0), o)
	clear(y.Data)
	for _, s := range segments {
		padded := t.pad(x.Data, s, c, left, k-1)
		kernel.MulBias(work, s.view(y.Data, o), windows(padded, s.Count, k, c), weight.T(), bias)
		t.free(padded)
	}
	if t.wantsAny(x, w, b) {
		t.record(y, func() {
			if t.Wants(b) {
				for _, s := range segments { // rows outside have no bias
					db := t.grad(b)
					for i := range s.Count {
						kernel.Add(db, row(y.Grad, s.Start+i*s.Stride, o))
					}
				}
			}
			if t.Wants(w) {
				dw := kernel.Matrix(t.grad(w), o, k*c)
				for _, s := range segments {
					padded := t.pad(x.Data, s, c, left, k-1)
					kernel.Mul(work, dw, s.view(y.Grad, o).T(), windows(padded, s.Count, k, c), true)
					t.free(padded)
				}
			}
			if t.Wants(x) {
				// dx is the convolution of dy with the weights reversed in k:
				// flipped[k, o, c] = w[o, K-1-k, c].
				flipped := t.scratch(k * o * c)
				for i := range o {
					for j := range k {
						copy(flipped[((k-1-j)*o+i)*c:][:c], w.Data[(i*k+j)*c:][:c])
					}
				}
				dx := t.grad(x)
				for _, s := range segments {
					padded := t.pad(y.Grad, s, o, k-1-left, k-1)
					kernel.Mul(work, s.view(dx, c), windows(padded, s.Count, k, o), kernel.Matrix(flipped, k*o, c), true)
					t.free(padded)
				}
				t.free(flipped)
			}
		})
	}
	return y
}

// pad copies a segment of x (T, C) between zeros: left rows before and, in
// all, extra rows more than the segment has.
func (t *Tape) pad(x []float32, s Segment, c, left, extra int) []float32 {
	p := t.scratch((s.Count + extra) * c)
	clear(p[:left*c])
	if s.Stride == 1 {
		copy(p[left*c:], x[s.Start*c:(s.Start+s.Count)*c])
	} else {
		for i := range s.Count {
			copy(p[(left+i)*c:], row(x, s.Start+i*s.Stride, c))
		}
	}
	clear(p[(left+s.Count)*c:])
	return p
}

// windows is the (count, k·c) matrix of overlapping windows of padded rows.
func windows(padded []float32, count, k, c int) kernel.View {
	return kernel.View{Data: padded, Rows: count, Cols: k * c, RowStride: c, ColStride: 1}
}

func checkContiguous(op string, segments []Segment, rows int) {
	checkSegments(op, segments, rows)
	for _, s := range segments {
		if s.Stride != 1 && s.Count > 1 {
			panic(fmt.Sprintf("%s: segment at %d has stride %d, want 1", op, s.Start, s.Stride))
		}
	}
}

// MaxPool1D takes the maximum over windows of the given size that lie side by
// side in each contiguous segment of x (T, C); the last window of a segment may
// be shorter. It returns the result, packed, and its segments.
func MaxPool1D(t *Tape, x *Var, size int, segments []Segment) (*Var, []Segment) {
	tensor.Check("MaxPool1D", x.Shape, -1, -1)
	checkContiguous("MaxPool1D", segments, x.Dim(0))
	if size < 1 {
		panic(fmt.Sprintf("MaxPool1D: window of %d", size))
	}
	c := x.Dim(1)
	lengths := make([]int, len(segments))
	total := 0
	for i, s := range segments {
		lengths[i] = (s.Count + size - 1) / size
		total += lengths[i]
	}
	y := t.out(total, c)
	// each calls f with the index in y and in x of every maximum. Backward finds
	// them again rather than store them.
	each := func(f func(to, from int)) {
		at := 0
		for i, s := range segments {
			for r := range lengths[i] {
				first := s.Start + r*size
				last := min(first+size, s.Start+s.Count)
				for j := range c {
					best := first*c + j
					for l := first + 1; l < last; l++ {
						if x.Data[l*c+j] > x.Data[best] {
							best = l*c + j
						}
					}
					f(at*c+j, best)
				}
				at++
			}
		}
	}
	each(func(to, from int) { y.Data[to] = x.Data[from] })
	if t.wantsAny(x) {
		t.record(y, func() {
			dx := t.grad(x)
			each(func(to, from int) { dx[from] += y.Grad[to] })
		})
	}
	return y, Packed(lengths...)
}

// MaxNear1D takes the maximum over the size rows around each row of a segment of
// x (T, C): the pooled branch of an inception block (Szegedy et al. 2015). At an
// end of a segment there are fewer rows. size is odd. Rows outside are zero.
func MaxNear1D(t *Tape, x *Var, size int, segments []Segment) *Var {
	tensor.Check("MaxNear1D", x.Shape, -1, -1)
	checkSegments("MaxNear1D", segments, x.Dim(0))
	if size < 1 || size%2 == 0 {
		panic(fmt.Sprintf("MaxNear1D: window of %d", size))
	}
	c := x.Dim(1)
	y := t.out(x.Dim(0), c)
	clear(y.Data)
	// each calls f with the index in y and in x of every maximum, as in MaxPool1D.
	each := func(f func(to, from int)) {
		for _, s := range segments {
			for i := range s.Count {
				at := (s.Start + i*s.Stride) * c
				lo, hi := max(0, i-size/2), min(s.Count-1, i+size/2)
				for j := range c {
					best := (s.Start+lo*s.Stride)*c + j
					for l := lo + 1; l <= hi; l++ {
						if k := (s.Start+l*s.Stride)*c + j; x.Data[k] > x.Data[best] {
							best = k
						}
					}
					f(at+j, best)
				}
			}
		}
	}
	each(func(to, from int) { y.Data[to] = x.Data[from] })
	if t.wantsAny(x) {
		t.record(y, func() {
			dx := t.grad(x)
			each(func(to, from int) { dx[from] += y.Grad[to] })
		})
	}
	return y
}

package autograd

import (
	"cmp"
	"fmt"
	"slices"

	"heed/internal/kernel"
	"heed/tensor"
)

// A schedule is the order in which a recurrent operation computes: time step
// after time step, the longest segment first. Rows in this order are "packed":
// the segments that are live at a step are one block, and the same segments lead
// the block before, so that the product of a step is one matrix product over all
// live segments without a copy.
type schedule struct {
	segments []Segment // not empty, longest first
	first    []int     // packed row at which each step begins; the last entry is their number
	reverse  bool
}

func (t *Tape) schedule(op string, segments []Segment, rows int, reverse bool) *schedule {
	checkSegments(op, segments, rows)
	if r := t.overlap(segments, rows); r >= 0 {
		panic(fmt.Sprintf("%s: row %d is in two segments", op, r))
	}
	s := &schedule{reverse: reverse}
	for _, g := range segments {
		if g.Count > 0 {
			s.segments = append(s.segments, g)
		}
	}
	slices.SortStableFunc(s.segments, func(a, b Segment) int { return cmp.Compare(b.Count, a.Count) })
	s.first = append(s.first, 0)
	if len(s.segments) > 0 {
		live, at := len(s.segments), 0
		for step := range s.segments[0].Count {
			for s.segments[live-1].Count <= step {
				live--
			}
			at += live
			s.first = append(s.first, at)
		}
	}
	return s
}

// steps returns the length of the longest segment.
func (s *schedule) steps() int { return len(s.first) - 1 }

// rows returns the number of packed rows.
func (s *schedule) rows() int { return s.first[len(s.first)-1] }

// live returns the number of segments that have a step.
func (s *schedule) live(step int) int { return s.first[step+1] - s.first[step] }

// each calls f with every packed row and the row of the tensor that it is.
func (s *schedule) each(f func(packed, row int)) {
	for step := range s.steps() {
		for i := range s.live(step) {
			f(s.first[step]+i, s.row(step, i))
		}
	}
}

// row returns the row of the tensor that segment i has at a step.
func (s *schedule) row(step, i int) int {
	g := s.segments[i]
	if s.reverse {
		step = g.Count - 1 - step
	}
	return g.Start + step*g.Stride
}

// pack copies rows of x, of the given width, into their packed order.
func (s *schedule) pack(dst, x []float32, width int) {
	s.each(func(p, r int) { copy(dst[p*width:(p+1)*width], x[r*width:(r+1)*width]) })
}

// unpack copies packed rows to where they belong in y.
func (s *schedule) unpack(y, src []float32, width int) {
	s.each(func(p, r int) { copy(y[r*width:(r+1)*width], src[p*width:(p+1)*width]) })
}

// carry copies the states after one step that the next one begins with.
func (s *schedule) carry(before, state []float32, step, width int) {
	n := s.live(step) * width
	copy(before[s.first[step]*width:][:n], state[s.first[step-1]*width:][:n])
}

// block is the view of a step's rows of packed data.
func (s *schedule) block(data []float32, step, width int) kernel.View {
	return kernel.Matrix(data[s.first[step]*width:], s.live(step), width)
}

// row returns one packed row, or nil of nil.
func row(data []float32, r, width int) []float32 {
	if data == nil {
		return nil
	}
	return data[r*width : (r+1)*width]
}

// checkRecurrent checks the shapes of a recurrent layer with the given number of
// gates and returns the widths of its input and of its state.
func checkRecurrent(op string, gates int, x, wi, bi, wh, bh *Var) (in, h int) {
	tensor.Check(op, x.Shape, -1, -1)
	tensor.Check(op+" hidden weight", wh.Shape, -1, -1)
	in, h = x.Dim(1), wh.Dim(1)
	tensor.Check(op+" hidden weight", wh.Shape, gates*h, h)
	tensor.Check(op+" input weight", wi.Shape, gates*h, in)
	tensor.Check(op+" input bias", bi.Shape, gates*h)
	tensor.Check(op+" hidden bias", bh.Shape, gates*h)
	return in, h
}

// projectInput computes x·wiᵀ + bias for the packed rows of x: the part of a
// recurrent layer that needs no recurrence, in one product.
func (t *Tape) projectInput(s *schedule, dst []float32, x, wi *Var, bias []float32) {
	packed := t.scratch(s.rows() * x.Dim(1))
	s.pack(packed, x.Data, x.Dim(1))
	t.mulRows(dst, packed, kernel.Matrix(wi.Data, wi.Dim(0), wi.Dim(1)).T(), s.rows(), bias, false)
	t.free(packed)
}

// projectInputBack adds the gradients of x and wi, for the gradient d of what
// projectInput computed.
func (t *Tape) projectInputBack(s *schedule, d []float32, x, wi *Var) {
	if !t.wantsAny(x, wi) {
		return
	}
	in, wide := x.Dim(1), wi.Dim(0)
	packed := t.scratch(s.rows() * in)
	if t.Wants(wi) {
		s.pack(packed, x.Data, in)
		dw, add := t.gradient(wi)
		kernel.Mul(&t.work()[0], kernel.Matrix(dw, wide, in), kernel.Matrix(d, s.rows(), wide).T(), kernel.Matrix(packed, s.rows(), in), add)
	}
	if t.Wants(x) {
		t.mulRows(packed, d, kernel.Matrix(wi.Data, wide, in), s.rows(), nil, false)
		dx := t.grad(x)
		s.each(func(p, r int) { kernel.Add(dx[r*in:(r+1)*in], packed[p*in:(p+1)*in]) })
	}
	t.free(packed)
}

// hiddenBack adds the gradient of the hidden weights: the product of d, the
// gradient of what the hidden states contributed, and of the states before. The
// first step had none.
func (t *Tape) hiddenBack(s *schedule, d, before []float32, wh *Var) {
	if !t.Wants(wh) {
		return
	}
	wide, h := wh.Dim(0), wh.Dim(1)
	dw, add := t.gradient(wh)
	skip := 0
	if s.steps() > 0 {
		skip = s.live(0)
	}
	n := s.rows() - skip
	kernel.Mul(&t.work()[0], kernel.Matrix(dw, wide, h), kernel.Matrix(d[skip*wide:], n, wide).T(), kernel.Matrix(before[skip*h:], n, h), add)
}

// transposed returns w (rows, cols) as a contiguous (cols, rows) matrix, which a
// product that is made for every step need not pack again.
func (t *Tape) transposed(w *Var) []float32 {
	rows, cols := w.Dim(0), w.Dim(1)
	out := t.scratch(rows * cols)
	for i := range rows {
		for j, v := range w.Data[i*cols : (i+1)*cols] {
			out[j*rows+i] = v
		}
	}
	return out
}

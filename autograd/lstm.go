package autograd

import "heed/internal/kernel"

// LSTM runs a long short-term memory along each segment of x (T, In), from its
// first row to its last, or backwards if reverse is set; the result is (T, H),
// the state after every row. Rows outside of the segments are zero. Weights and
// the order of the gates, input, forget, cell, output, are those of PyTorch:
//
//	i, f, g, o = x·wiᵀ + bi + h·whᵀ + bh        wi (4H, In), wh (4H, H), bi, bh (4H)
//	c = σ(f)∘c + σ(i)∘tanh(g)
//	h = σ(o)∘tanh(c)
//
// State and cell are zero before the first row. The input is projected for all
// rows in one product, and the state for all segments at each step; segments
// of different lengths cost nothing that they do not use. Backward is
// backpropagation through time without truncation.
func LSTM(t *Tape, x, wi, bi, wh, bh *Var, segments []Segment, reverse bool) *Var {
	_, h := checkRecurrent("LSTM", 4, x, wi, bi, wh, bh)
	s := t.schedule("LSTM", segments, x.Dim(0), reverse)
	n := s.rows()
	y := t.out(x.Dim(0), h)
	clear(y.Data)
	bias := t.scratch(4 * h)
	kernel.Sum2(bias, bi.Data, bh.Data)
	gates := t.scratch(n * 4 * h)
	t.projectInput(s, gates, x, wi, bias)
	t.free(bias)

	work := &t.work()[0]
	weight := t.transposed(wh)
	state, cell, squashed, before := t.scratch(n*h), t.scratch(n*h), t.scratch(n*h), t.scratch(n*h)
	cellBefore := func(step, i int) []float32 {
		if step == 0 {
			return nil
		}
		return row(cell, s.first[step-1]+i, h)
	}
	for step := range s.steps() {
		if step > 0 {
			s.carry(before, state, step, h)
			kernel.Mul(work, s.block(gates, step, 4*h), s.block(before, step, h), kernel.Matrix(weight, h, 4*h), true)
		}
		for i := range s.live(step) {
			r := s.first[step] + i
			kernel.LSTMRow(row(gates, r, 4*h), cellBefore(step, i), row(cell, r, h), row(squashed, r, h), row(state, r, h))
		}
	}
	s.unpack(y.Data, state, h)
	t.free(weight)
	t.free(state)
	if !t.wantsAny(x, wi, bi, wh, bh) {
		t.free(gates)
		t.free(cell)
		t.free(squashed)
		t.free(before)
		return y
	}
	t.record(y, func() {
		dh, dc := t.scratch(n*h), t.scratch(len(s.segments)*h)
		s.pack(dh, y.Grad, h)
		clear(dc)
		for step := s.steps() - 1; step >= 0; step-- {
			for i := range s.live(step) {
				r := s.first[step] + i
				kernel.LSTMRowBack(row(gates, r, 4*h), cellBefore(step, i), row(squashed, r, h), row(dh, r, h), row(dc, i, h))
			}
			if step > 0 {
				dBefore := kernel.Matrix(dh[s.first[step-1]*h:], s.live(step), h)
				kernel.Mul(work, dBefore, s.block(gates, step, 4*h), kernel.Matrix(wh.Data, 4*h, h), true)
			}
		}
		t.free(dc)
		t.free(dh)
		t.projectInputBack(s, gates, x, wi)
		t.hiddenBack(s, gates, before, wh)
		for _, b := range [2]*Var{bi, bh} {
			if t.Wants(b) {
				kernel.AddRows(t.grad(b), gates, n)
			}
		}
	})
	return y
}

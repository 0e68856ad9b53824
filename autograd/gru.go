package autograd

import (
	"heed/internal/kernel"
	"heed/tensor"
)

// GRU runs a gated recurrent unit along each segment of x (T, In), from its
// first row to its last, or backwards if reverse is set; the result is (T, H),
// the state after every row. Rows outside of the segments are zero. Weights, the
// order of the gates, reset, update, new, and the place of the reset gate are
// those of PyTorch:
//
//	i = x·wiᵀ + bi,  j = h·whᵀ + bh             wi (3H, In), wh (3H, H), bi, bh (3H)
//	r, z = σ(i_r + j_r), σ(i_z + j_z)
//	h = (1-z)∘tanh(i_n + r∘j_n) + z∘h
//
// The state is zero before the first row. decay, if not nil, is (T, H): the
// state before a row is multiplied by the row of decay first, as in GRU-D (Che
// et al. 2018, equation 11).
func GRU(t *Tape, x, wi, bi, wh, bh, decay *Var, segments []Segment, reverse bool) *Var {
	_, h := checkRecurrent("GRU", 3, x, wi, bi, wh, bh)
	s := t.schedule("GRU", segments, x.Dim(0), reverse)
	n := s.rows()
	y := t.out(x.Dim(0), h)
	clear(y.Data)
	gates, hidden := t.scratch(n*3*h), t.scratch(n*3*h)
	t.projectInput(s, gates, x, wi, bi.Data)
	var fade []float32
	if decay != nil {
		tensor.Check("GRU decay", decay.Shape, x.Dim(0), h)
		fade = t.scratch(n * h)
		s.pack(fade, decay.Data, h)
	}

	work := &t.work()[0]
	weight := t.transposed(wh)
	state, before := t.scratch(n*h), t.scratch(n*h)
	first := 0 // packed rows of the first step, which have no state before
	if s.steps() > 0 {
		first = s.live(0)
	}
	stateBefore := func(r int) []float32 {
		if r < first {
			return nil
		}
		return row(before, r, h)
	}
	for step := range s.steps() {
		from, to := s.first[step], s.first[step+1]
		if step > 0 {
			s.carry(before, state, step, h)
			if fade != nil {
				for i, f := range fade[from*h : to*h] {
					before[from*h+i] *= f
				}
			}
			kernel.MulBias(work, s.block(hidden, step, 3*h), s.block(before, step, h), kernel.Matrix(weight, h, 3*h), bh.Data)
		}
		for r := from; r < to; r++ {
			if step == 0 {
				copy(row(hidden, r, 3*h), bh.Data)
			}
			kernel.GRURow(row(gates, r, 3*h), row(hidden, r, 3*h), stateBefore(r), row(state, r, h))
		}
	}
	s.unpack(y.Data, state, h)
	t.free(weight)
	if !t.wantsAny(x, wi, bi, wh, bh, decay) {
		for _, b := range [][]float32{gates, hidden, state, before, fade} {
			t.free(b)
		}
		return y
	}
	t.record(y, func() {
		dh, dBefore := t.scratch(n*h), t.scratch(len(s.segments)*h)
		var dDecay []float32
		if t.Wants(decay) {
			dDecay = t.grad(decay)
		}
		s.pack(dh, y.Grad, h)
		for step := s.steps() - 1; step >= 0; step-- {
			from, live := s.first[step], s.live(step)
			for i := range live {
				r := from + i
				kernel.GRURowBack(row(gates, r, 3*h), row(hidden, r, 3*h), stateBefore(r), row(dh, r, h), row(dBefore, i, h))
			}
			if step == 0 {
				continue
			}
			kernel.Mul(work, kernel.Matrix(dBefore, live, h), s.block(hidden, step, 3*h), kernel.Matrix(wh.Data, 3*h, h), true)
			up := dh[s.first[step-1]*h:][:live*h]
			if fade == nil {
				kernel.Add(up, dBefore[:live*h])
				continue
			}
			if dDecay != nil {
				for i := range live { // before is faded already: the state itself is needed
					kernel.MulAdd(row(dDecay, s.row(step, i), h), row(dBefore, i, h), row(state, s.first[step-1]+i, h))
				}
			}
			kernel.MulAdd(up, dBefore[:live*h], fade[from*h:][:live*h])
		}
		t.free(dBefore)
		t.free(dh)
		t.projectInputBack(s, gates, x, wi)
		t.hiddenBack(s, hidden, before, wh)
		if t.Wants(bi) {
			kernel.AddRows(t.grad(bi), gates, n)
		}
		if t.Wants(bh) {
			kernel.AddRows(t.grad(bh), hidden, n)
		}
	})
	return y
}

package autograd

import (
	"heed/internal/kernel"
	"heed/tensor"
)

// Decay computes y = exp(-max(x, 0)), element by element: how much of a value is
// left, 1 for x of 0 or less (Che et al. 2018, equation 3).
//
//	dx -= dy·y where x > 0
func Decay(t *Tape, x *Var) *Var {
	y := t.out(x.Shape...)
	kernel.Decay(y.Data, x.Data)
	if t.wantsAny(x) {
		t.record(y, func() { kernel.DecayBack(t.grad(x), y.Grad, y.Data, x.Data) })
	}
	return y
}

// MulRow computes y = x ∘ row for x (..., D) and row (D), which multiplies every
// row.
func MulRow(t *Tape, x, row *Var) *Var {
	tensor.Check("MulRow", row.Shape, x.Dim(-1))
	m, d := x.Rows(), x.Dim(-1)
	y := t.out(x.Shape...)
	clear(y.Data)
	for i := range m {
		kernel.MulAdd(y.Data[i*d:(i+1)*d], x.Data[i*d:(i+1)*d], row.Data)
	}
	if t.wantsAny(x, row) {
		t.record(y, func() {
			if t.Wants(x) {
				dx := t.grad(x)
				for i := range m {
					kernel.MulAdd(dx[i*d:(i+1)*d], y.Grad[i*d:(i+1)*d], row.Data)
				}
			}
			if t.Wants(row) {
				dr := t.grad(row)
				for i := range m {
					kernel.MulAdd(dr, y.Grad[i*d:(i+1)*d], x.Data[i*d:(i+1)*d])
				}
			}
		})
	}
	return y
}

// DecayToMean fills in what was not observed, along each segment of x (T, D):
// where mask (T, D) is 0, the last value of that column that was observed in the
// segment, faded towards the mean (D) by decay (T, D); the mean itself before the
// first one. It is the input of GRU-D (Che et al. 2018, equation 5):
//
//	y = m∘x + (1-m)∘(decay∘last + (1-decay)∘mean)
//
// Rows outside of the segments are zero. The mask gets no gradient.
func DecayToMean(t *Tape, x, mask, decay, mean *Var, segments []Segment) *Var {
	tensor.Check("DecayToMean", x.Shape, -1, -1)
	d := x.Dim(1)
	tensor.Check("DecayToMean mask", mask.Shape, x.Shape...)
	tensor.Check("DecayToMean decay", decay.Shape, x.Shape...)
	tensor.Check("DecayToMean mean", mean.Shape, d)
	checkSegments("DecayToMean", segments, x.Dim(0))
	y := t.out(x.Shape...)
	clear(y.Data)
	// each calls f with every element, its column, and the element that was
	// observed last: itself, an earlier one, or -1.
	each := func(f func(i, column, last int)) {
		for _, s := range segments {
			for j := range d {
				last := -1
				for k := range s.Count {
					i := (s.Start+k*s.Stride)*d + j
					if mask.Data[i] != 0 {
						last = i
					}
					f(i, j, last)
				}
			}
		}
	}
	each(func(i, j, last int) {
		switch last {
		case i:
			y.Data[i] = x.Data[i]
		case -1:
			y.Data[i] = mean.Data[j]
		default:
			y.Data[i] = mean.Data[j] + decay.Data[i]*(x.Data[last]-mean.Data[j])
		}
	})
	if t.wantsAny(x, decay, mean) {
		t.record(y, func() {
			dx, dDecay, dMean := t.gradOrSpare(x), t.gradOrSpare(decay), t.gradOrSpare(mean)
			each(func(i, j, last int) {
				switch last {
				case i:
					dx[i] += y.Grad[i]
				case -1:
					dMean[j] += y.Grad[i]
				default:
					dx[last] += y.Grad[i] * decay.Data[i]
					dDecay[i] += y.Grad[i] * (x.Data[last] - mean.Data[j])
					dMean[j] += y.Grad[i] * (1 - decay.Data[i])
				}
			})
			t.freeSpare(x, dx)
			t.freeSpare(decay, dDecay)
			t.freeSpare(mean, dMean)
		})
	}
	return y
}

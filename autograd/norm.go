package autograd

import (
	"heed/internal/kernel"
	"heed/tensor"
)

// LayerNorm normalises each row of x (..., D) to mean 0 and variance 1, then
// computes y = x̂·gamma + beta with gamma and beta (D); Ba et al. 2016. The
// variance is that of the population; eps is added to it.
func LayerNorm(t *Tape, x, gamma, beta *Var, eps float32) *Var {
	d := x.Dim(-1)
	tensor.Check("LayerNorm gamma", gamma.Shape, d)
	tensor.Check("LayerNorm beta", beta.Shape, d)
	m := x.Rows()
	y := t.out(x.Shape...)
	mean, rstd := t.scratch(m), t.scratch(m)
	t.eachRange(m, func(_, lo, hi int) {
		kernel.LayerNorm(y.Data[lo*d:hi*d], x.Data[lo*d:hi*d], gamma.Data, beta.Data, mean[lo:hi], rstd[lo:hi], eps)
	})
	if t.wantsAny(x, gamma, beta) {
		t.record(y, func() {
			var dx, dgamma, dbeta []float32
			add := false
			if t.Wants(x) {
				dx, add = t.gradient(x)
			}
			if t.wantsAny(gamma, beta) { // the kernel computes both or none
				dgamma, dbeta = t.gradOrSpare(gamma), t.gradOrSpare(beta)
			}
			kernel.LayerNormBack(dx, dgamma, dbeta, y.Grad, x.Data, gamma.Data, mean, rstd, add)
		})
	}
	return y
}

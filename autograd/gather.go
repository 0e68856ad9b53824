package autograd

import (
	"heed/internal/kernel"
	"heed/internal/par"
)

// Gather sets the Grad of every parameter to the sum of its gradients on the
// tapes, added along one canonical binary tree over the tapes' order: the
// bits depend on how a batch was cut into tapes, never on how many cores ran
// them. A parameter that no tape has touched gets zeros. With more than one
// tape their own sums serve as scratch space: Tape.Grad of a parameter is
// undefined afterwards.
func Gather(params []*Var, tapes ...*Tape) {
	const chunk = 1 << 14
	for _, p := range params {
		if p.Grad == nil {
			p.Grad = make([]float32, len(p.Data))
		}
	}
	par.Do(len(params), par.Cores(), func(_, i int) {
		p := params[i]
		for lo := 0; lo < len(p.Grad); lo += chunk {
			hi := min(lo+chunk, len(p.Grad))
			if s := treeSum(tapes, p, lo, hi); s != nil {
				copy(p.Grad[lo:hi], s)
			} else {
				clear(p.Grad[lo:hi])
			}
		}
	})
}

// treeSum returns elements [lo, hi) of p's gradient summed over the tapes: the
// sum of the first half, a power of two, plus the sum of the rest.
func treeSum(tapes []*Tape, p *Var, lo, hi int) []float32 {
	switch len(tapes) {
	case 0:
		return nil
	case 1:
		if g := tapes[0].Grad(p); g != nil {
			return g[lo:hi]
		}
		return nil
	}
	half := 1
	for half*2 < len(tapes) {
		half *= 2
	}
	a, b := treeSum(tapes[:half], p, lo, hi), treeSum(tapes[half:], p, lo, hi)
	if a == nil {
		return b
	}
	if b != nil {
		kernel.Add(a, b)
	}
	return a
}

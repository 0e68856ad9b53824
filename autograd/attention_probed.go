package autograd

import (
	"math"

	"heed/internal/kernel"
)

var negInf = float32(math.Inf(-1))

// probed computes the same as blocked in two operations, between which the
// weights (groups, H, max Lq, max Lk) are a Var of the tape with a gradient.
// Where a group is shorter, the rest of its matrix is zero.
func (a *attention) probed() *Var {
	weights := a.weights()
	a.t.Watch(a.spec.Name+".weights", weights)
	return a.apply(weights)
}

// eachMatrix calls f with the views of every group and head, in order.
func (a *attention) eachMatrix(data []float32, f func(group, head int, m kernel.View)) {
	size := a.maxQ * a.maxK
	for g := range a.groups {
		lq, lk := a.spec.Query[g*a.tied].Count, a.spec.Key[g*a.tied].Count
		for h := range a.spec.Heads {
			at := (g*a.spec.Heads + h) * size
			f(g, h, kernel.View{Data: data[at : at+size], Rows: lq, Cols: lk, RowStride: a.maxK, ColStride: 1})
		}
	}
}

// weights computes softmax(scale·q·kᵀ + bias), with dropout.
func (a *attention) weights() *Var {
	t, s := a.t, &a.spec
	w := &t.work()[0]
	wide, narrow := a.q.Dim(1), a.k.Dim(1)
	p := t.out(a.groups, s.Heads, a.maxQ, a.maxK)
	clear(p.Data)
	mask := t.scratch(a.maxK)
	var qs, ks []kernel.View
	a.eachMatrix(p.Data, func(g, h int, m kernel.View) {
		qs = a.views(qs, a.q.Data, wide, s.Query, g, h*a.d)
		ks = a.views(ks, a.k.Data, narrow, s.Key, g, h/a.perKey*a.d)
		for r := range qs {
			kernel.Mul(w, m, qs[r], ks[r].T(), r > 0)
		}
		keyMask := a.segmentMask(mask, g)
		for i := range m.Rows {
			row := m.Data[i*m.RowStride : i*m.RowStride+m.Cols]
			for j := range row {
				row[j] = a.score(row[j], g, h, i, j, keyMask)
			}
			if len(row) > 0 && kernel.Max(row) > negInf {
				softmaxRow(row, row, -1)
			} else {
				clear(row) // there is no key, or all are masked
			}
		}
	})
	if t.wantsAny(a.q, a.k, s.Bias, s.Relative) {
		t.record(p, func() {
			var dqs, dks []kernel.View
			a.eachMatrix(p.Grad, func(g, h int, dm kernel.View) {
				m := kernel.View{Data: p.Data[(g*s.Heads+h)*a.maxQ*a.maxK:], Rows: dm.Rows, Cols: dm.Cols, RowStride: a.maxK, ColStride: 1}
				ds := t.scratch(dm.Rows * dm.Cols)
				for i := range dm.Rows {
					pr, dp := m.Data[i*a.maxK:i*a.maxK+m.Cols], dm.Data[i*a.maxK:i*a.maxK+m.Cols]
					kernel.SoftmaxBack(ds[i*m.Cols:(i+1)*m.Cols], pr, dp, kernel.Dot(pr, dp), 1)
				}
				a.addBiasGrad(ds, g, h, dm.Rows, dm.Cols)
				kernel.Scale(ds, s.Scale)
				dm = kernel.Matrix(ds, dm.Rows, dm.Cols)
				qs = a.views(qs, a.q.Data, wide, s.Query, g, h*a.d)
				ks = a.views(ks, a.k.Data, narrow, s.Key, g, h/a.perKey*a.d)
				if t.Wants(a.q) {
					dqs = a.views(dqs, t.grad(a.q), wide, s.Query, g, h*a.d)
					for r := range dqs {
						kernel.Mul(w, dqs[r], dm, ks[r], true)
					}
				}
				if t.Wants(a.k) {
					dks = a.views(dks, t.grad(a.k), narrow, s.Key, g, h/a.perKey*a.d)
					for r := range dks {
						kernel.Mul(w, dks[r], dm.T(), qs[r], true)
					}
				}
				t.free(ds)
			})
		})
	}
	if a.drop.Threshold > 0 {
		return a.dropWeights(p)
	}
	return p
}

// dropWeights drops the weights that the blocked kernel drops.
func (a *attention) dropWeights(p *Var) *Var {
	mask := func(dst, src []float32, add bool) {
		a.eachMatrix(src, func(g, h int, m kernel.View) {
			key := a.drop
			key.Key += uint64(g*a.spec.Heads+h) * 0x94d049bb133111eb
			for i := range m.Rows {
				at := ((g*a.spec.Heads+h)*a.maxQ + i) * a.maxK
				kernel.DropRow(dst[at:at+m.Cols], src[at:at+m.Cols], key, i, add)
			}
		})
	}
	y := a.t.out(p.Shape...)
	clear(y.Data)
	mask(y.Data, p.Data, false)
	if a.t.wantsAny(p) {
		a.t.record(y, func() { mask(a.t.grad(p), y.Grad, true) })
	}
	return y
}

// score turns the dot product of query i and key j into the score.
func (a *attention) score(x float32, g, h, i, j int, keyMask []float32) float32 {
	s := &a.spec
	if s.Causal && j > i {
		return negInf
	}
	x *= s.Scale
	if s.Bias != nil {
		b := a.biasView(s.Bias.Data, g, h)
		x += b.Data[i*b.RowStride+j]
	}
	if s.Relative != nil {
		x += s.Relative.Data[a.relativeIndex(h, i, j)]
	}
	if keyMask != nil {
		x += keyMask[j]
	}
	return x
}

func (a *attention) relativeIndex(h, i, j int) int {
	n := a.spec.Relative.Dim(1)
	return h*n + min(max(j-i+n/2, 0), n-1)
}

func (a *attention) addBiasGrad(ds []float32, g, h, lq, lk int) {
	if b := a.spec.Bias; a.t.Wants(b) {
		d := a.biasView(a.t.grad(b), g, h)
		for i := range lq {
			kernel.Add(d.Data[i*d.RowStride:i*d.RowStride+lk], ds[i*lk:(i+1)*lk])
		}
	}
	if r := a.spec.Relative; a.t.Wants(r) {
		d := a.t.grad(r)
		for i := range lq {
			for j := range lk {
				d[a.relativeIndex(h, i, j)] += ds[i*lk+j]
			}
		}
	}
}

// apply computes o = weights·v.
func (a *attention) apply(p *Var) *Var {
	t, s := a.t, &a.spec
	w := &t.work()[0]
	wide, narrow := a.q.Dim(1), a.k.Dim(1)
	o := t.out(a.q.Shape...)
	clear(o.Data)
	var os, vs []kernel.View
	a.eachMatrix(p.Data, func(g, h int, m kernel.View) {
		os = a.views(os, o.Data, wide, s.Query, g, h*a.d)
		vs = a.views(vs, a.v.Data, narrow, s.Key, g, h/a.perKey*a.d)
		for r := range os {
			kernel.Mul(w, os[r], m, vs[r], false)
		}
	})
	if t.wantsAny(p, a.v) {
		t.record(o, func() {
			a.eachMatrix(p.Data, func(g, h int, m kernel.View) {
				os = a.views(os, o.Grad, wide, s.Query, g, h*a.d)
				if t.Wants(a.v) {
					vs = a.views(vs, t.grad(a.v), narrow, s.Key, g, h/a.perKey*a.d)
					for r := range os {
						kernel.Mul(w, vs[r], m.T(), os[r], true)
					}
				}
				if t.Wants(p) {
					dm := m
					dm.Data = t.grad(p)[(g*s.Heads+h)*a.maxQ*a.maxK:]
					vs = a.views(vs, a.v.Data, narrow, s.Key, g, h/a.perKey*a.d)
					for r := range os {
						kernel.Mul(w, dm, os[r], vs[r].T(), true)
					}
				}
			})
		})
	}
	return o
}

package autograd

import (
	"fmt"
	"math"

	"heed/internal/kernel"
	"heed/tensor"
)

// An AttentionSpec says who attends to whom.
type AttentionSpec struct {
	// Name is what a probe sees, with ".weights" added. Without a name the
	// weights are never shown.
	Name string
	// Heads is the number of query heads H. Query and key-value width must be
	// multiples of the head's width d = q.Dim(1)/Heads; if k and v are narrower
	// than q, groups of Heads/(k.Dim(1)/d) query heads share a key head
	// (grouped-query attention, Ainslie et al. 2023).
	Heads int
	// Query lists the segments of q. Key lists those of k and v that the query
	// segments attend to, one for each; nil means Query (self-attention). Key
	// segments may overlap, query segments must not.
	Query, Key []Segment
	// KeyMask (rows of k) is true where a key takes part; nil means everywhere.
	// A query all of whose keys are masked gets zeros. In tied attention the
	// mask of the first row of each group counts.
	KeyMask []bool
	// Causal hides key j from query i if j > i, counted within the segments.
	Causal bool
	// Bias is added to the scaled scores: (H, Lq, Lk) for all segments, whose
	// counts may be smaller, or (S, H, Lq, Lk), one for each segment (each group
	// of tied segments).
	Bias *Var
	// Relative (H, 2R+1) is added to the score of query i and key j at index
	// clamp(j-i, -R, R)+R: relative position bias, and ALiBi (see [ALiBi]).
	Relative *Var
	// Scale, positive, multiplies the dot products; 0 means 1/sqrt(d), and
	// 1/sqrt(d·N) in tied attention.
	Scale float32
	// Tied groups every Tied consecutive segments, all of one count, under one
	// softmax of logits summed over the group: the tied row attention of the
	// MSA Transformer (Rao et al. 2021, eq. 1). 0 means 1, untied.
	Tied int
	// Dropout is the rate at which weights are dropped while the tape has a
	// source of randomness.
	Dropout float32
}

// Attention computes scaled dot-product attention (Vaswani et al. 2017) over
// segments. q is (Tq, H·d), k and v are (Tk, Hkv·d); the result is (Tq, H·d),
// with zeros in rows that belong to no query segment. Time is the sum over
// segments of Lq·Lk·H·d; memory beyond the result is O(Tq·H): weights exist
// only in blocks, unless a probe asks for them.
func Attention(t *Tape, q, k, v *Var, spec AttentionSpec) *Var {
	a := newAttention(t, q, k, v, spec)
	if t.Probe != nil && !t.NoWeights && spec.Name != "" {
		return a.probed()
	}
	return a.blocked()
}

// attention is a checked call of Attention.
type attention struct {
	t            *Tape
	q, k, v      *Var
	spec         AttentionSpec
	d            int // width of a head
	perKey       int // query heads for each key head
	tied, groups int
	maxQ, maxK   int
	drop         kernel.Drop
	mask         []float32 // 0 or -inf for each row of k
	top, norm    []float32 // what Forward leaves for Backward; see rowsAt
	rowsAt       []int     // where a group's (H, Lq) rows of top and norm start
	sharedRows   bool      // two groups may write one row of a gradient
}

func newAttention(t *Tape, q, k, v *Var, spec AttentionSpec) *attention {
	tensor.Check("Attention query", q.Shape, -1, -1)
	tensor.Check("Attention key", k.Shape, -1, -1)
	tensor.Check("Attention value", v.Shape, k.Shape...)
	if spec.Heads < 1 || q.Dim(1)%spec.Heads != 0 {
		panic(fmt.Sprintf("Attention: width %d is not a multiple of %d heads", q.Dim(1), spec.Heads))
	}
	d := q.Dim(1) / spec.Heads
	if k.Dim(1)%d != 0 || k.Dim(1) == 0 || spec.Heads%(k.Dim(1)/d) != 0 {
		panic(&tensor.ShapeError{Op: "Attention key heads", Got: k.Shape, Want: q.Shape})
	}
	crossed := spec.Key != nil
	if !crossed {
		spec.Key = spec.Query
	}
	spec.Tied = max(1, spec.Tied)
	if len(spec.Key) != len(spec.Query) || len(spec.Query)%spec.Tied != 0 {
		panic(fmt.Sprintf("Attention: %d query segments, %d key segments, groups of %d", len(spec.Query), len(spec.Key), spec.Tied))
	}
	checkSegments("Attention query", spec.Query, q.Dim(0))
	checkSegments("Attention key", spec.Key, k.Dim(0))
	a := &attention{t: t, q: q, k: k, v: v, spec: spec, d: d, perKey: spec.Heads / (k.Dim(1) / d),
		tied: spec.Tied, groups: len(spec.Query) / spec.Tied}
	for i, s := range spec.Query {
		first := i - i%spec.Tied
		if s.Count != spec.Query[first].Count || spec.Key[i].Count != spec.Key[first].Count {
			panic(fmt.Sprintf("Attention: tied segments %d and %d differ in length", first, i))
		}
		a.maxQ, a.maxK = max(a.maxQ, s.Count), max(a.maxK, spec.Key[i].Count)
	}
	if r := t.overlap(spec.Query, q.Dim(0)); r >= 0 {
		panic(fmt.Sprintf("Attention: row %d is in two query segments", r))
	}
	a.sharedRows = crossed && (q == k || q == v || t.overlap(spec.Key, k.Dim(0)) >= 0)
	if !(spec.Scale >= 0) {
		panic(fmt.Sprintf("Attention: scale %v", spec.Scale))
	}
	if a.spec.Scale == 0 {
		a.spec.Scale = float32(1 / math.Sqrt(float64(d*a.tied)))
	}
	if b := spec.Bias; b != nil {
		shape := b.Shape
		if len(shape) == 4 {
			tensor.Check("Attention bias", shape, a.groups, spec.Heads, -1, -1)
			shape = shape[1:]
		}
		tensor.Check("Attention bias", shape, spec.Heads, -1, -1)
		if shape[1] < a.maxQ || shape[2] < a.maxK {
			panic(&tensor.ShapeError{Op: "Attention bias", Got: b.Shape, Want: []int{spec.Heads, a.maxQ, a.maxK}})
		}
	}
	if r := spec.Relative; r != nil {
		tensor.Check("Attention relative bias", r.Shape, spec.Heads, -1)
		if r.Dim(1)%2 == 0 {
			panic(&tensor.ShapeError{Op: "Attention relative bias (odd width)", Got: r.Shape, Want: []int{spec.Heads, -1}})
		}
	}
	if spec.KeyMask != nil {
		if len(spec.KeyMask) != k.Dim(0) {
			panic(&tensor.ShapeError{Op: "Attention key mask", Got: []int{len(spec.KeyMask)}, Want: []int{k.Dim(0)}})
		}
		a.mask = t.scratch(k.Dim(0))
		for i, on := range spec.KeyMask {
			a.mask[i] = 0
			if !on {
				a.mask[i] = negInf
			}
		}
	}
	if key, on := t.dropoutKey(spec.Dropout); on {
		a.drop = kernel.Drop{Key: key, Threshold: dropoutThreshold(spec.Dropout), Factor: 1 / (1 - spec.Dropout)}
	}
	return a
}

// blocked runs the kernels that never hold all weights.
func (a *attention) blocked() *Var {
	t, h := a.t, a.spec.Heads
	o := t.out(a.q.Shape...)
	clear(o.Data)
	total := 0
	a.rowsAt = make([]int, a.groups)
	for g := range a.groups {
		a.rowsAt[g] = total
		total += h * a.spec.Query[g*a.tied].Count
	}
	a.top, a.norm = t.scratch(total), t.scratch(total)
	workers := a.workers()
	t.do(a.groups*h, func(worker, i int) {
		w := workers[worker]
		w.set(a, o, i/h, i%h)
		kernel.AttentionForward(w.work, &w.head)
	})
	if t.wantsAny(a.q, a.k, a.v, a.spec.Bias, a.spec.Relative) {
		t.record(o, func() { a.backward(o, workers) })
	}
	return o
}

func (a *attention) backward(o *Var, workers []*attentionWorker) {
	t, s := a.t, &a.spec
	var grads [3][]float32
	for i, v := range [...]*Var{a.q, a.k, a.v} {
		grads[i] = t.gradOrSpare(v)
		if !t.Wants(v) {
			defer t.free(grads[i])
		}
	}
	dq, dk, dv := grads[0], grads[1], grads[2]
	var dbias, drel []float32
	if t.Wants(s.Bias) {
		dbias = t.grad(s.Bias)
	}
	if t.Wants(s.Relative) {
		drel = t.grad(s.Relative)
	}
	// A task owns the gradients of one key head in one group. Where groups share
	// a bias, or rows of a gradient, it owns the key head in all groups.
	keyHeads := s.Heads / a.perKey
	shared := drel != nil || dbias != nil && len(s.Bias.Shape) == 3 || a.sharedRows
	one := func(worker, group, keyHead int) {
		for j := range a.perKey {
			w := workers[worker]
			w.set(a, o, group, keyHead*a.perKey+j)
			w.setGrad(a, o, group, keyHead*a.perKey+j, dq, dk, dv, dbias, drel)
			kernel.AttentionBackward(w.work, &w.head, &w.grad)
		}
	}
	if shared {
		t.do(keyHeads, func(worker, i int) {
			for g := range a.groups {
				one(worker, g, i)
			}
		})
		return
	}
	t.do(a.groups*keyHeads, func(worker, i int) { one(worker, i/keyHeads, i%keyHeads) })
}

// An attentionWorker is what one goroutine needs to run heads.
type attentionWorker struct {
	work *kernel.Work
	head kernel.AttentionHead
	grad kernel.AttentionGrad
	mask []float32 // of one strided segment
}

func (a *attention) workers() []*attentionWorker {
	works := a.t.work()
	ws := make([]*attentionWorker, a.t.cores())
	for i := range ws {
		ws[i] = &attentionWorker{work: &works[i]}
		if a.mask != nil {
			ws[i].mask = a.t.scratch(a.maxK)
		}
	}
	return ws
}

// views appends the views of columns [col, col+d) of the group's segments.
func (a *attention) views(dst []kernel.View, data []float32, width int, segments []Segment, group, col int) []kernel.View {
	dst = dst[:0]
	for _, s := range segments[group*a.tied : (group+1)*a.tied] {
		v := kernel.View{Rows: s.Count, Cols: a.d, RowStride: s.Stride * width, ColStride: 1}
		if s.Count > 0 {
			v.Data = data[s.Start*width+col:]
		}
		dst = append(dst, v)
	}
	return dst
}

func (w *attentionWorker) set(a *attention, o *Var, group, head int) {
	h := &w.head
	s := &a.spec
	wide, narrow := a.q.Dim(1), a.k.Dim(1)
	col, keyCol := head*a.d, head/a.perKey*a.d
	h.Q = a.views(h.Q, a.q.Data, wide, s.Query, group, col)
	h.O = a.views(h.O, o.Data, wide, s.Query, group, col)
	h.K = a.views(h.K, a.k.Data, narrow, s.Key, group, keyCol)
	h.V = a.views(h.V, a.v.Data, narrow, s.Key, group, keyCol)
	h.Scale, h.Causal = s.Scale, s.Causal
	h.Mask = a.segmentMask(w.mask, group)
	if s.Bias != nil {
		h.Bias = a.biasView(s.Bias.Data, group, head)
	}
	if s.Relative != nil {
		r := s.Relative.Dim(1)
		h.Relative = s.Relative.Data[head*r : (head+1)*r]
	}
	h.Drop = a.drop
	h.Drop.Key += uint64(group*s.Heads+head) * 0x94d049bb133111eb
	n := s.Query[group*a.tied].Count
	at := a.rowsAt[group] + head*n
	h.Top, h.Norm = a.top[at:at+n], a.norm[at:at+n]
}

func (w *attentionWorker) setGrad(a *attention, o *Var, group, head int, dq, dk, dv, dbias, drel []float32) {
	g := &w.grad
	s := &a.spec
	wide, narrow := a.q.Dim(1), a.k.Dim(1)
	col, keyCol := head*a.d, head/a.perKey*a.d
	g.DO = a.views(g.DO, o.Grad, wide, s.Query, group, col)
	g.DQ = a.views(g.DQ, dq, wide, s.Query, group, col)
	g.DK = a.views(g.DK, dk, narrow, s.Key, group, keyCol)
	g.DV = a.views(g.DV, dv, narrow, s.Key, group, keyCol)
	if dbias != nil {
		g.DBias = a.biasView(dbias, group, head)
	}
	if drel != nil {
		r := s.Relative.Dim(1)
		g.DRelative = drel[head*r : (head+1)*r]
	}
}

// biasView returns the (Lq, Lk) part of a bias, or of its gradient, that
// belongs to a group and a head.
func (a *attention) biasView(data []float32, group, head int) kernel.View {
	shape := a.spec.Bias.Shape
	lq, lk := shape[len(shape)-2], shape[len(shape)-1]
	if len(shape) == 4 {
		head += group * a.spec.Heads
	}
	return kernel.Matrix(data[head*lq*lk:(head+1)*lq*lk], lq, lk)
}

// segmentMask returns the additive mask of a group's keys, or nil.
func (a *attention) segmentMask(buf []float32, group int) []float32 {
	if a.mask == nil {
		return nil
	}
	s := a.spec.Key[group*a.tied]
	for j := range s.Count {
		buf[j] = a.mask[s.Start+j*s.Stride]
	}
	return buf[:s.Count]
}

// ALiBi returns a constant relative bias (heads, 2·radius+1) of -slope·|j-i|
// with the slopes of Press et al. 2022: a geometric sequence from 2^(-8/n) for
// n heads if n is a power of two, and the published interleaving otherwise.
// Offsets beyond the radius count as the radius; give the greatest length less
// one to have none.
func ALiBi(heads, radius int) *Var {
	v := Input(make([]float32, heads*(2*radius+1)), heads, 2*radius+1)
	for h, slope := range alibiSlopes(heads) {
		row := v.Data[h*(2*radius+1) : (h+1)*(2*radius+1)]
		for i := range row {
			row[i] = -slope * float32(max(i-radius, radius-i))
		}
	}
	return v
}

func alibiSlopes(heads int) []float32 {
	n := 1
	for n*2 <= heads {
		n *= 2
	}
	var s []float32
	for i := range n {
		s = append(s, float32(math.Pow(2, -8*float64(i+1)/float64(n))))
	}
	for i := 0; len(s) < heads; i += 2 { // every other slope of the next power of two
		s = append(s, float32(math.Pow(2, -4*float64(i+1)/float64(n))))
	}
	return s
}

package autograd

import (
	"fmt"

	"heed/internal/kernel"
	"heed/tensor"
)

// Embedding gathers rows of table (V, D) by ids, each in [0, V); the result is
// (len(ids), D). The ids are not copied and must not change before Backward.
//
//	dtable[ids[i]] += dy[i]
func Embedding(t *Tape, table *Var, ids []int32) *Var {
	tensor.Check("Embedding", table.Shape, -1, -1)
	v, d := table.Dim(0), table.Dim(1)
	y := t.out(len(ids), d)
	for i, id := range ids {
		if id < 0 || int(id) >= v {
			panic(fmt.Sprintf("Embedding: id %d is not in [0, %d)", id, v))
		}
		copy(y.Data[i*d:(i+1)*d], table.Data[int(id)*d:int(id+1)*d])
	}
	if t.wantsAny(table) {
		t.record(y, func() {
			g := t.grad(table)
			for i, id := range ids {
				kernel.Add(g[int(id)*d:int(id+1)*d], y.Grad[i*d:(i+1)*d])
			}
		})
	}
	return y
}

// Rows gathers rows of x (T, D) by index; the result is (len(rows), D). It is
// how the [CLS] row of each packed sequence is taken.
func Rows(t *Tape, x *Var, rows []int32) *Var { return Embedding(t, x, rows) }

// MeanPool averages the rows of each segment of x (T, D); the result is
// (len(segments), D). An empty segment gives zeros.
func MeanPool(t *Tape, x *Var, segments []Segment) *Var {
	tensor.Check("MeanPool", x.Shape, -1, -1)
	checkSegments("MeanPool", segments, x.Dim(0))
	d := x.Dim(1)
	y := t.out(len(segments), d)
	clear(y.Data)
	each := func(dst, src func(seg, row int) []float32) {
		for s, g := range segments {
			for i := range g.Count {
				kernel.Axpy(dst(s, g.Start+i*g.Stride), 1/float32(g.Count), src(s, g.Start+i*g.Stride))
			}
		}
	}
	each(func(s, _ int) []float32 { return y.Data[s*d : (s+1)*d] },
		func(_, r int) []float32 { return x.Data[r*d : (r+1)*d] })
	if t.wantsAny(x) {
		t.record(y, func() {
			dx := t.grad(x)
			each(func(_, r int) []float32 { return dx[r*d : (r+1)*d] },
				func(s, _ int) []float32 { return y.Grad[s*d : (s+1)*d] })
		})
	}
	return y
}

package autograd

import (
	"fmt"

	"heed/internal/kernel"
	"heed/tensor"
)

// WeightedRows sums rows of table (V, D) with constant weights: k rows for each
// row of the result (len(ids)/k, D). ids, each in [0, V), and weights lie row by
// row, k to a row; neither is copied, nor may they change before Backward. With
// one row of weight 1 it is [Embedding]; with two neighbouring rows of weights
// 1-f and f it is a function of f that is linear between knots; with weights
// that are values it is a linear function of the values, one for each id. A
// weight of 0 costs nothing.
//
//	y[i] = Σ_j weights[i,j]·table[ids[i,j]]
//	dtable[ids[i,j]] += weights[i,j]·dy[i]
func WeightedRows(t *Tape, table *Var, ids []int32, weights []float32, k int) *Var {
	tensor.Check("WeightedRows", table.Shape, -1, -1)
	if k < 1 || len(ids) != len(weights) || len(ids)%k != 0 {
		panic(fmt.Sprintf("WeightedRows: %d ids, %d weights, %d to a row", len(ids), len(weights), k))
	}
	v, d := table.Dim(0), table.Dim(1)
	y := t.out(len(ids)/k, d)
	clear(y.Data)
	for i, id := range ids {
		if id < 0 || int(id) >= v {
			panic(fmt.Sprintf("WeightedRows: id %d is not in [0, %d)", id, v))
		}
		if weights[i] != 0 {
			at := i / k * d
			kernel.Axpy(y.Data[at:at+d], weights[i], table.Data[int(id)*d:int(id+1)*d])
		}
	}
	if t.wantsAny(table) {
		t.record(y, func() {
			g := t.grad(table)
			for i, id := range ids {
				if weights[i] != 0 {
					at := i / k * d
					kernel.Axpy(g[int(id)*d:int(id+1)*d], weights[i], y.Grad[at:at+d])
				}
			}
		})
	}
	return y
}

package esm

import (
	"fmt"

	"heed/autograd"
	"heed/tensor"
)

// A Work says how a pass is carried out. Nothing that comes out depends on it.
type Work struct {
	Cores int // to use; 0 stands for 1
	// Rows is how many tokens have intermediate values at one time: what a pass
	// holds of all tokens are five vectors of the model's width. 0 stands for
	// DefaultRows.
	Rows int
}

// DefaultRows keeps the matrices of a piece in the caches, and their products
// long enough.
const DefaultRows = 256

func (w Work) rows() int {
	if w.Rows <= 0 {
		return DefaultRows
	}
	return w.Rows
}

func (w Work) cores() int { return max(1, w.Cores) }

// pieces calls f for the ranges of at most rows tokens that cut [0, n).
func pieces(n, rows int, f func(lo, hi int)) {
	for lo := 0; lo < n; lo += rows {
		f(lo, min(n, lo+rows))
	}
}

// Parameters returns how many values a model of this size has.
func (c *Config) Parameters() int64 {
	return count(func(param params) { build(*c, param) })
}

// Parameters returns how many values a model of this size has.
func (c *MSAConfig) Parameters() int64 {
	return count(func(param params) { buildMSA(*c, param) })
}

func count(build func(params)) int64 {
	var n int64
	build(func(_ string, shape ...int) *autograd.Var {
		n += int64(tensor.Size(shape))
		return &autograd.Var{}
	})
	return n
}

// A Part is one term of a memory plan.
type Part struct {
	Name  string
	Bytes int64
	How   string // the arithmetic
}

// Plan returns what a pass over tokens (with the two ends of each sequence) holds
// besides the weights:
//
//	states   4·5·T·D          x, q, k, v and the output of attention
//	piece    4·P·(11·D + 2·F) what P tokens need on their way through a layer
//	panels   4·cores·D·F      the largest matrix of weights, arranged for a core
//
// and a quarter more for buffers that are shared by sizes that differ. P is
// Work.Rows, at most T. A packed model has panels while it is packed, and then none.
func (c *Config) Plan(tokens int, w Work) []Part {
	p := min(tokens, w.rows())
	return []Part{
		{"states", slack(20 * int64(tokens) * int64(c.Dim)), fmt.Sprintf("5 x %d tokens x %d x 4 bytes x 1.25", tokens, c.Dim)},
		{"piece", slack(4 * int64(p) * (11*int64(c.Dim) + 2*int64(c.FFN))), fmt.Sprintf("%d tokens x (11 x %d + 2 x %d) x 4 bytes x 1.25", p, c.Dim, c.FFN)},
		panels(c.Dim, c.FFN, w),
	}
}

func panels(dim, ffn int, w Work) Part {
	return Part{"panels", 4 * int64(w.cores()) * int64(dim) * int64(ffn), fmt.Sprintf("%d cores x %d x %d x 4 bytes", w.cores(), dim, ffn)}
}

// Plan returns what a pass over an alignment of rows and columns (with Begin) holds
// besides the weights:
//
//	states   4·R·C·D          x
//	maps     4·H·C²           the row attention of one layer, which all rows share
//	piece    4·P·(11·D + 2·F) what P tokens need on their way through a layer
//	panels   4·cores·D·F      the largest matrix of weights, arranged for a core
//
// and a quarter more for buffers that are shared by sizes that differ. P is at
// least a row and at least a column.
func (c *MSAConfig) Plan(rows, columns int, w Work) []Part {
	tokens := int64(rows) * int64(columns)
	p := min(tokens, max(int64(w.rows()), int64(rows), int64(columns)))
	return []Part{
		{"states", 4 * tokens * int64(c.Dim), fmt.Sprintf("%d rows x %d columns x %d x 4 bytes", rows, columns, c.Dim)},
		{"row attention", 4 * int64(c.Heads) * int64(columns) * int64(columns), fmt.Sprintf("%d heads x %d² x 4 bytes", c.Heads, columns)},
		{"piece", slack(4 * p * (11*int64(c.Dim) + 2*int64(c.FFN))), fmt.Sprintf("%d tokens x (11 x %d + 2 x %d) x 4 bytes x 1.25", p, c.Dim, c.FFN)},
		panels(c.Dim, c.FFN, w),
	}
}

func slack(n int64) int64 { return n + n/4 }

// ContactPlan returns what the contact head holds for l residues: the map, the sums
// of columns by block, and a block of rows for each core.
func ContactPlan(l int, w Work) Part {
	n := int64(l)
	blocks := (n + blockRows - 1) / blockRows
	return Part{"contact map", 4 * (n*n + blocks*n + int64(w.cores())*blockRows*(n+2)),
		fmt.Sprintf("(%d² + %d x %d + %d x %d x %d) x 4 bytes", l, blocks, l, w.cores(), blockRows, l+2)}
}

// Shapes calls f with the name and shape of each array of a model, in the order of
// [Model.Visit].
func Shapes(c Config, f func(name string, shape ...int)) {
	build(c, func(name string, shape ...int) *autograd.Var {
		f(name, shape...)
		return &autograd.Var{}
	})
}

// ShapesMSA is [Shapes] for the MSA Transformer.
func ShapesMSA(c MSAConfig, f func(name string, shape ...int)) {
	buildMSA(c, func(name string, shape ...int) *autograd.Var {
		f(name, shape...)
		return &autograd.Var{}
	})
}

package nn

import (
	"fmt"
	"math/rand/v2"

	"heed/autograd"
	"heed/tensor"
)

// A Grid is N rows by L columns of cells, row by row: an alignment, or an image.
// Cell (r, c) is row r·L+c of x (N·L, D).
type Grid struct {
	Rows, Columns int // N, L
	// PadRows (N) and PadColumns (L) are true where there is nothing but padding;
	// nil means nowhere. Nobody attends to a cell of padding, and what comes out of
	// one means nothing.
	PadRows, PadColumns []bool
}

// check panics unless x has one row for each cell.
func (g *Grid) check(x *autograd.Var) {
	tensor.Check("nn.Grid", x.Shape, g.Rows*g.Columns, -1)
	if g.PadRows != nil && len(g.PadRows) != g.Rows || g.PadColumns != nil && len(g.PadColumns) != g.Columns {
		panic(fmt.Sprintf("nn.Grid: padding of %d rows and %d columns, want %d and %d", len(g.PadRows), len(g.PadColumns), g.Rows, g.Columns))
	}
}

// rows returns the rows that are no padding. Their number is what tied attention
// divides by, so that padding changes no result.
func (g *Grid) rows() []autograd.Segment {
	return used(autograd.GridRows(0, g.Rows, g.Columns), g.PadRows)
}

// columns returns the columns that are no padding.
func (g *Grid) columns() []autograd.Segment {
	return used(autograd.GridColumns(0, g.Rows, g.Columns), g.PadColumns)
}

func used(s []autograd.Segment, pad []bool) []autograd.Segment {
	if pad == nil {
		return s
	}
	kept := s[:0]
	for i, x := range s {
		if !pad[i] {
			kept = append(kept, x)
		}
	}
	return kept
}

// keys returns which cells (N·L) may be attended to; nil means all.
func (g *Grid) keys() []bool {
	if g.PadRows == nil && g.PadColumns == nil {
		return nil
	}
	on := make([]bool, g.Rows*g.Columns)
	for i := range on {
		on[i] = (g.PadRows == nil || !g.PadRows[i/g.Columns]) && (g.PadColumns == nil || !g.PadColumns[i%g.Columns])
	}
	return on
}

// part returns rows [r0, r1) and columns [c0, c1) as a grid.
func (g *Grid) part(r0, r1, c0, c1 int) Grid {
	p := Grid{Rows: r1 - r0, Columns: c1 - c0}
	if g.PadRows != nil {
		p.PadRows = g.PadRows[r0:r1]
	}
	if g.PadColumns != nil {
		p.PadColumns = g.PadColumns[c0:c1]
	}
	return p
}

// AxialLayer is one pre-norm block of axial attention over a grid (Ho et al. 2019;
// Rao et al. 2021, the MSA Transformer):
//
//	x += dropout(RowAttention(NormRow(x)))          within each row
//	x += dropout(ColumnAttention(NormColumn(x)))    within each column
//	x += dropout(Down(gelu(Up(Norm(x)))))
//
// Every cell reaches every other in two steps, for N·L·(N+L) dot products and not
// (N·L)². Rows and columns are segments with strides: nothing is transposed.
type AxialLayer struct {
	NormRow         *LayerNorm
	RowAttention    *MultiHeadAttention
	NormColumn      *LayerNorm
	ColumnAttention *MultiHeadAttention
	Norm            *LayerNorm
	Up              *Linear // (FFN, D)
	Down            *Linear // (D, FFN)

	// Tied says that all rows share one map of attention, the softmax of
	// Σ_r q_r·k_r/√(d·N) over the N rows that are no padding.
	Tied    bool
	Dropout float32
	// Name is the beginning of what a probe sees: Name.input, Name.rows (after row
	// attention), Name.middle (after column attention) and Name.output, (N·L, D)
	// each. The attentions have names of their own, Name.row and Name.column; their
	// weights are (N, H, L, L), of tied rows (1, H, L, L), and (L, H, N, N).
	Name string
}

// NewAxialLayer returns a block of the given width whose probes have a name.
func NewAxialLayer(name string, dim, heads, ffn int, tied bool, r *rand.Rand) *AxialLayer {
	l := &AxialLayer{
		NormRow: NewLayerNorm(dim), RowAttention: NewMultiHeadAttention(dim, heads, r),
		NormColumn: NewLayerNorm(dim), ColumnAttention: NewMultiHeadAttention(dim, heads, r),
		Norm: NewLayerNorm(dim), Up: NewLinear(dim, ffn, r), Down: NewLinear(ffn, dim, r),
		Tied: tied, Name: name,
	}
	if name != "" {
		l.RowAttention.Name, l.ColumnAttention.Name = name+".row", name+".column"
	}
	return l
}

// Forward maps x (N·L, D) to the same. bias, if not nil, is added to the scores of
// row attention: (H, L, L), one value for each pair of columns, as AlphaFold's
// pair representation gives them (Jumper et al. 2021, algorithm 7).
func (l *AxialLayer) Forward(t *autograd.Tape, x *autograd.Var, g Grid, bias *autograd.Var) *autograd.Var {
	g.check(x)
	l.watch(t, "input", x)
	rows := g.rows()
	h := l.RowAttention.attend(t, l.NormRow.Forward(t, x), autograd.AttentionSpec{Query: rows, KeyMask: g.keys(), Bias: bias, Tied: l.tied(rows)})
	x = autograd.Add(t, x, autograd.Dropout(t, h, l.Dropout))
	l.watch(t, "rows", x)
	h = l.ColumnAttention.attend(t, l.NormColumn.Forward(t, x), autograd.AttentionSpec{Query: g.columns(), KeyMask: g.keys()})
	x = autograd.Add(t, x, autograd.Dropout(t, h, l.Dropout))
	l.watch(t, "middle", x)
	x = autograd.Add(t, x, autograd.Dropout(t, l.feed(t, x), l.Dropout))
	l.watch(t, "output", x)
	return x
}

// feed is the feed-forward part without its residual connection.
func (l *AxialLayer) feed(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	return l.Down.Forward(t, autograd.GELU(t, l.Up.Forward(t, l.Norm.Forward(t, x))))
}

// tied returns how many of the rows share a softmax.
func (l *AxialLayer) tied(rows []autograd.Segment) int {
	if l.Tied {
		return len(rows)
	}
	return 1
}

func (l *AxialLayer) watch(t *autograd.Tape, name string, x *autograd.Var) {
	if t.Probe != nil && l.Name != "" {
		t.Watch(l.Name+"."+name, x)
	}
}

// MultiplyAdds returns how many products Forward sums up over a grid: in attention,
// for scores and for values, and in the linear layers.
func (l *AxialLayer) MultiplyAdds(g Grid) (attention, linear int64) {
	dim := int64(l.Norm.Weight.Dim(0))
	for _, segments := range [][]autograd.Segment{g.rows(), g.columns()} {
		for _, s := range segments {
			attention += 2 * int64(s.Count) * int64(s.Count) * dim
		}
	}
	for _, w := range []*Linear{l.RowAttention.Query, l.RowAttention.Key, l.RowAttention.Value, l.RowAttention.Out,
		l.ColumnAttention.Query, l.ColumnAttention.Key, l.ColumnAttention.Value, l.ColumnAttention.Out, l.Up, l.Down} {
		linear += int64(g.Rows) * int64(g.Columns) * int64(len(w.Weight.Data))
	}
	return attention, linear
}

// Visit names norm_row, row, norm_column, column, norm, up and down.
func (l *AxialLayer) Visit(prefix string, f Visitor) {
	l.NormRow.Visit(Join(prefix, "norm_row"), f)
	l.RowAttention.Visit(Join(prefix, "row"), f)
	l.NormColumn.Visit(Join(prefix, "norm_column"), f)
	l.ColumnAttention.Visit(Join(prefix, "column"), f)
	l.Norm.Visit(Join(prefix, "norm"), f)
	l.Up.Visit(Join(prefix, "up"), f)
	l.Down.Visit(Join(prefix, "down"), f)
}

package nn

import (
	"math"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/internal/par"
)

// Infer is Forward in place and without gradients, in pieces of about the given
// number of cells and at least one row or column: memory beyond x (N·L, D) is that
// of the activations of one piece, and H·L² values where rows are tied. Results
// depend on the pieces by rounding alone, and not on cores.
//
// Of tied rows the scores are summed over the pieces before the one softmax. Pieces
// of columns are copied out of the grid and back, for they are no rows of x; within
// a piece, columns are segments as ever.
func (l *AxialLayer) Infer(x []float32, g Grid, bias *autograd.Var, cells, cores int) {
	dim := l.Norm.Weight.Dim(0)
	g.check(autograd.Input(x, g.Rows*g.Columns, dim))
	t := &autograd.Tape{NoGrad: true, Cores: cores}
	height, width := max(1, cells/max(1, g.Columns)), max(1, cells/max(1, g.Rows))
	// rows calls f with one piece of rows after another, and replaces it by what f
	// returns, if anything.
	rows := func(f func(part Grid, x *autograd.Var) *autograd.Var) {
		for r := 0; r < g.Rows; r += height {
			part := g.part(r, min(r+height, g.Rows), 0, g.Columns)
			data := x[r*g.Columns*dim:][:part.Rows*part.Columns*dim]
			t.Reset()
			if y := f(part, autograd.Input(data, part.Rows*part.Columns, dim)); y != nil {
				copy(data, y.Data)
			}
		}
	}
	if l.Tied {
		maps := newSharedMaps(l.RowAttention, &g, cores)
		rows(func(part Grid, x *autograd.Var) *autograd.Var {
			maps.add(t, &part, l.NormRow.Forward(t, x))
			return nil
		})
		maps.soften(bias)
		rows(func(part Grid, x *autograd.Var) *autograd.Var {
			return autograd.Add(t, x, maps.apply(t, &part, l.NormRow.Forward(t, x)))
		})
	} else {
		rows(func(part Grid, x *autograd.Var) *autograd.Var {
			spec := autograd.AttentionSpec{Query: part.rows(), KeyMask: part.keys(), Bias: bias}
			return autograd.Add(t, x, l.RowAttention.attend(t, l.NormRow.Forward(t, x), spec))
		})
	}
	piece := make([]float32, g.Rows*min(width, g.Columns)*dim)
	for c := 0; c < g.Columns; c += width {
		part := g.part(0, g.Rows, c, min(c+width, g.Columns))
		line := part.Columns * dim
		for r := range g.Rows {
			copy(piece[r*line:(r+1)*line], x[(r*g.Columns+c)*dim:])
		}
		t.Reset()
		in := autograd.Input(piece[:g.Rows*line], g.Rows*part.Columns, dim)
		spec := autograd.AttentionSpec{Query: part.columns(), KeyMask: part.keys()}
		y := autograd.Add(t, in, l.ColumnAttention.attend(t, l.NormColumn.Forward(t, in), spec))
		for r := range g.Rows {
			copy(x[(r*g.Columns+c)*dim:][:line], y.Data[r*line:(r+1)*line])
		}
	}
	rows(func(_ Grid, x *autograd.Var) *autograd.Var { return autograd.Add(t, x, l.feed(t, x)) })
}

// sharedMaps are the maps of attention (H, L, L) that tied rows have in common,
// made from one piece of the rows after another.
type sharedMaps struct {
	a     *MultiHeadAttention
	g     *Grid
	cores int
	data  []float32
	works []kernel.Work
}

func newSharedMaps(a *MultiHeadAttention, g *Grid, cores int) *sharedMaps {
	return &sharedMaps{a, g, cores, make([]float32, a.Heads*g.Columns*g.Columns), make([]kernel.Work, max(1, cores))}
}

// each calls f for each head, with its map.
func (m *sharedMaps) each(f func(w *kernel.Work, h int, s kernel.View)) {
	l := m.g.Columns
	par.Do(m.a.Heads, len(m.works), func(worker, h int) {
		f(&m.works[worker], h, kernel.Matrix(m.data[h*l*l:(h+1)*l*l], l, l))
	})
}

// head returns the part of x (T, D) that belongs to a head within a row of the grid.
func (m *sharedMaps) head(x *autograd.Var, s autograd.Segment, h int) kernel.View {
	d := x.Dim(1) / m.a.Heads
	return kernel.View{Data: x.Data[s.Start*x.Dim(1)+h*d:], Rows: s.Count, Cols: d, RowStride: x.Dim(1), ColStride: 1}
}

// add sums up the dot products of a piece, x (T, D) after the norm:
//
//	for r, i, j, c { s[h, i, j] += q[r, i, h, c] · k[r, j, h, c] }
func (m *sharedMaps) add(t *autograd.Tape, part *Grid, x *autograd.Var) {
	q, k := m.a.Query.Forward(t, x), m.a.Key.Forward(t, x)
	segments := part.rows()
	if m.a.Rotary != nil {
		positions := Positions(segments, x.Dim(0))
		q = autograd.Rotary(t, q, m.a.Heads, positions, m.a.Rotary)
		k = autograd.Rotary(t, k, m.a.Heads, positions, m.a.Rotary)
	}
	m.each(func(w *kernel.Work, h int, s kernel.View) {
		for _, row := range segments {
			kernel.Mul(w, s, m.head(q, row, h), m.head(k, row, h).T(), true)
		}
	})
}

// soften turns the sums into weights. A query without keys gets zeros.
func (m *sharedMaps) soften(bias *autograd.Var) {
	l, d := m.g.Columns, m.a.Query.Weight.Dim(0)/m.a.Heads
	scale := float32(1 / math.Sqrt(float64(d*max(1, len(m.g.rows())))))
	m.each(func(_ *kernel.Work, h int, s kernel.View) {
		for i := range l {
			row := s.Data[i*l : (i+1)*l]
			kernel.Scale(row, scale)
			if bias != nil {
				wide := bias.Dim(2) // L or more
				at := (h*bias.Dim(1) + i) * wide
				kernel.Add(row, bias.Data[at:at+l])
			}
			if r := m.a.Relative; r != nil {
				n := r.Dim(1)
				for j := range row {
					row[j] += r.Data[h*n+min(max(j-i+n/2, 0), n-1)]
				}
			}
			for j := range row {
				if m.g.PadColumns != nil && m.g.PadColumns[j] {
					row[j] = float32(math.Inf(-1))
				}
			}
			top := kernel.Max(row)
			if math.IsInf(float64(top), -1) {
				clear(row)
				continue
			}
			kernel.Scale(row, 1/kernel.ExpSum(row, 1, top))
		}
	})
}

// apply returns what row attention adds to a piece, x (T, D) after the norm.
func (m *sharedMaps) apply(t *autograd.Tape, part *Grid, x *autograd.Var) *autograd.Var {
	v := m.a.Value.Forward(t, x)
	o := autograd.Input(make([]float32, len(v.Data)), v.Shape...)
	segments := part.rows()
	m.each(func(w *kernel.Work, h int, s kernel.View) {
		for _, row := range segments {
			kernel.Mul(w, m.head(o, row, h), s, m.head(v, row, h), false)
		}
	})
	return m.a.Out.Forward(t, o)
}

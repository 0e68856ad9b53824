package nn

import (
	"math"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/internal/par"
)

// An AxialPass holds what inference over a grid needs beside the cells, so that the
// layers of a model use it one after another: the activations of one piece and,
// where rows are tied, one map (H, L, L).
type AxialPass struct {
	g             Grid
	height, width int // rows and columns of a piece
	t             *autograd.Tape
	cores         int
	maps          sharedMaps
	piece         []float32 // columns, copied out of the grid
}

// NewAxialPass returns a pass in pieces of about the given number of cells and at
// least one row or column.
func NewAxialPass(g Grid, cells, cores int) *AxialPass {
	return &AxialPass{g: g, t: &autograd.Tape{NoGrad: true, Cores: cores}, cores: cores,
		height: max(1, cells/max(1, g.Columns)), width: max(1, cells/max(1, g.Rows))}
}

// Infer is Forward in place and without gradients, piece by piece. Results depend on
// the pieces by rounding alone, and not on cores. see, if not nil, is shown the maps
// (H, L, L) that tied rows share, and must not keep them.
//
// Of tied rows the scores are summed over the pieces before the one softmax. Pieces
// of columns are copied out of the grid and back, for they are no rows of x; within
// a piece, columns are segments as ever.
func (l *AxialLayer) Infer(p *AxialPass, x []float32, bias *autograd.Var, see func(maps []float32)) {
	dim, g, t := l.Norm.Weight.Dim(0), &p.g, p.t
	g.check(autograd.Input(x, g.Rows*g.Columns, dim))
	// rows calls f with one piece of rows after another, and replaces it by what f
	// returns, if anything.
	rows := func(f func(part Grid, x *autograd.Var) *autograd.Var) {
		for r := 0; r < g.Rows; r += p.height {
			part := g.part(r, min(r+p.height, g.Rows), 0, g.Columns)
			data := x[r*g.Columns*dim:][:part.Rows*part.Columns*dim]
			t.Reset()
			if y := f(part, autograd.Input(data, part.Rows*part.Columns, dim)); y != nil {
				copy(data, y.Data)
			}
		}
	}
	if l.Tied {
		maps := &p.maps
		maps.begin(l.RowAttention, g, p.cores)
		rows(func(part Grid, x *autograd.Var) *autograd.Var {
			maps.add(t, &part, l.NormRow.Forward(t, x))
			return nil
		})
		maps.soften(bias)
		if see != nil {
			see(maps.data)
		}
		rows(func(part Grid, x *autograd.Var) *autograd.Var {
			return autograd.Add(t, x, maps.apply(t, &part, l.NormRow.Forward(t, x)))
		})
	} else {
		rows(func(part Grid, x *autograd.Var) *autograd.Var {
			spec := autograd.AttentionSpec{Query: part.rows(), KeyMask: part.keys(), Bias: bias}
			return autograd.Add(t, x, l.RowAttention.attend(t, l.NormRow.Forward(t, x), spec))
		})
	}
	if n := g.Rows * min(p.width, g.Columns) * dim; len(p.piece) != n {
		p.piece = make([]float32, n)
	}
	for c := 0; c < g.Columns; c += p.width {
		part := g.part(0, g.Rows, c, min(c+p.width, g.Columns))
		line := part.Columns * dim
		for r := range g.Rows {
			copy(p.piece[r*line:(r+1)*line], x[(r*g.Columns+c)*dim:])
		}
		t.Reset()
		in := autograd.Input(p.piece[:g.Rows*line], g.Rows*part.Columns, dim)
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
	data  []float32
	works []kernel.Work
}

// begin makes the maps zero.
func (m *sharedMaps) begin(a *MultiHeadAttention, g *Grid, cores int) {
	m.a, m.g = a, g
	if n := a.Heads * g.Columns * g.Columns; len(m.data) != n {
		m.data = make([]float32, n)
	}
	if m.works == nil {
		m.works = make([]kernel.Work, max(1, cores))
	}
	clear(m.data)
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

// apply returns what row attention adds to a piece, x (T, D) after the norm, which
// it uses up.
func (m *sharedMaps) apply(t *autograd.Tape, part *Grid, x *autograd.Var) *autograd.Var {
	v := m.a.Value.Forward(t, x)
	segments := part.rows()
	clear(x.Data) // rows of padding stay zero
	m.each(func(w *kernel.Work, h int, s kernel.View) {
		for _, row := range segments {
			kernel.Mul(w, m.head(x, row, h), s, m.head(v, row, h), false)
		}
	})
	return m.a.Out.Forward(t, x)
}

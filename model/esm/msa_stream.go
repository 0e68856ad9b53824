package esm

import (
	"math"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/internal/par"
	"heed/tensor"
)

// Stream is [MSA.Each] in pieces: the hidden states exist for all tokens, all else
// for about Work.Rows tokens at a time, a whole row or column at least. Row
// attention, whose one map needs the queries and keys of all rows, adds up scores
// row by row, then takes the softmax, and goes over the rows once more for the
// values; columns are independent. attend, if not nil, sees the maps (H, C, C) of
// each layer; it and see must not keep their slices. Results do not depend on
// Work, and agree with Each to rounding.
func (m *MSA) Stream(rows [][]int32, w Work, attend func(layer int, a []float32), see func(layer int, x []float32)) {
	s := &msaStream{m: m, r: len(rows), c: len(rows[0]), d: m.Config.Dim, w: w, t: &autograd.Tape{NoGrad: true, Cores: w.cores()},
		works: make([]kernel.Work, w.cores())}
	s.x = make([]float32, s.r*s.c*s.d)
	s.maps, s.zeros = make([]float32, m.Config.Heads*s.c*s.c), make([]float32, s.c)
	each := max(1, w.rows()/s.c) // rows in a piece
	s.embed(rows)
	see(0, s.x)
	for i, l := range m.Layers {
		s.scores(l, each)
		if attend != nil {
			attend(i, s.maps)
		}
		s.values(l, each)
		s.columns(l)
		s.feed(l, i == len(m.Layers)-1)
		see(i+1, s.x)
	}
}

// An msaStream is a pass over r rows and c columns.
type msaStream struct {
	m       *MSA
	r, c, d int
	w       Work
	t       *autograd.Tape
	works   []kernel.Work
	x       []float32 // (R·C, D)
	part    []float32 // some columns of x
	maps    []float32 // (H, C, C) of the layer
	zeros   []float32 // (C)
}

// embed is MSA.embedded in pieces.
func (s *msaStream) embed(rows [][]int32) {
	m, d := s.m, s.d
	for i, row := range rows {
		of := m.Row.Data[i*m.Config.RowWidth : (i+1)*m.Config.RowWidth]
		for j, id := range row {
			x := s.x[(i*s.c+j)*d : (i*s.c+j+1)*d]
			at, e := m.Position.Data[(j+2)*d:], m.Embed.Weight.Data[int(id)*d:]
			for k := range x {
				x[k] = e[k] + (at[k] + of[k%len(of)])
			}
		}
	}
	pieces(s.r*s.c, s.w.rows(), func(lo, hi int) {
		s.t.Reset()
		x := s.x[lo*d : hi*d]
		copy(x, m.Before.Forward(s.t, autograd.Input(x, hi-lo, d)).Data)
	})
}

// piece returns the rows [lo, hi) of the alignment, after a norm.
func (s *msaStream) piece(lo, hi int, l *AxialLayer) *autograd.Var {
	s.t.Reset()
	return l.NormRow.Forward(s.t, autograd.Input(s.x[lo*s.c*s.d:hi*s.c*s.d], (hi-lo)*s.c, s.d))
}

// head is the part of one row and head in (rows·C, D).
func (s *msaStream) head(x []float32, row, from, to, head int) kernel.View {
	width := s.d / s.m.Config.Heads
	return kernel.View{Data: x[(row*s.c+from)*s.d+head*width:], Rows: to - from, Cols: width, RowStride: s.d, ColStride: 1}
}

// scores computes the maps.
func (s *msaStream) scores(l *AxialLayer, each int) {
	h := s.m.Config.Heads
	blocks := (s.c + blockRows - 1) / blockRows
	pieces(s.r, each, func(lo, hi int) {
		y := s.piece(lo, hi, l)
		q, k := l.RowAttention.Query.Forward(s.t, y).Data, l.RowAttention.Key.Forward(s.t, y).Data
		par.Do(h*blocks, s.w.cores(), func(worker, task int) {
			head, from := task/blocks, task%blocks*blockRows
			to := min(s.c, from+blockRows)
			into := kernel.Matrix(s.maps[(head*s.c+from)*s.c:(head*s.c+to)*s.c], to-from, s.c)
			for r := range hi - lo {
				kernel.Mul(&s.works[worker], into, s.head(q, r, from, to, head), s.head(k, r, 0, s.c, head).T(), lo+r > 0)
			}
		})
	})
	scale := float32(1 / math.Sqrt(float64(s.d/h*s.r)))
	par.Do(h*blocks, s.w.cores(), func(_, task int) {
		head, from := task/blocks, task%blocks*blockRows
		to := min(s.c, from+blockRows)
		softmaxRows(s.maps[(head*s.c+from)*s.c:(head*s.c+to)*s.c], s.c, scale, s.zeros)
	})
}

// values adds what row attention gives.
func (s *msaStream) values(l *AxialLayer, each int) {
	h := s.m.Config.Heads
	pieces(s.r, each, func(lo, hi int) {
		y := s.piece(lo, hi, l)
		v := l.RowAttention.Value.Forward(s.t, y).Data
		o := y.Data // the norm is not needed any more
		par.Do(h*(hi-lo), s.w.cores(), func(worker, task int) {
			head, r := task/(hi-lo), task%(hi-lo)
			kernel.Mul(&s.works[worker], s.head(o, r, 0, s.c, head), kernel.Matrix(s.maps[head*s.c*s.c:(head+1)*s.c*s.c], s.c, s.c), s.head(v, r, 0, s.c, head), false)
		})
		kernel.Add(s.x[lo*s.c*s.d:hi*s.c*s.d], l.RowAttention.Out.Forward(s.t, y).Data)
	})
}

// columns adds what column attention gives.
func (s *msaStream) columns(l *AxialLayer) {
	each := min(s.c, max(1, s.w.rows()/s.r))
	if s.part == nil {
		s.part = make([]float32, s.r*each*s.d)
	}
	pieces(s.c, each, func(lo, hi int) {
		s.t.Reset()
		n := hi - lo
		part := s.part[:s.r*n*s.d]
		for r := range s.r {
			copy(part[r*n*s.d:(r+1)*n*s.d], s.x[(r*s.c+lo)*s.d:])
		}
		y := attend(s.t, l.ColumnAttention, l.NormColumn.Forward(s.t, autograd.Input(part, s.r*n, s.d)), autograd.GridColumns(0, s.r, n), 1)
		for r := range s.r {
			kernel.Add(s.x[(r*s.c+lo)*s.d:(r*s.c+hi)*s.d], y.Data[r*n*s.d:(r+1)*n*s.d])
		}
	})
}

// feed adds the feed-forward part, and after the last layer takes the norm.
func (s *msaStream) feed(l *AxialLayer, last bool) {
	pieces(s.r*s.c, s.w.rows(), func(lo, hi int) {
		s.t.Reset()
		x := s.x[lo*s.d : hi*s.d]
		v := autograd.Input(x, hi-lo, s.d)
		v = autograd.Add(s.t, v, feedForward(s.t, v, l.Norm, l.Up, l.Down))
		if last {
			v = s.m.Norm.Forward(s.t, v)
		}
		copy(x, v.Data)
	})
}

// Contacts returns the probability (L, L) that two residues of the first row are
// in contact, L being the columns without Begin, by the maps that all rows share.
// It is computed as [Model.Contacts] does.
func (m *MSA) Contacts(rows [][]int32, w Work) (*tensor.Tensor, error) {
	if m.Contact == nil {
		return nil, ErrNoContactHead
	}
	if err := m.Check(rows); err != nil {
		return nil, err
	}
	h, c := m.Config.Heads, len(rows[0])
	s := newContactSum(c, c-1, w.cores())
	m.Stream(rows, w, func(layer int, a []float32) {
		for head := range h {
			if weight := m.Contact.Weight.Data[layer*h+head]; weight != 0 {
				s.add(weight, mapRows(a, head, c))
			}
		}
	}, func(int, []float32) {})
	return s.finish(m.Contact.Bias.Data[0]), nil
}

// mapRows reads the map of a head among those of a layer (H, C, C).
func mapRows(a []float32, head, c int) attention {
	return func(_, lo, hi int) []float32 { return a[(head*c+lo+1)*c : (head*c+hi+1)*c] }
}

// Maps calls see with the row attention (L, L) of every head, as [Model.Maps] does.
func (m *MSA) Maps(rows [][]int32, w Work, see func(layer, head int, a []float32)) {
	c := len(rows[0])
	one := make([]float32, (c-1)*(c-1))
	m.Stream(rows, w, func(layer int, a []float32) {
		for head := range m.Config.Heads {
			copyMap(one, c-1, w.cores(), mapRows(a, head, c))
			see(layer, head, one)
		}
	}, func(int, []float32) {})
}

// LogProbabilities returns the logarithms of the probabilities (len(columns), 33)
// that the masked-token head gives to all tokens at some columns of the first row.
func (m *MSA) LogProbabilities(rows [][]int32, columns []int, w Work) []float64 {
	d := m.Config.Dim
	h := make([]float32, len(columns)*d)
	m.Stream(rows, w, nil, func(layer int, x []float32) {
		if layer == len(m.Layers) {
			for i, c := range columns {
				copy(h[i*d:(i+1)*d], x[c*d:(c+1)*d])
			}
		}
	})
	t := &autograd.Tape{NoGrad: true, Cores: w.cores()}
	return logSoftmax(m.Logits(t, autograd.Input(h, len(columns), d)).Data)
}

// logSoftmax takes rows of logits (..., 33).
func logSoftmax(x []float32) []float64 {
	out := make([]float64, len(x))
	for at := 0; at < len(x); at += Tokens {
		top, sum := math.Inf(-1), 0.0
		for _, v := range x[at : at+Tokens] {
			top = max(top, float64(v))
		}
		for _, v := range x[at : at+Tokens] {
			sum += math.Exp(float64(v) - top)
		}
		for i, v := range x[at : at+Tokens] {
			out[at+i] = float64(v) - top - math.Log(sum)
		}
	}
	return out
}

package esm

import (
	"math"

	"heed/autograd"
	"heed/nn"
	"heed/tensor"
)

// Stream is [MSA.Each] in pieces: the hidden states exist for all tokens, all else
// for about Work.Rows tokens at a time, a whole row or column at least. attend, if
// not nil, sees the maps (H, C, C) of each layer; it and see must not keep their
// slices. Results do not depend on Work, and agree with Each to rounding.
func (m *MSA) Stream(rows [][]int32, w Work, attend func(layer int, a []float32), see func(layer int, x []float32)) {
	pass := nn.NewAxialPass(nn.Grid{Rows: len(rows), Columns: len(rows[0])}, w.rows(), w.cores())
	x := m.pieceByPiece(rows, w)
	see(0, x)
	for i, l := range m.Layers {
		l.Infer(pass, x, nil, func(maps []float32) {
			if attend != nil {
				attend(i, maps)
			}
		})
		if i == len(m.Layers)-1 {
			m.norm(m.Norm, x, w)
		}
		see(i+1, x)
	}
}

// pieceByPiece is MSA.embedded without a copy for each of its sums.
func (m *MSA) pieceByPiece(rows [][]int32, w Work) []float32 {
	c, d := len(rows[0]), m.Config.Dim
	all := make([]float32, len(rows)*c*d)
	for i, row := range rows {
		of := m.Row.Data[i*m.Config.RowWidth : (i+1)*m.Config.RowWidth]
		for j, id := range row {
			x := all[(i*c+j)*d : (i*c+j+1)*d]
			at, e := m.Position.Data[(j+2)*d:], m.Embed.Weight.Data[int(id)*d:]
			for k := range x {
				x[k] = e[k] + (at[k] + of[k%len(of)])
			}
		}
	}
	m.norm(m.Before, all, w)
	return all
}

// norm normalises x (R·C, D) in place.
func (m *MSA) norm(l *nn.LayerNorm, x []float32, w Work) {
	d := m.Config.Dim
	t := &autograd.Tape{NoGrad: true, Cores: w.cores()}
	pieces(len(x)/d, w.rows(), func(lo, hi int) {
		t.Reset()
		copy(x[lo*d:hi*d], l.Forward(t, autograd.Input(x[lo*d:hi*d], hi-lo, d)).Data)
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

package esm

import (
	"errors"
	"fmt"
	"math"

	"heed/autograd"
	"heed/internal/kernel"
	"heed/internal/par"
	"heed/tensor"
)

// ErrNoContactHead means that the model's file has no contact regression, which
// its authors publish as a second file.
var ErrNoContactHead = errors.New("the model has no contact head; the authors' is in NAME-contact-regression.pt beside NAME.pt")

// Contacts returns the probability (L, L) that two residues are in contact: less
// than 8 Å between their Cβ. The ids are those of Encode, two more than residues.
//
// The contact head (Rao et al. 2021) is a logistic regression on the attention
// A of all heads c, made symmetric and cleared of what a residue has in common
// with all others (APC):
//
//	T = A_c + A_cᵀ    p_ij = sigmoid(b + Σ_c w_c·(T_ij - r_i·r_j/t))
//
// where r are the sums of the rows of T and t is that of all. The maps are never
// held: w_c·A_ij is added head by head, some rows at a time, to one sum, from
// which w_c·r_i·r_j/(2t) is taken when a head is done; the sum is made symmetric
// at the end. Memory is 4·L² bytes, that of the result, besides the activations
// of one layer. Results do not depend on the number of cores.
func (m *Model) Contacts(ids []int32, cores int) (*tensor.Tensor, error) {
	if m.Contact == nil {
		return nil, ErrNoContactHead
	}
	if len(ids) < 2 {
		return nil, fmt.Errorf("%d tokens: want those of a sequence and its two ends", len(ids))
	}
	s := newContactSum(1, len(ids), len(ids)-2, m.Config.Dim/m.Config.Heads, cores)
	layer := 0
	var query *autograd.Var
	probe := func(name string, v *autograd.Var) {
		if layer == len(m.Layers) {
			return
		}
		switch name {
		case m.Layers[layer].Name + ".attention.query":
			query = v
		case m.Layers[layer].Name + ".attention.key":
			h := m.Config.Heads
			s.layer(query.Data, v.Data, m.Contact.Weight.Data[layer*h:(layer+1)*h])
			layer++
		}
	}
	m.Each(Pack(ids), cores, probe, func(int, []float32) {})
	return s.finish(m.Contact.Bias.Data[0]), nil
}

// blockRows is how many rows of a map exist at a time.
const blockRows = 32

// A contactSum is Σ_c w_c·APC(A_c), not yet symmetric, of what was added so far.
type contactSum struct {
	rows    int // of an alignment, whose scores are summed; 1 for a sequence
	n, l, d int // tokens of a row, residues, width of a head
	cores   int
	sum     *tensor.Tensor // (L, L)
	blocks  int
	across  []float64 // (L) sums of the rows of one map
	columns []float32 // (blocks, L) sums of its columns, block by block
	common  []float32 // (L) r
	works   []kernel.Work
	scores  [][]float32 // (blockRows, n) of each core
	zeros   []float32   // (n)
}

func newContactSum(rows, n, l, d, cores int) *contactSum {
	s := &contactSum{rows: rows, n: n, l: l, d: d, cores: max(1, cores), sum: tensor.New(l, l), blocks: (l + blockRows - 1) / blockRows}
	s.across, s.common, s.zeros = make([]float64, l), make([]float32, l), make([]float32, n)
	s.columns = make([]float32, s.blocks*l)
	s.works = make([]kernel.Work, s.cores)
	s.scores = make([][]float32, s.cores)
	for i := range s.scores {
		s.scores[i] = make([]float32, blockRows*n)
	}
	return s
}

// layer adds the heads of a layer; q and k are (rows·n, H·d). Heads of weight zero,
// of which a sparse regression has many, cost nothing.
func (s *contactSum) layer(q, k []float32, weights []float32) {
	width := len(weights) * s.d
	for h, w := range weights {
		if w != 0 {
			s.head(q[h*s.d:], k[h*s.d:], width, w)
		}
	}
}

func (s *contactSum) head(q, k []float32, width int, w float32) {
	scale := float32(1 / math.Sqrt(float64(s.d*s.rows)))
	par.Do(s.blocks, s.cores, func(worker, block int) {
		lo := block * blockRows
		hi := min(s.l, lo+blockRows)
		column := s.columns[block*s.l : (block+1)*s.l]
		clear(column)
		scores := s.scores[worker][:(hi-lo)*s.n]
		for r := range s.rows {
			keys := kernel.View{Data: k[r*s.n*width:], Rows: s.n, Cols: s.d, RowStride: width, ColStride: 1}
			// Residue i is token i+1.
			queries := kernel.View{Data: q[(r*s.n+lo+1)*width:], Rows: hi - lo, Cols: s.d, RowStride: width, ColStride: 1}
			kernel.Mul(&s.works[worker], kernel.Matrix(scores, hi-lo, s.n), queries, keys.T(), r > 0)
		}
		for i := lo; i < hi; i++ {
			row := scores[(i-lo)*s.n : (i-lo+1)*s.n]
			top := kernel.ScaleAddMax(row, scale, s.zeros)
			norm := 1 / kernel.ExpSum(row, 1, top)
			kernel.Scale(row, norm)
			row = row[1 : 1+s.l]
			s.across[i] = float64(kernel.Sum(row))
			kernel.Add(column, row)
			kernel.Axpy(s.sum.Data[i*s.l:(i+1)*s.l], w, row)
		}
	})
	total := 0.0
	for i := range s.common {
		r := s.across[i]
		for block := range s.blocks {
			r += float64(s.columns[block*s.l+i])
		}
		s.common[i] = float32(r)
		total += r
	}
	if total == 0 {
		return // all attention is on the end tokens
	}
	par.Do(s.blocks, s.cores, func(_, block int) {
		for i := block * blockRows; i < min(s.l, (block+1)*blockRows); i++ {
			kernel.Axpy(s.sum.Data[i*s.l:(i+1)*s.l], float32(-float64(w)*float64(s.common[i])/(2*total)), s.common)
		}
	})
}

// finish makes the sum symmetric and turns it into probabilities, in place.
func (s *contactSum) finish(bias float32) *tensor.Tensor {
	p := s.sum.Data
	for i := range s.l {
		for j := range i + 1 {
			x := float64(bias) + float64(p[i*s.l+j]) + float64(p[j*s.l+i])
			v := float32(1 / (1 + math.Exp(-x)))
			p[i*s.l+j], p[j*s.l+i] = v, v
		}
	}
	return s.sum
}

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
// at the end. Memory is that of [Config.Plan] and [ContactPlan].
func (m *Model) Contacts(ids []int32, w Work) (*tensor.Tensor, error) {
	if m.Contact == nil {
		return nil, ErrNoContactHead
	}
	if len(ids) < 2 {
		return nil, fmt.Errorf("%d tokens: want those of a sequence and its two ends", len(ids))
	}
	s := newContactSum(len(ids), len(ids)-2, w.cores())
	a := newScorer(len(ids), m.Config.Dim/m.Config.Heads, w.cores())
	m.Stream(Pack(ids), w, func(layer int, q, k []float32) {
		for h := range m.Config.Heads {
			if weight := m.Contact.Weight.Data[layer*m.Config.Heads+h]; weight != 0 {
				s.add(weight, a.rows(q, k, h, m.Config.Dim))
			}
		}
	}, func(int, []float32) {})
	return s.finish(m.Contact.Bias.Data[0]), nil
}

// Maps calls see with the attention (L, L) among residues of every head, in the
// order of layers and heads: the shares that the row's residue gives to the others.
// Rows sum to less than 1 by what goes to the two ends. The slice is used again:
// one map exists at a time.
func (m *Model) Maps(ids []int32, w Work, see func(layer, head int, a []float32)) {
	l := len(ids) - 2
	a := newScorer(len(ids), m.Config.Dim/m.Config.Heads, w.cores())
	one := make([]float32, l*l)
	m.Stream(Pack(ids), w, func(layer int, q, k []float32) {
		for h := range m.Config.Heads {
			copyMap(one, l, w.cores(), a.rows(q, k, h, m.Config.Dim))
			see(layer, h, one)
		}
	}, func(int, []float32) {})
}

func copyMap(dst []float32, l, cores int, rows attention) {
	par.Do((l+blockRows-1)/blockRows, cores, func(worker, block int) {
		lo, hi := block*blockRows, min(l, (block+1)*blockRows)
		from := rows(worker, lo, hi)
		n := len(from) / (hi - lo)
		for i := lo; i < hi; i++ {
			copy(dst[i*l:(i+1)*l], from[(i-lo)*n+1:])
		}
	})
}

// Correct makes a map (L, L) what the contact head sees of it: T_ij - r_i·r_j/t of
// T = A + Aᵀ.
func Correct(a []float32, l int) {
	r := make([]float64, l)
	total := 0.0
	for i := range l {
		for j := range i + 1 {
			v := a[i*l+j] + a[j*l+i]
			a[i*l+j], a[j*l+i] = v, v
			r[i] += float64(v)
			if i != j {
				r[j] += float64(v)
			}
		}
	}
	for _, v := range r {
		total += v
	}
	if total == 0 {
		return
	}
	for i := range l {
		for j := range l {
			a[i*l+j] -= float32(r[i] * r[j] / total)
		}
	}
}

// attention returns the rows [lo, hi) of a map of residues: the weights (hi-lo, n)
// of all tokens, of which residue i is token i+1. They are valid until the worker
// asks again.
type attention func(worker, lo, hi int) []float32

// A scorer computes rows of maps from queries and keys.
type scorer struct {
	n, d   int // tokens, width of a head
	works  []kernel.Work
	scores [][]float32 // (blockRows, n) of each core
	zeros  []float32   // (n)
}

func newScorer(n, d, cores int) *scorer {
	s := &scorer{n: n, d: d, works: make([]kernel.Work, cores), zeros: make([]float32, n)}
	for range cores {
		s.scores = append(s.scores, make([]float32, blockRows*n))
	}
	return s
}

// rows returns the map of a head; q and k are (n, width).
func (s *scorer) rows(q, k []float32, head, width int) attention {
	scale := float32(1 / math.Sqrt(float64(s.d)))
	keys := kernel.View{Data: k[head*s.d:], Rows: s.n, Cols: s.d, RowStride: width, ColStride: 1}
	return func(worker, lo, hi int) []float32 {
		scores := s.scores[worker][:(hi-lo)*s.n]
		queries := kernel.View{Data: q[(lo+1)*width+head*s.d:], Rows: hi - lo, Cols: s.d, RowStride: width, ColStride: 1}
		kernel.Mul(&s.works[worker], kernel.Matrix(scores, hi-lo, s.n), queries, keys.T(), false)
		softmaxRows(scores, s.n, scale, s.zeros)
		return scores
	}
}

// softmaxRows turns rows of n scores into shares.
func softmaxRows(x []float32, n int, scale float32, zeros []float32) {
	for ; len(x) > 0; x = x[n:] {
		row := x[:n]
		top := kernel.ScaleAddMax(row, scale, zeros)
		kernel.Scale(row, 1/kernel.ExpSum(row, 1, top))
	}
}

// blockRows is how many rows of a map exist at a time.
const blockRows = 32

// A contactSum is Σ_c w_c·APC(A_c), not yet symmetric, of what was added so far.
type contactSum struct {
	n, l    int // tokens of a row, residues
	cores   int
	sum     *tensor.Tensor // (L, L)
	blocks  int
	across  []float64 // (L) sums of the rows of one map
	columns []float32 // (blocks, L) sums of its columns, block by block
	common  []float32 // (L) r
}

func newContactSum(n, l, cores int) *contactSum {
	s := &contactSum{n: n, l: l, cores: cores, sum: tensor.New(l, l), blocks: (l + blockRows - 1) / blockRows}
	s.across, s.common = make([]float64, l), make([]float32, l)
	s.columns = make([]float32, s.blocks*l)
	return s
}

// add adds a head. Heads of weight zero, of which a sparse regression has many,
// need not be added.
func (s *contactSum) add(w float32, rows attention) {
	par.Do(s.blocks, s.cores, func(worker, block int) {
		lo := block * blockRows
		hi := min(s.l, lo+blockRows)
		column := s.columns[block*s.l : (block+1)*s.l]
		clear(column)
		a := rows(worker, lo, hi)
		for i := lo; i < hi; i++ {
			row := a[(i-lo)*s.n+1:][:s.l]
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

// NewContactHead returns a head of zeros for a number of attention heads.
func NewContactHead(heads int) *ContactHead {
	return &ContactHead{Weight: autograd.Param(1, heads), Bias: autograd.Param(1)}
}

package alignment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/data"
	"heed/internal/kernel"
	"heed/internal/par"
	"heed/nn"
	"heed/optim"
)

// Residues is the number of amino acids, the states that factored attention
// knows: a gap says nothing and is not predicted.
const Residues = 20

const pairSize = Residues * Residues

// A Factored is one layer of factored attention (Bhattacharya et al. 2022, PSB).
// Attention depends on columns alone and values on amino acids alone, so that
// the couplings of a Potts model,
//
//	α^h_ij = softmax over j ≠ i of Q_i^h·K_j^h/√d
//	W(ia, jb) = Σ_h α^h_ij V^h_ab, made symmetric: (W + Wᵀ)/2
//
// have H(2Ld + 400) parameters in place of 200·L(L-1), shared by all pairs that a
// head attends to.
type Factored struct {
	Columns, Heads, Width int // L, H, d

	Query, Key *autograd.Var // (L, H·d)
	Value      *autograd.Var // (H, 20·20)
	Field      *autograd.Var // (L, 20)
}

// Visit names query, key, value and field.
func (m *Factored) Visit(prefix string, f nn.Visitor) {
	f(nn.Join(prefix, "query"), m.Query)
	f(nn.Join(prefix, "key"), m.Key)
	f(nn.Join(prefix, "value"), m.Value)
	f(nn.Join(prefix, "field"), m.Field)
}

// A FactoredConfig says how FitFactored fits. The zero value of a field means its
// default.
type FactoredConfig struct {
	Heads  int     // 0 means 256
	Width  int     // d; 0 means 32
	Lambda float64 // strength of regularisation; 0 means 0.01
	Rate   float64 // of AdamW in the first step, falling to 1 % of it along half a cosine; 0 means 0.005
	Batch  int     // sequences in a step; 0 means 1000
	Steps  int     // 0 means 800
	Seed   uint64
	Cores  int // 0 means all. Results do not depend on it
	// Tell, if not nil, is called after each step.
	Tell func(step, steps int, loss float64)
}

// Validate fills in the defaults and reports the first field that makes no
// sense.
func (c *FactoredConfig) Validate() error {
	for _, x := range []struct {
		field *int
		value int
	}{{&c.Heads, 256}, {&c.Width, 32}, {&c.Batch, 1000}, {&c.Steps, 800}, {&c.Cores, par.Cores()}} {
		if *x.field == 0 {
			*x.field = x.value
		}
	}
	if c.Lambda == 0 {
		c.Lambda = 0.01
	}
	if c.Rate == 0 {
		c.Rate = 0.005
	}
	switch {
	case c.Heads < 1 || c.Heads > 1<<12:
		return fmt.Errorf("heads %d: want 1 to 4096", c.Heads)
	case c.Width < 1 || c.Width > 1<<12:
		return fmt.Errorf("width %d: want 1 to 4096", c.Width)
	case !(c.Lambda > 0):
		return fmt.Errorf("lambda %v: want a positive number", c.Lambda)
	case !(c.Rate > 0):
		return fmt.Errorf("rate %v: want a positive number", c.Rate)
	case c.Batch < 1:
		return fmt.Errorf("batch %d: want 1 or more", c.Batch)
	case c.Steps < 1:
		return fmt.Errorf("steps %d: want 1 or more", c.Steps)
	}
	return nil
}

// FactoredMemory returns how many bytes FitFactored holds for a family of l columns,
// to within some rows: queries and keys with gradients and two moments, and for each
// leaf of the gradient its sums and the weights of 4 target columns.
func FactoredMemory(l int, c FactoredConfig) int64 {
	vectors := 2 * int64(l) * int64(c.Heads) * int64(c.Width)
	values := int64(c.Heads) * pairSize
	leaf := vectors + 2*values + int64(l)*int64(c.Heads)*(4*targets+1) + int64(l)*pairSize + int64(c.Batch)*Residues
	return 4 * (4*(vectors+values) + leaves*leaf)
}

// NewFactored returns a model with queries, keys and values drawn from r, or
// zeros if r is nil, and a field of zeros.
func NewFactored(columns, heads, width int, r *rand.Rand) *Factored {
	m := &Factored{Columns: columns, Heads: heads, Width: width,
		Query: autograd.Param(columns, heads*width), Key: autograd.Param(columns, heads*width),
		Value: autograd.Param(heads, pairSize), Field: autograd.Param(columns, Residues)}
	if r == nil {
		return m
	}
	draw := func(p *autograd.Var, bound float64) {
		for i := range p.Data {
			p.Data[i] = float32((2*r.Float64() - 1) * bound)
		}
	}
	draw(m.Query, math.Sqrt(6/float64((heads+columns)*width)))
	draw(m.Key, math.Sqrt(6/float64((heads+columns)*width)))
	draw(m.Value, math.Sqrt(6/float64(pairSize+heads*Residues)))
	return m
}

// FitFactored fits factored attention to a family by pseudo-likelihood on batches
// of sequences:
//
//	min Σ_n w_n Σ_j -log p(x_nj | the rest of x_n) + reg
//	reg = |B|/N · targets · (λ·20/(2|B|) |W|² + λ/(|B| L) |v|²)
//
// over the targets of the batch that are not gaps, as in the authors' program;
// weights of 1 give their loss. W (L·20, L·20) never exists: its part for one
// target column is made, used for loss and gradient, and forgotten. A step costs
// 6·L²·H·400 multiplications and 2·|B|·L² additions of 20; memory is
// O(L·H·d + L·400).
func FitFactored(ctx context.Context, f *Family, c FactoredConfig) (*Factored, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if f.Sequences == 0 || f.Columns < 2 {
		return nil, fmt.Errorf("a family of %d sequences and %d columns has no couplings", f.Sequences, f.Columns)
	}
	m := NewFactored(f.Columns, c.Heads, c.Width, rand.New(rand.NewPCG(c.Seed, 0x666163))) // "fac"
	copy(m.Field.Data, siteField(f, Residues, 0.01))
	params := nn.Params(m)
	opt := &optim.AdamW{}
	w := newFactoredWork(m, c.Cores)
	batch := min(c.Batch, f.Sequences)
	var order []int
	for step, epoch := 0, uint64(0); step < c.Steps; step++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(order) < batch {
			order = data.Shuffle(f.Sequences, c.Seed, epoch)
			epoch++
		}
		loss := w.gradient(f, order[:batch], c.Lambda)
		order = order[batch:]
		opt.Update(params, optim.WarmupCosine(step, 0, c.Steps, c.Rate, 0.01), 1)
		if c.Tell != nil {
			c.Tell(step+1, c.Steps, loss)
		}
	}
	return m, nil
}

// head returns the part of queries or keys (L, d) that belongs to a head, rows
// [from, to).
func (m *Factored) head(data []float32, h, from, to int) kernel.View {
	stride := m.Heads * m.Width
	return kernel.View{Data: data[from*stride+h*m.Width:], Rows: to - from, Cols: m.Width, RowStride: stride, ColStride: 1}
}

// logNorms returns log Σ_{j≠i} exp(Q_i^h·K_j^h/√d) (H, L).
func (m *Factored) logNorms(cores int) []float32 {
	const rows = 64
	l := m.Columns
	out := make([]float32, m.Heads*l)
	works, buffers := make([]kernel.Work, cores), make([][]float32, cores)
	scale := float32(1 / math.Sqrt(float64(m.Width)))
	par.Do(m.Heads, cores, func(worker, h int) {
		buffers[worker] = resize(buffers[worker], rows*l)
		for from := 0; from < l; from += rows {
			to := min(from+rows, l)
			s := kernel.Matrix(buffers[worker][:(to-from)*l], to-from, l)
			kernel.Mul(&works[worker], s, m.head(m.Query.Data, h, from, to), m.head(m.Key.Data, h, 0, l).T(), false)
			for i := from; i < to; i++ {
				row := s.Data[(i-from)*l : (i-from+1)*l]
				row[i] = float32(math.Inf(-1))
				top := kernel.Max(row)
				out[h*l+i] = scale*top + float32(math.Log(float64(kernel.ExpSum(row, scale, scale*top))))
			}
		}
	})
	return out
}

// weights writes, for targets j in [from, to), the weights with which every
// column i attends to j, and j to i: (T, 2H, L), rows α^h_ij and then α^h_ji.
func (m *Factored) weights(w *kernel.Work, dst []float32, norms []float32, from, to int) {
	l, h2 := m.Columns, 2*m.Heads
	scale := float32(1 / math.Sqrt(float64(m.Width)))
	for h := range m.Heads {
		into := kernel.View{Data: dst[h*l:], Rows: to - from, Cols: l, RowStride: h2 * l, ColStride: 1}
		back := kernel.View{Data: dst[(m.Heads+h)*l:], Rows: to - from, Cols: l, RowStride: h2 * l, ColStride: 1}
		kernel.Mul(w, into, m.head(m.Key.Data, h, from, to), m.head(m.Query.Data, h, 0, l).T(), false)
		kernel.Mul(w, back, m.head(m.Query.Data, h, from, to), m.head(m.Key.Data, h, 0, l).T(), false)
		for j := from; j < to; j++ {
			row := into.Data[(j-from)*h2*l : (j-from)*h2*l+l]
			kernel.Scale(row, scale)
			kernel.Axpy(row, -1, norms[h*l:(h+1)*l])
			kernel.ExpSum(row, 1, 0)
			row[j] = 0
			row = back.Data[(j-from)*h2*l : (j-from)*h2*l+l]
			kernel.ExpSum(row, scale, norms[h*l+j])
			row[j] = 0
		}
	}
}

// pairs returns the halves of V and of its transposes, (2H, 400): a row of
// weights times it is a row of couplings.
func (m *Factored) pairs() []float32 {
	out := make([]float32, 2*m.Heads*pairSize)
	for h := range m.Heads {
		v := m.Value.Data[h*pairSize : (h+1)*pairSize]
		straight, turned := out[h*pairSize:], out[(m.Heads+h)*pairSize:]
		for a := range Residues {
			for b := range Residues {
				straight[a*Residues+b] = v[a*Residues+b] / 2
				turned[b*Residues+a] = v[a*Residues+b] / 2
			}
		}
	}
	return out
}

// Scores returns the strength of each pair of columns (L, L): the Frobenius norm
// of its couplings, made for one column at a time.
func (m *Factored) Scores(cores int) []float64 {
	l := m.Columns
	norms, pairs := m.logNorms(cores), m.pairs()
	out := make([]float64, l*l)
	works, buffers := make([]kernel.Work, cores), make([][]float32, cores)
	par.Do(l, cores, func(worker, j int) {
		b := resize(buffers[worker], 2*m.Heads*l+l*pairSize)
		buffers[worker] = b
		weights, w := b[:2*m.Heads*l], b[2*m.Heads*l:]
		m.weights(&works[worker], weights, norms, j, j+1)
		kernel.Mul(&works[worker], kernel.Matrix(w, l, pairSize), kernel.Matrix(weights, 2*m.Heads, l).T(), kernel.Matrix(pairs, 2*m.Heads, pairSize), false)
		for i := range l {
			out[j*l+i] = math.Sqrt(kernel.SumSquares(w[i*pairSize : (i+1)*pairSize]))
		}
	})
	for i := range l { // the halves differ in rounding only
		for j := range i {
			mean := (out[i*l+j] + out[j*l+i]) / 2
			out[i*l+j], out[j*l+i] = mean, mean
		}
	}
	return out
}

// Attention returns the weights of one head (L, L).
func (m *Factored) Attention(h int) []float32 {
	l := m.Columns
	s := make([]float32, l*l)
	kernel.Mul(&kernel.Work{}, kernel.Matrix(s, l, l), m.head(m.Query.Data, h, 0, l), m.head(m.Key.Data, h, 0, l).T(), false)
	scale := float32(1 / math.Sqrt(float64(m.Width)))
	for i := range l {
		row := s[i*l : (i+1)*l]
		row[i] = float32(math.Inf(-1))
		top := scale * kernel.Max(row)
		kernel.Scale(row, 1/kernel.ExpSum(row, scale, top))
	}
	return s
}

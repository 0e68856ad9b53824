package alignment

import (
	"context"
	"fmt"
	"math"

	"heed/internal/kernel"
	"heed/internal/par"
)

// A Potts is a Markov random field over the columns of a family: a field for
// each state of each column, and a coupling for each pair of states of each pair
// of columns.
type Potts struct {
	Columns int
	Field   []float32 // v (L, A)
	// Coupling is W (L·A, L·A): entry (i·A+a, j·A+b) couples state a of column i
	// with state b of column j. It is symmetric, and zero within a column.
	Coupling []float32
}

// A PottsConfig says how FitPotts fits. The zero value is that of GREMLIN.
type PottsConfig struct {
	Lambda float64 // strength of regularisation; 0 means 0.01
	Steps  int     // 0 means 100
	Cores  int     // 0 means all. Results do not depend on it
	// Tell, if not nil, is called after each step.
	Tell func(step, steps int, loss float64)
}

// FitPotts maximises the pseudo-likelihood of a family,
//
//	min -Σ_n w_n Σ_i log p(x_ni | the rest of x_n) + λ|v|² + λ(L-1)(A-1)/2 |W|²
//	log p(x_ni = b | ...) = v_i(b) + Σ_{j≠i} W(j x_nj, i b) - log Σ_c exp(...)
//
// in the manner of GREMLIN: all sequences in every step, and an Adam whose second
// moment is one number for all couplings. The gap is a 21st state. With N
// sequences a step costs 2·N·L²·A additions and 4·(LA)² values of memory are
// held: a one-hot sequence times W is a sum of L rows of W, which is what is
// computed, never a matrix product.
func FitPotts(ctx context.Context, f *Family, c PottsConfig) (*Potts, error) {
	if c.Lambda == 0 {
		c.Lambda = 0.01
	}
	if c.Steps == 0 {
		c.Steps = 100
	}
	if c.Cores == 0 {
		c.Cores = par.Cores()
	}
	if f.Sequences == 0 || f.Columns < 2 {
		return nil, fmt.Errorf("a family of %d sequences and %d columns has no couplings", f.Sequences, f.Columns)
	}
	p := newPotts(f, c.Lambda)
	n := len(p.Coupling)
	grad, moment := make([]float32, n), make([]float32, n)
	fieldGrad, fieldMoment := make([]float32, len(p.Field)), make([]float32, len(p.Field))
	var square, fieldSquare float64
	for step := range c.Steps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		loss := p.gradient(f, c, grad, fieldGrad)
		normAdam(p.Coupling, grad, moment, &square)
		normAdam(p.Field, fieldGrad, fieldMoment, &fieldSquare)
		if c.Tell != nil {
			c.Tell(step+1, c.Steps, loss)
		}
	}
	return p, nil
}

// PottsMemory returns how many bytes FitPotts and Scores hold for a family of n
// sequences and l columns, to within some rows: couplings, gradient and moment, and
// for each core the part of 4 target columns and their logits.
func PottsMemory(n, l, cores int) int64 {
	width := int64(l) * States
	core := (width + int64(n)) * together * States
	return 4 * (3*width*width + int64(cores)*core)
}

// newPotts returns couplings of zero and fields that fit the columns by
// themselves.
func newPotts(f *Family, lambda float64) *Potts {
	l := f.Columns
	p := &Potts{Columns: l, Field: siteField(f, States, lambda), Coupling: make([]float32, l*States*l*States)}
	return p
}

// siteField returns log(weighted count + λ log Neff) less the mean of the column,
// for the first `states` states: what an independent model of columns is fitted
// to, with pseudo-counts.
func siteField(f *Family, states int, lambda float64) []float32 {
	counts := make([]float64, f.Columns*states)
	for n := range f.Sequences {
		for i, a := range f.row(n) {
			if int(a) < states {
				counts[i*states+int(a)] += f.Weights[n]
			}
		}
	}
	pseudo := lambda * math.Log(max(f.Effective(), math.E))
	field := make([]float32, len(counts))
	for i := range f.Columns {
		mean := 0.0
		for a := range states {
			mean += math.Log(counts[i*states+a]+pseudo) / float64(states)
		}
		for a := range states {
			field[i*states+a] = float32(math.Log(counts[i*states+a]+pseudo) - mean)
		}
	}
	return field
}

// normAdam is the optimiser of GREMLIN: Adam without bias correction whose
// second moment is the squared norm of the whole gradient, so that all entries
// keep their proportions,
//
//	m = .9 m + .1 g    s = .999 s + .001 |g|²    p -= m / (2 (√s + 1e-8))
func normAdam(p, g, m []float32, s *float64) {
	*s = 0.999**s + 0.001*kernel.SumSquares(g)
	kernel.Scale(m, 0.9)
	kernel.Axpy(m, 0.1, g)
	kernel.Axpy(p, float32(-0.5/(math.Sqrt(*s)+1e-8)), m)
}

// together is how many target columns are worked on at once: their part of W
// and of the gradient then stays in the cache.
const together = 4

// gradient writes the gradient of the loss and returns the loss. Every target
// block owns its columns of the gradient, so the bits do not depend on cores.
func (p *Potts) gradient(f *Family, c PottsConfig, grad, fieldGrad []float32) float64 {
	l, width := p.Columns, p.Columns*States
	blocks := (l + together - 1) / together
	losses := make([]float64, blocks)
	scratch := make([]*pottsScratch, min(c.Cores, blocks))
	par.Do(blocks, c.Cores, func(worker, b int) {
		if scratch[worker] == nil {
			scratch[worker] = &pottsScratch{}
		}
		from, to := b*together, min((b+1)*together, l)
		losses[b] = p.block(f, scratch[worker], from, to, grad, fieldGrad)
	})
	loss := 0.0
	for _, x := range losses {
		loss += x
	}
	// What target i says of (j, i) and target j says of (i, j) is about one
	// coupling: their mean, and the regularisation.
	strength := float32(c.Lambda * float64(l-1) * (States - 1))
	const tile = 64
	tiles := (width + tile - 1) / tile
	par.Do(tiles, c.Cores, func(_, r int) {
		for q := 0; q <= r; q++ {
			for x := r * tile; x < min((r+1)*tile, width); x++ {
				for y := q * tile; y < min((q+1)*tile, x+1); y++ {
					g := (grad[x*width+y]+grad[y*width+x])/2 + strength*p.Coupling[x*width+y]
					if x/States == y/States {
						g = 0
					}
					grad[x*width+y], grad[y*width+x] = g, g
				}
			}
		}
	})
	loss += c.Lambda * (kernel.SumSquares(p.Field) + float64(l-1)*(States-1)/2*kernel.SumSquares(p.Coupling))
	kernel.Axpy(fieldGrad, float32(2*c.Lambda), p.Field)
	return loss
}

// pottsScratch is what one worker needs.
type pottsScratch struct {
	slab   []float32 // (L·A, T·A) the part of W, then of the gradient
	logits []float32 // (N, T·A)
}

// block computes the loss of target columns [from, to) and their columns of the
// gradient. The plain loops are, for every sequence n and target column i,
//
//	logit[b] = v[i, b] + Σ_j W[(j, x_nj), (i, b)]
//	d[b] = w_n (softmax(logit)[b] - [b = x_ni])
//	dv[i, b] += d[b]    dW[(j, x_nj), (i, b)] += d[b]
func (p *Potts) block(f *Family, s *pottsScratch, from, to int, grad, fieldGrad []float32) float64 {
	width := p.Columns * States
	wide := (to - from) * States
	s.slab, s.logits = resize(s.slab, width*wide), resize(s.logits, f.Sequences*wide)
	for r := range width {
		copy(s.slab[r*wide:(r+1)*wide], p.Coupling[r*width+from*States:])
	}
	field := p.Field[from*States : to*States]
	dField := fieldGrad[from*States : to*States]
	clear(dField)
	loss := 0.0
	for n := range f.Sequences {
		row := f.row(n)
		out := s.logits[n*wide : (n+1)*wide]
		copy(out, field)
		for j, a := range row {
			r := (j*States + int(a)) * wide
			kernel.Add(out, s.slab[r:r+wide])
		}
		w := f.Weights[n]
		for i := from; i < to; i++ {
			logit := out[(i-from)*States : (i-from+1)*States]
			x := int(row[i])
			top := kernel.Max(logit)
			at := logit[x]
			sum := kernel.ExpSum(logit, 1, top)
			loss += w * (math.Log(float64(sum)) + float64(top-at))
			kernel.Scale(logit, float32(w)/sum)
			logit[x] -= float32(w)
		}
		kernel.Add(dField, out)
	}
	clear(s.slab)
	for n := range f.Sequences {
		d := s.logits[n*wide : (n+1)*wide]
		for j, a := range f.row(n) {
			r := (j*States + int(a)) * wide
			kernel.Add(s.slab[r:r+wide], d)
		}
	}
	for r := range width {
		copy(grad[r*width+from*States:r*width+to*States], s.slab[r*wide:(r+1)*wide])
	}
	return loss
}

func resize(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}

// Scores returns the strength of each pair of columns (L, L): the Frobenius norm
// of its couplings among amino acids, without those of the gap.
func (p *Potts) Scores() []float64 {
	l, width := p.Columns, p.Columns*States
	out := make([]float64, l*l)
	for i := range l {
		for j := range i {
			sum := 0.0
			for a := range States - 1 {
				at := (i*States+a)*width + j*States
				sum += kernel.SumSquares(p.Coupling[at : at+States-1])
			}
			out[i*l+j] = math.Sqrt(sum)
			out[j*l+i] = out[i*l+j]
		}
	}
	return out
}

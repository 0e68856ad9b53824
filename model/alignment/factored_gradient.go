package alignment

import (
	"math"

	"heed/internal/kernel"
	"heed/internal/par"
)

// leaves is the number of parts into which target columns are cut for the
// gradient. Each has sums of its own, which are added in a fixed order, so that
// the bits do not depend on the number of cores.
const leaves = 4

// targets is how many target columns have their weights made at once.
const targets = 4

// factoredWork holds what the gradient of a factored model needs.
type factoredWork struct {
	m     *Factored
	cores int
	leaf  [leaves]factoredLeaf
}

// A factoredLeaf holds the sums of one part of the target columns.
type factoredLeaf struct {
	work    kernel.Work
	weights []float32 // (T, 2H, L)
	change  []float32 // (T, 2H, L) derivative by the weights, then times the weights
	pairs   []float32 // (L, 400) couplings of one target, then their derivative
	logits  []float32 // (|B|, 20)
	query   []float32 // (L, H·d) Σ_j α_ij dα_ij K_j
	key     []float32 // (L, H·d) Σ_i α_ij dα_ij Q_i
	sums    []float32 // (H, L) Σ_j α_ij dα_ij
	value   []float32 // (2H, 400)
	loss    float64
}

func newFactoredWork(m *Factored, cores int) *factoredWork {
	w := &factoredWork{m: m, cores: cores}
	l, h2 := m.Columns, 2*m.Heads
	for i := range w.leaf {
		w.leaf[i] = factoredLeaf{
			weights: make([]float32, targets*h2*l), change: make([]float32, targets*h2*l), pairs: make([]float32, l*pairSize),
			query: make([]float32, len(m.Query.Data)), key: make([]float32, len(m.Key.Data)),
			sums: make([]float32, m.Heads*l), value: make([]float32, h2*pairSize),
		}
	}
	m.Query.Grad, m.Key.Grad = make([]float32, len(m.Query.Data)), make([]float32, len(m.Key.Data))
	m.Value.Grad, m.Field.Grad = make([]float32, len(m.Value.Data)), make([]float32, len(m.Field.Data))
	return w
}

// gradient sets the gradients of the model for a batch of sequences and returns
// the loss, divided by the number of sequences. With g = α·dα, the softmax gives
//
//	dQ_i = Σ_j (g_ij - α_ij s_i) K_j/√d    dK_j = Σ_i (g_ij - α_ij s_i) Q_i/√d    s_i = Σ_j g_ij
//
// whose sums over g are collected while target columns pass by, and the rest
// once all s are known.
func (w *factoredWork) gradient(f *Family, batch []int, lambda float64) float64 {
	m, l := w.m, w.m.Columns
	known := 0
	for _, n := range batch {
		for _, a := range f.row(n) {
			if a < Residues {
				known++
			}
		}
	}
	b := float64(len(batch))
	share := b / float64(f.Sequences) * float64(known)
	pairLambda, fieldLambda := share*lambda*Residues/(2*b), share*lambda/(b*float64(l))
	norms, pairs := m.logNorms(w.cores), m.pairs()
	blocks := (l + targets - 1) / targets
	par.Do(leaves, w.cores, func(_, k int) {
		leaf := &w.leaf[k]
		leaf.loss = 0
		for _, s := range [][]float32{leaf.query, leaf.key, leaf.sums, leaf.value} {
			clear(s)
		}
		for block := k * blocks / leaves; block < (k+1)*blocks/leaves; block++ {
			from, to := block*targets, min((block+1)*targets, l)
			m.weights(&leaf.work, leaf.weights, norms, from, to)
			for j := from; j < to; j++ {
				leaf.target(m, f, batch, pairs, j, j-from, pairLambda)
			}
			leaf.collect(m, from, to)
		}
	})
	loss := fieldLambda * kernel.SumSquares(m.Field.Data)
	kernel.Axpy(m.Field.Grad, float32(2*fieldLambda), m.Field.Data)
	first := &w.leaf[0]
	for k := range w.leaf {
		leaf := &w.leaf[k]
		loss += leaf.loss
		if k > 0 {
			kernel.Add(first.query, leaf.query)
			kernel.Add(first.key, leaf.key)
			kernel.Add(first.sums, leaf.sums)
			kernel.Add(first.value, leaf.value)
		}
	}
	for h := range m.Heads {
		straight, turned := first.value[h*pairSize:], first.value[(m.Heads+h)*pairSize:]
		for a := range Residues {
			for c := range Residues {
				m.Value.Grad[h*pairSize+a*Residues+c] = (straight[a*Residues+c] + turned[c*Residues+a]) / 2
			}
		}
	}
	copy(m.Query.Grad, first.query)
	copy(m.Key.Grad, first.key)
	w.finish(norms, first.sums)
	scale := float32(1 / math.Sqrt(float64(m.Width)))
	kernel.Scale(m.Query.Grad, scale)
	kernel.Scale(m.Key.Grad, scale)
	for _, p := range [][]float32{m.Query.Grad, m.Key.Grad, m.Value.Grad, m.Field.Grad} {
		kernel.Scale(p, float32(1/b))
	}
	return loss / b
}

// target computes the loss of target column j and what follows from it for the
// field, the values and the weights of place t in the block. The plain loops are
// those of Potts.block, with couplings that exist for this column only.
func (leaf *factoredLeaf) target(m *Factored, f *Family, batch []int, pairs []float32, j, t int, lambda float64) {
	l, h2 := m.Columns, 2*m.Heads
	weights := kernel.Matrix(leaf.weights[t*h2*l:(t+1)*h2*l], h2, l)
	values := kernel.Matrix(pairs, h2, pairSize)
	couplings := kernel.Matrix(leaf.pairs, l, pairSize)
	kernel.Mul(&leaf.work, couplings, weights.T(), values, false)
	leaf.logits = resize(leaf.logits, len(batch)*Residues)
	field := m.Field.Data[j*Residues : (j+1)*Residues]
	dField := m.Field.Grad[j*Residues : (j+1)*Residues]
	clear(dField)
	for k, n := range batch {
		row := f.row(n)
		out := leaf.logits[k*Residues : (k+1)*Residues]
		if row[j] >= Residues {
			clear(out)
			continue
		}
		copy(out, field)
		for i, a := range row {
			if a < Residues {
				at := i*pairSize + int(a)*Residues
				kernel.Add(out, leaf.pairs[at:at+Residues])
			}
		}
		x, w := int(row[j]), f.Weights[n]
		top := kernel.Max(out)
		at := out[x]
		sum := kernel.ExpSum(out, 1, top)
		leaf.loss += w * (math.Log(float64(sum)) + float64(top-at))
		kernel.Scale(out, float32(w)/sum)
		out[x] -= float32(w)
		kernel.Add(dField, out)
	}
	leaf.loss += lambda * kernel.SumSquares(leaf.pairs)
	kernel.Scale(leaf.pairs, float32(2*lambda))
	for k, n := range batch {
		row := f.row(n)
		if row[j] >= Residues {
			continue
		}
		d := leaf.logits[k*Residues : (k+1)*Residues]
		for i, a := range row {
			if a < Residues {
				at := i*pairSize + int(a)*Residues
				kernel.Add(leaf.pairs[at:at+Residues], d)
			}
		}
	}
	kernel.Mul(&leaf.work, kernel.Matrix(leaf.value, h2, pairSize), weights, couplings, true)
	kernel.Mul(&leaf.work, kernel.Matrix(leaf.change[t*h2*l:(t+1)*h2*l], h2, l), values, couplings.T(), false)
}

// collect adds what the weights of targets [from, to) tell queries and keys.
func (leaf *factoredLeaf) collect(m *Factored, from, to int) {
	l, h2 := m.Columns, 2*m.Heads
	n := (to - from) * h2 * l
	product(leaf.change[:n], leaf.weights[:n])
	for h := range m.Heads {
		into := kernel.View{Data: leaf.change[h*l:], Rows: to - from, Cols: l, RowStride: h2 * l, ColStride: 1}
		back := kernel.View{Data: leaf.change[(m.Heads+h)*l:], Rows: to - from, Cols: l, RowStride: h2 * l, ColStride: 1}
		kernel.Mul(&leaf.work, m.head(leaf.query, h, 0, l), into.T(), m.head(m.Key.Data, h, from, to), true)
		kernel.Mul(&leaf.work, m.head(leaf.key, h, from, to), into, m.head(m.Query.Data, h, 0, l), true)
		kernel.Mul(&leaf.work, m.head(leaf.query, h, from, to), back, m.head(m.Key.Data, h, 0, l), true)
		kernel.Mul(&leaf.work, m.head(leaf.key, h, 0, l), back.T(), m.head(m.Query.Data, h, from, to), true)
		sums := leaf.sums[h*l : (h+1)*l]
		for j := from; j < to; j++ {
			kernel.Add(sums, into.Data[(j-from)*h2*l:(j-from)*h2*l+l])
			sums[j] += kernel.Sum(back.Data[(j-from)*h2*l : (j-from)*h2*l+l])
		}
	}
}

// product multiplies x by y, element by element.
func product(x, y []float32) {
	for i, v := range y {
		x[i] *= v
	}
}

// finish takes α_ij s_i off the gradients of queries and keys. Heads own their
// columns of both.
func (w *factoredWork) finish(norms, sums []float32) {
	const rows = 64
	m, l := w.m, w.m.Columns
	works, buffers := make([]kernel.Work, w.cores), make([][]float32, w.cores)
	scale := float32(1 / math.Sqrt(float64(m.Width)))
	par.Do(m.Heads, w.cores, func(worker, h int) {
		buffers[worker] = resize(buffers[worker], rows*l)
		for from := 0; from < l; from += rows {
			to := min(from+rows, l)
			a := kernel.Matrix(buffers[worker][:(to-from)*l], to-from, l)
			kernel.Mul(&works[worker], a, m.head(m.Query.Data, h, from, to), m.head(m.Key.Data, h, 0, l).T(), false)
			for i := from; i < to; i++ {
				row := a.Data[(i-from)*l : (i-from+1)*l]
				kernel.ExpSum(row, scale, norms[h*l+i])
				row[i] = 0
				kernel.Scale(row, -sums[h*l+i])
			}
			kernel.Mul(&works[worker], m.head(m.Query.Grad, h, from, to), a, m.head(m.Key.Data, h, 0, l), true)
			kernel.Mul(&works[worker], m.head(m.Key.Grad, h, 0, l), a.T(), m.head(m.Query.Data, h, from, to), true)
		}
	})
}

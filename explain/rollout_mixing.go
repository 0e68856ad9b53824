package explain

import (
	"heed/internal/kernel"
	"heed/internal/par"
	"heed/tensor"
)

// A Mixing says how much of each position after a layer (row) comes from each
// position before it (column). Entries are not negative. [Fuse] and Normalized
// return one whose rows sum to 1, as [Roll] wants.
type Mixing struct {
	Name    string // of the layer
	Length  int    // L
	Weights []float32
}

// Row returns row i (L).
func (m *Mixing) Row(i int) []float32 { return m.Weights[i*m.Length : (i+1)*m.Length] }

// Normalized returns the matrix with each row divided by its sum. A row of zeros
// says that nothing was mixed into the position: it becomes 1 at itself.
func (m *Mixing) Normalized() Mixing {
	out := Mixing{m.Name, m.Length, make([]float32, len(m.Weights))}
	for i := range m.Length {
		normalize(out.Row(i), m.Row(i), i)
	}
	return out
}

// normalize writes row i divided by its sum, which is taken in double
// precision.
func normalize(dst, row []float32, i int) {
	sum := 0.0
	for _, w := range row {
		sum += float64(w)
	}
	if sum == 0 {
		clear(dst)
		dst[i] = 1
		return
	}
	for j, w := range row {
		dst[j] = float32(float64(w) / sum)
	}
}

// back returns v·W in double precision. A core owns columns and adds them in the
// order of the rows, so that the bits do not depend on the number of cores.
func (m *Mixing) back(v []float64) []float64 {
	n := m.Length
	next := make([]float64, n)
	par.Ranges(n, par.Cores(), 16, coresFor(n*n), func(_, lo, hi int) {
		dst := next[lo:hi]
		for i := 0; i < n; i += 4 { // four rows at once: a quarter of the traffic to dst
			var a [4]float64
			copy(a[:], v[i:])
			if a == ([4]float64{}) {
				continue // one row is enough for the first step from [CLS]
			}
			if i+4 > n {
				for r, mass := range v[i:] {
					for j, w := range m.Row(i + r)[lo:hi] {
						dst[j] += mass * float64(w)
					}
				}
				continue
			}
			r0, r1 := m.Row(i)[lo:hi], m.Row(i + 1)[lo:hi]
			r2, r3 := m.Row(i + 2)[lo:hi], m.Row(i + 3)[lo:hi]
			for j := range dst {
				dst[j] += a[0]*float64(r0[j]) + a[1]*float64(r1[j]) + a[2]*float64(r2[j]) + a[3]*float64(r3[j])
			}
		}
	})
	return next
}

// coresFor returns the cores that are worth starting for some number of
// elementary steps: a goroutine takes some microseconds to start.
func coresFor(steps int) int {
	if steps < 1<<16 {
		return 1
	}
	return par.Cores()
}

// FullRollout returns R = W_n · ... · W_1, the rollout of all pairs: what of each
// input (column) could have flowed to each position of the last layer (row).
// O(nL³) time and O(L²) memory; [Roll] answers for one readout in O(nL²).
func FullRollout(layers []Mixing) Mixing {
	if len(layers) == 0 {
		panic("explain: rollout without layers")
	}
	n := layers[0].Length
	r := Mixing{"rollout", n, append([]float32(nil), layers[0].Weights...)}
	next := make([]float32, n*n)
	w := kernel.NewWorkers(par.Cores())
	for l := range layers[1:] {
		m := &layers[1+l]
		tensor.Check("explain.FullRollout: "+m.Name, []int{m.Length, len(m.Weights)}, n, n*n)
		kernel.MulParallel(w, kernel.Matrix(next, n, n), kernel.Matrix(m.Weights, n, n), kernel.Matrix(r.Weights, n, n), nil, false)
		r.Weights, next = next, r.Weights
	}
	return r
}

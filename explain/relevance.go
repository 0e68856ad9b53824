package explain

import "heed/tensor"

// A Relevance follows how the tokens of two modalities, 0 and 1, come to depend
// on one another through self-attention and cross-attention: the rules of
// Chefer, Gur & Wolf 2021, eq. 5 to 11. Feed it the layers of a model in the
// order in which they run; Maps has the answer at any time.
//
// The matrices Ā are those of [WeighHeads] with one [Part] that is not Signed:
// rule 9 divides by sums that must not cancel.
type Relevance struct {
	Lengths [2]int
	// Maps[s][q] (L_s, L_q) is the relevance of the input tokens of modality q to
	// the tokens of s. It begins as the identity for s = q, and as 0 otherwise.
	Maps [2][2][]float64
}

// NewRelevance returns the state before the first layer.
func NewRelevance(length0, length1 int) *Relevance {
	r := &Relevance{Lengths: [2]int{length0, length1}}
	for s, ls := range r.Lengths {
		r.Maps[s][s] = identity(ls)
		r.Maps[s][1-s] = make([]float64, ls*r.Lengths[1-s])
	}
	return r
}

// Self takes a layer of self-attention of modality s, Ā (L_s, L_s), eq. 6, 7:
//
//	R_ss ← R_ss + Ā·R_ss      R_sq ← R_sq + Ā·R_sq
func (r *Relevance) Self(s int, a []float64) {
	n := r.Lengths[s]
	tensor.Check("explain.Relevance.Self", []int{len(a)}, n*n)
	for q, m := range r.Lengths {
		r.Maps[s][q] = plus(r.Maps[s][q], product(a, r.Maps[s][q], n, n, m))
	}
}

// Cross takes a layer in which the tokens of s attend to those of q = 1-s, Ā
// (L_s, L_q), eq. 10, 11:
//
//	R_sq ← R_sq + R̂_ssᵀ·Ā·R̂_qq      R_ss ← R_ss + Ā·R_qs
//
// where R̂ is R with the part that is not the identity scaled to rows that sum
// to 1 (eq. 8, 9): R̂ = (R - I)/row sums + I. A row that is still that of the
// identity stays so.
func (r *Relevance) Cross(s int, a []float64) {
	sq, ss := r.cross(s, a)
	r.Maps[s][1-s] = plus(r.Maps[s][1-s], sq)
	r.Maps[s][s] = plus(r.Maps[s][s], ss)
}

// CoAttention takes a layer in which both modalities attend to one another at
// once, Ā (L_0, L_1) and (L_1, L_0): [Relevance.Cross] of both, computed from
// the state before either.
func (r *Relevance) CoAttention(a01, a10 []float64) {
	sq0, ss0 := r.cross(0, a01)
	sq1, ss1 := r.cross(1, a10)
	r.Maps[0][1], r.Maps[0][0] = plus(r.Maps[0][1], sq0), plus(r.Maps[0][0], ss0)
	r.Maps[1][0], r.Maps[1][1] = plus(r.Maps[1][0], sq1), plus(r.Maps[1][1], ss1)
}

// cross returns what eq. 10 and 11 add to R_sq and R_ss.
func (r *Relevance) cross(s int, a []float64) (sq, ss []float64) {
	q := 1 - s
	n, m := r.Lengths[s], r.Lengths[q]
	tensor.Check("explain.Relevance.Cross", []int{len(a)}, n*m)
	sq = product(a, normalised(r.Maps[q][q], m), n, m, m)
	sq = product(transposed(normalised(r.Maps[s][s], n), n), sq, n, n, m)
	return sq, product(a, r.Maps[q][s], n, m, n)
}

// normalised returns R̂ of R (n, n).
func normalised(r []float64, n int) []float64 {
	out := make([]float64, n*n)
	for i := range n {
		row := out[i*n : (i+1)*n]
		copy(row, r[i*n:])
		row[i]--
		sum := 0.0
		for _, v := range row {
			sum += v
		}
		if sum != 0 {
			for j := range row {
				row[j] /= sum
			}
		}
		row[i]++
	}
	return out
}

func identity(n int) []float64 {
	out := make([]float64, n*n)
	for i := range n {
		out[i*n+i] = 1
	}
	return out
}

// product returns a·b for a (n, k) and b (k, m).
func product(a, b []float64, n, k, m int) []float64 {
	out := make([]float64, n*m)
	for i := range n {
		row := out[i*m : (i+1)*m]
		for l, f := range a[i*k : (i+1)*k] {
			if f == 0 {
				continue
			}
			for j, v := range b[l*m : (l+1)*m] {
				row[j] += f * v
			}
		}
	}
	return out
}

func transposed(a []float64, n int) []float64 {
	out := make([]float64, n*n)
	for i := range n {
		for j := range n {
			out[j*n+i] = a[i*n+j]
		}
	}
	return out
}

// plus adds b to a and returns it.
func plus(a, b []float64) []float64 {
	for i, v := range b {
		a[i] += v
	}
	return a
}

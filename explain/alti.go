package explain

import (
	"math"

	"heed/internal/kernel"
)

// ALTI returns the contributions of the layers of one case (Ferrando et al. 2022),
// rows that sum to 1: how near the vector T_i(x_j) of [Encoder.Norms] comes to
// the whole output y_i = middle_i of the attention block,
//
//	c_ij = max(0, ‖y_i‖₁ - ‖y_i - T_i(x_j)‖₁)     C_ij = c_ij / Σ_k c_ik
//
// y_i is what the block computed, with its output bias; that the vectors and the
// bias sum to it is checked, and an error if they do not. The residual is
// inside T_i(x_i). Through all layers, C_n · ... · C_1, it is [Roll] for one readout
// and [FullRollout] for all, without another identity.
//
// O(L²HD) time for each layer. Vectors of all pairs are never held: for one
// source the vectors to all receivers are one product, (L, H)·(H, D), and O(LD) memory
// for each core.
//
// Compared to norms, ALTI knows in which direction a vector points: one that
// points away from the output gets nothing. What it cannot tell: it has no sign, as
// what opposes the output is cut to 0; it knows no class; the feed-forward layers
// are left out; and the rollout over layers treats contributions as if they
// were fractions of one quantity.
func (e *Encoder) ALTI(c *Case) ([]Mixing, error) {
	return e.contributions(c, (*sources).alti)
}

// ALTI2 is [Encoder.ALTI] with Euclidean distances in place of ‖·‖₁. They follow
// from products, so that no vector of a pair is made at all:
//
//	‖y‖² - ‖y - T‖² = 2·y·T - ‖T‖²
//
// with ‖T‖ from the Gram matrices of [Encoder.Norms] and y_i·T_i(x_j) from one
// product of all outputs with all f_h(x_j): the multiplications are as many, but
// they run as a matrix product. Its map differs from that of ALTI.
func (e *Encoder) ALTI2(c *Case) ([]Mixing, error) {
	return e.contributions(c, (*sources).alti2)
}

func (e *Encoder) contributions(c *Case, of func(*sources) Mixing) ([]Mixing, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	var out []Mixing
	for _, s := range e.trace(c) {
		v, err := e.sources(&s)
		if err != nil {
			return nil, err
		}
		m := of(v)
		out = append(out, m.Normalized())
	}
	return out, nil
}

// alti returns max(0, ‖y_i‖₁ - ‖y_i - T_i(x_j)‖₁).
func (v *sources) alti() Mixing {
	n, d := v.length, v.width
	m := Mixing{v.layer.Name, n, make([]float32, n*n)}
	v.eachBlock(16, func(w *kernel.Work, f []float32, lo, hi int) {
		t := make([]float32, n*d)
		for j := lo; j < hi; j++ {
			own := f[(j-lo)*v.count*d : (j-lo+1)*v.count*d]
			weights := kernel.View{Data: v.weights[j:], Rows: n, Cols: v.count, RowStride: n, ColStride: n * n}
			kernel.Mul(w, kernel.Matrix(t, n, d), weights, kernel.Matrix(own, v.count, d), false)
			kernel.Add(t[j*d:(j+1)*d], v.input[j*d:(j+1)*d])
			for i := range n {
				m.Row(i)[j] = float32(max(0, nearness(v.middle[i*d:(i+1)*d], t[i*d:(i+1)*d])))
			}
		}
	})
	return m
}

// nearness returns ‖y‖₁ - ‖y-t‖₁, summed by differences: the two norms nearly
// cancel where t is small.
func nearness(y, t []float32) float64 {
	var sum [4]float64
	for k, a := range y {
		sum[k&3] += float64(abs(a) - abs(a-t[k]))
	}
	return sum[0] + sum[1] + sum[2] + sum[3]
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

// alti2 returns max(0, ‖y_i‖ - ‖y_i - T_i(x_j)‖).
func (v *sources) alti2() Mixing {
	n, d := v.length, v.width
	norms := v.norms()
	m := Mixing{v.layer.Name, n, make([]float32, n*n)}
	square := make([]float64, n)
	for i := range square {
		square[i] = kernel.SumSquares(v.middle[i*d : (i+1)*d])
	}
	v.eachBlock(16, func(w *kernel.Work, f []float32, lo, hi int) {
		width := (hi - lo) * v.count
		dots := make([]float32, n*width) // y_i·f_h(x_j)
		kernel.Mul(w, kernel.Matrix(dots, n, width), kernel.Matrix(v.middle, n, d), kernel.Matrix(f, width, d).T(), false)
		for i := range n {
			for j := lo; j < hi; j++ {
				dot := 0.0
				for h, p := range dots[i*width+(j-lo)*v.count : i*width+(j-lo+1)*v.count] {
					dot += float64(v.weights[(h*n+i)*n+j]) * float64(p)
				}
				if i == j {
					dot += float64(kernel.Dot(v.middle[i*d:(i+1)*d], v.input[i*d:(i+1)*d]))
				}
				t := float64(norms.Residual.Row(i)[j])
				change := 2*dot - t*t // ‖y‖² - ‖y-t‖²
				if change > 0 {
					m.Row(i)[j] = float32(change / (math.Sqrt(square[i]) + math.Sqrt(max(0, square[i]-change))))
				}
			}
		}
	})
	return m
}

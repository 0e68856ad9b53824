package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// norm64 is layer normalisation in double precision.
func norm64(x, gamma, beta []float64, eps float64) (y []float64, mean, rstd float64) {
	n := float64(len(x))
	var variance float64
	for _, a := range x {
		mean += a / n
	}
	for _, a := range x {
		variance += (a - mean) * (a - mean) / n
	}
	rstd = 1 / math.Sqrt(variance+eps)
	for i, a := range x {
		y = append(y, (a-mean)*rstd*gamma[i]+beta[i])
	}
	return y, mean, rstd
}

func TestLayerNorm(t *testing.T) {
	const rows, eps = 3, 1e-5
	forEach(t, func(t *testing.T) {
		for n := 1; n < 132; n++ {
			r := rand.New(rand.NewPCG(uint64(n), 1))
			v, intact := guarded(6, rows*n, n%3)
			y, x, gamma, beta, mean, rstd := v[0], v[1], v[2][:n], v[3][:n], v[4][:rows], v[5][:rows]
			for _, s := range v[1:] {
				for i := range s {
					s[i] = 1 + float32(r.NormFloat64())
				}
			}
			w := widen(v)
			LayerNorm(y, x, gamma, beta, mean, rstd, eps)
			if !intact() {
				t.Fatalf("n %d: wrote outside of the slices", n)
			}
			for k := range rows {
				want, m, s := norm64(w[1][k*n:(k+1)*n], w[2][:n], w[3][:n], float64(float32(eps)))
				if math.Abs(float64(mean[k])-m) > 16*ulp || math.Abs(float64(rstd[k])/s-1) > 16*ulp && n > 1 {
					t.Fatalf("n %d: mean %v, rstd %v, want %v, %v", n, mean[k], rstd[k], m, s)
				}
				for i := range want {
					if e := math.Abs(float64(y[k*n+i]) - want[i]); !(e <= 16*ulp*(2+math.Abs(want[i]))*max(1, s)) {
						t.Fatalf("n %d: y[%d] is %v, want %v", n, i, y[k*n+i], want[i])
					}
				}
			}
		}
	})
}

// TestLayerNormBack compares the gradients with finite differences of norm64.
func TestLayerNormBack(t *testing.T) {
	const eps, h = 1e-5, 1e-5
	forEach(t, func(t *testing.T) {
		for _, n := range []int{2, 3, 8, 15, 16, 17, 31, 33, 64, 65, 100} {
			r := rand.New(rand.NewPCG(uint64(n), 2))
			v, intact := guarded(6, n, n%3)
			dx, dgamma, dbeta, dy, x, gamma := v[0], v[1], v[2], v[3], v[4], v[5]
			for _, s := range v {
				for i := range s {
					s[i] = float32(r.NormFloat64())
				}
			}
			w := widen(v)
			beta := make([]float64, n)
			loss := func() float64 {
				y, _, _ := norm64(w[4], w[5], beta, eps)
				var s float64
				for i := range y {
					s += y[i] * w[3][i]
				}
				return s
			}
			slope := func(p *float64) float64 {
				at := *p
				*p = at + h
				up := loss()
				*p = at - h
				down := loss()
				*p = at
				return (up - down) / (2 * h)
			}
			_, m, s := norm64(w[4], w[5], beta, eps)
			mean, rstd := []float32{float32(m)}, []float32{float32(s)}
			check := func(what string, got []float32, old, at []float64) {
				t.Helper()
				for i := range got {
					if want := old[i] + slope(&at[i]); math.Abs(float64(got[i])-want) > 1e-5*(1+math.Abs(want))*max(1, s) {
						t.Fatalf("n %d: %s[%d] is %v, want %v", n, what, i, got[i], want)
					}
				}
			}
			LayerNormBack(dx, dgamma, dbeta, dy, x, gamma, mean, rstd, true)
			check("dx, added", dx, w[0], w[4])
			check("dgamma", dgamma, w[1], w[5])
			check("dbeta", dbeta, w[2], beta)
			before := append([]float32(nil), dgamma...)
			LayerNormBack(dx, nil, nil, dy, x, gamma, mean, rstd, false)
			check("dx", dx, beta, w[4])
			LayerNormBack(nil, dgamma, dbeta, dy, x, gamma, mean, rstd, false)
			for i := range dgamma {
				if e := math.Abs(float64(2*before[i]-dgamma[i]) - w[1][i]); e > 1e-5*(1+math.Abs(w[1][i]))*max(1, s) {
					t.Fatalf("n %d: a second call brings dgamma[%d] from %v to %v", n, i, before[i], dgamma[i])
				}
			}
			if !intact() {
				t.Fatalf("n %d: wrote outside of the slices", n)
			}
		}
	})
}

// TestLayerNormSameBits compares the two sets of assembly bit by bit.
func TestLayerNormSameBits(t *testing.T) {
	const rows = 2
	for n := 1; n < 300; n++ {
		in, _ := guarded(4, rows*n, 0)
		r := rand.New(rand.NewPCG(uint64(n), 3))
		for _, s := range in {
			for i := range s {
				s[i] = float32(r.NormFloat64())
			}
		}
		for _, add := range []bool{false, true} {
			sameBits(t, vectorCase{run: func(v [][]float32) []float64 {
				y, mean, rstd := make([]float32, rows*n), make([]float32, rows), make([]float32, rows)
				gamma, dgamma, dbeta := v[2][:n], v[3][:n], v[3][n:]
				LayerNorm(y, v[0], gamma, v[3][:n], mean, rstd, 1e-5)
				LayerNormBack(v[1], dgamma, dbeta, y, v[0], gamma, mean, rstd, add)
				return []float64{float64(mean[0]), float64(rstd[1])}
			}}, in)
		}
	}
}

func TestAddRows(t *testing.T) {
	const rows = 5
	forEach(t, func(t *testing.T) {
		for n := range 70 {
			v, intact := guarded(2, rows*n, 1)
			dst, x := v[0][:n], v[1]
			clear(v[0])
			for i := range x {
				x[i] = float32(i)
			}
			AddRows(dst, x, rows)
			for j := range dst {
				if want := float32(rows*j + n*rows*(rows-1)/2); dst[j] != want {
					t.Fatalf("n %d: dst[%d] is %v, want %v", n, j, dst[j], want)
				}
			}
			if !intact() {
				t.Fatalf("n %d: wrote outside of the slices", n)
			}
		}
	})
}

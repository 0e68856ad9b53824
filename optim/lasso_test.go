package optim

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// At the optimum no derivative of the loss exceeds the penalty, and those of weights
// that are not zero equal it (the conditions of Karush, Kuhn and Tucker).
func TestLassoIsOptimal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n, j = 2000, 30
	x := make([][]float32, j)
	for k := range x {
		x[k] = make([]float32, n)
		for i := range x[k] {
			x[k][i] = float32(r.NormFloat64() * math.Pow(10, -float64(k%4))) // of different scales
		}
	}
	y, s := make([]bool, n), make([]float64, n)
	for i := range y {
		y[i] = r.Float64() < 1/(1+math.Exp(-(-1.5+2*float64(x[0][i])-30*float64(x[1][i]))))
		s[i] = float64(i%3) / 2 // a third is left out
	}
	var first []float64
	for _, c := range []struct {
		cost  float64
		cores int
	}{{0.15, 1}, {0.15, 3}, {0.01, 1}, {5, 1}} {
		w, b, err := Lasso{Cost: c.cost, Tolerance: 1e-12, Cores: c.cores}.Fit(context.Background(), x, y, s)
		if err != nil {
			t.Fatal(err)
		}
		residual := make([]float64, n)
		sum := 0.0
		for i := range residual {
			m := b
			for k := range x {
				m += w[k] * float64(x[k][i])
			}
			residual[i] = s[i] / (1 + math.Exp(-m))
			if y[i] {
				residual[i] -= s[i]
			}
			residual[i] *= c.cost
			sum += residual[i]
		}
		if math.Abs(sum) > 1e-3 {
			t.Errorf("C %v: derivative of the intercept %v", c.cost, sum)
		}
		zero := 0
		for k := range x {
			g := 0.0
			for i, v := range x[k] {
				g += residual[i] * float64(v)
			}
			switch {
			case w[k] == 0 && math.Abs(g) <= 1+1e-3:
				zero++
			case w[k] != 0 && math.Abs(g+math.Copysign(1, w[k])) < 1e-3:
			default:
				t.Errorf("C %v: weight %d is %v, derivative %v", c.cost, k, w[k], g)
			}
		}
		if c.cost == 0.15 && (zero < 5 || w[0] < 0.5 || w[1] > -5) {
			t.Errorf("C %v: %d weights of zero, %v", c.cost, zero, w)
		}
		if c.cores == 3 && !slices.Equal(w, first) {
			t.Error("weights depend on the number of cores")
		}
		first = w
	}
}

func TestLassoOfOneClass(t *testing.T) {
	if _, _, err := (Lasso{Cost: 1}).Fit(context.Background(), [][]float32{{1, 2}}, []bool{true, false}, []float64{1, 0}); err == nil {
		t.Error("fitted one class")
	}
}

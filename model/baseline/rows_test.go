package baseline

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The weights of a logistic model come back from samples of it, missing values
// count as the mean, and the logits are those of the weights.
func TestFitRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) (rows [][]float64, positive []bool) {
		for range n {
			x := []float64{10 + 3*r.NormFloat64(), r.NormFloat64(), 7}
			z := 1.2*(x[0]-10)/3 - 0.8*x[1] - 0.5
			positive = append(positive, r.Float64() < 1/(1+math.Exp(-z)))
			rows = append(rows, x)
		}
		return rows, positive
	}
	rows, positive := draw(20000)
	tune, tunePositive := draw(5000)
	m, err := FitRows(rows, positive, tune, tunePositive)
	if err != nil {
		t.Fatal(err)
	}
	for j, want := range []float64{1.2, -0.8, 0, -0.5} {
		if math.Abs(m.Weights[j]-want) > 0.06 {
			t.Errorf("weight %d is %v, want %v", j, m.Weights[j], want)
		}
	}
	nan := math.NaN()
	z := m.Logits([][]float64{{nan, nan, nan}, {m.Mean[0] + m.SD[0], m.Mean[1], 7}})
	if z[0] != m.Weights[3] || math.Abs(z[1]-z[0]-m.Weights[0]) > 1e-9 {
		t.Errorf("logits %v of weights %v", z, m.Weights)
	}
	if _, err := FitRows(rows, positive[1:], tune, tunePositive); err == nil {
		t.Error("rows and labels of different numbers were accepted")
	}
}

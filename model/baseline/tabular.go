package baseline

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// checkTable reports the first thing that makes a table impossible to learn
// from, and otherwise its width and the number of positives.
func checkTable(x [][]float32, y []bool) (width, positives int, err error) {
	if len(x) != len(y) {
		return 0, 0, fmt.Errorf("baseline: %d rows but %d labels", len(x), len(y))
	}
	for i, row := range x {
		if len(row) != len(x[0]) || len(row) == 0 {
			return 0, 0, fmt.Errorf("baseline: row %d has %d features, want %d", i, len(row), max(1, len(x[0])))
		}
		for f, v := range row {
			if math.IsInf(float64(v), 0) {
				return 0, 0, fmt.Errorf("baseline: row %d, feature %d is infinite", i, f)
			}
		}
		if y[i] {
			positives++
		}
	}
	if positives == 0 || positives == len(y) {
		return 0, 0, errors.New("baseline: two classes are needed, and all rows are of one")
	}
	return len(x[0]), positives, nil
}

// A TableLogistic is a logistic regression of tabular features, standardised
// by the mean and deviation of the training set. A NaN, a missing value, counts
// as the mean. It can be stored as JSON.
type TableLogistic struct {
	Mean   []float64 `json:"mean"`   // (F)
	Scale  []float64 `json:"scale"`  // (F) 1/deviation, 0 for a constant feature
	Weight []float64 `json:"weight"` // (F) of the standardised features
	Bias   float64   `json:"bias"`
	Lambda float64   `json:"lambda"` // L2 penalty, chosen by cross-validation within the training set
}

// FitTableLogistic learns from rows x (n, F) and their labels; both classes
// must occur. The folds of the inner cross-validation are drawn from rng.
func FitTableLogistic(x [][]float32, y []bool, rng *rand.Rand) (*TableLogistic, error) {
	width, _, err := checkTable(x, y)
	if err != nil {
		return nil, err
	}
	l := newTableLogistic(x, width)
	fit, err := fitLinear(l.dense(x), classes(y), 2, rng)
	if err != nil {
		return nil, err
	}
	l.Lambda = fit.lambda
	for f := range width {
		l.Weight[f] = fit.w[1][f] - fit.w[0][f]
	}
	l.Bias = fit.w[1][width] - fit.w[0][width]
	return l, nil
}

// FitTableLogisticTuned is FitTableLogistic with the penalty that has the smallest
// cross-entropy on rows that are kept for that: one fit for each penalty in place of
// one for each fold.
func FitTableLogisticTuned(x [][]float32, y []bool, tune [][]float32, tuneY []bool) (*TableLogistic, error) {
	width, _, err := checkTable(x, y)
	if err != nil {
		return nil, err
	}
	w, _, err := checkTable(tune, tuneY)
	if err != nil {
		return nil, err
	}
	if w != width {
		return nil, fmt.Errorf("baseline: tuning rows of %d features, want %d", w, width)
	}
	l := newTableLogistic(x, width)
	fit := newObjective(l.dense(x), classes(y), upTo(len(x)), 2)
	held := newObjective(l.dense(tune), classes(tuneY), upTo(len(tune)), 2)
	v := make([]float64, len(fit.grad))
	least := math.Inf(1)
	for _, lambda := range lambdas() {
		if err := fit.minimise(v, lambda); err != nil {
			return nil, err
		}
		if loss := held.at(v); loss < least {
			least, l.Lambda = loss, lambda
			for f := range width { // the other class has the negative weights
				l.Weight[f] = 2 * v[f]
			}
			l.Bias = 2 * v[width]
		} else {
			break // weaker ones would fit noise, and take longest
		}
	}
	return l, nil
}

// newTableLogistic returns a regression that knows how to standardise.
func newTableLogistic(x [][]float32, width int) *TableLogistic {
	l := &TableLogistic{Mean: make([]float64, width), Scale: make([]float64, width), Weight: make([]float64, width)}
	for f := range width {
		var n, sum, squares float64
		for _, row := range x {
			if v := float64(row[f]); v == v {
				n++
				sum += v
			}
		}
		if n == 0 {
			continue
		}
		l.Mean[f] = sum / n
		for _, row := range x {
			if v := float64(row[f]); v == v {
				squares += (v - l.Mean[f]) * (v - l.Mean[f])
			}
		}
		if d := math.Sqrt(squares / n); d > 1e-12*math.Abs(l.Mean[f]) {
			l.Scale[f] = 1 / d
		}
	}
	return l
}

func (l *TableLogistic) dense(x [][]float32) dense {
	d := make(dense, len(x))
	for i, row := range x {
		d[i] = make([]float64, len(row))
		l.standardise(d[i], row)
	}
	return d
}

func classes(positive []bool) []int {
	y := make([]int, len(positive))
	for i, p := range positive {
		if p {
			y[i] = 1
		}
	}
	return y
}

func upTo(n int) []int {
	idx := make([]int, n)
	for i := range idx {
		idx[i] = i
	}
	return idx
}

func (l *TableLogistic) standardise(dst []float64, row []float32) {
	for f, v := range row {
		dst[f] = (float64(v) - l.Mean[f]) * l.Scale[f]
		if v != v {
			dst[f] = 0
		}
	}
}

// Predict returns the probability of the positive class for each row of x
// (n, F).
func (l *TableLogistic) Predict(x [][]float32) []float64 {
	p := make([]float64, len(x))
	z := make([]float64, len(l.Weight))
	for i, row := range x {
		l.standardise(z, row)
		s := l.Bias
		for f, v := range z {
			s += v * l.Weight[f]
		}
		p[i] = sigmoid(s)
	}
	return p
}

package baseline

import (
	"fmt"
	"math"
)

// RowLogistic is binary logistic regression on rows of numbers: the floor under
// every model of patients that sees more than a table. Features are standardised
// with mean and deviation of the training rows; NaN stands for a value that is
// missing and counts as the mean, so whoever wants to tell "missing" from "usual"
// gives it a feature of its own.
type RowLogistic struct {
	Lambda  float64   // strength of the L2 penalty that was chosen
	Mean    []float64 // (F)
	SD      []float64 // (F), 1 where the feature does not vary
	Weights []float64 // (F+1), the intercept last
}

// FitRows minimises the mean cross-entropy plus λ/2·|w|² on rows (N, F), for each
// λ of {1, 0.3, 0.1, ..., 0.0001}, and keeps the λ with the smallest
// cross-entropy on the tuning rows.
func FitRows(rows [][]float64, positive []bool, tuneRows [][]float64, tunePositive []bool) (*RowLogistic, error) {
	if len(rows) == 0 || len(rows) != len(positive) || len(tuneRows) == 0 || len(tuneRows) != len(tunePositive) {
		return nil, fmt.Errorf("baseline: %d rows with %d labels, %d tuning rows with %d", len(rows), len(positive), len(tuneRows), len(tunePositive))
	}
	m := &RowLogistic{}
	m.standardise(rows)
	x, xt := m.dense(rows), m.dense(tuneRows)
	fit, held := newObjective(x, classes(positive), upTo(len(rows)), 2), newObjective(xt, classes(tunePositive), upTo(len(tuneRows)), 2)
	w := make([]float64, len(fit.grad))
	least := math.Inf(1)
	for _, lambda := range lambdas() {
		if err := fit.minimise(w, lambda); err != nil {
			return nil, err
		}
		held.lambda, held.w = 0, nil
		if loss := held.at(w); loss < least {
			least, m.Lambda = loss, lambda
			m.Weights = append(m.Weights[:0], w...)
		} else if loss > 1.02*least {
			break // weaker ones fit noise, and take longest
		}
	}
	// Of two classes one has the negative weights of the other, so the logit is
	// twice the score.
	for i := range m.Weights {
		m.Weights[i] *= 2
	}
	return m, nil
}

// Logits returns the logit of each row.
func (m *RowLogistic) Logits(rows [][]float64) []float64 {
	out := make([]float64, len(rows))
	f := len(m.Mean)
	for i, x := range m.dense(rows) {
		out[i] = m.Weights[f]
		for j, v := range x {
			out[i] += m.Weights[j] * v
		}
	}
	return out
}

func (m *RowLogistic) standardise(rows [][]float64) {
	f := len(rows[0])
	m.Mean, m.SD = make([]float64, f), make([]float64, f)
	for j := range f {
		var n, sum, squares float64
		for _, r := range rows {
			if v := r[j]; v == v {
				n++
				sum += v
			}
		}
		m.SD[j] = 1
		if n == 0 {
			continue
		}
		m.Mean[j] = sum / n
		for _, r := range rows {
			if v := r[j]; v == v {
				squares += (v - m.Mean[j]) * (v - m.Mean[j])
			}
		}
		if sd := math.Sqrt(squares / n); sd > 1e-9 {
			m.SD[j] = sd
		}
	}
}

// dense returns the standardised rows, at most 5 deviations from the mean.
func (m *RowLogistic) dense(rows [][]float64) dense {
	x := make(dense, len(rows))
	for i, r := range rows {
		x[i] = make([]float64, len(r))
		for j, v := range r {
			if v == v {
				x[i][j] = max(-5, min(5, (v-m.Mean[j])/m.SD[j]))
			}
		}
	}
	return x
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

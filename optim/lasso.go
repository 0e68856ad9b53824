package optim

import (
	"context"
	"fmt"
	"math"

	"heed/internal/par"
)

// A Lasso is a logistic regression with an L1 penalty (Tibshirani 1996), as
// liblinear states it:
//
//	min  Σ_j |w_j| + C Σ_i s_i log(1 + exp(-y_i (b + Σ_j w_j x_ij)))    y_i = ±1
//
// The intercept b is not penalised. It is found by coordinate descent on quadratic
// models with a line search (newGLMNET, Yuan et al. 2012), which does not mind
// features of different scales.
type Lasso struct {
	Cost      float64 // C, positive
	Tolerance float64 // relative, of the objective; 0 means 1e-7
	Steps     int     // quadratic models at most; 0 means 100
	Cores     int     // 0 stands for 1. Results do not depend on it
}

// Fit returns the weights (J) and the intercept for features x (J, N), the classes
// y (N) and the weights s (N) of the examples, 0 for those left out. It is an error
// if only one class is present, or the optimum is not reached.
func (l Lasso) Fit(ctx context.Context, x [][]float32, y []bool, s []float64) (w []float64, b float64, err error) {
	n := len(y)
	var positive, negative float64
	for i, yes := range y {
		if yes {
			positive += s[i]
		} else {
			negative += s[i]
		}
	}
	if !(positive > 0 && negative > 0) {
		return nil, 0, fmt.Errorf("examples of one class: nothing to tell apart")
	}
	if l.Tolerance == 0 {
		l.Tolerance = 1e-7
	}
	if l.Steps == 0 {
		l.Steps = 100
	}
	b = math.Log(positive / negative)
	f := &lasso{Lasso: l, x: x, y: y, s: s, w: make([]float64, len(x)), b: b, margin: make([]float64, n), bend: make([]float64, n),
		slope: make([]float64, n), move: make([]float64, n), curve: make([]float64, len(x)), goal: make([]float64, len(x))}
	for i := range f.margin {
		f.margin[i] = b
	}
	old := f.objective(0)
	for range l.Steps {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		f.model()
		f.descend()
		// The whole step most often goes down; if not, a part of it does.
		t, now := 1.0, f.objective(1)
		for ; now > old && t > 1e-6; now = f.objective(t) {
			t /= 2
		}
		if now > old {
			return f.w, f.b, nil // no direction goes down in float64
		}
		f.take(t)
		if old-now <= l.Tolerance*math.Abs(now) {
			return f.w, f.b, nil
		}
		old = now
	}
	return nil, 0, fmt.Errorf("logistic regression: not at its optimum after %d steps", l.Steps)
}

// lasso is a fit in progress. margin is b + Xw; goal is the w that the quadratic model
// wants, lean its change of b, and move what both do to the margins.
type lasso struct {
	Lasso
	x              [][]float32
	y              []bool
	s              []float64
	w, goal, curve []float64 // (J)
	b, lean        float64
	margin, move   []float64 // (N)
	slope, bend    []float64 // (N) first derivative of the loss at margin + move, second one at margin
}

// objective is the value after a part t of the step.
func (f *lasso) objective(t float64) float64 {
	sum := 0.0
	for i, m := range f.margin {
		if f.s[i] == 0 {
			continue
		}
		m += t * f.move[i]
		if f.y[i] {
			m = -m
		}
		// log(1+exp(m)) without overflow
		sum += f.s[i] * (max(m, 0) + math.Log1p(math.Exp(-math.Abs(m))))
	}
	sum *= f.Cost
	for j, w := range f.w {
		sum += math.Abs(w + t*(f.goal[j]-w))
	}
	return sum
}

// model makes the quadratic model at the margins.
func (f *lasso) model() {
	copy(f.goal, f.w)
	clear(f.move)
	f.lean = 0
	for i, m := range f.margin {
		p := 1 / (1 + math.Exp(-m))
		f.slope[i], f.bend[i] = f.Cost*f.s[i]*p, f.Cost*f.s[i]*max(p*(1-p), 1e-6)
		if f.y[i] {
			f.slope[i] = -f.Cost * f.s[i] * (1 - p)
		}
	}
	par.Do(len(f.x), max(1, f.Cores), func(_, j int) {
		sum := 1e-12
		for i, v := range f.x[j] {
			sum += f.bend[i] * float64(v) * float64(v)
		}
		f.curve[j] = sum
	})
}

// descend minimises the model: all coordinates once, then those that are not zero
// until they rest.
func (f *lasso) descend() {
	const sweeps = 30
	first := 0.0
	for sweep := range sweeps {
		change := f.intercept()
		for j := range f.x {
			if sweep > 0 && f.goal[j] == 0 {
				continue
			}
			change += f.coordinate(j)
		}
		if sweep == 0 {
			first = change
		} else if change <= 1e-4*first {
			return
		}
	}
}

// coordinate moves one weight, and returns by how much the model went down, about.
func (f *lasso) coordinate(j int) float64 {
	x := f.x[j]
	sum := 0.0
	for i, v := range x {
		sum += f.slope[i] * float64(v)
	}
	h, at := f.curve[j], f.goal[j]
	z := at - sum/h
	to := math.Copysign(max(math.Abs(z)-1/h, 0), z)
	d := to - at
	if d == 0 {
		return 0
	}
	f.goal[j] = to
	for i, v := range x {
		e := d * float64(v)
		f.move[i] += e
		f.slope[i] += f.bend[i] * e
	}
	return h * d * d
}

func (f *lasso) intercept() float64 {
	sum, h := 0.0, 1e-12
	for i, g := range f.slope {
		sum += g
		h += f.bend[i]
	}
	d := -sum / h
	f.lean += d
	for i := range f.move {
		f.move[i] += d
		f.slope[i] += f.bend[i] * d
	}
	return h * d * d
}

// take makes a part of the step. A weight that the model set to zero is exactly so
// after a whole step.
func (f *lasso) take(t float64) {
	for j, to := range f.goal {
		if t < 1 {
			to = f.w[j] + t*(to-f.w[j])
		}
		f.w[j] = to
	}
	f.b += t * f.lean
	for i := range f.margin {
		f.margin[i] += t * f.move[i]
	}
}

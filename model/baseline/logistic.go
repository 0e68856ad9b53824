package baseline

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"

	"heed/data"
	"heed/internal/par"
)

// features is a matrix (n, width) in whatever form is cheap.
type features interface {
	size() (n, width int)
	// dot returns Σ_f x[i, f]·w[f].
	dot(i int, w []float64) float64
	// add computes g[f] += a·x[i, f].
	add(i int, a float64, g []float64)
}

// dense stores every value.
type dense [][]float64

func (d dense) size() (int, int)                  { return len(d), len(d[0]) }
func (d dense) dot(i int, w []float64) float64    { return floats.Dot(d[i], w) }
func (d dense) add(i int, a float64, g []float64) { floats.AddScaled(g, a, d[i]) }

// linear is a fitted multinomial logistic regression: class c has the logit
// w[c]·x + w[c][width].
type linear struct {
	w      [][]float64 // (C, width+1), the intercept last
	lambda float64
}

func (l *linear) logits(x features, i int, out []float64) {
	for c, w := range l.w {
		out[c] = x.dot(i, w[:len(w)-1]) + w[len(w)-1]
	}
}

// predict returns the class probabilities of n rows, (n, C).
func (l *linear) predict(x features, n int) [][]float64 {
	out := matrix(n, len(l.w))
	for i := range out {
		l.logits(x, i, out[i])
		softmax(out[i])
	}
	return out
}

// softmax turns logits into probabilities, in place, and returns the logarithm
// of the sum of their exponentials.
func softmax(z []float64) float64 {
	top := floats.Max(z)
	sum := 0.0
	for c := range z {
		z[c] = math.Exp(z[c] - top)
		sum += z[c]
	}
	for c := range z {
		z[c] /= sum
	}
	return top + math.Log(sum)
}

// lambdas is the grid of regularisation strengths, strongest first, so that
// each fit can start from the one before.
func lambdas() []float64 { return []float64{1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001} }

// innerFolds is the number of folds of the cross-validation that chooses from
// lambdas.
const innerFolds = 5

// fitLinear minimises
//
//	-1/n Σ_i log p(y_i | x_i) + λ/2 Σ_c |w_c|²
//
// in which the intercepts are free, with the λ that chooseLambda finds.
func fitLinear(x features, y []int, classes int, rng *rand.Rand) (*linear, error) {
	lambda, err := chooseLambda(x, y, classes, rng)
	if err != nil {
		return nil, err
	}
	n, width := x.size()
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	o := newObjective(x, y, all, classes)
	w := make([]float64, len(o.grad))
	if err := o.minimise(w, lambda); err != nil {
		return nil, err
	}
	l := &linear{w: matrix(classes, width+1), lambda: lambda}
	for c := range l.w {
		if o.vectors == 1 {
			floats.AddScaled(l.w[c], float64(2*c-1), w)
		} else {
			copy(l.w[c], w[c*(width+1):])
		}
	}
	return l, nil
}

// chooseLambda returns the λ with the smallest loss in a stratified
// cross-validation within the training set. It goes from strong to weak and stops
// when the loss grows: weaker ones would fit noise, and take longest.
func chooseLambda(x features, y []int, classes int, rng *rand.Rand) (float64, error) {
	n, _ := x.size()
	grid := lambdas()
	folds := min(innerFolds, n)
	if folds < 2 {
		return grid[0], nil
	}
	of, err := data.KFold(y, folds, rng)
	if err != nil {
		return 0, fmt.Errorf("baseline: %w", err)
	}
	fit := make([]*objective, folds)
	held := make([]*objective, folds)
	w := make([][]float64, folds)
	for f := range folds {
		train, test := data.Fold(of, f)
		fit[f] = newObjective(x, y, train, classes)
		held[f] = newObjective(x, y, test, classes)
		w[f] = make([]float64, len(fit[f].grad))
	}
	best, least := grid[0], math.Inf(1)
	for _, lambda := range grid {
		loss := 0.0
		for f := range folds {
			if err := fit[f].minimise(w[f], lambda); err != nil {
				return 0, err
			}
			loss += held[f].at(w[f]) * float64(len(held[f].rows))
		}
		if loss >= least {
			break
		}
		best, least = lambda, loss
	}
	return best, nil
}

// An objective is the loss of some rows as a function of the weights
// (vectors, width+1), and its gradient.
type objective struct {
	x       features
	y, rows []int
	lambda  float64

	// There is a vector of weights for each class; but of two classes one has
	// the negative of the other at the minimum, so that w[1] alone is a variable.
	vectors int

	// The sum over rows is cut into pieces whose number depends on that of the
	// rows alone, so that its bits do not depend on the number of cores.
	pieces []piece
	w      []float64 // where loss and grad were last computed; nil if nowhere
	loss   float64
	grad   []float64
}

type piece struct {
	loss    float64
	grad, p []float64
}

func newObjective(x features, y, rows []int, classes int) *objective {
	_, width := x.size()
	o := &objective{x: x, y: y, rows: rows, vectors: classes}
	if classes == 2 {
		o.vectors = 1
	}
	o.grad = make([]float64, o.vectors*(width+1))
	o.pieces = make([]piece, min(16, 1+len(rows)/128))
	for i := range o.pieces {
		o.pieces[i] = piece{grad: make([]float64, len(o.grad)), p: make([]float64, classes)}
	}
	return o
}

// at computes loss and gradient at w unless it was the last place asked for, and
// returns the loss.
//
//	dw[c] = 1/n Σ_i (p_ic - [c = y_i])·x_i + λ·w[c]
func (o *objective) at(w []float64) float64 {
	if o.w != nil && floats.Equal(o.w, w) {
		return o.loss
	}
	o.w = append(o.w[:0], w...)
	_, width := o.x.size()
	norm := 1 / float64(len(o.rows))
	par.Do(len(o.pieces), par.Cores(), func(_, task int) {
		q := &o.pieces[task]
		q.loss = 0
		clear(q.grad)
		for _, i := range o.rows[task*len(o.rows)/len(o.pieces) : (task+1)*len(o.rows)/len(o.pieces)] {
			for c := range o.vectors {
				v := w[c*(width+1):][:width+1]
				q.p[c] = o.x.dot(i, v[:width]) + v[width]
			}
			if o.vectors == 1 {
				q.p[1] = q.p[0]
				q.p[0] = -q.p[1]
			}
			truth := q.p[o.y[i]]
			q.loss += softmax(q.p) - truth
			q.p[o.y[i]]--
			if o.vectors == 1 {
				q.p[0] = q.p[1] - q.p[0]
			}
			for c, d := range q.p[:o.vectors] {
				g := q.grad[c*(width+1):][:width+1]
				o.x.add(i, d*norm, g[:width])
				g[width] += d * norm
			}
		}
	})
	o.loss = 0
	clear(o.grad)
	for i := range o.pieces {
		o.loss += o.pieces[i].loss * norm
		floats.Add(o.grad, o.pieces[i].grad)
	}
	lambda := o.lambda
	if o.vectors == 1 {
		lambda *= 2 // the penalty of both classes
	}
	for c := range o.vectors {
		v := w[c*(width+1):][:width]
		o.loss += lambda / 2 * floats.Dot(v, v)
		floats.AddScaled(o.grad[c*(width+1):][:width], lambda, v)
	}
	return o.loss
}

// minimise moves w to the minimum by L-BFGS (Liu & Nocedal 1989).
func (o *objective) minimise(w []float64, lambda float64) error {
	o.lambda, o.w = lambda, nil
	problem := optimize.Problem{
		Func: o.at,
		Grad: func(grad, w []float64) {
			o.at(w)
			copy(grad, o.grad)
		},
	}
	settings := &optimize.Settings{
		GradientThreshold: 1e-4, // far below what one example in a thousand can change
		MajorIterations:   500,
		Converger:         &optimize.FunctionConverge{Relative: 1e-6, Iterations: 3},
	}
	result, err := optimize.Minimize(problem, w, settings, &optimize.LBFGS{Linesearcher: &optimize.MoreThuente{}})
	// At the limit of precision the line search finds nothing better and says
	// so; the best place so far is then the answer.
	if result == nil || math.IsNaN(result.F) || math.IsInf(result.F, 0) {
		return fmt.Errorf("baseline: logistic regression: %w", err)
	}
	copy(w, result.X)
	return nil
}

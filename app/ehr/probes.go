package ehr

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"heed/format/meds"
	"heed/metric"
)

// A ridge is a logistic regression with a small penalty, fitted by Newton's method
// (iteratively reweighted least squares) on standardised features.
type ridge struct {
	mean, scale []float64
	w           []float64 // the intercept last
}

// fitRidge minimises Σ log loss + ½·penalty·|w|², the intercept free. x is (n, f).
func fitRidge(x [][]float64, y []bool, penalty float64) *ridge {
	f := len(x[0])
	r := &ridge{mean: make([]float64, f), scale: make([]float64, f), w: make([]float64, f+1)}
	for k := range f {
		for i := range x {
			r.mean[k] += x[i][k] / float64(len(x))
		}
		for i := range x {
			d := x[i][k] - r.mean[k]
			r.scale[k] += d * d / float64(len(x))
		}
		if r.scale[k] = math.Sqrt(r.scale[k]); r.scale[k] < 1e-9 {
			r.scale[k] = math.Inf(1) // a constant says nothing
		}
	}
	z := make([]float64, f+1)
	grad := mat.NewVecDense(f+1, nil)
	hess := mat.NewSymDense(f+1, nil)
	step := mat.NewVecDense(f+1, nil)
	for range 25 {
		grad.Zero()
		hess.Zero()
		for i := range x {
			r.standard(x[i], z)
			p := 1 / (1 + math.Exp(-r.logit(z)))
			d := p
			if y[i] {
				d -= 1
			}
			for k := range z {
				grad.SetVec(k, grad.AtVec(k)+d*z[k])
			}
			hess.SymRankOne(hess, math.Max(p*(1-p), 1e-6), mat.NewVecDense(f+1, z))
		}
		for k := range f {
			grad.SetVec(k, grad.AtVec(k)+penalty*r.w[k])
			hess.SetSym(k, k, hess.At(k, k)+penalty)
		}
		var c mat.Cholesky
		if !c.Factorize(hess) || c.SolveVecTo(step, grad) != nil {
			return r
		}
		size := 0.0
		for k := range r.w {
			s := step.AtVec(k)
			s = max(-5, min(5, s)) // far from the optimum a full step may overshoot
			r.w[k] -= s
			size = max(size, math.Abs(s))
		}
		if size < 1e-6 {
			break
		}
	}
	return r
}

func (r *ridge) standard(x, z []float64) {
	for k := range x {
		z[k] = (x[k] - r.mean[k]) / r.scale[k]
	}
	z[len(x)] = 1
}

func (r *ridge) logit(z []float64) float64 {
	sum := 0.0
	for k := range z {
		sum += r.w[k] * z[k]
	}
	return sum
}

func (r *ridge) scores(x [][]float64) []float64 {
	z := make([]float64, len(r.w))
	out := make([]float64, len(x))
	for i := range x {
		r.standard(x[i], z)
		out[i] = r.logit(z)
	}
	return out
}

// probes fits the models that should know nothing, or little, on the training split
// and scores them on the others.
func (a *auditor) probes() []Probe {
	divide := splitByHash(a.opt.Seed+2, Shares{Train: 0.7})
	var fit, test []*example
	for i := range a.examples {
		e := &a.examples[i]
		split := e.split
		if split == "" {
			split = divide(e.subject)
		}
		if split == meds.Train {
			fit = append(fit, e)
		} else {
			test = append(test, e)
		}
	}
	codes := a.common(fit)
	bag := func(k int) func(*example) []float64 {
		return func(e *example) []float64 {
			x := make([]float64, len(codes))
			for i, c := range codes {
				x[i] = e.bags[k][c]
			}
			return x
		}
	}
	out := []Probe{
		a.probe("metadata only", "age, sex, hour, weekend, month, year", fit, test, func(e *example) []float64 { return e.meta }, nil),
		a.probe("counts only", "how many events, how recent, on how many days, over which time", fit, test, func(e *example) []float64 { return e.counts }, nil),
		a.probe("bag of codes", "counts of the 100 commonest codes up to the time of prediction", fit, test, bag(0), nil),
		a.probe("bag of codes, a day earlier", "the same model; what came in the last 24 hours is hidden from it", fit, test, bag(0), bag(1)),
		a.probe("bag of codes, a day later", "placebo: the same model sees the 24 hours after the prediction", fit, test, bag(0), bag(2)),
	}
	return out
}

// common returns the codes that most examples have.
func (a *auditor) common(fit []*example) []int32 {
	n := map[int32]int{}
	for _, e := range fit {
		for c := range e.bags[0] {
			n[c]++
		}
	}
	var codes []int32
	for c := range n {
		codes = append(codes, c)
	}
	slices.SortFunc(codes, func(x, y int32) int {
		if d := cmp.Compare(n[y], n[x]); d != 0 {
			return d
		}
		return cmp.Compare(a.vocab.Code(x), a.vocab.Code(y))
	})
	return codes[:min(len(codes), bagCodes)]
}

// probe fits features on one part and scores them, or others in their place, on the
// rest. Where a part lacks a class, the score is NaN.
func (a *auditor) probe(name, what string, fit, test []*example, features, other func(*example) []float64) Probe {
	if other == nil {
		other = features
	}
	nan := metric.Interval{Estimate: math.NaN(), Low: math.NaN(), High: math.NaN()}
	p := Probe{Name: name, What: what, AUROC: nan, N: len(test), Score: [3]float64{-1, -1, -1}}
	if !bothClasses(fit) || !bothClasses(test) || len(features(fit[0])) == 0 {
		return p
	}
	x, y := matrixOf(fit, features)
	m := fitRidge(x, y, 1)
	x, y = matrixOf(test, other)
	b, err := metric.NewBinary(m.scores(x), y)
	if err != nil {
		return p
	}
	cluster := make([]int, len(test))
	number := map[int64]int{}
	for i, e := range test {
		if _, ok := number[e.subject]; !ok {
			number[e.subject] = len(number)
		}
		cluster[i] = number[e.subject]
	}
	p.AUROC = metric.BootstrapClusters(a.rng(), cluster, a.opt.Resamples, func(idx []int) float64 { return b.Resample(idx).AUROC() })
	p.Score = [3]float64{p.AUROC.Estimate, p.AUROC.Low, p.AUROC.High}
	for i, s := range p.Score {
		if math.IsNaN(s) {
			p.Score[i] = -1
		}
	}
	return p
}

func bothClasses(e []*example) bool {
	pos := 0
	for _, x := range e {
		if x.positive {
			pos++
		}
	}
	return pos > 0 && pos < len(e)
}

func matrixOf(e []*example, features func(*example) []float64) ([][]float64, []bool) {
	x, y := make([][]float64, len(e)), make([]bool, len(e))
	for i := range e {
		x[i], y[i] = features(e[i]), e[i].positive
	}
	return x, y
}

// auroc is the score of one number, of whichever sign. Of few patients it would say
// more about them than about the labels: it is NaN then.
func (a *auditor) auroc(of func(*example) float64) float64 {
	if a.positives < smallCell || a.negatives < smallCell {
		return math.NaN()
	}
	var s []float64
	var y []bool
	for i := range a.examples {
		s, y = append(s, of(&a.examples[i])), append(y, a.examples[i].positive)
	}
	b, err := metric.NewBinary(s, y)
	if err != nil {
		return math.NaN()
	}
	return math.Max(b.AUROC(), 1-b.AUROC())
}

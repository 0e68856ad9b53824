package ehr

import (
	"cmp"
	"math"
	"math/rand/v2"
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

// A probeModel is a ridge with what it looks at.
type probeModel struct {
	ridge    *ridge // nil if the part to fit on lacks a class
	features func(*example) []float64
}

// probes fits the models that should know nothing, or little, on the training split
// and scores them on the others, or on held_out alone.
func (a *auditor) probes() []Probe {
	divide := splitByHash(a.opt.Seed+2, Shares{Train: 0.7})
	var fit, test []*example
	for i := range a.examples {
		e := &a.examples[i]
		split := e.split
		if split == "" {
			split = divide(e.subject)
		}
		switch {
		case split == meds.Train:
			fit = append(fit, e)
		case split == meds.HeldOut || !a.opt.HeldOutOnly:
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
	meta := fitProbe(fit, func(e *example) []float64 { return e.meta })
	counts := fitProbe(fit, func(e *example) []float64 { return e.counts })
	now := fitProbe(fit, bag(0))
	earlier, later := probeModel{now.ridge, bag(1)}, probeModel{now.ridge, bag(2)}
	return []Probe{
		meta.try("metadata only", "age, sex, hour, weekend, month, year", test),
		counts.try("counts only", "how many events, how recent, on how many days, over which time", test),
		now.try("bag of codes", "counts of the 100 commonest codes up to the time of prediction", test),
		earlier.try("bag of codes, a day earlier", "the same model; what came in the last 24 hours is hidden from it", test),
		later.try("bag of codes, a day later", "placebo: the same model sees the 24 hours after the prediction", test),
	}
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

// fitProbe fits a model of features.
func fitProbe(fit []*example, features func(*example) []float64) probeModel {
	m := probeModel{features: features}
	if bothClasses(fit) && len(features(fit[0])) > 0 {
		x, y := matrixOf(fit, features)
		m.ridge = fitRidge(x, y, 1)
	}
	return m
}

// try scores examples.
func (m *probeModel) try(name, what string, test []*example) Probe {
	p := Probe{Name: name, What: what}
	if m.ridge == nil || len(test) == 0 {
		return p
	}
	x, y := matrixOf(test, m.features)
	p.logits, p.positive = m.ridge.scores(x), y
	for _, e := range test {
		p.subjects = append(p.subjects, e.subject)
	}
	p.Folds = []float64{known(p.auroc())}
	return p
}

// auroc is NaN where the examples lack a class.
func (p *Probe) auroc() float64 {
	b, err := metric.NewBinary(p.logits, p.positive)
	if err != nil {
		return math.NaN()
	}
	return b.AUROC()
}

// pool adds the examples that the same probe of another fold was scored on.
func (p *Probe) pool(q Probe) {
	p.logits, p.positive, p.subjects = append(p.logits, q.logits...), append(p.positive, q.positive...), append(p.subjects, q.subjects...)
	p.Folds = append(p.Folds, q.Folds...)
}

// measure scores what was pooled, with an interval that resamples patients.
func (p *Probe) measure(rng *rand.Rand, resamples int) {
	nan := math.NaN()
	p.N, p.AUROC = len(p.logits), metric.Interval{Estimate: nan, Low: nan, High: nan}
	if b, err := metric.NewBinary(p.logits, p.positive); err == nil && b.Positives() > 0 && b.Positives() < b.N() {
		cluster := make([]int, p.N)
		number := map[int64]int{}
		for i, id := range p.subjects {
			if _, ok := number[id]; !ok {
				number[id] = len(number)
			}
			cluster[i] = number[id]
		}
		p.AUROC = metric.BootstrapClusters(rng, cluster, resamples, func(idx []int) float64 { return b.Resample(idx).AUROC() })
	}
	p.Score = [3]float64{known(p.AUROC.Estimate), known(p.AUROC.Low), known(p.AUROC.High)}
	if len(p.Folds) < 2 {
		p.Folds = nil
	}
}

// known writes NaN as -1, since JSON has none.
func known(x float64) float64 {
	if math.IsNaN(x) {
		return -1
	}
	return x
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

package metric

import "math"

// LogLoss returns the mean of -log p over examples, p being the probability
// that the scores give to what is true; a probability below 1e-15 counts as
// that. It is NaN without examples or when a score is not in [0, 1].
func (b *Binary) LogLoss() float64 {
	if !b.probabilities() {
		return math.NaN()
	}
	var sum float64
	for i, p := range b.scores {
		if !b.positive[i] {
			p = 1 - p
		}
		sum -= math.Log(max(p, 1e-15))
	}
	return sum / float64(b.N())
}

// A Recalibration is the logistic regression of labels on the logits of
// predicted probabilities (Cox 1958):
//
//	P(positive) = sigmoid(Intercept + Slope·logit(p))
//
// Slope is 1 and Intercept 0 where probabilities are right. A slope below 1 means
// that they are too extreme, as after overfitting. Large is the intercept with
// the slope held at 1, "calibration in the large": above 0 where probabilities
// are too low on the whole.
type Recalibration struct {
	Slope, Intercept, Large float64
}

// Recalibrate fits a Recalibration by maximum likelihood. Probabilities of 0 and
// 1 count as 1e-6 away from there. All is NaN when a class is absent, a score is
// not in [0, 1] or, as to Slope and Intercept, all scores are equal or separate
// the classes.
func (b *Binary) Recalibrate() Recalibration {
	nan := math.NaN()
	r := Recalibration{nan, nan, nan}
	if !b.probabilities() || b.Positives() == 0 || b.Positives() == b.N() {
		return r
	}
	z := make([]float64, b.N())
	for i, p := range b.scores {
		p = min(max(p, 1e-6), 1-1e-6)
		z[i] = math.Log(p / (1 - p))
	}
	if a := b.AUROC(); a < 1 && a > 0 {
		r.Intercept, r.Slope = b.logistic(z, true)
	}
	r.Large, _ = b.logistic(z, false)
	return r
}

// logistic minimises the log-loss of sigmoid(a + s·z) by Newton's method, with s
// held at 1 unless slope is set. The loss is convex; a step that makes it worse
// is halved.
func (b *Binary) logistic(z []float64, slope bool) (a, s float64) {
	s = 1
	loss := func(a, s float64) (sum float64) {
		for i, x := range z {
			x = a + s*x
			if b.positive[i] {
				x = -x
			}
			sum += max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
		}
		return sum
	}
	now := loss(a, s)
	for range 100 {
		var ga, gs, haa, has, hss float64
		for i, x := range z {
			p := 1 / (1 + math.Exp(-(a + s*x)))
			w, d := p*(1-p), p
			if b.positive[i] {
				d--
			}
			ga, gs = ga+d, gs+d*x
			haa, has, hss = haa+w, has+w*x, hss+w*x*x
		}
		da, ds := -ga/haa, 0.0
		if slope {
			det := haa*hss - has*has
			if !(det > 1e-12*haa*hss) { // all scores are equal
				return math.NaN(), math.NaN()
			}
			da, ds = -(hss*ga-has*gs)/det, -(haa*gs-has*ga)/det
		}
		f := 1.0
		for ; f > 1e-9; f /= 2 {
			if next := loss(a+f*da, s+f*ds); next <= now {
				a, s, now = a+f*da, s+f*ds, next
				break
			}
		}
		if f <= 1e-9 || math.Abs(f*da)+math.Abs(f*ds) < 1e-10 {
			break
		}
	}
	return a, s
}

// NetBenefit returns that of treating whoever has a probability of at least
// threshold (Vickers & Elkin 2006),
//
//	TP/n - FP/n·threshold/(1-threshold)
//
// in units of true positives. To treat nobody has the benefit 0, and to treat all
// what [Binary.NetBenefitOfAll] says. It is NaN without examples or when
// threshold is not in [0, 1).
func (b *Binary) NetBenefit(threshold float64) float64 {
	c := b.Confusion(threshold)
	return netBenefit(c.TP, c.FP, b.N(), threshold)
}

// NetBenefitOfAll returns the net benefit of treating everybody.
func (b *Binary) NetBenefitOfAll(threshold float64) float64 {
	return netBenefit(b.Positives(), b.N()-b.Positives(), b.N(), threshold)
}

func netBenefit(tp, fp, n int, threshold float64) float64 {
	if n == 0 || !(threshold >= 0 && threshold < 1) {
		return math.NaN()
	}
	return (float64(tp) - float64(fp)*threshold/(1-threshold)) / float64(n)
}

// ThresholdAt returns the smallest threshold that reaches a specificity, the
// operating point of [Binary.SensitivityAt]: to be chosen on one set of examples
// and applied to another. It is NaN when a class is absent.
func (b *Binary) ThresholdAt(specificity float64) float64 {
	negatives := b.N() - b.Positives()
	if negatives == 0 || b.Positives() == 0 {
		return math.NaN()
	}
	// Positive is what scores at least the threshold, so it must lie above all but
	// a share of the negatives.
	allowed := int(float64(negatives)*(1-specificity) + 1e-9)
	over := 0
	for i, s := range b.scores { // the largest first
		if b.positive[i] {
			continue
		}
		if over++; over > allowed {
			return math.Nextafter(s, math.Inf(1))
		}
	}
	return b.scores[b.N()-1]
}

// Temperature returns the T that minimises the log-loss of sigmoid(logit/T) for
// the logits and labels of examples that the model was not trained on (Guo et
// al. 2017). It lies between 0.05 and 20, and is 1 when a class is absent.
func Temperature(logits []float64, positive []bool) float64 {
	count := 0
	for _, p := range positive {
		if p {
			count++
		}
	}
	if len(logits) != len(positive) || count == 0 || count == len(positive) {
		return 1
	}
	loss := func(logT float64) (sum float64) {
		for i, x := range logits {
			x *= math.Exp(-logT)
			if positive[i] {
				x = -x
			}
			sum += max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
		}
		return sum
	}
	// The loss is convex in 1/T, so it has one minimum along log T.
	const golden = 0.6180339887498949
	lo, hi := math.Log(0.05), math.Log(20)
	a, c := hi-golden*(hi-lo), lo+golden*(hi-lo)
	fa, fc := loss(a), loss(c)
	for hi-lo > 1e-6 {
		if fa <= fc {
			hi, c, fc = c, a, fa
			a = hi - golden*(hi-lo)
			fa = loss(a)
		} else {
			lo, a, fa = a, c, fc
			c = lo + golden*(hi-lo)
			fc = loss(c)
		}
	}
	return math.Exp((lo + hi) / 2)
}

// Platt returns the slope and the intercept that minimise the log-loss of
// sigmoid(intercept + slope·logit) for the logits and labels of examples that the
// model was not trained on (Platt 1999): a temperature of 1/slope and a shift, which
// a temperature alone lacks where the classes are not equally frequent. They are 1 and
// 0 when a class is absent or no finite optimum with a positive slope exists.
func Platt(logits []float64, positive []bool) (slope, intercept float64) {
	b, err := NewBinary(logits, positive)
	if err != nil || b.Positives() == 0 || b.Positives() == b.N() {
		return 1, 0
	}
	if a := b.AUROC(); a >= 1 || a <= 0 {
		return 1, 0
	}
	if intercept, slope = b.logistic(b.scores, true); !(slope > 0) || math.IsInf(slope, 1) {
		return 1, 0
	}
	return slope, intercept
}

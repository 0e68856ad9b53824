package metric

import (
	"fmt"
	"math"
	"slices"
)

// Binary holds the scores and labels of n examples of two classes, sorted by
// score. A larger score means "more positive"; only Brier, ECE and Reliability
// need scores that are probabilities.
type Binary struct {
	scores   []float64 // (n), descending
	positive []bool    // (n), label of each score
	place    []int     // (n), place of the caller's example i in scores
	p        int       // number of positives
}

// NewBinary sorts a copy of scores (n) and labels (n). It fails when the
// lengths differ or a score is NaN. Infinite scores are allowed, zero examples
// too.
func NewBinary(scores []float64, positive []bool) (*Binary, error) {
	if len(scores) != len(positive) {
		return nil, fmt.Errorf("metric: %d scores but %d labels", len(scores), len(positive))
	}
	order := make([]int, len(scores))
	for i, s := range scores {
		if math.IsNaN(s) {
			return nil, fmt.Errorf("metric: score %d of %d is NaN", i, len(scores))
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	b := newSorted(len(scores))
	for at, i := range order {
		b.set(at, i, scores[i], positive[i])
	}
	return b, nil
}

func newSorted(n int) *Binary {
	return &Binary{scores: make([]float64, n), positive: make([]bool, n), place: make([]int, n)}
}

func (b *Binary) set(at, example int, score float64, positive bool) {
	b.scores[at], b.positive[at], b.place[example] = score, positive, at
	if positive {
		b.p++
	}
}

// Resample returns the examples idx, each as often as it occurs there, as a
// Binary whose example j is example idx[j] of b. It is meant for bootstraps:
// the order is inherited, so that the cost is linear.
func (b *Binary) Resample(idx []int) *Binary {
	// A counting sort by place: start[at] is where copies of the example at
	// that place begin.
	start := make([]int, len(b.scores)+1)
	for _, i := range idx {
		start[b.place[i]+1]++
	}
	for at := range b.scores {
		start[at+1] += start[at]
	}
	r := newSorted(len(idx))
	for j, i := range idx {
		from := b.place[i]
		r.set(start[from], j, b.scores[from], b.positive[from])
		start[from]++
	}
	return r
}

// N returns the number of examples.
func (b *Binary) N() int { return len(b.scores) }

// Positives returns the number of positive examples.
func (b *Binary) Positives() int { return b.p }

// Prevalence returns the share of positives: the AUPRC of a score that knows
// nothing, to be printed beside every AUPRC. It is NaN without examples.
func (b *Binary) Prevalence() float64 { return ratio(b.p, b.N()) }

// Confusion counts the decisions of the rule "positive when score >=
// threshold".
func (b *Binary) Confusion(threshold float64) Confusion {
	var c Confusion
	for i, s := range b.scores {
		switch called := s >= threshold; {
		case called && b.positive[i]:
			c.TP++
		case called:
			c.FP++
		case b.positive[i]:
			c.FN++
		default:
			c.TN++
		}
	}
	return c
}

// steps calls f once for each distinct score, from the largest down, with the
// counts of the rule "positive when score >= s" and the next smaller score
// (-Inf at the end). Examples that share a score are one step.
func (b *Binary) steps(f func(s, next float64, c Confusion)) {
	n := b.N()
	c := Confusion{FN: b.p, TN: n - b.p}
	for i := 0; i < n; {
		s := b.scores[i]
		for ; i < n && b.scores[i] == s; i++ {
			if b.positive[i] {
				c.TP, c.FN = c.TP+1, c.FN-1
			} else {
				c.FP, c.TN = c.FP+1, c.TN-1
			}
		}
		next := math.Inf(-1)
		if i < n {
			next = b.scores[i]
		}
		f(s, next, c)
	}
}

// AUROC returns the area under the ROC curve: the probability that a random
// positive scores above a random negative, ties counting one half (the
// statistic of Mann and Whitney with mid-ranks). The count is exact. It is NaN
// when a class is absent.
func (b *Binary) AUROC() float64 {
	var twice, tp, fp int // twice the number of ordered pairs
	b.steps(func(_, _ float64, c Confusion) {
		// The negatives of this step lie below tp earlier positives and tie
		// with those of the step itself.
		twice += (c.FP - fp) * (tp + c.TP)
		tp, fp = c.TP, c.FP
	})
	return ratio(twice, 2*b.p*(b.N()-b.p))
}

// AUPRC returns the area under the precision-recall curve as average
// precision, the sum over thresholds of (R_k - R_k-1)·P_k, without
// interpolation; tied scores are one threshold. Compare it with Prevalence. It
// is NaN without positives.
func (b *Binary) AUPRC() float64 {
	if b.p == 0 {
		return math.NaN()
	}
	area, tp := 0.0, 0
	b.steps(func(_, _ float64, c Confusion) {
		area += float64(c.TP-tp) * c.Precision()
		tp = c.TP
	})
	return area / float64(b.p)
}

// ROCPoint is one point of a ROC curve.
type ROCPoint struct {
	Threshold float64 // positive when score >= Threshold
	FPR, TPR  float64 // 1 - specificity, sensitivity
}

// ROC returns the curve from (0, 0) at threshold +Inf to (1, 1), one point for
// each distinct score. It is nil when a class is absent.
func (b *Binary) ROC() []ROCPoint {
	if b.p == 0 || b.p == b.N() {
		return nil
	}
	curve := []ROCPoint{{Threshold: math.Inf(1)}}
	b.steps(func(s, _ float64, c Confusion) {
		curve = append(curve, ROCPoint{s, ratio(c.FP, c.FP+c.TN), c.Sn()})
	})
	return curve
}

// TPRAt reads the ROC curve at given false positive rates, linear between
// points and the upper end where the curve rises vertically: the way to average
// curves or to put a band around one. It returns nil when a class is absent.
func (b *Binary) TPRAt(fpr []float64) []float64 {
	curve := b.ROC()
	if curve == nil {
		return nil
	}
	out := make([]float64, len(fpr))
	for i, x := range fpr {
		// k is the first point right of x; the one before it is the highest
		// at or left of x.
		k, _ := slices.BinarySearchFunc(curve, x, func(p ROCPoint, x float64) int {
			if p.FPR > x {
				return 1
			}
			return -1
		})
		switch {
		case k == 0:
			out[i] = 0
		case k == len(curve):
			out[i] = 1
		default:
			l, r := curve[k-1], curve[k]
			out[i] = l.TPR + (r.TPR-l.TPR)*(x-l.FPR)/(r.FPR-l.FPR)
		}
	}
	return out
}

// PRPoint is one point of a precision-recall curve.
type PRPoint struct {
	Threshold         float64 // positive when score >= Threshold
	Recall, Precision float64
}

// PR returns the precision-recall curve by falling threshold, one point for
// each distinct score; the last has recall 1 and the prevalence as precision.
// It is nil without positives.
func (b *Binary) PR() []PRPoint {
	if b.p == 0 {
		return nil
	}
	var curve []PRPoint
	b.steps(func(s, _ float64, c Confusion) {
		curve = append(curve, PRPoint{s, c.Sn(), c.Precision()})
	})
	return curve
}

// SensitivityAt returns the largest sensitivity that any threshold reaches with
// at least the given specificity. It is NaN when a class is absent.
func (b *Binary) SensitivityAt(specificity float64) float64 {
	if b.p == 0 || b.p == b.N() {
		return math.NaN()
	}
	best := 0.0
	b.steps(func(_, _ float64, c Confusion) {
		if c.Sp() >= specificity {
			best = c.Sn()
		}
	})
	return best
}

// BestThreshold returns the threshold with the largest MCC, and that MCC. To
// be honest, call it on validation data and apply the threshold to others. It
// lies midway between two neighbouring scores; of several equally good ones the
// largest is returned. Both are NaN when a class is absent.
func (b *Binary) BestThreshold() (threshold, mcc float64) {
	if b.p == 0 || b.p == b.N() {
		return math.NaN(), math.NaN()
	}
	mcc = math.Inf(-1)
	b.steps(func(s, next float64, c Confusion) {
		m := c.MCC()
		if m <= mcc {
			return
		}
		mcc = m
		threshold = next + (s-next)/2
		if !(threshold > next && threshold <= s) { // neighbours, or infinite
			threshold = s
		}
	})
	return threshold, mcc
}

// probabilities reports whether all scores lie in [0, 1].
func (b *Binary) probabilities() bool {
	return b.N() > 0 && b.scores[0] <= 1 && b.scores[b.N()-1] >= 0
}

// Brier returns the mean squared difference between score and label (1 or 0).
// It is NaN without examples or when a score is not in [0, 1].
func (b *Binary) Brier() float64 {
	if !b.probabilities() {
		return math.NaN()
	}
	sum := 0.0
	for i, s := range b.scores {
		if b.positive[i] {
			s--
		}
		sum += s * s
	}
	return sum / float64(b.N())
}

// ECEBins is the number of bins of ECE.
const ECEBins = 15

// ReliabilityBin compares scores with outcomes in one range of scores.
type ReliabilityBin struct {
	Low, High float64  // scores in [Low, High), the last bin includes 1
	N         int      // examples
	MeanScore float64  // NaN when the bin is empty
	Fraction  Interval // share of positives with its Wilson interval
}

// Reliability sorts the scores into bins of equal width over [0, 1], (bins).
// It is nil when a score is not in [0, 1], without examples or without bins.
func (b *Binary) Reliability(bins int) []ReliabilityBin {
	if !b.probabilities() || bins < 1 {
		return nil
	}
	out := make([]ReliabilityBin, bins)
	positives := make([]int, bins)
	for i, s := range b.scores {
		k := min(int(s*float64(bins)), bins-1)
		out[k].N++
		out[k].MeanScore += s
		if b.positive[i] {
			positives[k]++
		}
	}
	for k := range out {
		bin := &out[k]
		bin.Low, bin.High = float64(k)/float64(bins), float64(k+1)/float64(bins)
		bin.MeanScore /= float64(bin.N) // 0/0 is the NaN of an empty bin
		bin.Fraction = Wilson(positives[k], bin.N)
	}
	return out
}

// ECE returns the expected calibration error of the probability of the
// positive class,
//
//	sum over bins of n_k/n · |mean score_k - share of positives_k|,
//
// with ECEBins bins of equal width over [0, 1]. This is the form for a binary
// score; Guo et al. (2017) bin the confidence of the predicted class instead. It
// is NaN without examples or when a score is not in [0, 1].
func (b *Binary) ECE() float64 {
	bins := b.Reliability(ECEBins)
	if bins == nil {
		return math.NaN()
	}
	sum := 0.0
	for _, k := range bins {
		if k.N > 0 {
			sum += float64(k.N) * math.Abs(k.MeanScore-k.Fraction.Estimate)
		}
	}
	return sum / float64(b.N())
}

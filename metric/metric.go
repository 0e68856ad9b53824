// Package metric measures predictions: how well scores separate two classes,
// how well probabilities are calibrated, how often classes are confused, and
// how far any of these numbers can be trusted.
//
// In flow plain slices, one element for each example: scores and labels for
// two classes (NewBinary), true and predicted class numbers for several
// (NewConfusionMatrix), two series for a correlation (Pearson, Spearman), scores
// of pairs of positions and what a structure says of them (RankContacts). Out
// flow numbers, curve points and intervals (Bootstrap, Wilson). The package
// knows no model, no file and no figure.
//
// Two rules hold throughout. Input that cannot be measured (lengths that
// differ, a NaN among the scores) is an error when the value is built. A
// statistic that does not exist for valid input, such as AUROC when only one
// class is present, is NaN: it is never guessed and never a panic. The
// exception is the Matthews correlation, which is 0 by definition when a
// margin of the table is empty.
package metric

import (
	"fmt"
	"math"
)

// Confusion counts the outcomes of one binary decision rule.
type Confusion struct {
	TP, FP, TN, FN int
}

// N returns the number of examples.
func (c Confusion) N() int { return c.TP + c.FP + c.TN + c.FN }

// Errors returns the number of wrong decisions.
func (c Confusion) Errors() int { return c.FP + c.FN }

// Sn returns the sensitivity (recall, true positive rate) TP/(TP+FN). It is
// NaN without positives.
func (c Confusion) Sn() float64 { return ratio(c.TP, c.TP+c.FN) }

// Sp returns the specificity (true negative rate) TN/(TN+FP). It is NaN
// without negatives.
func (c Confusion) Sp() float64 { return ratio(c.TN, c.TN+c.FP) }

// Precision returns the positive predictive value TP/(TP+FP). It is NaN when
// nothing was called positive.
func (c Confusion) Precision() float64 { return ratio(c.TP, c.TP+c.FP) }

// Accuracy returns the share of right decisions. It is NaN without examples.
func (c Confusion) Accuracy() float64 { return ratio(c.TP+c.TN, c.N()) }

// F1 returns the harmonic mean of precision and sensitivity,
// 2TP/(2TP+FP+FN). It is NaN when there is neither a positive nor a positive
// call.
func (c Confusion) F1() float64 { return ratio(2*c.TP, 2*c.TP+c.FP+c.FN) }

// MCC returns the correlation coefficient of Matthews (1975), the CC of the
// promoter literature:
//
//	(TP·TN - FP·FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN))
//
// It is 0 when one of the four margins is empty.
func (c Confusion) MCC() float64 {
	tp, fp, tn, fn := float64(c.TP), float64(c.FP), float64(c.TN), float64(c.FN)
	// Each root is taken apart so that the product of four margins cannot
	// overflow or lose the small ones.
	d := math.Sqrt((tp+fp)*(tp+fn)) * math.Sqrt((tn+fp)*(tn+fn))
	if d == 0 {
		return 0
	}
	return (tp*tn - fp*fn) / d
}

// ConfusionMatrix counts, for C classes, how often an example of the class of
// the row was predicted as the class of the column: (C, C).
type ConfusionMatrix [][]int

// NewConfusionMatrix counts pairs of true and predicted class numbers in
// [0, classes).
func NewConfusionMatrix(truth, predicted []int, classes int) (ConfusionMatrix, error) {
	if classes < 1 {
		return nil, fmt.Errorf("metric: %d classes", classes)
	}
	if len(truth) != len(predicted) {
		return nil, fmt.Errorf("metric: %d true classes but %d predicted", len(truth), len(predicted))
	}
	m := make(ConfusionMatrix, classes)
	for i := range m {
		m[i] = make([]int, classes)
	}
	for i, t := range truth {
		p := predicted[i]
		if t < 0 || t >= classes {
			return nil, fmt.Errorf("metric: true class %d of example %d is not in [0, %d)", t, i, classes)
		}
		if p < 0 || p >= classes {
			return nil, fmt.Errorf("metric: predicted class %d of example %d is not in [0, %d)", p, i, classes)
		}
		m[t][p]++
	}
	return m, nil
}

// margins returns the number of examples, of right predictions, and the sums
// of rows (true) and columns (predicted).
func (m ConfusionMatrix) margins() (n, right int, truth, predicted []int) {
	truth, predicted = make([]int, len(m)), make([]int, len(m))
	for t, row := range m {
		for p, k := range row {
			n += k
			truth[t] += k
			predicted[p] += k
		}
		right += row[t]
	}
	return n, right, truth, predicted
}

// N returns the number of examples.
func (m ConfusionMatrix) N() int {
	n, _, _, _ := m.margins()
	return n
}

// Accuracy returns the share of right predictions, NaN without examples.
func (m ConfusionMatrix) Accuracy() float64 {
	n, right, _, _ := m.margins()
	return ratio(right, n)
}

// MCC returns the correlation coefficient R_K of Gorodkin (2004, Comput. Biol.
// Chem. 28:367), which is the Matthews correlation when C = 2. It is 0 when
// all examples are of one class or all are predicted as one class.
func (m ConfusionMatrix) MCC() float64 {
	n, right, truth, predicted := m.margins()
	s := float64(n)
	var tp, tt, pp float64
	for k := range m {
		t, p := float64(truth[k]), float64(predicted[k])
		tp += t * p
		tt += t * t
		pp += p * p
	}
	d := math.Sqrt(s*s-pp) * math.Sqrt(s*s-tt)
	if d == 0 {
		return 0
	}
	return (float64(right)*s - tp) / d
}

// ClassScore describes one class against all others.
type ClassScore struct {
	Support       int     // examples of the class
	Predicted     int     // examples predicted as the class
	Sn, Precision float64 // NaN when Support or Predicted is 0
	F1            float64 // NaN when both are 0
	Error         float64 // share of the class predicted as something else, 1 - Sn
}

// PerClass returns the scores of each class, (C).
func (m ConfusionMatrix) PerClass() []ClassScore {
	_, _, truth, predicted := m.margins()
	out := make([]ClassScore, len(m))
	for k := range m {
		c := Confusion{TP: m[k][k], FN: truth[k] - m[k][k], FP: predicted[k] - m[k][k]}
		out[k] = ClassScore{
			Support: truth[k], Predicted: predicted[k],
			Sn: c.Sn(), Precision: c.Precision(), F1: c.F1(),
			Error: ratio(c.FN, truth[k]),
		}
	}
	return out
}

// MacroF1 returns the mean of F1 over the classes that occur among the true or
// the predicted ones. It is NaN without examples.
func (m ConfusionMatrix) MacroF1() float64 {
	sum, n := 0.0, 0
	for _, c := range m.PerClass() {
		if !math.IsNaN(c.F1) {
			sum += c.F1
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// ratio returns a/b, NaN when b is 0.
func ratio(a, b int) float64 {
	if b == 0 {
		return math.NaN()
	}
	return float64(a) / float64(b)
}

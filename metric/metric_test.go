package metric

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// golden mirrors testdata/golden.json, written by testdata/gen.py.
type golden struct {
	Binary []struct {
		Scores    []float64
		Labels    []int
		Confusion [4]int // TP FP TN FN at 0.5
		Sn        float64
		Sp        float64
		Precision float64
		Accuracy  float64
		F1        float64
		MCC       float64
		AUROC     float64
		AUPRC     float64
		Brier     float64
		ECE       float64
		ROCFPR    []float64 `json:"roc_fpr"`
		ROCTPR    []float64 `json:"roc_tpr"`
		ROCThr    []float64 `json:"roc_thr"`
		PRRecall  []float64 `json:"pr_recall"`
		PRPrec    []float64 `json:"pr_precision"`
		PRThr     []float64 `json:"pr_thr"`
		SnAtSp90  float64   `json:"sn_at_sp90"`
		BestMCC   float64   `json:"best_mcc"`
	}
	Multi []struct {
		Truth, Predicted []int
		Classes          int
		Matrix           [][]int
		Accuracy         float64
		MacroF1          float64 `json:"macro_f1"`
		MCC              float64
		Recall           []float64
		Precision        []float64
		F1               []float64
	}
	Pairs []struct {
		X, Y              []float64
		Pearson, Spearman float64
	}
	Wilson []struct {
		K, N      int
		Low, High float64
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func near(t *testing.T, name string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12) {
		t.Errorf("%s = %v, want %v", name, got, want)
	}
}

func nearAll(t *testing.T, name string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d values, want %d", name, len(got), len(want))
		return
	}
	for i := range got {
		near(t, name, got[i], want[i])
	}
}

func bools(labels []int) []bool {
	out := make([]bool, len(labels))
	for i, l := range labels {
		out[i] = l == 1
	}
	return out
}

func newBinary(t *testing.T, scores []float64, positive []bool) *Binary {
	t.Helper()
	b, err := NewBinary(scores, positive)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBinaryAgainstScikitLearn(t *testing.T) {
	g := readGolden(t)
	if len(g.Binary) < 4 {
		t.Fatal("golden.json has lost its binary cases")
	}
	for _, g := range g.Binary {
		b := newBinary(t, g.Scores, bools(g.Labels))
		c := b.Confusion(0.5)
		if want := (Confusion{g.Confusion[0], g.Confusion[1], g.Confusion[2], g.Confusion[3]}); c != want {
			t.Errorf("Confusion(0.5) = %+v, want %+v", c, want)
		}
		near(t, "Sn", c.Sn(), g.Sn)
		near(t, "Sp", c.Sp(), g.Sp)
		near(t, "Precision", c.Precision(), g.Precision)
		near(t, "Accuracy", c.Accuracy(), g.Accuracy)
		near(t, "F1", c.F1(), g.F1)
		near(t, "MCC", c.MCC(), g.MCC)
		near(t, "AUROC", b.AUROC(), g.AUROC)
		near(t, "AUPRC", b.AUPRC(), g.AUPRC)
		near(t, "Brier", b.Brier(), g.Brier)
		near(t, "ECE", b.ECE(), g.ECE)
		near(t, "SensitivityAt(0.9)", b.SensitivityAt(0.9), g.SnAtSp90)
		threshold, mcc := b.BestThreshold()
		near(t, "best MCC", mcc, g.BestMCC)
		near(t, "MCC at the best threshold", b.Confusion(threshold).MCC(), mcc)

		var fpr, tpr, thr []float64
		for _, p := range b.ROC() {
			fpr, tpr, thr = append(fpr, p.FPR), append(tpr, p.TPR), append(thr, p.Threshold)
		}
		nearAll(t, "ROC FPR", fpr, g.ROCFPR)
		nearAll(t, "ROC TPR", tpr, g.ROCTPR)
		nearAll(t, "ROC thresholds", thr[1:], g.ROCThr)
		var rec, prec []float64
		thr = nil
		for _, p := range b.PR() {
			rec, prec, thr = append(rec, p.Recall), append(prec, p.Precision), append(thr, p.Threshold)
		}
		nearAll(t, "PR recall", rec, g.PRRecall)
		nearAll(t, "PR precision", prec, g.PRPrec)
		nearAll(t, "PR thresholds", thr, g.PRThr)
	}
}

func TestMultiClassAgainstScikitLearn(t *testing.T) {
	g := readGolden(t)
	for _, g := range g.Multi {
		m, err := NewConfusionMatrix(g.Truth, g.Predicted, g.Classes)
		if err != nil {
			t.Fatal(err)
		}
		for i := range m {
			if !slices.Equal(m[i], g.Matrix[i]) {
				t.Errorf("row %d = %v, want %v", i, m[i], g.Matrix[i])
			}
		}
		near(t, "Accuracy", m.Accuracy(), g.Accuracy)
		near(t, "MacroF1", m.MacroF1(), g.MacroF1)
		near(t, "MCC", m.MCC(), g.MCC)
		for k, c := range m.PerClass() {
			near(t, "Sn", c.Sn, g.Recall[k])
			near(t, "Error", c.Error, 1-g.Recall[k])
			near(t, "Precision", c.Precision, g.Precision[k])
			near(t, "F1", c.F1, g.F1[k])
		}
		if g.Classes == 2 {
			c := Confusion{TP: m[1][1], FP: m[0][1], TN: m[0][0], FN: m[1][0]}
			near(t, "R_K for two classes", m.MCC(), c.MCC())
		}
	}
}

func TestCorrelationAgainstSciPy(t *testing.T) {
	g := readGolden(t)
	for _, g := range g.Pairs {
		r, err := Pearson(g.X, g.Y)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "Pearson", r, g.Pearson)
		r, err = Spearman(g.X, g.Y)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "Spearman", r, g.Spearman)
	}
}

func TestWilsonAgainstSciPy(t *testing.T) {
	g := readGolden(t)
	for _, g := range g.Wilson {
		w := Wilson(g.K, g.N)
		near(t, "Low", w.Low, g.Low)
		near(t, "High", w.High, g.High)
		near(t, "Estimate", w.Estimate, float64(g.K)/float64(g.N))
	}
	for _, bad := range [][2]int{{0, 0}, {-1, 3}, {4, 3}} {
		if w := Wilson(bad[0], bad[1]); !math.IsNaN(w.Low) || !math.IsNaN(w.High) || !math.IsNaN(w.Estimate) {
			t.Errorf("Wilson(%d, %d) = %+v, want NaN", bad[0], bad[1], w)
		}
	}
}

func TestErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		call func() error
		want string
	}{
		{func() error { _, err := NewBinary([]float64{1, 2}, []bool{true}); return err }, "metric: 2 scores but 1 labels"},
		{func() error { _, err := NewBinary([]float64{1, nan}, []bool{true, false}); return err }, "metric: score 1 of 2 is NaN"},
		{func() error { _, err := NewConfusionMatrix([]int{0}, []int{0}, 0); return err }, "metric: 0 classes"},
		{func() error { _, err := NewConfusionMatrix([]int{0}, nil, 2); return err }, "metric: 1 true classes but 0 predicted"},
		{func() error { _, err := NewConfusionMatrix([]int{0, 2}, []int{0, 0}, 2); return err }, "metric: true class 2 of example 1 is not in [0, 2)"},
		{func() error { _, err := NewConfusionMatrix([]int{0, 1}, []int{-1, 0}, 2); return err }, "metric: predicted class -1 of example 0 is not in [0, 2)"},
		{func() error { _, err := Pearson([]float64{1}, nil); return err }, "metric: series of 1 and of 0 values"},
		{func() error { _, err := Spearman([]float64{1, 2}, []float64{nan, 2}); return err }, "metric: pair 0 of 2 has a NaN"},
	} {
		err := c.call()
		if err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// TestUndefined pins down what is said when a statistic does not exist.
func TestUndefined(t *testing.T) {
	isNaN := func(name string, v float64) {
		t.Helper()
		if !math.IsNaN(v) {
			t.Errorf("%s = %v, want NaN", name, v)
		}
	}
	for _, positive := range [][]bool{{}, {true, true}, {false, false}} {
		b := newBinary(t, []float64{0.2, 0.8}[:len(positive)], positive)
		isNaN("AUROC", b.AUROC())
		isNaN("SensitivityAt", b.SensitivityAt(0.9))
		threshold, mcc := b.BestThreshold()
		isNaN("threshold", threshold)
		isNaN("best MCC", mcc)
		if b.ROC() != nil || b.TPRAt([]float64{0.5}) != nil {
			t.Error("a ROC curve of one class")
		}
		if c := b.Confusion(0.5); c.MCC() != 0 {
			t.Errorf("MCC of one class = %v, want 0", c.MCC())
		}
	}
	negative := newBinary(t, []float64{1, 2}, []bool{false, false})
	isNaN("AUPRC without positives", negative.AUPRC())
	isNaN("Brier of a score of 2", negative.Brier())
	isNaN("ECE of a score of 2", negative.ECE())
	if negative.PR() != nil || negative.Reliability(10) != nil {
		t.Error("curves without positives or probabilities")
	}
	empty := newBinary(t, nil, nil)
	isNaN("prevalence of nothing", empty.Prevalence())
	isNaN("ECE of nothing", empty.ECE())
	isNaN("Brier of nothing", empty.Brier())
	isNaN("Sn without positives", Confusion{TN: 1}.Sn())
	isNaN("Sp without negatives", Confusion{TP: 1}.Sp())
	isNaN("precision without calls", Confusion{TN: 1, FN: 1}.Precision())
	isNaN("F1 of true negatives", Confusion{TN: 1}.F1())
	if m := (Confusion{TP: 5, FP: 5}).MCC(); m != 0 {
		t.Errorf("MCC with an empty margin = %v, want 0", m)
	}
	one, err := NewConfusionMatrix([]int{1, 1}, []int{1, 1}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if m := one.MCC(); m != 0 {
		t.Errorf("R_K of one class = %v, want 0", m)
	}
	if f := one.MacroF1(); f != 1 {
		t.Errorf("macro F1 of the one class present = %v, want 1", f)
	}
	none, err := NewConfusionMatrix(nil, nil, 2)
	if err != nil {
		t.Fatal(err)
	}
	isNaN("accuracy of nothing", none.Accuracy())
	isNaN("macro F1 of nothing", none.MacroF1())
	for _, y := range [][]float64{{1, 1, 1}, {0.1, 0.1, 0.1}} {
		r, err := Spearman([]float64{1, 2, 3}, y)
		if err != nil {
			t.Fatal(err)
		}
		isNaN("correlation with a constant", r)
	}
}

func TestAUROCExtremes(t *testing.T) {
	for _, c := range []struct {
		scores   []float64
		positive []bool
		want     float64
	}{
		{[]float64{1, 2, 3, 4}, []bool{false, false, true, true}, 1},
		{[]float64{4, 3, 2, 1}, []bool{false, false, true, true}, 0},
		{[]float64{5, 5, 5, 5}, []bool{false, true, false, true}, 0.5},
		{[]float64{math.Inf(-1), 0, math.Inf(1), math.Inf(1)}, []bool{false, true, true, false}, 0.625},
	} {
		b := newBinary(t, c.scores, c.positive)
		if got := b.AUROC(); got != c.want {
			t.Errorf("AUROC(%v, %v) = %v, want %v", c.scores, c.positive, got, c.want)
		}
		if threshold, _ := b.BestThreshold(); math.IsNaN(threshold) {
			t.Errorf("BestThreshold of %v is NaN", c.scores)
		}
	}
}

func TestBestThresholdLiesBetweenScores(t *testing.T) {
	b := newBinary(t, []float64{0.1, 0.2, 0.6, 0.9}, []bool{false, false, true, true})
	threshold, mcc := b.BestThreshold()
	near(t, "threshold", threshold, 0.4)
	near(t, "MCC", mcc, 1)
	// Between neighbouring floats there is nothing.
	x := math.Nextafter(0.5, 1)
	b = newBinary(t, []float64{0.5, x}, []bool{false, true})
	if threshold, _ = b.BestThreshold(); threshold != x {
		t.Errorf("threshold between neighbours = %v, want %v", threshold, x)
	}
}

func TestTPRAt(t *testing.T) {
	b := newBinary(t, []float64{4, 3, 2, 1}, []bool{true, false, true, false})
	got := b.TPRAt([]float64{0, 0.25, 0.5, 0.75, 1})
	nearAll(t, "TPRAt", got, []float64{0.5, 0.5, 1, 1, 1})
	b = newBinary(t, []float64{5, 5, 5, 5}, []bool{true, false, true, false})
	nearAll(t, "TPRAt of a diagonal", b.TPRAt([]float64{0, 0.25, 1}), []float64{0, 0.25, 1})
}

func TestReliability(t *testing.T) {
	b := newBinary(t, []float64{0, 0.1, 0.5, 0.9, 1}, []bool{false, true, true, true, true})
	bins := b.Reliability(2)
	if bins[0].N != 2 || bins[1].N != 3 {
		t.Fatalf("bins hold %d and %d, want 2 and 3", bins[0].N, bins[1].N)
	}
	near(t, "mean score", bins[0].MeanScore, 0.05)
	near(t, "fraction", bins[0].Fraction.Estimate, 0.5)
	near(t, "mean score", bins[1].MeanScore, 0.8)
	near(t, "fraction", bins[1].Fraction.Estimate, 1)
}

// TestResample compares a linear-time resample with building it afresh.
func TestResample(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	scores, positive := make([]float64, 50), make([]bool, 50)
	for i := range scores {
		scores[i], positive[i] = float64(rng.IntN(10))/10, rng.IntN(3) == 0
	}
	b := newBinary(t, scores, positive)
	for range 20 {
		idx := make([]int, rng.IntN(80))
		var s []float64
		var p []bool
		for j := range idx {
			i := rng.IntN(50)
			idx[j] = i
			s, p = append(s, scores[i]), append(p, positive[i])
		}
		got, want := b.Resample(idx), newBinary(t, s, p)
		if !slices.Equal(got.scores, want.scores) || got.p != want.p || got.Confusion(0.5) != want.Confusion(0.5) {
			t.Fatal("a resample differs from the same examples built afresh")
		}
		for j := range idx {
			if at := got.place[j]; got.scores[at] != s[j] || got.positive[at] != p[j] {
				t.Fatalf("example %d of the resample is not example %d of the original", j, idx[j])
			}
		}
	}
}

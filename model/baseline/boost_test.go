package baseline

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"heed/metric"
)

func seeded() *rand.Rand { return rand.New(rand.NewPCG(7, 9)) }

// xorTable has a label that no single feature tells: whether two of them have
// one sign. A third one is noise.
func xorTable(n int, r *rand.Rand) (x [][]float32, y []bool) {
	for range n {
		row := []float32{float32(r.NormFloat64()), float32(r.NormFloat64()), float32(r.NormFloat64())}
		x, y = append(x, row), append(y, row[0] > 0 == (row[1] > 0))
	}
	return x, y
}

func tableAUROC(t *testing.T, p []float64, y []bool) float64 {
	t.Helper()
	b, err := metric.NewBinary(p, y)
	if err != nil {
		t.Fatal(err)
	}
	return b.AUROC()
}

// Trees learn an interaction that a logistic regression cannot, and say which
// features matter.
func TestBoostLearnsAnInteraction(t *testing.T) {
	r := seeded()
	x, y := xorTable(1500, r)
	unseen, truth := xorTable(800, r)
	b, err := FitBoost(x, y, BoostConfig{Rounds: 100, Rate: 0.1}, r)
	if err != nil {
		t.Fatal(err)
	}
	if a := tableAUROC(t, b.Predict(unseen), truth); a < 0.97 {
		t.Errorf("AUROC of trees %.3f, want .97 or more", a)
	}
	if b.Gain[0] < 3*b.Gain[2] || b.Gain[1] < 3*b.Gain[2] {
		t.Errorf("gains %v: the third feature is noise", b.Gain)
	}
	l, err := FitTableLogistic(x, y, r)
	if err != nil {
		t.Fatal(err)
	}
	if a := tableAUROC(t, l.Predict(unseen), truth); a > 0.6 {
		t.Errorf("AUROC of a logistic regression %.3f on a pure interaction", a)
	}
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var again Boost
	if err := json.Unmarshal(text, &again); err != nil || !slices.Equal(again.Predict(unseen), b.Predict(unseen)) {
		t.Errorf("stored as JSON and read again, predictions differ (error %v)", err)
	}
}

// One split on a step has the values that Newton's method gives by hand.
func TestBoostOfOneSplit(t *testing.T) {
	x := [][]float32{{1}, {1}, {1}, {1}, {3}, {3}, {3}, {3}}
	y := []bool{false, false, false, true, true, true, true, false}
	b, err := FitBoost(x, y, BoostConfig{Rounds: 1, Rate: 0.5, Depth: 3, Rows: 1, Columns: 1, Lambda: 2, MinLeaf: 0.5}, seeded())
	if err != nil {
		t.Fatal(err)
	}
	// p = 1/2: the gradients of the left side sum to +1, its hessians to 1.
	want := BoostTree{{Feature: 0, Limit: 2, Left: 1, Right: 2}, {Value: -0.5 / 3}, {Value: 0.5 / 3}}
	if !slices.Equal(b.Trees[0], want) || b.Base != 0 {
		t.Errorf("tree %+v, base %v; want %+v and 0", b.Trees[0], b.Base, want)
	}
	if gain := 1.0 / 3; math.Abs(b.Gain[0]-gain) > 1e-12 {
		t.Errorf("gain %v, want %v", b.Gain[0], gain)
	}
}

// A missing value can be the signal, on either side of a split or alone.
func TestBoostMissingValues(t *testing.T) {
	nan := float32(math.NaN())
	r := seeded()
	for _, missing := range []bool{true, false} {
		var x [][]float32
		var y []bool
		for i := range 400 {
			v := float32(r.NormFloat64())
			if i%4 == 0 {
				v = nan
			}
			x, y = append(x, []float32{v}), append(y, (v != v) == missing)
		}
		b, err := FitBoost(x, y, BoostConfig{Rounds: 30, Rate: 0.3}, seeded())
		if err != nil {
			t.Fatal(err)
		}
		if a := tableAUROC(t, b.Predict(x), y); a != 1 {
			t.Errorf("AUROC %v of the label 'missing is %v'", a, missing)
		}
		// High values and missing ones alike.
		for i := range x {
			y[i] = x[i][0] != x[i][0] || x[i][0] > 0.5
		}
		if b, err = FitBoost(x, y, BoostConfig{Rounds: 30, Rate: 0.3}, seeded()); err != nil {
			t.Fatal(err)
		}
		if a := tableAUROC(t, b.Predict(x), y); a != 1 {
			t.Errorf("AUROC %v of the label 'high or missing'", a)
		}
	}
}

// More values than bins: a threshold is still found to within a bin.
func TestBoostManyValues(t *testing.T) {
	r := seeded()
	var x [][]float32
	var y []bool
	for range 4000 {
		v := float32(math.Exp(3 * r.NormFloat64()))
		x, y = append(x, []float32{v}), append(y, v > 2.5)
	}
	b, err := FitBoost(x, y, BoostConfig{Rounds: 40, Depth: 2, Rate: 0.3}, r)
	if err != nil {
		t.Fatal(err)
	}
	if a := tableAUROC(t, b.Predict(x), y); a < 0.999 {
		t.Errorf("AUROC %v of a threshold among 4000 values", a)
	}
	// Values that are nearly all equal keep the others apart.
	rare := make([]float32, 1000)
	for i := range 300 {
		rare[999-i] = float32(1 + i)
	}
	slices.Sort(rare)
	if limits := binLimits(rare); len(limits) < 50 || limits[0] < 0 || limits[0] >= 1 || !slices.IsSorted(limits) {
		t.Errorf("limits %v", limits)
	}
}

// Validation keeps the trees up to the least loss, and labels of pure noise
// none, or few.
func TestBoostStopsEarly(t *testing.T) {
	r := seeded()
	x, y := xorTable(400, r)
	v, vy := xorTable(400, r)
	for i := range y {
		y[i], vy[i] = r.IntN(2) == 0, r.IntN(2) == 0
	}
	b, err := FitBoost(x, y, BoostConfig{Rounds: 500, Valid: v, ValidY: vy}, r)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Trees) > 40 {
		t.Errorf("%d trees for noise", len(b.Trees))
	}
}

func TestBoostDoesNotDependOnCores(t *testing.T) {
	x, y := xorTable(500, seeded())
	var first []float64
	for _, cores := range []int{1, 2, 5} {
		before := runtime.GOMAXPROCS(cores)
		b, err := FitBoost(x, y, BoostConfig{Rounds: 20}, seeded())
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if p := b.Predict(x); first == nil {
			first = p
		} else if !slices.Equal(p, first) {
			t.Errorf("%d cores give other probabilities", cores)
		}
	}
}

func TestTableErrors(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		x    [][]float32
		y    []bool
		cfg  BoostConfig
		want string
	}{
		{[][]float32{{1}}, []bool{true, false}, BoostConfig{}, "baseline: 1 rows but 2 labels"},
		{[][]float32{{1}, {1, 2}}, []bool{true, false}, BoostConfig{}, "baseline: row 1 has 2 features, want 1"},
		{[][]float32{{}, {}}, []bool{true, false}, BoostConfig{}, "baseline: row 0 has 0 features, want 1"},
		{[][]float32{{1}, {inf}}, []bool{true, false}, BoostConfig{}, "baseline: row 1, feature 0 is infinite"},
		{[][]float32{{1}, {2}}, []bool{true, true}, BoostConfig{}, "all rows are of one"},
		{[][]float32{{1}, {2}}, []bool{true, false}, BoostConfig{Depth: 40}, "baseline: trees of depth 40: want 1 to 16"},
		{[][]float32{{1}, {2}}, []bool{true, false}, BoostConfig{Rate: math.NaN()}, "rate NaN of trees"},
		{[][]float32{{1}, {2}}, []bool{true, false}, BoostConfig{Valid: [][]float32{{1, 2}}, ValidY: []bool{true}},
			"baseline: row 0 for validation has 2 features, want 1"},
	} {
		if _, err := FitBoost(c.x, c.y, c.cfg, seeded()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// The standardised regression finds the weights of the model that made the
// labels, whatever the scale of a feature; a constant one and a missing value
// do no harm.
func TestTableLogistic(t *testing.T) {
	r := seeded()
	var x [][]float32
	var y []bool
	for range 5000 {
		a, b := r.NormFloat64(), r.NormFloat64()
		y = append(y, r.Float64() < sigmoid(0.5+2*a-b))
		row := []float32{float32(1000 + 100*a), float32(b / 1000), 7}
		if r.IntN(50) == 0 {
			row[1] = float32(math.NaN())
		}
		x = append(x, row)
	}
	l, err := FitTableLogistic(x, y, r)
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range []float64{2, -1, 0} {
		if math.Abs(l.Weight[f]-want) > 0.15 {
			t.Errorf("weight %d is %.3f, want about %v", f, l.Weight[f], want)
		}
	}
	if math.Abs(l.Bias-0.5) > 0.15 {
		t.Errorf("bias %.3f, want about 0.5", l.Bias)
	}
}

// The penalty that is chosen on rows of their own gives the weights of the model
// that the labels were drawn from.
func TestTableLogisticTuned(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) (x [][]float32, y []bool) {
		for range n {
			a, b := r.NormFloat64(), r.NormFloat64()
			y = append(y, r.Float64() < sigmoid(1.2*a-0.8*b-0.5))
			x = append(x, []float32{float32(10 + 3*a), float32(b), 7})
		}
		return x, y
	}
	x, y := draw(20000)
	tune, tuneY := draw(5000)
	l, err := FitTableLogisticTuned(x, y, tune, tuneY)
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range []float64{1.2, -0.8, 0} {
		if math.Abs(l.Weight[f]-want) > 0.06 {
			t.Errorf("weight %d is %v, want %v", f, l.Weight[f], want)
		}
	}
	if math.Abs(l.Bias+0.5) > 0.06 {
		t.Errorf("bias %v, want -0.5", l.Bias)
	}
	if _, err := FitTableLogisticTuned(x, y, [][]float32{{1}, {2}}, []bool{true, false}); err == nil {
		t.Error("tuning rows of another width were accepted")
	}
}

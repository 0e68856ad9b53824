package metric

import (
	"math"
	"math/rand/v2"
	"testing"
)

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func close(t *testing.T, name string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

// Logits that are too large by a factor, and probabilities that are too low, are
// found by recalibration and temperature.
func TestRecalibration(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 40000
	var logits, p []float64
	var positive []bool
	for range n {
		z := 1.5*r.NormFloat64() - 1
		positive = append(positive, r.Float64() < sigmoid(z))
		logits = append(logits, 2*z)
		p = append(p, sigmoid(2*z-1))
	}
	b, err := NewBinary(p, positive)
	if err != nil {
		t.Fatal(err)
	}
	got := b.Recalibrate() // z = (2z-1)/2 + 1/2
	close(t, "slope", got.Slope, 0.5, 0.02)
	close(t, "intercept", got.Intercept, 0.5, 0.04)
	if !(got.Large > 0.5) {
		t.Errorf("calibration in the large is %v for probabilities that are too low", got.Large)
	}
	close(t, "temperature", Temperature(logits, positive), 2, 0.08)
	slope, intercept := Platt(logits, positive)
	close(t, "slope of Platt", slope, 0.5, 0.02)
	close(t, "intercept of Platt", intercept, 0, 0.04)
	for i := range logits {
		logits[i]++
	}
	slope, intercept = Platt(logits, positive)
	close(t, "slope of Platt", slope, 0.5, 0.02)
	close(t, "intercept of Platt, shifted", intercept, -0.5, 0.04)
	if s, i := Platt([]float64{1, 2}, []bool{false, true}); s != 1 || i != 0 {
		t.Errorf("Platt of separated classes: %v, %v", s, i)
	}
	close(t, "temperature without a class", Temperature([]float64{1, 2}, []bool{true, true}), 1, 0)
}

// Numbers that are worked out by hand.
func TestCalibrationByHand(t *testing.T) {
	b, err := NewBinary([]float64{0.9, 0.6, 0.3, 0.2, 0.1}, []bool{true, false, true, false, false})
	if err != nil {
		t.Fatal(err)
	}
	close(t, "log-loss", b.LogLoss(), -(math.Log(.9)+math.Log(.4)+math.Log(.3)+math.Log(.8)+math.Log(.9))/5, 1e-12)
	close(t, "net benefit at .25", b.NetBenefit(0.25), (2-1./3)/5, 1e-12)
	close(t, "net benefit of all at .25", b.NetBenefitOfAll(0.25), (2-3*1./3)/5, 1e-12)
	for _, specificity := range []float64{0, 0.3, 1. / 3, 0.5, 2. / 3, 0.9, 1} {
		c := b.Confusion(b.ThresholdAt(specificity))
		if c.Sp() < specificity-1e-12 || c.Sn() != b.SensitivityAt(specificity) {
			t.Errorf("specificity %v: threshold %v has specificity %v and sensitivity %v, want %v",
				specificity, b.ThresholdAt(specificity), c.Sp(), c.Sn(), b.SensitivityAt(specificity))
		}
	}
	// Equal scores, separated classes, one class, and no probabilities.
	for name, bad := range map[string]struct {
		scores   []float64
		positive []bool
	}{
		"equal":     {[]float64{.3, .3}, []bool{true, false}},
		"separated": {[]float64{.3, .4}, []bool{false, true}},
		"one class": {[]float64{.3, .4}, []bool{true, true}},
		"beyond 1":  {[]float64{.3, 1.4}, []bool{true, false}},
	} {
		b, err := NewBinary(bad.scores, bad.positive)
		if err != nil {
			t.Fatal(err)
		}
		if r := b.Recalibrate(); !math.IsNaN(r.Slope) {
			t.Errorf("%s: slope %v, want NaN", name, r.Slope)
		}
	}
	// The large of equal scores is the logit of the rate over theirs.
	b, _ = NewBinary([]float64{.2, .2, .2, .2}, []bool{true, false, false, true})
	close(t, "in the large", b.Recalibrate().Large, math.Log(4), 1e-6)
}

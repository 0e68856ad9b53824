package train

import (
	"math"
	"testing"

	"heed/nn"
)

// The average of weights that rise by one a step lags behind them by what its decay
// says; Swap puts it in their place and back.
func TestAverage(t *testing.T) {
	m := nn.NewLinear(1, 1, nil)
	a := &Average{Decay: 0.9}
	a.Swap(m) // nothing yet
	want := 0.0
	for n := range 400 {
		m.Weight.Data[0] = float32(n)
		a.See(m)
		keep := min(0.9, float64(n)/float64(n+10))
		want = keep*want + (1-keep)*float64(n)
	}
	if lag := 399 - want; math.Abs(lag-9) > 0.01 {
		t.Fatalf("the average lags by %v, want 9", lag)
	}
	a.Swap(m)
	if got := float64(m.Weight.Data[0]); math.Abs(got-want) > 1e-3 {
		t.Errorf("average %v, want %v", got, want)
	}
	a.Swap(m)
	if got := m.Weight.Data[0]; got != 399 {
		t.Errorf("weight %v after two swaps, want 399", got)
	}
}

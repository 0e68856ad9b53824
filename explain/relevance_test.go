package explain

import (
	"math"
	"math/rand/v2"
	"testing"

	"heed/autograd"
)

// TestRelevanceByHand: modality 0 is one token, modality 1 has two.
func TestRelevanceByHand(t *testing.T) {
	r := NewRelevance(1, 2)
	r.Self(1, []float64{0.2, 0.6, 0, 0}) // R_11 = (1.2, .6), (0, 1)
	closeTo(t, "R_11", r.Maps[1][1], []float64{1.2, 0.6, 0, 1}, 1e-12)
	// R̂_11: (0.2, 0.6)/0.8 + (1, 0); the second row stays the identity's.
	r.Cross(0, []float64{0.5, 2})
	closeTo(t, "R_01", r.Maps[0][1], []float64{0.5 * 1.25, 0.5*0.75 + 2}, 1e-12)
	closeTo(t, "R_00", r.Maps[0][0], []float64{1}, 1e-12) // R_10 is still 0
	r.Self(0, []float64{3})
	closeTo(t, "R_00", r.Maps[0][0], []float64{4}, 1e-12)
	closeTo(t, "R_01", r.Maps[0][1], []float64{4 * 0.625, 4 * 2.375}, 1e-12)
	// R̂_00 = 3/3 + 1 = 2.
	r.Cross(1, []float64{0.1, 0})
	closeTo(t, "R_10", r.Maps[1][0], []float64{1.25 * 0.1 * 2, 0.75 * 0.1 * 2}, 1e-12)
	closeTo(t, "R_11", r.Maps[1][1], []float64{1.2 + 0.1*2.5, 0.6 + 0.1*9.5, 0, 1}, 1e-12)
}

// TestCoAttention: both directions read the state before the layer.
func TestCoAttention(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	random := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = rng.Float64()
		}
		return out
	}
	self0, self1, cross01, cross10 := random(9), random(16), random(12), random(12)
	before := func() *Relevance {
		r := NewRelevance(3, 4)
		r.Self(0, self0)
		r.Self(1, self1)
		r.CoAttention(cross01, cross10)
		return r
	}
	both, first, second := before(), before(), before()
	both.CoAttention(cross01, cross10)
	first.Cross(0, cross01)
	second.Cross(1, cross10)
	for q := range 2 {
		closeTo(t, "0", both.Maps[0][q], first.Maps[0][q], 0)
		closeTo(t, "1", both.Maps[1][q], second.Maps[1][q], 0)
	}
	first.Cross(1, cross10)
	if math.Abs(first.Maps[1][1][0]-both.Maps[1][1][0]) < 1e-3 {
		t.Error("one after the other is the same as both at once: nothing was tested")
	}
}

// TestRelevanceOfSelfAttention: one modality alone gives what
// GradientAttentionMatrix gives.
func TestRelevanceOfSelfAttention(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	layers := []Layer{gradientLayer(rng, 2, 5), gradientLayer(rng, 2, 5)}
	r := NewRelevance(5, 1)
	for _, l := range layers {
		r.Self(0, WeighHeads(l.Weights, l.Grad, l.Heads, 5, 5, Positive))
	}
	closeTo(t, "R_00", r.Maps[0][0], GradientAttentionMatrix(layers, Positive), 1e-12)
	closeTo(t, "R_01", r.Maps[0][1], make([]float64, 5), 0)
}

// TestTwoModalities: one query reads three tokens of another modality, of which
// the second speaks for the score and the third against it.
func TestTwoModalities(t *testing.T) {
	c := wiredRows(1, []float32{0.7, 0.15, 0.15}, []float32{0, 2, -2})
	var weights *autograd.Var
	tape := &autograd.Tape{Frozen: true, Probe: func(_ string, v *autograd.Var) { weights = v }}
	tape.Backward(c.Run(tape, 1))
	for part, want := range map[Part][]float64{Positive: {0, 0.3, 0}, Negative: {0, 0, 0.3}} {
		r := NewRelevance(1, 3)
		r.Cross(0, WeighHeads(weights.Data, weights.Grad, 1, 1, 3, part))
		closeTo(t, part.String(), r.Maps[0][1], want, 1e-6)
	}
}

package optim

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/autograd"
)

// params returns a matrix and a vector with values and gradients.
func params() []*autograd.Var {
	r := rand.New(rand.NewPCG(1, 2))
	ps := []*autograd.Var{autograd.Param(5, 7), autograd.Param(9)}
	for _, p := range ps {
		p.Grad = make([]float32, len(p.Data))
		for i := range p.Data {
			p.Data[i], p.Grad[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
		}
	}
	return ps
}

// Whoever restores Step, M and V continues with the same bits.
func TestStateResumes(t *testing.T) {
	whole, cut := params(), params()
	var a, b AdamW
	for range 6 {
		a.Update(whole, 0.01, 1)
	}
	for range 2 {
		b.Update(cut, 0.01, 1)
	}
	resumed := AdamW{Step: b.Step, M: b.M, V: b.V}
	for range 4 {
		resumed.Update(cut, 0.01, 1)
	}
	for i := range whole {
		if !slices.Equal(whole[i].Data, cut[i].Data) || !slices.Equal(a.M[i], resumed.M[i]) || !slices.Equal(a.V[i], resumed.V[i]) {
			t.Errorf("parameter %d: resumed after 2 of 6 steps, it differs from the uninterrupted run", i)
		}
	}
	if resumed.Step != 6 {
		t.Errorf("Step = %d, want 6", resumed.Step)
	}
}

func TestFrozenStaysAndHasNoNorm(t *testing.T) {
	ps := params()
	ps[0].Trainable = false
	before := slices.Clone(ps[0].Data)
	opt := AdamW{Decay: 0.1}
	opt.Update(ps, 0.01, 1)
	if !slices.Equal(ps[0].Data, before) {
		t.Error("a frozen parameter changed")
	}
	if slices.Equal(ps[1].Data, params()[1].Data) {
		t.Error("the trainable parameter did not change")
	}
	if got, want := GlobalNorm(ps), norm(ps[1].Grad); math.Abs(got-want) > 1e-6*want {
		t.Errorf("GlobalNorm = %v, want %v, that of the trainable gradient", got, want)
	}
}

func norm(xs ...[]float32) float64 {
	var s float64
	for _, x := range xs {
		for _, v := range x {
			s += float64(v) * float64(v)
		}
	}
	return math.Sqrt(s)
}

func TestGlobalNorm(t *testing.T) {
	if got := GlobalNorm(nil); got != 0 {
		t.Errorf("norm of nothing: %v", got)
	}
	ps := params()
	if got, want := GlobalNorm(ps), norm(ps[0].Grad, ps[1].Grad); math.Abs(got-want) > 1e-6*want {
		t.Errorf("GlobalNorm = %v, want %v", got, want)
	}
	ps[1].Grad[3] = float32(math.NaN())
	if got := GlobalNorm(ps); !math.IsNaN(got) {
		t.Errorf("the norm of a NaN is %v", got)
	}
}

func TestClipScale(t *testing.T) {
	for _, tt := range []struct{ norm, limit, want float64 }{
		{0.5, 1, 1}, {1, 1, 1}, {4, 1, 0.25}, {4, 0, 1}, {4, -1, 1}, {0, 1, 1},
	} {
		if got := ClipScale(tt.norm, tt.limit); got != tt.want {
			t.Errorf("ClipScale(%v, %v) = %v, want %v", tt.norm, tt.limit, got, tt.want)
		}
	}
}

// The first step of Adam has the length of the rate in every coordinate,
// whatever the size of the gradient: it is the bias correction that does this.
func TestFirstStepIsRate(t *testing.T) {
	for _, g := range []float32{1e-3, -2, 1e4} {
		p := autograd.Param(3)
		p.Grad = []float32{g, g, g}
		var opt AdamW
		opt.Update([]*autograd.Var{p}, 0.01, 1)
		want := -math.Copysign(0.01, float64(g))
		if got := float64(p.Data[0]); math.Abs(got-want) > 1e-6 {
			t.Errorf("gradient %v: a step of %v, want %v", g, got, want)
		}
	}
}

func TestWarmupCosine(t *testing.T) {
	for _, tt := range []struct {
		step, warmup, steps int
		peak, floor, want   float64
	}{
		{0, 10, 110, 2, 0, 0.2}, // the first step moves already
		{4, 10, 110, 2, 0, 1},
		{9, 10, 110, 2, 0, 2},
		{10, 10, 110, 2, 0, 2}, // the peak
		{35, 10, 110, 2, 0, 1 + math.Sqrt2/2},
		{60, 10, 110, 2, 0, 1}, // half way down
		{60, 10, 110, 2, 0.1, 1.1},
		{110, 10, 110, 2, 0, 0},
		{110, 10, 110, 2, 0.1, 0.2},
		{500, 10, 110, 2, 0.1, 0.2}, // after the end
		{0, 0, 100, 2, 0, 2},        // no warm-up
		{0, 0, 0, 2, 0, 2},
	} {
		got := WarmupCosine(tt.step, tt.warmup, tt.steps, tt.peak, tt.floor)
		if math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("WarmupCosine(%d, %d, %d, %v, %v) = %v, want %v", tt.step, tt.warmup, tt.steps, tt.peak, tt.floor, got, tt.want)
		}
	}
	last := 0.0
	for step := range 110 {
		rate := WarmupCosine(step, 10, 110, 2, 0.1)
		if step < 10 && rate <= last || step > 10 && rate >= last {
			t.Errorf("step %d: rate %v after %v", step, rate, last)
		}
		last = rate
	}
}

func TestUpdatePanicsOnOtherParameters(t *testing.T) {
	var opt AdamW
	opt.Update(params(), 0.01, 1)
	defer func() {
		if got, want := recover(), "optim.AdamW: 1 parameters, state of 2"; got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	opt.Update(params()[:1], 0.01, 1)
}

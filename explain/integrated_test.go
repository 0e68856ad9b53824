package explain

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/autograd"
)

func integrate(t *testing.T, c *Case, batch int, baselines ...[]float32) *Integrated {
	t.Helper()
	g, err := IntegratedGradients(context.Background(), c, batch, baselines...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestIntegratedOfPlantedTruths(t *testing.T) {
	for _, p := range pairTruths {
		g := integrate(t, pairCase(1, 1, p.f), 5, []float32{0, 0})
		closeTo(t, p.name, g.Values, p.integral[:], 1e-6)
		if g.Score != 1 || g.Baseline != 0 || !g.Met() || math.Abs(g.Error) > 1e-6 {
			t.Errorf("%s: %v to %v, error %v, met %v", p.name, g.Baseline, g.Score, g.Error, g.Met())
		}
	}
}

// TestIntegratedOfCubic: (a + 2b)³ has the integral a·3(a+2b)²/3 by hand, and
// from a baseline of its own the share of each input is that of its part in the
// way.
func TestIntegratedOfCubic(t *testing.T) {
	cube := func(t *autograd.Tape, x *autograd.Var) *autograd.Var {
		s := weigh(t, x, 1, 2, 0)
		return autograd.Mul(t, autograd.Mul(t, s, s), s)
	}
	g := integrate(t, pairCase(2, 1, cube), 3, []float32{0, 0})
	closeTo(t, "from 0", g.Values, []float64{32, 32}, 1e-4) // 4³, halves
	g = integrate(t, pairCase(2, 1, cube), 3, []float32{1, 1})
	closeTo(t, "from (1, 1)", g.Values, []float64{64 - 27, 0}, 1e-4)
	both := integrate(t, pairCase(2, 1, cube), 3, []float32{0, 0}, []float32{1, 1})
	closeTo(t, "mean", both.Values, []float64{(32 + 37) / 2., 16}, 1e-4)
	closeTo(t, "ends", []float64{both.Score, both.Baseline, both.Paths[0].Baseline, both.Paths[1].Baseline}, []float64{64, 13.5, 0, 27}, 1e-4)
	closeTo(t, "mean gradient", []float64{float64(g.Grad.Data[0])}, []float64{37}, 1e-4)
}

// TestIntegratedIsComplete with models, whatever the batch, from several
// baselines.
func TestIntegratedIsComplete(t *testing.T) {
	for _, pooling := range []string{"cls", "mean"} {
		m, c := smallCase(t, pooling)
		other := caseOf(m, []int32{6, 6, 3, 5, 4, 4, 3, 6, 3}, 1)
		zero := make([]float32, len(c.Embedded().Data))
		g := integrate(t, c, 3, zero, other.Embedded().Data)
		if !g.Met() || len(g.Paths) != 2 {
			t.Fatalf("%s: paths %+v", pooling, g.Paths)
		}
		change := c.Score() - other.Score()
		if math.Abs(g.Paths[1].Baseline-other.Score()) > 1e-5 || math.Abs(g.Score-c.Score()) > 1e-5 {
			t.Errorf("%s: baseline %v, want %v", pooling, g.Paths[1].Baseline, other.Score())
		}
		single := integrate(t, c, 64, other.Embedded().Data)
		if got := addUp(single.Values); math.Abs(got-change) > 0.01*math.Abs(change) {
			t.Errorf("%s: the values add up to %v, want %v", pooling, got, change)
		}
		closeTo(t, "batches of 1 and of 64", integrate(t, c, 1, other.Embedded().Data).Values, single.Values, 1e-6)
		if single.Values[0] != 0 { // [CLS] is the same in both
			t.Errorf("%s: [CLS] has %v", pooling, single.Values[0])
		}
		for i, v := range single.Values {
			sum := 0.0
			for _, r := range single.Raw.Data[i*8 : (i+1)*8] {
				sum += float64(r)
			}
			if math.Abs(v-sum) > 1e-6 {
				t.Errorf("row %d: %v, its raw values add up to %v", i, v, sum)
			}
		}
	}
}

// TestIntegratedSaysWhatIsMissing: a jump lies between any two points of any
// quadrature, so none finds it.
func TestIntegratedSaysWhatIsMissing(t *testing.T) {
	steep := func(t *autograd.Tape, x *autograd.Var) *autograd.Var { // 1e6·relu(a - 0.5) - 1e6·relu(a - 0.500001)
		y := autograd.Linear(t, x, autograd.Input([]float32{1, 0, 1, 0}, 2, 2), autograd.Input([]float32{-0.5, -0.500001}, 2))
		return autograd.Linear(t, autograd.ReLU(t, y), autograd.Input([]float32{1e6, -1e6}, 1, 2), nil)
	}
	g := integrate(t, pairCase(1, 1, steep), 64, []float32{0, 0})
	if g.Met() || g.Paths[0].Steps != MaxSteps || g.Error != g.Paths[0].Error || math.Abs(g.Error+g.Score) > 1e-9 {
		t.Errorf("%+v", g)
	}
}

func TestIntegratedStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := IntegratedGradients(ctx, pairCase(1, 1, pairTruths[0].f), 1, []float32{0, 0}); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}

// TestIntegratedOfTheOtherClass: what speaks for one class speaks against the
// other. So do gradient x input.
func TestIntegratedOfTheOtherClass(t *testing.T) {
	m := smallModel(t, "cls")
	ids := []int32{3, 4, 6, 5, 3, 3, 6, 4, 5}
	a, b := caseOf(m, ids, 1), caseOf(m, ids, 0)
	base := make([]float32, len(a.Embedded().Data))
	x, y := integrate(t, a, 8, base).Values, integrate(t, b, 8, base).Values
	for i := range y {
		y[i] = -y[i]
	}
	if !slices.Equal(x, y) {
		t.Errorf("integrated gradients %v and %v", x, y)
	}
	x, y = Gradient(a).TimesInput(), Gradient(b).TimesInput()
	for i := range y {
		y[i] = -y[i]
	}
	if !slices.Equal(x, y) {
		t.Errorf("gradient x input %v and %v", x, y)
	}
}

// TestGradientsFollowTheTokens: without positions equal tokens get equal
// values, and permuted tokens permuted ones.
func TestGradientsFollowTheTokens(t *testing.T) {
	m := unplacedModel(t, 2, "cls")
	ids := []int32{3, 4, 6, 3, 5, 4}
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(ids))
	permuted := make([]int32, len(ids))
	for i, o := range order {
		permuted[i] = ids[o]
	}
	for name, method := range map[string]func(c *Case) []float64{
		"gradient x input": func(c *Case) []float64 { return Gradient(c).TimesInput() },
		"integrated":       func(c *Case) []float64 { return integrate(t, c, 8, make([]float32, len(c.Embedded().Data))).Values },
	} {
		follow(t, name, method(caseOf(m, ids, 1)), method(caseOf(m, permuted, 1)), ids, order)
	}
}

// follow checks attributions (1 + tokens), [CLS] leading, of ids and of their
// permutation.
func follow(t *testing.T, name string, x, y []float64, ids []int32, order []int) {
	t.Helper()
	want := []float64{x[0]}
	for _, o := range order {
		want = append(want, x[1+o])
	}
	closeTo(t, name+" of permuted tokens", y, want, 1e-5)
	scale := 0.0
	for i, a := range ids {
		scale = max(scale, math.Abs(x[1+i]))
		for j, b := range ids {
			if a == b && math.Abs(x[1+i]-x[1+j]) > 1e-5 {
				t.Errorf("%s: tokens %d and %d are equal and have %v and %v", name, i, j, x[1+i], x[1+j])
			}
		}
	}
	if scale < 1e-2 {
		t.Errorf("%s: all values are below %v: nothing was tested", name, scale)
	}
}

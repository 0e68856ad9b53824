package explain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"heed/metric"
)

// additive returns the game b + Σ w[i] over the features that are kept.
func additive(b float64, w []float64) *Game {
	return gameOf(len(w), func(x []float64) float64 {
		sum := b
		for i, v := range w {
			sum += v * x[i]
		}
		return sum
	})
}

func normals(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

func reversed(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = -v
	}
	return out
}

// TestVerifyClosedForm: in an additive game, comprehensiveness at k is the sum of
// the k weights on top, and sufficiency the sum of the others.
func TestVerifyClosedForm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const m, n = 40, 12
	examples := make([]Example, n)
	comprehensiveness, sufficiency, total := 0.0, 0.0, 0.0
	deletion, insertion := make([]float64, 7), make([]float64, 7)
	for i := range examples {
		w := normals(r, m)
		examples[i] = Example{additive(0.5, w), [][]float64{w, reversed(w)}}
		sorted := slices.Sorted(slices.Values(w))
		slices.Reverse(sorted)
		sum := 0.0
		for _, v := range sorted {
			sum += v
		}
		total += sum / n
		for p, k := range []int{0, 1, 2, 4, 8, 20, 40} { // 1 % of 40 is one feature at least
			top := 0.0
			for _, v := range sorted[:k] {
				top += v
			}
			if p > 0 && p < 6 {
				comprehensiveness += top / 5 / n
				sufficiency += (sum - top) / 5 / n
			}
			deletion[p] += (0.5 + sum - top) / n
			insertion[p] += (0.5 + top) / n
		}
	}
	methods := []Method{{Name: "weights"}, {Name: "reversed"}}
	v, err := Referee{Replacement: "zero"}.Verify(background, rand.New(rand.NewPCG(3, 4)), methods, examples)
	if err != nil {
		t.Fatal(err)
	}
	if v.Orders != 20 || v.Over != "examples" || v.Examples != n {
		t.Errorf("%d orders over %s, %d examples", v.Orders, v.Over, v.Examples)
	}
	right, wrong := v.Methods[0], v.Methods[1]
	near(t, "AOPC", []float64{right.Comprehensiveness.AOPC, right.Sufficiency.AOPC}, []float64{comprehensiveness, sufficiency}, 1e-12)
	near(t, "deletion", right.Deletion, deletion, 1e-12)
	near(t, "insertion", right.Insertion, insertion, 1e-12)
	near(t, "shares", v.Shares, []float64{0, .01, .05, .1, .2, .5, 1}, 0)
	// A random order takes k/m of the sum on average, and 35/40/5 over the five k.
	near(t, "random", []float64{right.Comprehensiveness.Random, right.Sufficiency.Random}, []float64{total * 35 / 200, total * 165 / 200}, 0.4)
	near(t, "random deletion", v.RandomDeletion, []float64{deletion[0], .5 + total*39/40, .5 + total*38/40, .5 + total*36/40, .5 + total*32/40, .5 + total/2, .5}, 0.7)
	near(t, "ends", []float64{v.RandomDeletion[0], v.RandomDeletion[6], v.RandomInsertion[0], v.RandomInsertion[6]}, []float64{deletion[0], .5, .5, deletion[0]}, 1e-12)
	if g := right.Comprehensiveness; math.Abs(g.Gain.Estimate-(g.AOPC-g.Random)) > 1e-12 {
		t.Errorf("gain %v of %v over %v", g.Gain.Estimate, g.AOPC, g.Random)
	}
	if g := right.Sufficiency; math.Abs(g.Gain.Estimate-(g.Random-g.AOPC)) > 1e-12 {
		t.Errorf("gain %v of %v over %v", g.Gain.Estimate, g.AOPC, g.Random)
	}
	if !right.Faithful() || wrong.Faithful() || wrong.Comprehensiveness.Gain.High >= 0 || wrong.Sufficiency.Gain.High >= 0 {
		t.Errorf("a perfect ranking %+v, a reversed one %+v", right, wrong)
	}
	if right.Signs.Rate.Estimate != 0 || wrong.Signs.Rate.Estimate != 1 || right.Signs.Counted != 4*n {
		t.Errorf("sign violations %v and %v", right.Signs, wrong.Signs)
	}
	for _, c := range []struct{ sentence, begins, ends string }{
		{right.Sentence, "faithful here: gain over random order ", "(95 % intervals; 12 examples, features replaced by zero)"},
		{wrong.Sentence, "not faithful here, worse than random in one test at least: ", ")"},
	} {
		if !strings.HasPrefix(c.sentence, c.begins) || !strings.HasSuffix(c.sentence, c.ends) {
			t.Errorf("sentence %q, want %q … %q", c.sentence, c.begins, c.ends)
		}
	}
}

// TestVerifyRandom gives random scores: the interval should hold 0 in 95 % of
// trials. The false verdict "beats random" is one side of the rest.
func TestVerifyRandom(t *testing.T) {
	if testing.Short() {
		t.Skip("1000 trials")
	}
	for _, n := range []int{1, 3, 20} {
		r := rand.New(rand.NewPCG(7, uint64(n)))
		const trials = 400
		var outside, beats [2]int
		for range trials {
			examples := make([]Example, n)
			for i := range examples {
				examples[i] = Example{additive(0, normals(r, 20)), [][]float64{normals(r, 20)}}
			}
			v := must(Referee{Resamples: 400}.Verify(background, r, []Method{{Name: "random", Unsigned: true}}, examples))
			for k, g := range []Gain{v.Methods[0].Comprehensiveness, v.Methods[0].Sufficiency} {
				if g.Gain.Low > 0 || g.Gain.High < 0 {
					outside[k]++
				}
				if g.Beats {
					beats[k]++
				}
			}
		}
		t.Logf("%d examples: outside %v, beats random %v of %d", n, outside, beats, trials)
		for k := range outside {
			if share := float64(outside[k]) / trials; share < 0.01 || share > 0.09 {
				t.Errorf("%d examples: 0 is outside of the interval in %.1f %% of trials", n, 100*share)
			}
		}
	}
}

// TestVerifyBudget counts evaluations, and looks that all methods meet the same
// orders whatever the other methods are.
func TestVerifyBudget(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	w := normals(r, 30)
	evaluations := 0
	examples := func(methods int) []Example {
		out := make([]Example, 3)
		for i := range out {
			g := additive(1, w)
			value := g.Value
			g.Value = func(keep [][]bool) []float64 { evaluations += len(keep); return value(keep) }
			out[i] = Example{Game: g}
			for range methods {
				out[i].Scores = append(out[i].Scores, w)
			}
		}
		return out
	}
	verify := func(methods int) *Verification {
		ms := make([]Method, methods)
		for i := range ms {
			ms[i] = Method{fmt.Sprint(i), true}
		}
		evaluations = 0
		return must(Referee{Orders: 7}.Verify(background, rand.New(rand.NewPCG(8, 8)), ms, examples(methods)))
	}
	one := verify(1)
	if want := 3 * (2 + 2*5*(1+7)); evaluations != want {
		t.Errorf("%d evaluations, want %d", evaluations, want)
	}
	two := verify(2)
	if !reflect.DeepEqual(one.Methods[0].Comprehensiveness, two.Methods[0].Comprehensiveness) || !reflect.DeepEqual(two.Methods[0].Sufficiency, two.Methods[1].Sufficiency) {
		t.Error("equal methods with unequal results")
	}
	if s := two.Methods[1].Signs; s.String() != "no sign" || s.Counted != 0 || !math.IsNaN(s.Rate.Estimate) {
		t.Errorf("signs of an unsigned method: %+v", s)
	}
	for _, cores := range []int{1, 4} {
		old := runtime.GOMAXPROCS(cores)
		again := verify(1)
		runtime.GOMAXPROCS(old)
		if !reflect.DeepEqual(again.Methods[0].Deletion, one.Methods[0].Deletion) || again.Methods[0].Sentence != one.Methods[0].Sentence {
			t.Errorf("%d cores: another verification", cores)
		}
	}
}

// TestVerifyTies: a map without differences is ranked at random, not from left to
// right, where the weight lies.
func TestVerifyTies(t *testing.T) {
	examples := make([]Example, 30)
	for i := range examples {
		w := make([]float64, 20)
		w[0] = 1
		examples[i] = Example{additive(0, w), [][]float64{make([]float64, 20)}}
	}
	v := must(Referee{}.Verify(background, rand.New(rand.NewPCG(1, 2)), []Method{{Name: "flat"}}, examples))
	if g := v.Methods[0].Comprehensiveness; g.Beats || g.AOPC > 0.5 {
		t.Errorf("a flat map: %+v", g)
	}
	if s := v.Methods[0].Signs.String(); s != "no feature on top has an effect above noise" {
		t.Errorf("signs %q", s)
	}
}

// TestVerifySingle: the interval of one example is that of its random orders.
func TestVerifySingle(t *testing.T) {
	w := normals(rand.New(rand.NewPCG(5, 6)), 50)
	one := []Example{{additive(0, w), [][]float64{w}}}
	v := must(Referee{}.Verify(background, rand.New(rand.NewPCG(1, 2)), []Method{{Name: "weights"}}, one))
	f := v.Methods[0]
	if v.Over != "random orders" || v.Orders != 39 || f.Comprehensiveness.Gain.Resamples != 39 || !f.Faithful() {
		t.Errorf("%s, %d orders: %+v", v.Over, v.Orders, f)
	}
	if !strings.HasSuffix(f.Sentence, "(95 % intervals; 1 example, 39 random orders)") {
		t.Errorf("sentence %q", f.Sentence)
	}
	if iv := metric.Wilson(0, 5); f.Signs.Rate != iv && !(math.IsNaN(iv.SD) && f.Signs.Rate.High == iv.High) {
		t.Errorf("signs %+v", f.Signs)
	}
	_, err := Referee{Orders: 20}.Verify(background, rand.New(rand.NewPCG(1, 2)), []Method{{Name: "weights"}}, one)
	if err == nil || err.Error() != "20 random orders: one example needs 39 for a 95 % interval" {
		t.Errorf("error %v", err)
	}
}

// TestVerifyReplacements: a score that breaks on a mask tells rankings apart only
// with plausible replacements.
func TestVerifyReplacements(t *testing.T) {
	score := func(seqs [][]byte) []float64 {
		out := make([]float64, len(seqs))
		for i, s := range seqs {
			if !strings.Contains(string(s), "N") {
				out[i] = float64(strings.Count(string(s), "A"))
			}
		}
		return out
	}
	r := rand.New(rand.NewPCG(1, 2))
	draw := func() []byte {
		x := make([]byte, 30)
		for i := range x {
			x[i] = "ACGT"[r.IntN(4)]
		}
		return x
	}
	var masked, resampled []Example
	for range 20 {
		x, scores := draw(), make([]float64, 30)
		for i, c := range x {
			if c == 'A' {
				scores[i] = 1
			}
		}
		masked = append(masked, Example{ReplaceGame(x, [][]byte{[]byte(strings.Repeat("N", 30))}, score), [][]float64{scores}})
		resampled = append(resampled, Example{ReplaceGame(x, [][]byte{draw(), draw(), draw(), draw()}, score), [][]float64{scores}})
	}
	for name, examples := range map[string][]Example{"mask": masked, "resample": resampled} {
		v := must(Referee{Replacement: name}.Verify(background, rand.New(rand.NewPCG(5, 5)), []Method{{Name: "A"}}, examples))
		f := v.Methods[0]
		if f.Faithful() != (name == "resample") || !strings.Contains(f.Sentence, "features replaced by "+name) {
			t.Errorf("%s: %s", name, f.Sentence)
		}
		if name == "mask" && !strings.HasPrefix(f.Sentence, "not faithful here: ") {
			t.Errorf("%s: %s", name, f.Sentence)
		}
		if f.Signs.Violated != 0 || f.Signs.Counted == 0 {
			t.Errorf("%s: signs %v", name, f.Signs)
		}
	}
}

func TestMiddle(t *testing.T) {
	for _, c := range []struct {
		n         int
		low, high float64
	}{{39, 1, 39}, {78, 1, 78}, {79, 2, 78}, {199, 5, 195}} {
		x := make([]float64, c.n)
		for i := range x {
			x[i] = float64(c.n - i)
		}
		if iv := middle(x); iv.Low != c.low || iv.High != c.high || math.Abs(iv.Estimate-float64(c.n+1)/2) > 1e-9 {
			t.Errorf("%d values: %+v", c.n, iv)
		}
	}
}

func TestVerifyErrors(t *testing.T) {
	g := additive(0, []float64{1, 2})
	methods := []Method{{Name: "grad"}}
	scores := [][]float64{{1, 2}}
	for _, c := range []struct {
		referee  Referee
		methods  []Method
		examples []Example
		want     string
	}{
		{Referee{}, nil, []Example{{g, scores}}, "0 methods on 1 examples: want 1 or more"},
		{Referee{}, methods, []Example{{g, nil}}, "example 0 has scores of 0 methods, want 1"},
		{Referee{}, methods, []Example{{additive(0, nil), nil}}, "example 0 has no features"},
		{Referee{}, methods, []Example{{g, scores}, {g, [][]float64{{1}}}}, "example 1, grad: 1 scores for 2 features"},
		{Referee{}, methods, []Example{{g, [][]float64{{1, math.NaN()}}}}, "example 0, grad: the score of feature 1 is not a number"},
		{Referee{Shares: []float64{.1, 1}}, methods, []Example{{g, scores}, {g, scores}}, "share 1 of the features: want more than 0 and less than 1"},
		{Referee{Orders: -1}, methods, []Example{{g, scores}, {g, scores}}, "-1 random orders of 5 shares: want 1 or more"},
		{Referee{}, methods, []Example{{additive(math.Inf(1), []float64{1, 2}), scores}}, "example 0: the score is +Inf with 2 of 2 features kept"},
	} {
		_, err := c.referee.Verify(background, rand.New(rand.NewPCG(1, 2)), c.methods, c.examples)
		if err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := (Referee{}).Verify(ctx, rand.New(rand.NewPCG(1, 2)), methods, []Example{{g, scores}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestCheckSigns: of 20 features two are on top. The first example has one right
// and one wrong, the second one in the noise and a zero.
func TestCheckSigns(t *testing.T) {
	scores := [][]float64{make([]float64, 20), make([]float64, 20)}
	o := []*Occlusion{{1, make([]float64, 20), make([]float64, 20)}, {1, make([]float64, 20), make([]float64, 20)}}
	scores[0][3], o[0].Effect[3] = -5, -1
	scores[0][7], o[0].Effect[7] = 4, -1
	scores[0][8], o[0].Effect[8] = 3, -1 // not on top
	scores[1][2], o[1].Effect[2], o[1].SE[2] = 5, -1, 0.6
	o[1].Effect[0] = -1
	s := CheckSigns(rand.New(rand.NewPCG(1, 2)), 100, scores, o)
	if s.Violated != 1 || s.Counted != 2 || s.Rate.Estimate != 0.5 {
		t.Errorf("violations %+v", s)
	}
	if got, want := s.String(), "1 of 2 signs wrong: 0.5 (0.5 to 0.5)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

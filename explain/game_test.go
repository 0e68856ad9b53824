package explain

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// gameOf returns the game of a function of M numbers, 1 for a feature that is
// kept and 0 for one that is not.
func gameOf(m int, f func(x []float64) float64) *Game {
	return &Game{Features: m, Value: func(keep [][]bool) []float64 {
		out := make([]float64, len(keep))
		x := make([]float64, m)
		for s, k := range keep {
			clear(x)
			for i := range x {
				if k[i] {
					x[i] = 1
				}
			}
			out[s] = f(x)
		}
		return out
	}}
}

// lumpy returns a game without structure, whose values differ for every
// coalition and are the same in every run.
func lumpy(m int) *Game {
	return gameOf(m, func(x []float64) float64 {
		h := uint64(14695981039346656037)
		for _, v := range x {
			h = (h ^ uint64(v+1)) * 1099511628211
		}
		return float64(h>>40) / float64(1<<24)
	})
}

// negated returns the game of the other of two classes.
func negated(g *Game) *Game {
	return &Game{Features: g.Features, Batch: g.Batch, Value: func(keep [][]bool) []float64 {
		v := g.Value(keep)
		for i := range v {
			v[i] = -v[i]
		}
		return v
	}}
}

func near(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
		return
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tolerance) {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
	}
}

var background = context.Background()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// planted are the functions of two features whose explanations are known.
var plantedGames = []struct {
	name                        string
	f                           func(a, b float64) float64
	occlusion, firstIn, shapley []float64
	alone                       float64
}{
	{"and", func(a, b float64) float64 { return max(a+b-1, 0) }, []float64{1, 1}, []float64{0, 0}, []float64{.5, .5}, 1},
	{"or", func(a, b float64) float64 { return min(a+b, 1) }, []float64{0, 0}, []float64{1, 1}, []float64{.5, .5}, -1},
	{"product", func(a, b float64) float64 { return a * b }, []float64{1, 1}, []float64{0, 0}, []float64{.5, .5}, 1},
	{"one", func(a, b float64) float64 { return a + 0*b }, []float64{1, 0}, []float64{1, 0}, []float64{1, 0}, 0},
}

func TestPlantedGames(t *testing.T) {
	for _, p := range plantedGames {
		g := gameOf(2, func(x []float64) float64 { return p.f(x[0], x[1]) })
		o := must(g.Occlusion(background))
		near(t, p.name+": occlusion", o.Effect, p.occlusion, 0)
		near(t, p.name+": score", []float64{o.Score}, []float64{1}, 0)
		near(t, p.name+": first in", must(g.FirstIn(background)), p.firstIn, 0)
		table := must(g.Table(background))
		near(t, p.name+": Shapley", table.Shapley(), p.shapley, 0)
		near(t, p.name+": interaction index", table.Interaction()[0], []float64{0, p.alone}, 0)
		near(t, p.name+": pair alone", must(g.PairsAlone(background, []int{0, 1}))[1], []float64{p.alone, 0}, 0)
		near(t, p.name+": pair in context", must(g.PairsInContext(background, []int{0, 1}))[1], []float64{p.alone, 0}, 0)
		s := must(g.SampleShapley(background, 3, rand.New(rand.NewPCG(1, 1))))
		near(t, p.name+": sampled", s.Values, p.shapley, 1e-15) // a pair of orders is all orders of two
		near(t, p.name+": standard errors", s.SE, []float64{0, 0}, 1e-15)
	}
}

// TestPairsInContext has a pair that is a conjunction alone, and a disjunction
// beside the third feature.
func TestPairsInContext(t *testing.T) {
	g := gameOf(3, func(x []float64) float64 {
		if x[2] == 1 {
			return max(x[0], x[1])
		}
		return x[0] * x[1]
	})
	for _, features := range [][]int{{0, 1}, {1, 0}} {
		near(t, "alone", must(g.PairsAlone(background, features))[0], []float64{0, 1}, 0)
		near(t, "in context", must(g.PairsInContext(background, features))[0], []float64{0, -1}, 0)
	}
	for _, c := range []struct {
		features []int
		want     string
	}{{[]int{0, 3}, "feature 3 of 3"}, {[]int{2, 1, 2}, "feature 2 is listed twice"}} {
		if _, err := g.PairsAlone(background, c.features); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

// TestBatches evaluates coalitions in parts of any size, each once.
func TestBatches(t *testing.T) {
	want := must(lumpy(6).Table(background))
	for _, batch := range []int{0, 1, 7, 63, 1000} {
		g := lumpy(6)
		value, largest, total := g.Value, 0, 0
		g.Batch = batch
		g.Value = func(keep [][]bool) []float64 {
			largest, total = max(largest, len(keep)), total+len(keep)
			return value(keep)
		}
		got := must(g.Table(background))
		if !slices.Equal(got.Values, want.Values) {
			t.Errorf("batch %d gives other values", batch)
		}
		if limit := min(64, max(batch, 1)); batch > 0 && largest > batch || batch == 0 && largest > 64 {
			t.Errorf("batch %d: %d coalitions at once, limit %d", batch, largest, limit)
		}
		if total != 64 {
			t.Errorf("batch %d: %d evaluations, want 64", batch, total)
		}
	}
}

func TestGameErrors(t *testing.T) {
	_, err := lumpy(20).Table(background)
	const want = "exact Shapley values of 20 features need 2^20 = 1048576 evaluations; the limit is 12 features (4096 evaluations): group the features or draw samples"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	if _, err := lumpy(3).SampleShapley(background, 0, nil); err == nil || err.Error() != "0 pairs of orders: want 1 or more" {
		t.Errorf("error %v", err)
	}
	infinite := gameOf(3, func(x []float64) float64 { return 1 / (x[1]) })
	if _, err := infinite.Occlusion(background); err == nil || err.Error() != "the score is +Inf with 2 of 3 features kept" {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := lumpy(3).FirstIn(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	for _, c := range []struct {
		groups [][]int
		want   string
	}{
		{[][]int{{0}, {3}}, "group 1: feature 3 of 3"},
		{[][]int{{0, 1}, {2, 1}}, "feature 1 is in groups 0 and 1"},
	} {
		if _, err := lumpy(3).Groups(c.groups); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
	defer func() {
		if got := recover(); got != "explain: 1 values for 2 coalitions" {
			t.Errorf("panic %v", got)
		}
	}()
	g := &Game{Features: 1, Value: func([][]bool) []float64 { return []float64{1} }}
	g.Occlusion(background)
}

// letters scores strings: 2 for every A, and 3 for C directly before G.
func letters(seqs [][]byte) []float64 {
	out := make([]float64, len(seqs))
	for n, s := range seqs {
		for i, c := range s {
			if c == 'A' {
				out[n] += 2
			}
			if c == 'C' && i+1 < len(s) && s[i+1] == 'G' {
				out[n] += 3
			}
		}
	}
	return out
}

func TestReplaceAndDelete(t *testing.T) {
	x := []byte("ACTG")
	// Deleting T brings C before G.
	near(t, "delete", must(DeleteGame(x, letters).Occlusion(background)).Effect, []float64{2, 0, -3, 0}, 0)
	mask := must(ReplaceGame(x, [][]byte{[]byte("NNNN")}, letters).Occlusion(background))
	near(t, "mask", mask.Effect, []float64{2, 0, 0, 0}, 0)
	near(t, "mask: errors", mask.SE, []float64{0, 0, 0, 0}, 0)
	// The second background has another A, the first another G at T.
	g := ReplaceGame(x, [][]byte{[]byte("CCGT"), []byte("ATAA")}, letters)
	o := must(g.Occlusion(background))
	near(t, "resample", o.Effect, []float64{1, 0, -2.5, -1}, 1e-15)
	near(t, "resample: errors", o.SE, []float64{1, 0, .5, 1}, 1e-15)
	near(t, "noise", []float64{o.Noise(0), o.Noise(1)}, []float64{2, 2e-4}, 1e-15)
	grouped := must(must(g.Groups([][]int{{1, 3}, {0}})).Occlusion(background))
	near(t, "groups", grouped.Effect, []float64{-1, 1}, 1e-15)
	near(t, "groups: errors", grouped.SE, []float64{1, 1}, 1e-15)
	near(t, "groups: T is always kept", []float64{grouped.Score}, []float64{2}, 0)
	near(t, "groups: none kept", must(must(g.Groups([][]int{{1, 3}, {0}})).FirstIn(background)), []float64{-1, 1}, 1e-15)
	defer func() {
		if got := recover(); got != "explain: background 1 has 3 elements, the input 4" {
			t.Errorf("panic %v", got)
		}
	}()
	ReplaceGame(x, [][]byte{x, x[1:]}, letters)
}

// TestTwoClasses flips the class: all signed numbers negate, to the bit.
func TestTwoClasses(t *testing.T) {
	g := lumpy(7)
	other := negated(g)
	rng := func() *rand.Rand { return rand.New(rand.NewPCG(5, 5)) }
	for _, c := range []struct {
		name string
		a, b []float64
	}{
		{"occlusion", must(g.Occlusion(background)).Effect, must(other.Occlusion(background)).Effect},
		{"first in", must(g.FirstIn(background)), must(other.FirstIn(background))},
		{"Shapley", must(g.Table(background)).Shapley(), must(other.Table(background)).Shapley()},
		{"interaction", must(g.Table(background)).Interaction()[3], must(other.Table(background)).Interaction()[3]},
		{"sampled", must(g.SampleShapley(background, 4, rng())).Values, must(other.SampleShapley(background, 4, rng())).Values},
		{"pairs", must(g.PairsAlone(background, []int{1, 4, 2}))[0], must(other.PairsAlone(background, []int{1, 4, 2}))[0]},
	} {
		for i := range c.a {
			if c.a[i] != -c.b[i] {
				t.Errorf("%s of the other class: %v, want %v negated", c.name, c.b, c.a)
				break
			}
		}
	}
}

// TestPads adds 50 features that nothing depends on.
func TestPads(t *testing.T) {
	small := gameOf(5, func(x []float64) float64 { return x[0]*x[1] - 3*x[2] + max(x[3], x[4]) })
	padded := gameOf(55, func(x []float64) float64 { return x[0]*x[1] - 3*x[2] + max(x[3], x[4]) })
	want := append(must(small.Occlusion(background)).Effect, make([]float64, 50)...)
	near(t, "occlusion", must(padded.Occlusion(background)).Effect, want, 0)
	exact := append(must(small.Table(background)).Shapley(), make([]float64, 50)...)
	s := must(padded.SampleShapley(background, 200, rand.New(rand.NewPCG(1, 9))))
	near(t, "Shapley", s.Values, exact, 0.1)
	near(t, "Shapley of pads", s.Values[5:], make([]float64, 50), 0)
	near(t, "errors of pads", s.SE[5:], make([]float64, 50), 0)
}

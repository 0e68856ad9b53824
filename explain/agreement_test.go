package explain

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	methods := []Method{{Name: "a"}, {Name: "a again"}, {Name: "reversed"}, {Name: "size", Unsigned: true}, {Name: "noise", Unsigned: true}, {Name: "flat", Unsigned: true}}
	examples := make([]Example, 25)
	for i := range examples {
		a := normals(r, 60)
		examples[i].Scores = [][]float64{a, a, reversed(a), sizes(a), sizes(normals(r, 60)), make([]float64, 60)}
	}
	got, err := Agree(rand.New(rand.NewPCG(3, 4)), methods, examples, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		i, j         int
		rho, overlap float64
		tolerance    float64
	}{
		{0, 0, 1, 1, 1e-12},
		{0, 1, 1, 1, 1e-12},
		{0, 2, -1, 0, 1e-12},
		{1, 3, 1, 1, 1e-12}, // a taken by size
		{2, 3, 1, 1, 1e-12},
		{0, 4, 0, 0.1, 0.08},
		{4, 3, 0, 0.1, 0.08},
		{3, 5, math.NaN(), 0.1, 1e-12}, // a flat map shares its last places
		{5, 5, math.NaN(), 1, 1e-12},
	} {
		rho, overlap := got.Spearman[c.i][c.j], got.Overlap[c.i][c.j]
		if math.IsNaN(c.rho) {
			if !math.IsNaN(rho.Estimate) || rho.Examples != 0 {
				t.Errorf("%d and %d: correlation %+v of a flat map", c.i, c.j, rho)
			}
		} else if math.Abs(rho.Estimate-c.rho) > c.tolerance || rho.Examples != 25 || !(rho.Low <= rho.Estimate && rho.Estimate <= rho.High) {
			t.Errorf("%d and %d: correlation %+v, want %v", c.i, c.j, rho, c.rho)
		}
		if math.Abs(overlap.Estimate-c.overlap) > c.tolerance {
			t.Errorf("%d and %d: overlap %+v, want %v", c.i, c.j, overlap, c.overlap)
		}
	}
	if math.Abs(got.Chance-0.1) > 1e-12 {
		t.Errorf("chance %v", got.Chance)
	}
	if rho := got.Spearman[4][0]; rho.Low > 0 || rho.High < 0 || rho != got.Spearman[0][4] {
		t.Errorf("correlation with noise %+v, and %+v", rho, got.Spearman[0][4])
	}
	one, err := Agree(rand.New(rand.NewPCG(3, 4)), methods[:2], []Example{{Scores: examples[0].Scores[:2]}}, 0.1)
	if err != nil || one.Spearman[0][1].Estimate != 1 || !math.IsNaN(one.Spearman[0][1].Low) {
		t.Errorf("one example: %+v, error %v", one, err)
	}
}

func TestMembership(t *testing.T) {
	for _, c := range []struct {
		scores []float64
		k      int
		want   []float64
	}{
		{[]float64{3, 1, 2}, 2, []float64{1, 0, 1}},
		{[]float64{3, 1, 1, 1}, 2, []float64{1, 1. / 3, 1. / 3, 1. / 3}},
		{[]float64{0, 0}, 1, []float64{.5, .5}},
		{[]float64{0, 0}, 2, []float64{1, 1}},
	} {
		if got := membership(c.scores, c.k); !reflect.DeepEqual(got, c.want) {
			t.Errorf("membership(%v, %d) = %v, want %v", c.scores, c.k, got, c.want)
		}
	}
}

func TestAgreeErrors(t *testing.T) {
	methods := []Method{{Name: "a"}, {Name: "b"}}
	for _, c := range []struct {
		scores [][]float64
		share  float64
		want   string
	}{
		{[][]float64{{1}, {2}}, 0, "share 0 of the features: want more than 0 and less than 1"},
		{[][]float64{{1}}, .1, "example 0 has scores of 1 methods, want 2"},
		{[][]float64{{1}, {2, 3}}, .1, "example 0, b: 2 scores, and 1 of a"},
		{[][]float64{{}, {}}, .1, "example 0, a: 0 scores, and 0 of a"},
		{[][]float64{{1}, {math.NaN()}}, .1, "example 0, b: a score is not a number"},
	} {
		if _, err := Agree(rand.New(rand.NewPCG(3, 4)), methods, []Example{{Scores: c.scores}}, c.share); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

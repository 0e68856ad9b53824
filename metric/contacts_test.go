package metric

import (
	"math"
	"slices"
	"testing"
)

// chain makes scores and truth of l positions, apart but for what set says.
func chain(l int, set map[[2]int]struct {
	score float64
	truth Touch
}) ([]float64, []Touch) {
	scores, truth := make([]float64, l*l), make([]Touch, l*l)
	for i := range truth {
		truth[i] = Apart
	}
	for p, v := range set {
		for _, at := range []int{p[0]*l + p[1], p[1]*l + p[0]} {
			scores[at], truth[at] = v.score, v.truth
		}
	}
	return scores, truth
}

func TestContactPrecision(t *testing.T) {
	const l = 40
	type cell = struct {
		score float64
		truth Touch
	}
	scores, truth := chain(l, map[[2]int]cell{
		{0, 5}:   {9, Contact}, // too near
		{0, 6}:   {8, Contact}, // the first of short
		{0, 11}:  {7, Contact}, // the last
		{0, 12}:  {6, Apart},   // the first of medium
		{1, 24}:  {5, Contact}, // the last
		{0, 24}:  {4, Contact}, // the first of long
		{0, 30}:  {99, Unknown},
		{10, 39}: {3, Contact},
		{11, 39}: {-1, Contact}, // last of all
	})
	for _, c := range []struct {
		name                     string
		pairs, contacts, unknown int
		at1, at2, at5, at20      float64
		background               float64
	}{
		// Σ (l-d) over d.
		{"short", 34 + 33 + 32 + 31 + 30 + 29, 2, 0, 2. / 40, 2. / 20, 2. / 8, 1, 2. / 189},
		{"medium", 12 * (28 + 17) / 2, 1, 0, 1. / 40, 1. / 20, 1. / 8, .5, 1. / 270},
		{"long", 16*17/2 - 1, 3, 1, 2. / 40, 2. / 20, 2. / 8, 1, 3. / 135},
		{"all", 189 + 270 + 135, 6, 1, 5. / 40, 5. / 20, 5. / 8, 1, 6. / 594},
	} {
		i := slices.IndexFunc(Separations(), func(s Separation) bool { return s.Name == c.name })
		r, err := RankContacts(scores, truth, l, Separations()[i])
		if err != nil {
			t.Fatal(err)
		}
		if r.Pairs != c.pairs || r.Contacts != c.contacts || r.Unknown != c.unknown {
			t.Errorf("%s: %d pairs, %d contacts, %d unknown, want %d, %d, %d", c.name, r.Pairs, r.Contacts, r.Unknown, c.pairs, c.contacts, c.unknown)
		}
		near(t, c.name+" P@L", r.Precision(1), c.at1)
		near(t, c.name+" P@L/2", r.Precision(2), c.at2)
		near(t, c.name+" P@L/5", r.Precision(5), c.at5)
		near(t, c.name+" P@L/20", r.Precision(20), c.at20)
		near(t, c.name+" background", r.Background(), c.background)
		// Every position once is no resample at all.
		idx := make([]int, l)
		for i := range idx {
			idx[i] = i
		}
		near(t, c.name+" resampled", r.ResampledPrecision(idx, 5), c.at5)
	}
}

// TestContactPrecisionFewPairs has fewer pairs than L: the denominator stays.
func TestContactPrecisionFewPairs(t *testing.T) {
	const l = 8
	scores, truth := make([]float64, l*l), make([]Touch, l*l)
	for i := range truth {
		truth[i] = Contact
	}
	r, err := RankContacts(scores, truth, l, Separation{Min: 6})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "P@L of 3 pairs", r.Precision(1), 3./8)
	near(t, "P@L/5", r.Precision(5), 1)
	if p := r.Precision(9); !math.IsNaN(p) {
		t.Errorf("precision of no pairs is %v", p)
	}
	if got := r.PrecisionCurve(5); !slices.Equal(got, []float64{1, 1, 1}) {
		t.Errorf("curve %v", got)
	}
	none, err := RankContacts(scores, make([]Touch, l*l), l, Separation{Min: 6})
	if err != nil || none.Unknown != 3 || !math.IsNaN(none.Precision(1)) || !math.IsNaN(none.Background()) {
		t.Errorf("nothing known: %+v, %v", none, err)
	}
}

// TestContactTies: pairs of one score stand in the order of their positions.
func TestContactTies(t *testing.T) {
	const l = 4
	scores, truth := make([]float64, l*l), make([]Touch, l*l)
	for i := range truth {
		truth[i] = Apart
	}
	truth[0*l+1], truth[0*l+2] = Contact, Contact
	r, _ := RankContacts(scores, truth, l, Separation{Min: 1})
	if got := r.PrecisionCurve(9); !slices.Equal(got, []float64{1, 1, 2. / 3, 2. / 4, 2. / 5, 2. / 6}) {
		t.Errorf("curve %v", got)
	}
	// Position 0 twice and 2 twice: pairs (0, 2) count 4, the others 0.
	near(t, "resampled", r.ResampledPrecision([]int{0, 0, 2, 2}, 1), 1)
	// Position 1 twice and 3 twice: (1, 3) counts 4.
	near(t, "resampled", r.ResampledPrecision([]int{1, 1, 3, 3}, 1), 0)
	// Position 0 three times, 1 once: (0, 1) counts 3 of 4, nothing else is left.
	near(t, "resampled", r.ResampledPrecision([]int{0, 0, 0, 1}, 1), .75)
}

func TestContactErrors(t *testing.T) {
	scores, truth := make([]float64, 4), make([]Touch, 4)
	if _, err := RankContacts(scores, truth, 3, Separation{}); err == nil || err.Error() != "metric: 4 scores and 4 truths of 3 positions" {
		t.Errorf("error %v", err)
	}
	scores[1] = math.NaN()
	if _, err := RankContacts(scores, truth, 2, Separation{}); err == nil || err.Error() != "metric: score of positions 0 and 1 is NaN" {
		t.Errorf("error %v", err)
	}
}

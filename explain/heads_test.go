package explain

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func close64(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(1, math.Abs(b)) || a != a && b != b }

// TestHeads has two heads whose statistics can be written down.
func TestHeads(t *testing.T) {
	const n = 4
	uniform, next := make([]float32, n*n), make([]float32, n*n)
	for i := range n {
		for j := range n {
			uniform[i*n+j] = 0.25
		}
		next[i*n+min(i+1, n-1)] = 0.75
		next[i*n+0] += 0.25
	}
	layers := []Layer{{Name: "a", Heads: 2, Length: n, Weights: slices.Concat(uniform, next)}}
	got := Heads(layers, HeadSpec{
		Special:  []bool{true, false, false, false},
		Distance: func(i, j int) float64 { return 10 * math.Abs(float64(i-j)) }, Window: 1,
		Related: func(i, j int) bool { return j == i+1 }, Threshold: 0.3,
	})

	u := got[0]
	if u.Layer != "a" || u.Head != 0 {
		t.Errorf("head %d of %q", u.Head, u.Layer)
	}
	// Distances of a row: 60, 40, 40, 60 over 4. Near: 2, 3, 3, 2 of 4.
	for _, c := range []struct{ got, want float64 }{
		{u.Entropy, math.Log(4)}, {u.Relative, 1}, {u.Perplexity, 4}, {u.Sharpness, 0}, {u.Distance, 12.5},
		{u.Confidence, 0.25}, {u.Special, 0.25}, {u.Self, 0.25}, {u.Near, 0.625}, {u.Temperature(), math.Inf(1)},
		{u.Pairs.Precision(), math.NaN()}, {u.Pairs.Background(), 2. / 6},
	} {
		if !close64(c.got, c.want) && c.got != c.want {
			t.Errorf("uniform head: %v, want %v: %+v", c.got, c.want, u)
		}
	}
	if u.Word() != "soft" {
		t.Errorf("a uniform head is %q", u.Word())
	}

	v := got[1]
	entropy := -.75*math.Log(.75) - .25*math.Log(.25)
	// Log weights of each row: log .75, log .25 and two of the smallest number.
	a, b, tiny := math.Log(.75), math.Log(.25), math.Log(math.SmallestNonzeroFloat32)
	mean := (a + b + 2*tiny) / 4
	sharp := math.Sqrt((math.Pow(a-mean, 2) + math.Pow(b-mean, 2) + 2*math.Pow(tiny-mean, 2)) / 4)
	for _, c := range []struct{ got, want float64 }{
		{v.Entropy, entropy}, {v.Relative, entropy / math.Log(4)}, {v.Perplexity, math.Exp(entropy)}, {v.Sharpness, sharp},
		// Rows: .75·10; .75·10 + .25·10; .75·10 + .25·20; .25·30.
		{v.Distance, (7.5 + 10 + 12.5 + 7.5) / 4}, {v.Confidence, 0.75}, {v.Special, 0.25}, {v.Self, 0.25},
		{v.Near, (1 + 1 + .75 + .75) / 4}, {v.Pairs.Precision(), 1}, {v.Pairs.Background(), 2. / 6},
	} {
		if !close64(c.got, c.want) {
			t.Errorf("next head: %v, want %v: %+v", c.got, c.want, v)
		}
	}
	if v.Word() != "sharp" || v.Pairs != (Pairs{All: 6, Related: 2, Strong: 2, Hits: 2}) {
		t.Errorf("next head: %q, pairs %+v", v.Word(), v.Pairs)
	}
	if want := []int{0, 0, 0, 1, 2, 0, 0}; !slices.Equal(v.Offsets, want) { // row 0 is special, row 3 is its own
		t.Errorf("offsets %v, want %v", v.Offsets, want)
	}
	if offset, share := v.Offset(); offset != 1 || share != 2./3 {
		t.Errorf("offset %d of %v", offset, share)
	}

	// Without a distance, special tokens have none: rows 1 to 3 of the first head
	// are 0+1+2, 1+0+1, 2+1+0 over three.
	if d := Heads(layers, HeadSpec{Special: []bool{true, false, false, false}})[0].Distance; !close64(d, (1+2./3+1)/3) {
		t.Errorf("distance %v", d)
	}
}

// TestSharpness: scores of standard deviation s before the softmax have the
// inverse temperature s.
func TestSharpness(t *testing.T) {
	for _, s := range []float64{0.1, 1, 4} {
		h := Heads(randomLayers(rand.New(rand.NewPCG(51, 52)), 1, 1, 300, s), HeadSpec{})[0]
		if math.Abs(h.Sharpness/s-1) > 0.02 || math.Abs(h.Temperature()*s-1) > 0.02 {
			t.Errorf("scores of deviation %v: sharpness %v", s, h.Sharpness)
		}
		if want := map[float64]string{0.1: "soft", 1: "medium", 4: "sharp"}[s]; h.Word() != want {
			t.Errorf("scores of deviation %v are %q, want %q", s, h.Word(), want)
		}
		if read := h.Perplexity / 300; s == 0.1 && read < 0.98 || s == 4 && read > 0.1 {
			t.Errorf("scores of deviation %v read %v of the keys", s, read)
		}
	}
}

func TestHeadDistances(t *testing.T) {
	a := []float32{1, 0, 0, 1}
	b := []float32{0, 1, 1, 0}
	c := []float32{.5, .5, 1, 0}
	d := HeadDistances([]Layer{{Heads: 3, Length: 2, Weights: slices.Concat(a, b, c)}, {Heads: 1, Length: 2, Weights: a}}, HeadSpec{})
	// a and c: rows (1, 0)|(.5, .5) of divergence H(.25) - H(.5)/2, and (0, 1)|(1, 0) of 1.
	ac := math.Sqrt((-.25*math.Log2(.25) - .75*math.Log2(.75) - .5 + 1) / 2)
	bc := math.Sqrt((-.25*math.Log2(.25) - .75*math.Log2(.75) - .5) / 2)
	want := [][]float64{{0, 1, ac, 0}, {1, 0, bc, 1}, {ac, bc, 0, ac}, {0, 1, ac, 0}}
	for i := range want {
		for j, w := range want[i] {
			if !close64(d[i][j], w) {
				t.Errorf("distance of heads %d and %d is %v, want %v", i, j, d[i][j], w)
			}
		}
	}
	if ac > bc+1 {
		t.Error("not a metric")
	}
}

// TestHeadAverage checks means, Student's limits and the ratio of sums.
func TestHeadAverage(t *testing.T) {
	var a HeadAverage
	for _, x := range []struct {
		entropy      float64
		hits, strong int
		offsets      []int
	}{
		{1, 1, 2, []int{0, 0, 9}},
		{2, 3, 3, []int{0, 0, 1, 9, 0}},
		{3, 0, 1, []int{0, 0, 0, 1, 0}},
	} {
		a.Add([]HeadStats{{Layer: "l", Head: 7, Entropy: x.entropy, Distance: math.NaN(), Offsets: x.offsets,
			Pairs: Pairs{All: 10, Related: 2, Strong: x.strong, Hits: x.hits}}})
	}
	s := a.Summary()[0]
	if s.Layer != "l" || s.Head != 7 || s.Inputs != 3 {
		t.Errorf("summary %+v", s)
	}
	// Student's quantile for two degrees of freedom is 4.302653; SD 1, n 3.
	se := 1 / math.Sqrt(3)
	if e := s.Entropy; !close64(e.Estimate, 2) || !close64(e.SD, se) || math.Abs(e.Low-(2-4.302653*se)) > 1e-5 || math.Abs(e.High-(2+4.302653*se)) > 1e-5 {
		t.Errorf("entropy %+v", e)
	}
	if s.Distance.Estimate == s.Distance.Estimate {
		t.Errorf("distance %+v, want NaN", s.Distance)
	}
	if s.Offset != 1 || !close64(s.OffsetShare, 19./20) || !s.Positional() {
		t.Errorf("offset %d, share %v", s.Offset, s.OffsetShare)
	}
	// p = 4/6; residuals 1-4/3, 3-2, 0-2/3.
	se = math.Sqrt(3./2*(1./9+1+4./9)) / 6
	if p := s.Precision; !close64(p.Estimate, 4./6) || !close64(p.SD, se) || !close64(s.Background, 0.2) || s.Pairs != (Pairs{30, 6, 6, 4}) {
		t.Errorf("precision %+v, background %v, pairs %+v", s.Precision, s.Background, s.Pairs)
	}

	var one HeadAverage
	one.Add(Heads(randomLayers(rand.New(rand.NewPCG(1, 1)), 1, 1, 4, 1), HeadSpec{}))
	if e := one.Summary()[0].Entropy; math.IsNaN(e.Estimate) || !math.IsNaN(e.Low) || !math.IsNaN(e.SD) {
		t.Errorf("entropy of one input %+v", e)
	}
	defer func() {
		if p := recover(); p != "explain: 2 heads after 1" {
			t.Errorf("panic %v", p)
		}
	}()
	one.Add(make([]HeadStats, 2))
}

func BenchmarkHeads(b *testing.B) {
	layers := randomLayers(rand.New(rand.NewPCG(1, 2)), 1, 12, 512, 2)
	b.Run("stats", func(b *testing.B) {
		for b.Loop() {
			Heads(layers, HeadSpec{})
		}
	})
	b.Run("distances", func(b *testing.B) {
		for b.Loop() {
			HeadDistances(layers, HeadSpec{})
		}
	})
}

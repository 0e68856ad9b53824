package metric

import (
	"math"
	"math/rand/v2"
	"testing"
)

func newRand() *rand.Rand { return rand.New(rand.NewPCG(7, 11)) }

// TestBootstrapOfMean compares with the normal theory of a mean.
func TestBootstrapOfMean(t *testing.T) {
	rng := newRand()
	x := make([]float64, 400)
	sum, ss := 0.0, 0.0
	for i := range x {
		x[i] = rng.NormFloat64()
		sum += x[i]
	}
	mean := sum / 400
	for _, v := range x {
		ss += (v - mean) * (v - mean)
	}
	se := math.Sqrt(ss/400) / math.Sqrt(400)
	iv := Bootstrap(rng, len(x), 4000, func(idx []int) float64 {
		s := 0.0
		for _, i := range idx {
			s += x[i]
		}
		return s / float64(len(idx))
	})
	near(t, "estimate", iv.Estimate, mean)
	// The Monte Carlo error of a limit at 4000 resamples is about 4 % of se.
	for _, c := range []struct{ got, want float64 }{
		{iv.Low, mean - z975*se}, {iv.High, mean + z975*se}, {mean + iv.SD, mean + se},
	} {
		if math.Abs(c.got-c.want) > 0.15*se {
			t.Errorf("got %v, want about %v (se %v)", c.got, c.want, se)
		}
	}
	if iv.Resamples != 4000 || iv.Undefined != 0 {
		t.Errorf("%d resamples, %d undefined", iv.Resamples, iv.Undefined)
	}
}

func TestBootstrapIsReproducible(t *testing.T) {
	f := func(idx []int) float64 { return float64(idx[0]) }
	a, b := Bootstrap(newRand(), 30, 50, f), Bootstrap(newRand(), 30, 50, f)
	if a != b {
		t.Errorf("the same seed gave %+v and %+v", a, b)
	}
}

func TestBootstrapUndefined(t *testing.T) {
	iv := Bootstrap(newRand(), 10, 100, func(idx []int) float64 {
		if idx[0] < 5 {
			return math.NaN()
		}
		return 1
	})
	if iv.Undefined == 0 || iv.Undefined+iv.Resamples != 100 || iv.Low != 1 || iv.High != 1 {
		t.Errorf("NaN resamples must be counted and left out: %+v", iv)
	}
	for _, iv := range []Interval{
		Bootstrap(newRand(), 0, 10, func([]int) float64 { return 1 }),
		Bootstrap(newRand(), 10, 10, func([]int) float64 { return math.NaN() }),
	} {
		if !math.IsNaN(iv.Low) || !math.IsNaN(iv.High) || !math.IsNaN(iv.Estimate) {
			t.Errorf("got %+v, want NaN", iv)
		}
	}
	if iv := Bootstrap(newRand(), 10, 0, func([]int) float64 { return 3 }); iv.Estimate != 3 || !math.IsNaN(iv.Low) {
		t.Errorf("without resamples: %+v", iv)
	}
}

func TestBootstrapStratifiedKeepsStrata(t *testing.T) {
	stratum := []int{9, 4, 9, 9, 4, 7}
	calls := 0
	BootstrapStratified(newRand(), stratum, 200, func(idx []int) float64 {
		calls++
		count := map[int]int{}
		for _, i := range idx {
			count[stratum[i]]++
		}
		if count[9] != 3 || count[4] != 2 || count[7] != 1 {
			t.Fatalf("a resample has strata %v", count)
		}
		return 0
	})
	if calls != 201 {
		t.Errorf("%d calls, want 200 and one for the estimate", calls)
	}
}

// TestBootstrapClusters checks that members stay together, and that intervals
// of clustered data are wider than those that take examples for independent.
func TestBootstrapClusters(t *testing.T) {
	cluster := []int{1, 1, 1, 2, 2, 3}
	BootstrapClusters(newRand(), cluster, 200, func(idx []int) float64 {
		count := map[int]int{}
		for _, i := range idx {
			count[i]++
		}
		if count[0] != count[1] || count[1] != count[2] || count[3] != count[4] {
			t.Fatalf("a cluster was torn apart: %v", idx)
		}
		return 0
	})

	rng := newRand()
	const groups, size = 40, 10
	x, label := make([]float64, groups*size), make([]int, groups*size)
	for g := range groups {
		v := rng.NormFloat64()
		for j := range size {
			x[g*size+j], label[g*size+j] = v, g
		}
	}
	mean := func(idx []int) float64 {
		s := 0.0
		for _, i := range idx {
			s += x[i]
		}
		return s / float64(len(idx))
	}
	naive, honest := Bootstrap(rng, len(x), 500, mean), BootstrapClusters(rng, label, 500, mean)
	// Ten copies of each value: the honest standard error is sqrt(10) as large.
	if r := honest.SD / naive.SD; math.Abs(r-math.Sqrt(size)) > 0.5 {
		t.Errorf("clusters widen the interval %.2f times, want about %.2f", r, math.Sqrt(size))
	}
}

func TestQuantile(t *testing.T) {
	x := []float64{1, 2, 4, 8}
	for _, c := range []struct{ p, want float64 }{{0, 1}, {1, 8}, {0.5, 3}, {0.25, 1.75}, {0.9, 6.8}} {
		near(t, "quantile", quantile(x, c.p), c.want)
	}
}

func BenchmarkBootstrapAUROC(b *testing.B) {
	rng := newRand()
	scores, positive := make([]float64, 5000), make([]bool, 5000)
	for i := range scores {
		scores[i], positive[i] = rng.Float64(), rng.IntN(2) == 0
	}
	m, err := NewBinary(scores, positive)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Bootstrap(rng, m.N(), 10, func(idx []int) float64 { return m.Resample(idx).AUROC() })
	}
}

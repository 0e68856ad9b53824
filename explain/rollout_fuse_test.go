package explain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// specs returns every kind of FuseSpec for n positions.
func specs(n int) []FuseSpec {
	mask := make([]bool, n)
	for i := range mask {
		mask[i] = i%5 != 3
	}
	var out []FuseSpec
	for _, fusion := range []Fusion{Mean, Max, Min} {
		for _, discard := range []float64{0, 0.3, 0.9, 0.999} {
			for _, bare := range []bool{false, true} {
				out = append(out, FuseSpec{fusion, discard, bare, nil}, FuseSpec{fusion, discard, bare, mask})
			}
		}
	}
	return out
}

// TestFuse checks, for every spec, that rows sum to 1 (a division by the sum of
// the wrong row or of the column shows here, except for mean fusion without a
// mask), that padding has nothing, and that one row of the full rollout is what
// Roll gives.
func TestFuse(t *testing.T) {
	const n = 17
	layers := randomLayers(rand.New(rand.NewPCG(11, 12)), 4, 3, n, 2)
	for _, spec := range specs(n) {
		fused := Fuse(layers, spec)
		full := FullRollout(fused)
		for i := range n {
			on := spec.Mask == nil || spec.Mask[i]
			for l := range fused {
				sum := 0.0
				for j, w := range fused[l].Row(i) {
					sum += float64(w)
					if w < 0 || w > 0 && (!on || spec.Mask != nil && !spec.Mask[j]) {
						t.Fatalf("%+v: W[%d, %d] = %v", spec, i, j, w)
					}
				}
				if on && math.Abs(sum-1) > 1e-6 || !on && sum != 0 {
					t.Fatalf("%+v: row %d sums to %v", spec, i, sum)
				}
			}
			if !on {
				continue
			}
			sum := 0.0
			for j, v := range Roll(fused, ReadRow(n, i)) {
				sum += v
				if math.Abs(v-float64(full.Row(i)[j])) > 1e-6 {
					t.Fatalf("%+v: R[%d, %d] = %v, in full %v", spec, i, j, v, full.Row(i)[j])
				}
			}
			if math.Abs(sum-1) > 1e-6 {
				t.Fatalf("%+v: rollout of row %d sums to %v", spec, i, sum)
			}
		}
	}
}

// TestDiscard counts: floor(r·L²) entries of the whole matrix go, those of the
// diagonal never, and ties stay together.
func TestDiscard(t *testing.T) {
	layer := Layer{Heads: 1, Length: 3, Weights: []float32{
		.1, .2, .7,
		.5, .1, .4,
		.25, .25, .5,
	}}
	all := []float32{.1, .2, .7, .5, .1, .4, .25, .25, .5}
	self := []float32{.1, 0, 0, 0, .1, 0, 0, 0, .5}
	for _, c := range []struct {
		discard float64
		want    []float32
	}{
		{0, all},
		{0.1, all}, // 0 entries of 9
		{0.2, []float32{.1, 0, .7, .5, .1, .4, .25, .25, .5}}, // 1
		{0.3, []float32{.1, 0, .7, .5, .1, .4, .25, .25, .5}}, // 2 would split the two .25
		{0.34, []float32{.1, 0, .7, .5, .1, .4, 0, 0, .5}},    // 3
		{4. / 9, []float32{.1, 0, .7, .5, .1, 0, 0, 0, .5}},   // 4, in spite of rounding
		{5. / 9, []float32{.1, 0, .7, 0, .1, 0, 0, 0, .5}},    // 5
		{0.7, self}, {0.9, self}, // 6 and 8 of the 6 that may go
	} {
		m := Fuse([]Layer{layer}, FuseSpec{Discard: c.discard, NoResidual: true})[0]
		want := (&Mixing{"", 3, c.want}).Normalized()
		if !slices.Equal(m.Weights, want.Weights) {
			t.Errorf("discard %v: %v, want %v", c.discard, m.Weights, want.Weights)
		}
	}
	defer func() {
		if p := recover(); p != "explain: discard ratio 1 is not in [0, 1)" {
			t.Errorf("panic %v", p)
		}
	}()
	Fuse([]Layer{layer}, FuseSpec{Discard: 1})
}

func TestSmallest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	for range 50 {
		values := make([]float32, 1+r.IntN(200))
		for i := range values {
			values[i] = float32(r.IntN(30)) / 7 * float32(math.Exp(-float64(r.IntN(40))))
		}
		sorted := slices.Sorted(slices.Values(values))
		for k, want := range sorted {
			if got := smallest(values, k); got != want {
				t.Fatalf("value %d of %v is %v, got %v", k, sorted, want, got)
			}
		}
	}
}

// TestFuseSameBits runs the fusion and the rollout on one core and on several.
func TestFuseSameBits(t *testing.T) {
	const n = 300 // enough work for several cores
	layers := randomLayers(rand.New(rand.NewPCG(2, 1)), 2, 2, n, 2)
	run := func(cores int) []float64 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		fused := Fuse(layers, FuseSpec{Fusion: Max, Discard: 0.5})
		out := Roll(fused, ReadMean(n, 1))
		for _, w := range FullRollout(fused).Weights {
			out = append(out, float64(w))
		}
		return out
	}
	if want := run(1); !slices.Equal(run(2), want) || !slices.Equal(run(5), want) {
		t.Error("the number of cores changes the bits")
	}
}

// BenchmarkRollout runs in turn the two halves of a [CLS] rollout, the fusion of
// 12 heads in 12 layers and the way back through the fused matrices, and the
// product of the matrices that the second half avoids. It reports ratios.
func BenchmarkRollout(b *testing.B) {
	for _, n := range []int{128, 512, 1024} {
		layers := slices.Repeat(randomLayers(rand.New(rand.NewPCG(1, 2)), 1, 12, n, 2), 12)
		fused := Fuse(layers, FuseSpec{})
		readout := ReadRow(n, 0)
		runs := []struct {
			name string
			f    func()
		}{
			{"row", func() { Roll(fused, readout) }},
			{"full", func() { FullRollout(fused) }},
			{"mean", func() { Fuse(layers, FuseSpec{}) }},
			{"max", func() { Fuse(layers, FuseSpec{Fusion: Max}) }},
			{"max-discard", func() { Fuse(layers, FuseSpec{Fusion: Max, Discard: 0.9}) }},
		}
		b.Run(fmt.Sprintf("L=%d", n), func(b *testing.B) {
			spent := make([]time.Duration, len(runs))
			for b.Loop() {
				for i, r := range runs {
					start := time.Now()
					r.f()
					spent[i] += time.Since(start)
				}
			}
			b.ReportMetric(float64(spent[0].Microseconds())/1e3/float64(b.N), "row-ms")
			for i, r := range runs[1:] {
				b.ReportMetric(float64(spent[1+i])/float64(spent[0]), r.name+"/row")
			}
		})
	}
}

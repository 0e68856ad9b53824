package volume

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A volume that nothing changes is itself, and a mirror twice is none.
func TestAugmentAndMirror(t *testing.T) {
	size := [3]int{3, 4, 5}
	x := noise(60*2, source())
	y := make([]float32, len(x))
	(&Augment{}).Apply(y, x, size, 0, source())
	if !slices.Equal(x, y) {
		t.Error("no augmentation changes the volume")
	}
	for axes := range 8 {
		z := make([]float32, len(x))
		Mirror(y, x, size, axes)
		Mirror(z, y, size, axes)
		if !slices.Equal(x, z) || axes > 0 && slices.Equal(x, y) {
			t.Errorf("mirror %d", axes)
		}
	}
	// Flips of Apply are mirrors, and all eight come up.
	seen := map[int]int{}
	r := source()
	for range 200 {
		(&Augment{Flip: [3]bool{true, true, true}}).Apply(y, x, size, 0, r)
		for axes := range 8 {
			z := make([]float32, len(x))
			if Mirror(z, x, size, axes); slices.Equal(y, z) {
				seen[axes]++
			}
		}
	}
	total := 0
	for axes := range 8 {
		total += seen[axes]
		if seen[axes] < 5 {
			t.Errorf("mirror %d came up %d times of 200", axes, seen[axes])
		}
	}
	if total != 200 {
		t.Errorf("%d of 200 flips are mirrors", total)
	}
}

// A ball keeps its volume to a few per cent when it is turned and shifted, and
// goes where the shift says.
func TestAugmentKeepsVolume(t *testing.T) {
	size := [3]int{21, 21, 21}
	x, y := make([]float32, 9261), make([]float32, 9261)
	var before float64
	for i := range x {
		z, v, w := float64(i/441-10), float64(i/21%21-10), float64(i%21-8)
		if z*z+v*v/4+w*w < 9 {
			x[i] = 1
			before++
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		(&Augment{Rotate: 30, Shift: 2}).Apply(y, x, size, 0, r)
		after := 0.0
		for _, v := range y {
			after += float64(v)
		}
		if math.Abs(after-before) > 0.05*before {
			t.Errorf("volume %v before, %v after", before, after)
		}
	}
	(&Augment{Intensity: 0.2}).Apply(y, x, size, 0, r)
	if top := slices.Max(y); top == 1 || top < 0.8 || top > 1.2 {
		t.Errorf("intensity 1 became %v", top)
	}
}

// A box has the volume, surface, extents and moments of the formulas.
func TestShapeFeaturesOfABox(t *testing.T) {
	size, mm := [3]int{8, 9, 10}, [3]float64{2, 1, 0.5}
	x := make([]float32, 720)
	for z := 2; z < 6; z++ { // 4 x 3 x 6 voxels: 8 x 3 x 3 mm
		for y := 1; y < 4; y++ {
			for w := 3; w < 9; w++ {
				x[(z*9+y)*10+w] = 1
			}
		}
	}
	f := ShapeFeatures(x, size, mm)
	second := func(n int, mm float64) float64 { return mm * math.Sqrt(float64(n*n-1)/12) }
	inner := 2 * 1 * 4.0 // voxels in the second layer, of 72
	want := []float64{8 * 3 * 3, 2 * (8*3 + 8*3 + 3*3), inner / 72, 1 - inner/72, inner / 72, 0, 0,
		8, 3, 3, second(4, 2), second(3, 1), second(6, 0.5),
		second(4, 2), second(6, 0.5), second(3, 1)}
	if len(f) != len(want) {
		t.Fatalf("%d features, want %d", len(f), len(want))
	}
	for i, w := range want {
		if math.Abs(float64(f[i])-w) > 1e-4 {
			t.Errorf("feature %d is %v, want %v", i, f[i], w)
		}
	}
	if e := ShapeFeatures(make([]float32, 720), size, mm); slices.Max(e) != 0 {
		t.Errorf("an empty volume has features %v", e)
	}
}

func TestHistogramFeatures(t *testing.T) {
	f := HistogramFeatures([]float32{-1, 0, 0.26, 0.51, 1, 2})
	for b, want := range map[int]float32{0: 2. / 6, 4: 1. / 6, 8: 1. / 6, 15: 2. / 6, Bins + 2: 0.5} {
		if math.Abs(float64(f[b]-want)) > 1e-6 {
			t.Errorf("feature %d is %v, want %v", b, f[b], want)
		}
	}
}

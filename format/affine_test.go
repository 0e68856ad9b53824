package format

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestAffine(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var a Affine
		for i := range a {
			for j := range a[i] {
				a[i][j] = r.NormFloat64()
			}
		}
		if a.Check() != nil || math.Abs(a.Determinant()) < .05 {
			continue
		}
		p := [3]float64{r.Float64() * 100, r.Float64() * 100, r.Float64() * 100}
		q := a.Inverse().Apply(a.Apply(p))
		for i := range p {
			if math.Abs(p[i]-q[i]) > 1e-6 {
				t.Fatalf("%v there and back is %v", p, q)
			}
		}
		if s := a.Shift(p).Apply([3]float64{}); s != a.Apply(p) {
			t.Fatalf("shift %v, want %v", s, a.Apply(p))
		}
	}
	las := Affine{{-2, 0, 0, 5}, {0, 3, 0, 6}, {0, 0, 4, 7}}
	if las.Orientation() != "LAS" || las.Determinant() != -24 || las.Spacing() != [3]float64{2, 3, 4} || las.Obliquity() != 0 || las.Skew() != 0 {
		t.Error(las.Orientation(), las.Determinant(), las.Spacing(), las.Obliquity(), las.Skew())
	}
	if got := las.FlipXY().Orientation(); got != "RPS" {
		t.Error(got)
	}
	sagittal := Affine{{0, 0, -3, 0}, {-1, .1, 0, 0}, {.1, 1, 0, 0}}
	if got := sagittal.Orientation(); got != "PSL" {
		t.Error(got)
	}
	if got := sagittal.Obliquity(); math.Abs(got-math.Atan(.1)*180/math.Pi) > 1e-9 {
		t.Error(got)
	}
	tilted := Affine{{1, 0, 0, 0}, {0, 1, .2, 0}, {0, 0, 1, 0}}
	if got := tilted.Skew(); math.Abs(got-math.Atan(.2)*180/math.Pi) > 1e-9 {
		t.Error(got)
	}
	if got := las.Distance(las.Shift([3]float64{0, 1, 0}), [3]int{9, 9, 9}); got != 3 {
		t.Error(got)
	}
}

func TestSameGrid(t *testing.T) {
	v := &Volume{Shape: [3]int{2, 2, 2}, Affine: Affine{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}, Data: make([]float32, 8)}
	w := v.Like()
	if err := v.SameGrid(w, 0); err != nil {
		t.Error(err)
	}
	w.Affine[2][3] = 1.5
	if err := v.SameGrid(w, 1); err == nil || err.Error() != "lies up to 1.5 mm from the voxels of the image" {
		t.Error(err)
	}
	w.Shape[2] = 1
	if err := v.SameGrid(w, 1); err == nil || err.Error() != "2 x 2 x 1 voxels, but the image has 2 x 2 x 2" {
		t.Error(err)
	}
	if err := w.Check(); err == nil || err.Error() != "2 x 2 x 1 voxels, but 8 values" {
		t.Error(err)
	}
}

package format

import (
	"fmt"
	"math"
)

// MaxVoxels is the greatest number of voxels of a volume: 1 Gi, which take 4 GiB
// as float32. A CT of 512 x 512 x 2000 has half as many.
const MaxVoxels = 1 << 30

// A Volume is a block of voxels with its place in space: what readers of NIfTI,
// NRRD and DICOM have in common.
type Volume struct {
	// Shape is (nx, ny, nz), the number of voxels along each axis.
	Shape [3]int
	// Data holds the values, HU for a CT, x the fastest: voxel (x, y, z) is
	// Data[x+nx*(y+ny*z)].
	Data []float32
	// Affine takes the index of a voxel to the position of its centre.
	Affine Affine
	// Stored is the type of the numbers in the file.
	Stored NumberType
	// Rounded counts the integers that float32 does not hold exactly.
	Rounded int
}

// Index returns the index in Data of a voxel.
func (v *Volume) Index(x, y, z int) int { return x + v.Shape[0]*(y+v.Shape[1]*z) }

// At returns the value of a voxel.
func (v *Volume) At(x, y, z int) float32 { return v.Data[v.Index(x, y, z)] }

// Like returns a volume with the shape and the place of v and voxels of zero.
func (v *Volume) Like() *Volume {
	return &Volume{Shape: v.Shape, Affine: v.Affine, Stored: v.Stored, Data: make([]float32, len(v.Data))}
}

// Check returns an error if a volume is not one that could be written: sizes that
// are not those of Data, a place that is no place.
func (v *Volume) Check() error {
	n, err := CountVoxels(v.Shape, MaxVoxels)
	if err != nil {
		return err
	}
	if n != len(v.Data) {
		return fmt.Errorf("%d x %d x %d voxels, but %d values", v.Shape[0], v.Shape[1], v.Shape[2], len(v.Data))
	}
	return v.Affine.Check()
}

// CountVoxels returns the number of voxels of a shape. Sizes below 1 and more
// voxels than the limit are errors: they are found before memory is taken.
func CountVoxels(shape [3]int, limit int) (int, error) {
	n := 1
	for i, d := range shape {
		if d < 1 {
			return 0, fmt.Errorf("size of axis %d is %d, want 1 or more", i+1, d)
		}
		if n > limit/d {
			return 0, fmt.Errorf("%d x %d x %d voxels; the limit is %d", shape[0], shape[1], shape[2], limit)
		}
		n *= d
	}
	return n, nil
}

// SameGrid returns an error that says how w, a mask say, does not lie on the
// voxels of v: in number, or by more than tolerance mm at the corner where it is
// worst.
func (v *Volume) SameGrid(w *Volume, tolerance float64) error {
	if v.Shape != w.Shape {
		return fmt.Errorf("%d x %d x %d voxels, but the image has %d x %d x %d",
			w.Shape[0], w.Shape[1], w.Shape[2], v.Shape[0], v.Shape[1], v.Shape[2])
	}
	if mm := v.Affine.Distance(w.Affine, v.Shape); mm > tolerance {
		return fmt.Errorf("lies up to %.3g mm from the voxels of the image", mm)
	}
	return nil
}

// Distance returns how far apart, in mm, two affines put the same voxel of a
// volume, at the corner where that is most.
func (a Affine) Distance(b Affine, shape [3]int) float64 {
	most := 0.
	for corner := range 8 {
		var at [3]float64
		for i := range at {
			if corner>>i&1 == 1 {
				at[i] = float64(shape[i] - 1)
			}
		}
		p, q := a.Apply(at), b.Apply(at)
		most = math.Max(most, math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2]))
	}
	return most
}

package format

import (
	"fmt"
	"math"
)

// An Affine takes the index (i, j, k) of a voxel to the position of its centre in
// mm: x grows towards the patient's right, y towards anterior, z
// towards superior (RAS). Row r is A[r][0]*i + A[r][1]*j + A[r][2]*k + A[r][3].
type Affine [3][4]float64

// Apply returns the position of a voxel, whose index may lie between voxels.
func (a Affine) Apply(p [3]float64) [3]float64 {
	var out [3]float64
	for r := range out {
		out[r] = a[r][0]*p[0] + a[r][1]*p[1] + a[r][2]*p[2] + a[r][3]
	}
	return out
}

// Column returns the step in mm along a voxel axis.
func (a Affine) Column(axis int) [3]float64 { return [3]float64{a[0][axis], a[1][axis], a[2][axis]} }

// SetColumn sets the step along an axis; axis 3 is the position of voxel (0, 0, 0).
func (a *Affine) SetColumn(axis int, v [3]float64) {
	for r := range v {
		a[r][axis] = v[r]
	}
}

// Spacing returns the distance in mm between neighbours along each voxel axis.
func (a Affine) Spacing() [3]float64 {
	var out [3]float64
	for i := range out {
		out[i] = norm(a.Column(i))
	}
	return out
}

// Determinant returns the volume of a voxel in mm³, negative where the axes are
// left-handed.
func (a Affine) Determinant() float64 {
	return a[0][0]*(a[1][1]*a[2][2]-a[1][2]*a[2][1]) -
		a[0][1]*(a[1][0]*a[2][2]-a[1][2]*a[2][0]) +
		a[0][2]*(a[1][0]*a[2][1]-a[1][1]*a[2][0])
}

// Check returns an error if the affine is not finite or maps to a plane.
func (a Affine) Check() error {
	for _, row := range a {
		for _, x := range row {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("affine holds %v", x)
			}
		}
	}
	s := a.Spacing()
	size := s[0] * s[1] * s[2]
	if !(size > 0) || math.IsInf(size, 0) {
		return fmt.Errorf("voxels of %.4g x %.4g x %.4g mm", s[0], s[1], s[2])
	}
	if math.Abs(a.Determinant()) < 1e-6*size {
		return fmt.Errorf("axes of the voxels lie in a plane")
	}
	return nil
}

// Inverse returns the affine that takes positions to indices. The affine must
// have passed Check.
func (a Affine) Inverse() Affine {
	d := a.Determinant()
	var out Affine
	for r := range 3 {
		for c := range 3 {
			// The cofactor of element (c, r), with signs by cyclic indices.
			i, j, k, l := (c+1)%3, (c+2)%3, (r+1)%3, (r+2)%3
			out[r][c] = (a[i][k]*a[j][l] - a[i][l]*a[j][k]) / d
		}
	}
	for r := range 3 {
		out[r][3] = -(out[r][0]*a[0][3] + out[r][1]*a[1][3] + out[r][2]*a[2][3])
	}
	return out
}

// FlipXY turns LPS, the axes of DICOM and ITK, into RAS, and back.
func (a Affine) FlipXY() Affine {
	for r := range 2 {
		for c := range a[r] {
			if a[r][c] != 0 { // no negative zeros
				a[r][c] = -a[r][c]
			}
		}
	}
	return a
}

// Axes returns for each voxel axis the axis of space nearest to it (0 is
// right-left, 1 anterior-posterior, 2 superior-inferior), each once, and whether
// the index grows towards right, anterior or superior.
func (a Affine) Axes() (axis [3]int, positive [3]bool) {
	// The best of the six assignments: greedy choices can clash.
	best := -1.
	s := a.Spacing()
	for _, p := range [6][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		sum := 0.
		for i, r := range p {
			sum += math.Abs(a[r][i]) / s[i]
		}
		if sum > best+1e-12 {
			best, axis = sum, p
		}
	}
	for i, r := range axis {
		positive[i] = a[r][i] > 0
	}
	return axis, positive
}

// Orientation returns the directions in which indices grow, as in "RAS" or "LPS".
func (a Affine) Orientation() string {
	axis, positive := a.Axes()
	code := make([]byte, 3)
	for i := range code {
		if positive[i] {
			code[i] = "RAS"[axis[i]]
		} else {
			code[i] = "LPI"[axis[i]]
		}
	}
	return string(code)
}

// Obliquity returns the greatest angle in degrees between a voxel axis and the
// axis of space nearest to it.
func (a Affine) Obliquity() float64 {
	axis, _ := a.Axes()
	s := a.Spacing()
	most := 0.
	for i, r := range axis {
		most = math.Max(most, math.Acos(math.Min(1, math.Abs(a[r][i])/s[i])))
	}
	return most * 180 / math.Pi
}

// Skew returns by how many degrees the angle between two voxel axes differs from
// 90, where that is most: 0 for all but volumes of a tilted gantry.
func (a Affine) Skew() float64 {
	s := a.Spacing()
	most := 0.
	for i := range 3 {
		for j := range i {
			c := dot(a.Column(i), a.Column(j)) / (s[i] * s[j])
			most = math.Max(most, math.Abs(math.Asin(math.Max(-1, math.Min(1, c)))))
		}
	}
	return most * 180 / math.Pi
}

// Shift returns the affine of a volume whose voxel (0, 0, 0) is voxel p of a.
func (a Affine) Shift(p [3]float64) Affine {
	a.SetColumn(3, a.Apply(p))
	return a
}

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func norm(a [3]float64) float64 { return math.Sqrt(dot(a, a)) }

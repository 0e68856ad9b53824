// Package nifti reads and writes NIfTI-1 and NIfTI-2 volumes in one file (.nii),
// gzipped or not, in either byte order.
//
//	im, err := nifti.Open("ct.nii.gz") // an Image: a format.Volume and what the header says of its place
//
// A header may place the voxels twice, by the sform (an affine) and by the qform
// (a rotation). Programs disagree on which counts: nibabel and FSL take the sform,
// ITK the qform. Here the sform counts, and [Image.Disagreement] says in mm how
// far the other is away.
//
// Free text of the header (description, names of files) may hold names of
// patients: it is neither kept nor shown.
//
// Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group.
package nifti

import (
	"math"

	"heed/format"
)

// An Image is a volume and what its header says of its place.
type Image struct {
	format.Volume

	Version int    // 1 or 2
	Big     bool   // big-endian
	Frames  int    // volumes in the file, one after the other
	Unit    string // of length, as the header has it: "mm", "m", "µm", "unknown" (taken for mm)
	// Slope and Intercept have been applied to the numbers.
	Slope, Intercept float64
	// Place says where Affine comes from: "sform", "qform" or "voxel sizes", which
	// give no position and no orientation.
	Place string
	// SForm and QForm are the two affines; nil where the code is 0.
	SForm, QForm         *format.Affine
	SFormCode, QFormCode int
	// Trailing counts the bytes after the voxels.
	Trailing int64
}

// Disagreement returns how far apart sform and qform put a voxel at most, in mm,
// and the angle in degrees between them, where that is most. Both are 0 if one is
// absent.
func (im *Image) Disagreement() (mm, degrees float64) {
	if im.SForm == nil || im.QForm == nil {
		return 0, 0
	}
	for axis := range 3 {
		a, b := im.SForm.Column(axis), im.QForm.Column(axis)
		dot, aa, bb := 0., 0., 0.
		for r := range a {
			dot, aa, bb = dot+a[r]*b[r], aa+a[r]*a[r], bb+b[r]*b[r]
		}
		angle := math.Acos(math.Max(-1, math.Min(1, dot/math.Sqrt(aa*bb))))
		degrees = math.Max(degrees, angle*180/math.Pi)
	}
	return im.SForm.Distance(*im.QForm, im.Shape), degrees
}

// A quaternion is a rotation as the qform has it, with the sign of the third axis.
type quaternion struct{ b, c, d, qfac float64 }

// rotation returns the columns of the rotation, the third times qfac.
func (q quaternion) rotation() (r [3][3]float64, ok bool) {
	b, c, d := q.b, q.c, q.d
	a := 1 - (b*b + c*c + d*d)
	if !(a > -1e-3) { // NaN too; rounding puts half turns slightly below 0
		return r, false
	}
	if a < 1e-7 {
		n := math.Sqrt(b*b + c*c + d*d)
		a, b, c, d = 0, b/n, c/n, d/n
	} else {
		a = math.Sqrt(a)
	}
	r = [3][3]float64{
		{a*a + b*b - c*c - d*d, 2 * (b*c - a*d), 2 * (b*d + a*c)},
		{2 * (b*c + a*d), a*a + c*c - b*b - d*d, 2 * (c*d - a*b)},
		{2 * (b*d - a*c), 2 * (c*d + a*b), a*a + d*d - b*b - c*c},
	}
	for i := range r {
		r[i][2] *= q.qfac
	}
	return r, true
}

// quaternionOf returns the rotation nearest to the axes of an affine, and the
// sizes of its voxels.
func quaternionOf(a format.Affine) (q quaternion, size [3]float64) {
	size = a.Spacing()
	var r [3][3]float64
	for i := range 3 {
		for j := range 3 {
			r[i][j] = a[i][j] / size[j]
		}
	}
	q.qfac = 1
	if a.Determinant() < 0 {
		q.qfac = -1
		for i := range r {
			r[i][2] = -r[i][2]
		}
	}
	r = orthogonal(r)
	// The largest of the four components first, so that nothing is divided by
	// almost zero.
	switch t := r[0][0] + r[1][1] + r[2][2]; {
	case t > 0:
		s := 2 * math.Sqrt(1+t)
		q.b, q.c, q.d = (r[2][1]-r[1][2])/s, (r[0][2]-r[2][0])/s, (r[1][0]-r[0][1])/s
	case r[0][0] >= r[1][1] && r[0][0] >= r[2][2]:
		s := 2 * math.Sqrt(1+r[0][0]-r[1][1]-r[2][2])
		q.b, q.c, q.d = s/4, (r[0][1]+r[1][0])/s, (r[0][2]+r[2][0])/s
		q.positive(r[2][1] - r[1][2])
	case r[1][1] >= r[2][2]:
		s := 2 * math.Sqrt(1+r[1][1]-r[0][0]-r[2][2])
		q.b, q.c, q.d = (r[0][1]+r[1][0])/s, s/4, (r[1][2]+r[2][1])/s
		q.positive(r[0][2] - r[2][0])
	default:
		s := 2 * math.Sqrt(1+r[2][2]-r[0][0]-r[1][1])
		q.b, q.c, q.d = (r[0][2]+r[2][0])/s, (r[1][2]+r[2][1])/s, s/4
		q.positive(r[1][0] - r[0][1])
	}
	return q, size
}

// positive turns the sign so that the component that is not stored, whose sign is
// that of a, is not negative.
func (q *quaternion) positive(a float64) {
	if a < 0 {
		q.b, q.c, q.d = -q.b, -q.c, -q.d
	}
}

// orthogonal returns the rotation nearest to a matrix, by Newton's iteration for
// the polar decomposition, r = (r + r^-T) / 2.
func orthogonal(r [3][3]float64) [3][3]float64 {
	for range 30 {
		var a format.Affine
		for i := range r {
			copy(a[i][:], r[i][:])
		}
		inv := a.Inverse()
		change := 0.
		for i := range 3 {
			for j := range 3 {
				x := (r[i][j] + inv[j][i]) / 2
				change = math.Max(change, math.Abs(x-r[i][j]))
				r[i][j] = x
			}
		}
		if change < 1e-15 {
			break
		}
	}
	return r
}

package volume

import (
	"math"
	"math/rand/v2"
)

// An Augment says how a volume may be changed without a change of its class.
// It never changes how large things are: that may be what the class is about.
type Augment struct {
	Flip      [3]bool `json:"flip"`      // mirror along depth, height, width, each with probability ½
	Rotate    float64 `json:"rotate"`    // degrees, at most, about a random axis
	Shift     float64 `json:"shift"`     // voxels, at most, along each axis
	Intensity float64 `json:"intensity"` // multiply values by 1 ± this, at most
}

// Apply writes a changed copy of src (D, H, W, C) to dst. Beyond the borders of
// src lies fill. Rotations take equal spacing along all axes for granted; values
// between voxels are interpolated linearly.
func (a *Augment) Apply(dst, src []float32, size [3]int, fill float32, r *rand.Rand) {
	m := a.matrix(r)
	var shift [3]float64
	for i := range shift {
		shift[i] = (2*r.Float64() - 1) * a.Shift
	}
	factor := float32(1 + (2*r.Float64()-1)*a.Intensity)
	if a.Rotate == 0 && a.Shift == 0 {
		for i := range shift {
			shift[i] = 0
		}
	}
	resample(dst, src, size, fill, m, shift)
	if a.Intensity != 0 {
		for i := range dst {
			dst[i] *= factor
		}
	}
}

// matrix draws a rotation and mirrors.
func (a *Augment) matrix(r *rand.Rand) [3][3]float64 {
	m := [3][3]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
	if a.Rotate > 0 {
		var axis [3]float64
		norm := 0.0
		for i := range axis {
			axis[i] = r.NormFloat64()
			norm += axis[i] * axis[i]
		}
		for i := range axis {
			axis[i] /= math.Sqrt(norm)
		}
		sin, cos := math.Sincos((2*r.Float64() - 1) * a.Rotate * math.Pi / 180)
		x, y, z := axis[0], axis[1], axis[2]
		m = [3][3]float64{ // Rodrigues
			{cos + x*x*(1-cos), x*y*(1-cos) - z*sin, x*z*(1-cos) + y*sin},
			{y*x*(1-cos) + z*sin, cos + y*y*(1-cos), y*z*(1-cos) - x*sin},
			{z*x*(1-cos) - y*sin, z*y*(1-cos) + x*sin, cos + z*z*(1-cos)},
		}
	}
	for i, on := range a.Flip {
		if on && r.IntN(2) == 1 {
			for j := range 3 {
				m[i][j] = -m[i][j]
			}
		}
	}
	return m
}

// resample sets voxel p of dst to the value of src at m·(p-c) + c + shift, where
// c is the centre.
func resample(dst, src []float32, size [3]int, fill float32, m [3][3]float64, shift [3]float64) {
	c := len(src) / (size[0] * size[1] * size[2])
	var centre [3]float64
	for i := range centre {
		centre[i] = float64(size[i]-1) / 2
	}
	at := 0
	for z := range size[0] {
		for y := range size[1] {
			for x := range size[2] {
				p := [3]float64{float64(z) - centre[0], float64(y) - centre[1], float64(x) - centre[2]}
				var q [3]float64
				for i := range q {
					q[i] = m[i][0]*p[0] + m[i][1]*p[1] + m[i][2]*p[2] + centre[i] + shift[i]
				}
				trilinear(dst[at:at+c], src, size, fill, q)
				at += c
			}
		}
	}
}

// trilinear writes the C values of src at place q.
func trilinear(dst, src []float32, size [3]int, fill float32, q [3]float64) {
	c := len(dst)
	var low [3]int
	var part [3]float32
	for i, v := range q {
		f := math.Floor(v + 1e-9)
		low[i], part[i] = int(f), float32(math.Max(0, v-f))
	}
	clear(dst)
	for corner := range 8 {
		w := float32(1)
		var p [3]int
		inside := true
		for i := range 3 {
			p[i] = low[i] + corner>>i&1
			if corner>>i&1 == 1 {
				w *= part[i]
			} else {
				w *= 1 - part[i]
			}
			inside = inside && p[i] >= 0 && p[i] < size[i]
		}
		if w == 0 {
			continue
		}
		from := ((p[0]*size[1]+p[1])*size[2] + p[2]) * c
		for j := range dst {
			v := fill
			if inside {
				v = src[from+j]
			}
			dst[j] += w * v
		}
	}
}

// Mirror writes src (D, H, W, C) to dst, mirrored along the axes of which axes
// has a bit: 1 for depth, 2 for height, 4 for width.
func Mirror(dst, src []float32, size [3]int, axes int) {
	c := len(src) / (size[0] * size[1] * size[2])
	at := 0
	for z := range size[0] {
		for y := range size[1] {
			for x := range size[2] {
				p := [3]int{z, y, x}
				for i := range p {
					if axes>>i&1 == 1 {
						p[i] = size[i] - 1 - p[i]
					}
				}
				copy(dst[at:at+c], src[((p[0]*size[1]+p[1])*size[2]+p[2])*c:])
				at += c
			}
		}
	}
}

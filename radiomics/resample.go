package radiomics

import (
	"fmt"
	"math"

	"heed/format"
)

// A Grid is where voxels lie.
type Grid struct {
	Shape  [3]int
	Affine format.Affine
}

// Isotropic returns the grid of cubes with edges of mm that covers v: its axes are
// those of v, its number of voxels is that of v times the spacings, rounded, and its
// centre is the centre of v.
func Isotropic(v *format.Volume, mm float64) (Grid, error) {
	g := Grid{Affine: v.Affine}
	spacing := v.Affine.Spacing()
	var start [3]float64
	for i, s := range spacing {
		n := math.Round(float64(v.Shape[i]) * s / mm)
		if !(n < 1<<31) {
			return Grid{}, fmt.Errorf("voxels of %g mm: too many along axis %d", mm, i+1)
		}
		g.Shape[i] = max(int(n), 1)
		c := v.Affine.Column(i)
		for r := range c {
			c[r] *= mm / s
		}
		g.Affine.SetColumn(i, c)
		start[i] = float64(v.Shape[i]-1)/2 - float64(g.Shape[i]-1)/2*mm/s
	}
	g.Affine.SetColumn(3, v.Affine.Apply(start))
	_, err := format.CountVoxels(g.Shape, format.MaxVoxels)
	return g, err
}

// Resample returns v on another grid by trilinear interpolation; outside of v the
// value is outside (-1024, air, for a CT). Where the new voxels are larger, v is
// blurred first by a Gaussian of sigma sqrt(r²-1)/2 of its voxels, r being the ratio
// of the spacings, so that no voxel is skipped.
func Resample(v *format.Volume, g Grid, outside float32) *format.Volume {
	out := &format.Volume{Shape: g.Shape, Affine: g.Affine, Stored: format.Float32, Data: make([]float32, g.Shape[0]*g.Shape[1]*g.Shape[2])}
	src := blurred(v, g)
	toVoxel := compose(v.Affine.Inverse(), g.Affine)
	nx, ny := g.Shape[0], g.Shape[1]
	s := src.Shape
	each(g.Shape[2], func(z int) {
		for y := range ny {
			row := out.Data[(z*ny+y)*nx:][:nx]
			for x := range row {
				p := toVoxel.Apply([3]float64{float64(x), float64(y), float64(z)})
				row[x] = trilinear(src, s, p, outside)
			}
		}
	})
	return out
}

// ResampleMask is Resample for labels: each voxel takes the label of the nearest one.
func ResampleMask(m *Mask, g Grid) *Mask {
	out := &Mask{Shape: g.Shape, Affine: g.Affine, Data: make([]uint8, g.Shape[0]*g.Shape[1]*g.Shape[2])}
	toVoxel := compose(m.Affine.Inverse(), g.Affine)
	nx, ny := g.Shape[0], g.Shape[1]
	each(g.Shape[2], func(z int) {
		for y := range ny {
			row := out.Data[(z*ny+y)*nx:][:nx]
			for x := range row {
				p := toVoxel.Apply([3]float64{float64(x), float64(y), float64(z)})
				i, j, k := int(math.Floor(p[0]+.5)), int(math.Floor(p[1]+.5)), int(math.Floor(p[2]+.5))
				if i >= 0 && j >= 0 && k >= 0 && i < m.Shape[0] && j < m.Shape[1] && k < m.Shape[2] {
					row[x] = m.Data[i+m.Shape[0]*(j+m.Shape[1]*k)]
				}
			}
		}
	})
	return out
}

// compose returns a after b.
func compose(a, b format.Affine) format.Affine {
	var out format.Affine
	for r := range 3 {
		for c := range 4 {
			for k := range 3 {
				out[r][c] += a[r][k] * b[k][c]
			}
		}
		out[r][3] += a[r][3]
	}
	return out
}

// trilinear interpolates at p, an index between voxels. Up to half a voxel beyond
// the centres of the outermost voxels, which is still within them, these count.
func trilinear(v *format.Volume, s [3]int, p [3]float64, outside float32) float32 {
	var at [3]int
	var w [3]float32
	for i := range p {
		x := p[i]
		if x < -.5-1e-6 || x > float64(s[i])-.5+1e-6 || x != x {
			return outside
		}
		x = math.Max(0, math.Min(float64(s[i]-1), x))
		f := math.Floor(x)
		at[i], w[i] = int(f), float32(x-f)
		if at[i] == s[i]-1 && s[i] > 1 {
			at[i], w[i] = at[i]-1, 1
		}
	}
	dx, dy, dz := 1, s[0], s[0]*s[1]
	if s[0] == 1 {
		dx = 0
	}
	if s[1] == 1 {
		dy = 0
	}
	if s[2] == 1 {
		dz = 0
	}
	i := at[0] + s[0]*(at[1]+s[1]*at[2])
	d := v.Data
	line := func(i int) float32 {
		if w[0] == 0 { // exact where no interpolation is needed
			return d[i]
		}
		return d[i]*(1-w[0]) + d[i+dx]*w[0]
	}
	plane := func(i int) float32 {
		if w[1] == 0 {
			return line(i)
		}
		return line(i)*(1-w[1]) + line(i+dy)*w[1]
	}
	if w[2] == 0 {
		return plane(i)
	}
	return plane(i)*(1-w[2]) + plane(i+dz)*w[2]
}

// blurred returns v, blurred along the axes on which the grid is coarser.
func blurred(v *format.Volume, g Grid) *format.Volume {
	// How many voxels of v the longest step of the grid covers along each axis of v.
	step := compose(v.Affine.Inverse(), g.Affine)
	out := v
	for axis := range 3 {
		r := 0.
		for c := range 3 {
			r = math.Max(r, math.Abs(step[axis][c]))
		}
		if r > 1+1e-3 && v.Shape[axis] > 1 {
			out = blurAxis(out, axis, math.Sqrt(r*r-1)/2)
		}
	}
	return out
}

// blurAxis convolves with a Gaussian of sigma voxels, cut at three sigma; at the ends
// the last voxel goes on.
func blurAxis(v *format.Volume, axis int, sigma float64) *format.Volume {
	radius := int(math.Ceil(3 * sigma))
	kernel := make([]float32, 2*radius+1)
	sum := 0.
	for i := range kernel {
		sum += math.Exp(-.5 * math.Pow(float64(i-radius)/sigma, 2))
	}
	for i := range kernel {
		kernel[i] = float32(math.Exp(-.5*math.Pow(float64(i-radius)/sigma, 2)) / sum)
	}
	out := v.Like()
	stride := [3]int{1, v.Shape[0], v.Shape[0] * v.Shape[1]}[axis]
	n := v.Shape[axis]
	lines := len(v.Data) / n
	each(lines, func(line int) {
		start := line/stride*stride*n + line%stride
		for i := range n {
			x := float32(0)
			for k, w := range kernel {
				j := min(max(i+k-radius, 0), n-1)
				x += w * v.Data[start+j*stride]
			}
			out.Data[start+i*stride] = x
		}
	})
	return out
}

// Reorient returns v with its axes exchanged and turned so that they run in the
// directions of a code, as in "RAS". No voxel is changed. order and flip say what was
// done: axis i of the result is axis order[i] of v, backwards if flip[i].
func Reorient(v *format.Volume, code string) (out *format.Volume, order [3]int, flip [3]bool, err error) {
	axis, positive := v.Affine.Axes()
	if len(code) != 3 {
		return nil, order, flip, fmt.Errorf("orientation %q: want three letters, as in RAS", code)
	}
	seen := [3]bool{}
	for i := range 3 {
		which, plus := -1, false
		for a, pair := range [3]string{"RL", "AP", "SI"} {
			switch code[i] {
			case pair[0]:
				which, plus = a, true
			case pair[1]:
				which = a
			}
		}
		if which < 0 || seen[which] {
			return nil, order, flip, fmt.Errorf("orientation %q: want one letter of each of RL, AP and SI", code)
		}
		seen[which] = true
		for from, a := range axis {
			if a == which {
				order[i], flip[i] = from, positive[from] != plus
			}
		}
	}
	out = &format.Volume{Affine: v.Affine, Stored: v.Stored, Rounded: v.Rounded, Data: make([]float32, len(v.Data))}
	strides := [3]int{1, v.Shape[0], v.Shape[0] * v.Shape[1]}
	var step [3]int
	start := 0
	var origin [3]float64
	for i := range 3 {
		from := order[i]
		out.Shape[i] = v.Shape[from]
		step[i] = strides[from]
		c := v.Affine.Column(from)
		if flip[i] {
			start += (v.Shape[from] - 1) * strides[from]
			origin[from] = float64(v.Shape[from] - 1)
			step[i] = -step[i]
			for r := range c {
				c[r] = -c[r]
			}
		}
		out.Affine.SetColumn(i, c)
	}
	out.Affine.SetColumn(3, v.Affine.Apply(origin))
	each(out.Shape[2], func(z int) {
		for y := range out.Shape[1] {
			from := start + z*step[2] + y*step[1]
			for x := range out.Shape[0] {
				out.Data[x+out.Shape[0]*(y+out.Shape[1]*z)] = v.Data[from]
				from += step[0]
			}
		}
	})
	return out, order, flip, nil
}

// A Box is a part of a volume: from the first voxel up to but not with the second.
type Box struct{ Low, High [3]int }

// Bounds returns the smallest box around all labels but 0, wider by margin mm and
// within the mask; ok is false if there is no label.
func (m *Mask) Bounds(margin float64) (b Box, ok bool) {
	b.Low = m.Shape
	i := 0
	for z := range m.Shape[2] {
		for y := range m.Shape[1] {
			for x := range m.Shape[0] {
				if m.Data[i] != 0 {
					ok = true
					for k, p := range [3]int{x, y, z} {
						b.Low[k], b.High[k] = min(b.Low[k], p), max(b.High[k], p+1)
					}
				}
				i++
			}
		}
	}
	for k, s := range m.Affine.Spacing() {
		n := int(math.Ceil(margin/s - 1e-9))
		b.Low[k], b.High[k] = max(b.Low[k]-n, 0), min(b.High[k]+n, m.Shape[k])
	}
	return b, ok
}

// Crop returns a part of v, in its place.
func Crop(v *format.Volume, b Box) *format.Volume {
	out := &format.Volume{Stored: v.Stored, Affine: v.Affine.Shift([3]float64{float64(b.Low[0]), float64(b.Low[1]), float64(b.Low[2])})}
	for i := range 3 {
		out.Shape[i] = b.High[i] - b.Low[i]
	}
	for z := b.Low[2]; z < b.High[2]; z++ {
		for y := b.Low[1]; y < b.High[1]; y++ {
			i := v.Index(0, y, z)
			out.Data = append(out.Data, v.Data[i+b.Low[0]:i+b.High[0]]...)
		}
	}
	return out
}

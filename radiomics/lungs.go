package radiomics

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"heed/format"
)

// ErrNoLungs is wrapped by the error of a volume in which no lungs are found.
var ErrNoLungs = errors.New("no lungs")

// Labels of a mask of lungs.
const (
	RightLung = 1
	LeftLung  = 2
)

// Lungs is a mask of the lungs and what is unusual about it.
type Lungs struct {
	Mask     *Mask
	Airways  float64 // mL of airways that hung together with the lungs and were taken out
	Findings []string
}

// The thresholds of the lung mask.
const (
	airBelow     = -320 // HU: air and lung; soft tissue lies above
	airwayBelow  = -930 // HU: open airways
	mostGas      = 700. // mL: a larger piece is not taken for gas of the bowel unless half of it is as thin as air
	leastLung    = 20.  // mL: smaller pieces are no lungs
	closeVessels = 5.   // mm: vessels and nodules at the edge up to twice as thick belong to the lungs
	maxAirways   = 150. // mL: more means that the airways leaked into the lungs
)

// FindLungs finds the lungs in a CT without any model: air within the body by a
// threshold of -320 HU, what touches the sides of the volume being outside; then
// pieces of gas, as of the bowel, are taken out, and the airways;
// right and left are told apart, edges closed by 5 mm and holes filled slice by slice.
//
// It is the classical method, which fails where lungs are dense (pneumonia,
// effusion), where a crop cuts them at the sides, and in CT of other parts: read the
// findings, and look at the mask.
func FindLungs(v *format.Volume) (*Lungs, error) {
	ras, order, flip, err := Reorient(v, "RAS")
	if err != nil {
		return nil, err
	}
	if len(v.Data) > math.MaxInt32 {
		return nil, fmt.Errorf("%d voxels; the lungs are found in up to %d", len(v.Data), math.MaxInt32)
	}
	l := &Lungs{}
	m := NewMask(ras)
	for i, x := range ras.Data {
		if x < airBelow {
			m.Data[i] = 1
		}
	}
	voxel := math.Abs(ras.Affine.Determinant()) / 1000 // mL
	keep(m, func(c component) bool { return !c.sides && float64(c.voxels)*voxel >= leastLung/4 })
	if ml := takeGas(ras, m, voxel); ml >= leastLung {
		l.Findings = append(l.Findings, fmt.Sprintf("%.0f mL of gas (bowel, airways) are not counted as lung", ml))
	}
	l.Airways = airways(ras, m, voxel)
	pieces := keep(m, func(c component) bool { return float64(c.voxels)*voxel >= leastLung })
	if len(pieces) == 0 {
		return nil, fmt.Errorf("%w: no air within the body of %g mL or more", ErrNoLungs, leastLung)
	}
	l.sides(m, pieces, voxel)
	smooth(m, RightLung)
	smooth(m, LeftLung)
	l.check(m, voxel)
	l.Mask = back(m, v, order, flip)
	return l, nil
}

// keep clears all components but those that are wanted, and returns these, the
// largest first.
func keep(m *Mask, wanted func(c component) bool) []component {
	labels, list := components(m)
	stay := make([]bool, len(list)+1)
	var out []component
	for _, c := range list {
		if wanted(c) {
			stay[c.label] = true
			out = append(out, c)
		}
	}
	for i, l := range labels {
		if !stay[l] {
			m.Data[i] = 0
		}
	}
	slices.SortStableFunc(out, func(a, b component) int { return cmp.Compare(b.voxels, a.voxels) })
	return out
}

// isGas says of each component of m, by its label, whether it is gas of the bowel and
// not lung: half of it below -950 HU, or, in a piece smaller than two lungs are, half
// below -900 and a tenth below -970 HU. Emphysema is in lungs, which are larger.
func isGas(v *format.Volume, m *Mask, voxel float64) []bool {
	labels, list := components(m)
	values := make([][]float32, len(list)+1)
	for i, l := range labels {
		if l > 0 {
			values[l] = append(values[l], v.Data[i])
		}
	}
	out := make([]bool, len(list)+1)
	each(len(values), func(i int) {
		x := values[i]
		if len(x) == 0 {
			return
		}
		slices.Sort(x)
		tenth, half := x[len(x)/10], x[len(x)/2]
		out[i] = half < -950 || float64(len(x))*voxel < mostGas && half < -900 && tenth < -970
	})
	return out
}

// takeGas takes the gas of the bowel out of m and returns its mL. Gas may touch the
// lungs through a thin wall that the voxels do not show, so pieces are told apart by
// their cores, 3 mm or a voxel within, where no wall blurs the values either; what lies within 8
// mm or a little more of a core of gas, and nearer to it than to one of lung, goes.
func takeGas(v *format.Volume, m *Mask, voxel float64) float64 {
	core := &Mask{Shape: m.Shape, Affine: m.Affine, Data: slices.Clone(m.Data)}
	s := m.Affine.Spacing()
	grow(core, max(3, s[0], s[1], s[2]), 0)
	gas := isGas(v, core, voxel)
	if !slices.Contains(gas, true) {
		return 0
	}
	labels, _ := components(core)
	air, lung := like(m), like(m)
	for i, l := range labels {
		switch {
		case l == 0:
		case gas[l]:
			air.Data[i] = 1
		default:
			lung.Data[i] = 1
		}
	}
	toAir, toLung := distances(air, 1), distances(lung, 1)
	n := 0
	for i, is := range m.Data {
		if is != 0 && toAir[i] < 64+float32(s[0]*s[0]+s[1]*s[1]+s[2]*s[2]) && toAir[i] < toLung[i] {
			m.Data[i] = 0
			n++
		}
	}
	return float64(n) * voxel
}

// airways takes out of m the trachea and what grows from it at the density of open
// air, if there is one: in the upper part of the volume, a round piece of 80 to 900
// mm² in a slice. It returns mL.
func airways(v *format.Volume, m *Mask, voxel float64) float64 {
	nx, ny, nz := v.Shape[0], v.Shape[1], v.Shape[2]
	s := v.Affine.Spacing()
	for z := nz - 1; z >= nz/2; z-- {
		slice := &Mask{Shape: [3]int{nx, ny, 1}, Affine: v.Affine, Data: make([]uint8, nx*ny)}
		for i := range slice.Data {
			if m.Data[z*nx*ny+i] != 0 && v.Data[z*nx*ny+i] < airwayBelow {
				slice.Data[i] = 1
			}
		}
		labels, list := components(slice)
		for _, c := range list {
			area := float64(c.voxels) * s[0] * s[1]
			x := c.sum[0] / float64(c.voxels)
			if area < 80 || area > 900 || x < .3*float64(nx) || x > .7*float64(nx) || !round(labels, c, nx, ny, s) {
				continue
			}
			seed := slices.Index(labels, c.label)
			for _, threshold := range []float32{airwayBelow, airwayBelow - 20, airwayBelow - 40} {
				grown := region(v, m, z*nx*ny+seed, threshold)
				if ml := float64(grown.Count(1)) * voxel; ml <= maxAirways && ml > 0 {
					grow(grown, 2, 1) // their walls
					for i, is := range grown.Data {
						if is != 0 {
							m.Data[i] = 0
						}
					}
					return ml
				}
			}
		}
	}
	return 0
}

// round says whether a piece of a slice fills the box around it as a disc does.
func round(labels []int32, c component, nx, ny int, s [3]float64) bool {
	x0, x1, y0, y1 := nx, 0, ny, 0
	for i, l := range labels {
		if l == c.label {
			x0, x1, y0, y1 = min(x0, i%nx), max(x1, i%nx), min(y0, i/nx), max(y1, i/nx)
		}
	}
	w, h := float64(x1-x0+1)*s[0], float64(y1-y0+1)*s[1]
	return float64(c.voxels)*s[0]*s[1] > .55*w*h && w < 2*h && h < 2*w
}

// region returns the voxels of m below a threshold that hang together with a seed.
func region(v *format.Volume, m *Mask, seed int, threshold float32) *Mask {
	air := NewMask(v)
	for i, is := range m.Data {
		if is != 0 && v.Data[i] < threshold {
			air.Data[i] = 1
		}
	}
	labels, _ := components(air)
	want := labels[seed]
	for i, l := range labels {
		air.Data[i] = 0
		if l == want && want != 0 {
			air.Data[i] = 1
		}
	}
	return air
}

// sides labels right and left. Pieces of the lungs that hang together are parted by
// wearing them away until they fall apart; each voxel then goes with the nearer core.
func (l *Lungs) sides(m *Mask, pieces []component, voxel float64) {
	middle := float64(m.Shape[0]-1) / 2
	two := len(pieces) > 1 && pieces[1].voxels*5 >= pieces[0].voxels
	if !two && len(pieces) > 0 && float64(pieces[0].voxels)*voxel > 1000 {
		core := &Mask{Shape: m.Shape, Affine: m.Affine, Data: slices.Clone(m.Data)}
		for mm := 2.; mm <= 8; mm += 2 {
			copy(core.Data, m.Data)
			grow(core, mm, 0)
			labels, list := components(core)
			slices.SortStableFunc(list, func(a, b component) int { return cmp.Compare(b.voxels, a.voxels) })
			if len(list) < 2 || list[1].voxels*5 < list[0].voxels {
				continue
			}
			a, b := list[0], list[1]
			if a.x() < b.x() {
				a, b = b, a
			}
			ma, mb := like(m), like(m)
			for i, c := range labels {
				if c == a.label {
					ma.Data[i] = 1
				} else if c == b.label {
					mb.Data[i] = 1
				}
			}
			da, db := distances(ma, 1), distances(mb, 1)
			for i, is := range m.Data {
				if is != 0 {
					m.Data[i] = LeftLung
					if da[i] <= db[i] {
						m.Data[i] = RightLung
					}
				}
			}
			return
		}
		l.Findings = append(l.Findings, "right and left lung hang together; they are parted at the middle of the volume")
		for i, is := range m.Data {
			if is != 0 {
				m.Data[i] = LeftLung
				if float64(i%m.Shape[0]) > middle {
					m.Data[i] = RightLung
				}
			}
		}
		return
	}
	// Of the two largest the one further right is the right lung; the others go with
	// the nearer.
	if two {
		middle = (pieces[0].x() + pieces[1].x()) / 2
	}
	labels, list := components(m)
	for i, c := range labels {
		if c != 0 {
			m.Data[i] = LeftLung
			if list[c-1].x() > middle { // RAS: x grows to the right
				m.Data[i] = RightLung
			}
		}
	}
}

func (c component) x() float64 { return c.sum[0] / float64(c.voxels) }

// like returns a mask of zeros on the voxels of another.
func like(m *Mask) *Mask {
	return &Mask{Shape: m.Shape, Affine: m.Affine, Data: make([]uint8, len(m.Data))}
}

// part returns a mask of one label.
func part(m *Mask, label uint8) *Mask {
	out := like(m)
	for i, v := range m.Data {
		if v == label {
			out.Data[i] = 1
		}
	}
	return out
}

// smooth closes the edges of one lung and fills its holes, in the box around it. The
// other lung keeps its voxels.
func smooth(m *Mask, label uint8) {
	one := part(m, label)
	box, ok := one.Bounds(2 * closeVessels)
	if !ok {
		return
	}
	lung := &Mask{Affine: m.Affine}
	for i := range 3 {
		lung.Shape[i] = box.High[i] - box.Low[i]
	}
	var index []int // in m, of the lines along x
	for z := box.Low[2]; z < box.High[2]; z++ {
		for y := box.Low[1]; y < box.High[1]; y++ {
			i := box.Low[0] + m.Shape[0]*(y+m.Shape[1]*z)
			index = append(index, i)
			lung.Data = append(lung.Data, one.Data[i:i+lung.Shape[0]]...)
		}
	}
	grow(lung, closeVessels, 1)
	grow(lung, closeVessels, 0)
	fillHoles(lung)
	for line, i := range index {
		for x, is := range lung.Data[line*lung.Shape[0]:][:lung.Shape[0]] {
			if is != 0 && m.Data[i+x] == 0 {
				m.Data[i+x] = label
			}
		}
	}
}

// check reports volumes that lungs do not have.
func (l *Lungs) check(m *Mask, voxel float64) {
	right, left := float64(m.Count(RightLung))*voxel, float64(m.Count(LeftLung))*voxel
	switch total := right + left; {
	case total < 500:
		l.Findings = append(l.Findings, fmt.Sprintf("%.0f mL are little for lungs: is all of them in the volume?", total))
	case total > 10000:
		l.Findings = append(l.Findings, fmt.Sprintf("%.0f mL are much for lungs: the mask may have leaked", total))
	}
	switch {
	case right == 0 || left == 0:
		l.Findings = append(l.Findings, "only one lung was found")
	case right > 4*left || left > 4*right:
		l.Findings = append(l.Findings, fmt.Sprintf("the right lung has %.0f mL, the left %.0f", right, left))
	}
	nx, ny, nz := m.Shape[0], m.Shape[1], m.Shape[2]
	ends := map[string]int{"lower": 0, "upper": (nz - 1) * nx * ny}
	for _, name := range []string{"lower", "upper"} {
		n := 0
		for _, v := range m.Data[ends[name]:][:nx*ny] {
			if v != 0 {
				n++
			}
		}
		if s := m.Affine.Spacing(); float64(n)*s[0]*s[1] > 500 {
			l.Findings = append(l.Findings, fmt.Sprintf("the lungs reach the %s end of the volume: they are cut, and volumes and thirds are those of what is there", name))
		}
	}
}

// back undoes Reorient.
func back(m *Mask, v *format.Volume, order [3]int, flip [3]bool) *Mask {
	out := NewMask(v)
	strides := [3]int{1, v.Shape[0], v.Shape[0] * v.Shape[1]}
	var step [3]int
	start := 0
	for i, from := range order {
		step[i] = strides[from]
		if flip[i] {
			start += (v.Shape[from] - 1) * strides[from]
			step[i] = -step[i]
		}
	}
	for z := range m.Shape[2] {
		for y := range m.Shape[1] {
			to := start + z*step[2] + y*step[1]
			for x := range m.Shape[0] {
				out.Data[to] = m.Data[x+m.Shape[0]*(y+m.Shape[1]*z)]
				to += step[0]
			}
		}
	}
	return out
}

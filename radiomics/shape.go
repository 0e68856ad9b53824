package radiomics

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// maxPoints is the greatest number of points of the surface among which the longest
// distances are looked for; it takes a time that grows with its square.
const maxPoints = 60000

// Shape returns the shape features of a label, as pyradiomics defines them: volume
// and area of a mesh by marching cubes through the middles between inside and
// outside, axes by the principal components of the voxels. For more than 60,000
// points of the surface, the diameters are left out.
func Shape(m *Mask, label uint8) []Feature {
	n := m.Count(label)
	if n == 0 {
		return nil
	}
	s := m.Affine.Spacing()
	mesh := meshOf(m, label)
	voxel := s[0] * s[1] * s[2]
	axes := principalAxes(m, label)
	out := []Feature{
		{"Elongation", math.Sqrt(axes[1] / axes[0])},
		{"Flatness", math.Sqrt(axes[2] / axes[0])},
		{"LeastAxisLength", 4 * math.Sqrt(axes[2])},
		{"MajorAxisLength", 4 * math.Sqrt(axes[0])},
	}
	if d, ok := diameters(mesh.points); ok {
		out = append(out,
			Feature{"Maximum2DDiameterColumn", d[1]},
			Feature{"Maximum2DDiameterRow", d[0]},
			Feature{"Maximum2DDiameterSlice", d[2]},
			Feature{"Maximum3DDiameter", d[3]})
	}
	return append(out,
		Feature{"MeshVolume", mesh.volume},
		Feature{"MinorAxisLength", 4 * math.Sqrt(axes[1])},
		Feature{"Sphericity", math.Cbrt(36*math.Pi*mesh.volume*mesh.volume) / mesh.area},
		Feature{"SurfaceArea", mesh.area},
		Feature{"SurfaceVolumeRatio", mesh.area / mesh.volume},
		Feature{"VoxelVolume", float64(n) * voxel})
}

type mesh struct {
	area, volume float64 // mm², mm³
	points       [][3]float64
}

// meshOf adds up the areas of the triangles, and the volumes of the tetrahedra between
// them and the corner of the box around the label. On a surface with slits (see surfaces)
// the volume depends on that corner, which is where pyradiomics has it.
func meshOf(m *Mask, label uint8) mesh {
	var out mesh
	s := m.Affine.Spacing()
	box, _ := part(m, label).Bounds(0)
	seen := make(map[[3]int]bool)
	for t := range pieces(m, label, box, surfaces()) {
		var p [3][3]float64
		for v, twice := range t {
			for k := range 3 {
				p[v][k] = (float64(twice[k])/2 - float64(box.Low[k]-1)) * s[k]
			}
			if !seen[twice] {
				seen[twice] = true
				out.points = append(out.points, p[v])
			}
		}
		c := cross(minus(p[1], p[0]), minus(p[2], p[0]))
		out.area += math.Sqrt(c[0]*c[0]+c[1]*c[1]+c[2]*c[2]) / 2
		d := cross(p[0], p[1])
		out.volume += (d[0]*p[2][0] + d[1]*p[2][1] + d[2]*p[2][2]) / 6
	}
	return out
}

func minus(a, b [3]float64) [3]float64 { return [3]float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

// diameters returns the longest distances between points in one plane across x, y and
// z, and between any two.
func diameters(points [][3]float64) (d [4]float64, ok bool) {
	if len(points) > maxPoints {
		return d, false
	}
	part := make([][4]float64, len(points))
	each(len(points), func(i int) {
		for _, q := range points[:i] {
			v := minus(points[i], q)
			l := v[0]*v[0] + v[1]*v[1] + v[2]*v[2]
			part[i][3] = max(part[i][3], l)
			for k := range 3 {
				if v[k] == 0 {
					part[i][k] = max(part[i][k], l)
				}
			}
		}
	})
	for _, p := range part {
		for k := range d {
			d[k] = max(d[k], p[k])
		}
	}
	for k := range d {
		d[k] = math.Sqrt(d[k])
	}
	return d, true
}

// principalAxes returns the variances along the principal axes of the voxels, in
// mm², the greatest first.
func principalAxes(m *Mask, label uint8) [3]float64 {
	s := m.Affine.Spacing()
	var sum [3]float64
	var square [3][3]float64
	n := 0.
	for i, l := range m.Data {
		if l != label {
			continue
		}
		p := [3]float64{float64(i%m.Shape[0]) * s[0], float64(i/m.Shape[0]%m.Shape[1]) * s[1], float64(i/(m.Shape[0]*m.Shape[1])) * s[2]}
		n++
		for a := range 3 {
			sum[a] += p[a]
			for b := range 3 {
				square[a][b] += p[a] * p[b]
			}
		}
	}
	cov := mat.NewSymDense(3, nil)
	for a := range 3 {
		for b := a; b < 3; b++ {
			cov.SetSym(a, b, square[a][b]/n-sum[a]/n*sum[b]/n)
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(cov, false) {
		return [3]float64{math.NaN(), math.NaN(), math.NaN()}
	}
	v := eigen.Values(nil)
	slices.Sort(v)
	return [3]float64{max(v[2], 0), max(v[1], 0), max(v[0], 0)}
}

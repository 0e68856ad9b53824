package volume

import (
	"math"
	"slices"
)

// Bins is the number of bins of the histogram of intensities.
const Bins = 16

// HistogramFeatures describes a volume by its values alone, wherever they are:
// the share of voxels in each of [Bins] equal ranges of [0, 1], the ends
// included in the outer ones, then mean, deviation and the share above one half.
// It is what a model that knows no places knows: its floor.
func HistogramFeatures(x []float32) []float32 {
	f := make([]float32, Bins+3)
	var sum, squares float64
	above := 0
	for _, v := range x {
		f[min(max(int(v*Bins), 0), Bins-1)]++
		sum += float64(v)
		squares += float64(v) * float64(v)
		if v > 0.5 {
			above++
		}
	}
	n := float64(len(x))
	for b := range Bins {
		f[b] /= float32(n)
	}
	f[Bins] = float32(sum / n)
	f[Bins+1] = float32(math.Sqrt(math.Max(0, squares/n-sum/n*sum/n)))
	f[Bins+2] = float32(float64(above) / n)
	return f
}

// ShapeFeatures describes what is above one half in a volume (D, H, W) of one
// channel, in mm: volume, surface, the mean number of layers that lie above a
// voxel and the share of voxels by layer, extents and second moments along the
// axes and along the principal axes by size. An empty volume has zeros.
func ShapeFeatures(x []float32, size [3]int, spacing [3]float64) []float32 {
	inside := func(z, y, x0 int) bool {
		return z >= 0 && y >= 0 && x0 >= 0 && z < size[0] && y < size[1] && x0 < size[2] && x[(z*size[1]+y)*size[2]+x0] > 0.5
	}
	const depths = 4
	out := make([]float32, 3+depths+9)
	var n, surface float64
	var mean [3]float64
	low, high := size, [3]int{-1, -1, -1}
	face := [3]float64{spacing[1] * spacing[2], spacing[0] * spacing[2], spacing[0] * spacing[1]}
	var voxels [][3]int
	for z := range size[0] {
		for y := range size[1] {
			for w := range size[2] {
				if !inside(z, y, w) {
					continue
				}
				n++
				p := [3]int{z, y, w}
				voxels = append(voxels, p)
				for a := range 3 {
					mean[a] += float64(p[a]) * spacing[a]
					low[a], high[a] = min(low[a], p[a]), max(high[a], p[a])
					for _, d := range [2]int{-1, 1} {
						q := p
						q[a] += d
						if !inside(q[0], q[1], q[2]) {
							surface += face[a]
						}
					}
				}
			}
		}
	}
	if n == 0 {
		return out
	}
	var m [3][3]float64
	for _, p := range voxels {
		var d [3]float64
		for a := range 3 {
			d[a] = float64(p[a])*spacing[a] - mean[a]/n
		}
		for a := range 3 {
			for b := range 3 {
				m[a][b] += d[a] * d[b] / n
			}
		}
	}
	out[0] = float32(n * spacing[0] * spacing[1] * spacing[2])
	out[1] = float32(surface)
	layers := peel(voxels, size, depths)
	for i, share := range layers {
		out[2] += float32(float64(i) * share)
		out[3+i] = float32(share)
	}
	for a := range 3 {
		out[3+depths+a] = float32(float64(high[a]-low[a]+1) * spacing[a])
		out[6+depths+a] = float32(math.Sqrt(m[a][a]))
	}
	for i, e := range eigenvalues(m) {
		out[9+depths+i] = float32(math.Sqrt(math.Max(0, e)))
	}
	return out
}

// peel takes away the voxels with a free face, layer by layer, and returns the
// share of each layer; the last one has all that is left.
func peel(voxels [][3]int, size [3]int, layers int) []float64 {
	shares := make([]float64, layers)
	in := make([]bool, size[0]*size[1]*size[2])
	index := func(p [3]int) int { return (p[0]*size[1]+p[1])*size[2] + p[2] }
	for _, p := range voxels {
		in[index(p)] = true
	}
	total := float64(len(voxels))
	for l := range layers - 1 {
		var outer, inner [][3]int
		for _, p := range voxels {
			free := false
			for a := range 3 {
				for _, d := range [2]int{-1, 1} {
					q := p
					q[a] += d
					free = free || q[a] < 0 || q[a] >= size[a] || !in[index(q)]
				}
			}
			if free {
				outer = append(outer, p)
			} else {
				inner = append(inner, p)
			}
		}
		for _, p := range outer {
			in[index(p)] = false
		}
		shares[l] = float64(len(outer)) / total
		voxels = inner
	}
	shares[layers-1] = float64(len(voxels)) / total
	return shares
}

// eigenvalues of a symmetric matrix, the largest first, in closed form (Smith
// 1961, Communications of the ACM 4:168).
func eigenvalues(m [3][3]float64) [3]float64 {
	off := m[0][1]*m[0][1] + m[0][2]*m[0][2] + m[1][2]*m[1][2]
	q := (m[0][0] + m[1][1] + m[2][2]) / 3
	p := 2 * off
	for i := range 3 {
		p += (m[i][i] - q) * (m[i][i] - q)
	}
	if p == 0 {
		return [3]float64{q, q, q}
	}
	p = math.Sqrt(p / 6)
	var b [3][3]float64
	for i := range 3 {
		for j := range 3 {
			b[i][j] = m[i][j] / p
			if i == j {
				b[i][j] -= q / p
			}
		}
	}
	det := b[0][0]*(b[1][1]*b[2][2]-b[1][2]*b[2][1]) - b[0][1]*(b[1][0]*b[2][2]-b[1][2]*b[2][0]) + b[0][2]*(b[1][0]*b[2][1]-b[1][1]*b[2][0])
	phi := math.Acos(math.Max(-1, math.Min(1, det/2))) / 3
	e := []float64{q + 2*p*math.Cos(phi), q + 2*p*math.Cos(phi+2*math.Pi/3), 0}
	e[2] = 3*q - e[0] - e[1]
	slices.Sort(e)
	return [3]float64{e[2], e[1], e[0]}
}

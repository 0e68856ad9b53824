package study

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// An anatomy is a chest into which lesions are planted: sites in one lung, each
// with its mirror image in the other.
type anatomy struct {
	size    [3]int     // voxels: depth, height, width
	spacing [3]float64 // mm
	cell    int        // voxels along an edge of a cell of the feature map
	left    [][3]int   // sites, in voxels
	right   [][3]int   // right[i] mirrors left[i]
	twins   [][2][]int // pairs of sets of sites that differ in every site, with one centroid and the same distances
	// background writes HU of a chest without lesions and returns by how many
	// voxels it was moved.
	background func(dst []float32, r *rand.Rand) (moved [3]float64)
}

func (a *anatomy) voxels() int { return a.size[0] * a.size[1] * a.size[2] }

// lesions is the number of lesions of a side in the mirrored task.
const lesions = 3

// phantomCell is the edge in voxels of a cell of the feature map, after the two
// stages of the stem. Cell i is centred on voxel i*phantomCell.
const phantomCell = 4

// phantom returns a made-up crop from the inside of both lungs: 16 x 16 x 28 voxels
// of 12 mm. A site is the centre of a cell, 3 x 3 x 2 of them in each lung, and the
// mediastinum lies between. No cell of a site sees both lungs, the mediastinum, or
// the border of the crop: what a convolution finds there says what is there and not
// where. (With the walls of the chest in sight, it knows where, and group
// normalisation, which sums over the whole volume, can compare the sums of both
// lungs: the pooled stem then solves the mirrored task too, with twice the scans.)
func phantom() *anatomy {
	const c = phantomCell
	a := &anatomy{size: [3]int{4 * c, 4 * c, 7 * c}, spacing: [3]float64{12, 12, 12}, cell: c}
	for z := 1; z <= 3; z++ {
		for y := 1; y <= 3; y++ {
			for x := 1; x <= 2; x++ {
				a.left = append(a.left, [3]int{z * c, y * c, x * c})
				a.right = append(a.right, [3]int{z * c, y * c, (7 - x) * c})
			}
		}
	}
	a.background = a.chest
	a.twins = twins(a.left, lesions)
	return a
}

// chest draws lungs with texture and vessels, and the mediastinum. By how much
// lesions are moved is random, up to 0.7 voxels.
func (a *anatomy) chest(dst []float32, r *rand.Rand) (moved [3]float64) {
	for i := range moved {
		moved[i] = 1.4*r.Float64() - 0.7
	}
	var waves [3][3][]float64 // texture: three standing waves
	for k := range waves {
		for i, n := range a.size {
			length, phase := 4+10*r.Float64(), 2*math.Pi*r.Float64()
			waves[k][i] = make([]float64, n)
			for p := range n {
				waves[k][i][p] = math.Cos(2*math.Pi*float64(p)/length + phase)
			}
		}
	}
	const c = phantomCell
	at := 0
	for z := range a.size[0] {
		for y := range a.size[1] {
			for x := range a.size[2] {
				hu := -850 + 25*(waves[0][0][z]*waves[0][1][y]*waves[0][2][x]+waves[1][0][z]*waves[1][1][y]*waves[1][2][x]+waves[2][0][z]*waves[2][1][y]*waves[2][2][x])
				if math.Abs(float64(x)-3.5*c) < 2 {
					hu = 40
				}
				dst[at] = float32(hu + 30*r.NormFloat64())
				at++
			}
		}
	}
	for side := range 2 { // vessels, from the hilum
		for range 3 {
			p := [3]float64{2*c + moved[0], 2*c + moved[1], 3*c + moved[2]}
			step := [3]float64{r.NormFloat64(), r.NormFloat64(), -math.Abs(r.NormFloat64())}
			if side == 1 {
				p[2], step[2] = 4*c+moved[2], -step[2]
			}
			norm := math.Sqrt(step[0]*step[0] + step[1]*step[1] + step[2]*step[2])
			for range 6 {
				if i, ok := a.index(p); ok && dst[i] < -600 {
					dst[i] += 200
				}
				for i := range p {
					p[i] += step[i] / norm
				}
			}
		}
	}
	return moved
}

// index returns the voxel nearest to a place.
func (a *anatomy) index(p [3]float64) (int, bool) {
	i := 0
	for axis, v := range p {
		n := int(math.Round(v))
		if n < 0 || n >= a.size[axis] {
			return 0, false
		}
		i = i*a.size[axis] + n
	}
	return i, true
}

// A lesion type is a shape of some HU above what lies there.
type lesionType struct {
	name   string
	radius float64 // voxels
	// add returns the change of HU at a distance of d radii, at voxel p.
	add func(d float64, p [3]int) float64
}

// blob falls off softly at its border.
func blob(hu float64) func(d float64, _ [3]int) float64 {
	return func(d float64, _ [3]int) float64 { return hu * min(1, max(0, 2.5*(1.2-d))) }
}

func lesionTypes() []lesionType {
	return []lesionType{
		{"ground glass", 1.8, blob(300)},
		{"consolidation", 1.8, blob(850)},
		{"nodule", 0.9, blob(900)},
		{"honeycomb", 2, func(d float64, _ [3]int) float64 {
			if d > 0.65 && d < 1.1 {
				return 700
			}
			return 0
		}},
		{"emphysema", 2, blob(-140)},
		{"reticulation", 2, func(d float64, p [3]int) float64 {
			if d < 1.1 && p[0]%2 == 0 {
				return 600
			}
			return 0
		}},
	}
}

// plant adds a lesion near a site and marks its voxels.
func (a *anatomy) plant(hu []float32, mark []bool, kind lesionType, site [3]int, moved [3]float64, r *rand.Rand) {
	var centre [3]float64
	for i := range centre {
		centre[i] = float64(site[i]) + moved[i] + 0.8*r.Float64() - 0.4
	}
	radius := kind.radius * (0.9 + 0.2*r.Float64())
	strength := 0.85 + 0.3*r.Float64()
	reach := int(1.3*radius) + 1
	low, high := [3]int{}, [3]int{}
	for i := range low {
		low[i], high[i] = max(0, int(centre[i])-reach), min(a.size[i], int(centre[i])+reach+2)
	}
	for z := low[0]; z < high[0]; z++ {
		for y := low[1]; y < high[1]; y++ {
			for x := low[2]; x < high[2]; x++ {
				p := [3]int{z, y, x}
				d := 0.0
				for i := range p {
					e := float64(p[i]) - centre[i]
					d += e * e
				}
				at := (z*a.size[1]+y)*a.size[2] + x
				d = math.Sqrt(d) / radius
				hu[at] += float32(strength * kind.add(d, p))
				mark[at] = mark[at] || d < 1
			}
		}
	}
}

// twins returns all pairs of sets of k sites that share no site and have one
// centroid and the same distances between their sites: what sums over single
// sites, their mean place and their spread cannot tell apart.
func twins(sites [][3]int, k int) [][2][]int {
	groups := map[string][][]int{}
	var order []string
	set := make([]int, 0, k)
	var choose func(from int)
	choose = func(from int) {
		if len(set) == k {
			var sum [3]int
			var distances []int
			for i, s := range set {
				for axis := range 3 {
					sum[axis] += sites[s][axis]
				}
				for _, t := range set[:i] {
					d := 0
					for axis := range 3 {
						e := sites[s][axis] - sites[t][axis]
						d += e * e
					}
					distances = append(distances, d)
				}
			}
			slices.Sort(distances)
			key := fmt.Sprint(sum, distances)
			if groups[key] == nil {
				order = append(order, key)
			}
			groups[key] = append(groups[key], slices.Clone(set))
			return
		}
		for s := from; s < len(sites); s++ {
			set = append(set, s)
			choose(s + 1)
			set = set[:len(set)-1]
		}
	}
	choose(0)
	var out [][2][]int
	for _, key := range order {
		for _, a := range groups[key] {
			for _, b := range groups[key] {
				if !slices.ContainsFunc(a, func(s int) bool { return slices.Contains(b, s) }) {
					out = append(out, [2][]int{a, b})
				}
			}
		}
	}
	return out
}

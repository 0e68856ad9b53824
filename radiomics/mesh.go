package radiomics

import (
	"iter"
	"math"
)

// corners are the corners of a cube of eight voxel centres, as steps along (x, y, z):
// bit i of a cube's code says whether corner i is inside.
var corners = [8][3]int{{0, 0, 0}, {1, 0, 0}, {1, 1, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, 1}, {1, 1, 1}, {0, 1, 1}}

// edges are the edges of the cube by their corners. A surface cuts an edge in the
// middle.
var edges = [12][2]int{{0, 1}, {1, 2}, {2, 3}, {3, 0}, {4, 5}, {5, 6}, {6, 7}, {7, 4}, {0, 4}, {1, 5}, {2, 6}, {3, 7}}

// faces are the faces of the cube by their corners, counterclockwise seen from outside
// of the cube.
var faces = [6][4]int{{0, 3, 2, 1}, {4, 5, 6, 7}, {0, 1, 5, 4}, {2, 3, 7, 6}, {3, 0, 4, 7}, {1, 2, 6, 5}}

// A triangle is a piece of the surface within a cube, by the edges that its corners cut,
// counterclockwise seen from outside of the body.
type triangle [3]int

// surfaces returns the surface within a cube for each code: marching cubes (Lorensen and
// Cline, 1987), traced rather than tabulated. A code with corner 7 inside has the surface
// of its complement, turned around, as pyradiomics has it; so where two inside corners lie
// across from each other on a face, the cubes on its two sides cut it in different ways if
// corner 7 is inside in one of them alone, and the surface then has a slit there. With
// traced for every code it would have none, and not have the published area: that of
// brain2, which has one slit, would be 0.4 % larger.
func surfaces() (out [256][]triangle) {
	for code := range 128 {
		out[code] = traced(code)
		for _, t := range out[code] {
			out[255-code] = append(out[255-code], triangle{t[0], t[2], t[1]})
		}
	}
	return out
}

// traced returns the surface of one code: its loops, cut into triangles.
func traced(code int) (out []triangle) {
	for _, loop := range loops(code) {
		out = append(out, fan(loop)...)
	}
	return out
}

// loops returns the closed lines along which the surface of a code meets the faces of the
// cube, as the edges that they cut. Each run of inside corners around a face is cut off
// by a segment of its own: two inside corners across from each other are kept apart. The
// inside lies to the left, seen from outside of the cube.
func loops(code int) [][]int {
	inside := func(c int) bool { return code>>c&1 == 1 }
	var next [12]int // from edge to edge, plus 1
	for _, f := range faces {
		for i := range 4 {
			if !inside(f[i]) || inside(f[(i+3)%4]) {
				continue // no run begins here
			}
			j := i
			for inside(f[(j+1)%4]) {
				j++
			}
			next[edgeOf(f[j%4], f[(j+1)%4])] = 1 + edgeOf(f[(i+3)%4], f[i])
		}
	}
	var out [][]int
	for start := range next {
		var loop []int
		for e := start; next[e] != 0; {
			loop = append(loop, e)
			e, next[e] = next[e]-1, 0
		}
		if loop != nil {
			out = append(out, loop)
		}
	}
	return out
}

// edgeOf returns the edge between two corners.
func edgeOf(a, b int) int {
	for e, pair := range edges {
		if pair == [2]int{a, b} || pair == [2]int{b, a} {
			return e
		}
	}
	panic("radiomics: no edge between these corners")
}

// fan cuts a loop into triangles from one of its points: the one from which their area, in
// a cube of equal edges, is largest, of equal ones the first. This choice, not the
// smallest area, gives the numbers of pyradiomics where a loop does not lie in a plane.
func fan(loop []int) []triangle {
	var best []triangle
	most := 0.
	for i := range loop {
		var list []triangle
		area := 0.
		for k := 1; k+1 < len(loop); k++ {
			t := triangle{loop[i], loop[(i+k+1)%len(loop)], loop[(i+k)%len(loop)]} // outward
			var p [3][3]float64
			for v, e := range t {
				for a := range 3 {
					p[v][a] = float64(corners[edges[e][0]][a]+corners[edges[e][1]][a]) / 2
				}
			}
			c := cross(minus(p[1], p[0]), minus(p[2], p[0]))
			area += math.Sqrt(c[0]*c[0]+c[1]*c[1]+c[2]*c[2]) / 2
			list = append(list, t)
		}
		if area > most+1e-9 {
			most, best = area, list
		}
	}
	return best
}

// pieces returns the triangles of the surface of a label within a box, in half voxels, by
// the surface of each code.
func pieces(m *Mask, label uint8, box Box, surface [256][]triangle) iter.Seq[[3][3]int] {
	inside := func(x, y, z int) bool {
		return x >= 0 && y >= 0 && z >= 0 && x < m.Shape[0] && y < m.Shape[1] && z < m.Shape[2] &&
			m.Data[x+m.Shape[0]*(y+m.Shape[1]*z)] == label
	}
	return func(yield func([3][3]int) bool) {
		for z := box.Low[2] - 1; z < box.High[2]; z++ {
			for y := box.Low[1] - 1; y < box.High[1]; y++ {
				for x := box.Low[0] - 1; x < box.High[0]; x++ {
					code := 0
					for i, c := range corners {
						if inside(x+c[0], y+c[1], z+c[2]) {
							code |= 1 << i
						}
					}
					for _, t := range surface[code] {
						var p [3][3]int
						for v, e := range t {
							a, b := corners[edges[e][0]], corners[edges[e][1]]
							p[v] = [3]int{2*x + a[0] + b[0], 2*y + a[1] + b[1], 2*z + a[2] + b[2]}
						}
						if !yield(p) {
							return
						}
					}
				}
			}
		}
	}
}

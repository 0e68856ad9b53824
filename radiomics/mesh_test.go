package radiomics

import (
	"math"
	"math/rand/v2"
	"testing"

	"heed/format"
)

// TestTriangles checks each case: it uses exactly the edges between inside and
// outside, and its triangles join along edges that each belong to two of them, but
// for those on the faces of the cube.
func TestTriangles(test *testing.T) {
	for code, list := range surfaces() {
		used := make(map[int]bool)
		for _, t := range list {
			for _, e := range t {
				used[e] = true
			}
		}
		for e, pair := range edges {
			if cut := code>>pair[0]&1 != code>>pair[1]&1; cut != used[e] {
				test.Errorf("code %d: edge %d", code, e)
			}
		}
		sides := make(map[[2]int]int)
		for _, t := range list {
			for k := range 3 {
				a, b := t[k], t[(k+1)%3]
				if a == b {
					test.Errorf("code %d: triangle %v", code, t)
				}
				if sides[[2]int{b, a}] > 0 {
					sides[[2]int{b, a}]--
				} else {
					sides[[2]int{a, b}]++
				}
			}
		}
		for side, n := range sides {
			if n == 0 {
				continue
			}
			// A side that is left must lie in a face: two edges with a common face.
			if n > 1 || !oneFace(side[0], side[1]) {
				test.Errorf("code %d: the side %v is open", code, side)
				continue
			}
			// All triangles face outward: along a side, inside is to the right when seen
			// from outside of the cube.
			if turn(code, side[0], side[1]) < 0 {
				test.Errorf("code %d: the side %v is turned", code, side)
			}
		}
	}
}

func oneFace(a, b int) bool {
	for axis := range 3 {
		for at := range 2 {
			in := func(e int) bool { return corners[edges[e][0]][axis] == at && corners[edges[e][1]][axis] == at }
			if in(a) && in(b) {
				return true
			}
		}
	}
	return false
}

// turn is positive if, seen from outside of the face that holds both edges, the inside
// lies to the right of the way from the middle of edge a to that of edge b.
func turn(code, a, b int) int {
	for axis := range 3 {
		for at := range 2 {
			in := func(e int) bool { return corners[edges[e][0]][axis] == at && corners[edges[e][1]][axis] == at }
			if !in(a) || !in(b) {
				continue
			}
			var way, inside, normal [3]float64
			corner := corners[edges[a][0]]
			if code>>edges[a][0]&1 == 0 {
				corner = corners[edges[a][1]]
			}
			for k := range 3 {
				ma := float64(corners[edges[a][0]][k]+corners[edges[a][1]][k]) / 2
				mb := float64(corners[edges[b][0]][k]+corners[edges[b][1]][k]) / 2
				way[k], inside[k] = mb-ma, float64(corner[k])-ma
			}
			normal[axis] = float64(2*at - 1)
			c := cross(way, normal)
			if s := c[0]*inside[0] + c[1]*inside[1] + c[2]*inside[2]; s > 0 {
				return 1
			} else if s < 0 {
				return -1
			}
		}
	}
	return 0
}

// solid returns a mask of the voxels of a box of n whose centres are inside.
func solid(n, spacing [3]float64, inside func(p [3]float64) bool) *Mask {
	m := &Mask{Affine: format.Affine{{spacing[0]}, {0, spacing[1]}, {0, 0, spacing[2]}}}
	for k := range 3 {
		m.Shape[k] = int(n[k])
	}
	m.Data = make([]uint8, m.Shape[0]*m.Shape[1]*m.Shape[2])
	for i := range m.Data {
		at := [3]int{i % m.Shape[0], i / m.Shape[0] % m.Shape[1], i / (m.Shape[0] * m.Shape[1])}
		var p [3]float64
		for k := range 3 {
			p[k] = (float64(at[k]) - (n[k]-1)/2) * spacing[k]
		}
		if inside(p) {
			m.Data[i] = 1
		}
	}
	return m
}

type side [2][3]int // from point to point, in half voxels

// sidesOf counts the sides of all triangles, each along its way, and returns Euler's
// number, points - sides + triangles.
func sidesOf(m *Mask, surface [256][]triangle) (sides map[side]int, euler int) {
	sides = make(map[side]int)
	points := make(map[[3]int]bool)
	box, _ := m.Bounds(0)
	for t := range pieces(m, 1, box, surface) {
		euler++
		for k := range 3 {
			points[t[k]] = true
			sides[side{t[k], t[(k+1)%3]}]++
		}
	}
	return sides, euler + len(points) - len(sides)/2
}

// TestSolids compares with what is known of solids: a box of voxels is cut at its edges
// and corners, exactly; of a ball and a torus the volume comes near. The surface is
// closed, of the right kind, and the volume positive: outward is outward.
func TestSolids(t *testing.T) {
	s := [3]float64{.8, 1, 1.5}
	n := [3]float64{5, 3, 4}
	area, volume := 0., 0.
	for a := range 3 {
		b, c := (a+1)%3, (a+2)%3
		area += 2*(n[b]-1)*s[b]*(n[c]-1)*s[c] + 4*(n[a]-1)*s[a]*math.Hypot(s[b], s[c])/2
		volume += (n[b]-1)*(n[c]-1) + 4*(n[a]-1)/8 // in voxels
	}
	area += math.Sqrt(math.Pow(s[0]*s[1], 2) + math.Pow(s[1]*s[2], 2) + math.Pow(s[2]*s[0], 2)) // 8 corners of 1/8
	volume = (volume + (n[0]-1)*(n[1]-1)*(n[2]-1) + 8./48) * s[0] * s[1] * s[2]

	const r, around, tube = 18., 30., 12.
	for _, test := range []struct {
		name         string
		n            [3]float64
		inside       func(p [3]float64) bool
		area, volume float64
		off          float64
		euler        int
	}{
		{"box", n, func([3]float64) bool { return true }, area, volume, 1e-12, 2},
		{"ball", [3]float64{48, 40, 28}, func(p [3]float64) bool { return p[0]*p[0]+p[1]*p[1]+p[2]*p[2] < r*r },
			0, 4 * math.Pi / 3 * r * r * r, .01, 2},
		{"torus", [3]float64{108, 86, 18}, func(p [3]float64) bool {
			h := math.Hypot(p[0], p[1]) - around
			return h*h+p[2]*p[2] < tube*tube
		}, 0, 2 * math.Pi * math.Pi * around * tube * tube, .01, 0},
	} {
		m := solid(test.n, s, test.inside)
		got := meshOf(m, 1)
		if !(math.Abs(got.volume/test.volume-1) < test.off) {
			t.Errorf("%s: volume %v, want %v", test.name, got.volume, test.volume)
		}
		if test.area > 0 && !(math.Abs(got.area/test.area-1) < test.off) {
			t.Errorf("%s: area %v, want %v", test.name, got.area, test.area)
		}
		sides, euler := sidesOf(m, surfaces())
		if euler != test.euler {
			t.Errorf("%s: Euler's number is %d, want %d", test.name, euler, test.euler)
		}
		for k, times := range sides {
			if times != 1 || sides[side{k[1], k[0]}] != 1 {
				t.Fatalf("%s: the side %v is not shared by two triangles", test.name, k)
			}
		}
	}
}

// TestSurfaceCloses looks at noise. Traced for each code the surface is closed: each side
// has one triangle on its left and one on its right. Turned around for complements, it is
// open along the four sides of each face that the cubes beside it cut in different ways,
// and nowhere else.
func TestSurfaceCloses(t *testing.T) {
	var rule [256][]triangle
	for code := range rule {
		rule[code] = traced(code)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, share := range []float64{.1, .5, .9} {
		m := solid([3]float64{24, 24, 24}, [3]float64{1, 1, 1}, func([3]float64) bool { return rng.Float64() < share })
		sides, _ := sidesOf(m, rule)
		for k, times := range sides {
			if times != 1 || sides[side{k[1], k[0]}] != 1 {
				t.Fatalf("%v inside: the side %v is not shared by two triangles", share, k)
			}
		}
		open := 0
		sides, _ = sidesOf(m, surfaces())
		for k, times := range sides {
			if back := sides[side{k[1], k[0]}]; times > back {
				open += times - back
			}
		}
		if want := 4 * slits(m); open != want || want == 0 {
			t.Errorf("%v inside: %d open sides, want %d", share, open, want)
		}
	}
}

// slits counts the faces with inside corners across from each other between a cube with
// its corner 7 inside and one with it outside.
func slits(m *Mask) (n int) {
	at := func(p [3]int, c int) bool {
		i, stride := 0, 1
		for k := range 3 {
			x := p[k] + corners[c][k]
			if x < 0 || x >= m.Shape[k] {
				return false
			}
			i, stride = i+x*stride, stride*m.Shape[k]
		}
		return m.Data[i] == 1
	}
	for z := -1; z < m.Shape[2]; z++ {
		for y := -1; y < m.Shape[1]; y++ {
			for x := -1; x < m.Shape[0]; x++ {
				for axis, f := range [3][4]int{{1, 2, 6, 5}, {2, 3, 7, 6}, {4, 5, 6, 7}} {
					p := [3]int{x, y, z}
					q := p
					q[axis]++
					a, b := at(p, f[0]), at(p, f[1])
					if a != b && a == at(p, f[2]) && b == at(p, f[3]) && at(p, 7) != at(q, 7) {
						n++
					}
				}
			}
		}
	}
	return n
}

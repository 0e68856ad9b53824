package radiomics

import "testing"

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
			// All triangles turn the same way: along a side, inside is to the left when
			// seen from without the cube.
			if turn(code, side[0], side[1]) > 0 {
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

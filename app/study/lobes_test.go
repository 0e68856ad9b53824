package study

import (
	"math/rand/v2"
	"slices"
	"testing"

	"heed/format"
	"heed/model/volume"
	"heed/radiomics"
)

// Twins have one centroid and the same distances, and no site in common.
func TestTwins(t *testing.T) {
	a := phantom()
	if len(a.twins) < 100 {
		t.Fatalf("%d pairs", len(a.twins))
	}
	seen := map[int]int{}
	for _, pair := range a.twins {
		var sum [2][3]int
		var distances [2][]int
		for side, set := range pair {
			for i, s := range set {
				for axis := range 3 {
					sum[side][axis] += a.left[s][axis]
				}
				for _, u := range set[:i] {
					d := 0
					for axis := range 3 {
						d += (a.left[s][axis] - a.left[u][axis]) * (a.left[s][axis] - a.left[u][axis])
					}
					distances[side] = append(distances[side], d)
				}
			}
			slices.Sort(distances[side])
		}
		if sum[0] != sum[1] || !slices.Equal(distances[0], distances[1]) {
			t.Fatalf("%v", pair)
		}
		for _, s := range pair[0] {
			if slices.Contains(pair[1], s) {
				t.Fatalf("%v share a site", pair)
			}
			seen[s]++
		}
		// The list is symmetric: each lung alone has the same sets in both classes.
		if !slices.ContainsFunc(a.twins, func(p [2][]int) bool { return slices.Equal(p[0], pair[1]) && slices.Equal(p[1], pair[0]) }) {
			t.Fatalf("%v without its mirror", pair)
		}
	}
}

// What tasks plant: marginals that are the same in both classes, and the relation
// that is not.
func TestLobeTasks(t *testing.T) {
	a := phantom()
	for _, k := range lobeTasks()[1:] {
		var kinds, sites [2][2]map[int]int // (class, lung)
		twice := [2]int{}
		for label := range 2 {
			for side := range 2 {
				kinds[label][side], sites[label][side] = map[int]int{}, map[int]int{}
			}
			r := rand.New(rand.NewPCG(1, uint64(label)))
			for range 3000 {
				left, right := k.draw(a, label, r)
				mirrored := 0
				for side, list := range [2][]planting{left, right} {
					used := map[int]bool{}
					for _, p := range list {
						if used[p.site] {
							t.Fatalf("%s: two lesions at one site", k.name)
						}
						used[p.site] = true
						kinds[label][side][p.kind]++
						sites[label][side][p.site]++
					}
				}
				for _, p := range left {
					if slices.ContainsFunc(right, func(q planting) bool { return q.site == p.site && q.kind == p.kind }) {
						mirrored++
					}
				}
				if k.name == "T2" && mirrored != label*lesions {
					t.Fatalf("class %d has %d mirrored lesions", label, mirrored)
				}
				if k.name == "T1" && slices.ContainsFunc(right, func(q planting) bool { return q.kind == left[0].kind || q.kind == left[1].kind }) {
					twice[label]++
				}
			}
		}
		for side := range 2 {
			for kind, n := range kinds[0][side] {
				if m := kinds[1][side][kind]; float64(m) < 0.9*float64(n) || float64(m) > 1.1*float64(n) {
					t.Errorf("%s: type %d is in lung %d of %d negatives and %d positives", k.name, kind, side, n, m)
				}
			}
			for site, n := range sites[0][side] {
				if m := sites[1][side][site]; float64(m) < 0.75*float64(n) || float64(m) > 1.33*float64(n) {
					t.Errorf("%s: site %d is in lung %d of %d negatives and %d positives", k.name, site, side, n, m)
				}
			}
		}
		if k.name == "T1" && (twice[0] != 0 || twice[1] != 3000) {
			t.Errorf("a type in both lungs: %v", twice)
		}
	}
}

// The same number gives the same scan, another one another, and lesions stand out
// of the lung at their sites.
func TestScan(t *testing.T) {
	a, k := phantom(), lobeTasks()[2]
	s, same, other := k.make(a, 1, 1, 5), k.make(a, 1, 1, 5), k.make(a, 1, 1, 6)
	if !slices.Equal(s.hu, same.hu) || slices.Equal(s.hu, other.hu) {
		t.Error("scans do not follow from their number")
	}
	if len(s.left) != lesions || len(s.right) != lesions || s.volume == 0 {
		t.Errorf("%d and %d lesions of %d voxels", len(s.left), len(s.right), s.volume)
	}
	mean := func(sites [][3]int, want func(i int) bool) float64 {
		sum, n := 0.0, 0.0
		for i, p := range sites {
			if want(i) {
				sum += float64(s.hu[(p[0]*a.size[1]+p[1])*a.size[2]+p[2]])
				n++
			}
		}
		return sum / n
	}
	for side, sites := range [][][3]int{a.left, a.right} {
		planted := [][]int{s.left, s.right}[side]
		sick := mean(sites, func(i int) bool { return slices.Contains(planted, i) })
		well := mean(sites, func(i int) bool { return !slices.Contains(planted, i) })
		if sick < -500 || well > -750 {
			t.Errorf("lung %d: %.0f HU at lesions, %.0f elsewhere", side, sick, well)
		}
	}
}

// The cells of all sites are different, and no cell of a site sees the other lung:
// a change there leaves it as it is.
func TestSitesAreCells(t *testing.T) {
	a := phantom()
	c := readers()[0].config(a)
	m := volume.New(c, rand.New(rand.NewPCG(1, 1)))
	seen := map[int]bool{}
	for i := range a.left {
		seen[a.cellOf(a.left[i])], seen[a.cellOf(a.right[i])] = true, true
		if l, r := a.cellOf(a.left[i])%c.Grid()[2], a.cellOf(a.right[i])%c.Grid()[2]; l+r != c.Grid()[2] {
			t.Errorf("site %d: columns %d and %d", i, l, r)
		}
	}
	if len(seen) != 2*len(a.left) {
		t.Errorf("%d cells of %d sites", len(seen), 2*len(a.left))
	}
	if n := c.Tokens(); n != 4*4*7 || len(m.Stem) != 2 {
		t.Errorf("%d cells after %d stages", n, len(m.Stem))
	}
}

// The crop of a chest of two boxes is where most sites are, left lung first, and
// lesions stay in the lungs.
func TestChestOf(t *testing.T) {
	ct := &format.Volume{Shape: [3]int{34, 20, 26}, Data: make([]float32, 34*20*26)}
	for i := range 3 {
		ct.Affine[i][i] = 12
	}
	lungs := radiomics.NewMask(ct)
	for i := range ct.Data {
		x, y, z := i%34, i/34%20, i/34/20
		ct.Data[i] = 40
		if y >= 3 && y < 17 && z >= 4 && z < 24 {
			switch {
			case x >= 3 && x < 14:
				lungs.Data[i], ct.Data[i] = radiomics.LeftLung, -850
			case x >= 19 && x < 30:
				lungs.Data[i], ct.Data[i] = radiomics.RightLung, -850
			}
		}
	}
	a, err := chestOf(ct, lungs)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.left) != 24 || len(a.twins) < 100 {
		t.Errorf("%d sites, %d pairs", len(a.left), len(a.twins))
	}
	hu := make([]float32, a.voxels())
	a.background(hu, rand.New(rand.NewPCG(1, 1)))
	for i, p := range append(slices.Clone(a.left), a.right...) {
		if v := hu[(p[0]*a.size[1]+p[1])*a.size[2]+p[2]]; v < -1024 || v > -650 {
			t.Errorf("site %d at %v has %v HU", i, p, v)
		}
	}
	clear(lungs.Data)
	if _, err := chestOf(ct, lungs); err == nil || err.Error() != "0 sites in both lungs, which have 0 pairs of sets to compare: want 10 pairs" {
		t.Errorf("a chest without lungs: %v", err)
	}
}

// Without training nothing is told apart, and a floor that adds up finds no
// relation, while the control is told apart by the volume of the lesions.
func TestLobeFloors(t *testing.T) {
	l, a := &Lab{Seed: 1, Seeds: 1, Tiny: true}, phantom()
	for _, k := range lobeTasks() {
		_, worst, err := l.lobeFloors(a, &k, 400)
		if err != nil {
			t.Fatal(err)
		}
		if solved := worst.Estimate > 0.95; solved != (k.name == "T0") {
			t.Errorf("%s: the best single number has AUROC %.3f", k.name, worst.Estimate)
		}
		if k.name != "T0" && worst.Estimate > 0.58 {
			t.Errorf("%s: the best single number has AUROC %.3f", k.name, worst.Estimate)
		}
	}
}

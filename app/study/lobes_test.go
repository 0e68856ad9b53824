package study

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"heed/format"
	"heed/model/volume"
	"heed/nn"
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

// What the mirrored task plants: each lung has the same sets in both classes, and
// only positives have mirrored lesions.
func TestMirroredSets(t *testing.T) {
	a := phantom()
	var sites [2][2]map[int]int // (class, lung)
	for label := range 2 {
		sites[label] = [2]map[int]int{{}, {}}
		r := rand.New(rand.NewPCG(1, uint64(label)))
		for range 3000 {
			left, right := drawMirrored(a, label, r)
			mirrored := 0
			for side, list := range [2][]planting{left, right} {
				for _, p := range list {
					sites[label][side][p.site]++
				}
			}
			for _, p := range left {
				if slices.Contains(right, p) {
					mirrored++
				}
			}
			if mirrored != label*lesions {
				t.Fatalf("class %d has %d mirrored lesions", label, mirrored)
			}
		}
	}
	for side := range 2 {
		for site, n := range sites[0][side] {
			if m := sites[1][side][site]; float64(m) < 0.75*float64(n) || float64(m) > 1.33*float64(n) {
				t.Errorf("site %d is in lung %d of %d negatives and %d positives", site, side, n, m)
			}
		}
	}
}

// What the types task plants. Every type is as frequent in each lung of both
// classes; twins have the counts of positives over both lungs, and strangers those
// of positives in each lung; and a type is in both lungs of positives alone.
func TestTypes(t *testing.T) {
	a := phantom()
	const n = 6000
	shape := func(counts []float32) string { // how often types occur, whichever they are
		c := slices.Clone(counts)
		slices.Sort(c)
		return fmt.Sprint(c)
	}
	kinds := [2][]float64{make([]float64, 12), make([]float64, 12)}
	twins := 0
	for label := range 2 {
		r := rand.New(rand.NewPCG(1, uint64(label)))
		for range n {
			s := &scan{}
			s.left, s.right = drawTypes(a, label, r)
			if len(s.left) != 2 || len(s.right) != 2 || s.left[0].site == s.left[1].site || s.right[0].site == s.right[1].site {
				t.Fatalf("%v | %v", s.left, s.right)
			}
			c := s.counts()
			left, right := c[:6], c[6:]
			both := make([]float32, 6)
			shared := 0
			for i := range both {
				kinds[label][i] += float64(left[i])
				kinds[label][6+i] += float64(right[i])
				both[i] = left[i] + right[i]
				if left[i] > 0 && right[i] > 0 {
					shared++
				}
			}
			if shared != label {
				t.Fatalf("class %d: %v | %v", label, s.left, s.right)
			}
			switch {
			case label == 1 || s.twins():
				if shape(both) != "[0 0 0 1 1 2]" {
					t.Fatalf("class %d: sums %v", label, both)
				}
			case shape(both) != "[0 0 1 1 1 1]":
				t.Fatalf("strangers: %v", both)
			}
			if !s.twins() && (shape(left) != "[0 0 0 0 1 1]" || shape(right) != "[0 0 0 0 1 1]") {
				t.Fatalf("class %d: %v | %v", label, left, right)
			}
			if s.twins() {
				if label == 1 {
					t.Fatal("twins in a positive")
				}
				twins++
			}
		}
	}
	if twins < n*45/100 || twins > n*55/100 {
		t.Errorf("%d of %d negatives have twins", twins, n)
	}
	for i := range kinds[0] {
		for label := range 2 {
			if m := kinds[label][i]; m < n/3*0.92 || m > n/3*1.08 {
				t.Errorf("class %d: type %d is in lung %d %v times, want about %d", label, i%6, i/6, m, n/3)
			}
		}
	}
}

// Focal and scattered lesions are as often at every site, and so is every height
// of the gradient's negatives.
func TestControlTasks(t *testing.T) {
	a := phantom()
	for _, k := range []struct {
		draw    drawer
		lesions int
	}{{drawGradient, 6}, {drawFocal, 4}} {
		var sites [2][36]float64
		var heights [2][3]float64
		for label := range 2 {
			r := rand.New(rand.NewPCG(1, uint64(label)))
			for range 8000 {
				left, right := k.draw(a, label, r)
				if len(left)+len(right) != k.lesions {
					t.Fatalf("%v | %v", left, right)
				}
				for _, p := range left {
					sites[label][p.site]++
					heights[label][a.left[p.site][0]/a.cell-1]++
				}
				for _, p := range right {
					sites[label][18+p.site]++
					heights[label][a.right[p.site][0]/a.cell-1]++
				}
			}
		}
		if k.lesions == 6 {
			if heights != [2][3]float64{{16000, 16000, 16000}, {8000, 16000, 24000}} {
				t.Errorf("lesions by height: %v", heights)
			}
			continue
		}
		for i := range 36 {
			if n, m := sites[0][i], sites[1][i]; n < 0.85*m || n > 1.15*m {
				t.Errorf("site %d: %v scattered, %v focal", i, n, m)
			}
		}
	}
}

// The same number gives the same scan, another one another, and lesions stand out
// of the lung at their sites.
func TestScan(t *testing.T) {
	a, k := phantom(), (&Lab{}).lobeTasks()[2]
	s, same, other := k.draw.make(a, 1, 1, 5), k.draw.make(a, 1, 1, 5), k.draw.make(a, 1, 1, 6)
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
		planted := func(i int) bool {
			return slices.ContainsFunc([][]planting{s.left, s.right}[side], func(p planting) bool { return p.site == i })
		}
		sick := mean(sites, planted)
		well := mean(sites, func(i int) bool { return !planted(i) })
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
	l, a := &Lab{Seed: 1, Seeds: 1}, phantom()
	for _, k := range l.lobeTasks() {
		rows, worst, err := l.lobeFloors(a, &k, 400)
		if err != nil {
			t.Fatal(err)
		}
		if solved := worst.Estimate > 0.95; solved != (k.name == "T0") {
			t.Errorf("%s: the best single number has AUROC %.3f", k.name, worst.Estimate)
		}
		if k.name != "T0" && worst.Estimate > 0.58 {
			t.Errorf("%s: the best single number has AUROC %.3f", k.name, worst.Estimate)
		}
		if k.name == "T1" { // the true numbers of types tell one half of the negatives each
			for _, r := range rows[len(rows)-2:] {
				if v, err := strconv.ParseFloat(r[2][:5], 64); err != nil || v < 0.7 || v > 0.8 {
					t.Errorf("%v", r)
				}
			}
		}
	}
}

// untrained returns a stem and a reader above it with random weights.
func untrained(a *anatomy, c reader) *readerFit {
	r := rand.New(rand.NewPCG(1, 1))
	low := reader{}.config(a)
	stem := &lobeStem{volume.New(low, r), nn.NewLinear(low.Dim(), 1+len(lesionTypes()), r)}
	cfg := c.config(a)
	f := &readerFit{stem: stem, tissues: nn.NewEmbedding(stem.kinds(), cfg.Dim(), 1, r), model: volume.New(cfg, r), cores: 1}
	f.model.Stem = nil
	return f
}

// Lessons are the scans of the stages one after the other, whatever the cores, and
// what the stem says of a cell are probabilities.
func TestLessons(t *testing.T) {
	a := phantom()
	f := untrained(a, readers()[1])
	k := &task{name: "T1", draw: drawTypes, stages: []stage{{4, drawAlike}, {10, drawTypes}}}
	one, two := f.stem.lessons(a, k, 7, 1), f.stem.lessons(a, k, 7, 2)
	var scans []*scan
	for i := range 10 {
		scans = append(scans, drawer(drawTypes).make(a, i%2, 7, streamTrain+4+uint64(i)))
	}
	want := f.stem.heard(a, scans, 1)
	if one[0].n != 4 || one[1].n != 10 || !slices.Equal(one[1].said, want.said) || !slices.Equal(one[1].said, two[1].said) || !slices.Equal(one[0].said, two[0].said) {
		t.Error("lessons are not the scans of their stage")
	}
	kinds := f.stem.kinds()
	for i := 0; i < len(want.said); i += kinds {
		sum := float32(0)
		for _, p := range want.said[i : i+kinds] {
			sum += p
		}
		if sum < 0.999 || sum > 1.001 {
			t.Fatalf("probabilities of cell %d sum to %v", i/kinds, sum)
		}
	}
	if z := f.judge(want); !slices.Equal(z[3:5], f.judge(lesson{2, want.of(3, 5)})) {
		t.Error("the score of a scan depends on others")
	}
}

// A gaze is a share of attention from one cell to another: with [CLS] a little is
// missing, and axial attention stays on its line.
func TestGaze(t *testing.T) {
	a := phantom()
	for _, c := range readers() {
		if c.mixer != volume.Attention && c.mixer != volume.Axial {
			continue
		}
		f := untrained(a, c)
		said := f.stem.heard(a, drawer(drawTypes).scans(a, 1, 1, streamTest, 1), 1)
		g := f.gazeAt(said.said)
		layers, line := 2, f.model.Config.Grid()[2]
		if c.pooling == "cls" {
			layers = 1 // the cells of the last one are read by nobody
		}
		if len(g.names) != layers*f.model.Config.Heads {
			t.Fatalf("%s: %q", c.name, g.names)
		}
		for h := range g.names {
			sum, on := 0.0, 0
			for to := range f.model.Config.Tokens() {
				w := g.weight(h, 50, to)
				sum += w
				if w > 0 {
					on++
				}
			}
			switch {
			case c.mixer == volume.Axial && on != line, c.mixer == volume.Attention && on != f.model.Config.Tokens(),
				c.pooling == "cls" && (sum < 0.9 || sum > 0.99999), c.pooling == "mean" && (sum < 0.9999 || sum > 1.0001):
				t.Errorf("%s, %s: %d cells, sum %v", c.name, g.names[h], on, sum)
			}
		}
	}
}

// Partners are what the relation of a task joins.
func TestPartners(t *testing.T) {
	a := phantom()
	s := &scan{left: []planting{{0, 2}, {5, 4}}, right: []planting{{5, 2}, {9, 1}}}
	at := func(l, r int) [2]int { return [2]int{a.cellOf(a.left[l]), a.cellOf(a.right[r])} }
	joined, others := a.partners(&task{name: "T1"}, s)
	if !slices.Equal(joined, [][2]int{at(0, 5)}) || !slices.Equal(others, [][2]int{at(0, 9), at(5, 5), at(5, 9)}) {
		t.Errorf("T1: %v, others %v", joined, others)
	}
	joined, others = a.partners(&task{name: "T2"}, s)
	if !slices.Equal(joined, [][2]int{at(5, 5)}) || len(others) != len(a.left)-3 || slices.Contains(others, at(9, 9)) {
		t.Errorf("T2: %v, others %v", joined, others)
	}
}

package study

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"heed/internal/par"
)

// A scan is one chest that a task made.
type scan struct {
	label       int
	hu          []float32 // (D, H, W)
	mark        []bool    // (D, H, W) voxels of lesions
	left, right []planting
	volume      int // voxels of lesions
}

// A planting is a lesion of a type at a site.
type planting struct{ site, kind int }

// A drawer says what is planted: sites and types of the left and of the right
// lung. It draws from r alone, so that equal states of r give equal scans.
type drawer func(a *anatomy, label int, r *rand.Rand) (left, right []planting)

// A task makes scans of two classes.
type task struct {
	name, title string
	draw        drawer
	stages      []stage // of the training, from easy to what draw makes
}

// A stage is a part of the training: so many scans of one drawer. A relation whose
// parts say nothing has no slope to follow; with little around it, it has one.
type stage struct {
	scans int
	draw  drawer
}

// lobeTasks lists the tasks. In a tiny lab T1 ends with its second stage, and T2
// only shows that it runs.
func (l *Lab) lobeTasks() []task {
	if l.Tiny {
		return []task{
			{"T0", "control: many lesions or few", drawAmount, []stage{{1600, drawAmount}}},
			{"T1", "a lesion of one type in each lung, or two types, or both in one lung", drawApart, []stage{{4800, drawAlike}, {6400, drawApart}}},
			{"T2", "one lesion in each lung, mirrored or not", drawSingle, []stage{{160, drawHeights}, {160, drawSingle}}},
		}
	}
	return []task{
		{"T0", "control: many lesions or few", drawAmount, []stage{{6400, drawAmount}}},
		{"T1", "a type that is in both lungs, or not", drawTypes, []stage{{6400, drawAlike}, {8000, drawApart}, {24000, drawTypes}}},
		{"T2", "mirrored sets, or sets of one centroid and the same distances", drawMirrored, []stage{{8000, drawHeights}, {8000, drawSingle}, {16000, drawMirrored}}},
		{"T3", "control: more lesions from height to height, or as many in each", drawGradient, []stage{{6400, drawGradient}}},
		{"T4", "control: four lesions side by side, or scattered", drawFocal, []stage{{16000, drawFocal}}},
	}
}

// drawAmount plants 4 to 6 lesions of ground glass in a positive and 1 to 3 in a
// negative: every model that can add must solve it.
func drawAmount(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	n := 1 + r.IntN(3) + 3*label
	for _, s := range r.Perm(2 * len(a.left))[:n] {
		if s < len(a.left) {
			left = append(left, planting{s, 0})
		} else {
			right = append(right, planting{s - len(a.left), 0})
		}
	}
	return left, right
}

// drawTypes plants two lesions in each lung, of six types at any sites. In a
// positive, a type of the left lung is in the right lung too: ab|ac. Half of the
// negatives are twins, aa|bc or bc|aa: over both lungs they have as many lesions
// of each type as positives have, so that no sum that ignores sides can tell them.
// The other half are strangers, ab|cd: each lung alone looks like one of a
// positive. No negative can be both. Were the counts of each lung and those of
// both together equally distributed in both classes, so would be, for every type,
// the mean of left times right count, as 2lr = (l+r)² - l² - r²; it is above 0 in
// positives and 0 in negatives.
func drawTypes(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	k := r.Perm(len(lesionTypes()))
	switch twins := r.IntN(2) == 0; {
	case label == 1:
		return plantings(a, k[:2], []int{k[0], k[2]}, r)
	case !twins:
		return plantings(a, k[:2], k[2:4], r)
	default:
		return eitherWay(a, []int{k[0], k[0]}, k[1:3], r)
	}
}

// drawAlike plants a lesion in each lung, of one type or of two: a|a or a|b.
func drawAlike(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	k := r.Perm(len(lesionTypes()))
	return plantings(a, k[:1], k[1-label:][:1], r)
}

// drawApart plants a|a, or one of a|b, aa| and |aa.
func drawApart(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	if label == 1 || r.IntN(2) == 0 {
		return drawAlike(a, label, r)
	}
	k := r.IntN(len(lesionTypes()))
	return eitherWay(a, []int{k, k}, nil, r)
}

// plantings puts lesions of types at different sites of each lung.
func plantings(a *anatomy, kindsLeft, kindsRight []int, r *rand.Rand) (left, right []planting) {
	s, t := r.Perm(len(a.left)), r.Perm(len(a.right))
	for i, k := range kindsLeft {
		left = append(left, planting{s[i], k})
	}
	for i, k := range kindsRight {
		right = append(right, planting{t[i], k})
	}
	return left, right
}

// eitherWay is plantings with the lungs as given or exchanged.
func eitherWay(a *anatomy, one, other []int, r *rand.Rand) (left, right []planting) {
	if r.IntN(2) == 0 {
		one, other = other, one
	}
	return plantings(a, one, other, r)
}

// drawMirrored plants a set of consolidations in the left lung and in the right
// lung its mirror image, or that of a twin, see [twins]. Both sets of a negative
// and the one of a positive come from the same list, so that each lung alone, and
// every sum over both, has the same distribution in both classes.
func drawMirrored(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	pair := a.twins[r.IntN(len(a.twins))]
	other := pair[0]
	if label == 0 {
		other = pair[1]
	}
	for i, s := range pair[0] {
		left, right = append(left, planting{s, 1}), append(right, planting{other[i], 1})
	}
	return left, right
}

// drawSingle plants one lesion in each lung, mirrored or not.
func drawSingle(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	i := r.IntN(len(a.left))
	j := i
	if label == 0 {
		j = (i + 1 + r.IntN(len(a.left)-1)) % len(a.left)
	}
	return []planting{{i, 1}}, []planting{{j, 1}}
}

// drawHeights plants one lesion in each lung, mirrored or at another height.
func drawHeights(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	for {
		i := r.IntN(len(a.left))
		var js []int
		for j, p := range a.left {
			if q := a.left[i]; p[0] != q[0] && p[1] == q[1] && p[2] == q[2] {
				js = append(js, j)
			}
		}
		if len(js) == 0 { // in real lungs
			continue
		}
		j := i
		if label == 0 {
			j = js[r.IntN(len(js))]
		}
		return []planting{{i, 1}}, []planting{{j, 1}}
	}
}

// drawGradient plants six lesions of any types: one, two and three in the three
// layers of sites, or two in each. To add up heights is enough.
func drawGradient(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	layers := map[int][]int{} // sites of both lungs by height
	var heights []int
	for i, p := range a.left {
		if layers[p[0]] == nil {
			heights = append(heights, p[0])
		}
		layers[p[0]] = append(layers[p[0]], i, len(a.left)+i)
	}
	for layer, z := range heights {
		n := 2 + label*(layer-1)
		for _, i := range r.Perm(len(layers[z]))[:n] {
			p := planting{layers[z][i] % len(a.left), r.IntN(len(lesionTypes()))}
			if layers[z][i] < len(a.left) {
				left = append(left, p)
			} else {
				right = append(right, p)
			}
		}
	}
	return left, right
}

// drawFocal plants four lesions of ground glass at the corners of a square, or each
// at a corner of another: in both classes every site has one as often, but for the
// few scans that are drawn again because two would share a site.
func drawFocal(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	square := func() (sites []int) { // of a random lung; the right one after the left
		z, y, x, lung := 1+r.IntN(2), 1+r.IntN(2), 1+r.IntN(2), r.IntN(2)
		for i, p := range a.left {
			if dz, dy := p[0]/a.cell-z, p[1]/a.cell-y; p[2]/a.cell == x && dz >= 0 && dz <= 1 && dy >= 0 && dy <= 1 {
				sites = append(sites, lung*len(a.left)+i)
			}
		}
		return sites
	}
	sites := square()
	for label == 0 {
		for i := range sites {
			sites[i] = square()[r.IntN(4)]
		}
		slices.Sort(sites)
		if len(slices.Compact(slices.Clone(sites))) == 4 {
			break
		}
	}
	for _, s := range sites {
		if s < len(a.left) {
			left = append(left, planting{s, 0})
		} else {
			right = append(right, planting{s - len(a.left), 0})
		}
	}
	return left, right
}

// drawAny plants lesions of any type at any site, independently: scans that know
// of no relation.
func drawAny(a *anatomy, _ int, r *rand.Rand) (left, right []planting) {
	for site := range a.left {
		for _, lung := range []*[]planting{&left, &right} {
			if r.Float64() < 0.3 {
				*lung = append(*lung, planting{site, r.IntN(len(lesionTypes()))})
			}
		}
	}
	return left, right
}

// make returns a scan; the same number gives the same one.
func (draw drawer) make(a *anatomy, label int, seed, number uint64) *scan {
	r := rand.New(rand.NewPCG(seed, number))
	r = rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) // streams of neighbours, scrambled once more
	s := &scan{label: label, hu: make([]float32, a.voxels()), mark: make([]bool, a.voxels())}
	moved := a.background(s.hu, r)
	s.left, s.right = draw(a, label, r)
	kinds := lesionTypes()
	for _, p := range s.left {
		a.plant(s.hu, s.mark, kinds[p.kind], a.left[p.site], moved, r)
	}
	for _, p := range s.right {
		a.plant(s.hu, s.mark, kinds[p.kind], a.right[p.site], moved, r)
	}
	for _, m := range s.mark {
		if m {
			s.volume++
		}
	}
	return s
}

// scans returns n scans of alternating class.
func (draw drawer) scans(a *anatomy, n int, seed, stream uint64, cores int) []*scan {
	out := make([]*scan, n)
	par.Do(n, cmp.Or(cores, par.Cores()), func(_, i int) { out[i] = draw.make(a, i%2, seed, stream+uint64(i)) })
	return out
}

// counts returns how many lesions of each type are in the left lung, then in the
// right one.
func (s *scan) counts() []float32 {
	n := len(lesionTypes())
	c := make([]float32, 2*n)
	for _, p := range s.left {
		c[p.kind]++
	}
	for _, p := range s.right {
		c[n+p.kind]++
	}
	return c
}

// twins reports whether a lung has two lesions of one type.
func (s *scan) twins() bool { return slices.Max(s.counts()) > 1 }

// window maps HU of a scan to 0 to 1, as heed ct train does by default.
func (s *scan) window(dst []float32) {
	for i, v := range s.hu {
		dst[i] = min(max((v+1000)/1400, 0), 1)
	}
}

// numbers returns what a radiologist would measure without looking at places:
// number of lesions, their volume, mean HU, and the shares below -950 and between
// -600 and -250 HU.
func (s *scan) numbers() []float32 {
	mean, low, high := 0.0, 0, 0
	for _, v := range s.hu {
		mean += float64(v) / float64(len(s.hu))
		if v < -950 {
			low++
		}
		if v >= -600 && v < -250 {
			high++
		}
	}
	n := float32(len(s.hu))
	return []float32{float32(len(s.left) + len(s.right)), float32(s.volume), float32(mean), float32(low) / n, float32(high) / n}
}

// numberNames names them.
func numberNames() []string {
	return []string{"lesions", "their volume", "mean HU", "share below -950 HU", "share of -600 to -250 HU"}
}

// cellOf returns the cell of the feature map whose centre is nearest to a voxel.
func (a *anatomy) cellOf(voxel [3]int) int {
	at := 0
	for axis, v := range voxel {
		grid := (a.size[axis] + a.cell - 1) / a.cell
		at = at*grid + min((v+a.cell/2)/a.cell, grid-1)
	}
	return at
}

package study

import "math/rand/v2"

// A scan is one chest that a task made.
type scan struct {
	label  int
	hu     []float32 // (D, H, W)
	mark   []bool    // (D, H, W) voxels of lesions
	left   []int     // sites with a lesion
	right  []int
	volume int // voxels of lesions
}

// A task makes scans of two classes.
type task struct {
	name, title string
	// draw says what is planted: sites and types of the left and of the right
	// lung. The second of two scans with the same r in the same state would be
	// the same.
	draw func(a *anatomy, label int, r *rand.Rand) (left, right []planting)
	// easy, if not nil, makes every second scan of the training: the relation
	// without what hides it. No model learns all at once.
	easy func(a *anatomy, label int, r *rand.Rand) (left, right []planting)
}

// A planting is a lesion of a type at a site.
type planting struct{ site, kind int }

// lobeTasks lists the tasks, each harder for a model that adds up what it finds.
func lobeTasks() []task {
	return []task{
		{"T0", "control: many lesions or few", drawAmount, nil},
		{"T1", "the same type in both lungs, or twice in one", drawTypes, drawTwo},
		{"T2", "mirrored sets, or sets of one centroid and the same distances", drawMirrored, drawSingle},
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

// drawTypes plants two lesions in each lung. In a positive one type is in both
// lungs; in a negative it is twice in one of them. Over both lungs every scan has
// three types, one of them twice, at sites that say nothing; and in each lung every
// type is as frequent in both classes.
func drawTypes(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	kinds := []int{0, 1, 3} // told apart by density and texture
	r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	l, m := [2]int{kinds[0], kinds[1]}, [2]int{kinds[0], kinds[2]}
	if label == 0 {
		l, m = [2]int{kinds[0], kinds[0]}, [2]int{kinds[1], kinds[2]}
		if r.IntN(2) == 1 {
			l, m = m, l
		}
	}
	s, t := r.Perm(len(a.left)), r.Perm(len(a.right))
	for i := range 2 {
		left, right = append(left, planting{s[i], l[i]}), append(right, planting{t[i], m[i]})
	}
	return left, right
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

// drawTwo plants one lesion in each lung, of the same type or not.
func drawTwo(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
	kinds := []int{0, 1, 3}
	i := r.IntN(3)
	j := i
	if label == 0 {
		j = (i + 1 + r.IntN(2)) % 3
	}
	return []planting{{r.IntN(len(a.left)), kinds[i]}}, []planting{{r.IntN(len(a.right)), kinds[j]}}
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

// make returns a scan; the same number gives the same one.
func (k *task) make(a *anatomy, label int, seed, number uint64) *scan {
	r := rand.New(rand.NewPCG(seed, number))
	r = rand.New(rand.NewPCG(r.Uint64(), r.Uint64())) // streams of neighbours, scrambled once more
	s := &scan{label: label, hu: make([]float32, a.voxels()), mark: make([]bool, a.voxels())}
	moved := a.background(s.hu, r)
	left, right := k.draw(a, label, r)
	kinds := lesionTypes()
	for _, p := range left {
		a.plant(s.hu, s.mark, kinds[p.kind], a.left[p.site], moved, r)
		s.left = append(s.left, p.site)
	}
	for _, p := range right {
		a.plant(s.hu, s.mark, kinds[p.kind], a.right[p.site], moved, r)
		s.right = append(s.right, p.site)
	}
	for _, m := range s.mark {
		if m {
			s.volume++
		}
	}
	return s
}

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

package study

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/explain"
	"heed/metric"
	"heed/model/volume"
)

// A lobeRelation is what the attention of one trained model does on positives.
type lobeRelation struct {
	mass, massMean float64 // attention of a lesion to its partner: best head, all heads
	massChance     float64
	otherMass      float64 // of the best head where there is no relation
	head           string
	pointing       map[string]float64 // share of positives in which the strongest cell is that of a lesion with a partner
	pointingChance float64
	moved, bare    float64 // AUROC with the right lung of another scan, or without its lesions
}

// partners lists pairs of cells, left and right: those of lesions that the
// relation joins, and for comparison those that it does not: with T1 lesions of two
// types, with T2 places without a lesion that mirror one another.
func (a *anatomy) partners(k *task, s *scan) (joined, others [][2]int) {
	for _, p := range s.left {
		for _, q := range s.right {
			pair := [2]int{a.cellOf(a.left[p.site]), a.cellOf(a.right[q.site])}
			switch {
			case k.name == "T1" && p.kind == q.kind || k.name == "T2" && p.site == q.site:
				joined = append(joined, pair)
			case k.name == "T1":
				others = append(others, pair)
			}
		}
	}
	if k.name == "T2" {
		for site := range a.left {
			holds := func(p planting) bool { return p.site == site }
			if !slices.ContainsFunc(s.left, holds) && !slices.ContainsFunc(s.right, holds) {
				others = append(others, [2]int{a.cellOf(a.left[site]), a.cellOf(a.right[site])})
			}
		}
	}
	return joined, others
}

// relate measures attention and explanations on positives. The best head is that
// of the first half of them, and its mass is measured on the second half.
func (l *Lab) relate(ctx context.Context, a *anatomy, k *task, f *readerFit, scans []*scan, heard lesson, seed uint64) (*lobeRelation, error) {
	out := &lobeRelation{pointing: map[string]float64{}}
	var mass, other [2][]float64 // (half, head)
	var n, m [2]float64
	var names []string
	half := 0
	for i, s := range scans {
		if s.label != 1 {
			continue
		}
		if i >= len(scans)/2 {
			half = 1
		}
		g := f.gazeAt(heard.of(i, i+1))
		names = g.names
		if mass[half] == nil {
			mass[half], other[half] = make([]float64, len(names)), make([]float64, len(names))
		}
		joined, others := a.partners(k, s)
		for _, x := range []struct {
			pairs [][2]int
			sum   []float64
			n     *float64
		}{{joined, mass[half], &n[half]}, {others, other[half], &m[half]}} {
			for _, p := range x.pairs {
				*x.n += 2
				for h := range names {
					x.sum[h] += g.weight(h, p[0], p[1]) + g.weight(h, p[1], p[0])
				}
			}
		}
	}
	best := slices.Index(mass[0], slices.Max(mass[0]))
	out.mass, out.otherMass, out.head = mass[1][best]/n[1], other[1][best]/max(m[1], 1), names[best]
	for _, v := range mass[1] {
		out.massMean += v / n[1] / float64(len(names))
	}
	c := &f.model.Config
	switch {
	case c.Mixer == volume.Axial:
		out.massChance = 1 / float64(c.Grid()[2])
	case c.Pooling == "cls":
		out.massChance = 1 / float64(c.Tokens()+1)
	default:
		out.massChance = 1 / float64(c.Tokens())
	}
	if err := f.point(ctx, a, k, scans[:len(scans)/2], heard, out); err != nil {
		return nil, err
	}
	// The relation is taken away: the right lung is that of another positive, or
	// has no lesions.
	moved := drawer(func(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
		left, _ = k.draw(a, label, r)
		_, right = k.draw(a, 1, r)
		return left, right
	})
	bare := drawer(func(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
		left, _ = k.draw(a, label, r)
		return left, nil
	})
	out.moved = f.aurocOf(f.stem.heard(a, moved.scans(a, l.pick(1000, 200), seed, streamTest, f.cores), f.cores))
	out.bare = f.aurocOf(f.stem.heard(a, bare.scans(a, l.pick(1000, 200), seed, streamTest, f.cores), f.cores))
	return out, nil
}

// pointingMethods are the explanations that play the pointing game.
func pointingMethods() []string { return []string{"occlusion", "gradient x input"} }

// point plays the pointing game on positives.
func (f *readerFit) point(ctx context.Context, a *anatomy, k *task, scans []*scan, heard lesson, out *lobeRelation) error {
	positives, targets := 0.0, 0.0
	for i, s := range scans {
		if s.label != 1 {
			continue
		}
		joined, _ := a.partners(k, s)
		var cells []int
		for _, p := range joined {
			cells = append(cells, p[0], p[1])
		}
		positives++
		targets += float64(len(cells))
		o, err := f.occlusion(a, s).Occlusion(ctx)
		if err != nil {
			return err
		}
		for j, scores := range [][]float64{o.Effect, f.slope(heard.of(i, i+1))} {
			if slices.Contains(cells, slices.Index(scores, slices.Max(scores))) {
				out.pointing[pointingMethods()[j]]++
			}
		}
	}
	for _, name := range pointingMethods() {
		out.pointing[name] /= positives
	}
	out.pointingChance = targets / positives / float64(f.model.Config.Tokens())
	return nil
}

// occlusion returns the game over the cells of the feature map whose voxels are
// replaced by healthy lung, -860 HU, those of the mediastinum too.
func (f *readerFit) occlusion(a *anatomy, s *scan) *explain.Game {
	const healthy = 0.1
	x := make([]float32, a.voxels())
	s.window(x)
	cells := make([]int, len(x))
	for i := range x {
		cells[i] = a.cellOf([3]int{i / (a.size[1] * a.size[2]), i / a.size[2] % a.size[1], i % a.size[2]})
	}
	return &explain.Game{Features: f.model.Config.Tokens(), Value: func(keep [][]bool) []float64 {
		inputs := make([][]float32, len(keep))
		for s, kept := range keep {
			inputs[s] = slices.Clone(x)
			for i, c := range cells {
				if !kept[c] {
					inputs[s][i] = healthy
				}
			}
		}
		return f.scores(a, inputs)
	}}
}

// relationTable shows what attention and explanations do, with its checks.
func relationTable(k *task, c reader, rs []lobeRelation) (Table, []Check) {
	over := func(f func(r *lobeRelation) float64) metric.Interval {
		var v []float64
		for i := range rs {
			v = append(v, f(&rs[i]))
		}
		return overSeeds(v)
	}
	var heads []string
	for _, r := range rs {
		heads = append(heads, r.head)
	}
	chance, others, along := fmt.Sprintf("%.3f", rs[0].massChance), "from a lesion to one of another type in the other lung, same head", "to all cells and [CLS]"
	if k.name == "T2" {
		others = "from a healthy place to its healthy mirror image, same head"
	}
	if c.mixer == volume.Axial {
		along = "along the width"
	}
	t := Table{Title: k.name + ": what the attention does (" + c.name + ")", Columns: []string{"measure", "value [range of seeds]", "chance"},
		Notes: []string{"Mass: attention " + along + " from a lesion to its partner in the other lung, mean over both ways, on positives. Best head of each seed, chosen on other scans: " + strings.Join(heads, "; ") + ".",
			"Pointing game: share of positives in which the strongest cell is that of a lesion with a partner. Occlusion replaces the block around a cell by the HU of healthy lung.",
			"The relation taken away: the right lung has the lesions of another positive, or none."}}
	moved := over(func(r *lobeRelation) float64 { return r.moved })
	t.Rows = append(t.Rows,
		[]string{"mass from a lesion to its partner, best head", interval(over(func(r *lobeRelation) float64 { return r.mass })), chance},
		[]string{others, interval(over(func(r *lobeRelation) float64 { return r.otherMass })), chance},
		[]string{"mass from a lesion to its partner, mean of all heads", interval(over(func(r *lobeRelation) float64 { return r.massMean })), chance})
	for _, name := range pointingMethods() {
		t.Rows = append(t.Rows, []string{"pointing game, " + name, interval(over(func(r *lobeRelation) float64 { return r.pointing[name] })), fmt.Sprintf("%.3f", rs[0].pointingChance)})
	}
	t.Rows = append(t.Rows,
		[]string{"AUROC, right lung of another positive", interval(moved), "0.500"},
		[]string{"AUROC, right lung without lesions", interval(over(func(r *lobeRelation) float64 { return r.bare })), "0.500"})
	return t, []Check{
		{Name: k.name + ": attention to the partner, times chance", Value: over(func(r *lobeRelation) float64 { return r.mass / r.massChance }), Bound: 2},
		{Name: k.name + ": control, the relation taken away", Value: moved, Bound: 0.6, Upper: true},
	}
}

package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/explain"
	"heed/metric"
	"heed/model/baseline"
	"heed/model/volume"
)

// lobes asks what attention is good for in a volume: to relate places that no
// convolution sees together.
func lobes() Study {
	return Study{
		Name:  "lobes",
		Title: "Does attention relate the two lungs?",
		Claim: "Where the label is a relation between lesions of both lungs, a convolution stem with attention over its feature map learns it, the same stem with pooling does not, and the attention of a lesion goes to its mirror image.",
		Refuted: "An AUROC below .95 of stem and attention on mirrored sets; above .65 of the same stem with pooling; a single number, such as the volume of the lesions, that tells the classes apart; a control (many lesions or few) that the pooled stem does not solve; " +
			"attention to the mirror image below twice that of chance; or an AUROC above .6 after the lesions of one lung were moved.",
		Takes: "20 minutes",
		Run:   runLobes,
	}
}

func runLobes(ctx context.Context, l *Lab) (*Finding, error) {
	a := phantom()
	f := &Finding{}
	n := l.pick(1000, 40)
	best := map[string]metric.Interval{} // of task and reader
	var relation []lobeRelation
	for _, k := range lobeTasks() {
		compared := readers()
		total := l.pick(60000, 64)
		switch k.name {
		case "T0", "T1":
			compared = compared[:2]
		}
		t := Table{Title: fmt.Sprintf("%s: %s", k.name, k.title), Columns: []string{"model", "parameters", "AUROC [range of seeds]", "scans until .9 on validation", "seconds"},
			Notes: []string{fmt.Sprintf("%d new scans for each seed. The bootstrap interval of one AUROC of .5 over %d scans is about ±%.2f. Every model sees up to %d scans, none twice, and stops where its validation AUROC reaches .995.", n, n, 0.57*2/math.Sqrt(float64(n)), total)}}
		values := make([][]float64, len(compared))
		trials := make([][]*readerFit, len(compared))
		for s := range l.Seeds {
			seed := l.Seed + uint64(s)
			test := k.scans(a, n, seed, streamTest, l.Cores)
			for i, c := range compared {
				fit, err := l.fitReader(ctx, c, a, &k, total, seed)
				if err != nil {
					return nil, err
				}
				values[i] = append(values[i], fit.auroc(a, test))
				trials[i] = append(trials[i], fit)
				if k.name == "T2" && c.mixer == volume.Attention {
					r, err := l.relate(ctx, a, &k, fit, test[:l.pick(200, 6)], seed)
					if err != nil {
						return nil, err
					}
					relation = append(relation, *r)
				}
			}
		}
		for i, c := range compared {
			reached, seconds := "never", 0.0
			var seen []string
			for _, fit := range trials[i] {
				seconds += fit.took.Seconds() / float64(len(trials[i]))
				if fit.seen > 0 {
					seen = append(seen, fmt.Sprint(fit.seen))
				}
			}
			if len(seen) > 0 {
				reached = strings.Join(seen, ", ")
			}
			v := overSeeds(values[i])
			best[k.name+c.name] = v
			t.Rows = append(t.Rows, []string{c.name, fmt.Sprint(trials[i][0].params), interval(v), reached, fmt.Sprintf("%.0f", seconds)})
		}
		floors, worst, err := l.lobeFloors(a, &k, n)
		if err != nil {
			return nil, err
		}
		t.Rows = append(t.Rows, floors...)
		f.Tables = append(f.Tables, t)
		if k.name != "T0" {
			f.Checks = append(f.Checks, Check{Name: k.name + ": the best single number", Value: worst, Bound: 0.55, Upper: true})
		}
	}
	attention, pooled := readers()[0].name, readers()[1].name
	f.Checks = append(f.Checks,
		Check{Name: "T0, control: stem and pooling", Value: best["T0"+pooled], Bound: 0.95},
		Check{Name: "T1: stem and attention", Value: best["T1"+attention], Bound: 0.95},
		Check{Name: "T1: stem and pooling", Value: best["T1"+pooled], Bound: 0.65, Upper: true},
		Check{Name: "T2: stem and attention", Value: best["T2"+attention], Bound: 0.95},
		Check{Name: "T2: stem and pooling", Value: best["T2"+pooled], Bound: 0.65, Upper: true})
	table, checks := relationTable(relation, a)
	f.Tables, f.Checks = append(f.Tables, table), append(f.Checks, checks...)
	f.Words = fmt.Sprintf("Mirrored lesions (T2): AUROC %.3f with attention, %.3f with the same stem and pooling. Types (T1): %.3f against %.3f. The control (T0): %.3f against %.3f.",
		best["T2"+attention].Estimate, best["T2"+pooled].Estimate, best["T1"+attention].Estimate, best["T1"+pooled].Estimate, best["T0"+attention].Estimate, best["T0"+pooled].Estimate)
	return f, nil
}

// lobeFloors scores what knows no places: single numbers, a logistic regression
// of all of them, and one of the histogram. worst is the best of the single
// numbers, in either direction.
func (l *Lab) lobeFloors(a *anatomy, k *task, n int) (rows [][]string, worst metric.Interval, err error) {
	names := append(numberNames(), "logistic regression of these numbers", "logistic regression of the histogram")
	values := make([][]float64, len(names))
	for s := range l.Seeds {
		seed := l.Seed + uint64(s)
		fit, test := k.scans(a, n, seed, streamTrain, l.Cores), k.scans(a, n, seed, streamTest, l.Cores)
		x, y := make([][][]float32, 2), make([][]bool, 2)
		h := make([][][]float32, 2)
		for i, scans := range [][]*scan{fit, test} {
			in, label := windows(a, scans)
			y[i] = label
			for j, s := range scans {
				x[i] = append(x[i], s.numbers())
				h[i] = append(h[i], volume.HistogramFeatures(in[j]))
			}
		}
		for c := range numberNames() {
			column := make([]float64, n)
			for i, row := range x[1] {
				column[i] = float64(row[c])
			}
			v := mustAUROC(column, y[1])
			values[c] = append(values[c], v)
		}
		for i, table := range [][][][]float32{x, h} {
			m, err := baseline.FitTableLogistic(table[0], y[0], rand.New(rand.NewPCG(seed, 5)))
			if err != nil {
				return nil, worst, err
			}
			values[len(numberNames())+i] = append(values[len(numberNames())+i], mustAUROC(m.Predict(table[1]), y[1]))
		}
	}
	for i, name := range names {
		v := overSeeds(values[i])
		rows = append(rows, []string{name, "-", interval(v), "-", "-"})
		if v.Estimate < 0.5 {
			v = metric.Interval{Estimate: 1 - v.Estimate, Low: 1 - v.High, High: 1 - v.Low}
		}
		if v.Estimate > worst.Estimate {
			worst = v
		}
	}
	return rows, worst, nil
}

// A lobeRelation is what the attention of one trained model does on mirrored sets.
type lobeRelation struct {
	mass, massChance   float64 // attention of a lesion to its mirror image, best head
	head               string
	pointing           map[string]float64 // share of positives in which the strongest cell has a lesion
	moved, healthy     float64            // AUROC after the lesions of the right lung were moved, or taken away
	pointingChance     float64
	massMean, massSame float64 // mean of all heads; the best head's attention to the lesion itself
}

// relate measures attention and explanations on scans of the task T2.
func (l *Lab) relate(ctx context.Context, a *anatomy, k *task, f *readerFit, scans []*scan, seed uint64) (*lobeRelation, error) {
	out := &lobeRelation{pointing: map[string]float64{}}
	c := &f.model.Config
	tokens := c.Tokens()
	var mass []float64 // of each head
	var names []string
	n, positives := 0.0, 0.0
	methods := []struct {
		name  string
		score func(x []float32) ([]float64, error)
	}{
		{"gradient x attention", func(x []float32) ([]float64, error) {
			e := f.explained(x)
			return explain.GradientAttention(explain.AttentionGradient(e), e.Readout, explain.Positive)[1:], nil
		}},
		{"rollout", func(x []float32) ([]float64, error) {
			e := f.explained(x)
			return explain.RolloutFrom(explain.Attention(e), e.Readout, explain.Mean)[1:], nil
		}},
		{"occlusion", func(x []float32) ([]float64, error) {
			o, err := f.occlusion(a, x).Occlusion(ctx)
			if err != nil {
				return nil, err
			}
			return o.Effect, nil
		}},
	}
	for _, s := range scans {
		if s.label != 1 {
			continue
		}
		x := make([]float32, a.voxels())
		s.window(x)
		layers := explain.Attention(f.explained(x))
		if mass == nil {
			for i, layer := range layers {
				for h := range layer.Heads {
					names = append(names, fmt.Sprintf("layer %d, head %d", i+1, h+1))
				}
			}
			mass = make([]float64, len(names))
		}
		for _, site := range s.left {
			for _, way := range [2][2]int{{a.cellOf(a.left[site]), a.cellOf(a.right[site])}, {a.cellOf(a.right[site]), a.cellOf(a.left[site])}} {
				at := 0
				for _, layer := range layers {
					for h := range layer.Heads {
						mass[at] += float64(layer.Weights[(h*layer.Length+1+way[0])*layer.Length+1+way[1]])
						at++
					}
				}
				n++
			}
		}
		positives++
		for _, m := range methods {
			scores, err := m.score(x)
			if err != nil {
				return nil, err
			}
			top := 0
			for i, v := range scores {
				if v > scores[top] {
					top = i
				}
			}
			if slices.ContainsFunc(s.left, func(i int) bool { return a.cellOf(a.left[i]) == top }) || slices.ContainsFunc(s.right, func(i int) bool { return a.cellOf(a.right[i]) == top }) {
				out.pointing[m.name]++
			}
		}
	}
	for _, m := range methods {
		out.pointing[m.name] /= positives
	}
	for i := range mass {
		mass[i] /= n
		out.massMean += mass[i] / float64(len(mass))
		if mass[i] > out.mass {
			out.mass, out.head = mass[i], names[i]
		}
	}
	out.massChance = 1 / float64(1+tokens)
	out.pointingChance = 2 * lesions / float64(tokens)
	// The relation is taken away: the right lung gets a set that has nothing to do
	// with the left one, or none.
	broken, bare := *k, *k
	broken.draw = func(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
		left, _ = k.draw(a, label, r)
		_, right = k.draw(a, label, r)
		return left, right
	}
	bare.draw = func(a *anatomy, label int, r *rand.Rand) (left, right []planting) {
		left, _ = k.draw(a, label, r)
		return left, nil
	}
	out.moved = f.auroc(a, broken.scans(a, l.pick(1000, 40), seed, streamTest, l.Cores))
	out.healthy = f.auroc(a, bare.scans(a, l.pick(1000, 40), seed, streamTest, l.Cores))
	return out, nil
}

// occlusion returns the game over the cells of the feature map whose voxels are
// replaced by healthy lung or soft tissue, whichever is nearer.
func (f *readerFit) occlusion(a *anatomy, x []float32) *explain.Game {
	healthy := make([]float32, len(x))
	for i, v := range x {
		healthy[i] = 0.1
		if v > 0.7 && i%a.size[2] == 0 {
			healthy[i] = v
		}
	}
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
					inputs[s][i] = healthy[i]
				}
			}
		}
		return f.scores(inputs)
	}}
}

// relationTable shows what attention and explanations do on T2.
func relationTable(rs []lobeRelation, a *anatomy) (Table, []Check) {
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
	ratio := over(func(r *lobeRelation) float64 { return r.mass / r.massChance })
	t := Table{Title: "T2: what the attention does", Columns: []string{"measure", "value [range of seeds]", "chance"},
		Notes: []string{"Mass: attention of a cell with a lesion to the cell of its mirror image in the other lung, mean over the lesions of positives. Best head of each seed: " + strings.Join(heads, "; ") + ".",
			"Pointing game: share of positives in which the strongest cell of the map has a lesion.",
			"Occlusion replaces the block around a cell by the HU of healthy lung."}}
	t.Rows = append(t.Rows,
		[]string{"mass on the mirror image, best head", interval(over(func(r *lobeRelation) float64 { return r.mass })), fmt.Sprintf("%.3f", rs[0].massChance)},
		[]string{"mass on the mirror image, mean of all heads", interval(over(func(r *lobeRelation) float64 { return r.massMean })), fmt.Sprintf("%.3f", rs[0].massChance)})
	for _, name := range []string{"gradient x attention", "rollout", "occlusion"} {
		t.Rows = append(t.Rows, []string{"pointing game, " + name, interval(over(func(r *lobeRelation) float64 { return r.pointing[name] })), fmt.Sprintf("%.3f", rs[0].pointingChance)})
	}
	moved := over(func(r *lobeRelation) float64 { return r.moved })
	t.Rows = append(t.Rows,
		[]string{"AUROC, right lung of another scan of the class", interval(moved), "0.500"},
		[]string{"AUROC, right lung healthy", interval(over(func(r *lobeRelation) float64 { return r.healthy })), "0.500"})
	return t, []Check{
		{Name: "T2: attention to the mirror image, times chance", Value: ratio, Bound: 2},
		{Name: "T2: control, the relation taken away", Value: moved, Bound: 0.6, Upper: true},
	}
}

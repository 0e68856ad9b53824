package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"heed/explain"
	"heed/internal/par"
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
		Claim: "Where the label is a relation between lesions of both lungs, a convolution stem with axial attention over its feature map learns it, the same stem with pooling does not, and the attention of a lesion goes to its mirror image.",
		Refuted: "On mirrored sets an AUROC below .95 of stem and axial attention, or above .65 of the same stem with pooling; a single number, such as the volume of the lesions, that tells the classes apart; " +
			"a control (many lesions or few) that the pooled stem does not solve; attention to the mirror image below twice that of chance; or an AUROC above .6 after the relation was taken away.",
		Takes: "20 minutes",
		Run:   runLobes,
	}
}

// A lobeTrial is one reader on one task with one seed.
type lobeTrial struct {
	reader   int
	seed     uint64
	fit      *readerFit
	auroc    float64
	relation *lobeRelation // of axial attention on T2
}

// lobeTask trains all readers of a task with all seeds, as many at a time as
// there are cores.
func (l *Lab) lobeTask(ctx context.Context, a *anatomy, k *task, compared []reader, total, n int) ([]lobeTrial, error) {
	trials := make([]lobeTrial, len(compared)*l.Seeds)
	errs := make([]error, len(trials))
	one := *l
	one.Cores = 1
	var mu sync.Mutex
	one.Tell = func(what string) {
		mu.Lock()
		defer mu.Unlock()
		l.tell("%s", what)
	}
	par.Do(len(trials), cmp.Or(l.Cores, par.Cores()), func(_, i int) {
		t := &trials[i]
		t.reader, t.seed = i/l.Seeds, l.Seed+uint64(i%l.Seeds)
		c := compared[t.reader]
		if t.fit, errs[i] = one.fitReader(ctx, c, a, k, total, t.seed); errs[i] != nil {
			return
		}
		test := k.scans(a, n, t.seed, streamTest, 1)
		t.auroc = t.fit.auroc(a, test)
		if k.name == "T2" && c.mixer == volume.Axial {
			t.relation, errs[i] = one.relate(ctx, a, k, t.fit, test[:l.pick(200, 6)], t.seed)
		}
	})
	return trials, errors.Join(errs...)
}

func runLobes(ctx context.Context, l *Lab) (*Finding, error) {
	a := phantom()
	var real *anatomy
	if l.Lungs != "" { // before anything takes time
		var err error
		if real, err = realChest(l.Lungs); err != nil {
			return nil, err
		}
	}
	f := &Finding{}
	n, total := l.pick(1000, 40), l.pick(32000, 64)
	best := map[string]metric.Interval{} // of task and reader
	var relation []lobeRelation
	for _, k := range lobeTasks() {
		compared := readers()
		switch k.name {
		case "T0":
			compared = compared[:2]
		case "T1":
			compared = compared[:3:3]
		}
		trials, err := l.lobeTask(ctx, a, &k, compared, total, n)
		if err != nil {
			return nil, err
		}
		t, auroc, found := l.trialTable(fmt.Sprintf("%s: %s", k.name, k.title), compared, trials, total, n)
		for i, c := range compared {
			best[k.name+c.name] = auroc[i]
		}
		relation = append(relation, found...)
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
	hybrid, pooled := readers()[0].name, readers()[1].name
	f.Checks = append(f.Checks,
		Check{Name: "T0, control: stem and pooling", Value: best["T0"+pooled], Bound: 0.95},
		Check{Name: "T2: stem and axial attention", Value: best["T2"+hybrid], Bound: 0.95},
		Check{Name: "T2: stem and pooling", Value: best["T2"+pooled], Bound: 0.65, Upper: true})
	table, checks := relationTable(relation)
	f.Tables, f.Checks = append(f.Tables, table), append(f.Checks, checks...)
	if real != nil {
		if err := l.realLungs(ctx, real, f, total, n); err != nil {
			return nil, err
		}
	}
	f.Words = fmt.Sprintf("Mirrored lesions (T2): AUROC %.3f with axial attention, %.3f with the same stem and pooling. The control (T0): %.3f against %.3f. Types (T1): %.3f against %.3f.",
		best["T2"+hybrid].Estimate, best["T2"+pooled].Estimate, best["T0"+hybrid].Estimate, best["T0"+pooled].Estimate, best["T1"+hybrid].Estimate, best["T1"+pooled].Estimate)
	return f, nil
}

// trialTable shows the AUROC of each reader, and returns them with what is known
// of attention.
func (l *Lab) trialTable(title string, compared []reader, trials []lobeTrial, total, n int) (t Table, auroc []metric.Interval, relation []lobeRelation) {
	t = Table{Title: title, Columns: []string{"model", "parameters", "AUROC [range of seeds]", "scans until .9 on validation", "seconds"},
		Notes: []string{fmt.Sprintf("%d new scans for each seed; an AUROC of .5 over so many has a 95 %% interval of about ±%.2f. Every model sees up to %d scans, none twice, and stops where its validation AUROC reaches .995.", n, 1.96*math.Sqrt(1/float64(3*n)), total)}}
	for i, c := range compared {
		var values []float64
		var seen []string
		seconds, params := 0.0, 0
		for _, tr := range trials {
			if tr.reader != i {
				continue
			}
			values, params = append(values, tr.auroc), tr.fit.params
			seconds += tr.fit.took.Seconds() / float64(l.Seeds)
			reached := "never"
			if tr.fit.seen > 0 {
				reached = fmt.Sprint(tr.fit.seen)
			}
			seen = append(seen, reached)
			if tr.relation != nil {
				relation = append(relation, *tr.relation)
			}
		}
		auroc = append(auroc, overSeeds(values))
		t.Rows = append(t.Rows, []string{c.name, fmt.Sprint(params), interval(auroc[i]), strings.Join(seen, ", "), fmt.Sprintf("%.0f", seconds)})
	}
	return t, auroc, relation
}

// realLungs repeats the mirrored task in the lungs of a CT.
func (l *Lab) realLungs(ctx context.Context, a *anatomy, f *Finding, total, n int) error {
	k, compared := lobeTasks()[2], readers()[:2]
	trials, err := l.lobeTask(ctx, a, &k, compared, total, n)
	if err != nil {
		return err
	}
	t, auroc, relation := l.trialTable("T2 in the lungs of one real CT", compared, trials, total, n)
	t.Notes = append(t.Notes, fmt.Sprintf("%d sites in each lung, %d pairs of sets. Every scan is the same patient with other noise, density and lesions: this shows that the shape of real lungs is no obstacle, not that anything carries over to other patients.", len(a.left), len(a.twins)))
	floors, worst, err := l.lobeFloors(a, &k, n)
	if err != nil {
		return err
	}
	t.Rows = append(t.Rows, floors...)
	table, checks := relationTable(relation)
	table.Title += ", real lungs"
	f.Tables = append(f.Tables, t, table)
	f.Checks = append(f.Checks,
		Check{Name: "real lungs: the best single number", Value: worst, Bound: 0.55, Upper: true},
		Check{Name: "real lungs: stem and axial attention", Value: auroc[0], Bound: 0.95},
		Check{Name: "real lungs: stem and pooling", Value: auroc[1], Bound: 0.65, Upper: true})
	for _, c := range checks {
		c.Name = "real lungs, " + c.Name
		f.Checks = append(f.Checks, c)
	}
	return nil
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
	mass, massMean, massChance float64 // attention of a lesion to its mirror image: best head, all heads
	healthyMass                float64 // the same of the best head where neither cell has a lesion
	head                       string
	pointing                   map[string]float64 // share of positives in which the strongest cell has a lesion
	pointingChance             float64
	moved, bare                float64 // AUROC with the right lung of another scan of the class, or without its lesions
}

// relate measures attention along the width and explanations on scans of T2.
func (l *Lab) relate(ctx context.Context, a *anatomy, k *task, f *readerFit, scans []*scan, seed uint64) (*lobeRelation, error) {
	out := &lobeRelation{pointing: map[string]float64{}}
	c := &f.model.Config
	tokens, width := c.Tokens(), c.Grid()[2]
	var mass, healthy []float64 // of each head
	var names []string
	n, m, positives := 0.0, 0.0, 0.0
	methods := []struct {
		name  string
		score func(x []float32) ([]float64, error)
	}{
		{"gradient x input", func(x []float32) ([]float64, error) { return f.slope(x), nil }},
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
		layers, heads := f.lineWeights(x)
		if mass == nil {
			mass, healthy = make([]float64, len(layers)*heads), make([]float64, len(layers)*heads)
			for i := range mass {
				names = append(names, fmt.Sprintf("layer %d, head %d", i/heads+1, i%heads+1))
			}
		}
		for site := range a.left {
			p, q := a.cellOf(a.left[site]), a.cellOf(a.right[site])
			line, from, to := p/width, p%width, q%width
			sick := slices.Contains(s.left, site)
			for i := range mass {
				at := (line*heads + i%heads) * width * width
				w := layers[i/heads][at : at+width*width]
				both := float64(w[from*width+to]+w[to*width+from]) / 2
				if sick {
					mass[i] += both
				} else {
					healthy[i] += both
				}
			}
			if sick {
				n++
			} else {
				m++
			}
		}
		positives++
		for _, method := range methods {
			scores, err := method.score(x)
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
				out.pointing[method.name]++
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
			out.mass, out.head, out.healthyMass = mass[i], names[i], healthy[i]/m
		}
	}
	out.massChance = 1 / float64(width)
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
	out.bare = f.auroc(a, bare.scans(a, l.pick(1000, 40), seed, streamTest, l.Cores))
	return out, nil
}

// occlusion returns the game over the cells of the feature map whose voxels are
// replaced by healthy lung, -860 HU, those of the mediastinum too.
func (f *readerFit) occlusion(a *anatomy, x []float32) *explain.Game {
	const healthy = 0.1
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
		return f.scores(inputs)
	}}
}

// relationTable shows what attention and explanations do on T2.
func relationTable(rs []lobeRelation) (Table, []Check) {
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
	chance := fmt.Sprintf("%.3f", rs[0].massChance)
	t := Table{Title: "T2: what axial attention does", Columns: []string{"measure", "value [range of seeds]", "chance"},
		Notes: []string{"Mass: attention along the width from a cell to that of its mirror image in the other lung, mean over both ways and the sites of positives. Best head of each seed: " + strings.Join(heads, "; ") + ".",
			"Pointing game: share of positives in which the strongest cell of the map has a lesion. Occlusion replaces the block around a cell by the HU of healthy lung.",
			"The relation taken away: the right lung has the lesions of another scan of the class, or none."}}
	t.Rows = append(t.Rows,
		[]string{"mass on the mirror image of a lesion, best head", interval(over(func(r *lobeRelation) float64 { return r.mass })), chance},
		[]string{"the same where both cells are healthy", interval(over(func(r *lobeRelation) float64 { return r.healthyMass })), chance},
		[]string{"mass on the mirror image of a lesion, mean of all heads", interval(over(func(r *lobeRelation) float64 { return r.massMean })), chance})
	for _, name := range []string{"gradient x input", "occlusion"} {
		t.Rows = append(t.Rows, []string{"pointing game, " + name, interval(over(func(r *lobeRelation) float64 { return r.pointing[name] })), fmt.Sprintf("%.3f", rs[0].pointingChance)})
	}
	moved := over(func(r *lobeRelation) float64 { return r.moved })
	t.Rows = append(t.Rows,
		[]string{"AUROC, right lung of another scan of the class", interval(moved), "0.500"},
		[]string{"AUROC, right lung without lesions", interval(over(func(r *lobeRelation) float64 { return r.bare })), "0.500"})
	return t, []Check{
		{Name: "T2: attention to the mirror image, times chance", Value: over(func(r *lobeRelation) float64 { return r.mass / r.massChance }), Bound: 2},
		{Name: "T2: control, the relation taken away", Value: moved, Bound: 0.6, Upper: true},
	}
}

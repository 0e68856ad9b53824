package study

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"

	"heed/internal/par"
	"heed/metric"
	"heed/model/baseline"
	"heed/model/volume"
	"heed/plot"
)

// lobes asks what attention is good for in a volume: to relate places that no
// convolution sees together.
func lobes() Study {
	return Study{
		Name:  "lobes",
		Title: "Does attention relate the two lungs?",
		Claim: "Where the label is a relation between lesions of both lungs (a type that is in both, or a mirrored set), a convolution stem with attention over its feature map learns it, the same stem with pooling does not, " +
			"and the attention of a lesion goes to its partner.",
		Refuted: "On either relation an AUROC below .95 of the hybrid, or above .65 of the same stem with pooling, without or with layers on each cell alone at equal parameters; a single number, such as the volume of the lesions, that tells the classes apart; " +
			"a control (many lesions or few) that the pooled stem does not solve; attention to the partner below twice that of chance; or an AUROC above .6 after the relation was taken away.",
		Takes: "6 minutes",
		Run:   runLobes,
	}
}

// A lobeTrial is one reader on one task with one seed.
type lobeTrial struct {
	reader   int
	seed     uint64
	fit      *readerFit
	auroc    float64
	twins    float64       // against the negatives with twins alone
	others   float64       // against the other negatives
	relation *lobeRelation // of attention
}

func (l *Lab) cores() int { return cmp.Or(l.Cores, par.Cores()) }

// lobeStems trains the stem of each seed.
func (l *Lab) lobeStems(ctx context.Context, a *anatomy) ([]*lobeStem, error) {
	stems := make([]*lobeStem, l.Seeds)
	for i := range stems {
		var err error
		if stems[i], err = l.fitStem(ctx, a, l.Seed+uint64(i)); err != nil {
			return nil, err
		}
	}
	return stems, nil
}

// lobeTask trains all readers of a task with all seeds, as many at a time as
// there are cores.
func (l *Lab) lobeTask(ctx context.Context, a *anatomy, k *task, stems []*lobeStem, compared []reader, n int) ([]lobeTrial, error) {
	var all []lobeTrial
	one := *l
	one.Cores = 1
	var mu sync.Mutex
	one.Tell = func(what string) {
		mu.Lock()
		defer mu.Unlock()
		l.tell("%s", what)
	}
	for i, stem := range stems {
		seed := l.Seed + uint64(i)
		lessons := stem.lessons(a, k, seed, l.cores())
		valid := stem.heard(a, k.draw.scans(a, l.pick(400, 200), seed, streamValid, l.cores()), l.cores())
		scans := k.draw.scans(a, n, seed, streamTest, l.cores())
		test := stem.heard(a, scans, l.cores())
		trials, errs := make([]lobeTrial, len(compared)), make([]error, len(compared))
		par.Do(len(compared), l.cores(), func(_, j int) {
			t, c := &trials[j], compared[j]
			t.reader, t.seed = j, seed
			if t.fit, errs[j] = one.fitReader(ctx, c, a, k, stem, lessons, valid, seed); errs[j] != nil {
				return
			}
			z := t.fit.judge(test)
			t.auroc = aurocWhere(z, scans, func(*scan) bool { return true })
			if k.name == "T1" {
				t.twins = aurocWhere(z, scans, (*scan).twins)
				t.others = aurocWhere(z, scans, func(s *scan) bool { return !s.twins() })
			}
			if j == 0 && (k.name == "T1" || k.name == "T2") || k.name == "T2" && c.mixer == volume.Axial {
				t.relation, errs[j] = one.relate(ctx, a, k, t.fit, scans[:l.pick(400, 40)], test, seed)
			}
		})
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		all = append(all, trials...)
	}
	return all, nil
}

// aurocWhere is the AUROC of scores z on all positives and some negatives.
func aurocWhere(z []float64, scans []*scan, want func(*scan) bool) float64 {
	var scores []float64
	var y []bool
	for i, s := range scans {
		if s.label == 1 || want(s) {
			scores, y = append(scores, z[i]), append(y, s.label == 1)
		}
	}
	return mustAUROC(scores, y)
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
	n := l.pick(1000, 200)
	stems, err := l.lobeStems(ctx, a)
	if err != nil {
		return nil, err
	}
	f.Tables = append(f.Tables, l.stemTable(a, stems, n/5))
	best := map[string]metric.Interval{} // of task and reader
	for _, k := range l.lobeTasks() {
		compared := readers()
		switch {
		case l.Tiny || k.name == "T0" || k.name == "T3":
			compared = compared[:3]
		case k.name == "T4":
			compared = compared[:4]
		case k.name == "T1":
			compared = compared[:7]
		}
		trials, err := l.lobeTask(ctx, a, &k, stems, compared, n)
		if err != nil {
			return nil, err
		}
		t, auroc := l.trialTable(fmt.Sprintf("%s: %s", k.name, k.title), &k, compared, trials, n)
		for i, c := range compared {
			best[k.name+c.name] = auroc[i]
		}
		floors, worst, err := l.lobeFloors(a, &k, n)
		if err != nil {
			return nil, err
		}
		t.Rows = append(t.Rows, floors...)
		f.Tables = append(f.Tables, t)
		switch k.name {
		case "T0":
			f.Checks = append(f.Checks, Check{Name: "T0, control: stem and pooling", Value: auroc[1], Bound: 0.95})
			continue
		case "T3": // the stem and pooling alone add places and tissues apart
			f.Checks = append(f.Checks, Check{Name: k.name + ", control: stem, layers on each cell and pooling", Value: auroc[2], Bound: 0.95})
			continue
		case "T4":
			f.Checks = append(f.Checks,
				Check{Name: "T4, control: stem, layers on each cell and pooling", Value: auroc[2], Bound: 0.65, Upper: true},
				Check{Name: "T4, control: stem and convolutions", Value: auroc[3], Bound: 0.95})
			continue
		}
		checks := append(l.relationChecks(&k, worst, auroc), f.addRelations(&k, compared, trials)...)
		if l.Tiny && k.name == "T2" {
			checks = nil // it only shows that it runs
		}
		f.Checks = append(f.Checks, checks...)
		curves, err := l.curves(&k, compared, trials)
		if err != nil {
			return nil, err
		}
		f.Figures = append(f.Figures, curves)
	}
	if real != nil {
		if err := l.realLungs(ctx, real, f, n); err != nil {
			return nil, err
		}
	}
	show := func(task string, readers ...reader) string {
		var parts []string
		for _, c := range readers {
			parts = append(parts, fmt.Sprintf("%.3f with %s", best[task+c.name].Estimate, c.name))
		}
		return strings.Join(parts, ", ")
	}
	some := readers()[:3:3]
	if !l.Tiny {
		some = append(some, readers()[3])
	}
	f.Words = fmt.Sprintf("A type in both lungs (T1): AUROC %s. Mirrored lesions (T2): %s.", show("T1", some...), show("T2", some...))
	return f, nil
}

// relationChecks are the bounds of a task that asks for a relation.
func (l *Lab) relationChecks(k *task, worst metric.Interval, auroc []metric.Interval) []Check {
	return []Check{
		{Name: k.name + ": the best single number", Value: worst, Bound: l.bound(0.55, 0.6), Upper: true},
		{Name: k.name + ": stem and attention", Value: auroc[0], Bound: l.bound(0.95, 0.9)},
		{Name: k.name + ": stem and pooling", Value: auroc[1], Bound: 0.65, Upper: true},
		{Name: k.name + ": stem, layers on each cell and pooling", Value: auroc[2], Bound: 0.65, Upper: true},
	}
}

// addRelations adds what attention does on a task, and returns the checks of the
// first reader.
func (f *Finding) addRelations(k *task, compared []reader, trials []lobeTrial) (first []Check) {
	for i, c := range compared {
		var found []lobeRelation
		for _, t := range trials {
			if t.reader == i && t.relation != nil {
				found = append(found, *t.relation)
			}
		}
		if len(found) == 0 {
			continue
		}
		table, checks := relationTable(k, c, found)
		f.Tables = append(f.Tables, table)
		if i == 0 {
			first = checks
		}
	}
	return first
}

// trialTable shows the AUROC of each reader, and returns them.
func (l *Lab) trialTable(title string, k *task, compared []reader, trials []lobeTrial, n int) (t Table, auroc []metric.Interval) {
	t = Table{Title: title, Columns: []string{"model", "parameters", "AUROC [range of seeds]"}}
	if k.name == "T1" {
		t.Columns = append(t.Columns, "against twins", "against strangers")
	}
	t.Columns = append(t.Columns, "scans until .9 on validation", "seconds")
	scans := 0
	for _, s := range k.stages {
		scans += s.scans
	}
	t.Notes = []string{fmt.Sprintf("%d new scans for each seed; an AUROC of .5 over so many has a 95 %% interval of about ±%.2f. Parameters: above the stem. Every model sees up to %d scans, none twice, in %d stages, and stops where its validation AUROC reaches .995.",
		n, 1.96*math.Sqrt(1/float64(3*n)), scans, len(k.stages))}
	for i, c := range compared {
		var values, twins, others []float64
		var seen []string
		seconds, params := 0.0, 0
		for _, tr := range trials {
			if tr.reader != i {
				continue
			}
			values, twins, others, params = append(values, tr.auroc), append(twins, tr.twins), append(others, tr.others), tr.fit.params
			seconds += tr.fit.took.Seconds() / float64(l.Seeds)
			reached := "never"
			if tr.fit.seen > 0 {
				reached = fmt.Sprint(tr.fit.seen)
			}
			seen = append(seen, reached)
		}
		auroc = append(auroc, overSeeds(values))
		row := []string{c.name, fmt.Sprint(params), interval(auroc[i])}
		if k.name == "T1" {
			row = append(row, interval(overSeeds(twins)), interval(overSeeds(others)))
		}
		t.Rows = append(t.Rows, append(row, strings.Join(seen, ", "), fmt.Sprintf("%.0f", seconds)))
	}
	return t, auroc
}

// curves draws how the readers of the first seed learn.
func (l *Lab) curves(k *task, compared []reader, trials []lobeTrial) (Figure, error) {
	lines := plot.Lines{Title: k.name + ": " + k.title, XLabel: "scans seen", YLabel: "AUROC on validation"}
	for _, t := range trials {
		if t.seed == l.Seed {
			lines.Lines = append(lines.Lines, plot.Line{Name: compared[t.reader].name, X: t.fit.at, Y: t.fit.curve})
		}
	}
	return linesFigure(strings.ToLower(k.name), fmt.Sprintf("AUROC on validation scans of the task by the number of training scans, all stages together, seed %d.", l.Seed), lines)
}

// realLungs repeats the mirrored task in the lungs of a CT.
func (l *Lab) realLungs(ctx context.Context, a *anatomy, f *Finding, n int) error {
	stems, err := l.lobeStems(ctx, a)
	if err != nil {
		return err
	}
	for _, k := range l.lobeTasks()[1:3] {
		compared := readers()[:3:3]
		if k.name == "T2" {
			compared = append(compared, readers()[4])
		}
		trials, err := l.lobeTask(ctx, a, &k, stems, compared, n)
		if err != nil {
			return err
		}
		t, auroc := l.trialTable(k.name+" in the lungs of one real CT: "+k.title, &k, compared, trials, n)
		t.Notes = append(t.Notes, fmt.Sprintf("%d sites in each lung, %d pairs of sets. Every scan is the same patient with other noise, density and lesions: this shows that the shape of real lungs is no obstacle, not that anything carries over to other patients.", len(a.left), len(a.twins)))
		floors, worst, err := l.lobeFloors(a, &k, n)
		if err != nil {
			return err
		}
		t.Rows = append(t.Rows, floors...)
		f.Tables = append(f.Tables, t)
		for _, c := range append(l.relationChecks(&k, worst, auroc), f.addRelations(&k, compared, trials)...) {
			c.Name = "real lungs, " + c.Name
			f.Checks = append(f.Checks, c)
		}
	}
	return nil
}

// lobeFloors scores what knows no places: single numbers, a logistic regression
// of all of them, of the histogram and of the true counts, and, with T1, two
// numbers that no model is given, each of which tells half of the negatives. worst
// is the best of the measured single numbers, in either direction.
func (l *Lab) lobeFloors(a *anatomy, k *task, n int) (rows [][]string, worst metric.Interval, err error) {
	names := append(numberNames(), "logistic regression of these numbers", "logistic regression of the histogram", "logistic regression of the true counts of types in each lung")
	if k.name == "T1" {
		names = append(names, "true number of types in both lungs together", "true number of types in each lung, summed")
	}
	tables := len(numberNames())
	values := make([][]float64, len(names))
	for i := range l.Seeds {
		seed := l.Seed + uint64(i)
		var x [3][2][][]float32 // (table, part)
		var y [2][]bool
		var types [2][]float64
		for part, stream := range []uint64{streamTrain, streamTest} {
			scans := k.draw.scans(a, n, seed, stream, l.cores())
			in, label := windows(a, scans)
			y[part] = label
			for j, s := range scans {
				counts := s.counts()
				x[0][part] = append(x[0][part], s.numbers())
				x[1][part] = append(x[1][part], volume.HistogramFeatures(in[j]))
				x[2][part] = append(x[2][part], counts)
				if part == 1 {
					both, each := 0.0, 0.0
					for c := range len(counts) / 2 {
						left, right := counts[c] > 0, counts[c+len(counts)/2] > 0
						if left || right {
							both--
						}
						if left {
							each++
						}
						if right {
							each++
						}
					}
					types[0], types[1] = append(types[0], both), append(types[1], each)
				}
			}
		}
		for c := range tables {
			column := make([]float64, n)
			for j, row := range x[0][1] {
				column[j] = float64(row[c])
			}
			values[c] = append(values[c], mustAUROC(column, y[1]))
		}
		for j := range x {
			m, err := baseline.FitTableLogistic(x[j][0], y[0], rand.New(rand.NewPCG(seed, 5)))
			if err != nil {
				return nil, worst, err
			}
			values[tables+j] = append(values[tables+j], mustAUROC(m.Predict(x[j][1]), y[1]))
		}
		for j := tables + len(x); j < len(names); j++ {
			values[j] = append(values[j], mustAUROC(types[j-tables-len(x)], y[1]))
		}
	}
	for i, name := range names {
		v := overSeeds(values[i])
		row := []string{name, "-", interval(v)}
		if k.name == "T1" {
			row = append(row, "-", "-")
		}
		rows = append(rows, append(row, "-", "-"))
		if v.Estimate < 0.5 {
			v = metric.Interval{Estimate: 1 - v.Estimate, Low: 1 - v.High, High: 1 - v.Low}
		}
		if i < tables && v.Estimate > worst.Estimate {
			worst = v
		}
	}
	return rows, worst, nil
}

package study

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"heed/data/madeup"
	"heed/metric"
	"heed/plot"
)

// A lagTrial is what was measured with one seed on one level.
type lagTrial struct {
	parts  []string
	counts [][2]int // patients of each part with the outcome, and all
	kinds  []string // of models, then the bag and the ceiling
	fits   []*lagFit
	heads  *lagHeads // nil but on level 2
}

const (
	lagBag     = "bag of codes and values"
	lagCeiling = "ceiling"
)

// trial measures a model that has been trained on a task, and whatever else is.
func (x *lagTask) trial(ctx context.Context, first *lagModel, how lagCourse) (*lagTrial, error) {
	level := x.generation.Level
	x.tests()
	out := &lagTrial{kinds: append(x.l.lagKinds(level), lagBag, lagCeiling)}
	for i := range x.parts {
		out.parts = append(out.parts, x.parts[i].name)
		n := [2]int{0, len(x.parts[i].cases)}
		for _, c := range x.parts[i].cases {
			if c.Answer(c.Count) {
				n[0]++
			}
		}
		out.counts = append(out.counts, n)
	}
	f, err := x.fit(ctx, lagEncoder, first, how)
	if err != nil {
		return nil, err
	}
	out.fits = append(out.fits, f)
	if level == 2 {
		if out.heads, err = x.heads(ctx, first.encode); err != nil {
			return nil, err
		}
	}
	for _, kind := range x.l.lagKinds(level)[1:] {
		m, err := newLagModel(kind, lagLayers(level), x.vocabulary, x.seed)
		if err != nil {
			return nil, err
		}
		if f, err = x.fit(ctx, kind, m, x.size.course(kind, level)); err != nil {
			return nil, err
		}
		out.fits = append(out.fits, f)
	}
	if f, err = x.bag(); err != nil {
		return nil, err
	}
	out.fits = append(out.fits, f, x.ceiling())
	return out, nil
}

// lagAnew trains from the beginning on levels 0 or 2, and on with what level 2 has
// taught on level 1.
func (l *Lab) lagAnew(ctx context.Context, level int, seed uint64, see func(level int, t *lagTrial)) error {
	x, err := l.lagTask(level, seed, nil)
	if err != nil {
		return err
	}
	m, err := newLagModel(lagEncoder, lagLayers(level), x.vocabulary, seed)
	if err != nil {
		return err
	}
	t, err := x.trial(ctx, m, x.size.course(lagEncoder, level))
	if err != nil {
		return err
	}
	if see(level, t); level == 0 || l.Tiny {
		return nil
	}
	if x, err = l.lagTask(1, seed, x.vocabulary); err != nil {
		return err
	}
	if t, err = x.trial(ctx, m, lagCourse{x.size.rung, 0}); err == nil {
		see(1, t)
	}
	return err
}

// lagLadder trains a model of three layers on level 2, and with what it has learned on
// levels 3, 4 and 5 in turn.
func (l *Lab) lagLadder(ctx context.Context, seed uint64, see func(level int, t *lagTrial)) error {
	// Its vocabulary is that of level 3, where drugs are stopped.
	next, err := l.lagTask(3, seed, nil)
	if err != nil {
		return err
	}
	m, err := newLagModel(lagEncoder, lagLayers(3), next.vocabulary, seed)
	if err != nil {
		return err
	}
	x, err := l.lagTask(2, seed, next.vocabulary)
	if err != nil {
		return err
	}
	if _, err := x.fit(ctx, lagEncoder, m, lagCourse{x.size.few, 0}); err != nil {
		return err
	}
	for level := 3; level <= 5; level++ {
		if level > 3 {
			if next, err = l.lagTask(level, seed, next.vocabulary); err != nil {
				return err
			}
		}
		t, err := next.trial(ctx, m, lagCourse{x.size.rung, 0})
		if err != nil {
			return err
		}
		see(level, t)
	}
	return nil
}

// lagFindings words the trials.
type lagFindings struct {
	l      *Lab
	size   lagSize
	trials [][]*lagTrial // (levels, seeds)
}

func runLag(ctx context.Context, l *Lab) (*Finding, error) {
	r := &lagFindings{l: l, size: l.lagSize()}
	for range r.size.levels {
		r.trials = append(r.trials, make([]*lagTrial, l.Seeds))
	}
	var jobs []func() error // the longest first
	for _, level := range []int{2, 3, 0} {
		for s := range l.Seeds {
			seed := l.Seed + uint64(s)
			see := func(level int, t *lagTrial) { r.trials[r.at(level)][s] = t }
			switch {
			case level != 3:
				jobs = append(jobs, func() error { return l.lagAnew(ctx, level, seed, see) })
			case !l.Tiny:
				jobs = append(jobs, func() error { return l.lagLadder(ctx, seed, see) })
			}
		}
	}
	if err := l.each(len(jobs), func(i int) error { return jobs[i]() }); err != nil {
		return nil, err
	}
	return r.finding()
}

// finding words what was measured.
func (r *lagFindings) finding() (*Finding, error) {
	f := &Finding{Tables: []Table{r.pair(), r.levels(), r.passes(), r.heads(), r.and()}}
	r.checks(f)
	var err error
	if f.Figures, err = r.figures(); err != nil {
		return nil, err
	}
	f.Words = r.words()
	return f, nil
}

// at returns the index of a level.
func (r *lagFindings) at(level int) int { return slices.Index(r.size.levels, level) }

// over returns a number of each seed on one level.
func (r *lagFindings) over(level int, f func(t *lagTrial) float64) metric.Interval {
	var values []float64
	for _, t := range r.trials[r.at(level)] {
		values = append(values, f(t))
	}
	return overSeeds(values)
}

// auroc is that of a kind of model on a part.
func (t *lagTrial) auroc(kind, part string) float64 {
	return t.fits[slices.Index(t.kinds, kind)].auroc[slices.Index(t.parts, part)]
}

// mean is the mean AUROC of a kind on the parts whose names begin so and that pass.
func (t *lagTrial) mean(kind, prefix string, keep func(part string) bool) float64 {
	sum, n := 0.0, 0.0
	for _, p := range t.parts {
		if strings.HasPrefix(p, prefix) && keep(p) {
			sum, n = sum+t.auroc(kind, p), n+1
		}
	}
	return sum / n
}

// short is the farthest that a kind is below the ceiling on the parts whose names begin so.
func (t *lagTrial) short(kind, prefix string) float64 {
	worst := math.Inf(-1)
	for _, p := range t.parts {
		if strings.HasPrefix(p, prefix) {
			worst = max(worst, t.auroc(lagCeiling, p)-t.auroc(kind, p))
		}
	}
	return worst
}

// far reports whether a bin of days is beyond a year, and seen whether it was trained on.
func far(part string) bool  { return lowEnd(part) > 365 }
func seen(part string) bool { return lowEnd(part) < 180 }

func lowEnd(part string) (days int) {
	fmt.Sscanf(part, daysPart+"%d", &days)
	return days
}

// pair is level 2, part by part.
func (r *lagFindings) pair() Table {
	trials := r.trials[r.at(2)]
	t := Table{Title: fmt.Sprintf("Level 2, the pair in its order: AUROC, %d seeds", r.l.Seeds), Columns: []string{"patients to test on", "of them with the outcome, first seed"}}
	for k, kind := range trials[0].kinds {
		if n := trials[0].fits[k].params; n > 0 {
			kind += fmt.Sprintf(", %d parameters", n)
		}
		t.Columns = append(t.Columns, kind)
	}
	for i, part := range trials[0].parts {
		row := []string{part, fmt.Sprintf("%d of %d", trials[0].counts[i][0], trials[0].counts[i][1])}
		for k := range trials[0].kinds {
			row = append(row, interval(r.over(2, func(t *lagTrial) float64 { return t.fits[k].auroc[i] })))
		}
		t.Rows = append(t.Rows, row)
	}
	t.Notes = []string{
		fmt.Sprintf("Trained on %d patients with 1 to 180 days between the two, some %.0f events each, and then with more of them; asked at the end of the record. The ceiling is the AUROC of who knows the truth, given the 2 %% of wrong labels of this very sample: a model passes it by luck where these fall well.", r.size.patients, r.meanEvents()),
		"Rows with what is missing in patients without the outcome compare these alone with all that have it. Rows of events are of other patients, filled up between the two with codes that mean nothing.",
	}
	return t
}

// meanEvents is the length of the records trained on at first.
func (r *lagFindings) meanEvents() float64 {
	g := madeup.Default()
	g.Level, g.Seed, g.MaxGap = 2, r.l.Seed, 180
	sum := 0.0
	for id := range int64(100) {
		c := g.Case(id+1, r.size.minDensity, r.size.minDensity)
		sum += float64(c.Count) / 100
	}
	return sum
}

var lagLevels = []string{
	"0: a drug and an abnormal value, whatever their order (control)",
	"1: the value is of the analyte that belongs to the drug",
	"2: and the drug came first",
	"3: and was not stopped in between",
	"4: and abnormal is what differs from the patient's own values",
	"5: and other drugs and values are about",
}

func (r *lagFindings) levels() Table {
	t := Table{Title: fmt.Sprintf("All levels: AUROC, %d seeds", r.l.Seeds), Columns: []string{"the outcome follows if", "transformer, layers; passes", lagEncoder, "ceiling", lagBag, "transformer, more than 365 days", "its worst kind of patients without the outcome", "ceiling there"}}
	for i, level := range r.size.levels {
		trials := r.trials[i]
		worst, least := "", 0.0
		for _, p := range trials[0].parts {
			if strings.HasPrefix(p, kindPart) {
				if short := r.over(level, func(t *lagTrial) float64 { return t.auroc(lagCeiling, p) - t.auroc(lagEncoder, p) }).Estimate; worst == "" || short > least {
					worst, least = p, short
				}
			}
		}
		one := func(kind, part string) string {
			return interval(r.over(level, func(t *lagTrial) float64 { return t.auroc(kind, part) }))
		}
		t.Rows = append(t.Rows, []string{
			lagLevels[level], fmt.Sprintf("%d; %d", lagLayers(level), trials[0].fits[0].passes),
			one(lagEncoder, allPart), one(lagCeiling, allPart), one(lagBag, allPart),
			interval(r.over(level, func(t *lagTrial) float64 { return t.mean(lagEncoder, daysPart, far) })),
			strings.TrimPrefix(worst, kindPart) + ": " + one(lagEncoder, worst), one(lagCeiling, worst),
		})
	}
	t.Notes = []string{"Each level adds to the one before, from 1 on. A pass goes over all patients once. On levels 0 and 2 the model begins anew; on level 1 it goes on with what level 2 has taught it, and on 3, 4 and 5 with what the level before has (level 3: level 2, with three layers). Gaps are at most 180 days in training."}
	return t
}

func (r *lagFindings) passes() Table {
	trials := r.trials[r.at(2)]
	t := Table{Title: "Level 2: passes over the patients until the AUROC on others was .9 and stayed so, each seed", Columns: []string{"model", "passes", "of"}, Notes: []string{"- is never."}}
	for k, kind := range trials[0].kinds[:len(trials[0].kinds)-2] {
		var cells []string
		for _, x := range trials {
			cells = append(cells, stepsWord(x.fits[k].needed))
		}
		t.Rows = append(t.Rows, []string{kind, strings.Join(cells, ", "), fmt.Sprint(trials[0].fits[k].passes)})
	}
	return t
}

// ranked returns the heads of a layer by what they carry, the most first.
func (h *lagHeads) ranked(layer int) []int {
	order := make([]int, len(h.carried[layer]))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(h.carried[layer][b], h.carried[layer][a]) })
	return order
}

// carrier is the share of what the drug does that the best head of the first layer carries.
func (h *lagHeads) carrier() float64 { return slices.Max(h.carried[0]) }

func (r *lagFindings) heads() Table {
	t := Table{Title: fmt.Sprintf("Level 2, which head retrieves the drug: heads of each seed in the order of what they carry, %d seeds", r.l.Seeds),
		Columns: []string{"layer, head", "share of the drug's effect that it carries", "AUROC without it", "AUROC if it sees the last 30 days alone"}}
	first := r.trials[r.at(2)][0].heads
	for l := range first.carried {
		for k := range first.carried[l] {
			t.Rows = append(t.Rows, []string{
				fmt.Sprintf("%d, number %d", l+1, k+1),
				interval(r.over(2, func(t *lagTrial) float64 { return t.heads.carried[l][t.heads.ranked(l)[k]] })),
				interval(r.over(2, func(t *lagTrial) float64 { return t.heads.without[l][t.heads.ranked(l)[k]] })),
				interval(r.over(2, func(t *lagTrial) float64 { return t.heads.near[l][t.heads.ranked(l)[k]] })),
			})
		}
	}
	t.Notes = []string{fmt.Sprintf("Carried: of %d patients with the outcome and at least %.0f days between the two, the drug is exchanged for one that does not belong; then the head alone gets what it had before, and so much of the logit comes back. AUROC on %d such patients; as it is, %s.",
		r.size.patched, r.size.minGap, 10*r.size.patched, interval(r.over(2, func(t *lagTrial) float64 { return t.heads.whole })))}
	return t
}

func (r *lagFindings) and() Table {
	t := Table{Title: fmt.Sprintf("Level 2, what makes the AND: share of the interaction that is lost if a part adds up what drug and value bring each, %d seeds", r.l.Seeds),
		Columns: []string{"part", "at the value", "at [CLS]"}}
	first := r.trials[r.at(2)][0].heads
	for l := range first.lost {
		for k, part := range []string{"attention", "feed-forward"} {
			row := []string{fmt.Sprintf("layer %d, %s", l+1, part)}
			for at := range 2 {
				row = append(row, interval(r.over(2, func(t *lagTrial) float64 { return t.heads.lost[l][k][at] })))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	h := func(f func(h *lagHeads) float64) string {
		v := r.over(2, func(t *lagTrial) float64 { return f(t.heads) })
		return fmt.Sprintf("%.2f [%.2f, %.2f]", v.Estimate, v.Low, v.High)
	}
	t.Notes = []string{fmt.Sprintf("The interaction is %s logits; the drug alone brings %s, the value alone %s. What is lost at a part is made there or only passes through.",
		h(func(h *lagHeads) float64 { return h.interaction }), h(func(h *lagHeads) float64 { return h.drug }), h(func(h *lagHeads) float64 { return h.value }))}
	return t
}

func (r *lagFindings) checks(f *Finding) {
	add := func(name string, bound float64, upper bool, level int, x func(t *lagTrial) float64) {
		f.Checks = append(f.Checks, Check{Name: name, Value: r.over(level, x), Bound: bound, Upper: upper})
	}
	for _, level := range r.size.levels[1:] {
		add(fmt.Sprintf("level %d: bag of codes and values, distance from .5", level), 0.06, true, level, func(t *lagTrial) float64 { return math.Abs(t.auroc(lagBag, allPart) - 0.5) })
	}
	add("control, level 0: bag of codes and values", 0.95, false, 0, func(t *lagTrial) float64 { return t.auroc(lagBag, allPart) })
	add("level 2: transformer below the ceiling, its worst bin of days", r.l.bound(0.03, 0.15), true, 2, func(t *lagTrial) float64 { return t.short(lagEncoder, daysPart) })
	if r.l.Tiny {
		for _, kind := range r.l.lagKinds(2)[1:] {
			add("level 2: transformer less "+kind+", as many passes", 0.1, false, 2, func(t *lagTrial) float64 { return t.auroc(lagEncoder, allPart) - t.auroc(kind, allPart) })
		}
		return
	}
	for _, level := range r.size.levels {
		if level != 2 {
			add(fmt.Sprintf("level %d: transformer below the ceiling", level), 0.05, true, level, func(t *lagTrial) float64 { return t.short(lagEncoder, allPart) })
		}
	}
	last := r.lastEvents()
	short := func(t *lagTrial, kind string) float64 { return t.auroc(lagCeiling, last) - t.auroc(kind, last) }
	add("level 2: transformer below the ceiling, "+last+" between the two", 0.1, true, 2, func(t *lagTrial) float64 { return short(t, lagEncoder) })
	for _, kind := range r.l.lagKinds(2)[1:] {
		add("level 2: "+kind+" below the transformer, "+last, 0.1, false, 2, func(t *lagTrial) float64 { return short(t, kind) - short(t, lagEncoder) })
		add("level 2: "+kind+", lost from at most 180 days to more than 365", 0.05, true, 2, func(t *lagTrial) float64 {
			return (t.mean(kind, daysPart, seen) - t.mean(lagCeiling, daysPart, seen)) - (t.mean(kind, daysPart, far) - t.mean(lagCeiling, daysPart, far))
		})
	}
	add("level 2: share of the drug's effect that the best head of the first layer carries", 0.5, false, 2, func(t *lagTrial) float64 { return t.heads.carrier() })
	add("level 2: share of the interaction lost without the feed-forward part at the value, first layer", 0.5, false, 2, func(t *lagTrial) float64 { return t.heads.lost[0][1][0] })
}

// lastEvents is the part with the most events between the two.
func (r *lagFindings) lastEvents() string {
	parts := r.trials[r.at(2)][0].parts
	return parts[len(parts)-1]
}

func (r *lagFindings) figures() ([]Figure, error) {
	var out []Figure
	trials := r.trials[r.at(2)]
	for _, x := range []struct {
		figure               plot.Lines
		name, prefix, legend string
	}{
		{plot.Lines{Title: "AUROC by days between drug and value", XLabel: "days between the two", YLabel: "AUROC", LogX: true, YMin: 0.4, YMax: 1.02}, "days", daysPart,
			"AUROC on level 2 by the days between drug and value, at the middle of each bin. Trained on at most 180 days; beyond, nobody has seen such pairs. Bands: range of the seeds."},
		{plot.Lines{Title: "AUROC by events between drug and value", XLabel: "events between the two", YLabel: "AUROC", LogX: true, YMin: 0.4, YMax: 1.02}, "events", eventsPart,
			"AUROC on level 2 by the events between drug and value, at the middle of each bin, whatever the days. Bands: range of the seeds."},
	} {
		tsv := &strings.Builder{}
		fmt.Fprintln(tsv, "model\tfrom\tto\tvalue\tlow\thigh")
		for _, kind := range trials[0].kinds {
			line := plot.Line{Name: kind, Theory: kind == lagCeiling}
			for _, p := range trials[0].parts {
				var low, high int
				if _, err := fmt.Sscanf(p, x.prefix+"%d-%d", &low, &high); err != nil {
					continue
				}
				v := r.over(2, func(t *lagTrial) float64 { return t.auroc(kind, p) })
				fmt.Fprintf(tsv, "%s\t%d\t%d\t%.4f\t%.4f\t%.4f\n", kind, low, high, v.Estimate, v.Low, v.High)
				line.X, line.Y = append(line.X, math.Sqrt(float64(low*high))), append(line.Y, v.Estimate)
				if !line.Theory {
					line.Low, line.High = append(line.Low, v.Low), append(line.High, v.High)
				}
			}
			if len(line.X) > 0 {
				x.figure.Lines = append(x.figure.Lines, line)
			}
		}
		if len(x.figure.Lines) == 0 { // at the tiny size there are no bins of events
			continue
		}
		fig, err := x.figure.Figure()
		if err != nil {
			return nil, err
		}
		out = append(out, Figure{Name: x.name, Alt: x.figure.Title + ", level 2", Caption: x.legend, SVG: fig.SVG(), TSV: []byte(tsv.String())})
	}
	return out, nil
}

func (r *lagFindings) words() string {
	all := func(kind string) float64 {
		return r.over(2, func(t *lagTrial) float64 { return t.auroc(kind, allPart) }).Estimate
	}
	text := fmt.Sprintf("A bag of codes and values has an AUROC of %.2f where the presence of two events decides and %.2f where their relation does. On level 2 the transformer has %.3f, at a ceiling of %.3f, after %d passes over the patients, ",
		r.over(0, func(t *lagTrial) float64 { return t.auroc(lagBag, allPart) }).Estimate, all(lagBag), all(lagEncoder), all(lagCeiling), r.trials[r.at(2)][0].fits[0].passes)
	var others []string
	for k, kind := range r.l.lagKinds(2)[1:] {
		others = append(others, fmt.Sprintf("the %s %.3f after %d", kind, all(kind), r.trials[r.at(2)][0].fits[k+1].passes))
	}
	text += strings.Join(others, " and ") + ". "
	two := func(kind, prefix string, keep func(string) bool) float64 {
		return r.over(2, func(t *lagTrial) float64 { return t.mean(kind, prefix, keep) }).Estimate
	}
	var days []string
	for _, kind := range append(r.l.lagKinds(2), lagCeiling) {
		days = append(days, fmt.Sprintf("%s %.3f and %.3f", kind, two(kind, daysPart, seen), two(kind, daysPart, far)))
	}
	text += "With at most 180 days between the two, as in training, and with more than 365: " + strings.Join(days, ", ") + "."
	if last := r.lastEvents(); strings.HasPrefix(last, eventsPart) {
		var some []string
		for _, kind := range append(r.l.lagKinds(2), lagCeiling) {
			some = append(some, fmt.Sprintf("%s %.3f", kind, r.over(2, func(t *lagTrial) float64 { return t.auroc(kind, last) }).Estimate))
		}
		text += " With " + strings.TrimPrefix(last, eventsPart) + " events between the two: " + strings.Join(some, ", ") + "."
	}
	h := func(f func(h *lagHeads) float64) metric.Interval {
		return r.over(2, func(t *lagTrial) float64 { return f(t.heads) })
	}
	carried, made, looked := h((*lagHeads).carrier), h(func(h *lagHeads) float64 { return h.lost[0][1][0] }), h(func(h *lagHeads) float64 { return h.lost[0][0][0] })
	text += fmt.Sprintf(" Exchanging the drug turns the answer of %.0f %% of the patients with the outcome, making the value normal that of %.0f %%. One head of the first layer carries %.2f [%.2f, %.2f] of what the drug does. "+
		"The interaction of the two goes by %.2f [%.2f, %.2f] if the feed-forward part at the value adds them up, and by %.2f [%.2f, %.2f] if the attention before it does: a head that looks for the drug because the value is abnormal multiplies too.",
		100*h(func(h *lagHeads) float64 { return h.flips[0] }).Estimate, 100*h(func(h *lagHeads) float64 { return h.flips[1] }).Estimate,
		carried.Estimate, carried.Low, carried.High, made.Estimate, made.Low, made.High, looked.Estimate, looked.Low, looked.High)
	return text
}

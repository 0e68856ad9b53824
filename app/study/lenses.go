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

	"heed/autograd"
	"heed/internal/par"
	"heed/metric"
	"heed/nn"
	"heed/plot"
	"heed/train"
)

// lenses compares the fixed lens of Inception with the one of attention, which
// points where the content says.
func lenses() Study {
	return Study{
		Name:  "lenses",
		Title: "A fixed lens or one that points: Inception against attention",
		Claim: fmt.Sprintf("At equal parameters and equal training, two layers of attention tell whether two marks of a picture belong together at any distance; two layers of Inception, whose tokens see %d tokens to each side, are at chance beyond twice that distance, though they learn the same task where marks are close. "+
			"The receptive field of a trained Inception is the same square for every picture; that of attention moves with the content. Where what is near suffices (real digits), the two are alike.", lensReach),
		Refuted: "Attention below .95 at any range of distances, or less than .3 above Inception where that cannot reach; Inception above .6 there; Inception below .9 on close marks when it is trained on those alone (the control: it can learn the task); fields of one mark in two pictures that are less than .1 more alike under Inception than under attention; " +
			"any gradient from outside of the square under Inception. With digits (--digits): attention more than .03 from Inception.",
		Takes: "1 minute; 2 with --digits",
		Run:   runLenses,
	}
}

// A pairTask makes pictures with two marks that belong together or not, each kind
// equally often on either side, so that no mark alone says anything.
type pairTask struct {
	name string
	grid lensGrid
	// draw writes a picture (tokens·in) with marks at two tokens that belong together
	// if together.
	draw func(x []float32, a, b int, together bool, r *rand.Rand)
	// level says that both marks lie on one row, as eyes do.
	level bool
}

// marks is the number of kinds of marks: glyphs or colours.
const marks = 6

// eyes is the task of symmetry: two glyphs of 4 x 4 pixels on one row, the right one
// the mirror image of the left one or of another glyph.
func eyes(g lensGrid, r *rand.Rand) pairTask {
	const edge = 4
	g.in = edge * edge
	glyphs := make([][]float32, marks)
	for k := range glyphs {
		glyphs[k] = make([]float32, edge*edge)
		for i := range glyphs[k] {
			glyphs[k][i] = float32(2*r.IntN(2) - 1)
		}
	}
	return pairTask{"symmetry", g, func(x []float32, a, b int, together bool, r *rand.Rand) {
		noise(x, r)
		left, right := pair(together, r)
		if a%g.columns > b%g.columns {
			a, b = b, a
		}
		for i := range edge * edge {
			row, column := i/edge, i%edge
			x[a*g.in+i] += glyphs[left][i]
			x[b*g.in+row*edge+edge-1-column] += glyphs[right][i]
		}
	}, true}
}

// colours is the task of colours: two coloured pixels anywhere, of one colour or of
// two.
func colours(g lensGrid, _ *rand.Rand) pairTask {
	g.in = 3
	return pairTask{"colours", g, func(x []float32, a, b int, together bool, r *rand.Rand) {
		noise(x, r)
		first, second := pair(together, r)
		for _, m := range [][2]int{{a, first}, {b, second}} { // the corners of the cube but black and white
			for c := range 3 {
				x[m[0]*3+c] += float32(2*((m[1]+1)>>c&1) - 1)
			}
		}
	}, false}
}

func noise(x []float32, r *rand.Rand) {
	for i := range x {
		x[i] = float32(0.2 * r.NormFloat64())
	}
}

// pair draws two kinds of marks, equal or different.
func pair(together bool, r *rand.Rand) (a, b int) {
	a = r.IntN(marks)
	if together {
		return a, a
	}
	return a, (a + 1 + r.IntN(marks-1)) % marks
}

// place draws two different tokens at a distance from low to high, the larger of the
// distances along rows and columns.
func (p *pairTask) place(low, high int, r *rand.Rand) (a, b int) {
	g := p.grid
	for {
		a, b = r.IntN(g.tokens()), r.IntN(g.tokens())
		if p.level {
			b = a/g.columns*g.columns + r.IntN(g.columns)
		}
		if d := g.distance(a, b); d >= low && d <= high {
			return a, b
		}
	}
}

func (g lensGrid) distance(a, b int) int {
	rows, columns := a/g.columns-b/g.columns, a%g.columns-b%g.columns
	return max(rows, -rows, columns, -columns)
}

// lensRange is a range of distances with a name.
type lensRange struct {
	name      string
	low, high int
}

// nearby is the distance up to which the control is trained.
const nearby = 2

// ranges are those of the control; a token of Inception sees both marks; one between
// them does; none does.
func (g lensGrid) ranges() []lensRange {
	return []lensRange{
		{fmt.Sprintf("1-%d", nearby), 1, nearby}, {fmt.Sprintf("%d-%d", nearby+1, lensReach), nearby + 1, lensReach}, {fmt.Sprintf("%d-%d", lensReach+1, 2*lensReach), lensReach + 1, 2 * lensReach},
		{fmt.Sprintf("%d-%d", 2*lensReach+1, g.columns-1), 2*lensReach + 1, g.columns - 1},
	}
}

// fitPairs trains a model on pictures that are drawn anew in every step.
func (l *Lab) fitPairs(ctx context.Context, c lensContender, p pairTask, seed uint64) (*lens, error) {
	m, err := newLens(c.kind, p.grid, 2, rand.New(rand.NewPCG(seed, 21)))
	if err != nil {
		return nil, err
	}
	return m, l.fitLens(ctx, m, l.pick(48000, 25600), 1, seed, func(t *autograd.Tape, examples []int) ([]float32, []int32) {
		size := p.grid.tokens() * p.grid.in
		x, want := make([]float32, len(examples)*size), make([]int32, len(examples))
		for i := range examples {
			a, b := p.place(1, min(c.most, p.grid.columns), t.Rand)
			want[i] = int32(t.Rand.IntN(2))
			p.draw(x[i*size:(i+1)*size], a, b, want[i] == 1, t.Rand)
		}
		return x, want
	}, c.name+", "+p.name)
}

// fitLens trains a model on examples that read gives.
func (l *Lab) fitLens(ctx context.Context, m *lens, examples, epochs int, seed uint64, read func(t *autograd.Tape, examples []int) ([]float32, []int32), what string) error {
	lengths := make([]int, examples)
	for i := range lengths {
		lengths[i] = m.grid.tokens()
	}
	run, err := train.New(train.Config{Epochs: epochs, Batch: 32, Leaves: 2, Rate: 3e-3, Warmup: 0.1, Decay: 0.01, Clip: 1, Seed: seed, Cores: l.Cores}, train.Problem{
		Model: m, Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			x, want := read(t, examples)
			return autograd.CrossEntropy(t, m.logits(t, x), want, norm)
		},
	})
	if err != nil {
		return err
	}
	mean := 0.0
	for step, err := range run.Steps(ctx) {
		if err != nil {
			return err
		}
		if mean += step.Loss / 100; step.N%100 == 0 {
			l.tell("seed %d: %s: step %d of %d, loss %.3f", seed, what, step.N, step.Steps, mean)
			mean = 0
		}
	}
	return nil
}

// right returns the share of pictures that a model is right about, of n.
func (m *lens) right(n int, picture func(i int, x []float32) int) float64 {
	const together = 50
	size, hits := m.grid.tokens()*m.grid.in, 0
	for lo := 0; lo < n; lo += together {
		k := min(together, n-lo)
		x, want := make([]float32, k*size), make([]int, k)
		for i := range k {
			want[i] = picture(lo+i, x[i*size:(i+1)*size])
		}
		y := m.logits(&autograd.Tape{NoGrad: true}, x)
		classes := y.Dim(1)
		for i, w := range want {
			row := y.Data[i*classes : (i+1)*classes]
			if slices.Index(row, slices.Max(row)) == w {
				hits++
			}
		}
	}
	return float64(hits) / float64(n)
}

// A lensContender is a model and the distances that it is trained on.
type lensContender struct {
	name, kind string
	most       int
}

func lensContenders() []lensContender {
	return []lensContender{{"attention", "attention", 1 << 10}, {"inception", "inception", 1 << 10}, {fmt.Sprintf("inception, trained on 1-%d alone", nearby), "inception", nearby}}
}

// A field is what the receptive fields of marks are like in pictures whose marks lie
// out of one another's square.
type field struct {
	gain    float64 // gradient from the partner's token by that from the same token of the other picture, where nothing stands
	outside float64 // share of the squared gradient that comes from outside of Inception's square
	alike   float64 // cosine of the fields of the same mark in two pictures whose partners lie elsewhere
}

// field measures pictures in pairs that have the first mark at one place.
func (m *lens) field(p pairTask, pictures int, r *rand.Rand) (f field, example [2][]float64, at [2][2]int) {
	size := p.grid.tokens() * p.grid.in
	there, empty := 0.0, 0.0
	for k := range pictures {
		var maps [2][]float64
		places := p.twoPartners(r)
		for i, q := range places {
			x := make([]float32, size)
			p.draw(x, q[0], q[1], true, r)
			g := m.receptive(x, q[0], 8, r)
			g[q[0]] = 0
			total, outside := 0.0, 0.0
			for j := range g {
				total += g[j] * g[j]
				if p.grid.distance(q[0], j) > lensReach {
					outside += g[j] * g[j]
				}
			}
			f.outside += outside / total / float64(2*pictures)
			for j := range g {
				g[j] /= math.Sqrt(total)
			}
			there, empty = there+g[q[1]], empty+g[places[1-i][1]]
			maps[i] = g
		}
		for j := range maps[0] {
			f.alike += maps[0][j] * maps[1][j] / float64(pictures)
		}
		if k == 0 {
			example, at = maps, places
		}
	}
	if f.gain = 1; there+empty > 0 {
		f.gain = there / max(empty, 1e-30)
	}
	return f, example, at
}

// twoPartners draws one place for a mark and two different ones for its partner, both
// out of Inception's square.
func (p *pairTask) twoPartners(r *rand.Rand) [2][2]int {
	for {
		a, b := p.place(lensReach+1, p.grid.columns, r)
		for range 20 {
			c := r.IntN(p.grid.tokens())
			if c != b && p.grid.distance(a, c) > lensReach && (!p.level || c/p.grid.columns == a/p.grid.columns) {
				return [2][2]int{{a, b}, {a, c}}
			}
		}
	}
}

var lensKinds = []string{"attention", "inception"} // of the digits; never written to

// A lensTrial is what one trained model does.
type lensTrial struct {
	task              string
	parameters        int
	right, byDistance []float64 // by range, by distance
	field             field
	maps              [2][]float64 // receptive fields of the first two pictures
	at                [2][2]int    // and their marks
}

// lensTrials trains every contender on every task from every seed, (tasks, seeds,
// contenders), as many at once as there are cores, each on one.
func (l *Lab) lensTrials(ctx context.Context, g lensGrid, tasks []func(lensGrid, *rand.Rand) pairTask) ([][][]lensTrial, error) {
	contenders := lensContenders()
	out := make([][][]lensTrial, len(tasks))
	for i := range out {
		out[i] = make([][]lensTrial, l.Seeds)
		for k := range out[i] {
			out[i][k] = make([]lensTrial, len(contenders))
		}
	}
	each := l.apart()
	errs := make([]error, len(tasks)*l.Seeds*len(contenders))
	par.Do(len(errs), cmp.Or(l.Cores, par.Cores()), func(_, n int) {
		i, k, j := n/len(contenders)/l.Seeds, n/len(contenders)%l.Seeds, n%len(contenders)
		out[i][k][j], errs[n] = each.lensTrial(ctx, contenders[j], tasks[i], g, l.Seed+uint64(k))
	})
	return out, errors.Join(errs...)
}

// apart returns the laboratory of one of several trainings that run at once.
func (l *Lab) apart() *Lab {
	each := *l
	each.Cores = 1
	if l.Tell != nil {
		var m sync.Mutex
		each.Tell = func(what string) {
			m.Lock()
			defer m.Unlock()
			l.Tell(what)
		}
	}
	return &each
}

func (l *Lab) lensTrial(ctx context.Context, c lensContender, task func(lensGrid, *rand.Rand) pairTask, g lensGrid, seed uint64) (t lensTrial, err error) {
	p := task(g, rand.New(rand.NewPCG(seed, 20)))
	m, err := l.fitPairs(ctx, c, p, seed)
	if err != nil {
		return t, err
	}
	r := rand.New(rand.NewPCG(seed, 22))
	measure := func(low, high, n int) float64 {
		return m.right(n, func(_ int, x []float32) int {
			a, b := p.place(low, high, r)
			together := r.IntN(2)
			p.draw(x, a, b, together == 1, r)
			return together
		})
	}
	t.task, t.parameters, t.byDistance = p.name, nn.Count(m), make([]float64, g.columns)
	for _, q := range g.ranges() {
		t.right = append(t.right, measure(q.low, q.high, l.pick(1000, 400)))
	}
	for d := 1; d < g.columns; d++ {
		t.byDistance[d] = measure(d, d, l.pick(300, 20))
	}
	t.field, t.maps, t.at = m.field(p, l.pick(20, 4), r)
	l.tell("seed %d: %s, %s: right by range %.3f, field %+v", seed, c.name, p.name, t.right, t.field)
	return t, nil
}

func runLenses(ctx context.Context, l *Lab) (*Finding, error) {
	g := lensGrid{rows: 2, columns: l.pick(14, 12)}
	tasks := []func(lensGrid, *rand.Rand) pairTask{eyes, colours}
	if l.Tiny {
		tasks = tasks[:1]
	}
	f := &Finding{}
	accuracy := Table{Title: fmt.Sprintf("Share of pictures told rightly by the distance of the marks (%d x %d tokens, chance .5)", g.rows, g.columns), Columns: []string{"task", "model", "parameters"},
		Notes: []string{fmt.Sprintf("Distance: the larger of rows and columns between the marks. A token after two layers of Inception has seen %d tokens to each side, so that one between two marks can have seen both up to a distance of %d.", lensReach, 2*lensReach),
			"Every mark is equally frequent in both classes, on both sides, so that one mark says nothing. What is learned of them apart and added up can be above .5 by a threshold all the same, up to .75 (together unless the left kind has the lower number), which is why Inception may be a little above .5 where it cannot bring marks together."}}
	for _, r := range g.ranges() {
		accuracy.Columns = append(accuracy.Columns, r.name)
	}
	fields := Table{Title: "Receptive field of a mark whose partner lies outside of Inception's square", Columns: []string{"task", "model", "partner there or not", "from outside of the square", "likeness of two pictures"},
		Notes: []string{"Partner there or not: the gradient from a token when the partner stands there, by that when it stands elsewhere; 1 if the content does not matter. It can be below 1, because the norm before a layer divides the derivative by the size of a token, and marks are large.",
			fmt.Sprintf("From outside: the share of what reaches the mark from other tokens that comes from more than %d tokens away.", lensReach),
			"Likeness: the cosine of the fields of one mark in two pictures, whose partners lie at different places; 1 if they are the same."}}
	var lines []plot.Line
	var words []string
	far, control := len(g.ranges())-1, lensContenders()[2].name
	trials, err := l.lensTrials(ctx, g, tasks)
	if err != nil {
		return nil, err
	}
	for i := range tasks {
		right := map[string][][]float64{} // by name: (ranges, seeds)
		byDistance := map[string][][]float64{}
		seen := map[string][]field{}
		count := map[string]int{}
		name := ""
		for k := range l.Seeds {
			for j, c := range lensContenders() {
				t := trials[i][k][j]
				name, count[c.name] = t.task, t.parameters
				if k == 0 {
					right[c.name], byDistance[c.name] = make([][]float64, len(t.right)), make([][]float64, len(t.byDistance))
				}
				for q, v := range t.right {
					right[c.name][q] = append(right[c.name][q], v)
				}
				for d, v := range t.byDistance {
					byDistance[c.name][d] = append(byDistance[c.name][d], v)
				}
				seen[c.name] = append(seen[c.name], t.field)
				if k == 0 && i == len(tasks)-1 && c.most > nearby {
					f.Figures = append(f.Figures, fieldFigure(c.name, g, t.maps, t.at))
				}
			}
		}
		var above []float64
		for k, v := range right["attention"][far] {
			above = append(above, v-right["inception"][far][k])
		}
		worst := slices.MinFunc(right["attention"], func(a, b []float64) int { return cmp.Compare(overSeeds(a).Estimate, overSeeds(b).Estimate) })
		part := func(kind string, of func(field) float64) metric.Interval {
			var v []float64
			for _, x := range seen[kind] {
				v = append(v, of(x))
			}
			return overSeeds(v)
		}
		gain, outside, alike := func(x field) float64 { return x.gain }, func(x field) float64 { return x.outside }, func(x field) float64 { return x.alike }
		f.Checks = append(f.Checks,
			Check{Name: name + ": attention, worst range", Value: overSeeds(worst), Bound: l.bound(0.95, 0.8)},
			Check{Name: name + ": attention less Inception, out of its reach", Value: overSeeds(above), Bound: 0.3},
			Check{Name: name + ": control: Inception out of its reach", Value: overSeeds(right["inception"][far]), Bound: 0.6, Upper: true},
			Check{Name: name + ": control: Inception on close marks, trained on those", Value: overSeeds(right[control][0]), Bound: l.bound(0.9, 0.7)},
			Check{Name: name + ": likeness of fields, Inception less attention", Value: metric.Interval{Estimate: part("inception", alike).Estimate - part("attention", alike).Estimate, Low: part("inception", alike).Low - part("attention", alike).High, High: part("inception", alike).High - part("attention", alike).Low}, Bound: 0.1},
			Check{Name: name + ": Inception: gradient from outside of the square", Value: part("inception", outside), Bound: 0, Upper: true})
		for _, c := range lensContenders() {
			kind := c.name
			row := []string{name, kind, fmt.Sprint(count[kind])}
			for _, v := range right[kind] {
				row = append(row, interval(overSeeds(v)))
			}
			accuracy.Rows = append(accuracy.Rows, row)
			fields.Rows = append(fields.Rows, []string{name, kind, interval(part(kind, gain)), interval(part(kind, outside)), interval(part(kind, alike))})
			if c.most <= nearby {
				continue // the figure is of equal trainings
			}
			line := plot.Line{Name: name + ", " + kind}
			for d := 1; d < g.columns; d++ {
				v := overSeeds(byDistance[kind][d])
				line.X, line.Y, line.Low, line.High = append(line.X, float64(d)), append(line.Y, v.Estimate), append(line.Low, v.Low), append(line.High, v.High)
			}
			lines = append(lines, line)
		}
		words = append(words, fmt.Sprintf("%s: where Inception cannot reach, attention is right about %.0f %% and Inception about %.0f %% of the pictures. On marks up to %d tokens apart they are right about %.0f %% and %.0f %%, and an Inception that was trained on those alone about %.0f %%. "+
			"The receptive fields of one mark in two pictures have a likeness of %.2f under attention and %.2f under Inception, and %.0f %% and %.0f %% of the gradient come from outside of Inception's square",
			name, 100*overSeeds(right["attention"][far]).Estimate, 100*overSeeds(right["inception"][far]).Estimate, nearby, 100*overSeeds(right["attention"][0]).Estimate, 100*overSeeds(right["inception"][0]).Estimate, 100*overSeeds(right[control][0]).Estimate,
			part("attention", alike).Estimate, part("inception", alike).Estimate, 100*part("attention", outside).Estimate, 100*part("inception", outside).Estimate))
	}
	f.Tables = []Table{accuracy, fields}
	fig, err := plot.Lines{Title: "Two marks that belong together or not, by their distance", XLabel: "distance (tokens)", YLabel: "share told rightly", YMin: 0.4, YMax: 1.02, Lines: lines}.Figure()
	if err != nil {
		return nil, err
	}
	f.Figures = append([]Figure{{Name: "distance", Alt: "Share of pictures told rightly against the distance of the marks: attention stays high, Inception stays at one half.",
		Caption: fmt.Sprintf("Mean and range of the seeds. Two layers of Inception bring marks together up to a distance of %d.", 2*lensReach), SVG: fig.SVG()}}, f.Figures...)
	f.Words = strings.Join(words, ". ") + ". An Inception that is trained on marks at all distances may learn nothing even where it can reach: the pictures that it cannot solve drown the others. The control shows that this is not for want of capacity."
	if l.Digits != "" {
		return f, l.digits(ctx, f)
	}
	f.Words += " Real digits were not looked at: name their folder with --digits."
	return f, nil
}

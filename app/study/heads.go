package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/autograd"
	"heed/internal/par"
	"heed/metric"
	"heed/nn"
	"heed/plot"
	"heed/train"
)

// heads asks what many heads can do that one of the same size cannot.
func heads() Study {
	return Study{
		Name:  "heads",
		Title: "What do several heads know that one of the same size does not?",
		Claim: "A head gives one average of the tokens. Where an answer needs a single token (a needle) and the mean of all others, vectors of m values each, one head explains (m+1)/(2m) of the variance, and two heads with the same number of parameters all of it. " +
			"With noise the two specialise, one sharp and one soft, and each serves one half of the answer.",
		Refuted: "One head off the law by more than .02 for m = 2, 4 or 8; two heads below .99; one head below .99 for single numbers (m = 1), where the law asks for 1; or, with noise, a half of the answer that survives when its head is frozen.",
		Takes:   "3 minutes",
		Run:     runHeads,
	}
}

// needleTokens is the number of tokens of a needle task: one is flagged.
const needleTokens = 32

// A needleTask is a set of 32 tokens of m values each, x_i = μ + noise·ε_i, all
// drawn from N(0, 1) anew for each set, and one of them, which is flagged, is
// replaced by other values x_r. Wanted are x_r and μ.
type needleTask struct {
	m     int
	noise float64
	heads int
}

// width is that of the values of all heads together.
func (n needleTask) width() int { return max(8, 2*n.m) }

// An attentionPool reads a set of tokens with one learned query: H heads of
// width d/H, then two layers on their outputs. The number of its parameters does
// not depend on H.
type attentionPool struct {
	heads              int
	Query              *autograd.Var // (1, d)
	Key, Value, Up, To *nn.Linear
}

func newAttentionPool(in, width, out, heads int, r *rand.Rand) *attentionPool {
	const hidden = 64
	p := &attentionPool{
		heads: heads, Query: nn.NewEmbedding(1, width, 1, r).Weight,
		Key: nn.NewLinear(in, width, r), Value: nn.NewLinear(in, width, r),
		Up: nn.NewLinear(width, hidden, r), To: nn.NewLinear(hidden, out, r),
	}
	return p
}

// Visit names query, key, value, up and to.
func (p *attentionPool) Visit(prefix string, f nn.Visitor) {
	f(nn.Join(prefix, "query"), p.Query)
	p.Key.Visit(nn.Join(prefix, "key"), f)
	p.Value.Visit(nn.Join(prefix, "value"), f)
	p.Up.Visit(nn.Join(prefix, "up"), f)
	p.To.Visit(nn.Join(prefix, "to"), f)
}

// forward maps the tokens x (n·L, in) of n sets to (n, out). A probe sees
// pool.weights (n, H, 1, L) and pool.heads (n, d).
func (p *attentionPool) forward(t *autograd.Tape, x *autograd.Var, n int) *autograd.Var {
	lengths, one := make([]int, n), make([]int, n)
	for i := range lengths {
		lengths[i], one[i] = x.Dim(0)/n, 1
	}
	q := autograd.Embedding(t, p.Query, make([]int32, n))
	o := autograd.Attention(t, q, p.Key.Forward(t, x), p.Value.Forward(t, x),
		autograd.AttentionSpec{Name: "pool", Heads: p.heads, Query: autograd.Packed(one...), Key: autograd.Packed(lengths...)})
	t.Watch("pool.heads", o)
	return p.To.Forward(t, autograd.GELU(t, p.Up.Forward(t, o)))
}

// draw returns the tokens (n·L, m+1) of n sets, the answers (n, 2m), needle first,
// and the place of each needle.
func (n needleTask) draw(sets int, r *rand.Rand) (x, want []float32, at []int) {
	x, want = make([]float32, 0, sets*needleTokens*(n.m+1)), make([]float32, sets*2*n.m)
	for s := range sets {
		needle, mean := want[s*2*n.m:][:n.m], want[s*2*n.m+n.m:][:n.m]
		for i := range n.m {
			needle[i], mean[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
		}
		place := r.IntN(needleTokens)
		at = append(at, place)
		for i := range needleTokens {
			if i == place {
				x = append(append(x, 1), needle...)
				continue
			}
			x = append(x, 0)
			for _, v := range mean {
				x = append(x, v+float32(n.noise*r.NormFloat64()))
			}
		}
	}
	return x, want, at
}

// needleResult is what a trained pool does on new sets.
type needleResult struct {
	params       int
	needle, mean float64 // R² of the two halves of the answer
	heads        []poolHead
	frozen       [][2]float64 // (H) R² of the halves with that head's output held at its mean
}

// poolHead describes what a head reads.
type poolHead struct {
	perplexity float64 // how many of the tokens it reads: exp(entropy)
	weight     float64 // on the needle
	sharpness  float64 // standard deviation of its scores over the tokens: 1/temperature
}

func (r *needleResult) r2() float64 { return (r.needle + r.mean) / 2 }

// run trains a pool on sets that are drawn anew at each step.
func (n needleTask) run(ctx context.Context, steps int, seed uint64) (*needleResult, error) {
	const batch, test = 128, 2048
	model := newAttentionPool(n.m+1, n.width(), 2*n.m, n.heads, rand.New(rand.NewPCG(seed, 1)))
	lengths := make([]int, batch)
	for i := range lengths {
		lengths[i] = needleTokens
	}
	run, err := train.New(train.Config{Epochs: steps, Batch: batch, Rate: 1e-2, Warmup: 0.05, Seed: seed, Cores: 1, Leaves: 1}, train.Problem{
		Model: model, Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			x, want, _ := n.draw(len(examples), t.Rand)
			return squaredError(t, model.forward(t, autograd.Input(x, len(examples)*needleTokens, n.m+1), len(examples)), want, norm*float32(n.m))
		},
	})
	if err != nil {
		return nil, err
	}
	for _, err := range run.Steps(ctx) {
		if err != nil {
			return nil, err
		}
	}
	x, want, at := n.draw(test, rand.New(rand.NewPCG(seed, 2)))
	pass := func(probe func(name string, v *autograd.Var)) []float32 {
		t := &autograd.Tape{NoGrad: true, Probe: probe}
		return model.forward(t, autograd.Input(x, test*needleTokens, n.m+1), test).Data
	}
	out := &needleResult{params: nn.Count(model), heads: make([]poolHead, n.heads)}
	plain := pass(func(name string, v *autograd.Var) {
		if name == "pool.weights" {
			for h := range out.heads {
				out.heads[h] = readPoolHead(v.Data, at, h, n.heads)
			}
		}
	})
	out.needle, out.mean = n.halves(plain, want)
	for h := range n.heads {
		y := pass(func(name string, v *autograd.Var) {
			if name == "pool.heads" {
				holdAtMean(v.Data, v.Dim(1), h*v.Dim(1)/n.heads, (h+1)*v.Dim(1)/n.heads)
			}
		})
		a, b := n.halves(y, want)
		out.frozen = append(out.frozen, [2]float64{a, b})
	}
	return out, nil
}

// squaredError is the sum of squares of y less want, divided by norm.
func squaredError(t *autograd.Tape, y *autograd.Var, want []float32, norm float32) *autograd.Var {
	minus := make([]float32, len(want))
	for i, v := range want {
		minus[i] = -v
	}
	d := autograd.Add(t, y, autograd.Input(minus, y.Shape...))
	return autograd.Scale(t, autograd.Sum(t, autograd.Mul(t, d, d)), 1/norm)
}

// halves returns the R² of the needle and of the mean.
func (n needleTask) halves(y, want []float32) (needle, mean float64) {
	var err, all [2]float64
	for i := range y {
		half := i % (2 * n.m) / n.m
		d := float64(y[i] - want[i])
		err[half] += d * d
		all[half] += float64(want[i]) * float64(want[i]) // its mean is 0 by construction
	}
	return 1 - err[0]/all[0], 1 - err[1]/all[1]
}

// holdAtMean replaces columns lo to hi of the rows of x by their means.
func holdAtMean(x []float32, width, lo, hi int) {
	for c := lo; c < hi; c++ {
		sum := 0.0
		for i := c; i < len(x); i += width {
			sum += float64(x[i])
		}
		mean := float32(sum / float64(len(x)/width))
		for i := c; i < len(x); i += width {
			x[i] = mean
		}
	}
}

// readPoolHead describes head h by its weights (n, H, 1, L).
func readPoolHead(weights []float32, at []int, h, heads int) (out poolHead) {
	for s, place := range at {
		row := weights[(s*heads+h)*needleTokens:][:needleTokens]
		var entropy, sum, squares float64
		for _, w := range row {
			l := math.Log(max(float64(w), math.SmallestNonzeroFloat32))
			entropy -= float64(w) * l
			sum, squares = sum+l/needleTokens, squares+l*l/needleTokens
		}
		n := float64(len(at))
		out.perplexity += math.Exp(entropy) / n
		out.weight += float64(row[place]) / n
		out.sharpness += math.Sqrt(max(0, squares-sum*sum)) / n
	}
	return out
}

// ceiling is the R² of the best answer: the needle is known, and the mean of 31
// noisy tokens is μ with an error of variance noise²/31.
func (n needleTask) ceiling() float64 {
	return (1 + 1/(1+n.noise*n.noise/(needleTokens-1))) / 2
}

// law is what one head explains: of 2m unknowns it knows m mixed values and the
// weight it gave the needle.
func (n needleTask) law() float64 { return float64(n.m+1) / float64(2*n.m) }

func runHeads(ctx context.Context, l *Lab) (*Finding, error) {
	const clean, noisy = 0.3, 2
	tasks := []needleTask{
		{1, clean, 1}, {1, clean, 2},
		{2, clean, 1}, {2, clean, 2},
		{4, clean, 1}, {4, clean, 2}, {4, clean, 4},
		{8, clean, 1}, {8, clean, 2},
		{4, noisy, 1}, {4, noisy, 2}, {4, noisy, 4},
	}
	if l.Tiny {
		tasks = []needleTask{{1, clean, 1}, {4, clean, 1}, {4, clean, 2}, {4, noisy, 2}}
	}
	results := make([][]*needleResult, len(tasks)) // (tasks, seeds)
	for i := range results {
		results[i] = make([]*needleResult, l.Seeds)
	}
	if err := l.each(len(tasks)*l.Seeds, func(k int) (err error) {
		i, s := k%len(tasks), k/len(tasks)
		results[i][s], err = tasks[i].run(ctx, l.pick(4000, 900), l.Seed+uint64(s))
		if err == nil {
			l.tell("m %d, noise %g, %d heads, seed %d: R² %.3f", tasks[i].m, tasks[i].noise, tasks[i].heads, l.Seed+uint64(s), results[i][s].r2())
		}
		return err
	}); err != nil {
		return nil, err
	}
	f := &Finding{}
	h := needleFindings{l, tasks, results}
	h.law(f)
	h.freezing(f)
	ranks, err := l.bottleneck(ctx)
	if err != nil {
		return nil, err
	}
	ranks.add(f)
	fig, err := h.figure()
	if err != nil {
		return nil, err
	}
	f.Figures = append(f.Figures, fig)
	f.Words = h.words() + " " + ranks.words()
	return f, nil
}

// each runs n independent parts of a study on the lab's cores and returns the
// first error in their order.
func (l *Lab) each(n int, f func(i int) error) error {
	errs := make([]error, n)
	cores := l.Cores
	if cores == 0 {
		cores = par.Cores()
	}
	par.Do(n, cores, func(_, i int) { errs[i] = f(i) })
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// needleFindings words what the trained pools did.
type needleFindings struct {
	l       *Lab
	tasks   []needleTask
	results [][]*needleResult // (tasks, seeds)
}

// over returns a number of one task over the seeds.
func (h needleFindings) over(task int, f func(r *needleResult) float64) metric.Interval {
	var values []float64
	for _, r := range h.results[task] {
		values = append(values, f(r))
	}
	return overSeeds(values)
}

func (h needleFindings) law(f *Finding) {
	t := Table{
		Title:   fmt.Sprintf("Share of variance explained (R²) of the needle and the mean of %d tokens, %d seeds", needleTokens, h.l.Seeds),
		Columns: []string{"values m", "noise", "heads", "parameters", "R² [range of seeds]", "needle", "mean", "law of one head", "best possible"},
		Notes: []string{"The law counts: one head hands on m mixed values and the weight of the needle among them, m+1 numbers, where 2m are wanted. It is an argument by counting, which the runs may refute, and no theorem.",
			"Parameters do not depend on the number of heads: the same query, keys and values are divided among them, and so are the multiply-adds. Floor: an answer that knows nothing has R² 0."},
	}
	enough, off := h.l.bound(0.99, 0.93), h.l.bound(0.02, 0.08)
	for i, task := range h.tasks {
		r2 := h.over(i, (*needleResult).r2)
		law := "-"
		if task.heads == 1 {
			law = fmt.Sprintf("%.3f", task.law())
		}
		t.Rows = append(t.Rows, []string{fmt.Sprint(task.m), fmt.Sprint(task.noise), fmt.Sprint(task.heads), fmt.Sprint(h.results[i][0].params), interval(r2),
			interval(h.over(i, func(r *needleResult) float64 { return r.needle })), interval(h.over(i, func(r *needleResult) float64 { return r.mean })), law, fmt.Sprintf("%.3f", task.ceiling())})
		switch {
		case task.noise > 1:
		case task.m == 1 && task.heads == 1:
			f.Checks = append(f.Checks, Check{Name: "control m = 1: R² of one head", Value: r2, Bound: enough})
		case task.heads == 1:
			f.Checks = append(f.Checks, Check{Name: fmt.Sprintf("m = %d: one head, distance from the law %.4f", task.m, task.law()),
				Value: h.over(i, func(r *needleResult) float64 { return math.Abs(r.r2() - task.law()) }), Bound: off, Upper: true})
		case task.heads == 2 && task.m > 1:
			f.Checks = append(f.Checks, Check{Name: fmt.Sprintf("m = %d: R² of two heads", task.m), Value: r2, Bound: enough})
		}
	}
	f.Tables = append(f.Tables, t)
}

// sharp returns the head of a result that gives the needle more weight, and the
// other one.
func (r *needleResult) sharp() (sharp, soft int) {
	if r.heads[1].weight > r.heads[0].weight {
		return 1, 0
	}
	return 0, 1
}

func (h needleFindings) freezing(f *Finding) {
	t := Table{
		Title:   fmt.Sprintf("Two heads, m = 4: what each reads of %d tokens, and R² when it is frozen, %d seeds", needleTokens, h.l.Seeds),
		Columns: []string{"noise", "head", "tokens read (perplexity)", "weight of the needle", "temperature", "frozen: needle", "frozen: mean"},
		Notes: []string{"Sharp is the head that gives the needle more weight. Frozen: its output is held at its mean over all sets, and nothing is trained again.",
			"Temperature: one over the standard deviation of the scores before the softmax. A low one belongs to a sharp head, as in physics; some texts say it the other way round."},
	}
	for i, task := range h.tasks {
		if task.heads != 2 || task.m != 4 {
			continue
		}
		for k, name := range []string{"sharp", "soft"} {
			pick := func(g func(r *needleResult, head int) float64) metric.Interval {
				return h.over(i, func(r *needleResult) float64 {
					sharp, soft := r.sharp()
					return g(r, []int{sharp, soft}[k])
				})
			}
			needle := pick(func(r *needleResult, head int) float64 { return r.frozen[head][0] })
			mean := pick(func(r *needleResult, head int) float64 { return r.frozen[head][1] })
			t.Rows = append(t.Rows, []string{fmt.Sprint(task.noise), name, interval(pick(func(r *needleResult, head int) float64 { return r.heads[head].perplexity })),
				interval(pick(func(r *needleResult, head int) float64 { return r.heads[head].weight })),
				interval(pick(func(r *needleResult, head int) float64 { return 1 / r.heads[head].sharpness })), interval(needle), interval(mean)})
			if task.noise > 1 {
				killed, kept, names := needle, mean, []string{"needle", "mean"}
				if k == 1 {
					killed, kept, names = mean, needle, []string{"mean", "needle"}
				}
				f.Checks = append(f.Checks,
					Check{Name: fmt.Sprintf("noise %g, %s head frozen: R² of the %s", task.noise, name, names[0]), Value: killed, Bound: 0.2, Upper: true},
					Check{Name: fmt.Sprintf("noise %g, %s head frozen: R² of the %s", task.noise, name, names[1]), Value: kept, Bound: h.l.bound(0.7, 0.3)})
			}
		}
	}
	f.Tables = append(f.Tables, t)
	h.spare(f)
}

// spare shows which of four heads are redundant.
func (h needleFindings) spare(f *Finding) {
	t := Table{
		Title:   fmt.Sprintf("Four heads, m = 4: R² that is lost when one is frozen, the dearest head first, %d seeds", h.l.Seeds),
		Columns: []string{"noise", "first", "second", "third", "fourth"},
		Notes:   []string{"Two heads are enough for this task. Of four, one that costs next to nothing is redundant; where all four cost something they have shared the work."},
	}
	for i, task := range h.tasks {
		if task.heads != 4 {
			continue
		}
		row := []string{fmt.Sprint(task.noise)}
		for k := range task.heads {
			row = append(row, interval(h.over(i, func(r *needleResult) float64 {
				var lost []float64
				for _, v := range r.frozen {
					lost = append(lost, r.r2()-(v[0]+v[1])/2)
				}
				slices.Sort(lost)
				return lost[len(lost)-1-k]
			})))
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) > 0 {
		f.Tables = append(f.Tables, t)
	}
}

func (h needleFindings) figure() (Figure, error) {
	one, many, law := plot.Line{Name: "one head"}, plot.Line{Name: "two heads, same parameters"}, plot.Line{Name: "law (m+1)/(2m)", Theory: true}
	tsv := &strings.Builder{}
	fmt.Fprintln(tsv, "m\theads\tR2\tlow\thigh")
	for i, task := range h.tasks {
		if task.noise > 1 || task.heads > 2 {
			continue
		}
		r2 := h.over(i, (*needleResult).r2)
		fmt.Fprintf(tsv, "%d\t%d\t%.4f\t%.4f\t%.4f\n", task.m, task.heads, r2.Estimate, r2.Low, r2.High)
		to := &one
		if task.heads == 2 {
			to = &many
		} else {
			law.X, law.Y = append(law.X, float64(task.m)), append(law.Y, task.law())
		}
		to.X, to.Y = append(to.X, float64(task.m)), append(to.Y, r2.Estimate)
		to.Low, to.High = append(to.Low, r2.Low), append(to.High, r2.High)
	}
	fig, err := plot.Lines{Title: "One head against two of the same size", XLabel: "values m of a token", YLabel: "R² of needle and mean", YMin: 0, YMax: 1.05, Lines: []plot.Line{one, many, law}}.Figure()
	if err != nil {
		return Figure{}, err
	}
	return Figure{Name: "law", Alt: "R² of one head and of two heads against the number of values of a token, with the law", SVG: fig.SVG(), TSV: []byte(tsv.String()),
		Caption: "One head follows the law of counting; two heads with the same number of parameters know both halves of the answer. Bands: range of the seeds."}, nil
}

func (h needleFindings) words() string {
	var one, two []string
	noisy := ""
	for i, task := range h.tasks {
		r2 := h.over(i, (*needleResult).r2).Estimate
		switch {
		case task.noise < 1 && task.heads == 1:
			one = append(one, fmt.Sprintf("%.3f for m = %d (law %.3f)", r2, task.m, task.law()))
		case task.noise < 1 && task.heads == 2 && task.m > 1:
			two = append(two, fmt.Sprintf("%.3f for m = %d", r2, task.m))
		case task.noise > 1 && task.heads == 2:
			sharp := h.over(i, func(r *needleResult) float64 { a, _ := r.sharp(); return r.heads[a].perplexity })
			soft := h.over(i, func(r *needleResult) float64 { _, b := r.sharp(); return r.heads[b].perplexity })
			noisy = fmt.Sprintf(" With noise of standard deviation %g the two heads part: one reads %.1f of %d tokens and the other %.1f.", task.noise, sharp.Estimate, needleTokens, soft.Estimate)
		}
	}
	return fmt.Sprintf("One head explains %s of the variance, and two heads of the same size %s.%s", strings.Join(one, ", "), strings.Join(two, ", "), noisy)
}

package study

import (
	"context"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/internal/par"
	"heed/nn"
	"heed/train"
)

// heads asks what many heads can do that one of the same size cannot.
func heads() Study {
	return Study{
		Name:  "heads",
		Title: "What do several heads know that one of the same size does not?",
		Claim: "A head gives one average of the tokens. Where an answer needs a single token (a needle) and the mean of all others, vectors of m values each, one head explains (m+1)/(2m) of the variance, and two heads with the same number of parameters all of it. " +
			"The two specialise, one sharp and one soft, the more the noise, and each serves one half of the answer.",
		Refuted: "One head off the law by more than .02 for m = 2, 4 or 8; two heads below .99; one head below .99 for single numbers (m = 1), where the law asks for 1; or, with noise, a half of the answer that survives when its head is frozen.",
		Takes:   "1 minute",
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

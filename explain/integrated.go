package explain

import (
	"context"
	"math"

	"gonum.org/v1/gonum/integrate/quad"

	"heed/autograd"
	"heed/internal/par"
	"heed/tensor"
)

// Integration stops once the attributions add up to f(x) - f(x') within
// Completeness of it, or of its mean over the baselines if that is larger, or
// within CompletenessFloor in the units of the score where the scores hardly
// differ, and at MaxSteps points of a path in any case.
const (
	Completeness      = 0.01
	CompletenessFloor = 0.01
	MaxSteps          = 512
	firstSteps        = 8
)

// Integrated is the result of [IntegratedGradients].
type Integrated struct {
	Score    float64        // f(x)
	Baseline float64        // mean of f(x') over the baselines
	Values   []float64      // (L) signed; of several baselines the mean
	Raw      *tensor.Tensor // (L, D) the same before the sum over D
	// Grad (L, D) is the mean gradient along the paths, for [LetterGradient].
	Grad *tensor.Tensor
	// Error is the sum of Values less Score - Baseline.
	Error float64
	Paths []Path // one for each baseline
}

// A Path is what the integration from one baseline came to.
type Path struct {
	Baseline float64 // f(x')
	Steps    int     // points of the last quadrature
	Error    float64 // sum of the attributions less f(x) - f(x')
	Met      bool    // |Error| is within the bound
}

// Met reports whether the integrals from all baselines came within the bound.
// Where it is false, the values are those of [MaxSteps] points and do not add
// up: say so beside them.
func (g *Integrated) Met() bool {
	for _, p := range g.Paths {
		if !p.Met {
			return false
		}
	}
	return true
}

// IntegratedGradients returns the integrated gradients (Sundararajan et al.
// 2017, eq. 1) of the score with respect to the embedding x, positions fixed,
// from a baseline x' (L·D values, see [Case.Embedded]):
//
//	r[i] = Σ_d (x - x')[i, d] · ∫₀¹ ∂f/∂x[i, d](x' + t(x - x')) dt
//
// They are signed and complete: Σ r = f(x) - f(x'). The integral is a
// Gauss-Legendre sum of n points; n begins at 8 and doubles until the sum is
// within [Completeness]. What is missing is in the result, never silently. Of
// several baselines, such as shuffles of the sequence, the result is the mean:
// expected gradients (Erion et al. 2021) with every path integrated in full.
//
// One path costs 2n-8 forward and backward passes, of which up to batch run as
// copies in one pass on each core: memory is that of batch inputs on a tape. The
// result does not depend on the number of cores. The error is that of the
// context.
//
// What they cannot tell: everything is relative to the baseline, and a row that
// is the same in both gets 0; the path leads over embeddings that no input has;
// that the sum is right does not prove that every term is; and of two inputs
// either of which would do, each gets a half.
func IntegratedGradients(ctx context.Context, c *Case, batch int, baselines ...[]float32) (*Integrated, error) {
	x := c.Embedded()
	p := &integrator{c, x, max(1, batch)}
	g := &Integrated{Raw: tensor.New(x.Shape...), Grad: tensor.New(x.Shape...)}
	ends, err := p.ends(ctx, baselines)
	if err != nil {
		return nil, err
	}
	g.Score = ends[0]
	raw, grad := make([]float64, len(x.Data)), make([]float64, len(x.Data))
	meanChange := 0.0
	for _, end := range ends[1:] {
		meanChange += (g.Score - end) / float64(len(baselines))
	}
	for b, base := range baselines {
		path := Path{Baseline: ends[1+b], Steps: firstSteps}
		for {
			mean, err := p.meanGradient(ctx, base, path.Steps)
			if err != nil {
				return nil, err
			}
			sum := 0.0
			for i, m := range mean {
				sum += float64(x.Data[i]-base[i]) * m
			}
			change := g.Score - path.Baseline
			path.Error = sum - change
			path.Met = math.Abs(path.Error) <= max(Completeness*math.Abs(change), Completeness*math.Abs(meanChange), CompletenessFloor)
			if path.Met || path.Steps >= MaxSteps {
				for i, m := range mean {
					grad[i] += m / float64(len(baselines))
					raw[i] += float64(x.Data[i]-base[i]) * m / float64(len(baselines))
				}
				break
			}
			path.Steps *= 2
		}
		g.Baseline += path.Baseline / float64(len(baselines))
		g.Error += path.Error / float64(len(baselines))
		g.Paths = append(g.Paths, path)
	}
	g.Values = make([]float64, c.Rows)
	for i := range raw {
		g.Values[i/x.Dim(1)] += raw[i]
		g.Raw.Data[i], g.Grad.Data[i] = float32(raw[i]), float32(grad[i])
	}
	return g, nil
}

// An integrator runs copies of a case at points between baselines and x.
type integrator struct {
	c     *Case
	x     *tensor.Tensor // (L, D)
	batch int
}

// ends returns f(x) and f of every baseline.
func (p *integrator) ends(ctx context.Context, baselines [][]float32) ([]float64, error) {
	points := [][]float32{p.x.Data}
	for _, b := range baselines {
		tensor.Check("explain.IntegratedGradients: baseline", []int{len(b)}, len(p.x.Data))
		points = append(points, b)
	}
	if len(points) == 1 {
		panic("explain: integrated gradients without a baseline")
	}
	scores := make([]float64, len(points))
	err := p.each(ctx, len(points), true, func(at int, x []float32) { copy(x, points[at]) },
		func(lo int, y, _ []float32) {
			for i, v := range y {
				scores[lo+i] = float64(v)
			}
		})
	return scores, err
}

// meanGradient returns the gradient (L·D) averaged over the path from base to x
// by n Gauss-Legendre points.
func (p *integrator) meanGradient(ctx context.Context, base []float32, n int) ([]float64, error) {
	nodes, weights := make([]float64, n), make([]float64, n)
	quad.Legendre{}.FixedLocations(nodes, weights, 0, 1)
	size := len(base)
	parts := make([][]float64, (n+p.batch-1)/p.batch) // a sum for each pass, added in order
	err := p.each(ctx, n, false, func(at int, x []float32) {
		for i, b := range base {
			x[i] = b + float32(nodes[at]*float64(p.x.Data[i]-b))
		}
	}, func(lo int, y, g []float32) {
		sum := make([]float64, size)
		if g != nil {
			for k := range y {
				for i, v := range g[k*size : (k+1)*size] {
					sum[i] += weights[lo+k] * float64(v)
				}
			}
		}
		parts[lo/p.batch] = sum
	})
	if err != nil {
		return nil, err
	}
	for _, part := range parts[1:] {
		for i, v := range part {
			parts[0][i] += v
		}
	}
	return parts[0], nil
}

// each runs the case at n points, batch copies to a pass and a pass on every
// core. write fills the embedding (L·D) of a point; done gets the scores and
// gradients of the points from lo on.
func (p *integrator) each(ctx context.Context, n int, noGrad bool, write func(at int, x []float32), done func(lo int, y, g []float32)) error {
	size := len(p.x.Data)
	tapes := make([]autograd.Tape, par.Cores())
	par.Do((n+p.batch-1)/p.batch, len(tapes), func(worker, task int) {
		if ctx.Err() != nil {
			return
		}
		lo := task * p.batch
		hi := min(lo+p.batch, n)
		t := &tapes[worker]
		t.NoGrad, t.Frozen = noGrad, true
		y, _, g := p.c.passEmbedding(t, hi-lo, func(x []float32) {
			for at := lo; at < hi; at++ {
				write(at, x[(at-lo)*size:(at-lo+1)*size])
			}
		})
		done(lo, y, g)
		t.Reset()
	})
	return ctx.Err()
}

package explain

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
)

// HeadScores holds one number for every head of every layer.
type HeadScores struct {
	Layers []string    // names of the attentions, such as "layers.0.attention"
	Values [][]float64 // (n, H)
}

// A Head is one head of a [HeadScores].
type Head struct{ Layer, Head int }

// An Ablation overwrites the weights (Lq, keys) of one head.
type Ablation func(weights []float32, keys int)

// ZeroHead takes the head away: its output is 0 at every position. Later layers
// may never have met that.
func ZeroHead(weights []float32, keys int) { clear(weights) }

// MeanHead gives every query the mean row of the head: what the head passes on
// is kept on average, and what depends on the query is taken away.
func MeanHead(weights []float32, keys int) {
	if len(weights) == 0 {
		return
	}
	mean := make([]float64, keys)
	for i, w := range weights {
		mean[i%keys] += float64(w)
	}
	rows := len(weights) / keys
	for i := range weights {
		weights[i] = float32(mean[i%keys] / float64(rows))
	}
}

// UniformHead lets every query look at all keys alike, padding included: the
// choice of the head is taken away and its reach is kept.
func UniformHead(weights []float32, keys int) {
	for i := range weights {
		weights[i] = 1 / float32(keys)
	}
}

// AblateHeads returns what each head does for the score by itself: the drop
// f - f(head ablated), above 0 if the head speaks for the score. It costs one
// forward pass for each head, up to batch of them as copies in one pass, which
// holds copies·H·L² weights for each layer, with a pass on every core.
//
// It is evidence of cause, one head at a time: of two heads that do the same,
// neither has an effect, and a head may be there to take back what another one
// does. Ablations differ in what they put in place of the head; see [ZeroHead],
// [MeanHead] and [UniformHead]. The error is that of the context.
func AblateHeads(ctx context.Context, c *Case, batch int, ablate Ablation) (*HeadScores, error) {
	weights, score := c.places(&autograd.Tape{NoGrad: true}, weightsSuffix)
	out := &HeadScores{}
	var heads []Head
	layer := map[string]int{}
	for l, w := range weights {
		layer[w.name] = l
		out.Layers = append(out.Layers, strings.TrimSuffix(w.name, weightsSuffix))
		out.Values = append(out.Values, make([]float64, w.shape[1]))
		for h := range w.shape[1] {
			heads = append(heads, Head{l, h})
		}
	}
	scores, err := c.variants(ctx, len(heads), batch, func(name string, v *autograd.Var, copies, copy, variant int) {
		head := heads[variant]
		if l, ok := layer[name]; ok && l == head.Layer {
			groups := v.Shape[0] / copies
			ablateHead(v, copy*groups, (copy+1)*groups, head.Head, ablate)
		}
	})
	if err != nil {
		return nil, err
	}
	for i, head := range heads {
		out.Values[head.Layer][head.Head] = score - scores[i]
	}
	return out, nil
}

// ablateHead overwrites the weights of a head in groups lo to hi-1 of weights
// (groups, H, Lq, Lk).
func ablateHead(v *autograd.Var, lo, hi, head int, ablate Ablation) {
	size, keys := v.Shape[2]*v.Shape[3], v.Shape[3]
	for g := lo; g < hi; g++ {
		at := (g*v.Shape[1] + head) * size
		ablate(v.Data[at:at+size], keys)
	}
}

// HeadImportance returns the importance of heads of Michel et al. 2019 (eq. 2), the
// mean over cases of the size of the derivative of the score with respect to a
// gate that multiplies the head:
//
//	I[h] = mean | Σ_ij A_h[i, j] · ∂f/∂A_h[i, j] |
//
// One forward and one backward pass for each case, on all cores. It is the
// first-order estimate of the size of what [AblateHeads] measures with
// [ZeroHead], and misses what saturates. The paper takes the loss for f; let the
// case return it to do the same. The cases are of one model.
func HeadImportance(cases []*Case) (*HeadScores, error) {
	if len(cases) == 0 {
		return nil, fmt.Errorf("importance of heads without cases")
	}
	each := make([][]place, len(cases))
	par.Do(len(cases), par.Cores(), func(_, i int) {
		each[i], _ = cases[i].places(&autograd.Tape{Frozen: true}, weightsSuffix)
		for k := range each[i] {
			gates(&each[i][k])
		}
	})
	out := &HeadScores{}
	for _, w := range each[0] {
		out.Layers = append(out.Layers, strings.TrimSuffix(w.name, weightsSuffix))
		out.Values = append(out.Values, make([]float64, w.shape[1]))
	}
	for i, ws := range each {
		if len(ws) != len(out.Layers) {
			return nil, fmt.Errorf("case %d has %d attentions, case 0 has %d", i, len(ws), len(out.Layers))
		}
		for l, w := range ws {
			if name := strings.TrimSuffix(w.name, weightsSuffix); name != out.Layers[l] || w.shape[1] != len(out.Values[l]) {
				return nil, fmt.Errorf("case %d has %d heads in %q, case 0 has %d in %q", i, w.shape[1], name, len(out.Values[l]), out.Layers[l])
			}
			for h, g := range w.data {
				out.Values[l][h] += math.Abs(float64(g)) / float64(len(cases))
			}
		}
	}
	return out, nil
}

// gates replaces the weights of a place by the derivatives (H) of the score with
// respect to the gates of its heads.
func gates(w *place) {
	heads, size := w.shape[1], w.shape[2]*w.shape[3]
	sums := make([]float64, heads)
	for i := range w.grad { // (groups, H, Lq, Lk)
		sums[i/size%heads] += float64(w.data[i]) * float64(w.grad[i])
	}
	w.data, w.grad = make([]float32, heads), nil
	for h, s := range sums {
		w.data[h] = float32(s)
	}
}

// PerLayer returns the scores divided by the root of the sum of their squares
// in the layer, as Michel et al. 2019 do before they compare heads of different
// layers. A layer of zeros stays as it is.
func (s *HeadScores) PerLayer() *HeadScores {
	out := &HeadScores{Layers: s.Layers}
	for _, row := range s.Values {
		sum := 0.0
		for _, v := range row {
			sum += v * v
		}
		row = slices.Clone(row)
		if sum > 0 {
			for h := range row {
				row[h] /= math.Sqrt(sum)
			}
		}
		out.Values = append(out.Values, row)
	}
	return out
}

// Order returns all heads, that of the smallest value first; of equal ones, in
// the order of the model.
func (s *HeadScores) Order() []Head {
	var heads []Head
	for l, row := range s.Values {
		for h := range row {
			heads = append(heads, Head{l, h})
		}
	}
	slices.SortStableFunc(heads, func(a, b Head) int {
		switch x, y := s.Values[a.Layer][a.Head], s.Values[b.Layer][b.Head]; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return heads
}

// Without returns a probe under which a model runs without some heads: it zeroes
// their weights in every input of a pass.
func (s *HeadScores) Without(heads []Head) func(name string, v *autograd.Var) {
	gone := map[string][]int{}
	for _, h := range heads {
		name := s.Layers[h.Layer] + weightsSuffix
		gone[name] = append(gone[name], h.Head)
	}
	return func(name string, v *autograd.Var) {
		for _, h := range gone[name] {
			ablateHead(v, 0, v.Shape[0], h, ZeroHead)
		}
	}
}

// A PruneStep is how a model does without some of its heads.
type PruneStep struct {
	Removed int             // heads
	Score   metric.Interval // without the least important ones
	Random  []float64       // without as many at random, for each random order
}

// Prune removes heads in order of importance, the least important first, in
// steps of a tenth from none to all, and against them the same numbers of heads
// in random orders. evaluate measures the model on a data set, with the probe on
// its tapes, and gives the interval that its data ask for (of single examples,
// of families, of patients). 11 + 9·orders evaluations.
//
// Heads are worth removing by this order only where Score stays above Random.
// The model is not trained again, so that what it could do without a head is
// not what it does here.
func (s *HeadScores) Prune(ctx context.Context, orders int, rng *rand.Rand, evaluate func(probe func(name string, v *autograd.Var)) (metric.Interval, error)) ([]PruneStep, error) {
	heads := s.Order()
	random := make([][]Head, orders)
	for o := range random {
		random[o] = slices.Clone(heads)
		rng.Shuffle(len(heads), func(i, j int) { random[o][i], random[o][j] = random[o][j], random[o][i] })
	}
	run := func(heads []Head) (metric.Interval, error) {
		if err := ctx.Err(); err != nil {
			return metric.Interval{}, err
		}
		return evaluate(s.Without(heads))
	}
	var steps []PruneStep
	for tenth := range 11 {
		n := (tenth*len(heads) + 5) / 10
		step := PruneStep{Removed: n, Random: make([]float64, orders)}
		var err error
		if step.Score, err = run(heads[:n]); err != nil {
			return nil, err
		}
		for o := range random {
			iv := step.Score // that of any order, if it removes none or all
			if n > 0 && n < len(heads) {
				if iv, err = run(random[o][:n]); err != nil {
					return nil, err
				}
			}
			step.Random[o] = iv.Estimate
		}
		steps = append(steps, step)
	}
	return steps, nil
}

package explain

import (
	"context"
	"fmt"
	"math"
)

// A Game is a score as a set function: f(S) is the score f of one input of
// which only the features in S are kept. A feature is whatever the application
// can take away: a letter, a visit, a lobe of the lung. Everything that is said
// from a Game is said about the model and about the way in which features are
// replaced: a mask that the model has never seen may do more than the loss of
// the feature (see [ReplaceGame]).
type Game struct {
	// Features is their number M.
	Features int
	// Value returns f of each coalition: keep[s][i] says that feature i takes
	// part in coalition s. The rows are valid until it returns. Equal coalitions
	// must have equal values; let f be a log-odds, since a probability near 0 or
	// 1 hardly moves.
	Value func(keep [][]bool) []float64
	// Batch is the largest number of coalitions of one call of Value; 0 means 64.
	Batch int

	// draws evaluates the game under each draw of replacements alone; nil if
	// there is one.
	draws []func(keep [][]bool) []float64
}

// ResampleGame returns the game whose value is the mean over draws of
// replacements,
//
//	f(S) = 1/D · Σ_d value(d, S)
//
// D evaluations for each coalition. Draw d stands for the same replacements in
// every coalition, so that differences between coalitions are not differences
// of luck, and the game is a function. What remains of luck is told by
// [Occlusion.SE].
func ResampleGame(features, draws int, value func(draw int, keep [][]bool) []float64) *Game {
	if draws < 1 {
		panic(fmt.Sprintf("explain: resample game of %d draws", draws))
	}
	g := &Game{Features: features}
	for d := range draws {
		g.draws = append(g.draws, func(keep [][]bool) []float64 { return value(d, keep) })
	}
	g.Value = meanGame(g.draws)
	return g
}

// meanGame returns the mean of the values of several games.
func meanGame(draws []func(keep [][]bool) []float64) func(keep [][]bool) []float64 {
	return func(keep [][]bool) []float64 {
		sum := make([]float64, len(keep))
		for _, draw := range draws {
			for s, v := range oneEach(draw(keep), len(keep)) {
				sum[s] += v
			}
		}
		for s := range sum {
			sum[s] /= float64(len(draws))
		}
		return sum
	}
}

// ReplaceGame returns the game over the positions of x (L) in which a position
// that is not kept holds the element of a background (L); with D backgrounds it
// is the [ResampleGame] over them.
//
// One background of mask tokens makes the usual masking, whose inputs a model
// may never have met. Real or shuffled sequences as backgrounds keep its inputs
// plausible position by position, though not their combination. Report both: a
// finding that only one of them shows is one about the replacement.
func ReplaceGame[T any](x []T, backgrounds [][]T, score func(seqs [][]T) []float64) *Game {
	for d, b := range backgrounds {
		if len(b) != len(x) {
			panic(fmt.Sprintf("explain: background %d has %d elements, the input %d", d, len(b), len(x)))
		}
	}
	return ResampleGame(len(x), len(backgrounds), func(d int, keep [][]bool) []float64 {
		seqs := make([][]T, len(keep))
		for s, k := range keep {
			seqs[s] = make([]T, len(x))
			for i := range x {
				if k[i] {
					seqs[s][i] = x[i]
				} else {
					seqs[s][i] = backgrounds[d][i]
				}
			}
		}
		return score(seqs)
	})
}

// DeleteGame returns the game over the elements of x (L) in which an element
// that is not kept is left out, so that those behind it move forward: right for
// events, wrong where the place of an element matters. The score must be
// defined for an empty sequence.
func DeleteGame[T any](x []T, score func(seqs [][]T) []float64) *Game {
	return &Game{Features: len(x), Value: func(keep [][]bool) []float64 {
		seqs := make([][]T, len(keep))
		for s, k := range keep {
			seqs[s] = make([]T, 0, len(x))
			for i := range x {
				if k[i] {
					seqs[s] = append(seqs[s], x[i])
				}
			}
		}
		return score(seqs)
	}}
}

// Groups returns the game whose feature j is all of the features groups[j]
// together: visits, motifs, lobes. Features of g in no group are always kept.
func (g *Game) Groups(groups [][]int) (*Game, error) {
	owner := make([]int, g.Features)
	for i := range owner {
		owner[i] = -1
	}
	for j, group := range groups {
		for _, i := range group {
			switch {
			case i < 0 || i >= g.Features:
				return nil, fmt.Errorf("group %d: feature %d of %d", j, i, g.Features)
			case owner[i] >= 0:
				return nil, fmt.Errorf("feature %d is in groups %d and %d", i, owner[i], j)
			}
			owner[i] = j
		}
	}
	wrap := func(value func([][]bool) []float64) func([][]bool) []float64 {
		return func(keep [][]bool) []float64 {
			wide := make([][]bool, len(keep))
			for s, k := range keep {
				wide[s] = make([]bool, g.Features)
				for i, j := range owner {
					wide[s][i] = j < 0 || k[j]
				}
			}
			return value(wide)
		}
	}
	out := &Game{Features: len(groups), Value: wrap(g.Value), Batch: g.Batch}
	for _, d := range g.draws {
		out.draws = append(out.draws, wrap(d))
	}
	return out, nil
}

// values returns f of n coalitions, in batches: write sets coalition s, which
// begins empty.
func (g *Game) values(ctx context.Context, n int, write func(s int, keep []bool)) ([]float64, error) {
	return g.valuesOf(ctx, g.Value, n, write)
}

func (g *Game) valuesOf(ctx context.Context, value func([][]bool) []float64, n int, write func(s int, keep []bool)) ([]float64, error) {
	batch := g.Batch
	if batch <= 0 {
		batch = 64
	}
	keep := make([][]bool, min(batch, n))
	for i := range keep {
		keep[i] = make([]bool, g.Features)
	}
	out := make([]float64, 0, n)
	for lo := 0; lo < n; lo += batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		part := keep[:min(batch, n-lo)]
		for j, k := range part {
			clear(k)
			write(lo+j, k)
		}
		for j, v := range oneEach(value(part), len(part)) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("the score is %v with %d of %d features kept", v, kept(part[j]), g.Features)
			}
			out = append(out, v)
		}
	}
	return out, nil
}

// oneEach panics unless a game answered for every coalition.
func oneEach(values []float64, n int) []float64 {
	if len(values) != n {
		panic(fmt.Sprintf("explain: %d values for %d coalitions", len(values), n))
	}
	return values
}

func kept(keep []bool) int {
	n := 0
	for _, k := range keep {
		if k {
			n++
		}
	}
	return n
}

// keepAll marks every feature as kept.
func keepAll(keep []bool) {
	for i := range keep {
		keep[i] = true
	}
}

// An Occlusion is what the loss of each single feature does to a score.
type Occlusion struct {
	Score  float64   // f with all features
	Effect []float64 // (M) f - f without the feature: positive speaks for the score
	// SE (M) is the standard error of Effect over the draws of a resampling game;
	// zeros if there is only one.
	SE []float64
}

// Occlusion leaves one feature out at a time, M+1 evaluations:
//
//	effect[i] = f(all) - f(all without i)
//
// It is evidence of cause, for the model, one feature at a time. It is blind to
// redundancy (of two features either of which would do, neither has an effect)
// and counts synergy twice (of two features both of which are needed, each has
// the whole); put Shapley values or pairs beside it.
func (g *Game) Occlusion(ctx context.Context) (*Occlusion, error) {
	draws := g.draws
	if draws == nil {
		draws = append(draws, g.Value)
	}
	m := g.Features
	o := &Occlusion{Effect: make([]float64, m), SE: make([]float64, m)}
	each := make([][]float64, len(draws)) // (D, M)
	for d, draw := range draws {
		v, err := g.valuesOf(ctx, draw, m+1, func(s int, keep []bool) {
			keepAll(keep)
			if s < m {
				keep[s] = false
			}
		})
		if err != nil {
			return nil, err
		}
		o.Score += v[m] / float64(len(draws))
		each[d] = v[:m]
		for i := range m {
			each[d][i] = v[m] - v[i]
			o.Effect[i] += each[d][i] / float64(len(draws))
		}
	}
	for i := range m {
		o.SE[i] = standardError(len(draws), o.Effect[i], func(d int) float64 { return each[d][i] })
	}
	return o, nil
}

// standardError returns the standard error of a mean of n values, 0 for one.
func standardError(n int, mean float64, value func(i int) float64) float64 {
	if n < 2 {
		return 0
	}
	sum := 0.0
	for i := range n {
		d := value(i) - mean
		sum += d * d
	}
	return math.Sqrt(sum / float64(n-1) / float64(n))
}

// Noise returns below which size the effect of feature i says nothing: twice
// its standard error over the draws, and at least 1e-4·max(1, |f|), what
// rounding to float32 may do to a deep model.
func (o *Occlusion) Noise(i int) float64 {
	return max(2*o.SE[i], 1e-4*max(1, math.Abs(o.Score)))
}

// FirstIn keeps one feature at a time, M+1 evaluations:
//
//	effect[i] = f(only i) - f(none)
//
// It sees each of two redundant features whole, and neither of two that only
// work together: the mirror image of [Game.Occlusion]. The inputs are as far
// from real ones as they can be.
func (g *Game) FirstIn(ctx context.Context) ([]float64, error) {
	m := g.Features
	v, err := g.values(ctx, m+1, func(s int, keep []bool) {
		if s < m {
			keep[s] = true
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range m {
		v[i] -= v[m]
	}
	return v[:m], nil
}

// PairsAlone returns the interaction of every two of some features (n), with
// nothing else kept, 1 + n + n(n-1)/2 evaluations:
//
//	pairs[i][j] = f(i, j) - f(i) - f(j) + f(none)
//
// Above 0: each is worth more with the other (a conjunction has +1). Below 0:
// either would do (a disjunction has -1). The diagonal is 0. Which of the two a
// pair is may depend on what else is kept: see [Game.PairsInContext].
func (g *Game) PairsAlone(ctx context.Context, features []int) ([][]float64, error) {
	return g.pairs(ctx, features, true)
}

// PairsInContext is PairsAlone with everything else kept:
//
//	pairs[i][j] = f(all) - f(all without i) - f(all without j) + f(all without i, j)
func (g *Game) PairsInContext(ctx context.Context, features []int) ([][]float64, error) {
	return g.pairs(ctx, features, false)
}

func (g *Game) pairs(ctx context.Context, features []int, alone bool) ([][]float64, error) {
	n := len(features)
	var sets [][]int // the empty one, singles, pairs
	sets = append(sets, nil)
	for _, i := range features {
		if i < 0 || i >= g.Features {
			return nil, fmt.Errorf("feature %d of %d", i, g.Features)
		}
		sets = append(sets, []int{i})
	}
	for i := range n {
		for j := range i {
			if features[i] == features[j] {
				return nil, fmt.Errorf("feature %d is listed twice", features[i])
			}
			sets = append(sets, []int{features[i], features[j]})
		}
	}
	v, err := g.values(ctx, len(sets), func(s int, keep []bool) {
		if !alone {
			keepAll(keep)
		}
		for _, i := range sets[s] {
			keep[i] = alone
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([][]float64, n)
	for i := range out {
		out[i] = make([]float64, n)
	}
	at := 1 + n
	for i := range n {
		for j := range i {
			d := v[at] - v[1+i] - v[1+j] + v[0]
			out[i][j], out[j][i] = d, d
			at++
		}
	}
	return out, nil
}

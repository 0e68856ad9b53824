package explain

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
)

// MaxExact is the largest number of features whose coalitions are all
// evaluated.
const MaxExact = 12

// A Table holds f of all coalitions of a game of few features.
type Table struct {
	Features int
	Values   []float64 // (2^M) bit i of the index: feature i is kept
}

// Table evaluates every coalition once, 2^M evaluations: 32 for five lobes of
// the lung, 4096 for the limit of [MaxExact]. More features are an error: group
// them ([Game.Groups]) or draw samples ([Game.SampleShapley]).
func (g *Game) Table(ctx context.Context) (*Table, error) {
	m := g.Features
	if m > MaxExact {
		cost := fmt.Sprintf("2^%d", m)
		if m < 63 {
			cost = fmt.Sprintf("2^%d = %d", m, 1<<m)
		}
		return nil, fmt.Errorf("exact Shapley values of %d features need %s evaluations; the limit is %d features (%d evaluations): group the features or draw samples",
			m, cost, MaxExact, 1<<MaxExact)
	}
	v, err := g.values(ctx, 1<<m, func(s int, keep []bool) {
		for i := range keep {
			keep[i] = s>>i&1 == 1
		}
	})
	if err != nil {
		return nil, err
	}
	return &Table{m, v}, nil
}

// Shapley returns the Shapley value of each feature (Shapley 1953): its
// contribution f(S with i) - f(S), averaged over all orders in which features
// can join,
//
//	φ[i] = Σ_{S without i} |S|!·(M-|S|-1)!/M! · (f(S with i) - f(S))
//
// The values sum to f(all) - f(none); two features that contribute alike get
// alike, one that never contributes gets 0. They share the effect of features
// that act together among them and say nothing of the fact that they do: see
// [Table.Interaction].
func (t *Table) Shapley() []float64 {
	m := t.Features
	weight := shapleyWeights(m)
	phi := make([]float64, m)
	for i := range phi {
		for s, v := range t.Values {
			if s>>i&1 == 0 {
				phi[i] += weight[bits.OnesCount(uint(s))] * (t.Values[s|1<<i] - v)
			}
		}
	}
	return phi
}

// Interaction returns (M, M) the Shapley interaction index (Grabisch & Roubens
// 1999): the interaction f(S, i, j) - f(S, i) - f(S, j) + f(S) of two features,
// averaged over orders of the others as for M-1 features. The sign reads as in
// [Game.PairsAlone]; the diagonal is 0. Interactions of three and more features
// are spread over their pairs.
func (t *Table) Interaction() [][]float64 {
	m := t.Features
	weight := shapleyWeights(m - 1)
	out := make([][]float64, m)
	for i := range out {
		out[i] = make([]float64, m)
		for j := range i {
			a, b := 1<<i, 1<<j
			for s, v := range t.Values {
				if s&(a|b) == 0 {
					out[i][j] += weight[bits.OnesCount(uint(s))] * (t.Values[s|a|b] - t.Values[s|a] - t.Values[s|b] + v)
				}
			}
			out[j][i] = out[i][j]
		}
	}
	return out
}

// shapleyWeights returns s!·(m-s-1)!/m! for s = 0 … m-1.
func shapleyWeights(m int) []float64 {
	w := make([]float64, max(m, 0))
	choose := 1.0 // (m-1 over s)
	for s := range w {
		w[s] = 1 / (float64(m) * choose)
		choose *= float64(m-1-s) / float64(s+1)
	}
	return w
}

// Sampled are Shapley values estimated from orders drawn at random.
type Sampled struct {
	Values []float64 // (M)
	SE     []float64 // (M) standard errors; 0 for a single pair of orders, where none exists
	Pairs  int
}

// SampleShapley estimates Shapley values from pairs of random orders
// (permutation sampling, Castro et al. 2009), the second the reverse of the
// first (antithetic: Mitchell et al. 2022): features join one by one, and each
// is credited with the change. 2 + 2·pairs·(M-1) evaluations. The standard error
// falls with 1/sqrt(pairs) and is estimated between pairs, which are
// independent. The values sum to f(all) - f(none) whatever the number of pairs.
//
// With few pairs for many features most values are noise; read them beside
// their standard errors.
func (g *Game) SampleShapley(ctx context.Context, pairs int, rng *rand.Rand) (*Sampled, error) {
	if pairs < 1 {
		return nil, fmt.Errorf("%d pairs of orders: want 1 or more", pairs)
	}
	m := g.Features
	ends, err := g.values(ctx, 2, func(s int, keep []bool) {
		if s == 1 {
			keepAll(keep)
		}
	})
	if err != nil {
		return nil, err
	}
	if m == 0 {
		return &Sampled{Pairs: pairs}, nil
	}
	none, full := ends[0], ends[1]
	average, squares := make([]float64, m), make([]float64, m)
	phi := make([]float64, m) // of one pair
	for n := range pairs {
		order := rng.Perm(m)
		// Coalition k < m-1 holds the first k+1 of the order; the others hold the
		// first of the reversed order.
		v, err := g.values(ctx, 2*(m-1), func(s int, keep []bool) {
			if s < m-1 {
				for _, i := range order[:s+1] {
					keep[i] = true
				}
			} else {
				for _, i := range order[2*(m-1)-s:] {
					keep[i] = true
				}
			}
		})
		if err != nil {
			return nil, err
		}
		clear(phi)
		for r, part := range [2][]float64{v[:m-1], v[m-1:]} {
			last := none
			for k := range m {
				i := order[k]
				if r == 1 {
					i = order[m-1-k]
				}
				next := full
				if k < m-1 {
					next = part[k]
				}
				phi[i] += (next - last) / 2
				last = next
			}
		}
		for i, p := range phi { // running mean and sum of squares, Welford 1962
			d := p - average[i]
			average[i] += d / float64(n+1)
			squares[i] += d * (p - average[i])
		}
	}
	out := &Sampled{Values: average, SE: make([]float64, m), Pairs: pairs}
	if pairs > 1 {
		for i, q := range squares {
			out.SE[i] = math.Sqrt(q / float64(pairs-1) / float64(pairs))
		}
	}
	return out, nil
}

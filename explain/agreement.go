package explain

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"heed/metric"
)

// A Correlation is a mean rank correlation over examples, with its interval
// over them.
type Correlation struct {
	metric.Interval
	Examples int // in which it exists: a flat map correlates with nothing
}

// An Agreement says how much methods agree, which is not how right they are.
type Agreement struct {
	Methods  []Method
	Spearman [][]Correlation // (methods, methods)
	// Overlap (methods, methods) is the share of the features on top of one
	// ranking that are on top of the other; features that tie for the last places
	// share them. Chance is what two random rankings have.
	Overlap [][]metric.Interval
	Chance  float64
	Share   float64 // of the features, at least one, that are on top
}

// agreementResamples are enough for a table of two digits.
const agreementResamples = 1000

// Agree compares the scores of all pairs of methods on some examples, whose games
// it does not use: O(methods²·examples·M log M). Where one of two methods is
// unsigned, the other is taken by its size. Intervals are those of
// [Referee.Verify] over examples; a single one has none.
//
// Methods that agree may be wrong together: rollout and raw attention share
// their blind spots. Methods that disagree cannot both be right.
func Agree(rng *rand.Rand, methods []Method, examples []Example, share float64) (*Agreement, error) {
	if !(share > 0 && share < 1) {
		return nil, fmt.Errorf("share %v of the features: want more than 0 and less than 1", share)
	}
	out := &Agreement{Methods: methods, Share: share}
	for i, e := range examples {
		if len(e.Scores) != len(methods) {
			return nil, fmt.Errorf("example %d has scores of %d methods, want %d", i, len(e.Scores), len(methods))
		}
		for m, s := range e.Scores {
			if len(s) == 0 || len(s) != len(e.Scores[0]) {
				return nil, fmt.Errorf("example %d, %s: %d scores, and %d of %s", i, methods[m].Name, len(s), len(e.Scores[0]), methods[0].Name)
			}
			if slices.ContainsFunc(s, math.IsNaN) {
				return nil, fmt.Errorf("example %d, %s: a score is not a number", i, methods[m].Name)
			}
		}
		if len(methods) > 0 {
			m := len(e.Scores[0])
			out.Chance += float64(top(share, m)) / float64(m) / float64(len(examples))
		}
	}
	out.Spearman, out.Overlap = make([][]Correlation, len(methods)), make([][]metric.Interval, len(methods))
	for i := range methods {
		out.Spearman[i], out.Overlap[i] = make([]Correlation, len(methods)), make([]metric.Interval, len(methods))
	}
	seed := rng.Uint64() // one for all pairs: the same resamples
	for i := range methods {
		for j := range i + 1 {
			size := methods[i].Unsigned != methods[j].Unsigned
			rho, overlap := make([]float64, len(examples)), make([]float64, len(examples))
			for n, e := range examples {
				a, b := e.Scores[i], e.Scores[j]
				if size {
					a, b = sizes(a), sizes(b)
				}
				rho[n] = spearman(a, b)
				k := top(share, len(a))
				other := membership(b, k)
				for f, w := range membership(a, k) {
					overlap[n] += min(w, other[f]) / float64(k)
				}
			}
			out.Spearman[i][j] = correlation(seed, rho)
			out.Overlap[i][j] = bootstrapMean(rand.New(rand.NewPCG(seed, 0)), agreementResamples, overlap)
			out.Spearman[j][i], out.Overlap[j][i] = out.Spearman[i][j], out.Overlap[i][j]
		}
	}
	return out, nil
}

// correlation returns the mean of correlations (examples), which may be NaN.
func correlation(seed uint64, rho []float64) Correlation {
	c := Correlation{Interval: bootstrapMean(rand.New(rand.NewPCG(seed, 0)), agreementResamples, rho)}
	for _, r := range rho {
		if !math.IsNaN(r) {
			c.Examples++
		}
	}
	return c
}

// spearman returns the rank correlation of two maps of one length without NaN.
func spearman(a, b []float64) float64 {
	rho, err := metric.Spearman(a, b)
	if err != nil {
		panic("explain: " + err.Error())
	}
	return rho
}

func sizes(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Abs(v)
	}
	return out
}

// membership returns for each feature (M) whether it is among the k highest: 1
// or 0, and for those that tie for the last places the share that there is for
// each.
func membership(scores []float64, k int) []float64 {
	sorted := slices.SortedFunc(slices.Values(scores), func(a, b float64) int { return cmp.Compare(b, a) })
	last := sorted[k-1]
	above, tied := 0, 0
	for _, s := range scores {
		if s > last {
			above++
		} else if s == last {
			tied++
		}
	}
	out := make([]float64, len(scores))
	for i, s := range scores {
		if s > last {
			out[i] = 1
		} else if s == last {
			out[i] = float64(k-above) / float64(tied)
		}
	}
	return out
}

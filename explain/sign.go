package explain

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"heed/metric"
)

// SignViolations says how often a method has the direction wrong.
type SignViolations struct {
	// Unsigned methods have no sign, and no rate.
	Unsigned bool
	Violated int // features on top whose sign is not that of their occlusion
	Counted  int // features on top with a sign and an effect above noise
	// Rate is Violated/Counted with a 95 % interval: over examples, or, where that
	// has no width, for one example or signs that are all right or all wrong, that
	// of Wilson, as if features were independent.
	Rate metric.Interval
}

// CheckSigns compares the signs of a method's scores (examples, M) with the
// effects of occlusion, for the tenth of the features of each example, at least
// one, whose scores are largest in size (the faithfulness violation test of Liu
// et al. 2022). A feature is counted if its score is not 0 and the size of its
// effect is above [Occlusion.Noise].
//
// Occlusion is not the truth: of redundant features none has an effect, and they
// are not counted; in a conjunction of suppressors the sign may be that of the
// others.
func CheckSigns(rng *rand.Rand, resamples int, scores [][]float64, occlusions []*Occlusion) SignViolations {
	violated, counted := make([]int, len(scores)), make([]int, len(scores))
	out := SignViolations{}
	for e, s := range scores {
		o := occlusions[e]
		if len(o.Effect) != len(s) {
			panic(fmt.Sprintf("explain: %d scores and %d effects", len(s), len(o.Effect)))
		}
		order := make([]int, len(s))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(math.Abs(s[b]), math.Abs(s[a])) })
		for _, i := range order[:top(0.1, len(s))] {
			if s[i] == 0 || math.Abs(o.Effect[i]) <= o.Noise(i) {
				continue
			}
			counted[e]++
			if (s[i] > 0) != (o.Effect[i] > 0) {
				violated[e]++
			}
		}
		out.Violated += violated[e]
		out.Counted += counted[e]
	}
	if len(scores) == 1 || out.Violated == 0 || out.Violated == out.Counted {
		out.Rate = metric.Wilson(out.Violated, out.Counted)
		return out
	}
	out.Rate = metric.Bootstrap(rng, len(scores), resamples, func(idx []int) float64 {
		v, n := 0, 0
		for _, e := range idx {
			v, n = v+violated[e], n+counted[e]
		}
		return float64(v) / float64(n) // NaN without any
	})
	return out
}

// String says the rate in words.
func (s SignViolations) String() string {
	switch {
	case s.Unsigned:
		return "no sign"
	case s.Counted == 0:
		return "no feature on top has an effect above noise"
	}
	return fmt.Sprintf("%d of %d signs wrong: %s", s.Violated, s.Counted, interval(s.Rate))
}

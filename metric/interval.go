package metric

import (
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Interval is an estimate with a 95 % interval.
type Interval struct {
	Estimate  float64 // of the data itself, not the mean of the resamples
	Low, High float64 // 2.5 and 97.5 % limits
	SD        float64 // standard deviation over resamples; NaN for Wilson
	Resamples int     // resamples in which the statistic exists; 0 for Wilson
	Undefined int     // resamples in which it was NaN, left out of the limits
}

// Bootstrap returns the percentile interval (Efron 1979) of a statistic of n
// examples over b resamples. stat receives n indices in [0, n), valid until it
// returns, and may return NaN where the statistic does not exist. For the
// difference of two models on the same examples, let stat compute both on the
// same indices.
//
// The limits are NaN when no resample has the statistic, as when n or b is 0.
// The result depends on rng and the arguments only.
func Bootstrap(rng *rand.Rand, n, b int, stat func(idx []int) float64) Interval {
	return bootstrap(b, n, stat, func(idx []int) []int {
		for range n {
			idx = append(idx, rng.IntN(n))
		}
		return idx
	})
}

// BootstrapStratified is Bootstrap with the number of examples in each stratum
// held fixed: stratum (n) holds one label for each example, most often its
// class. Without it a resample of few examples may lose a class.
func BootstrapStratified(rng *rand.Rand, stratum []int, b int, stat func(idx []int) float64) Interval {
	members := group(stratum)
	return bootstrap(b, len(stratum), stat, func(idx []int) []int {
		for _, m := range members {
			for range m {
				idx = append(idx, m[rng.IntN(len(m))])
			}
		}
		return idx
	})
}

// BootstrapClusters is Bootstrap that draws whole clusters: as many as there
// are, each with all its examples. cluster (n) holds one label for each
// example: its family, patient or any other group whose members are alike. The
// number of indices differs between resamples. Intervals that ignore such
// groups are too narrow.
func BootstrapClusters(rng *rand.Rand, cluster []int, b int, stat func(idx []int) float64) Interval {
	members := group(cluster)
	return bootstrap(b, len(cluster), stat, func(idx []int) []int {
		for range members {
			idx = append(idx, members[rng.IntN(len(members))]...)
		}
		return idx
	})
}

// group returns the examples of each label, in order of first appearance.
func group(label []int) [][]int {
	var members [][]int
	number := map[int]int{}
	for i, l := range label {
		k, ok := number[l]
		if !ok {
			k = len(members)
			number[l] = k
			members = append(members, nil)
		}
		members[k] = append(members[k], i)
	}
	return members
}

func bootstrap(b, n int, f func(idx []int) float64, draw func(idx []int) []int) Interval {
	nan := math.NaN()
	iv := Interval{Estimate: nan, Low: nan, High: nan, SD: nan}
	if n <= 0 {
		return iv
	}
	idx := make([]int, n)
	for i := range idx {
		idx[i] = i
	}
	iv.Estimate = f(idx)
	values := make([]float64, 0, max(b, 0))
	for range b {
		idx = draw(idx[:0])
		v := f(idx)
		if math.IsNaN(v) {
			iv.Undefined++
			continue
		}
		values = append(values, v)
	}
	iv.Resamples = len(values)
	if len(values) == 0 {
		return iv
	}
	slices.Sort(values)
	iv.Low, iv.High = quantile(values, 0.025), quantile(values, 0.975)
	iv.SD = stat.StdDev(values, nil)
	return iv
}

// quantile interpolates linearly between order statistics (type 7 of Hyndman
// and Fan 1996, the default of R and NumPy). x is sorted and not empty.
func quantile(x []float64, p float64) float64 {
	h := p * float64(len(x)-1)
	k := int(h)
	if k+1 >= len(x) {
		return x[len(x)-1]
	}
	if x[k] == x[k+1] { // also keeps Inf-Inf out
		return x[k]
	}
	return x[k] + (h-float64(k))*(x[k+1]-x[k])
}

// z975 is the 97.5 % quantile of the standard normal distribution.
const z975 = 1.959963984540054

// Wilson returns the score interval of Wilson (1927) for a proportion of k in
// n. It stays inside [0, 1] and is right for small n and for k = 0 or n. It is
// NaN when n is 0 or k is not in [0, n].
func Wilson(k, n int) Interval {
	nan := math.NaN()
	if n <= 0 || k < 0 || k > n {
		return Interval{Estimate: nan, Low: nan, High: nan, SD: nan}
	}
	p, m := float64(k)/float64(n), float64(n)
	const z2 = z975 * z975
	centre := (p + z2/(2*m)) / (1 + z2/m)
	half := z975 / (1 + z2/m) * math.Sqrt(p*(1-p)/m+z2/(4*m*m))
	low, high := max(0, centre-half), min(1, centre+half)
	// Exact ends, which rounding would miss.
	if k == 0 {
		low = 0
	}
	if k == n {
		high = 1
	}
	return Interval{Estimate: p, Low: low, High: high, SD: nan}
}

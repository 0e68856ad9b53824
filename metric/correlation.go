package metric

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Pearson returns the linear correlation of x (n) and y (n). It is NaN for
// fewer than two pairs or a series without variance; different lengths and NaN
// elements are errors.
func Pearson(x, y []float64) (float64, error) {
	if err := checkPairs(x, y); err != nil {
		return math.NaN(), err
	}
	return pearson(x, y), nil
}

// Spearman returns the rank correlation of x (n) and y (n): the Pearson
// correlation of their mid-ranks. NaN and errors are as for Pearson.
func Spearman(x, y []float64) (float64, error) {
	if err := checkPairs(x, y); err != nil {
		return math.NaN(), err
	}
	return pearson(MidRanks(x), MidRanks(y)), nil
}

func checkPairs(x, y []float64) error {
	if len(x) != len(y) {
		return fmt.Errorf("metric: series of %d and of %d values", len(x), len(y))
	}
	for i := range x {
		if math.IsNaN(x[i]) || math.IsNaN(y[i]) {
			return fmt.Errorf("metric: pair %d of %d has a NaN", i, len(x))
		}
	}
	return nil
}

func pearson(x, y []float64) float64 {
	if len(x) < 2 || constant(x) || constant(y) {
		return math.NaN()
	}
	r := stat.Correlation(x, y, nil)
	return min(1, max(-1, r)) // rounding may leave the range by one unit
}

// constant reports that a series has no variance; the computed variance of a
// constant series need not be exactly zero.
func constant(x []float64) bool { return slices.Min(x) == slices.Max(x) }

// MidRanks returns the rank of each value of x (n), from 1 for the smallest;
// equal values share the mean of their ranks. NaN must be absent.
func MidRanks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return a - b
	})
	ranks := make([]float64, len(x))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && x[order[j]] == x[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			ranks[order[k]] = float64(i+j+1) / 2 // mean of i+1 … j
		}
		i = j
	}
	return ranks
}

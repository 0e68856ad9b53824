package data

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"heed/internal/par"
)

// DiverseRows returns the indices of n rows of an alignment that differ from one
// another, ascending: the first row, the query, and then one row at a time, the
// one whose mean Hamming distance from those taken is greatest, the first in the
// alignment of several. Gaps count as a letter. It is what the notebooks of the MSA
// Transformer do (greedy_select, mode "max"). An alignment of n rows or fewer is
// returned whole.
func DiverseRows(rows [][]byte, n int) ([]int, error) {
	if n < 1 {
		return nil, fmt.Errorf("data: %d rows of an alignment; at least the query is needed", n)
	}
	p, err := pack(rows)
	if err != nil {
		return nil, err
	}
	if n >= p.rows {
		return upTo(p.rows), nil
	}
	sum := make([]int, p.rows) // of the distances from the rows taken
	taken := make([]bool, p.rows)
	picked := []int{0}
	taken[0] = true
	for len(picked) < n {
		last := picked[len(picked)-1]
		par.Ranges(p.rows, par.Cores(), 1024, par.Cores(), func(_, lo, hi int) {
			for i := lo; i < hi; i++ {
				sum[i] += p.mismatches(i, last, p.columns)
			}
		})
		best := -1
		for i := range sum {
			if !taken[i] && (best < 0 || sum[i] > sum[best]) {
				best = i
			}
		}
		taken[best] = true
		picked = append(picked, best)
	}
	slices.Sort(picked)
	return picked, nil
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// A RowFilter says which rows of an alignment to keep. The zero value keeps all
// but nothing is compared then.
type RowFilter struct {
	// MinCoverage is the least fraction of the columns in which the query has a
	// residue that a row must fill with residues. hhfilter -cov 75 is 0.75.
	MinCoverage float64
	// MinQueryIdentity is the least identity with the query. hhfilter -qid.
	MinQueryIdentity float64
	// MaxIdentity is the greatest identity of two rows that are kept; 0 means 1,
	// which keeps copies. hhfilter -id 90 is 0.9.
	MaxIdentity float64
}

// FilteredRows says what became of every row. All lists are ascending, and
// together hold each row once.
type FilteredRows struct {
	Kept         []int // the first row, the query, always
	LowCoverage  []int // less than MinCoverage
	FarFromQuery []int // less than MinQueryIdentity
	TooSimilar   []int // more than MaxIdentity with a row that was kept
}

// Filter applies the rules in their order. The identity of two rows is the number
// of equal residues by that of the columns in which both have one; without such a
// column it is 0. Of similar rows the one with most residues is kept, the first of
// several, except that the query always is: rows are tried in this order, and kept
// unless they are too similar to one kept before. This is the rule of hhfilter
// without its thinning to a number of rows (-diff).
func (f RowFilter) Filter(rows [][]byte) (FilteredRows, error) {
	var out FilteredRows
	for _, x := range []float64{f.MinCoverage, f.MinQueryIdentity, f.MaxIdentity} {
		if !(x >= 0 && x <= 1) {
			return out, fmt.Errorf("data: filter with the fraction %v; it must be from 0 to 1", x)
		}
	}
	p, err := pack(rows)
	if err != nil {
		return out, err
	}
	columns := p.residues[0] // of the query
	var order []int
	for i := range rows {
		same, both := p.matches(0, i)
		switch {
		case i == 0:
			order = append(order, i)
		case both < least(f.MinCoverage, columns):
			out.LowCoverage = append(out.LowCoverage, i)
		case f.MinQueryIdentity > 0 && (both == 0 || same < least(f.MinQueryIdentity, both)):
			out.FarFromQuery = append(out.FarFromQuery, i)
		default:
			order = append(order, i)
		}
	}
	if f.MaxIdentity == 0 || f.MaxIdentity == 1 {
		out.Kept = order
		return out, nil
	}
	slices.SortStableFunc(order[1:], func(a, b int) int { return cmp.Compare(p.residues[b], p.residues[a]) })
	out.Kept, out.TooSimilar = p.distinct(order, f.MaxIdentity)
	slices.Sort(out.Kept)
	slices.Sort(out.TooSimilar)
	return out, nil
}

// distinct goes through the rows in an order and keeps each that is not too
// similar to one kept before. A batch is compared with those kept on all cores and
// then, in its order, with what is kept of itself.
func (p *packed) distinct(order []int, most float64) (kept, similar []int) {
	tooSimilar := func(i, j int) bool {
		same, both := p.matches(i, j)
		return both > 0 && float64(same) > most*float64(both)+1e-9
	}
	const batch = 256
	drop := make([]bool, batch)
	for len(order) > 0 {
		n := min(batch, len(order))
		before := kept
		par.Do(n, par.Cores(), func(_, k int) {
			drop[k] = slices.ContainsFunc(before, func(j int) bool { return tooSimilar(order[k], j) })
		})
		for k, i := range order[:n] {
			if !drop[k] && slices.ContainsFunc(kept[len(before):], func(j int) bool { return tooSimilar(i, j) }) {
				drop[k] = true
			}
			if drop[k] {
				similar = append(similar, i)
			} else {
				kept = append(kept, i)
			}
		}
		order = order[n:]
	}
	return kept, similar
}

// SampleRows draws n rows with probabilities in proportion to their weights (see
// [RowWeights]), independently, so that a row may be drawn more than once, and
// returns their indices as drawn: the protocol of ProteinGym for the MSA
// Transformer. The query has no part in it but its weight.
func SampleRows(weights []float64, n int, rng *rand.Rand) ([]int, error) {
	cumulative := make([]float64, len(weights))
	sum := 0.0
	for i, w := range weights {
		if err := checkWeight(i, w); err != nil {
			return nil, err
		}
		sum += w
		cumulative[i] = sum
	}
	if n < 0 || n > 0 && !(sum > 0) || math.IsInf(sum, 0) {
		return nil, fmt.Errorf("data: %d rows of %d with weights of %v together", n, len(weights), sum)
	}
	picked := make([]int, n)
	for k := range picked {
		// The first row beyond the draw; a row of weight 0 is never that.
		x := rng.Float64() * sum
		i, _ := slices.BinarySearchFunc(cumulative, x, func(c, x float64) int {
			if c > x {
				return 1
			}
			return -1
		})
		for i = min(i, len(weights)-1); weights[i] == 0; i-- { // rounding
		}
		picked[k] = i
	}
	return picked, nil
}

// SampleDistinctRows draws the query, row 0, and n-1 other rows without
// replacement, one after the other with probabilities in proportion to their
// weights (Efraimidis & Spirakis 2006), and returns the indices, ascending. Rows
// of weight 0 are drawn only when no others are left; with n or fewer rows all are
// returned.
func SampleDistinctRows(weights []float64, n int, rng *rand.Rand) ([]int, error) {
	if n < 1 {
		return nil, fmt.Errorf("data: %d rows of an alignment; at least the query is needed", n)
	}
	keys := make([]float64, len(weights))
	for i, w := range weights {
		if err := checkWeight(i, w); err != nil {
			return nil, err
		}
		// An exponential variate of rate w: the smallest are drawn first.
		keys[i] = rng.ExpFloat64() / w
		if w == 0 {
			keys[i] = math.Inf(1)
		}
		if i == 0 {
			keys[i] = -1
		}
	}
	order := upTo(len(weights))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(keys[a], keys[b]) })
	order = order[:min(n, len(order))]
	slices.Sort(order)
	return order, nil
}

func checkWeight(i int, w float64) error {
	if !(w >= 0) || math.IsInf(w, 0) {
		return fmt.Errorf("data: weight of row %d is %v", i+1, w)
	}
	return nil
}

// ColumnGaps returns the fraction of rows that have a gap in each column. GREMLIN
// leaves out columns with 0.5 or more, EVcouplings those with more than 0.3.
func ColumnGaps(rows [][]byte) ([]float64, error) {
	p, err := pack(rows)
	if err != nil {
		return nil, err
	}
	gaps := make([]float64, p.columns)
	for _, row := range rows {
		for j, c := range row {
			if c == '-' || c == '.' {
				gaps[j]++
			}
		}
	}
	for j := range gaps {
		gaps[j] /= float64(len(rows))
	}
	return gaps, nil
}

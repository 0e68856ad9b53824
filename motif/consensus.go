package motif

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// ParseConsensus reads letters of the IUPAC code, such as TATAWAW, and returns
// their matrix (len, 4): equal shares for the letters that each stands for.
func ParseConsensus(s string) ([][]float64, error) {
	const names, sets = "ACGTURYSWKMBDHVN", "A C G T T AG CT CG AT GT AC CGT AGT ACT ACG ACGT"
	if len(s) < 3 {
		return nil, fmt.Errorf("consensus %q: want 3 letters or more", s)
	}
	out := matrix(len(s))
	constant := true
	for i := range len(s) {
		at := strings.IndexByte(names, s[i]&^0x20)
		if at < 0 {
			return nil, fmt.Errorf("consensus %q: %q is no letter of the IUPAC code", s, s[i])
		}
		set := strings.Fields(sets)[at]
		for _, c := range []byte(set) {
			out[i][code(c)] = 1 / float64(len(set))
		}
		constant = constant && len(set) == 4
	}
	if constant {
		return nil, fmt.Errorf("consensus %q: any letter is allowed everywhere", s)
	}
	return out, nil
}

// A Match is the best alignment of a matrix with a consensus.
type Match struct {
	R       float64 // Pearson correlation over the 4·len numbers of the consensus; NaN if it does not fit in
	Column  int     // of the matrix, at which the consensus begins
	Reverse bool    // the other strand of the consensus
}

// Correlate slides a consensus (n, 4) along a matrix of probabilities (M, 4), on
// one or both strands, and returns the alignment of the largest Pearson
// correlation. All of the consensus has to lie on the matrix.
func Correlate(probabilities, consensus [][]float64, strands bool) Match {
	best := Match{R: math.NaN()}
	for i := 0; i+len(consensus) <= len(probabilities); i++ {
		part := probabilities[i : i+len(consensus)]
		if r := pearson(part, consensus); !(r <= best.R) {
			best = Match{r, i, false}
		}
		if !strands {
			continue
		}
		if r := pearson(part, reverseComplement(consensus)); !(r <= best.R) {
			best = Match{r, i, true}
		}
	}
	return best
}

// pearson returns the correlation of two matrices of one shape, 0 if one of
// them is constant.
func pearson(a, b [][]float64) float64 {
	n, ma, mb := float64(4*len(a)), 0.0, 0.0
	for i := range a {
		for k := range 4 {
			ma += a[i][k] / n
			mb += b[i][k] / n
		}
	}
	var ab, aa, bb float64
	for i := range a {
		for k := range 4 {
			x, y := a[i][k]-ma, b[i][k]-mb
			ab += x * y
			aa += x * x
			bb += y * y
		}
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

// A Floor is what Correlate finds in matrices that mean nothing.
type Floor struct {
	Median, High float64 // the median and the 95 % quantile of the correlations
	P            float64 // share of shuffles that reach the correlation of the matrices themselves, which count as one
}

// ShuffledFloor correlates a consensus with n copies of some matrices whose
// columns were shuffled, and takes the best of each copy, as one does with the
// matrices themselves: the copies have the same letters and the same information
// in another order. n must be positive. All is NaN if the consensus fits into
// none.
func ShuffledFloor(matrices [][][]float64, consensus [][]float64, strands bool, n int, r *rand.Rand) Floor {
	at, own := Best(matrices, consensus, strands)
	if at < 0 {
		return Floor{math.NaN(), math.NaN(), math.NaN()}
	}
	shuffled := make([][][]float64, len(matrices))
	for i, m := range matrices {
		shuffled[i] = slices.Clone(m)
	}
	found := make([]float64, n)
	reached := 1
	for i := range found {
		for _, m := range shuffled {
			r.Shuffle(len(m), func(a, b int) { m[a], m[b] = m[b], m[a] })
		}
		_, match := Best(shuffled, consensus, strands)
		found[i] = match.R
		if match.R >= own.R {
			reached++
		}
	}
	slices.Sort(found)
	return Floor{Median: found[n/2], High: found[n*95/100], P: float64(reached) / float64(n+1)}
}

// Best returns the index of the matrix that correlates best with a consensus, and
// the match; -1 if the consensus fits into none.
func Best(matrices [][][]float64, consensus [][]float64, strands bool) (int, Match) {
	at, best := -1, Match{R: math.NaN()}
	for i, m := range matrices {
		if match := Correlate(m, consensus, strands); match.R == match.R && !(match.R <= best.R) {
			at, best = i, match
		}
	}
	return at, best
}

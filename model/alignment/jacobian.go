package alignment

import (
	"context"
	"math"

	"heed/internal/par"
)

// CategoricalJacobian returns how the logits at every column answer to every
// substitution at every other: J[i, a, j, b] is the logit of amino acid b at
// column j when column i has a, less that of the row as it is, (L, 20, L, 20),
// averaged over the given rows (Zhang et al. 2024, PNAS 121:e2406285121, for one
// row). It asks the model from outside and is therefore the same measure for any
// architecture.
//
// logits returns (S·L, 20) for S rows of L states, and is called by several cores
// at once; it takes 20·L passes for each row and 1.6 kB for each pair of columns.
func CategoricalJacobian(ctx context.Context, rows [][]uint8, cores int, logits func(rows []uint8) []float32) ([]float32, error) {
	const a = Residues
	l := len(rows[0])
	jacobian := make([]float32, l*a*l*a)
	if cores < 1 {
		cores = par.Cores()
	}
	for _, row := range rows {
		plain := logits(row)
		par.Do(l, cores, func(_, i int) {
			if ctx.Err() != nil {
				return
			}
			var mutants []uint8
			for s := range a {
				mutants = append(mutants, row...)
				mutants[s*l+i] = uint8(s)
			}
			y := logits(mutants)
			for s := range a {
				dst := jacobian[(i*a+s)*l*a : (i*a+s+1)*l*a]
				for k, v := range y[s*l*a : (s+1)*l*a] {
					dst[k] += (v - plain[k]) / float32(len(rows))
				}
			}
		})
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return jacobian, nil
}

// JacobianScores turns a Jacobian (L, 20, L, 20) into symmetric scores of pairs of
// columns (L, L): every (20, 20) block is centred over both amino acids, which
// takes away what a substitution does to all letters of a column alike, and averaged
// with that of the exchanged columns; the score is its Frobenius norm. The diagonal
// is zero. [APC] is what pairs are ranked by. (The authors' code centres over the
// columns too, which spreads the large blocks of the diagonal over all pairs.)
func JacobianScores(jacobian []float32, columns int) []float64 {
	const a = Residues
	l := columns
	j := append([]float32(nil), jacobian...)
	centreAxis(j, a, l*a)
	centreAxis(j, a, 1)
	out := make([]float64, l*l)
	for x := range l {
		for y := range x {
			sum := 0.0
			for s := range a {
				for b := range a {
					v := float64(j[((x*a+s)*l+y)*a+b]+j[((y*a+b)*l+x)*a+s]) / 2
					sum += v * v
				}
			}
			out[x*l+y] = math.Sqrt(sum)
			out[y*l+x] = out[x*l+y]
		}
	}
	return out
}

// centreAxis takes away the mean along one axis of n elements that lie stride apart.
func centreAxis(x []float32, n, stride int) {
	for outer := 0; outer < len(x); outer += n * stride {
		for inner := range stride {
			sum := 0.0
			for k := range n {
				sum += float64(x[outer+k*stride+inner])
			}
			mean := float32(sum / float64(n))
			for k := range n {
				x[outer+k*stride+inner] -= mean
			}
		}
	}
}

// Package alignment holds models of one protein family, fitted to its alignment
// and read as contacts between its columns.
//
//	alignment → Encode → Family (N sequences, L columns)
//	Family → FitPotts, FitFactored → couplings → Scores (L, L) → APC
//
// [Potts] is the pseudo-likelihood model of GREMLIN (Balakrishnan et al. 2011;
// Kamisetty et al. 2013): a matrix of couplings for every pair of columns.
// [Factored] is one layer of attention whose heads share those matrices among
// pairs (Bhattacharya et al. 2022). Both predict each column from all others
// through the same linear form, and their scores are compared as they stand.
package alignment

// AminoAcids is the order of the states 0 to 19.
const AminoAcids = "ARNDCQEGHILKMFPSTWYV"

// States is the number A of states: the amino acids and the gap.
const States = 21

// Gap is the state of a gap and of a letter that is no amino acid.
const Gap = 20

// A Family is an alignment as the models of this package see it.
type Family struct {
	Sequences int     // N
	Columns   int     // L
	States    []uint8 // (N, L), 0 to 20
	// Weights (N) says how much each sequence counts, most often 1 over the number
	// of its near copies; their sum is the effective number of sequences.
	Weights []float64
}

// Encode makes a family from the aligned rows of N sequences, all of one
// length, each of weight 1. Case is ignored. It returns how many letters were
// neither an amino acid nor a gap (- or .): they count as gaps.
func Encode(rows [][]byte) (f *Family, unknown int) {
	var state [256]uint8
	for i := range state {
		state[i] = Gap + 1
	}
	state['-'], state['.'] = Gap, Gap
	for i, c := range []byte(AminoAcids) {
		state[c], state[c+'a'-'A'] = uint8(i), uint8(i)
	}
	f = &Family{Sequences: len(rows)}
	if len(rows) > 0 {
		f.Columns = len(rows[0])
	}
	for _, row := range rows {
		if len(row) != f.Columns {
			panic("alignment: rows of unequal length")
		}
		for _, c := range row {
			s := state[c]
			if s > Gap {
				s = Gap
				unknown++
			}
			f.States = append(f.States, s)
		}
		f.Weights = append(f.Weights, 1)
	}
	return f, unknown
}

// Effective returns the effective number of sequences, the sum of the weights.
func (f *Family) Effective() float64 {
	sum := 0.0
	for _, w := range f.Weights {
		sum += w
	}
	return sum
}

// row returns the states of one sequence.
func (f *Family) row(n int) []uint8 { return f.States[n*f.Columns : (n+1)*f.Columns] }

// APC returns the average product correction of symmetric scores (L, L) (Dunn et
// al. 2008), which takes away what a column has in common with all others,
//
//	S_ij - S_i. S_.j / S_..
//
// with a diagonal of zeros before and after, as GREMLIN and CCMpred have it.
func APC(scores []float64, columns int) []float64 {
	sums, total := make([]float64, columns), 0.0
	for i := range columns {
		for j := range columns {
			if i != j {
				sums[i] += scores[i*columns+j]
			}
		}
		total += sums[i]
	}
	out := make([]float64, len(scores))
	for i := range columns {
		for j := range columns {
			if i != j && total != 0 {
				out[i*columns+j] = scores[i*columns+j] - sums[i]*sums[j]/total
			}
		}
	}
	return out
}

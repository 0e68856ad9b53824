package alignment

import (
	"math"

	"heed/internal/par"
)

// InformationPseudocount is what MutualInformation adds to the count of each pair
// of amino acids (Buslje et al. 2009, Bioinformatics 25:1125).
const InformationPseudocount = 0.05

// MutualInformation returns the mutual information of each pair of columns (L, L)
// in nats, with a diagonal of zeros: the floor that a model of couplings must
// beat, because it looks at one pair at a time and takes chains of couplings for
// couplings. Correct it by [APC] (Dunn et al. 2008).
//
// Frequencies are weighted counts of the sequences with amino acids in both
// columns, with a pseudo-count for each of the 400 pairs; those of one column are
// their margins. Columns without such a sequence have no information.
func MutualInformation(f *Family, pseudocount float64, cores int) []float64 {
	l := f.Columns
	out := make([]float64, l*l)
	par.Do(l, cores, func(_, i int) {
		var counts [pairSize]float64
		for j := range i {
			clear(counts[:])
			for n := range f.Sequences {
				a, b := f.States[n*l+i], f.States[n*l+j]
				if a < Residues && b < Residues {
					counts[int(a)*Residues+int(b)] += f.Weights[n]
				}
			}
			v := information(&counts, pseudocount)
			out[i*l+j], out[j*l+i] = v, v
		}
	})
	return out
}

// information returns Σ p(a, b) log p(a, b)/(p(a) p(b)).
func information(counts *[pairSize]float64, pseudocount float64) float64 {
	var first, second [Residues]float64
	total := 0.0
	for a := range Residues {
		for b := range Residues {
			c := counts[a*Residues+b] + pseudocount
			first[a] += c
			second[b] += c
			total += c
		}
	}
	sum := 0.0
	for a := range Residues {
		for b := range Residues {
			if c := counts[a*Residues+b] + pseudocount; c > 0 {
				sum += c * math.Log(c*total/(first[a]*second[b]))
			}
		}
	}
	if total == 0 {
		return 0
	}
	return max(0, sum/total) // rounding
}

// Nearness returns -|i-j| for each pair of columns (L, L): the floor of whoever
// knows only that residues near in the sequence are near in space. positions (L)
// are those of the columns in the sequence.
func Nearness(positions []int) []float64 {
	l := len(positions)
	out := make([]float64, l*l)
	for i := range l {
		for j := range l {
			out[i*l+j] = -math.Abs(float64(positions[i] - positions[j]))
		}
	}
	return out
}

package alignment

import (
	"math"
	"strings"
)

// State returns the state of a letter; Gap if it is no amino acid.
func State(letter byte) uint8 {
	if i := strings.IndexByte(AminoAcids, letter); i >= 0 {
		return uint8(i)
	}
	return Gap
}

// Difference returns the logarithm of how many times more probable a sequence of
// states (L) becomes when column at[k] gets the state to[k]:
//
//	Σ_k v_i(b) - v_i(a) + Σ_{i<j} W(i x'_i, j x'_j) - W(i x_i, j x_j)
//
// Fields and couplings are those of the pseudo-likelihood (Hopf et al. 2017 call it
// the epistatic score). The columns differ; couplings among them count once.
func (p *Potts) Difference(states []uint8, at []int, to []uint8) float64 {
	const a = States
	width := p.Columns * a
	changed := map[int]uint8{}
	sum := 0.0
	for k, i := range at {
		old, b := int(states[i]), int(to[k])
		sum += float64(p.Field[i*a+b]) - float64(p.Field[i*a+old])
		for j := range p.Columns {
			if j == i {
				continue
			}
			x, ok := changed[j]
			if !ok {
				x = states[j]
			}
			column := j*a + int(x)
			sum += float64(p.Coupling[(i*a+b)*width+column]) - float64(p.Coupling[(i*a+old)*width+column])
		}
		changed[i] = to[k]
	}
	return sum
}

// Frequencies returns the logarithms of the shares (L, 20) of the amino acids in
// each column, by weighted counts of the sequences without a gap there, of which
// one more counts as spread evenly: the site-independent model, the floor of every
// model of couplings.
func (f *Family) Frequencies() []float64 {
	out := make([]float64, f.Columns*Residues)
	for i := range f.Columns {
		row := out[i*Residues : (i+1)*Residues]
		total := 1.0
		for k := range row {
			row[k] = 1.0 / Residues
		}
		for n := range f.Sequences {
			if s := f.States[n*f.Columns+i]; s < Residues {
				row[s] += f.Weights[n]
				total += f.Weights[n]
			}
		}
		for k := range row {
			row[k] = math.Log(row[k] / total)
		}
	}
	return out
}

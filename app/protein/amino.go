package protein

import (
	"cmp"
	"fmt"
	"slices"

	"heed/model/alignment"
	"heed/report"
)

// An AminoMean is the mean coupling of two amino acids, in either order, over some
// pairs of columns, in nats.
type AminoMean struct {
	A, B  byte
	Value float64
}

// aminoMeans averages couplings (20, 20) of pairs of columns, most favoured first.
func aminoMeans(couplings [][]float64) []AminoMean {
	const n = alignment.Residues
	var out []AminoMean
	for a := range n {
		for b := a; b < n; b++ {
			sum := 0.0
			for _, w := range couplings {
				sum += (w[a*n+b] + w[b*n+a]) / 2
			}
			out = append(out, AminoMean{alignment.AminoAcids[a], alignment.AminoAcids[b], sum / float64(len(couplings))})
		}
	}
	slices.SortStableFunc(out, func(a, b AminoMean) int { return cmp.Compare(b.Value, a.Value) })
	return out
}

// firstColumns returns the first ⌊L/2⌋ pairs of a model at a separation of 6 or
// more, as columns.
func (x *Fit) firstColumns(f *Family, m *Scores) [][2]int {
	column := make([]int, len(f.Query))
	for k, p := range f.Columns {
		column[p] = k
	}
	var out [][2]int
	top := x.ranked(f, []*Scores{m}, nearest)
	for _, p := range top[:min(len(top), len(f.Query)/2)] {
		out = append(out, [2]int{column[p.I], column[p.J]})
	}
	return out
}

// aminoBlocks shows which amino acids the strongest couplings favour and shun.
func (o *Outcome) aminoBlocks() []report.Block {
	const rows = 10
	table := report.Table{Caption: "What the strongest couplings want", Columns: []report.Column{{Name: "rank", Numeric: true}},
		Notes: []string{
			fmt.Sprintf("Mean coupling in nats over the first ⌊L/2⌋ = %d pairs of a model at a separation of %d or more, both orders of the amino acids together, in the zero-sum gauge.", len(o.Family.Query)/2, nearest),
			"What chemistry expects of contacts: cysteines together, opposite charges together (D or E with K or R), equal charges apart. It was not used in the fit. Amino acids that are rare in a family have couplings near 0.",
		}}
	var lists [][]AminoMean
	for _, m := range o.Fit.models() {
		pairs := o.Fit.firstColumns(o.Family, m)
		if len(pairs) == 0 {
			return []report.Block{report.Text("No pair is far enough apart.")}
		}
		var couplings [][]float64
		switch m.Method {
		case "potts":
			couplings = o.Fit.Potts.Couplings(pairs)
		case "factored":
			couplings = o.Fit.Factored.Couplings(pairs)
		default:
			continue // has no couplings of its own
		}
		lists = append(lists, aminoMeans(couplings))
		table.Columns = append(table.Columns, report.Column{Name: m.Method + ", favoured"}, report.Column{Name: m.Method + ", shunned"})
	}
	for k := range rows {
		cells := []string{fmt.Sprint(k + 1)}
		for _, list := range lists {
			for _, v := range []AminoMean{list[k], list[len(list)-1-k]} {
				cells = append(cells, fmt.Sprintf("%c %c %+.3f", v.A, v.B, v.Value))
			}
		}
		table.Rows = append(table.Rows, report.TableRow{Cells: cells})
	}
	return []report.Block{table}
}

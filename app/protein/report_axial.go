package protein

import (
	"fmt"
	"slices"
	"strings"

	"heed/autograd"
	"heed/explain"
	"heed/plot"
	"heed/report"
)

// shownRows is how many rows the alignment has over which a page shows attention.
const shownRows = 24

func (o *Outcome) axialBlocks() ([]report.Block, error) {
	c := o.Fit.Axial.Config
	blocks := []report.Block{report.Text(fmt.Sprintf("A transformer of %d layers that learned to fill in masked residues of this family. In each layer a cell of the alignment attends along its row, to other positions (%s), then along its column, to other sequences. The scores \"axial\" are of the categorical Jacobian: how the logits of one position answer when the residue at the other is replaced. The scores \"axial-attention\" are the mean over layers and heads of row attention and its transpose.",
		c.Layers, map[bool]string{true: "each row by a map of its own", false: "by one map that all rows share"}[c.Untied]))}
	heads := byStrength(o.AxialHeads)
	if o.Truth != nil {
		blocks = append(blocks, o.foundText(o.AxialHeads, o.AxialPooled, "axial"))
	}
	table := report.Table{Caption: "What each head of row attention attends to",
		Columns: []report.Column{{Name: "layer.head"}, {Name: "strength", Numeric: true}, {Name: "mean separation", Numeric: true}, {Name: fmt.Sprintf("pairs of %g and more", Threshold), Numeric: true}},
		Notes: []string{"Strength: share of the sum over heads of |α - 1/(L-1)|², so that even attention has none. Mean separation: of |i-j|, weighted by attention.",
			fmt.Sprintf("The %d strongest of %d heads; all are in heads.axial.tsv.", min(shownHeads, len(heads)), len(heads))}}
	if o.Truth != nil {
		table.Columns = append(table.Columns, report.Column{Name: fmt.Sprintf("contacts, first %d pairs", len(o.Family.Query)/5), Numeric: true}, report.Column{Name: "by chance", Numeric: true}, report.Column{Name: "p", Numeric: true})
		table.Notes = append(table.Notes, fmt.Sprintf("Contacts among the ⌊L/5⌋ pairs with the largest attention in both directions together, and by chance: %d permutations of the contacts among the pairs of each separation. * marks heads that pass a false discovery rate of 5 %%.", permutations))
	}
	for _, x := range heads[:min(shownHeads, len(heads))] {
		cells := []string{x.Name, fmt.Sprintf("%.4f", x.Strength), fmt.Sprintf("%.1f", x.Separation), fmt.Sprint(x.Attended.Pairs)}
		if o.Truth != nil {
			cells = append(cells, x.First.cells()...)
		}
		table.Rows = append(table.Rows, report.TableRow{Cells: cells, Highlight: x.First.Found})
	}
	blocks = append(blocks, table)
	if len(o.Family.Columns) > report.MaxTokens {
		return append(blocks, report.Notice{Text: report.AttentionCaveat}), nil
	}
	maps, err := o.axialMaps()
	return append(append(blocks, maps...), report.Notice{Text: report.AttentionCaveat}), err
}

// axialMaps shows the attention of every head along rows and along columns, and the
// rollout over both.
func (o *Outcome) axialMaps() ([]report.Block, error) {
	m, l := o.Fit.Axial, o.Fit.Axial.Columns
	states, names, err := o.axialExample()
	if err != nil {
		return nil, err
	}
	n := len(names)
	collector := &explain.AxialCollector{Fused: true}
	var columns []float32 // (layers, H, N, N), the mean over the columns
	m.Logits(&autograd.Tape{NoGrad: true, Cores: m.Config.Cores, Probe: func(name string, v *autograd.Var) {
		collector.Probe(name, v)
		if strings.HasSuffix(name, ".column.weights") {
			mean := make([]float32, m.Config.Heads*n*n)
			for c := range l {
				for i, w := range v.Data[c*len(mean) : (c+1)*len(mean)] {
					mean[i] += w / float32(l)
				}
			}
			columns = append(columns, mean...)
		}
	}}, states, []int32{0})
	rowMap := report.AttentionMap{Name: o.Family.Name, Weights: o.Fit.Reading.Maps}
	rowMap.Tokens, rowMap.Positions = o.columnTokens()
	for _, x := range o.AxialHeads {
		rowMap.Facts = append(rowMap.Facts, fmt.Sprintf("head %s: strength %.4f, mean separation %.1f", x.Name, x.Strength, x.Separation))
	}
	rolled, inward := rollouts(collector.Blocks, n, l)
	rollMap := report.AttentionMap{Name: o.Family.Name, Weights: rolled, Tokens: rowMap.Tokens, Positions: rowMap.Positions, Full: []bool{true}}
	kept := float32(0)
	for i := range l {
		kept += rolled[i*l+i] / float32(l)
		rolled[i*l+i] = 0
	}
	high := slices.Max(inward[min(l, len(inward)-1):]) // of the other rows
	png, err := plot.HeatmapPNG(inward, n, l, 0, max(float64(high), 1e-9), plot.Viridis())
	if err != nil {
		return nil, err
	}
	return []report.Block{
		report.HeatmapSet{Name: "axial-rows", Layers: len(m.Layers), Heads: m.Config.Heads, Maps: []report.AttentionMap{rowMap},
			Caption: "Row attention of every layer and head over the positions, the mean over alignments drawn from the family."},
		report.HeatmapSet{Name: "axial-columns", Layers: len(m.Layers), Heads: m.Config.Heads,
			Maps:    []report.AttentionMap{{Name: fmt.Sprintf("%d rows of the family", n), Tokens: names, Weights: columns}},
			Caption: "Column attention of every layer and head between the rows of one alignment drawn from the family, by their numbers in the family, the first being the query; the mean over its columns."},
		report.HeatmapSet{Name: "axial-rollout", Layers: 1, Heads: 1, Maps: []report.AttentionMap{rollMap},
			Caption: fmt.Sprintf("Axial rollout over the same alignment: how much of each position (column of the map, all rows of the alignment together) could have flowed to each position of the query (row of the map) through the attention of all layers along rows and columns, heads averaged. The diagonal, what a position keeps through the residual connections (%.3f of it on average), is left out.", kept)},
		report.Figure{Name: "axial-rollout-grid", PNG: png, Alt: "Axial rollout from the query to all cells of an alignment",
			Caption: fmt.Sprintf("The same rollout by cell: how much of each cell of the alignment (%d rows, the query on top, by %d columns) could have flowed to the query, the mean over its positions; light is more, the lightest %.5f or more: the row of the query, which the residual connections feed, is off the scale. Uniformity %.3f (1: all cells alike; above %g a rollout tells next to nothing).", n, l, high, explain.Uniformity(widen(inward)), explain.Uniform)},
	}, nil
}

// rollouts returns, for each cell of the first row of an (n, l) grid, what could have
// flowed to it from each column, (l, l), and the mean over these cells of what could
// have flowed from each cell, (n, l).
func rollouts(blocks []explain.AxialBlock, n, l int) (byColumn, byCell []float32) {
	byColumn, byCell = make([]float32, l*l), make([]float32, n*l)
	for i := range l {
		for c, v := range explain.AxialRollout(blocks, n, l, explain.ReadRow(n*l, i), explain.FuseSpec{}) {
			byColumn[i*l+c%l] += float32(v)
			byCell[c] += float32(v / float64(l))
		}
	}
	return byColumn, byCell
}

// columnTokens returns the letters of the query at the columns of the model, and
// their positions.
func (o *Outcome) columnTokens() (tokens []string, positions []int) {
	for _, p := range o.Family.Columns {
		tokens, positions = append(tokens, string(o.Family.Query[p])), append(positions, p+1)
	}
	return tokens, positions
}

func widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

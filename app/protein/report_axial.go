package protein

import (
	"fmt"

	"heed/autograd"
	"heed/explain"
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
	grid := gridAttention{rows: n, columns: l, collector: explain.AxialCollector{Fused: true}}
	m.Logits(&autograd.Tape{NoGrad: true, Cores: m.Config.Cores, Probe: grid.probe}, states, []int32{0})
	rowMap := report.AttentionMap{Name: o.Family.Name, Weights: o.Fit.Reading.Maps}
	rowMap.Tokens, rowMap.Positions = o.columnTokens()
	for _, x := range o.AxialHeads {
		rowMap.Facts = append(rowMap.Facts, fmt.Sprintf("head %s: strength %.4f, mean separation %.1f", x.Name, x.Strength, x.Separation))
	}
	blocks := []report.Block{
		report.HeatmapSet{Name: "axial-rows", Layers: len(m.Layers), Heads: m.Config.Heads, Maps: []report.AttentionMap{rowMap},
			Caption: "Row attention of every layer and head over the positions, the mean over alignments drawn from the family."},
		report.HeatmapSet{Name: "axial-columns", Layers: len(m.Layers), Heads: m.Config.Heads,
			Maps:    []report.AttentionMap{{Name: fmt.Sprintf("%d rows of the family", n), Tokens: names, Weights: grid.between}},
			Caption: "Column attention of every layer and head between the rows of one alignment drawn from the family, by their numbers in the family, the first being the query; the mean over its columns."},
	}
	rolled, err := grid.rollout(0, report.AttentionMap{Name: o.Family.Name, Tokens: rowMap.Tokens, Positions: rowMap.Positions})
	return append(blocks, rolled...), err
}

// columnTokens returns the letters of the query at the columns of the model, and
// their positions.
func (o *Outcome) columnTokens() (tokens []string, positions []int) {
	for _, p := range o.Family.Columns {
		tokens, positions = append(tokens, string(o.Family.Query[p])), append(positions, p+1)
	}
	return tokens, positions
}

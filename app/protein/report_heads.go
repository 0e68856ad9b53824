package protein

import (
	"fmt"

	"heed/report"
)

// shownHeads is how many heads a page describes, shownMaps how many it draws.
const (
	shownHeads = 40
	shownMaps  = 12
)

func (o *Outcome) headBlocks() []report.Block {
	heads := byStrength(o.Heads)
	blocks := []report.Block{report.Text(fmt.Sprintf("The couplings of factored attention are a sum over %d heads: where a head attends, by the columns alone, times what it wants there, a matrix over amino acids. The attention therefore is the model here and not a by-product, but a head is one term of a sum, and terms may cancel.", len(heads)))}
	first := len(o.Family.Query) / 5
	table := report.Table{Caption: "What each head attends to",
		Columns: []report.Column{{Name: "head"}, {Name: "strength", Numeric: true}, {Name: "mean separation", Numeric: true}},
		Notes: []string{
			"Strength: share of the sum over heads of |α - 1/(L-1)|²·|V|², so that even attention has none. Mean separation: of |i-j|, weighted by attention.",
			fmt.Sprintf("The %d strongest of %d heads; all are in heads.tsv.", min(shownHeads, len(heads)), len(heads)),
		}}
	if o.Truth != nil {
		table.Columns = append(table.Columns, report.Column{Name: fmt.Sprintf("contacts, first %d pairs", first), Numeric: true}, report.Column{Name: "by chance", Numeric: true}, report.Column{Name: "p", Numeric: true})
		table.Notes = append(table.Notes,
			fmt.Sprintf("Contacts among the first ⌊L/5⌋ pairs: those at a separation of %d or more with the largest attention in both directions together. By chance: mean and 95 %% range of %d permutations of the contacts among the pairs of each separation, so that a head gets no credit for attending near by. p is one-sided; * marks heads that pass a false discovery rate of 5 %% over all heads.", nearest, permutations))
		blocks = append(blocks, o.foundText(o.Heads, o.Pooled, "factored"))
	}
	values := report.Table{Caption: "What each head wants there",
		Columns: []report.Column{{Name: "head"}, {Name: fmt.Sprintf("pairs of %g and more", Threshold), Numeric: true}, {Name: "amino acids"}},
		Notes:   []string{"The entries of the value matrix farthest from its mean, in nats, from the attended amino acid to the predicted one. The couplings are a sum over heads: the sign of one head by itself says little."}}
	for _, x := range heads[:min(shownHeads, len(heads))] {
		cells := []string{fmt.Sprintf("%d", x.Index), fmt.Sprintf("%.4f", x.Strength), fmt.Sprintf("%.1f", x.Separation)}
		over := fmt.Sprint(x.Attended.Pairs)
		if o.Truth != nil {
			cells = append(cells, x.First.cells()...)
			over = fmt.Sprintf("%d (%d contacts)", x.Attended.Pairs, x.Attended.Contacts)
		}
		table.Rows = append(table.Rows, report.TableRow{Cells: cells, Highlight: x.First.Found})
		values.Rows = append(values.Rows, report.TableRow{Cells: []string{fmt.Sprint(x.Index), over, x.values()}})
	}
	blocks = append(blocks, table, values)
	if len(o.Family.Columns) <= report.MaxTokens {
		blocks = append(blocks, o.headMaps(heads[:min(shownMaps, len(heads))]))
	}
	return append(blocks, report.Notice{Text: report.AttentionCaveat})
}

// cells writes precision, chance and p.
func (s *Sample) cells() []string {
	if s.Known == 0 {
		return []string{"-", "-", "-"}
	}
	mark := ""
	if s.Found {
		mark = " *"
	}
	return []string{fmt.Sprintf("%s (%d of %d)", decimal(s.Precision), s.Contacts, s.Known),
		fmt.Sprintf("%s (%s to %s)", decimal(s.Null), decimal(s.Low), decimal(s.High)), decimal(s.P) + mark}
}

// foundText says how many heads attend to contacts more than by chance.
func (o *Outcome) foundText(heads []Head, p Sample, model string) report.Block {
	found, over := 0, 0
	for _, x := range heads {
		if x.First.Found {
			found++
		}
		if x.Attended.Pairs > 0 {
			over++
		}
	}
	text := fmt.Sprintf("The pairs that a head attends to most are contacts more often than chance at the same separations in %d of %d heads (false discovery rate 5 %%).", found, len(heads))
	text += fmt.Sprintf("\n\nProtocol of BERTology meets biology: ordered pairs at a separation of %d or more with a weight of %g or more, counted once for each head. Heads with such pairs: %d; pairs: %d.", nearest, Threshold, over, p.Pairs)
	if p.Known > 0 {
		text += fmt.Sprintf(" %s of those of known distance are contacts (%d of %d); by chance at their separations %s (%s to %s), of all pairs %s.",
			decimal(p.Precision), p.Contacts, p.Known, decimal(p.Null), decimal(p.Low), decimal(p.High), decimal(o.Comparison.Row(model, "all").Background))
	}
	return report.Text(text)
}

// headMaps shows the attention of the strongest heads.
func (o *Outcome) headMaps(heads []Head) report.Block {
	f := o.Family
	m := report.AttentionMap{Name: f.Name}
	for _, p := range f.Columns {
		m.Tokens = append(m.Tokens, string(f.Query[p]))
		m.Positions = append(m.Positions, p+1)
	}
	for _, x := range heads {
		m.Facts = append(m.Facts, fmt.Sprintf("head %d: strength %.4f, mean separation %.1f", x.Index, x.Strength, x.Separation))
	}
	m.Head = func(_, head int) []float32 { return o.Fit.Factored.Attention(heads[head].Index - 1) }
	return report.HeatmapSet{Name: "heads", Caption: fmt.Sprintf("Attention of the %d strongest heads, strongest first. It is the same for all sequences of the family.", len(heads)), Layers: 1, Heads: len(heads), Maps: []report.AttentionMap{m}}
}

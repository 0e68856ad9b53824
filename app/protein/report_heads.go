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
	table := report.Table{Caption: "What each head attends to",
		Columns: []report.Column{{Name: "head"}, {Name: "strength", Numeric: true}, {Name: "mean separation", Numeric: true}, {Name: "pairs attended", Numeric: true}},
		Notes: []string{
			"Strength: share of the sum over heads of |α|²·|V|². Mean separation: of |i-j|, weighted by attention.",
			fmt.Sprintf("Pairs attended: ordered pairs at a separation of %d or more with a weight of %g or more (protocol of BERTology meets biology).", nearest, Threshold),
			"Amino acids: the entries of the value matrix farthest from its mean, in nats, from the attended column to the predicted one; the sign of a head by itself is as meaningful as its partners allow.",
			fmt.Sprintf("The %d strongest of %d heads; all are in heads.tsv.", min(shownHeads, len(heads)), len(heads)),
		}}
	if o.Truth != nil {
		table.Columns = append(table.Columns, report.Column{Name: "contacts among them", Numeric: true}, report.Column{Name: "by chance at these separations", Numeric: true}, report.Column{Name: "p", Numeric: true})
		table.Notes = append(table.Notes, fmt.Sprintf("By chance: mean and 95 %% range of %d permutations of the contacts among the pairs of each separation, so that a head gets no credit for attending near by. p is one-sided; * marks heads that pass a false discovery rate of 5 %% over all heads.", permutations))
		blocks = append(blocks, o.foundText())
	}
	table.Columns = append(table.Columns, report.Column{Name: "amino acids"})
	for _, x := range heads[:min(shownHeads, len(heads))] {
		cells := []string{fmt.Sprintf("%d", x.Index), fmt.Sprintf("%.4f", x.Strength), fmt.Sprintf("%.1f", x.Separation), fmt.Sprint(x.Attended)}
		if o.Truth != nil {
			if x.Known == 0 {
				cells = append(cells, "-", "-", "-")
			} else {
				mark := ""
				if x.Found {
					mark = " *"
				}
				cells = append(cells, fmt.Sprintf("%s (%d of %d)", decimal(x.Precision), x.Contacts, x.Known), fmt.Sprintf("%s (%s to %s)", decimal(x.Null), decimal(x.Low), decimal(x.High)), decimal(x.P)+mark)
			}
		}
		table.Rows = append(table.Rows, report.TableRow{Cells: append(cells, x.values()), Highlight: x.Found})
	}
	blocks = append(blocks, table)
	if len(o.Family.Columns) <= report.MaxTokens {
		blocks = append(blocks, o.headMaps(heads[:min(shownMaps, len(heads))]))
	}
	return append(blocks, report.Notice{Text: report.AttentionCaveat})
}

// foundText says how many heads attend to contacts more than by chance.
func (o *Outcome) foundText() report.Block {
	tested, found, known, contacts := 0, 0, 0, 0
	for _, x := range o.Heads {
		if x.Known > 0 {
			tested++
		}
		if x.Found {
			found++
		}
		known, contacts = known+x.Known, contacts+x.Contacts
	}
	all := o.Comparison.Row("factored", "all")
	text := fmt.Sprintf("%d of %d heads attend to a pair of known distance with a weight of %g or more; %d of them to contacts more often than chance at the same separations (false discovery rate 5 %%).", tested, len(o.Heads), Threshold, found)
	if known > 0 {
		text += fmt.Sprintf(" Of all pairs attended, counted once for each head, %s are contacts (%d of %d); of all pairs, %s.", decimal(float64(contacts)/float64(known)), contacts, known, decimal(all.Background))
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

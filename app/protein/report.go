package protein

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strings"

	"heed/internal/kernel"
	"heed/metric"
	"heed/plot"
	"heed/report"
)

// page is the report.
func (o *Outcome) page() (*report.Report, error) {
	f := o.Family
	contacts, err := o.contactBlocks()
	if err != nil {
		return nil, err
	}
	sections := []report.Section{{Title: "Contacts", Blocks: contacts}}
	if linked := o.linkedBlocks(); linked != nil {
		sections = append(sections, report.Section{Title: "Structure", Blocks: linked})
	}
	if o.Comparison != nil {
		sections = append(sections, report.Section{Title: "Precision", Blocks: o.precisionBlocks()})
	}
	if o.Fit.Potts != nil || o.Fit.Factored != nil {
		sections = append(sections, report.Section{Title: "Amino acids", Blocks: o.aminoBlocks()})
	}
	if o.Heads != nil {
		sections = append(sections, report.Section{Title: "Heads of factored attention", Blocks: o.headBlocks()})
	}
	if o.Fit.Axial != nil {
		blocks, err := o.axialBlocks()
		if err != nil {
			return nil, err
		}
		sections = append(sections, report.Section{Title: "Axial transformer", Blocks: blocks})
	}
	sections = append(sections,
		report.Section{Title: "What this cannot tell", Blocks: []report.Block{report.Text(limits)}},
		report.Section{Title: "Provenance", Blocks: []report.Block{o.provenance()}})
	lead := fmt.Sprintf("Couplings between the %d positions of %s, from %d aligned sequences (effective number %.1f) and nothing else: no structure and no other family was learned from.",
		len(f.Query), f.Name, f.Sequences, f.Neff)
	if o.Truth != nil {
		lead += " The structure was used for this comparison alone."
	}
	return &report.Report{Title: "Contacts of " + f.Name, Lead: lead, Sections: sections, Footer: "heed " + o.Job.Version}, nil
}

const limits = `A coupling says that two columns vary together when all others are held fixed. Most strong couplings are contacts, but some are between chains of a complex, in another conformation, or of function, and phylogeny leaves a trace that the average product correction only lessens.

A pair without a coupling may well be a contact: conserved columns do not vary, and cannot couple.

Scores have no unit that is common to families or models. They rank pairs of one family; they are no probabilities.

The contacts of one structure are one sample. Intervals resample its positions; neighbouring positions make contacts together, so the intervals are too narrow rather than too wide, and they say nothing about other families.`

func (o *Outcome) contactBlocks() ([]report.Block, error) {
	var blocks []report.Block
	if o.Comparison != nil {
		var tiles report.Tiles
		for _, m := range o.Fit.Scores {
			p := o.Comparison.Row(m.Method, "long")
			tiles = append(tiles, report.Tile{Value: decimal(p.At[0].Estimate), Label: "long-range P@L, " + m.Method, Note: fmt.Sprintf("95 %% interval %s to %s", decimal(p.At[0].Low), decimal(p.At[0].High))})
		}
		blocks = append(blocks, tiles)
	}
	for _, text := range o.Family.Warnings {
		blocks = append(blocks, report.Notice{Text: text, Warning: true})
	}
	maps := report.Choice{Label: "Model"}
	for _, m := range o.Fit.models() {
		f, err := o.contactMap(m)
		if err != nil {
			return nil, err
		}
		maps.Options = append(maps.Options, report.Option{Name: m.Method, Figure: f})
	}
	blocks = append(blocks, maps)
	if len(o.Family.Query) <= mostPixels {
		heat := report.Choice{Label: "Model"}
		for _, m := range o.Fit.models() {
			f, err := o.scoreMap(m)
			if err != nil {
				return nil, err
			}
			heat.Options = append(heat.Options, report.Option{Name: m.Method, Figure: f})
		}
		blocks = append(blocks, heat)
	}
	table := report.Table{Caption: "The first pairs", Columns: []report.Column{{Name: "pair"}, {Name: "residues"}, {Name: "separation", Numeric: true}},
		Notes: []string{fmt.Sprintf("Pairs at a separation of %d or more, by the corrected score of %s. All are in contacts.tsv, with raw scores too.", nearest, o.Fit.models()[0].Method)}}
	for _, m := range o.Fit.models() {
		table.Columns = append(table.Columns, report.Column{Name: m.Method, Numeric: true})
	}
	if o.Truth != nil {
		table.Columns = append(table.Columns, report.Column{Name: "distance (Å)", Numeric: true}, report.Column{Name: "contact"})
	}
	top := o.Fit.Pairs(o.Family, nearest)
	for _, p := range top[:min(25, len(top))] {
		cells := []string{fmt.Sprintf("%d %d", p.I+1, p.J+1), fmt.Sprintf("%c %c", o.Family.Query[p.I], o.Family.Query[p.J]), fmt.Sprint(p.J - p.I)}
		for k := range p.APC {
			cells = append(cells, decimal(p.APC[k]))
		}
		if o.Truth != nil {
			distance := "-"
			if o.Truth.Distances.Known(p.I, p.J) {
				distance = fmt.Sprintf("%.1f", o.Truth.Distances.At(p.I, p.J))
			}
			cells = append(cells, distance, [...]string{"unknown", "no", "yes"}[o.Truth.Touch[p.I*len(o.Family.Query)+p.J]])
		}
		table.Rows = append(table.Rows, report.TableRow{Cells: cells})
	}
	return append(blocks, table), nil
}

// A page stays small enough to be opened: proteins of more than mostPixels positions
// have no map of all scores, and more than mostMissing unknown pairs are not drawn.
const (
	mostPixels  = 1500
	mostMissing = 20000
)

// contactMap draws the first L pairs above the diagonal, and the truth below.
func (o *Outcome) contactMap(m *Scores) (report.Figure, error) {
	l := len(o.Family.Query)
	grey, pale := color.RGBA{0x88, 0x88, 0x88, 0xff}, color.RGBA{0xee, 0xee, 0xee, 0xff}
	drawn := plot.ContactMap{Title: fmt.Sprintf("%s: the first %d pairs", m.Method, l), Positions: l}
	var right, wrong, unknown, contacts, missing []plot.Pair
	top := o.Fit.ranked(o.Family, []*Scores{m}, nearest)
	data := &bytes.Buffer{}
	fmt.Fprintln(data, "i\tj\tscore")
	for _, p := range top[:min(l, len(top))] {
		pair := plot.Pair{I: p.I, J: p.J}
		fmt.Fprintf(data, "%d\t%d\t%.6f\n", p.I+1, p.J+1, p.APC[0])
		switch {
		case o.Truth == nil || o.Truth.Touch[p.I*l+p.J] == metric.Unknown:
			unknown = append(unknown, pair)
		case o.Truth.Touch[p.I*l+p.J] == metric.Contact:
			right = append(right, pair)
		default:
			wrong = append(wrong, pair)
		}
	}
	caption := fmt.Sprintf("Above the diagonal, the first %d pairs of %s at a separation of %d or more.", l, m.Method, nearest)
	if o.Truth == nil {
		drawn.Above = []plot.PairSet{{Name: "predicted", Color: plot.Palette(0), Pairs: unknown}}
	} else {
		for i := range l {
			for j := i + nearest; j < l; j++ {
				switch o.Truth.Touch[i*l+j] {
				case metric.Contact:
					contacts = append(contacts, plot.Pair{I: i, J: j})
				case metric.Unknown:
					missing = append(missing, plot.Pair{I: i, J: j})
				}
			}
		}
		drawn.Above = []plot.PairSet{{Name: "predicted, a contact", Color: plot.Palette(0), Pairs: right}, {Name: "predicted, no contact", Color: plot.Palette(1), Pairs: wrong}}
		drawn.Below = []plot.PairSet{{Name: "contact", Color: grey, Pairs: contacts}}
		if len(unknown) > 0 {
			drawn.Above = append(drawn.Above, plot.PairSet{Name: "predicted, unknown", Color: plot.Palette(3), Pairs: unknown})
		}
		if len(missing) > mostMissing {
			caption += fmt.Sprintf(" %d pairs that are not in the structure are not drawn.", len(missing))
			missing = nil
		}
		if len(missing) > 0 {
			drawn.Below = append(drawn.Below, plot.PairSet{Name: "not in the structure", Color: pale, Pairs: missing})
		}
		caption += fmt.Sprintf(" Below it, the contacts of %s: %s.", o.Truth.File, o.Truth.Definition)
	}
	fig, err := drawn.Figure()
	if err != nil {
		return report.Figure{}, err
	}
	return report.Figure{Name: "contacts-" + m.Method, Alt: "Contact map of " + m.Method + ", prediction above the diagonal, structure below", Caption: caption, SVG: fig.SVG(), Data: data.Bytes()}, nil
}

// scoreMap shows all corrected scores as an image.
func (o *Outcome) scoreMap(m *Scores) (report.Figure, error) {
	l := len(o.Family.Query)
	scores := o.Family.spread(m.APC, math.NaN())
	values, high := make([]float32, len(scores)), 0.0
	for i := range l {
		for j := range l {
			v := scores[i*l+j]
			values[i*l+j] = float32(v)
			if j-i >= nearest && v > high {
				high = v
			}
		}
	}
	if high == 0 {
		high = 1
	}
	png, err := plot.HeatmapPNG(values, l, l, 0, high, plot.Viridis())
	if err != nil {
		return report.Figure{}, err
	}
	return report.Figure{Name: "scores-" + m.Method, Alt: "Corrected scores of all pairs by " + m.Method, PNG: png,
		Caption: fmt.Sprintf("Corrected scores of all pairs by %s, one pixel each, from 0 (dark) to the largest at a separation of %d or more, %s (light).", m.Method, nearest, decimal(high))}, nil
}

func (o *Outcome) precisionBlocks() []report.Block {
	table := report.Table{Caption: "Precision of the first pairs", Columns: []report.Column{{Name: "range"}, {Name: "method"}, {Name: "P@L", Numeric: true}, {Name: "P@L/2", Numeric: true}, {Name: "P@L/5", Numeric: true}},
		Notes: []string{
			"Contact: " + o.Truth.Definition + ".",
			fmt.Sprintf("P@L/k: contacts among the first ⌊L/k⌋ pairs of the range, by ⌊L/k⌋, L = %d positions. Ranges of |i-j|: short 6 to 11, medium 12 to 23, long 24 and more, all 6 and more. Pairs with a residue that is missing from the structure are unknown and left out.", len(o.Family.Query)),
			fmt.Sprintf("In brackets the 95 %% interval from %d resamples of the positions; those of P@L/2 and P@L/5 are in metrics.json.", resamples),
			"Floors: mutual information, corrected like the models, looks at one pair at a time; nearness ranks pairs by |i-j| alone; a random order is right as often as contacts are common.",
		}}
	counts := report.Table{Caption: "Pairs of the structure", Columns: []report.Column{{Name: "range"}, {Name: "known pairs", Numeric: true}, {Name: "contacts", Numeric: true}, {Name: "unknown pairs", Numeric: true}}}
	for i, p := range o.Comparison.Rows {
		cells := []string{p.Range.Name, p.Method}
		if p.Floor {
			cells[1] += " (floor)"
		}
		cells = append(cells, fmt.Sprintf("%s (%s to %s)", decimal(p.At[0].Estimate), decimal(p.At[0].Low), decimal(p.At[0].High)), decimal(p.At[1].Estimate), decimal(p.At[2].Estimate))
		table.Rows = append(table.Rows, report.TableRow{Cells: cells, Highlight: !p.Floor && p.Range.Name == "long"})
		if i+1 == len(o.Comparison.Rows) || o.Comparison.Rows[i+1].Range != p.Range {
			b := decimal(p.Background)
			table.Rows = append(table.Rows, report.TableRow{Cells: []string{p.Range.Name, "random order (floor)", b, b, b}})
			counts.Rows = append(counts.Rows, report.TableRow{Cells: []string{p.Range.Name, fmt.Sprint(p.Pairs), fmt.Sprint(p.Contacts), fmt.Sprint(p.Unknown)}})
		}
	}
	differences := report.Table{Caption: "Differences of long-range P@L", Columns: []report.Column{{Name: "difference"}, {Name: "estimate", Numeric: true}, {Name: "95 % interval", Numeric: true}},
		Notes: []string{"Both methods on the same resamples of positions. An interval that holds 0 shows no difference."}}
	for _, d := range o.Comparison.Differences {
		differences.Rows = append(differences.Rows, report.TableRow{Cells: []string{d.Method + " less " + d.From, fmt.Sprintf("%+.3f", d.Estimate), fmt.Sprintf("%+.3f to %+.3f", d.Low, d.High)}})
	}
	return []report.Block{table, differences, counts}
}

func (o *Outcome) provenance() report.Provenance {
	c, f := &o.Job.Fit, o.Family
	facts := report.Provenance{
		{Key: "command", Value: "heed " + strings.Join(o.Job.Command, " ")},
		{Key: "version", Value: o.Job.Version},
		{Key: "seed", Value: fmt.Sprint(o.Job.Seed)},
		{Key: "kernel", Value: kernel.Active().String()},
		{Key: "alignment", Value: fmt.Sprintf("%s, %d of %d rows", o.Job.Family.File, f.Sequences, f.RowsRead)},
		{Key: "rows left out", Value: fmt.Sprintf("%d of low coverage, %d not selected", f.LowCoverage, f.NotSelected)},
		{Key: "columns left out", Value: fmt.Sprintf("%d in which the query has a gap, %d of too many gaps", f.Insertions, f.Gappy)},
		{Key: "weights", Value: o.Job.Family.describeWeights()},
	}
	if o.Truth != nil {
		facts = append(facts, report.Fact{Key: "structure", Value: o.Truth.Describe()})
	}
	if c.fits("potts") {
		facts = append(facts, report.Fact{Key: "potts", Value: fmt.Sprintf("%d steps, lambda %g", c.Potts.Steps, c.Potts.Lambda)})
	}
	if a := c.Factored; c.fits("factored") {
		facts = append(facts, report.Fact{Key: "factored", Value: fmt.Sprintf("%d heads of width %d, %d steps of %d sequences, rate %g, lambda %g", a.Heads, a.Width, a.Steps, a.Batch, a.Rate, a.Lambda)})
	}
	if a := c.Axial; c.fits("axial") {
		facts = append(facts, report.Fact{Key: "axial", Value: fmt.Sprintf("%d layers of width %d, %d heads, feed-forward %d, rows %s, %d steps of %d alignments of %d rows, %g of residues masked, rate %g, decay %g, dropout %g",
			a.Layers, a.Width, a.Heads, a.FFN, map[bool]string{true: "untied", false: "tied"}[a.Untied], a.Steps, a.Batch, min(a.Rows, f.Sequences), a.Mask, a.Rate, a.Decay, a.Dropout)})
	}
	return facts
}

func (c *FamilyConfig) describeWeights() string {
	if c.NoWeights {
		return "none"
	}
	return fmt.Sprintf("copies from an identity of %g, gaps counted as letters", c.Identity)
}

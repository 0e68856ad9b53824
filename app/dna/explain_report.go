package dna

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"heed/explain"
	"heed/plot"
	"heed/report"
)

// An Explained is the explanation of a set of sequences: one by one, and
// averaged over classes.
type Explained struct {
	Model     *Fitted
	How       Explaining
	Sequences []*Explanation
	Tracks    []*MeanTrack // none if the sequences differ in length
	TSS       int          // index of +1; negative if unknown
	Motifs    []Motif      // expected; coordinates count from TSS
}

// shown is how many single sequences a page offers.
const shown = 12

// averages fills in the tracks: one for each class of a known label, else for
// each class that was explained.
func (x *Explained) averages() {
	groups := make([][]*Explanation, len(x.Model.Classes))
	for _, e := range x.Sequences {
		if len(e.Sequence) != len(x.Sequences[0].Sequence) {
			return
		}
		c := e.Label
		if c < 0 {
			c = e.Class
		}
		groups[c] = append(groups[c], e)
	}
	order := []int{x.Model.Positive}
	for c := range groups {
		if c != x.Model.Positive {
			order = append(order, c)
		}
	}
	for _, c := range order {
		if len(groups[c]) > 0 {
			x.Tracks = append(x.Tracks, meanTrack(x.Model.Classes[c], groups[c]))
		}
	}
}

// chosen returns the sequences that a page shows: the first ones of every class
// in turn, the class of the first track first.
func (x *Explained) chosen() []*Explanation {
	groups := map[int][]*Explanation{}
	var order []int
	for _, e := range x.Sequences {
		if groups[e.Label] == nil {
			order = append(order, e.Label)
		}
		groups[e.Label] = append(groups[e.Label], e)
	}
	var out []*Explanation
	for len(out) < min(shown, len(x.Sequences)) {
		for _, l := range order {
			if g := groups[l]; len(g) > 0 && len(out) < shown {
				out, groups[l] = append(out, g[0]), g[1:]
			}
		}
	}
	return out
}

func (x *Explained) explainedClass() string {
	c := x.Sequences[0].Class
	for _, e := range x.Sequences {
		if e.Class != c {
			return "its own class"
		}
	}
	return x.Model.Classes[c]
}

// sections shows everything: average, sequence by sequence, attention.
func (x *Explained) sections() ([]report.Section, error) {
	var out []report.Section
	if len(x.Tracks) > 0 {
		blocks, err := x.averageBlocks()
		if err != nil {
			return nil, err
		}
		out = append(out, report.Section{Title: "What matters on average", Blocks: blocks})
	}
	blocks, err := x.sequenceBlocks()
	if err != nil {
		return nil, err
	}
	out = append(out, report.Section{Title: "Single sequences", Blocks: blocks})
	if blocks := x.attentionBlocks(); blocks != nil {
		out = append(out, report.Section{Title: "Attention", Blocks: blocks})
	}
	return out, nil
}

func (x *Explained) averageBlocks() ([]report.Block, error) {
	first := x.Tracks[0]
	marks := marksOf(x.Motifs)
	numbers, err := tsv(func(b *bytes.Buffer) error { return WriteTracks(b, x.Tracks, x.TSS) })
	if err != nil {
		return nil, err
	}
	logo, err := first.logo("Mean mutagenesis of "+first.name(), x.TSS, marks)
	if err != nil {
		return nil, err
	}
	track, err := trackFigure("Mean importance of each position", x.Tracks, x.TSS, marks)
	if err != nil {
		return nil, err
	}
	blocks := []report.Block{
		report.Text("Every letter of every sequence was replaced by each of the three others, and the change of the log-odds of " + x.explainedClass() + " was measured. " + mutagenesisCaveat),
		report.Figure{Name: "mean-logo", Alt: "Sequence logo of the mean mutagenesis effect at each position of " + first.name(), SVG: logo.SVG(), Data: numbers,
			Caption: importanceMeaning + " Mean over " + first.name() + "; the letters at a position add up to its mean. " + shaded(marks)},
		report.Figure{Name: "mean-track", Alt: "Mean importance along the positions, one line for each class", SVG: track.SVG(), Data: numbers,
			Caption: "Mean over the sequences of a class, with the 95 % interval of the mean. " + shaded(marks)},
	}
	if len(x.Motifs) > 0 {
		blocks = append(blocks, first.findingsTable(x.Motifs, x.TSS))
	}
	return blocks, nil
}

func shaded(marks []plot.Mark) string {
	if len(marks) == 0 {
		return ""
	}
	return "Shaded: where biology expects the motifs."
}

func (x *Explained) sequenceBlocks() ([]report.Block, error) {
	logos := report.Choice{Label: "Sequence"}
	marks := marksOf(x.Motifs)
	for _, e := range x.chosen() {
		f, err := e.logo(x.describe(e), x.TSS, marks)
		if err != nil {
			return nil, err
		}
		numbers, err := tsv(func(b *bytes.Buffer) error { return WriteExplanations(b, []*Explanation{e}, x.TSS) })
		if err != nil {
			return nil, err
		}
		logos.Options = append(logos.Options, report.Option{Name: e.Name, Figure: report.Figure{
			Name: fileName("logo", e.Name), Alt: "Sequence logo of the mutagenesis effect at each position of " + e.Name,
			Caption: importanceMeaning, SVG: f.SVG(), Data: numbers,
		}})
	}
	blocks := []report.Block{logos}
	if n := len(logos.Options); n < len(x.Sequences) {
		blocks = append(blocks, report.Text(fmt.Sprintf("%d of %d explained sequences are shown here.", n, len(x.Sequences))))
	}
	return blocks, nil
}

// describe is the title of a figure of one sequence.
func (x *Explained) describe(e *Explanation) string {
	s := e.Name
	if e.Label >= 0 {
		s += ", " + x.Model.Classes[e.Label]
	}
	return fmt.Sprintf("%s: p(%s) = %.3f", s, x.Model.Classes[e.Class], e.Prob)
}

func (x *Explained) attentionBlocks() []report.Block {
	chosen := x.chosen()
	if chosen[0].Rollout == nil {
		return nil
	}
	blocks := []report.Block{report.Notice{Title: "How to read this", Text: report.AttentionCaveat + " Causal evidence on this page: the mutagenesis above, and nothing else."}}
	if b := attentionBlock(chosen, x.TSS, x.Model.Config.Model.Tokenizer.K, len(x.Model.Members)); b != nil {
		blocks = append(blocks, b)
	}
	rollouts := report.Choice{Label: "Sequence"}
	marks := marksOf(x.Motifs)
	table := report.Table{
		Caption: "Does attention agree with mutagenesis?",
		Columns: []report.Column{{Name: "sequence"}, {Name: "class"}, {Name: "probability", Numeric: true}, {Name: "Spearman", Numeric: true}, {Name: "uniformity", Numeric: true}},
		Notes: []string{
			"Probability of " + x.explainedClass() + ". Spearman: rank correlation of the rollout with the absolute importance over the positions of the sequence.",
			fmt.Sprintf("Uniformity: entropy of the rollout over the letters, as a share of the largest possible. Above %.2f it tells next to nothing.", explain.Uniform),
		},
	}
	for _, e := range chosen {
		f, err := rolloutFigure(x.describe(e), e.Rollout, e.Importance, x.TSS, marks)
		if err != nil { // a figure of finite numbers always draws; leave out what is not finite
			continue
		}
		rollouts.Options = append(rollouts.Options, report.Option{Name: e.Name, Figure: report.Figure{
			Name: fileName("rollout", e.Name), Alt: "Rollout of attention and mutagenesis along " + e.Name, SVG: f.SVG(),
			Caption: fmt.Sprintf("Rollout of the row that the classifier reads, beside mutagenesis. Spearman correlation %s, uniformity of the rollout %s. %s", decimal(e.Spearman), uniformity(e.Uniformity), rolloutCaveat),
		}})
		label := "unknown"
		if e.Label >= 0 {
			label = x.Model.Classes[e.Label]
		}
		table.Rows = append(table.Rows, report.TableRow{Cells: []string{e.Name, label, decimal(e.Prob), decimal(e.Spearman), decimal(e.Uniformity)}})
	}
	if len(rollouts.Options) > 0 {
		blocks = append(blocks, rollouts)
	}
	rho, mean := x.agreement()
	if mean > explain.Uniform {
		blocks = append(blocks, report.Notice{Warning: true, Text: fmt.Sprintf("The rollouts are next to uniform (mean uniformity %.3f, limit %.2f): they tell next to nothing about positions.", mean, explain.Uniform)})
	}
	return append(blocks, report.Text(fmt.Sprintf("Over all %d sequences, the mean Spearman correlation of rollout and mutagenesis is %s, the mean uniformity %s.", len(x.Sequences), decimal(rho), decimal(mean))), table)
}

// uniformity writes a uniformity, with a warning where it deserves one.
func uniformity(u float64) string {
	if u > explain.Uniform {
		return decimal(u) + " (next to uniform: it tells next to nothing about positions)"
	}
	return decimal(u)
}

// agreement returns the means of Spearman and Uniformity over the sequences
// where they exist.
func (x *Explained) agreement() (rho, uniformity float64) {
	n, m := 0.0, 0.0
	for _, e := range x.Sequences {
		if !math.IsNaN(e.Spearman) {
			rho += e.Spearman
			n++
		}
		if !math.IsNaN(e.Uniformity) {
			uniformity += e.Uniformity
			m++
		}
	}
	return rho / n, uniformity / m
}

// Summary returns a few lines for the terminal.
func (x *Explained) Summary() string {
	var b strings.Builder
	rho, uniformity := x.agreement()
	fmt.Fprintf(&b, "%d sequences explained for %s\n", len(x.Sequences), x.explainedClass())
	for _, t := range x.Tracks {
		fmt.Fprintf(&b, "peaks of mean mutagenesis, %s:", t.name())
		for _, p := range t.Peaks(peakCount, peakGap, x.TSS) {
			if x.TSS < 0 {
				fmt.Fprintf(&b, " %d", p)
			} else {
				fmt.Fprintf(&b, " %+d", p)
			}
		}
		fmt.Fprintln(&b)
	}
	if len(x.Tracks) > 0 {
		for _, f := range x.Tracks[0].Compare(x.Motifs, x.TSS) {
			c := f.cells()
			fmt.Fprintf(&b, "motif %s, expected at %s: peak at %s, rank %s, enrichment %s\n", c[0], c[1], c[2], c[3], c[5])
		}
	}
	if !math.IsNaN(rho) {
		fmt.Fprintf(&b, "rollout of attention: Spearman correlation with mutagenesis %s, uniformity %s\n", decimal(rho), decimal(uniformity))
		fmt.Fprintln(&b, report.AttentionCaveat)
	}
	return b.String()
}

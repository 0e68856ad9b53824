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
	Shared    *Sharing     // nil if no motif is expected
	Verdict   *Verdict     // nil if the methods were not put to the test
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

// chosen returns the sequences that a page shows.
func (x *Explained) chosen() []*Explanation { return x.inTurn(min(shown, len(x.Sequences))) }

// inTurn returns n sequences: the first ones of every class in turn, the class of
// the first sequence first.
func (x *Explained) inTurn(n int) []*Explanation {
	groups := map[int][]*Explanation{}
	var order []int
	for _, e := range x.Sequences {
		if groups[e.Label] == nil {
			order = append(order, e.Label)
		}
		groups[e.Label] = append(groups[e.Label], e)
	}
	var out []*Explanation
	for len(out) < n {
		for _, l := range order {
			if g := groups[l]; len(g) > 0 && len(out) < n {
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

// sections shows everything: average, methods against one another, sequence by
// sequence, heads.
func (x *Explained) sections() ([]report.Section, error) {
	var out []report.Section
	if len(x.Tracks) > 0 {
		blocks, err := x.averageBlocks()
		if err != nil {
			return nil, err
		}
		out = append(out, report.Section{Title: "What matters on average", Blocks: blocks})
	}
	blocks, err := x.methodBlocks()
	if err != nil {
		return nil, err
	}
	out = append(out, report.Section{Title: "Do the methods agree, and can they be believed?", Blocks: blocks})
	if blocks, err = x.exampleBlocks(); err != nil {
		return nil, err
	}
	out = append(out, report.Section{Title: "Sequence by sequence", Blocks: blocks})
	if blocks := x.headBlocks(); blocks != nil {
		out = append(out, report.Section{Title: "What the heads do", Blocks: blocks})
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
	if x.Shared != nil {
		blocks = append(blocks, x.Shared.blocks()...)
	}
	return blocks, nil
}

func shaded(marks []plot.Mark) string {
	if len(marks) == 0 {
		return ""
	}
	return "Shaded: where biology expects the motifs."
}

// describe is the title of a figure of one sequence.
func (x *Explained) describe(e *Explanation) string {
	s := e.Name
	if e.Label >= 0 {
		s += ", " + x.Model.Classes[e.Label]
	}
	return fmt.Sprintf("%s: p(%s) = %.3f", s, x.Model.Classes[e.Class], e.Prob)
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

// lead says in a few sentences what the page is about.
func (x *Explained) lead() string {
	s := fmt.Sprintf("%d sequences, explained for %s by in-silico mutagenesis, every letter replaced by each of the other three, beside %d methods that look inside the model.", len(x.Sequences), x.explainedClass(), len(x.How.Methods)-1)
	if x.Verdict != nil {
		s += " " + x.Verdict.Words()
	}
	return s
}

// Words says which methods passed, in a sentence or two.
func (v *Verdict) Words() string {
	var good, bad []string
	for m := range v.Replacements[0].Methods {
		name := v.Replacements[0].Methods[m].Name
		passed := 0
		for _, r := range v.Replacements {
			if r.Methods[m].Faithful() {
				passed++
			}
		}
		if passed == len(v.Replacements) {
			good = append(good, name)
		} else {
			bad = append(bad, name)
		}
	}
	list := func(names []string) string {
		if len(names) == 0 {
			return "none"
		}
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("Put to the test on %d sequences, better than random orders of the letters in every test: %s. Not: %s.", v.Sequences, list(good), list(bad))
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
	if x.Verdict != nil {
		fmt.Fprintln(&b, x.Verdict.Words())
	}
	return b.String()
}

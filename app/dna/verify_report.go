package dna

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"text/tabwriter"

	"heed/explain"
	"heed/metric"
	"heed/report"
)

// methodBlocks compares the methods, and shows what the referee says of them.
func (x *Explained) methodBlocks() ([]report.Block, error) {
	how := report.Table{Caption: "The methods", Columns: []report.Column{{Name: "method"}, {Name: "what it says of a letter"}, {Name: "sign"}}}
	var names []string
	for _, m := range x.How.Methods {
		sign := "for and against"
		if m.Unsigned {
			sign = "none"
		}
		names = append(names, m.Name)
		how.Rows = append(how.Rows, report.TableRow{Cells: []string{m.Name, m.meaning, sign}})
	}
	agreement, err := x.agreeing()
	if err != nil {
		return nil, err
	}
	matrix := report.Matrix{
		Caption: fmt.Sprintf("Rank correlation of the methods, mean over %d sequences", len(x.Sequences)), Rows: names, Cols: names, Digits: 2, Full: 1,
		Notes: []string{"Spearman's correlation over the letters of a sequence. Where one of two methods has no sign, the other is taken by its size. Methods that agree may be wrong together; methods that disagree cannot both be right."},
	}
	for _, row := range agreement.Spearman {
		for _, c := range row {
			matrix.Values = append(matrix.Values, c.Estimate)
		}
	}
	caveats := mutagenesisCaveat + " " + rolloutCaveat
	if r := x.reach(); r > 1 {
		caveats += fmt.Sprintf(" Convolutions stand before the attention: each of its rows holds %d letters, and every method but mutagenesis, integrated gradients and gradient x input scores rows. Such a map can be right about the neighbourhood and wrong about the letter.", r)
	}
	blocks := []report.Block{how, matrix, report.Text(caveats)}
	if _, mean := x.agreement(); mean > explain.Uniform {
		blocks = append(blocks, report.Notice{Warning: true, Text: fmt.Sprintf("The rollouts are next to uniform (mean uniformity %.3f, limit %.2f): they tell next to nothing about positions.", mean, explain.Uniform)})
	}
	if x.Verdict == nil {
		return append(blocks, report.Notice{Text: "The maps were not put to the test: --verify does that."}), nil
	}
	return append(blocks, x.Verdict.blocks()...), nil
}

// reach returns how many letters a row of the encoder holds.
func (x *Explained) reach() int {
	c := x.Model.Config.Model
	if x.Model.Config.Encoder != nil && x.Model.Config.Encoder.model.Tokenizer.K == 0 {
		return 1 // byte pairs: the tokens differ
	}
	n := c.Tokenizer.K
	for _, k := range c.Stem {
		n += k - 1
	}
	return n
}

// agreeing returns the agreement of the methods over all sequences.
func (x *Explained) agreeing() (*explain.Agreement, error) {
	if x.Verdict != nil {
		return x.Verdict.Agreement, nil
	}
	var ms []explain.Method
	for _, m := range x.How.Methods {
		ms = append(ms, m.Method)
	}
	var examples []explain.Example
	for _, e := range x.Sequences {
		examples = append(examples, explain.Example{Scores: e.Scores})
	}
	return explain.Agree(rand.New(rand.NewPCG(x.How.Seed, 2)), ms, examples, 0.1)
}

func (v *Verdict) blocks() []report.Block {
	blocks := []report.Block{report.Text(fmt.Sprintf("The referee, on %d sequences. If a map is right, the log-odds fall when the letters on top are replaced (comprehensiveness), and hardly when they alone are kept (sufficiency). Both are averaged over the top 1, 5, 10, 20 and 50 %% of the letters and compared with %d random orders of the same letters. A method whose interval does not exclude random is grey, here and in its tracks.", v.Sequences, v.Replacements[0].Orders))}
	for _, r := range v.Replacements {
		for _, test := range []struct {
			name string
			gain func(f *explain.Faithfulness) *explain.Gain
		}{
			{"comprehensiveness", func(f *explain.Faithfulness) *explain.Gain { return &f.Comprehensiveness }},
			{"sufficiency", func(f *explain.Faithfulness) *explain.Gain { return &f.Sufficiency }},
		} {
			t := report.Verdicts{
				Caption: fmt.Sprintf("%s, %s", test.name, r.Replacement), Measure: "gain over random orders", Unit: "nats",
				Notes: []string{"Mean with its 95 % interval over sequences, of the area over the perturbation curve. 0 is a random order."},
			}
			for i := range r.Methods {
				f := &r.Methods[i]
				g := test.gain(f)
				row := report.Verdict{Method: f.Name, Estimate: g.Gain.Estimate, Low: g.Gain.Low, High: g.Gain.High}
				if !g.Beats {
					row.Sentence = fmt.Sprintf("not faithful here: by this test no better than a random order of the letters (%.2f against %.2f)", g.AOPC, g.Random)
				}
				t.Rows = append(t.Rows, row)
			}
			blocks = append(blocks, t)
		}
		blocks = append(blocks, v.curves(r))
	}
	return append(blocks, v.sanityTable())
}

// curves shows how the score falls when letters are taken away in the order of
// each method.
func (v *Verdict) curves(r *explain.Verification) report.Block {
	c := report.Curves{
		Name: fileName("deletion", r.Replacement), Alt: "Mean log-odds against the share of letters replaced, one line for each method and one for random orders",
		Caption: "Mean log-odds when the letters that a method puts on top are replaced, by " + r.Replacement + ". The lower, the better; random orders are the floor.",
		XLabel:  "share of the letters replaced", YLabel: "log-odds (nats)",
		Series: []report.Curve{{Name: "random orders", X: r.Shares, Y: r.RandomDeletion}},
	}
	for i := range r.Methods {
		c.Series = append(c.Series, report.Curve{Name: r.Methods[i].Name, X: r.Shares, Y: r.Methods[i].Deletion})
	}
	return c
}

// sanityTable shows signs and the checks of sanity.
func (v *Verdict) sanityTable() report.Table {
	t := report.Table{
		Caption: "Checks of sanity",
		Columns: []report.Column{{Name: "method"}, {Name: "wrong sign", Numeric: true}, {Name: "random parameters"}, {Name: "other class", Numeric: true}, {Name: "other seeds", Numeric: true}},
		Notes: []string{
			"Wrong sign: of the tenth of the letters that are largest in size, the share whose sign disagrees with the effect of replacing them by " + v.Replacements[1].Replacement + ", where there is one above noise.",
			"Random parameters: rank correlation of the map in size with that of the same model with all parameters shuffled (Adebayo et al. 2018): pass up to 0.2, fail above 0.5. To pass is necessary and not sufficient.",
			"Other class: rank correlation with the map for the other class; -1 for an exact account of the log-odds of two classes, and 1, class-agnostic, for a map that cannot say what speaks for a class.",
		},
	}
	if v.Seeds != nil {
		t.Notes = append(t.Notes, fmt.Sprintf("Other seeds: mean rank correlation between the maps of %d models that differ in their seed alone, and the range of the pairs.", v.Models))
	} else {
		t.Notes = append(t.Notes, "Other seeds: there is one model; --seeds trains more, and an ensemble has them.")
	}
	for i, f := range v.Replacements[1].Methods {
		t.Rows = append(t.Rows, report.TableRow{Cells: v.sanity(i, f.Name)})
	}
	return t
}

// sanity returns a row of the table of sanity.
func (v *Verdict) sanity(i int, name string) []string {
	signs, other, seeds := v.Replacements[1].Methods[i].Signs, "-", "-"
	wrong := signs.String()
	if !signs.Unsigned && signs.Counted > 0 {
		wrong = percent(signs.Rate)
	}
	if v.Logits != nil {
		other = decimal(v.Logits[i].Rho.Estimate)
		if v.Logits[i].ClassAgnostic {
			other += " (class-agnostic)"
		}
	}
	if v.Seeds != nil {
		s := v.Seeds[i]
		seeds = fmt.Sprintf("%.2f [%.2f, %.2f]", s.Mean, s.Low, s.High)
	}
	r := v.Randomised[i]
	return []string{name, wrong, fmt.Sprintf("%s, %.2f", r.Grade, r.Cascade[len(r.Cascade)-1].Rho.Estimate), other, seeds}
}

func percent(i metric.Interval) string {
	return fmt.Sprintf("%.0f %% [%.0f, %.0f]", 100*i.Estimate, 100*i.Low, 100*i.High)
}

// print writes the verdict for a terminal.
func (v *Verdict) print(w io.Writer) error {
	for _, r := range v.Replacements {
		fmt.Fprintf(w, "\nfaithfulness on %d sequences, %s: gain over %d random orders, nats [95 %% interval]\n", v.Sequences, r.Replacement, r.Orders)
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "method\tcomprehensiveness\tsufficiency\tverdict")
		for i := range r.Methods {
			f := &r.Methods[i]
			verdict, _, _ := strings.Cut(f.Sentence, ":")
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.Name, nats(f.Comprehensiveness.Gain), nats(f.Sufficiency.Gain), verdict)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "method\twrong sign\trandom parameters\tother class\tother seeds")
	for i, f := range v.Replacements[1].Methods {
		fmt.Fprintln(t, strings.Join(v.sanity(i, f.Name), "\t"))
	}
	return t.Flush()
}

func nats(i metric.Interval) string {
	return fmt.Sprintf("%+.2f [%+.2f, %+.2f]", i.Estimate, i.Low, i.High)
}

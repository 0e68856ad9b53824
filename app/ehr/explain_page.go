package ehr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"heed/report"
)

// explainedPage shows predictions with their evidence, the first of them.
func explainedPage(all []*Explanation, version string, most int) *report.Report {
	p := &report.Report{
		Title:    "What stands behind predictions for one patient",
		Lead:     fmt.Sprintf("Patient %[2]s: %[1]d predictions, of which %[3]d are shown. %[4]s.", len(all), all[0].Patient, min(len(all), most), sentence(Notice)),
		Sections: []report.Section{{Title: "Notice", Blocks: []report.Block{report.Notice{Text: notDevice, Warning: true}}}},
		Footer:   "heed " + version + ", " + Notice,
	}
	for i, x := range all[:min(len(all), most)] {
		p.Sections = append(p.Sections, x.section(i+1))
	}
	p.Sections = append(p.Sections, report.Section{Title: "Limits", Blocks: []report.Block{report.Text(limits)}})
	return p
}

// section shows one prediction: its evidence, and whether the evidence is better than
// chance.
func (x *Explanation) section(n int) report.Section {
	table := report.Table{
		Caption: "Evidence",
		Columns: []report.Column{{Name: "code"}, {Name: "days before", Numeric: true}, {Name: "values"}, {Name: "integrated gradients", Numeric: true}, {Name: "probability without it", Numeric: true}},
		Notes:   []string{fmt.Sprintf("Integrated gradients are parts of the log-odds; all of them miss their sum by %.2g. The mean and the last value are shown, or the logarithm of how often; all that the model sees is in explanation.json.", x.Missing)},
	}
	for _, e := range x.Evidence {
		table.Rows = append(table.Rows, report.TableRow{Cells: []string{e.Code, fmt.Sprintf("%.1f", e.Days), x.values(&e), fmt.Sprintf("%.2f", e.Part), score(e.Without)}})
	}
	removed := report.Curves{Name: fmt.Sprintf("removal-%d", n), XLabel: "tokens removed", YLabel: "probability",
		Alt:     "The probability after the strongest tokens were removed together, beside as many random ones",
		Caption: fmt.Sprintf("Evidence that moves the probability no more than as many random tokens (the mean of %d draws) is none.", randomOrders)}
	strongest, random := report.Curve{Name: "the strongest", X: []float64{0}, Y: []float64{x.Probability}}, report.Curve{Name: "random ones", X: []float64{0}, Y: []float64{x.Probability}}
	for k := range x.Removed {
		at := float64(k + 1)
		strongest.X, strongest.Y = append(strongest.X, at), append(strongest.Y, x.Removed[k])
		random.X, random.Y = append(random.X, at), append(random.Y, x.Random[k])
	}
	removed.Series = []report.Curve{strongest, random}
	title := fmt.Sprintf("Prediction %d: probability %.3f", n, x.Probability)
	if x.At != "" {
		title += ", " + x.At
	}
	if x.Alert {
		title += ", an alert"
	}
	return report.Section{Title: title, Blocks: []report.Block{table, removed}}
}

// values writes the mean and the last, or how often, where there is no value: the rest
// stands in explanation.json.
func (x *Explanation) values(e *Evidence) string {
	list := func(some ...string) (out []string) {
		for i, v := range e.Values {
			if stem, _, _ := strings.Cut(x.Channels[i], " of "); e.Known[i] && slices.Contains(some, stem) {
				out = append(out, x.Channels[i]+" "+strconv.FormatFloat(float64(v), 'g', 4, 32))
			}
		}
		return out
	}
	out := list("value", "mean", "last")
	if len(out) == 0 {
		out = list("log count")
	}
	return strings.Join(out, ", ")
}

package ehr

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"heed/plot"
	"heed/report"
)

// page is report.html of a training run: what the scores are worth, on one page that
// names no patient.
func (o *Outcome) page(log []Progress) (*report.Report, error) {
	first := o.Results[0]
	notices := []report.Block{report.Notice{Text: notDevice, Warning: true}}
	if o.Evaluated != nil && o.Evaluated.seen {
		notices = append(notices, report.Notice{Text: o.Evaluated.Source, Warning: true})
	}
	sections := []report.Section{{Title: "Notice", Blocks: notices}}
	sections = append(sections, report.Section{Title: "Scores", Blocks: []report.Block{o.tiles(), o.scoreTable()}})
	reliability, err := o.Predictions[0].reliabilityFigure(first)
	if err != nil {
		return nil, err
	}
	sections = append(sections, report.Section{Title: "Calibration", Blocks: []report.Block{reliability}},
		report.Section{Title: "Decision curve", Blocks: []report.Block{decisionCurves(o.Results)}})
	if len(first.Folds) > 0 {
		sections = append(sections, report.Section{Title: "Folds", Blocks: []report.Block{foldTable(o.Results)}})
	}
	if len(first.Subgroups) > 0 {
		sections = append(sections, report.Section{Title: "Subgroups", Blocks: []report.Block{subgroupTable(first)}})
	}
	if o.Audit != nil {
		sections = append(sections, o.Audit.Sections()...)
	}
	if c, ok := fitCurves(log); ok {
		sections = append(sections, report.Section{Title: "Training", Blocks: []report.Block{c}})
	}
	sections = append(sections, report.Section{Title: "Provenance", Blocks: []report.Block{o.provenance()}},
		report.Section{Title: "What this cannot tell", Blocks: []report.Block{report.Text(trainLimits)}})
	return &report.Report{Title: "Outcomes from timelines", Lead: o.lead(), Sections: sections, Footer: "heed " + o.Job.Version + ". " + notDevice}, nil
}

const trainLimits = `A score on past records does not say that a model helps anybody, nor that it holds in another hospital or a later year.

An interval resamples the patients of the test part. It does not hold what another training part or another seed would have changed.

Floors and the model were measured on the same predictions. Where their intervals overlap, the simpler one is the better choice.`

func interval(s Score) string {
	switch {
	case math.IsNaN(s.Estimate):
		return "-"
	case math.IsNaN(s.Low) || math.IsNaN(s.High):
		return fmt.Sprintf("%.3f", s.Estimate)
	}
	return fmt.Sprintf("%.3f (%.3f to %.3f)", s.Estimate, s.Low, s.High)
}

func (o *Outcome) bestFloor() string {
	best := Score{Estimate: math.Inf(-1)}
	name := ""
	for _, r := range o.Results[1:] {
		if s := r.score("AUROC"); s.Estimate > best.Estimate {
			best, name = s, r.Model
		}
	}
	return fmt.Sprintf("%s (%s)", interval(best), name)
}

func (o *Outcome) tiles() report.Tiles {
	r := o.Results[0]
	tile := func(name, label string) report.Tile {
		s := r.score(name)
		t := report.Tile{Value: score(s.Estimate), Label: label}
		if !math.IsNaN(s.Low) {
			t.Note = fmt.Sprintf("95 %% interval %.3f to %.3f", s.Low, s.High)
		}
		return t
	}
	tiles := report.Tiles{tile("AUROC", "AUROC"), tile("AUPRC", "AUPRC"), tile("ECE", "calibration error (ECE, 15 bins)"), tile("Se at Sp .95", "sensitivity at specificity .95")}
	tiles[1].Label = "AUPRC; chance has " + r.prevalence()
	return tiles
}

func (o *Outcome) scoreTable() report.Table {
	names := []string{"AUROC", "AUPRC", "Brier", "log-loss", "ECE", "slope", "Se at Sp .95", "min(Se, PPV)", "alert Se", "alert PPV", "alerts/100 patient-days"}
	t := report.Table{Caption: "The model and its floors on the same predictions, with 95 % intervals", Columns: []report.Column{{Name: "model"}},
		Notes: []string{fmt.Sprintf("Intervals resample patients (%d resamples; 200 for the slope). Epoch, calibration and the threshold of alerts come from the tuning part.", Resamples)}}
	if e := o.Evaluated; e != nil {
		t.Notes[0] = fmt.Sprintf("Intervals resample patients (%d resamples; 200 for the slope). Calibration and the threshold of the model are those of its training.", Resamples)
		if len(o.Results) > 1 {
			t.Notes[0] += " Floors were fitted on " + e.Floors + "."
		}
	}
	for _, n := range names {
		t.Columns = append(t.Columns, report.Column{Name: n, Numeric: true})
	}
	for i, r := range o.Results {
		row := report.TableRow{Cells: []string{r.Model}, Highlight: i == 0}
		for _, n := range names {
			row.Cells = append(row.Cells, interval(r.score(n)))
		}
		t.Rows = append(t.Rows, row)
	}
	only := func(cells ...string) {
		t.Rows = append(t.Rows, report.TableRow{Cells: append(cells, make([]string, len(t.Columns)-len(cells))...)})
	}
	if o.Audit != nil { // the models that should know nothing, on the same predictions
		for _, p := range o.Audit.Probes[:2] {
			only("probe: "+p.Name, interval(Score{p.Name, p.AUROC.Estimate, p.AUROC.Low, p.AUROC.High}))
		}
	}
	only("chance", "0.500", o.Results[0].prevalence())
	return t
}

// reliabilityFigure draws the deciles of the predictions. Those of fewer than 11
// predictions are left out.
func (p *Predictions) reliabilityFigure(r *Result) (report.Block, error) {
	d := plot.Reliability{Title: "Reliability on the test part", ECE: r.score("ECE").Estimate, Brier: r.score("Brier").Estimate}
	var data strings.Builder
	data.WriteString("n\tpredicted\tobserved\tlow\thigh\n")
	for _, b := range r.full {
		if b.N >= smallCell {
			d.Bins = append(d.Bins, plot.ReliabilityBin{Low: b.Low, High: b.High, N: b.N, MeanScore: b.MeanScore, Fraction: b.Fraction.Estimate, FracLow: b.Fraction.Low, FracHigh: b.Fraction.High})
			fmt.Fprintf(&data, "%d\t%.4f\t%.4f\t%.4f\t%.4f\n", b.N, b.MeanScore, b.Fraction.Estimate, b.Fraction.Low, b.Fraction.High)
		}
	}
	if len(d.Bins) == 0 {
		return report.Text("Too few predictions for a reliability diagram: no bin holds 11."), nil
	}
	fig, err := d.Figure()
	if err != nil {
		return nil, err
	}
	return report.Figure{Name: "reliability", SVG: fig.SVG(), Data: []byte(data.String()),
		Alt:     "Observed share of positives against the predicted probability, in ten bins, and how many predictions each bin holds",
		Caption: "Points on the dashed line are calibrated. Bars are 95 % intervals of the share; bins of fewer than 11 predictions are not shown."}, nil
}

// decisionCurves compares the net benefit of models with that of treating everybody or
// nobody (Vickers & Elkin 2006).
func decisionCurves(results []*Result) report.Block {
	c := report.Curves{Name: "decision", XLabel: "threshold probability", YLabel: "net benefit",
		Alt:     "Net benefit of the model, its floors, of treating everybody and of treating nobody, by the threshold probability",
		Caption: "True positives minus false positives weighted by the odds of the threshold, by prediction. A model is of use where it lies above treating everybody and treating nobody. What lies below -0.05 is not drawn."}
	var all, none report.Curve
	for _, r := range results {
		s := report.Curve{Name: r.Model}
		for _, d := range r.Decision {
			s.X, s.Y = append(s.X, d.Threshold), append(s.Y, ofUse(d.Model))
		}
		c.Series = append(c.Series, s)
	}
	for _, d := range results[0].Decision {
		all.X, all.Y = append(all.X, d.Threshold), append(all.Y, ofUse(d.All))
		none.X, none.Y = append(none.X, d.Threshold), append(none.Y, 0)
	}
	all.Name, none.Name = "treat everybody", "treat nobody"
	c.Series = append(c.Series, all, none)
	return c
}

// ofUse leaves out what lies far below treating nobody: to treat everybody falls so
// deep that nothing else could be seen.
func ofUse(benefit float64) float64 {
	if benefit < -0.05 {
		return math.NaN()
	}
	return benefit
}

func foldTable(results []*Result) report.Table {
	t := report.Table{Caption: "Fold by fold: AUROC, AUPRC, ECE", Columns: []report.Column{{Name: "model"}}}
	for _, f := range results[0].Folds {
		t.Columns = append(t.Columns, report.Column{Name: strconv.Itoa(f.Fold), Numeric: true})
	}
	for i, r := range results {
		row := report.TableRow{Cells: []string{r.Model}, Highlight: i == 0}
		for _, f := range r.Folds {
			row.Cells = append(row.Cells, fmt.Sprintf("%s, %s, %s", optional(f.AUROC), optional(f.AUPRC), optional(f.ECE)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func optional(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *x)
}

func subgroupTable(r *Result) report.Table {
	t := report.Table{Caption: "Groups of patients", Notes: []string{"Groups with fewer than 11 positive or negative patients are not shown. False alerts are a share of the negatives, missed ones of the positives."}}
	for i, name := range []string{"group", "predictions", "positive", "AUROC", "slope", "predicted", "observed", "false alerts", "missed"} {
		t.Columns = append(t.Columns, report.Column{Name: name, Numeric: i > 0})
	}
	for _, s := range r.Subgroups {
		row := report.TableRow{Cells: []string{s.Group + ": " + s.Value, "not shown", "", "", "", "", "", "", ""}}
		if !s.Suppressed {
			row.Cells = []string{row.Cells[0], strconv.Itoa(s.N), strconv.Itoa(s.Positives), interval(*s.AUROC), optional(s.Slope),
				score(s.Predicted), score(s.Observed), score(s.FPR), score(s.FNR)}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// fitCurves shows the loss and the scores on the tuning part of the first fit.
func fitCurves(log []Progress) (report.Curves, bool) {
	c := report.Curves{Name: "training", XLabel: "epoch", YLabel: "AUROC and AUPRC on the tuning part", Alt: "AUROC and AUPRC on the tuning part by epoch, of every fit",
		Caption: "The epoch with the largest sum is kept."}
	at := map[string]int{}
	for _, p := range log {
		if p.Stage != "train" {
			continue
		}
		for m, name := range []string{"AUROC", "AUPRC"} {
			y := []float64{p.AUROC, p.AUPRC}[m]
			k := fmt.Sprintf("%s, fold %d, member %d", name, p.Fold, p.Member)
			i, ok := at[k]
			if !ok {
				i = len(c.Series)
				at[k] = i
				c.Series = append(c.Series, report.Curve{Name: k})
			}
			c.Series[i].X, c.Series[i].Y = append(c.Series[i].X, float64(p.Epoch)), append(c.Series[i].Y, y)
		}
	}
	return c, len(c.Series) > 0 && len(c.Series[0].X) > 1 && len(c.Series) <= 20
}

func (o *Outcome) provenance() report.Provenance {
	f := report.Provenance{
		{Key: "command", Value: "heed " + strings.Join(o.Job.Command, " ")},
		{Key: "version", Value: o.Job.Version},
		{Key: "seed", Value: strconv.FormatUint(o.Job.Fit.Train.Seed, 10)},
		{Key: "SHA-256 of the data", Value: o.Hash},
		{Key: "predictions of the source", Value: strconv.Itoa(len(o.Cases))},
		{Key: "tokens of the test parts that were not learned", Value: fmt.Sprintf("%d of %d", o.Unknown, o.Tokens)},
	}
	if e := o.Evaluated; e != nil {
		return append(f, report.Fact{Key: "SHA-256 of the model", Value: e.ModelSHA256}, report.Fact{Key: "part of the source", Value: e.Part},
			report.Fact{Key: "the model and the source", Value: e.Source}, report.Fact{Key: "floors were fitted on", Value: cmp.Or(e.Floors, "nothing: too few patients")})
	}
	for k, p := range o.Parts {
		f = append(f, report.Fact{Key: fmt.Sprintf("fold %d: to train, tune and test on", k+1), Value: fmt.Sprintf("%d, %d, %d", len(p.Train), len(p.Valid), len(p.Test))})
	}
	return f
}

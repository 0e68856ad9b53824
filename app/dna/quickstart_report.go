package dna

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"heed/data"
	"heed/internal/kernel"
	"heed/metric"
	"heed/plot"
	"heed/report"
)

// A contender is one line of the comparison.
type contender struct {
	name    string
	origin  plot.Origin
	errors  int
	result  *Result // nil for what was not measured here
	related *Result // of the split that keeps related sequences together
}

// published are the errors of 106 that Towell, Shavlik & Noordewier (1990,
// AAAI-90, pp. 861-866) report on this set, all by leave-one-out.
func published() []contender {
	return []contender{
		{name: "ID3", origin: plot.Published, errors: 19},
		{name: "3-nearest neighbours", origin: plot.Published, errors: 13},
		{name: "O'Neill", origin: plot.Published, errors: 12},
		{name: "back-propagation", origin: plot.Published, errors: 8},
		{name: "KBANN", origin: plot.Published, errors: 4},
	}
}

// contenders returns floors, published results and ours, in this order.
func (r *quickstartResult) contenders() []contender {
	counts := make([]int, len(r.Data.Classes))
	for _, l := range r.Data.Labels {
		counts[l]++
	}
	largest := 0
	for _, n := range counts {
		largest = max(largest, n)
	}
	out := []contender{{name: "always one class", origin: plot.Floor, errors: len(r.Data.Labels) - largest}}
	for i, b := range r.Results[1:] {
		out = append(out, contender{b.Model, plot.Floor, b.Errors, b, r.Related[i+1]})
	}
	out = append(out, published()...)
	return append(out, contender{"transformer", plot.Ours, r.Results[0].Errors, r.Results[0], r.Related[0]})
}

func (r *quickstartResult) n() int { return r.Results[0].N }

// protocol names the split.
func (r *quickstartResult) protocol() string {
	return fmt.Sprintf("%d-fold cross-validation", r.Folds)
}

// wilson writes an error rate with its interval in percent.
func wilson(k, n int) (rate, interval string) {
	w := metric.Wilson(k, n)
	return fmt.Sprintf("%.1f", 100*w.Estimate), fmt.Sprintf("%.1f to %.1f", 100*w.Low, 100*w.High)
}

// print writes the comparison for a terminal.
func (r *quickstartResult) print(w io.Writer, out string) error {
	fmt.Fprintf(w, "%d sequences, %s\n\n", r.n(), r.protocol())
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "method\tfrom\terrors\terror rate\t95 % interval\tMCC\tAUROC\tclustered")
	for _, c := range r.contenders() {
		rate, interval := wilson(c.errors, r.n())
		fmt.Fprintf(t, "%s\t%s\t%d\t%s %%\t%s %%\t%s\t%s\t%s\n", c.name, c.from(), c.errors, rate, interval, c.get("mcc"), c.get("auroc"), c.relatedErrors())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nClustered: errors in %d folds that never divide sequences which share %d letters. %s\n", relatedFolds, data.KMer, r.overlap())
	fmt.Fprintf(w, "\n%s\nreport: %s\n", r.Explained.Summary(), (&Folder{Path: out}).file(reportFile))
	return nil
}

func (c contender) get(score string) string {
	if c.result == nil {
		return "-"
	}
	return decimal(c.result.Get(score))
}

// from says where a number comes from.
func (c contender) from() string {
	if c.origin == plot.Ours {
		return "ours"
	}
	return c.origin.String()
}

func (c contender) relatedErrors() string {
	if c.related == nil {
		return "-"
	}
	return strconv.Itoa(c.related.Errors)
}

// overlap says how many sequences of each class are not alone.
func (r *quickstartResult) overlap() string {
	var parts []string
	for c, n := range r.Overlap {
		total := 0
		for _, l := range r.Data.Labels {
			if l == c {
				total++
			}
		}
		parts = append(parts, fmt.Sprintf("%d of %d sequences of class %s", n, total, r.Data.Classes[c]))
	}
	return strings.Join(parts, " and ") + " have such a relative."
}

// report builds the page.
func (q *Quickstart) report(r *quickstartResult) (*report.Report, error) {
	ours := r.Results[0]
	rate, interval := wilson(ours.Errors, r.n())
	model := r.Model.Config.Model
	p := &report.Report{
		Title: "Promoters of E. coli: what a small transformer learns",
		Lead: fmt.Sprintf("%d transformers with %d layers, %d heads and a [CLS] token, alike but for their seeds and averaged, were trained on %d sequences and tested by %s, beside simple baselines on the same folds and published results: %d errors of %d (%s %%, 95 %% interval %s %%). With related sequences kept together it makes %d errors, and the best simple baseline %d. A final model of the same kind, trained on all sequences, is explained below; no score is claimed for it.",
			len(r.Model.Members), model.Layers, model.Heads, r.n(), r.protocol(), ours.Errors, r.n(), rate, interval, r.Related[0].Errors, r.bestRelated()),
		Footer: "heed " + q.Version,
	}
	score, err := r.scoreSection()
	if err != nil {
		return nil, err
	}
	training, err := r.trainingSection()
	if err != nil {
		return nil, err
	}
	explained, err := r.Explained.sections()
	if err != nil {
		return nil, err
	}
	p.Sections = append(p.Sections, *score)
	p.Sections = append(p.Sections, explained...)
	p.Sections = append(p.Sections, *training, r.caveats(), report.Section{Title: "Provenance", Blocks: []report.Block{q.provenance(r)}})
	return p, nil
}

func (r *quickstartResult) scoreSection() (*report.Section, error) {
	ours := r.Results[0]
	_, interval := wilson(ours.Errors, r.n())
	best := r.bestFloor()
	related := r.Related[0]
	relatedRate, _ := wilson(related.Errors, related.N)
	tiles := report.Tiles{
		{Value: fmt.Sprintf("%d of %d", ours.Errors, r.n()), Label: "errors in " + r.protocol(), Note: "95 % interval of the rate " + interval + " %"},
		{Value: fmt.Sprintf("%d of %d", best.errors, r.n()), Label: "errors of the best simple baseline", Note: best.name},
		{Value: decimal(ours.Get("auroc")), Label: "AUROC", Note: "0.5 is chance"},
		{Value: fmt.Sprintf("%d of %d", related.Errors, related.N), Label: "errors with related sequences kept together", Note: fmt.Sprintf("%d folds, %s %%", relatedFolds, relatedRate)},
	}
	table := report.Table{
		Caption: fmt.Sprintf("Errors of %d sequences", r.n()),
		Columns: []report.Column{{Name: "method"}, {Name: "from"}, {Name: "errors", Numeric: true}, {Name: "%, 95 % interval", Numeric: true}, {Name: "AUROC", Numeric: true}, {Name: "clustered", Numeric: true}},
		Notes: []string{
			"Floors and ours: measured in this run on the same folds, by " + r.protocol() + ". Published: Towell, Shavlik & Noordewier, AAAI-90, pp. 861-866, by leave-one-out on the same sequences, which trains on a few more of them. KBANN is a network that starts from the rules of biologists, back-propagation one without them; O'Neill is a method from the literature on promoters.",
			"Intervals after Wilson (1927); they overlap widely at this number of sequences.",
			fmt.Sprintf("Clustered: errors in %d folds that never divide sequences which share %d letters. %s See below why this is the more honest number.", relatedFolds, data.KMer, r.overlap()),
		},
	}
	bars := plot.Bars{Title: fmt.Sprintf("Errors of %d sequences", r.n()), XLabel: "error rate (%), 95 % interval"}
	for _, c := range r.contenders() {
		rate, interval := wilson(c.errors, r.n())
		table.Rows = append(table.Rows, report.TableRow{
			Cells:     []string{c.name, c.from(), strconv.Itoa(c.errors), rate + ", " + interval, c.get("auroc"), c.relatedErrors()},
			Highlight: c.origin == plot.Ours,
		})
		w := metric.Wilson(c.errors, r.n())
		bars.Rows = append(bars.Rows, plot.Bar{Name: c.name, Value: 100 * w.Estimate, Low: 100 * w.Low, High: 100 * w.High, Origin: c.origin, Text: strconv.Itoa(c.errors)})
	}
	chart, err := bars.Figure()
	if err != nil {
		return nil, err
	}
	roc, err := r.rocFigure()
	if err != nil {
		return nil, err
	}
	confusion, err := plot.Confusion{Title: "Transformer, " + r.protocol(), Classes: r.Data.Classes, Counts: ours.Confusion}.Figure()
	if err != nil {
		return nil, err
	}
	calibration, err := r.calibrationFigure()
	if err != nil {
		return nil, err
	}
	return &report.Section{Title: "How good is it?", Blocks: []report.Block{
		tiles, table,
		report.Figure{Name: "errors", Alt: "Error rates with intervals of floors, published methods and the transformer", SVG: chart.SVG(), Caption: "The same table as bars, the number of errors at the right."},
		report.Row{
			{Name: "roc", Alt: "ROC curves of the transformer and the baselines", SVG: roc.SVG(), Caption: "Predictions on the sequences not trained on, pooled over the folds."},
			{Name: "confusion", Alt: "Confusion matrix of the transformer", SVG: confusion.SVG(), Caption: "Rows are true classes, at threshold 0.5."},
		},
		report.Figure{Name: "calibration", Alt: "Observed share of promoters against the predicted probability, in five bins", SVG: calibration.SVG(), Caption: "Calibration: the observed share of promoters in five bins of the predicted probability, with Wilson intervals, on the sequences not trained on."},
	}}, nil
}

// bestFloor returns the simple baseline with the fewest errors.
func (r *quickstartResult) bestFloor() contender {
	var best *contender
	for _, c := range r.contenders() {
		if c.origin == plot.Floor && (best == nil || c.errors < best.errors) {
			best = &c
		}
	}
	return *best
}

// bestRelated returns the fewest errors of a simple baseline on the split that
// keeps related sequences together.
func (r *quickstartResult) bestRelated() int {
	best := r.n()
	for _, b := range r.Related[1:] {
		best = min(best, b.Errors)
	}
	return best
}

func (r *quickstartResult) rocFigure() (*plot.Figure, error) {
	f := plot.ROC{Title: "ROC"}
	for i, p := range r.Predictions {
		b, err := binary(p.Probs, p.Labels, p.Positive)
		if err != nil {
			return nil, err
		}
		c := plot.ROCCurve{Name: p.Model, AUROC: b.AUROC(), Low: math.NaN(), High: math.NaN()}
		for _, at := range b.ROC() {
			c.FPR, c.TPR = append(c.FPR, at.FPR), append(c.TPR, at.TPR)
		}
		for _, s := range r.Results[i].Scores {
			if s.Name == "auroc" && i == 0 {
				c.Low, c.High = s.Low, s.High
			}
		}
		f.Curves = append(f.Curves, c)
	}
	return f.Figure()
}

// calibrationFigure compares probabilities with what was the case.
func (r *quickstartResult) calibrationFigure() (*plot.Figure, error) {
	p := r.Predictions[0]
	b, err := binary(p.Probs, p.Labels, p.Positive)
	if err != nil {
		return nil, err
	}
	f := plot.Reliability{Title: "Calibration", ECE: b.ECE(), Brier: b.Brier()}
	for _, bin := range b.Reliability(5) {
		f.Bins = append(f.Bins, plot.ReliabilityBin{Low: bin.Low, High: bin.High, N: bin.N, MeanScore: bin.MeanScore,
			Fraction: bin.Fraction.Estimate, FracLow: bin.Fraction.Low, FracHigh: bin.Fraction.High})
	}
	return f.Figure()
}

func (r *quickstartResult) trainingSection() (*report.Section, error) {
	x := make([]float64, len(r.Loss))
	mean := make([]float64, len(r.Loss))
	steps := (len(r.Data.Seqs) + r.Job.Fit.Train.Batch - 1) / r.Job.Fit.Train.Batch
	for i := range x {
		x[i] = float64((i + 1) * steps)
		for _, fold := range r.FoldLoss {
			mean[i] += fold[i] / float64(len(r.FoldLoss))
		}
	}
	f, err := plot.Training{
		Title:    "Training loss, mean of each epoch",
		Loss:     []plot.Series{{Name: "final model, first member", X: x, Y: r.Loss}, {Name: fmt.Sprintf("mean of %d folds", len(r.FoldLoss)), X: x, Y: mean}},
		BestStep: math.NaN(),
	}.Figure()
	if err != nil {
		return nil, err
	}
	numbers, err := tsv(func(b *bytes.Buffer) error {
		fmt.Fprintln(b, "epoch\tfinal_model\tmean_of_folds")
		for i := range x {
			fmt.Fprintf(b, "%d\t%s\t%s\n", i+1, short(r.Loss[i]), short(mean[i]))
		}
		return nil
	})
	c := r.Job.Fit
	return &report.Section{Title: "Training", Blocks: []report.Block{
		report.Figure{Name: "training", Alt: "Training loss over steps", SVG: f.SVG(), Data: numbers, Caption: "With dropout and augmentation, on the training sequences, of the first member of each ensemble. Every fit runs all epochs: there are too few sequences to hold some out to stop by."},
		report.Text(fmt.Sprintf("Each member: residual convolutions of width %s, then %d pre-norm encoder layers of width %d with %d heads, feed-forward width %d, learned positions that begin with a spread of %v, dropout %v; AdamW at a peak rate of %v with decay %v, batches of %d, %d epochs; %.0f %% of the letters are changed in training.",
			strings.Trim(strings.ReplaceAll(fmt.Sprint(c.Model.Stem), " ", " and "), "[]"), c.Model.Layers, c.Model.Dim, c.Model.Heads, c.Model.FFN, c.Model.PositionScale, c.Model.Dropout, c.Train.Rate, c.Train.Decay, c.Train.Batch, c.Train.Epochs, 100*c.Augment.Mutate)),
	}}, err
}

// caveats says what the numbers are not.
func (r *quickstartResult) caveats() report.Section {
	return report.Section{Title: "What these numbers are not", Blocks: []report.Block{
		report.Notice{Warning: true, Text: fmt.Sprintf("%s Most sequences without a promoter are overlapping windows of one fragment. When one of them is tested, its neighbours are in training, and a method that remembers is rewarded. All published numbers on this set have the same flaw. With related sequences kept together (%d folds), the transformer makes %d errors of %d, the best simple baseline %d.",
			r.overlap(), relatedFolds, r.Related[0].Errors, r.Related[0].N, r.bestRelated())},
		report.Text(fmt.Sprintf(`%d sequences are few: one error more or less is %.1f %%, and another seed gives another number of errors. The classes are balanced here; in a genome promoters are rare, and most hits of such a model would be false.

The size of the model and its training were chosen by cross-validation on these same sequences, which flatters the score somewhat.

The explanations are those of the final model, which has seen every sequence that it explains. %s %s`, r.n(), 100/float64(r.n()), mutagenesisCaveat, report.AttentionCaveat)),
	}}
}

func (q *Quickstart) provenance(r *quickstartResult) report.Provenance {
	return report.Provenance{
		{Key: "command", Value: "heed " + strings.Join(q.Command, " ")},
		{Key: "data", Value: "UCI Molecular Biology (Promoter Gene Sequences), Harley, Reynolds, Noordewier, Shavlik 1990, CC BY 4.0, exported from Debian's r-cran-kernlab"},
		{Key: "data (SHA-256)", Value: r.Job.Hash},
		{Key: "seed", Value: strconv.FormatUint(q.Seed, 10)},
		{Key: "heed", Value: q.Version},
		{Key: "go", Value: runtime.Version()},
		{Key: "kernel", Value: kernel.Active().String()},
		{Key: "cores", Value: strconv.Itoa(r.Cores)},
		{Key: "time", Value: r.Time.Round(time.Second / 10).String()},
	}
}

package dna

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"text/tabwriter"

	"heed/metric"
)

// Predictions are the pooled predictions of one model on the test parts of all
// folds, one element of each slice per prediction.
type Predictions struct {
	Model    string
	Classes  []string
	Positive int
	Names    []string
	Folds    []int // from 1
	Labels   []int
	Calls    []int
	Probs    [][]float64 // one probability per class
	Clusters []int       // of related sequences; nil if unknown
}

// A Score is one measure of a model with its 95 % interval.
type Score struct {
	Name string // "mcc", "auroc", ...
	metric.Interval
}

// A Result is everything measured of one model.
type Result struct {
	Model      string
	N          int
	Errors     int
	Prevalence float64 // of the positive class; NaN for more than two classes
	Scores     []Score
	Confusion  metric.ConfusionMatrix
	PerClass   []metric.ClassScore
}

// Resamples is the number of bootstrap resamples behind every interval.
const Resamples = 1000

const streamBootstrap = 0x626f6f74 // "boot"

// Score measures the predictions. Intervals come from a bootstrap over
// sequences, or over clusters of related sequences if they are known.
func (p *Predictions) Score(seed uint64) (*Result, error) {
	m, err := metric.NewConfusionMatrix(p.Labels, p.Calls, len(p.Classes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Model, err)
	}
	r := &Result{Model: p.Model, N: len(p.Labels), Confusion: m, PerClass: m.PerClass(), Prevalence: math.NaN()}
	for i, l := range p.Labels {
		if l != p.Calls[i] {
			r.Errors++
		}
	}
	add := func(name string, stat func(idx []int) float64) {
		rng := rand.New(rand.NewPCG(seed, streamBootstrap))
		var iv metric.Interval
		if p.Clusters != nil {
			iv = metric.BootstrapClusters(rng, p.Clusters, Resamples, stat)
		} else {
			iv = metric.Bootstrap(rng, len(p.Labels), Resamples, stat)
		}
		r.Scores = append(r.Scores, Score{name, iv})
	}
	counts := func(stat func(metric.ConfusionMatrix) float64) func(idx []int) float64 {
		c := make(metric.ConfusionMatrix, len(p.Classes))
		for i := range c {
			c[i] = make([]int, len(p.Classes))
		}
		return func(idx []int) float64 {
			for i := range c {
				clear(c[i])
			}
			for _, i := range idx {
				c[p.Labels[i]][p.Calls[i]]++
			}
			return stat(c)
		}
	}
	two := func(stat func(metric.Confusion) float64) func(idx []int) float64 {
		yes, no := p.Positive, 1-p.Positive
		return counts(func(c metric.ConfusionMatrix) float64 {
			return stat(metric.Confusion{TP: c[yes][yes], FN: c[yes][no], FP: c[no][yes], TN: c[no][no]})
		})
	}
	if len(p.Classes) == 2 {
		b, err := binary(p.Probs, p.Labels, p.Positive)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Model, err)
		}
		r.Prevalence = b.Prevalence()
		add("sn", two(metric.Confusion.Sn))
		add("sp", two(metric.Confusion.Sp))
		add("mcc", two(metric.Confusion.MCC))
		add("accuracy", two(metric.Confusion.Accuracy))
		add("auroc", func(idx []int) float64 { return b.Resample(idx).AUROC() })
		add("auprc", func(idx []int) float64 { return b.Resample(idx).AUPRC() })
		add("ece", func(idx []int) float64 { return b.Resample(idx).ECE() })
		return r, nil
	}
	add("accuracy", counts(metric.ConfusionMatrix.Accuracy))
	add("macro_f1", counts(metric.ConfusionMatrix.MacroF1))
	add("mcc", counts(metric.ConfusionMatrix.MCC))
	return r, nil
}

// Get returns a score by name, NaN if there is none.
func (r *Result) Get(name string) float64 {
	for _, s := range r.Scores {
		if s.Name == name {
			return s.Estimate
		}
	}
	return math.NaN()
}

// heading returns the name of a score in tables.
func heading(name string) string {
	switch name {
	case "sn", "sp":
		return strings.ToUpper(name[:1]) + name[1:]
	case "macro_f1":
		return "macro-F1"
	case "accuracy":
		return name
	}
	return strings.ToUpper(name)
}

// WriteTable prints results side by side, one line each, with intervals for
// MCC and the main ranking score.
func WriteTable(w io.Writer, results []*Result, classes []string) error {
	if len(results) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	first := results[0]
	fmt.Fprint(t, "model\terrors")
	for _, s := range first.Scores {
		fmt.Fprintf(t, "\t%s", heading(s.Name))
	}
	fmt.Fprintln(t)
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%d/%d", r.Model, r.Errors, r.N)
		for _, s := range r.Scores {
			fmt.Fprintf(t, "\t%s", decimal(s.Estimate))
			if s.Name == "mcc" || s.Name == "auroc" || s.Name == "accuracy" && len(classes) > 2 {
				fmt.Fprintf(t, " [%s, %s]", decimal(s.Low), decimal(s.High))
			}
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if !math.IsNaN(first.Prevalence) {
		_, err := fmt.Fprintf(w, "[95 %% interval]; AUPRC of chance is the prevalence, %s\n", decimal(first.Prevalence))
		return err
	}
	fmt.Fprintln(w, "[95 % interval]")
	for i, c := range first.PerClass {
		fmt.Fprintf(w, "%s: %d of class %s, error %s\n", first.Model, c.Support, classes[i], decimal(c.Error))
	}
	return nil
}

func decimal(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}

// WriteTSV writes the predictions as a table: name, fold, label, call and one
// column of probabilities per class.
func (p *Predictions) WriteTSV(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "name\tfold\tlabel\tcall\t%s\n", strings.Join(prefixed("p_", p.Classes), "\t")); err != nil {
		return err
	}
	for i := range p.Labels {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s", p.Names[i], p.Folds[i], p.Classes[p.Labels[i]], p.Classes[p.Calls[i]])
		for _, v := range p.Probs[i] {
			fmt.Fprintf(w, "\t%s", strconv.FormatFloat(v, 'g', 6, 64))
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	return out
}

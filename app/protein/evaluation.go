package protein

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"heed/metric"
	"heed/model/alignment"
)

// An Evaluated is a contact map and what a structure says of it.
type Evaluated struct {
	Name   string
	Length int
	Scores []float64 // (L, L); those with i < j are read
	Truth  *Truth
}

// A MapPrecision is one row of an evaluation: a method in a range of separations, one
// protein or the mean of all.
type MapPrecision struct {
	Name             string // of the protein; "mean" for that of all
	Method           string // predicted, or a floor: nearness
	Range            metric.Separation
	At               [len(cuts)]metric.Interval
	Background       float64
	Pairs, Contacts  int
	Unknown, Protein int
}

// EvaluateMaps measures the precision of maps in all ranges, beside the floor of
// nearness in the sequence; Background is that of a random order. Intervals of one
// protein resample its positions, those of the mean whole proteins.
func EvaluateMaps(list []Evaluated, seed uint64) ([]MapPrecision, error) {
	var out []MapPrecision
	const methods = 2
	for _, s := range metric.Separations() {
		var values [methods][len(cuts)][]float64
		var background []float64
		for at, e := range list {
			places := make([]int, e.Length)
			for i := range places {
				places[i] = i
			}
			for m, x := range [methods][]float64{e.Scores, alignment.Nearness(places)} {
				r, err := metric.RankContacts(x, e.Truth.Touch, e.Length, s)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", e.Name, err)
				}
				p := MapPrecision{Name: e.Name, Method: [methods]string{"predicted", "nearness"}[m], Range: s, Background: r.Background(), Pairs: r.Pairs, Contacts: r.Contacts, Unknown: r.Unknown, Protein: at}
				for k, cut := range cuts {
					p.At[k] = metric.Bootstrap(positions(seed), e.Length, resamples, func(idx []int) float64 { return r.ResampledPrecision(idx, cut) })
					values[m][k] = append(values[m][k], r.Precision(cut))
				}
				if m == 0 {
					background = append(background, r.Background())
				}
				out = append(out, p)
			}
		}
		if len(list) < 2 {
			continue
		}
		for m := range methods {
			p := MapPrecision{Name: "mean", Method: [methods]string{"predicted", "nearness"}[m], Range: s, Background: meanKnown(background, nil), Protein: -1}
			for k := range cuts {
				p.At[k] = metric.Bootstrap(positions(seed), len(list), resamples, func(idx []int) float64 { return meanKnown(values[m][k], idx) })
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// meanKnown is the mean of those values that exist, at idx or, if it is nil, of all.
func meanKnown(x []float64, idx []int) float64 {
	sum, n := 0.0, 0
	add := func(v float64) {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if idx == nil {
		for _, v := range x {
			add(v)
		}
	}
	for _, i := range idx {
		add(x[i])
	}
	return sum / float64(n)
}

// writeEvaluation writes the means, or the one protein; with each, every protein.
func writeEvaluation(w io.Writer, rows []MapPrecision, each bool) error {
	several := false
	for _, r := range rows {
		several = several || r.Name == "mean"
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "protein\trange\tmethod\tP@L\t95 % interval\tP@L/2\tP@L/5\tpairs\tcontacts\tunknown\t")
	for _, r := range rows {
		if several && !each && r.Name != "mean" {
			continue
		}
		counts := fmt.Sprintf("%d\t%d\t%d\t", r.Pairs, r.Contacts, r.Unknown)
		if r.Name == "mean" {
			counts = "\t\t\t"
		}
		kind := r.Method
		if kind != "predicted" {
			kind += " (floor)"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s to %s\t%s\t%s\t%s\n", r.Name, r.Range.Name, kind, decimal(r.At[0].Estimate), decimal(r.At[0].Low), decimal(r.At[0].High),
			decimal(r.At[1].Estimate), decimal(r.At[2].Estimate), counts)
		if r.Method != "predicted" {
			b := decimal(r.Background)
			fmt.Fprintf(tw, "%s\t%s\trandom order (floor)\t%s\t\t%s\t%s\t\t\t\t\n", r.Name, r.Range.Name, b, b, b)
		}
	}
	return tw.Flush()
}

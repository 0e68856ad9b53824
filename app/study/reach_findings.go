package study

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"heed/metric"
	"heed/plot"
)

// relayFindings words what the runners did.
type relayFindings struct {
	l       *Lab
	runners []runner
	courses []course          // all distances together first
	trials  [][][]*relayTrial // (courses, runners, seeds)
}

// last is the course of the longest distance alone.
func (r relayFindings) last() int { return len(r.courses) - 1 }

// over returns a number of one runner at one distance over the seeds.
func (r relayFindings) over(course, runner, distance int, f func(t *relayTrial) []float64) metric.Interval {
	var values []float64
	for _, t := range r.trials[course][runner] {
		values = append(values, f(t)[distance])
	}
	return overSeeds(values)
}

func (r relayFindings) table(title, format string, f func(t *relayTrial) []float64, notes ...string) Table {
	t := Table{Title: fmt.Sprintf("%s, %d seeds", title, r.l.Seeds), Columns: []string{"layer", "parameters"}, Notes: notes}
	for _, d := range r.courses[0].distances {
		t.Columns = append(t.Columns, fmt.Sprint(d))
	}
	for i, c := range r.runners {
		row := []string{c.name, fmt.Sprint(r.trials[0][i][0].params)}
		for k := range r.courses[0].distances {
			v := r.over(0, i, k, f)
			row = append(row, fmt.Sprintf(format, v.Estimate, v.Low, v.High))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (r relayFindings) steps() Table {
	t := Table{Title: fmt.Sprintf("Distances trained together: steps until nine of ten letters were right and stayed so, each of %d seeds", r.l.Seeds), Columns: []string{"layer"},
		Notes: []string{fmt.Sprintf("Looked at every %d steps with %d sequences; - is never within %d steps.", between, r.courses[0].look, r.courses[0].steps)}}
	for _, d := range r.courses[0].distances {
		t.Columns = append(t.Columns, fmt.Sprint(d))
	}
	for i, c := range r.runners {
		row := []string{c.name}
		for k := range r.courses[0].distances {
			var cells []string
			for _, x := range r.trials[0][i] {
				cells = append(cells, stepsWord(x.learned[k]))
			}
			row = append(row, strings.Join(cells, ", "))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// single shows what is learned of one distance alone.
func (r relayFindings) single() Table {
	t := Table{Title: fmt.Sprintf("One distance trained alone: share right, and in how many steps, %d seeds", r.l.Seeds), Columns: []string{"layer"},
		Notes: []string{fmt.Sprintf("At most %d steps of %d sequences, fewer if nearly all of %d were right. Steps until nine of ten were, of each seed; - is never.", r.courses[r.last()].steps, r.courses[r.last()].batch, r.courses[r.last()].look),
			"This part was added after a small run had shown that an LSTM learns all distances together; the bounds stayed. With 600 steps, a quarter, attention had 1,000 tokens right in .835 [.730, 1.000] of the cases, which missed its bound: that was too few steps. All layers were then given the larger number; the bound stayed again."}}
	for _, c := range r.courses[1:] {
		t.Columns = append(t.Columns, fmt.Sprint(c.distances[0]))
	}
	for i, c := range r.runners {
		if !c.single() {
			continue
		}
		row := []string{c.name}
		for k := range r.courses[1:] {
			v := r.over(k+1, i, 0, func(t *relayTrial) []float64 { return t.right })
			var steps []string
			for _, x := range r.trials[k+1][i] {
				steps = append(steps, stepsWord(x.learned[0]))
			}
			row = append(row, fmt.Sprintf("%.2f [%.2f, %.2f]; %s", v.Estimate, v.Low, v.High, strings.Join(steps, ", ")))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// stepsWord prints a number of steps, which may be NaN for never.
func stepsWord(n float64) string {
	if math.IsNaN(n) {
		return "-"
	}
	return fmt.Sprint(n)
}

func (r relayFindings) find(name string) int {
	return slices.IndexFunc(r.runners, func(c runner) bool { return c.name == name })
}

func (r relayFindings) checks(f *Finding) {
	d := r.courses[0].distances
	far, ten, thirty := len(d)-1, slices.Index(d, 10), slices.Index(d, 30)
	attention, lstm, dilated := r.find("attention"), r.find("LSTM"), r.find("dilated convolutions")
	right := func(t *relayTrial) []float64 { return t.right }
	var worst, longest, lead, alone, fallLSTM, fallAttention []float64
	for s, t := range r.trials[0][attention] {
		other, single := r.trials[0][lstm][s], r.trials[r.last()]
		worst, longest = append(worst, slices.Min(t.right)), append(longest, single[attention][s].right[0])
		lead = append(lead, t.right[far]-other.right[far])
		alone = append(alone, single[attention][s].right[0]-single[lstm][s].right[0])
		fallAttention = append(fallAttention, math.Log10(t.before[ten]/t.before[far]))
		fallLSTM = append(fallLSTM, math.Log10(other.before[ten]/max(other.before[far], math.SmallestNonzeroFloat32)))
	}
	f.Checks = append(f.Checks,
		Check{Name: "attention, right at its worst distance, distances trained together", Value: overSeeds(worst), Bound: r.l.bound(0.95, 0.9)},
		Check{Name: fmt.Sprintf("attention, right at %d tokens, trained alone", d[far]), Value: overSeeds(longest), Bound: r.l.bound(0.95, 0.9)},
		Check{Name: fmt.Sprintf("attention less LSTM, right at %d tokens, trained alone", d[far]), Value: overSeeds(alone), Bound: 0.3})
	if !r.l.Tiny { // at 100 tokens nobody claims it
		f.Checks = append(f.Checks, Check{Name: fmt.Sprintf("attention less LSTM, right at %d tokens, distances trained together", d[far]), Value: overSeeds(lead), Bound: 0.3})
	}
	f.Checks = append(f.Checks,
		Check{Name: fmt.Sprintf("untrained LSTM: powers of ten by which the gradient falls from 10 to %d tokens", d[far]), Value: overSeeds(fallLSTM), Bound: 6},
		Check{Name: "untrained attention: the same", Value: overSeeds(fallAttention), Bound: 4, Upper: true},
		Check{Name: "dilated convolutions, right at 10 tokens", Value: r.over(0, dilated, ten, right), Bound: 0.9},
		Check{Name: "control: dilated convolutions, right at 30 tokens", Value: r.over(0, dilated, thirty, right), Bound: 0.3, Upper: true})
}

func (r relayFindings) figures() ([]Figure, error) {
	const least = 1e-30
	var out []Figure
	for _, x := range []struct {
		figure       plot.Lines
		name, legend string
		f            func(t *relayTrial) []float64
	}{
		{plot.Lines{Title: "Letters handed over rightly", XLabel: "distance (tokens)", YLabel: "share right", LogX: true, YMin: 0, YMax: 1.05}, "right",
			"Share of letters handed over rightly by distance, distances trained together. Bands: range of the seeds.", func(t *relayTrial) []float64 { return t.right }},
		{plot.Lines{Title: "What an untrained layer tells its letter", XLabel: "distance (tokens)", YLabel: "norm of the gradient", LogX: true, LogY: true}, "gradient",
			"Norm of the derivative of the answer with respect to the letter before training; what is below 1e-30 is drawn there.", func(t *relayTrial) []float64 { return t.before }},
	} {
		tsv := &strings.Builder{}
		fmt.Fprintln(tsv, "layer\tdistance\tvalue\tlow\thigh")
		for i, c := range r.runners {
			line := plot.Line{Name: c.name}
			for k, d := range r.courses[0].distances {
				v := r.over(0, i, k, x.f)
				fmt.Fprintf(tsv, "%s\t%d\t%.6g\t%.6g\t%.6g\n", c.name, d, v.Estimate, v.Low, v.High)
				if x.figure.LogY {
					v = metric.Interval{Estimate: max(v.Estimate, least), Low: max(v.Low, least), High: max(v.High, least)}
				}
				line.X, line.Y, line.Low, line.High = append(line.X, float64(d)), append(line.Y, v.Estimate), append(line.Low, v.Low), append(line.High, v.High)
			}
			x.figure.Lines = append(x.figure.Lines, line)
		}
		fig, err := x.figure.Figure()
		if err != nil {
			return nil, err
		}
		out = append(out, Figure{Name: x.name, Alt: x.figure.Title + " by distance, for " + fmt.Sprint(len(r.runners)) + " kinds of layers", Caption: x.legend, SVG: fig.SVG(), TSV: []byte(tsv.String())})
	}
	return out, nil
}

func (r relayFindings) words() string {
	d := r.courses[0].distances
	far := len(d) - 1
	right := func(t *relayTrial) []float64 { return t.right }
	before := func(t *relayTrial) []float64 { return t.before }
	var together, alone []string
	for i, c := range r.runners {
		together = append(together, fmt.Sprintf("%s %.2f", c.name, r.over(0, i, far, right).Estimate))
		if c.single() {
			alone = append(alone, fmt.Sprintf("%s %.2f", c.name, r.over(r.last(), i, 0, right).Estimate))
		}
	}
	at := func(name string, k int) string {
		if v := r.over(0, r.find(name), k, before).Estimate; v > 0 {
			return fmt.Sprintf("%.1e", v)
		}
		return "less than float32 holds"
	}
	text := fmt.Sprintf("Trained on %d tokens alone, a letter is handed over rightly in these shares of the cases: %s; trained together with shorter distances: %s (chance %.3f). "+
		"The gradient that reaches the letter in an untrained LSTM falls from %s at a distance of %d to %s at %d; in attention from %s to %s, about as one over the length, because an untrained head reads all tokens alike: its path is one step, but its share is small.",
		d[far], strings.Join(alone, ", "), strings.Join(together, ", "), 1.0/relayCapitals,
		at("LSTM", 0), d[0], at("LSTM", far), d[far], at("attention", 0), at("attention", far))
	if r.over(r.last(), r.find("attention"), 0, right).Estimate < 0.95 {
		text += fmt.Sprintf(" So attention too learns %d tokens alone less surely than was claimed.", d[far])
	}
	if lstm := r.find("LSTM"); r.over(0, lstm, far, right).Estimate > 0.9 && r.over(r.last(), lstm, 0, right).Estimate < 0.5 {
		text += " The claim holds for what the LSTM can learn from long distances alone, and is refuted for what it can learn at all: short distances teach it a latch that then holds for as long as is asked, and the gradient no longer vanishes."
	}
	return text
}

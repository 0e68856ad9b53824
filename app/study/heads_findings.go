package study

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"heed/metric"
	"heed/plot"
)

// needleFindings words what the trained pools did.
type needleFindings struct {
	l       *Lab
	tasks   []needleTask
	results [][]*needleResult // (tasks, seeds)
}

// over returns a number of one task over the seeds.
func (h needleFindings) over(task int, f func(r *needleResult) float64) metric.Interval {
	var values []float64
	for _, r := range h.results[task] {
		values = append(values, f(r))
	}
	return overSeeds(values)
}

func (h needleFindings) law(f *Finding) {
	t := Table{
		Title:   fmt.Sprintf("Share of variance explained (R²) of the needle and the mean of %d tokens, %d seeds", needleTokens, h.l.Seeds),
		Columns: []string{"values m", "noise", "heads", "parameters", "R² [range of seeds]", "needle", "mean", "law of one head", "best possible"},
		Notes: []string{"The law counts: one head hands on m mixed values and the weight of the needle among them, m+1 numbers, where 2m are wanted. It is an argument by counting, which the runs may refute, and no theorem.",
			"Parameters do not depend on the number of heads: the same query, keys and values are divided among them, and so are the multiply-adds. Floor: an answer that knows nothing has R² 0."},
	}
	enough, off := h.l.bound(0.99, 0.93), h.l.bound(0.02, 0.08)
	for i, task := range h.tasks {
		r2 := h.over(i, (*needleResult).r2)
		law := "-"
		if task.heads == 1 {
			law = fmt.Sprintf("%.3f", task.law())
		}
		t.Rows = append(t.Rows, []string{fmt.Sprint(task.m), fmt.Sprint(task.noise), fmt.Sprint(task.heads), fmt.Sprint(h.results[i][0].params), interval(r2),
			interval(h.over(i, func(r *needleResult) float64 { return r.needle })), interval(h.over(i, func(r *needleResult) float64 { return r.mean })), law, fmt.Sprintf("%.3f", task.ceiling())})
		switch {
		case task.noise > 1:
		case task.m == 1 && task.heads == 1:
			f.Checks = append(f.Checks, Check{Name: "control m = 1: R² of one head", Value: r2, Bound: enough})
		case task.heads == 1:
			f.Checks = append(f.Checks, Check{Name: fmt.Sprintf("m = %d: one head, distance from the law %.4f", task.m, task.law()),
				Value: h.over(i, func(r *needleResult) float64 { return math.Abs(r.r2() - task.law()) }), Bound: off, Upper: true})
		case task.heads == 2 && task.m > 1:
			f.Checks = append(f.Checks, Check{Name: fmt.Sprintf("m = %d: R² of two heads", task.m), Value: r2, Bound: enough})
		}
	}
	f.Tables = append(f.Tables, t)
}

// sharp returns the head of a result that gives the needle more weight, and the
// other one.
func (r *needleResult) sharp() (sharp, soft int) {
	if r.heads[1].weight > r.heads[0].weight {
		return 1, 0
	}
	return 0, 1
}

func (h needleFindings) freezing(f *Finding) {
	t := Table{
		Title:   fmt.Sprintf("Two heads, m = 4: what each reads of %d tokens, and R² when it is frozen, %d seeds", needleTokens, h.l.Seeds),
		Columns: []string{"noise", "head", "tokens read (perplexity)", "weight of the needle", "temperature", "frozen: needle", "frozen: mean"},
		Notes: []string{"Sharp is the head that gives the needle more weight. Frozen: its output is held at its mean over all sets, and nothing is trained again. Below 0 is worse than an answer that knows nothing: the layers behind still count on the head.",
			"Temperature: one over the standard deviation of the scores before the softmax. A low one belongs to a sharp head, as in physics; some texts say it the other way round."},
	}
	for i, task := range h.tasks {
		if task.heads != 2 || task.m != 4 {
			continue
		}
		for k, name := range []string{"sharp", "soft"} {
			pick := func(g func(r *needleResult, head int) float64) metric.Interval {
				return h.over(i, func(r *needleResult) float64 {
					sharp, soft := r.sharp()
					return g(r, []int{sharp, soft}[k])
				})
			}
			needle := pick(func(r *needleResult, head int) float64 { return r.frozen[head][0] })
			mean := pick(func(r *needleResult, head int) float64 { return r.frozen[head][1] })
			t.Rows = append(t.Rows, []string{fmt.Sprint(task.noise), name, interval(pick(func(r *needleResult, head int) float64 { return r.heads[head].perplexity })),
				interval(pick(func(r *needleResult, head int) float64 { return r.heads[head].weight })),
				interval(pick(func(r *needleResult, head int) float64 { return 1 / r.heads[head].sharpness })), interval(needle), interval(mean)})
			if task.noise > 1 {
				killed, kept, names := needle, mean, []string{"needle", "mean"}
				if k == 1 {
					killed, kept, names = mean, needle, []string{"mean", "needle"}
				}
				f.Checks = append(f.Checks,
					Check{Name: fmt.Sprintf("noise %g, %s head frozen: R² of the %s", task.noise, name, names[0]), Value: killed, Bound: 0.2, Upper: true},
					Check{Name: fmt.Sprintf("noise %g, %s head frozen: R² of the %s", task.noise, name, names[1]), Value: kept, Bound: h.l.bound(0.7, 0.3)})
			}
		}
	}
	f.Tables = append(f.Tables, t)
	h.spare(f)
}

// spare shows which of four heads are redundant.
func (h needleFindings) spare(f *Finding) {
	t := Table{
		Title:   fmt.Sprintf("Four heads, m = 4: R² that is lost when one is frozen, the dearest head first, %d seeds", h.l.Seeds),
		Columns: []string{"noise", "first", "second", "third", "fourth"},
		Notes:   []string{"Two heads are enough for this task. Of four, one that costs next to nothing is redundant; where all four cost something they have shared the work."},
	}
	for i, task := range h.tasks {
		if task.heads != 4 {
			continue
		}
		row := []string{fmt.Sprint(task.noise)}
		for k := range task.heads {
			row = append(row, interval(h.over(i, func(r *needleResult) float64 {
				var lost []float64
				for _, v := range r.frozen {
					lost = append(lost, r.r2()-(v[0]+v[1])/2)
				}
				slices.Sort(lost)
				return lost[len(lost)-1-k]
			})))
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) > 0 {
		f.Tables = append(f.Tables, t)
	}
}

func (h needleFindings) figure() (Figure, error) {
	one, many, law := plot.Line{Name: "one head"}, plot.Line{Name: "two heads, same parameters"}, plot.Line{Name: "law (m+1)/(2m)", Theory: true}
	tsv := &strings.Builder{}
	fmt.Fprintln(tsv, "m\theads\tR2\tlow\thigh")
	for i, task := range h.tasks {
		if task.noise > 1 || task.heads > 2 {
			continue
		}
		r2 := h.over(i, (*needleResult).r2)
		fmt.Fprintf(tsv, "%d\t%d\t%.4f\t%.4f\t%.4f\n", task.m, task.heads, r2.Estimate, r2.Low, r2.High)
		to := &one
		if task.heads == 2 {
			to = &many
		} else {
			law.X, law.Y = append(law.X, float64(task.m)), append(law.Y, task.law())
		}
		to.X, to.Y = append(to.X, float64(task.m)), append(to.Y, r2.Estimate)
		to.Low, to.High = append(to.Low, r2.Low), append(to.High, r2.High)
	}
	fig, err := plot.Lines{Title: "One head against two of the same size", XLabel: "values m of a token", YLabel: "R² of needle and mean", YMin: 0, YMax: 1.05, Lines: []plot.Line{one, many, law}}.Figure()
	if err != nil {
		return Figure{}, err
	}
	return Figure{Name: "law", Alt: "R² of one head and of two heads against the number of values of a token, with the law", SVG: fig.SVG(), TSV: []byte(tsv.String()),
		Caption: "One head follows the law of counting; two heads with the same number of parameters know both halves of the answer. Bands: range of the seeds."}, nil
}

func (h needleFindings) words() string {
	var one, two, parted []string
	for i, task := range h.tasks {
		r2 := h.over(i, (*needleResult).r2).Estimate
		switch {
		case task.noise < 1 && task.heads == 1:
			one = append(one, fmt.Sprintf("%.3f for m = %d (law %.3f)", r2, task.m, task.law()))
		case task.noise < 1 && task.heads == 2 && task.m > 1:
			two = append(two, fmt.Sprintf("%.3f for m = %d", r2, task.m))
		}
		if task.heads == 2 && task.m == 4 {
			at := func(f func(r *needleResult, sharp, soft int) float64) float64 {
				return h.over(i, func(r *needleResult) float64 { a, b := r.sharp(); return f(r, a, b) }).Estimate
			}
			parted = append(parted, fmt.Sprintf("with noise of %g one reads %.1f and the other %.1f of %d tokens; freezing the first leaves an R² of %.2f of the needle and %.2f of the mean, freezing the second %.2f and %.2f", task.noise,
				at(func(r *needleResult, a, _ int) float64 { return r.heads[a].perplexity }), at(func(r *needleResult, _, b int) float64 { return r.heads[b].perplexity }), needleTokens,
				at(func(r *needleResult, a, _ int) float64 { return r.frozen[a][0] }), at(func(r *needleResult, a, _ int) float64 { return r.frozen[a][1] }),
				at(func(r *needleResult, _, b int) float64 { return r.frozen[b][0] }), at(func(r *needleResult, _, b int) float64 { return r.frozen[b][1] })))
		}
	}
	return fmt.Sprintf("One head explains %s of the variance, and two heads of the same size %s. The two share the work: %s.", strings.Join(one, ", "), strings.Join(two, ", "), strings.Join(parted, "; "))
}

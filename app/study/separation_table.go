package study

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/autograd"
	"heed/internal/par"
	"heed/metric"
	"heed/model/alignment"
	"heed/plot"
)

// maskedRows are rows with residues to fill in, the same for every model.
type maskedRows struct {
	columns int
	copies  int       // of each row, masked differently
	rows    [][]uint8 // (rows·copies)
	at      [][]int32 // places in each
	truth   [][]int32
}

// maskRows masks 15 % of the residues of each of several copies of every row.
func maskRows(rows [][]uint8, copies int, r *rand.Rand) *maskedRows {
	m := &maskedRows{columns: len(rows[0]), copies: copies}
	for _, row := range rows {
		for range copies {
			c := slices.Clone(row)
			at, truth := alignment.Mask(c, 0.15, true, r)
			m.rows, m.at, m.truth = append(m.rows, c), append(m.at, at), append(m.truth, truth)
		}
	}
	return m
}

// counts returns the residues to fill in, of each row over its copies.
func (m *maskedRows) counts() []int {
	out := make([]int, len(m.rows)/m.copies)
	for i, t := range m.truth {
		out[i/m.copies] += len(t)
	}
	return out
}

// together is the number of rows of one pass.
const together = 16

// each calls f with the logits of parts of the rows, on all cores: from is the
// number of the part's first row, truth all its letters, row by row.
func (m *maskedRows) each(logits func(rows []uint8, at []int32) []float32, f func(from int, logits []float32, truth [][]int32)) {
	par.Do((len(m.rows)+together-1)/together, par.Cores(), func(_, k int) {
		from, to := k*together, min((k+1)*together, len(m.rows))
		var states []uint8
		at := []int32{}
		for i := from; i < to; i++ {
			states = append(states, m.rows[i]...)
			for _, p := range m.at[i] {
				at = append(at, int32((i-from)*m.columns)+p)
			}
		}
		f(from, logits(states, at), m.truth[from:to])
	})
}

// count returns the residues filled in rightly, of each row over its copies.
func (m *maskedRows) count(logits func(rows []uint8, at []int32) []float32) []int {
	right := make([]int, len(m.rows))
	m.each(logits, func(from int, y []float32, truth [][]int32) {
		for i, letters := range truth {
			for _, want := range letters {
				best := 0
				for a, v := range y[:alignment.Residues] {
					if v > y[best] {
						best = a
					}
				}
				if int32(best) == want {
					right[from+i]++
				}
				y = y[alignment.Residues:]
			}
		}
	})
	out := make([]int, len(m.rows)/m.copies)
	for i, n := range right {
		out[i/m.copies] += n
	}
	return out
}

// of returns the logits of a model.
func of(model *alignment.Row) func(rows []uint8, at []int32) []float32 {
	return func(rows []uint8, at []int32) []float32 {
		return model.Logits(&autograd.Tape{NoGrad: true}, rows, at).Data
	}
}

func (m *maskedRows) right(model *alignment.Row) []int { return m.count(of(model)) }

// loss returns the mean cross-entropy of the residues to fill in, in nats.
func (m *maskedRows) loss(model *alignment.Row) float64 {
	parts := make([]float64, len(m.rows))
	m.each(of(model), func(from int, y []float32, truth [][]int32) {
		all := slices.Concat(truth...)
		logits := autograd.Input(y, len(all), alignment.Residues)
		parts[from] = float64(autograd.CrossEntropy(&autograd.Tape{NoGrad: true}, logits, all, 1).Data[0])
	})
	sum, n := 0.0, 0
	for i, p := range parts {
		sum, n = sum+p, n+len(m.truth[i])
	}
	return sum / float64(max(1, n))
}

// bootstraps is the number of resamples of an interval.
const bootstraps = 1000

func accuracyTable(trials []*trial, seed uint64) Table {
	t := Table{
		Title:   "Masked residues filled in rightly, " + trials[0].family.title,
		Columns: []string{"model", "parameters", "accuracy [range of seeds]", "above the profile [95 %, clusters of the first seed]", "epoch kept", "seconds"},
		Notes: append([]string{fmt.Sprintf("Rows of 80 %% identity stay together: a tenth of the clusters is for choosing the epoch and a tenth is the test (%d rows in %d clusters, %d residues with the first seed). Profile: the most frequent letter of the column in the training rows.",
			len(trials[0].masked), distinct(trials[0].clusters), total(trials[0].masked))}, trials[0].family.notes...),
	}
	over := func(f func(t *trial) float64) metric.Interval {
		var values []float64
		for _, tr := range trials {
			values = append(values, f(tr))
		}
		return overSeeds(values)
	}
	t.Rows = append(t.Rows, []string{"uniform", "0", fmt.Sprintf("%.3f", 1.0/alignment.Residues), "-", "-", "-"},
		[]string{"profile", fmt.Sprint(len(trials[0].family.rows[0]) * alignment.Residues), interval(over(func(t *trial) float64 { return share(t.profile, t.masked, nil) })), "-", "-", "-"})
	first := trials[0]
	for i, c := range first.models {
		above := metric.BootstrapClusters(rand.New(rand.NewPCG(seed, 9)), first.clusters, bootstraps, func(idx []int) float64 {
			return share(first.results[i].right, first.masked, idx) - share(first.profile, first.masked, idx)
		})
		t.Rows = append(t.Rows, []string{
			c.name, fmt.Sprint(first.results[i].count), interval(over(func(t *trial) float64 { return t.results[i].accuracy(t.masked) })),
			fmt.Sprintf("%+.3f [%+.3f, %+.3f]", above.Estimate, above.Low, above.High),
			fmt.Sprintf("%.0f", over(func(t *trial) float64 { return float64(t.results[i].epoch) }).Estimate),
			fmt.Sprintf("%.0f", over(func(t *trial) float64 { return t.results[i].took.Seconds() }).Estimate),
		})
	}
	return t
}

func distinct(x []int) int {
	seen := map[int]bool{}
	for _, v := range x {
		seen[v] = true
	}
	return len(seen)
}

func total(x []int) (n int) {
	for _, v := range x {
		n += v
	}
	return n
}

// precisionTable ranks the pairs of columns by every model's Jacobian; precision
// is (contenders, ranges, seeds).
func precisionTable(trials []*trial, seed uint64) (t Table, precision [][][]float64, err error) {
	fam := trials[0].family
	l, ranges := len(fam.rows[0]), metric.Separations()
	name := "P@L"
	if fam.k > 1 {
		name = fmt.Sprintf("P@L/%d", fam.k)
	}
	t = Table{Title: "Pairs of columns by the categorical Jacobian, " + name + " [range of seeds], " + fam.title, Columns: []string{"model"}}
	for _, s := range ranges {
		t.Columns = append(t.Columns, s.Name)
	}
	var floor, ceiling []string
	rankings := make([][][]*metric.ContactRanking, len(trials[0].models)) // (contenders, ranges, seeds)
	for i, c := range trials[0].models {
		row := []string{c.name}
		precision = append(precision, make([][]float64, len(ranges)))
		rankings[i] = make([][]*metric.ContactRanking, len(ranges))
		for k, s := range ranges {
			for _, tr := range trials {
				r, err := metric.RankContacts(tr.results[i].scores, tr.family.truth, l, s)
				if err != nil {
					return t, nil, err
				}
				rankings[i][k] = append(rankings[i][k], r)
				precision[i][k] = append(precision[i][k], r.Precision(fam.k))
			}
			row = append(row, interval(overSeeds(precision[i][k])))
			if i == 0 {
				r := rankings[0][k][0]
				floor = append(floor, fmt.Sprintf("%.3f", r.Background()))
				ceiling = append(ceiling, fmt.Sprintf("%.3f", min(1, float64(r.Contacts)/float64(l/fam.k))))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	row := []string{"attention less BiLSTM [95 %, positions]"}
	for k := range ranges {
		d := metric.Bootstrap(rand.New(rand.NewPCG(seed, 10)), l, bootstraps, func(idx []int) float64 {
			sum := 0.0
			for s := range trials {
				sum += rankings[0][k][s].ResampledPrecision(idx, fam.k) - rankings[1][k][s].ResampledPrecision(idx, fam.k)
			}
			return sum / float64(len(trials))
		})
		row = append(row, fmt.Sprintf("%+.3f [%+.3f, %+.3f]", overSeeds(precision[0][k]).Estimate-overSeeds(precision[1][k]).Estimate, d.Low, d.High))
	}
	t.Rows = append(t.Rows, row, append([]string{"random order"}, floor...), append([]string{"all contacts first"}, ceiling...))
	t.Notes = []string{"Separations along the chain: short 6 to 11, medium 12 to 23, long 24 and more; all are 6 and more. A contact: " + fam.contact + ".",
		fmt.Sprintf("The Jacobian (Zhang et al. 2024) is the change of all logits under every substitution, averaged over training rows, with its blocks centred, made symmetric, Frobenius norm and average product correction; it is the same measure for all models. Where a range has fewer contacts than %s counts pairs, not all can be right: the last row.", name)}
	return t, precision, nil
}

// separationFigure draws the precision of every model against the distance along the
// chain, in the ranges that the family has pairs in.
func separationFigure(trials []*trial, precision [][][]float64) ([]Figure, error) {
	lines := plot.Lines{Title: "Pairs of columns found, by the distance along the chain", XLabel: "residues between the two, least of the range", YLabel: "precision", LogX: true, YMin: 0, YMax: 1.02}
	tsv := &strings.Builder{}
	fmt.Fprintln(tsv, "model\tfrom\tvalue\tlow\thigh")
	for i, c := range trials[0].models {
		line := plot.Line{Name: c.name}
		for k, s := range metric.Separations() {
			if s.Max == 0 && s.Name == "all" {
				continue
			}
			v := overSeeds(precision[i][k])
			if math.IsNaN(v.Estimate) {
				continue
			}
			line.X, line.Y = append(line.X, float64(s.Min)), append(line.Y, v.Estimate)
			line.Low, line.High = append(line.Low, v.Low), append(line.High, v.High)
			fmt.Fprintf(tsv, "%s\t%d\t%.4f\t%.4f\t%.4f\n", c.name, s.Min, v.Estimate, v.Low, v.High)
		}
		lines.Lines = append(lines.Lines, line)
	}
	fig, err := lines.Figure()
	if err != nil {
		return nil, err
	}
	return []Figure{{Name: "precision", Alt: "Precision of pairs of columns by their distance along the chain, for each model",
		Caption: "Precision of the first pairs by the categorical Jacobian in the short, medium and long range, which begin at 6, 12 and 24. Bands: range of the seeds.", SVG: fig.SVG(), TSV: []byte(tsv.String())}}, nil
}

package protein

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"text/tabwriter"

	"heed/format/dms"
	"heed/format/pdb"
	"heed/metric"
)

// A Correlation is that of one way to score variants with what was measured.
type Correlation struct {
	Method string
	// Floor says that the method knows neither a model nor the measurement; Control
	// that it tells what the correlation is made of.
	Floor, Control bool
	Note           string
	Spearman       metric.Interval
	// Less is the correlation of the model less this one, on the same resamples;
	// that of the model itself is 0.
	Less     metric.Interval
	Variants int // with a score by this method and by the model
}

// A VariantTable is variants with all their scores.
type VariantTable struct {
	List    []dms.Variant
	Changes [][]Change
	Method  string    // of Score
	Score   []float64 // of the model; NaN where it has none
	Others  []VariantColumn
}

// A VariantColumn is one more score of all variants.
type VariantColumn struct {
	Name, Note     string
	Floor, Control bool
	Values         []float64
}

// hydropathy is the index of Kyte and Doolittle (1982), in the order of dms.Letters.
var hydropathy = [len(dms.Letters)]float64{1.8, 2.5, -3.5, -3.5, 2.8, -0.4, -3.2, 4.5, -3.9, 3.8, 1.9, -3.5, -1.6, -3.5, -4.5, -0.8, -0.7, 4.2, -0.9, -1.3} // never written to

// newVariantTable scores variants by a model and by the floors; extra are scores of
// further models, such as the frequencies of a family.
func newVariantTable(list []dms.Variant, changed [][]Change, seq []byte, method string, model VariantScorer, extra map[string]VariantScorer) *VariantTable {
	t := &VariantTable{List: list, Changes: changed, Method: method}
	sum := func(f func(c Change) float64) []float64 {
		out := make([]float64, len(changed))
		for i, cs := range changed {
			for _, c := range cs {
				out[i] += f(c)
			}
		}
		return out
	}
	t.Score = make([]float64, len(changed))
	for i, cs := range changed {
		t.Score[i] = model.Score(cs)
	}
	for _, name := range sortedKeys(extra) {
		x := make([]float64, len(changed))
		for i, cs := range changed {
			x[i] = extra[name].Score(cs)
		}
		t.Others = append(t.Others, VariantColumn{Name: name, Floor: true, Note: "each column of the alignment by itself", Values: x})
	}
	t.Others = append(t.Others,
		VariantColumn{Name: "BLOSUM62", Floor: true, Note: "substitution matrix", Values: sum(func(c Change) float64 {
			return float64(pdb.Substitution(seq[c.Position], c.To))
		})},
		VariantColumn{Name: "hydrophobicity", Floor: true, Note: "minus the difference of the Kyte-Doolittle index", Values: sum(func(c Change) float64 {
			a, b := strings.IndexByte(dms.Letters, seq[c.Position]), strings.IndexByte(dms.Letters, c.To)
			if a < 0 {
				return 0
			}
			return -math.Abs(hydropathy[a] - hydropathy[b])
		})})
	for _, cs := range changed {
		if len(cs) != len(changed[0]) {
			t.Others = append(t.Others, VariantColumn{Name: "number of changes", Floor: true, Note: "minus how many there are", Values: sum(func(Change) float64 { return -1 })})
			break
		}
	}
	t.Others = append(t.Others, VariantColumn{Name: "position mean", Control: true, Note: "mean of the model over the amino acids of the position: what it knows of positions alone",
		Values: sum(func(c Change) float64 { return positionMean(model.Site(c.Position), seq[c.Position]) })})
	return t
}

func sortedKeys(m map[string]VariantScorer) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// positionMean is the mean of the 19 substitutions.
func positionMean(site []float64, wild byte) float64 {
	sum, n := 0.0, 0
	for a, v := range site {
		if dms.Letters[a] != wild {
			sum += v
			n++
		}
	}
	return sum / float64(n)
}

// measuredMean is, for variants of one change, the mean of what was measured of the
// others at the position: it knows the measurement, and says how much of it the
// position alone decides. It is NaN where there is no other.
func (t *VariantTable) measuredMean() VariantColumn {
	sum, n := map[int]float64{}, map[int]int{}
	for i, cs := range t.Changes {
		if len(cs) == 1 {
			sum[cs[0].Position] += t.List[i].Score
			n[cs[0].Position]++
		}
	}
	out := VariantColumn{Name: "measured position mean", Control: true, Note: "mean of what was measured of the other variants of the position: knows the answer for its neighbours"}
	for i, cs := range t.Changes {
		v := math.NaN()
		if len(cs) == 1 && n[cs[0].Position] > 1 {
			k := cs[0].Position
			v = (sum[k] - t.List[i].Score) / float64(n[k]-1)
		}
		out.Values = append(out.Values, v)
	}
	return out
}

// measured reports whether the variants have measured scores.
func (t *VariantTable) measured() bool { return len(t.List) > 0 && !math.IsNaN(t.List[0].Score) }

// compare correlates all scores with what was measured. Intervals come from
// resamples of whole sets of positions: variants of a position are alike, and
// intervals that take them one by one are too narrow.
func (t *VariantTable) compare(seed uint64) ([]Correlation, error) {
	columns := append([]VariantColumn{{Name: t.Method, Values: t.Score}}, t.Others...)
	columns = append(columns, t.measuredMean())
	var out []Correlation
	for k, c := range columns {
		var truth, score, model []float64
		var cluster []int
		names := map[string]int{}
		for i, v := range t.List {
			if math.IsNaN(c.Values[i]) || math.IsNaN(t.Score[i]) {
				continue
			}
			truth, score, model = append(truth, v.Score), append(score, c.Values[i]), append(model, t.Score[i])
			key := ""
			for _, x := range t.Changes[i] {
				key += fmt.Sprint(x.Position, " ")
			}
			if _, ok := names[key]; !ok {
				names[key] = len(names)
			}
			cluster = append(cluster, names[key])
		}
		row := Correlation{Method: c.Name, Floor: c.Floor, Control: c.Control, Note: c.Note, Variants: len(truth)}
		if len(truth) == 0 {
			nan := metric.Interval{Estimate: math.NaN(), Low: math.NaN(), High: math.NaN()}
			row.Spearman, row.Less = nan, nan
			out = append(out, row)
			continue
		}
		times := resamples
		if len(truth) > 20000 {
			times = 200 // a sort each
		}
		at := func(x []float64, idx []int) []float64 {
			y := make([]float64, len(idx))
			for i, j := range idx {
				y[i] = x[j]
			}
			return y
		}
		var failed error
		rho := func(x, y []float64) float64 {
			r, err := metric.Spearman(x, y)
			if err != nil {
				failed = err
			}
			return r
		}
		rng := func() *rand.Rand { return rand.New(rand.NewPCG(seed, 0x646d73)) } // "dms"
		row.Spearman = metric.BootstrapClusters(rng(), cluster, times, func(idx []int) float64 { return rho(at(score, idx), at(truth, idx)) })
		if k > 0 {
			row.Less = metric.BootstrapClusters(rng(), cluster, times, func(idx []int) float64 {
				y := at(truth, idx)
				return rho(at(model, idx), y) - rho(at(score, idx), y)
			})
		}
		if failed != nil {
			return nil, failed
		}
		out = append(out, row)
	}
	return out, nil
}

// writeCorrelations writes the table for people.
func writeCorrelations(w io.Writer, rows []Correlation) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "score\tSpearman\t95 % interval\tmodel less this\t95 % interval\tvariants\t")
	for i, r := range rows {
		less, interval := "", ""
		if i > 0 {
			less, interval = fmt.Sprintf("%+.3f", r.Less.Estimate), fmt.Sprintf("%+.3f to %+.3f", r.Less.Low, r.Less.High)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s to %s\t%s\t%s\t%d\t%s\n", r.Method, decimal(r.Spearman.Estimate), decimal(r.Spearman.Low), decimal(r.Spearman.High), less, interval, r.Variants, r.kind())
	}
	return tw.Flush()
}

func (r *Correlation) kind() string {
	switch {
	case r.Floor:
		return "floor"
	case r.Control:
		return "control"
	}
	return ""
}

package protein

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"heed/format/dms"
	"heed/internal/cli"
	"heed/plot"
	"heed/report"
)

// A variantsResult is all that heed protein variants found.
type variantsResult struct {
	request      *variantsRequest
	name         string
	seq          []byte
	method       string
	model        VariantScorer
	table        *VariantTable // of the variants that were asked for; nil for a scan alone
	correlations []Correlation // nil without measured scores
}

func (r *variantsRequest) result(name string, seq []byte, method string, list []dms.Variant, where [][]Change, model VariantScorer, extra map[string]VariantScorer) (*variantsResult, error) {
	x := &variantsResult{request: r, name: name, seq: seq, method: method, model: model}
	if len(list) == 0 {
		return x, nil
	}
	x.table = newVariantTable(list, where, seq, method, model, extra)
	if !x.table.measured() {
		return x, nil
	}
	var err error
	x.correlations, err = x.table.compare(r.seed)
	return x, err
}

// write writes the variants with all scores.
func (t *VariantTable) write(w io.Writer, comma rune) error {
	c := csv.NewWriter(w)
	c.Comma = comma
	head := []string{"mutant", "score"}
	if t.measured() {
		head = append(head, "measured")
	}
	for _, o := range t.Others {
		head = append(head, strings.ReplaceAll(strings.ToLower(o.Name), " ", "_"))
	}
	c.Write(head)
	for i, v := range t.List {
		row := []string{v.Name, optional(t.Score[i])}
		if t.measured() {
			row = append(row, strconv.FormatFloat(v.Score, 'g', -1, 64))
		}
		for _, o := range t.Others {
			row = append(row, optional(o.Values[i]))
		}
		c.Write(row)
	}
	c.Flush()
	return c.Error()
}

// optional writes a score, or NA.
func optional(x float64) string {
	if math.IsNaN(x) {
		return "NA"
	}
	return strconv.FormatFloat(x, 'f', 5, 64)
}

// writeScan writes all substitutions.
func (x *variantsResult) writeScan(w io.Writer, comma rune) error {
	c := csv.NewWriter(w)
	c.Comma = comma
	c.Write([]string{"mutant", "position", "wild_type", "to", "score"})
	for i, wild := range x.seq {
		site := x.model.Site(i)
		for a, to := range []byte(dms.Letters) {
			if to != wild {
				n := i + x.request.offset
				c.Write([]string{fmt.Sprintf("%c%d%c", wild, n, to), strconv.Itoa(n), string(wild), string(to), optional(site[a])})
			}
		}
	}
	c.Flush()
	return c.Error()
}

// heatMap draws the scan.
func (x *variantsResult) heatMap() (*plot.Figure, error) {
	m := plot.MutationMap{Title: "Substitutions of " + x.name + " by " + x.method, Sequence: x.seq, First: x.request.offset, Label: "log ratio of probabilities (nats)"}
	var sizes []float64
	for i := range x.seq {
		site := x.model.Site(i)
		for k := range len(plot.MutationLetters) {
			v := site[strings.IndexByte(dms.Letters, plot.MutationLetters[k])]
			m.Values = append(m.Values, v)
			if !math.IsNaN(v) {
				sizes = append(sizes, math.Abs(v))
			}
		}
	}
	if m.Limit = high(sizes, 0.98); m.Limit == 0 {
		m.Limit = 1
	}
	return m.Figure()
}

func (x *variantsResult) writeFolder(folder string) error {
	put := func(name string, write func(io.Writer) error) error {
		return cli.WriteFile(filepath.Join(folder, name), write)
	}
	if x.table != nil {
		for name, comma := range map[string]rune{"variants.tsv": '\t', "variants.csv": ','} {
			if err := put(name, func(w io.Writer) error { return x.table.write(w, comma) }); err != nil {
				return err
			}
		}
	}
	if x.correlations != nil {
		if err := put("correlations.tsv", func(w io.Writer) error {
			fmt.Fprintln(w, "score\tkind\tspearman\tlow\thigh\tmodel_less_this\tless_low\tless_high\tvariants")
			for _, r := range x.correlations {
				if _, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", r.Method, r.kind(), optional(r.Spearman.Estimate), optional(r.Spearman.Low), optional(r.Spearman.High),
					optional(r.Less.Estimate), optional(r.Less.Low), optional(r.Less.High), r.Variants); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	var drawn *plot.Figure
	if x.request.scan {
		if err := put("scan.tsv", func(w io.Writer) error { return x.writeScan(w, '\t') }); err != nil {
			return err
		}
		var err error
		if drawn, err = x.heatMap(); err != nil {
			return err
		}
		if err := put("scan.svg", func(w io.Writer) error { _, err := w.Write(drawn.SVG()); return err }); err != nil {
			return err
		}
		if err := put("scan.png", func(w io.Writer) error { return drawn.WritePNG(w, 192) }); err != nil {
			return err
		}
	}
	page, err := x.page(drawn)
	if err != nil {
		return err
	}
	return put("report.html", func(w io.Writer) error { _, err := page.WriteTo(w); return err })
}

// mostDrawn is how many positions a page shows as a drawing; beyond, as pixels.
const mostDrawn = 300

func (x *variantsResult) page(drawn *plot.Figure) (*report.Report, error) {
	var sections []report.Section
	if x.correlations != nil {
		table := report.Table{Caption: "Rank correlation with what was measured", Columns: []report.Column{{Name: "score"}, {Name: "kind"}, {Name: "Spearman", Numeric: true}, {Name: "model less this", Numeric: true}, {Name: "variants", Numeric: true}, {Name: "what it is"}},
			Notes: []string{"Intervals of 95 % resample sets of positions: variants of one position are alike. The sign is that of the measurement, in which more is usually fitter.",
				"Floors know no model. The control \"position mean\" shows what the model knows of positions alone; \"measured position mean\" knows the measurement and is no floor: it shows how much of it the position decides."}}
		for i, r := range x.correlations {
			less := ""
			if i > 0 {
				less = fmt.Sprintf("%+.3f (%+.3f to %+.3f)", r.Less.Estimate, r.Less.Low, r.Less.High)
			}
			table.Rows = append(table.Rows, report.TableRow{Highlight: i == 0, Cells: []string{r.Method, r.kind(),
				fmt.Sprintf("%s (%s to %s)", decimal(r.Spearman.Estimate), decimal(r.Spearman.Low), decimal(r.Spearman.High)), less, fmt.Sprint(r.Variants), r.Note}})
		}
		sections = append(sections, report.Section{Title: "Agreement", Blocks: []report.Block{table}})
	}
	if drawn != nil {
		f := report.Figure{Name: "scan", Alt: "Heat map of the effect of every amino acid at every position",
			Caption: "Logarithm of the ratio of probabilities, mutant by wild type: blue is worse than what is there, red better, a dot marks what is there. The strongest colour is the 98th percentile."}
		if len(x.seq) <= mostDrawn {
			f.SVG = drawn.SVG()
		} else {
			var b bytes.Buffer
			if err := drawn.WritePNG(&b, 144); err != nil {
				return nil, err
			}
			f.PNG = b.Bytes()
		}
		sections = append(sections, report.Section{Title: "Scan", Blocks: []report.Block{f}})
	}
	if x.table != nil {
		sections = append(sections, report.Section{Title: "Variants", Blocks: []report.Block{x.firstVariants()}})
	}
	q := x.request
	sections = append(sections,
		report.Section{Title: "What this cannot tell", Blocks: []report.Block{report.Text(variantLimits)}},
		report.Section{Title: "Provenance", Blocks: []report.Block{report.Provenance{
			{Key: "command", Value: "heed " + strings.Join(q.command, " ")}, {Key: "version", Value: q.version}, {Key: "seed of intervals", Value: fmt.Sprint(q.seed)},
			{Key: "model", Value: q.model + ", " + x.method}, {Key: "protein", Value: fmt.Sprintf("%s of %s, %d residues, the first is number %d", x.name, q.file, len(x.seq), q.offset)}}}})
	return &report.Report{Title: "Substitutions of " + x.name, Lead: "Substitutions scored by " + x.method + ": how much more probable the mutant is than what is there. No measurement was learned from.", Sections: sections, Footer: "heed " + q.version}, nil
}

const variantLimits = `A score says how much a sequence resembles the proteins that the model has seen. What evolution has tried is often what works, but a score is neither a stability in kcal/mol nor an activity, and knows nothing of the assay.

Scores have no unit common to proteins or models. They rank variants of one protein.

Changes at several positions are added up by encoders, so that epistasis is not seen.

Research use only. Not a medical device: no statement about a patient's variant may rest on this.`

func (x *variantsResult) firstVariants() report.Table {
	t := report.Table{Caption: "The first variants", Columns: []report.Column{{Name: "variant"}, {Name: "score", Numeric: true}}, Notes: []string{"All are in variants.tsv."}}
	if x.table.measured() {
		t.Columns = append(t.Columns, report.Column{Name: "measured", Numeric: true})
	}
	for i, v := range x.table.List[:min(50, len(x.table.List))] {
		cells := []string{v.Name, optional(x.table.Score[i])}
		if x.table.measured() {
			cells = append(cells, strconv.FormatFloat(v.Score, 'g', 5, 64))
		}
		t.Rows = append(t.Rows, report.TableRow{Cells: cells})
	}
	return t
}

// high returns a quantile of x, 0 if there is none.
func high(x []float64, q float64) float64 {
	if len(x) == 0 {
		return 0
	}
	s := append([]float64{}, x...)
	slices.Sort(s)
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

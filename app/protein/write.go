package protein

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"heed/format/pdb"
	"heed/format/rr"
	"heed/metric"
)

// A ScoredPair is a pair of positions of the query, 0-based, with its scores by
// every model, in the order of Fit.Scores.
type ScoredPair struct {
	I, J     int
	Raw, APC []float64
}

// models returns the scores that are no floors.
func (x *Fit) models() []*Scores {
	var out []*Scores
	for _, s := range x.Scores {
		if !s.Floor {
			out = append(out, s)
		}
	}
	return out
}

// Pairs returns all pairs of columns at a separation in the query of least or
// more, by the falling score of the first model, those of one score by position.
func (x *Fit) Pairs(f *Family, least int) []ScoredPair {
	return x.ranked(f, x.models(), least)
}

func (x *Fit) ranked(f *Family, models []*Scores, least int) []ScoredPair {
	var out []ScoredPair
	l := f.Family.Columns
	for i, a := range f.Columns {
		for j := i + 1; j < l; j++ {
			b := f.Columns[j]
			if b-a < least {
				continue
			}
			p := ScoredPair{I: a, J: b}
			for _, m := range models {
				p.Raw, p.APC = append(p.Raw, m.Raw[i*l+j]), append(p.APC, m.APC[i*l+j])
			}
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b ScoredPair) int { return cmp.Compare(b.APC[0], a.APC[0]) })
	return out
}

// WriteContacts writes all pairs as a table, by the falling score of the first
// model: positions from 1, residues, separation, raw and corrected scores of each
// model, and with a structure the distance in Å and whether it is a contact.
func WriteContacts(w io.Writer, f *Family, x *Fit, t *Truth) error {
	b := bufio.NewWriter(w)
	b.WriteString("i\tj\tresidue_i\tresidue_j\tseparation")
	for _, m := range x.models() {
		fmt.Fprintf(b, "\t%s_raw\t%s_apc", m.Method, m.Method)
	}
	if t != nil {
		b.WriteString("\tdistance\tcontact")
	}
	b.WriteByte('\n')
	for _, p := range x.Pairs(f, 1) {
		fmt.Fprintf(b, "%d\t%d\t%c\t%c\t%d", p.I+1, p.J+1, f.Query[p.I], f.Query[p.J], p.J-p.I)
		for k := range p.Raw {
			fmt.Fprintf(b, "\t%.6f\t%.6f", p.Raw[k], p.APC[k])
		}
		if t != nil {
			switch t.Touch[p.I*len(f.Query)+p.J] {
			case metric.Unknown:
				b.WriteString("\tNA\tNA")
			default:
				fmt.Fprintf(b, "\t%.2f\t%d", t.Distances.At(p.I, p.J), t.Touch[p.I*len(f.Query)+p.J]-metric.Apart)
			}
		}
		b.WriteByte('\n')
	}
	return b.Flush()
}

// WriteRR writes the pairs of a model at a separation of 6 or more whose corrected
// score is above 0 in the format of CASP. Scores are divided by the largest: they
// are in the range of probabilities and are none.
func WriteRR(w io.Writer, f *Family, x *Fit, m *Scores) error {
	p := rr.Prediction{Target: f.Name, Sequence: f.Query, Methods: []string{m.Method + " of one family, average product correction"},
		Remarks: []string{"column 5 is the score by the largest, not a probability"}}
	if strings.ContainsFunc(f.Name, func(r rune) bool { return r < ' ' }) {
		p.Target = "query"
	}
	list := x.ranked(f, []*Scores{m}, nearest)
	for _, c := range list {
		if c.APC[0] > 0 {
			p.Contacts = append(p.Contacts, rr.Contact{I: c.I + 1, J: c.J + 1, Max: 8, P: c.APC[0] / list[0].APC[0]})
		}
	}
	return rr.Write(w, &p)
}

// WriteHeads writes the table of heads: columns that begin with first_ are about the
// pairs that a head attends to most, those with attended_ about pairs above the
// threshold.
func WriteHeads(w io.Writer, heads []Head) error {
	b := bufio.NewWriter(w)
	b.WriteString("head\tstrength\tseparation")
	for _, s := range []string{"first", "attended"} {
		for _, c := range []string{"pairs", "known", "contacts", "precision", "null", "null_low", "null_high", "p", "fdr_5_percent"} {
			fmt.Fprintf(b, "\t%s_%s", s, c)
		}
	}
	b.WriteString("\tvalues\n")
	for _, x := range heads {
		fmt.Fprintf(b, "%s\t%.5f\t%.2f", x.Name, x.Strength, x.Separation)
		for _, s := range []Sample{x.First, x.Attended} {
			fmt.Fprintf(b, "\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%t", s.Pairs, s.Known, s.Contacts,
				decimal(s.Precision), decimal(s.Null), decimal(s.Low), decimal(s.High), decimal(s.P), s.Found)
		}
		fmt.Fprintf(b, "\t%s\n", x.values())
	}
	return b.Flush()
}

// Lines returns the top L pairs of the first model at a separation of 6 or more,
// as lines between residues of the structure, right and wrong apart.
func Lines(f *Family, x *Fit, t *Truth) []pdb.Line {
	var out []pdb.Line
	top := x.Pairs(f, nearest)
	for _, p := range top[:min(len(top), len(f.Query))] {
		a, b := t.Match.Residues[p.I], t.Match.Residues[p.J]
		if a < 0 || b < 0 || t.Chain.Residues[a].Atom("CA") == nil || t.Chain.Residues[b].Atom("CA") == nil {
			continue
		}
		line := pdb.Line{ChainA: t.Chain.ID, ChainB: t.Chain.ID, A: &t.Chain.Residues[a], B: &t.Chain.Residues[b], Group: "wrong", Color: "d55e00"}
		if t.Touch[p.I*len(f.Query)+p.J] == metric.Contact {
			line.Group, line.Color = "right", "0072b2"
		}
		out = append(out, line)
	}
	return out
}

// WriteTable writes the precisions, models and floors, by range.
func (c *Comparison) WriteTable(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "range\tmethod\tP@L\t95 % interval\tP@L/2\tP@L/5\tpairs\tcontacts\tunknown")
	for i, p := range c.Rows {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s to %s\t%s\t%s\t%d\t%d\t%d\n", p.Range.Name, p.Method, decimal(p.At[0].Estimate), decimal(p.At[0].Low), decimal(p.At[0].High),
			decimal(p.At[1].Estimate), decimal(p.At[2].Estimate), p.Pairs, p.Contacts, p.Unknown)
		if i+1 == len(c.Rows) || c.Rows[i+1].Range.Name != p.Range.Name {
			b := decimal(p.Background)
			fmt.Fprintf(tw, "%s\trandom order\t%s\t\t%s\t%s\t%d\t%d\t%d\n", p.Range.Name, b, b, b, p.Pairs, p.Contacts, p.Unknown)
		}
	}
	for _, d := range c.Differences {
		fmt.Fprintf(tw, "long\t%s - %s\t%+.3f\t%+.3f to %+.3f\t\t\t\t\t\n", d.Method, d.From, d.Estimate, d.Low, d.High)
	}
	return tw.Flush()
}

// writeTop writes the first pairs, for a family without a structure.
func writeTop(w io.Writer, f *Family, x *Fit) error {
	const most = 20
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "i\tj\tresidues")
	for _, m := range x.models() {
		fmt.Fprintf(tw, "\t%s raw\t%s APC", m.Method, m.Method)
	}
	fmt.Fprintln(tw)
	top := x.Pairs(f, nearest)
	for _, p := range top[:min(most, len(top))] {
		fmt.Fprintf(tw, "%d\t%d\t%c %c", p.I+1, p.J+1, f.Query[p.I], f.Query[p.J])
		for k := range p.Raw {
			fmt.Fprintf(tw, "\t%.4f\t%.4f", p.Raw[k], p.APC[k])
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

// decimal writes a number with three digits, or "-" where there is none.
func decimal(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "-"
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}

// scriptPath is the path of the structure as a script in the folder finds it.
func scriptPath(folder, file string) string {
	a, errA := filepath.Abs(folder)
	b, errB := filepath.Abs(file)
	if errA != nil || errB != nil {
		return file
	}
	if rel, err := filepath.Rel(a, b); err == nil {
		return filepath.ToSlash(rel)
	}
	return b
}

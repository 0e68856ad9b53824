package protein

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"heed/data"
	"heed/format"
	"heed/format/msa"
	"heed/internal/cli"
	"heed/model/alignment"
)

// A FamilyConfig says how an alignment becomes a family. The zero value of a field
// means its default.
type FamilyConfig struct {
	File    string
	Query   string // name of the row whose positions are meant; "" means the first
	Columns string // query: those in which the query has a residue; all. "" means query
	// MaxGaps is the largest share of gaps in a column that is kept; 0 means 1, all.
	MaxGaps float64
	// MinCoverage is the least share of the query's residues that a row must fill.
	MinCoverage float64
	Rows        string // all, first:N, diverse:N or random:N; "" means all
	// Identity is that from which two rows count as copies; 0 means 0.8. With
	// NoWeights every row counts 1.
	Identity  float64
	NoWeights bool
	// Holdout is a share of the rows, in whole clusters of rows that are copies by
	// data.MSAIdentity, that no model is fitted to and all are judged by; the
	// query's cluster is fitted. 0 means none.
	Holdout float64
	Seed    uint64 // of random:N and of Holdout
}

// A Family is an alignment, ready to be fitted.
type Family struct {
	*alignment.Family
	Name  string // of the query
	Query []byte // (Lq) letters of the query; X where it has none
	// Columns (L) are the positions of the columns of the model in the query,
	// ascending, 0-based.
	Columns []int
	Neff    float64
	Held    *alignment.Family // rows that are not fitted; nil without Holdout

	RowsRead    int // in the file
	LowCoverage int // rows left out
	NotSelected int // rows that were not selected
	Insertions  int // columns left out because the query has no residue there
	Gappy       int // columns left out because of gaps
	Unknown     int // letters that are no amino acid and count as gaps
	Warnings    []string
}

// Enough is the effective number of sequences for each column from which
// couplings are said to be reliable (Kamisetty et al. 2013).
const Enough = 5

// Validate fills in the defaults and refuses what makes no sense.
func (c *FamilyConfig) Validate() error {
	if c.Columns == "" {
		c.Columns = "query"
	}
	if c.Rows == "" {
		c.Rows = "all"
	}
	if c.Identity == 0 {
		c.Identity = data.MSAIdentity
	}
	if c.MaxGaps == 0 {
		c.MaxGaps = 1
	}
	_, _, err := parseRows(c.Rows)
	switch {
	case err != nil:
		return err
	case c.Columns != "query" && c.Columns != "all":
		return cli.Usagef("--columns %q: want query or all", c.Columns)
	case !(c.Identity > 0 && c.Identity <= 1):
		return cli.Usagef("--weights %v: want an identity above 0 and up to 1, or none", c.Identity)
	case !(c.MaxGaps > 0 && c.MaxGaps <= 1):
		return cli.Usagef("--max-gaps %v: want a share above 0 and up to 1", c.MaxGaps)
	case !(c.Holdout >= 0 && c.Holdout < 1):
		return cli.Usagef("--holdout %v: want a share from 0 to below 1", c.Holdout)
	case !(c.MinCoverage >= 0 && c.MinCoverage <= 1):
		return cli.Usagef("--min-coverage %v: want a share from 0 to 1", c.MinCoverage)
	}
	return nil
}

// parseRows reads "all" or a way to choose and a number.
func parseRows(text string) (way string, n int, err error) {
	way, number, found := strings.Cut(text, ":")
	if text == "all" {
		return way, 0, nil
	}
	n, err = strconv.Atoi(number)
	if !found || err != nil || n < 2 || !slices.Contains([]string{"first", "diverse", "random"}, way) {
		return "", 0, cli.Usagef("--rows %q: want all, first:N, diverse:N or random:N, with 2 rows or more", text)
	}
	return way, n, nil
}

// Load reads the alignment and makes the family: columns of the query, rows of
// enough coverage, a selection of them, columns without too many gaps, weights.
func (c FamilyConfig) Load() (*Family, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r, err := format.Open(c.File)
	if err != nil {
		return nil, err
	}
	a, err := msa.Read(c.File, r)
	r.Close()
	if err != nil {
		return nil, err
	}
	if c.Query != "" {
		at := slices.IndexFunc(a.Rows, func(r msa.Row) bool { return r.Name == c.Query })
		if at < 0 {
			return nil, cli.Hint(format.Invalidf(c.File, 0, "no row is called %q", c.Query), "a name ends at the first blank")
		}
		order := []int{at}
		for i := range a.Rows {
			if i != at {
				order = append(order, i)
			}
		}
		a = a.Select(order)
	}
	f := &Family{Name: a.Rows[0].Name, RowsRead: len(a.Rows)}
	f.note(a)
	before := a.Columns
	if c.Columns == "query" {
		if a, err = a.MatchQuery(); err != nil {
			return nil, format.Invalidf(c.File, 0, "%w", err)
		}
	}
	f.Insertions = before - a.Columns
	f.Query = bytes.ReplaceAll(a.Rows[0].Seq, []byte("-"), []byte("X"))
	rows, err := c.choose(f, a.Seqs())
	if err != nil {
		return nil, err
	}
	if rows, err = c.dropColumns(f, rows); err != nil {
		return nil, err
	}
	if c.Holdout > 0 {
		var held [][]byte
		if rows, held, err = c.hold(rows); err != nil {
			return nil, format.Invalidf(c.File, 0, "%w", err)
		}
		f.Held, _ = alignment.Encode(held)
		// Whatever the weights of the rows that are fitted, so that losses compare.
		if f.Held.Weights, err = data.RowWeights(held, data.MSAIdentity, data.GapsCount); err != nil {
			return nil, format.Invalidf(c.File, 0, "%w", err)
		}
	}
	f.Family, f.Unknown = alignment.Encode(rows)
	if f.Family.Weights, err = c.weights(rows); err != nil {
		return nil, format.Invalidf(c.File, 0, "%w", err)
	}
	f.Neff = f.Effective()
	return f, f.check(c.File)
}

// note says what in the file is worth a warning.
func (f *Family) note(a *msa.Alignment) {
	if len(a.Skipped) > 0 {
		f.warn("%d rows are no sequences and were passed over: %s", len(a.Skipped), strings.Join(a.Skipped[:min(5, len(a.Skipped))], ", "))
	}
	if len(a.Chains) > 1 {
		f.warn("the alignment joins %d chains; separations across their border mean nothing", len(a.Chains))
	}
	if a.Stops > 0 {
		f.warn("%d stops (*) were taken out", a.Stops)
	}
}

func (f *Family) warn(text string, args ...any) {
	f.Warnings = append(f.Warnings, fmt.Sprintf(text, args...))
}

// choose leaves rows out.
func (c *FamilyConfig) choose(f *Family, rows [][]byte) ([][]byte, error) {
	pick := func(at []int) {
		kept := make([][]byte, len(at))
		for k, i := range at {
			kept[k] = rows[i]
		}
		rows = kept
	}
	if c.MinCoverage > 0 {
		kept, err := data.RowFilter{MinCoverage: c.MinCoverage}.Filter(rows)
		if err != nil {
			return nil, err
		}
		f.LowCoverage = len(kept.LowCoverage)
		pick(kept.Kept)
	}
	way, n, err := parseRows(c.Rows)
	if err != nil || way == "all" || n >= len(rows) {
		return rows, err
	}
	f.NotSelected = len(rows) - n
	switch way {
	case "first":
		rows = rows[:n]
	case "diverse":
		at, err := data.DiverseRows(rows, n)
		if err != nil {
			return nil, err
		}
		pick(at)
	case "random":
		w, err := c.weights(rows)
		if err != nil {
			return nil, err
		}
		at, err := data.SampleDistinctRows(w, n, rand.New(rand.NewPCG(c.Seed, 0x726f7773))) // "rows"
		if err != nil {
			return nil, err
		}
		pick(at)
	}
	return rows, nil
}

// hold parts the rows into those that models are fitted to and those that are held
// out. The first row, the query, is always fitted.
func (c *FamilyConfig) hold(rows [][]byte) (fitted, held [][]byte, err error) {
	clusters, err := data.RowClusters(rows, data.MSAIdentity)
	if err != nil {
		return nil, nil, err
	}
	parts, err := data.ClusteredHoldout(make([]int, len(rows)), clusters, 0, c.Holdout, rand.New(rand.NewPCG(c.Seed, 0x68656c64))) // "held"
	if err != nil {
		return nil, nil, err
	}
	out := make([]bool, len(rows))
	for _, i := range parts.Test {
		out[i] = clusters[i] != clusters[0]
	}
	for i, row := range rows {
		if out[i] {
			held = append(held, row)
		} else {
			fitted = append(fitted, row)
		}
	}
	if len(held) == 0 {
		return nil, nil, fmt.Errorf("%d rows in %d clusters: --holdout %v leaves none of them out", len(rows), slices.Max(clusters)+1, c.Holdout)
	}
	return fitted, held, nil
}

func (c *FamilyConfig) weights(rows [][]byte) ([]float64, error) {
	if !c.NoWeights {
		return data.RowWeights(rows, c.Identity, data.GapsCount)
	}
	w := make([]float64, len(rows))
	for i := range w {
		w[i] = 1
	}
	return w, nil
}

// dropColumns leaves out columns of too many gaps.
func (c *FamilyConfig) dropColumns(f *Family, rows [][]byte) ([][]byte, error) {
	gaps, err := data.ColumnGaps(rows)
	if err != nil {
		return nil, format.Invalidf(c.File, 0, "%w", err)
	}
	for j, share := range gaps {
		if share <= c.MaxGaps {
			f.Columns = append(f.Columns, j)
		}
	}
	f.Gappy = len(gaps) - len(f.Columns)
	if f.Gappy == 0 {
		return rows, nil
	}
	kept := make([][]byte, len(rows))
	for i, row := range rows {
		for _, j := range f.Columns {
			kept[i] = append(kept[i], row[j])
		}
	}
	return kept, nil
}

// check refuses families without anything to couple and warns of small ones.
func (f *Family) check(file string) error {
	switch {
	case f.RowsRead == 1:
		return cli.Hint(format.Invalidf(file, 0, "one sequence: there is nothing to couple"), "couplings need the alignment of a family; a search of a sequence database makes one")
	case f.Sequences == 1:
		return format.Invalidf(file, 0, "one of %d sequences is left: there is nothing to couple", f.RowsRead)
	case len(f.Family.Weights) > 0 && f.Neff < 2:
		return cli.Hint(format.Invalidf(file, 0, "%d sequences count as %.1f: copies of one another have nothing to couple", f.Sequences, f.Neff), "--weights raises the identity from which rows are copies")
	case f.Family.Columns < 2:
		return format.Invalidf(file, 0, "%d columns are left: there is nothing to couple", f.Family.Columns)
	}
	if each := f.Neff / float64(f.Family.Columns); each < Enough {
		f.warn("too few sequences: the effective number is %.1f, %.2f for each column, and couplings are said to be reliable from %d for each; expect wrong pairs", f.Neff, each, Enough)
	}
	if f.Gappy > 0 {
		f.warn("%d of %d columns are left out because of gaps; their pairs have no score and rank last", f.Gappy, len(f.Query))
	}
	if f.Unknown > 0 {
		f.warn("%d letters are no amino acid and count as gaps", f.Unknown)
	}
	return nil
}

// spread writes scores of the columns (L, L) at their positions in the query
// (Lq, Lq), with empty elsewhere.
func (f *Family) spread(scores []float64, empty float64) []float64 {
	l, lq := f.Family.Columns, len(f.Query)
	if l == lq {
		return scores
	}
	out := make([]float64, lq*lq)
	for i := range out {
		out[i] = empty
	}
	for i, a := range f.Columns {
		for j, b := range f.Columns {
			out[a*lq+b] = scores[i*l+j]
		}
	}
	return out
}

// Package dms reads substitutions in proteins: tables of deep mutational scans and
// lists.
//
// Bytes flow in, usually from heed/format.Open; Variant structs flow out, in the
// order of the file:
//
//	variants, err := dms.Read("BLAT_ECOLX.csv", r, dms.Columns{})
//
// A table is CSV or TSV with a line of names, of which "mutant" and "DMS_score" are
// read, as those of ProteinGym (Notin et al. 2023) have them. A list has one variant
// in a line; empty lines and those that begin with '#' are passed over. Which of the
// two a file is, its first line says.
//
// A variant is written A123G, several substitutions of one sequence A123G:T45S.
// Insertions, deletions and stops are not supported.
package dms

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"heed/format"
	"heed/format/table"
)

// Letters are the amino acids that a substitution may have.
const Letters = "ACDEFGHIKLMNPQRSTVWY"

// MaxPosition is the largest position of a substitution.
const MaxPosition = 1 << 24

// A Substitution puts the letter To at a position, counted as the file counts, where
// From was.
type Substitution struct {
	From     byte
	Position int
	To       byte
}

func (s Substitution) String() string { return fmt.Sprintf("%c%d%c", s.From, s.Position, s.To) }

// A Variant is one or several substitutions.
type Variant struct {
	Name          string
	Substitutions []Substitution // at different positions, as written
	Score         float64        // measured; NaN if the file has none
	Line          int            // 1-based
}

// Columns are the names of those of a table.
type Columns struct {
	Mutant string // "" means "mutant"
	// Score is the measured one. "" means "DMS_score", which may be absent; a name
	// that is given must be there.
	Score string
}

// Read reads all variants of a table or a list. A file without any is an error.
func Read(name string, r io.Reader, c Columns) ([]Variant, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	head, err := in.Peek(1 << 16)
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return nil, format.ReadError(name, 1, err)
	}
	first := firstLine(string(head))
	if _, err := Parse(first); err == nil && c == (Columns{}) {
		return readList(name, in)
	}
	return readTable(name, in, first, c)
}

// firstLine is the first line that says something.
func firstLine(head string) string {
	head = strings.TrimPrefix(head, "\ufeff")
	for line := range strings.Lines(head) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return line
		}
	}
	return ""
}

func readList(name string, r io.Reader) ([]Variant, error) {
	var out []Variant
	for line, err := range format.Lines(name, r) {
		if err != nil {
			return nil, err
		}
		text := strings.TrimSpace(line.Text)
		if text == "" || text[0] == '#' {
			continue
		}
		subs, err := Parse(text)
		if err != nil {
			return nil, placed(name, line.Number, err)
		}
		out = append(out, Variant{text, subs, math.NaN(), line.Number})
	}
	return out, nil
}

func readTable(name string, r io.Reader, head string, c Columns) ([]Variant, error) {
	t := table.Reader{Sequence: c.Mutant, Label: c.Score}
	if t.Sequence == "" {
		t.Sequence = "mutant"
	}
	if t.Label == "" {
		t.Label = "DMS_score"
		columns := strings.FieldsFunc(strings.ToLower(head), func(r rune) bool { return r == ',' || r == ';' || r == '\t' || r == '"' || r == ' ' })
		t.Unlabelled = !slices.Contains(columns, strings.ToLower(t.Label))
	}
	var out []Variant
	for row, err := range t.Rows(name, r) {
		if err != nil {
			return nil, err
		}
		v := Variant{Name: string(row.Sequence), Score: math.NaN(), Line: row.Line}
		if v.Substitutions, err = Parse(v.Name); err != nil {
			return nil, placed(name, row.Line, err)
		}
		if !t.Unlabelled {
			v.Score, err = strconv.ParseFloat(row.Label, 64)
			if err != nil || math.IsNaN(v.Score) || math.IsInf(v.Score, 0) {
				return nil, format.Invalidf(name, row.Line, "%s %q is not a number", t.Label, row.Label)
			}
		}
		out = append(out, v)
	}
	return out, nil
}

func placed(name string, line int, err error) error {
	return &format.Error{Name: name, Line: line, Err: err}
}

// Parse reads one variant, such as A123G or A123G:T45S. Its errors wrap
// format.ErrInvalid or format.ErrUnsupported and know no file.
func Parse(text string) ([]Substitution, error) {
	var out []Substitution
	for part := range strings.SplitSeq(text, ":") {
		n := len(part)
		if n < 3 {
			return nil, invalid(text)
		}
		s := Substitution{From: part[0], To: part[n-1]}
		var err error
		if s.Position, err = strconv.Atoi(part[1 : n-1]); err != nil || part[1] == '+' {
			return nil, invalid(text)
		}
		switch {
		case s.Position > MaxPosition || s.Position < -MaxPosition:
			return nil, fmt.Errorf("%w: variant %q: position %d", format.ErrInvalid, text, s.Position)
		case s.To == '*' || s.To == '-':
			return nil, fmt.Errorf("%w: variant %q: stops and deletions", format.ErrUnsupported, text)
		case strings.IndexByte(Letters, s.From) < 0 || strings.IndexByte(Letters, s.To) < 0:
			return nil, invalid(text)
		case slices.ContainsFunc(out, func(o Substitution) bool { return o.Position == s.Position }):
			return nil, fmt.Errorf("%w: variant %q has position %d twice", format.ErrInvalid, text, s.Position)
		}
		out = append(out, s)
	}
	return out, nil
}

func invalid(text string) error {
	if len(text) > 40 {
		text = text[:40] + "..."
	}
	return fmt.Errorf("%w: %q is not a variant such as A123G or A123G:T45S", format.ErrInvalid, text)
}

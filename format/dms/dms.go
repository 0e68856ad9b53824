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
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"heed/format"
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
	comma := ','
	for _, other := range ";\t" {
		if strings.Count(head, string(other)) > strings.Count(head, string(comma)) {
			comma = other
		}
	}
	mutant, score := c.Mutant, c.Score
	if mutant == "" {
		mutant = "mutant"
	}
	if score == "" {
		score = "DMS_score"
	}
	var out []Variant
	mutantAt, scoreAt, width := -1, -1, 0
	for line, err := range format.Lines(name, r) {
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(line.Text) == "" || width == 0 && line.Text[0] == '#' {
			continue
		}
		fields, err := split(line.Text, comma)
		if err != nil {
			return nil, format.Invalidf(name, line.Number, "%w", err)
		}
		if width == 0 {
			width = len(fields)
			find := func(column string) int {
				return slices.IndexFunc(fields, func(f string) bool { return strings.EqualFold(f, column) })
			}
			mutantAt, scoreAt = find(mutant), find(score)
			if mutantAt < 0 {
				return nil, format.Invalidf(name, line.Number, "no column %q, and the line is no variant", mutant)
			}
			if scoreAt < 0 && c.Score != "" {
				return nil, format.Invalidf(name, line.Number, "no column %q", score)
			}
			continue
		}
		if len(fields) != width {
			return nil, format.Invalidf(name, line.Number, "%d values, %d columns have names", len(fields), width)
		}
		v := Variant{Name: fields[mutantAt], Score: math.NaN(), Line: line.Number}
		if v.Substitutions, err = Parse(v.Name); err != nil {
			return nil, placed(name, line.Number, err)
		}
		if scoreAt >= 0 {
			v.Score, err = strconv.ParseFloat(fields[scoreAt], 64)
			if err != nil || math.IsNaN(v.Score) || math.IsInf(v.Score, 0) {
				return nil, format.Invalidf(name, line.Number, "%s %q is not a number", score, fields[scoreAt])
			}
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil, format.Invalidf(name, 0, "no variants")
	}
	return out, nil
}

// split returns the values of a row, without blanks around them.
func split(line string, comma rune) ([]string, error) {
	fields := strings.Split(line, string(comma))
	if strings.Contains(line, `"`) {
		c := csv.NewReader(strings.NewReader(line))
		c.Comma = comma
		var err error
		if fields, err = c.Read(); err != nil {
			return nil, errors.New("quotes that do not match")
		}
	}
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields, nil
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

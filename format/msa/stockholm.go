package msa

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"heed/format"
)

// Notes are the annotations of a Stockholm file, in the order of the file. They
// are kept as they are; nothing here interprets them.
type Notes struct {
	File     []Note // #=GF: on the alignment, such as AC, ID, DE
	Rows     []Note // #=GS: on a row, such as OS, DR
	Columns  []Note // #=GC: one character per column, such as RF, SS_cons
	Residues []Note // #=GR: on a row, one character per column, such as SS, PP
}

// A Note is one annotation.
type Note struct {
	Row     int    // index of the row in Notes.Rows and Notes.Residues, otherwise 0
	Feature string // such as "AC"
	Text    string
}

// cut returns the notes for the columns that are kept.
func (n Notes) cut(kept []bool) Notes {
	pick := func(notes []Note) (short []Note) {
		for _, note := range notes {
			var b strings.Builder
			for i := range len(note.Text) {
				if kept[i] {
					b.WriteByte(note.Text[i])
				}
			}
			note.Text = b.String()
			short = append(short, note)
		}
		return short
	}
	n.Columns = pick(n.Columns)
	n.Residues = pick(n.Residues)
	return n
}

// A stockholm collects what the blocks of a file say.
type stockholm struct {
	p       *parser
	a       *Alignment
	block   int   // rows of the current block so far
	first   bool  // within the first block
	ends    []int // lines of the last piece of each row
	letters int
	perRow  []longNote     // #=GS
	pieces  []longNote     // #=GC and #=GR
	known   map[string]int // what they are on: index into pieces
}

// A longNote waits until all rows have been read: it may come before its row and
// in pieces.
type longNote struct {
	name, feature string // no name in #=GC
	text          []byte
	line          int
}

// stockholm reads up to the "//" that ends an alignment.
func (p *parser) stockholm() (*Alignment, error) {
	s := &stockholm{p: p, a: &Alignment{Format: Stockholm}, first: true, known: make(map[string]int)}
	start := p.lines.Number()
	for {
		text, err := p.lines.Next()
		if err == io.EOF {
			return nil, format.Invalidf(p.name, 0, `no "//" at the end; the file is cut off`)
		}
		if err != nil {
			return nil, err
		}
		text = bytes.Trim(text, blanks)
		switch {
		case len(text) == 0:
			if err := s.endBlock(); err != nil {
				return nil, err
			}
			continue
		case string(text) == "//":
			if len(s.a.Rows) == 0 {
				return nil, format.Invalidf(p.name, start, "Stockholm alignment without rows")
			}
			if err := s.endBlock(); err != nil {
				return nil, err
			}
			return s.finish()
		case bytes.HasPrefix(text, []byte("#=")):
			err = s.note(text)
		case text[0] == '#':
		default:
			err = s.row(text)
		}
		if err != nil {
			return nil, err
		}
	}
}

// note reads a line that begins with "#=".
func (s *stockholm) note(text []byte) error {
	line := s.p.lines.Number()
	kind, rest := cutWord(string(text))
	var name string
	if kind == "#=GS" || kind == "#=GR" {
		name, rest = cutWord(rest)
	}
	feature, value := cutWord(rest)
	if feature == "" {
		return format.Invalidf(s.p.name, line, "%s line without a feature", short(kind))
	}
	if s.letters += len(text); s.letters > s.p.MaxLetters {
		return format.TooLargef(s.p.name, line, "alignment has more than %d letters", s.p.MaxLetters)
	}
	switch kind {
	case "#=GF":
		s.a.Notes.File = append(s.a.Notes.File, Note{Feature: feature, Text: value})
	case "#=GS":
		s.perRow = append(s.perRow, longNote{name, feature, []byte(value), line})
	case "#=GC", "#=GR":
		key := name + " " + feature
		i, found := s.known[key]
		if !found {
			i = len(s.pieces)
			s.known[key] = i
			s.pieces = append(s.pieces, longNote{name, feature, nil, line})
		}
		s.pieces[i].text = append(s.pieces[i].text, value...)
	default:
		return format.Invalidf(s.p.name, line, "%q is none of #=GF, #=GS, #=GC and #=GR", short(kind))
	}
	return nil
}

// row reads one piece of a row. Every block names the rows in the same order, so
// that two of them may have one name.
func (s *stockholm) row(text []byte) error {
	line := s.p.lines.Number()
	words := bytes.Fields(text)
	if len(words) != 2 {
		return format.Invalidf(s.p.name, line, "%s, want a name and a piece of a row", plural(len(words), "word"))
	}
	name, piece := words[0], words[1]
	if err := s.p.checkHeader(Row{Line: line}, name); err != nil {
		return err
	}
	if s.first {
		if err := s.p.check(len(s.a.Rows), 0, 0, line); err != nil {
			return err
		}
		s.a.Rows = append(s.a.Rows, Row{Name: string(name), Line: line})
		s.ends = append(s.ends, 0)
	}
	if s.block >= len(s.a.Rows) {
		return format.Invalidf(s.p.name, line, "row %q is one too many: the first block has %s", short(string(name)), plural(len(s.a.Rows), "row"))
	}
	row := &s.a.Rows[s.block]
	if row.Name != string(name) {
		return format.Invalidf(s.p.name, line, "row %q stands where the first block has %q", short(string(name)), short(row.Name))
	}
	if len(piece) > s.p.MaxRow-len(row.Seq) {
		return format.TooLargef(s.p.name, line, "row %q has more than %d letters", short(row.Name), s.p.MaxRow)
	}
	if len(piece) > s.p.MaxLetters-s.letters {
		return format.TooLargef(s.p.name, line, "alignment has more than %d letters", s.p.MaxLetters)
	}
	s.letters += len(piece)
	for i, c := range piece {
		if c == '_' || c == '~' { // gaps too
			piece[i] = '-'
		}
	}
	var err error
	if row.Seq, err = s.p.append(row.Seq, piece, row.Name); err != nil {
		return err
	}
	s.ends[s.block] = line
	if first := s.a.Rows[0]; len(row.Seq) != len(first.Seq) {
		return format.Invalidf(s.p.name, line, "row %q ends at column %d, but the first row, %q in line %d, at column %d",
			short(row.Name), len(row.Seq), short(first.Name), s.ends[0], len(first.Seq))
	}
	s.block++
	return nil
}

// endBlock checks that a block had all rows.
func (s *stockholm) endBlock() error {
	if s.block == 0 {
		return nil
	}
	if s.block < len(s.a.Rows) {
		return format.Invalidf(s.p.name, s.p.lines.Number(), "the block ends without row %q", short(s.a.Rows[s.block].Name))
	}
	s.block, s.first = 0, false
	return nil
}

// finish gives the notes on rows to the rows, and makes columns.
func (s *stockholm) finish() (*Alignment, error) {
	a := s.a
	s.p.keepAll(a)
	rows := make(map[string]int, len(a.Rows)) // name: first row of it
	for i := len(a.Rows) - 1; i >= 0; i-- {
		rows[a.Rows[i].Name] = i
	}
	for _, n := range s.perRow {
		row, found := rows[n.name]
		if !found {
			return nil, format.Invalidf(s.p.name, n.line, "note on row %q, which does not exist", short(n.name))
		}
		a.Notes.Rows = append(a.Notes.Rows, Note{row, n.feature, string(n.text)})
	}
	for _, n := range s.pieces {
		if len(n.text) != a.Columns {
			return nil, format.Invalidf(s.p.name, n.line, "note %q has %s, the rows have %d", short(n.feature), plural(len(n.text), "column"), a.Columns)
		}
		row, found := rows[n.name]
		switch {
		case n.name == "":
			a.Notes.Columns = append(a.Notes.Columns, Note{0, n.feature, string(n.text)})
		case found:
			a.Notes.Residues = append(a.Notes.Residues, Note{row, n.feature, string(n.text)})
		default:
			return nil, format.Invalidf(s.p.name, n.line, "note on row %q, which does not exist", short(n.name))
		}
	}
	return a, nil
}

func invalidRow(name string, row Row, reason string) error {
	return format.Invalidf(name, row.Line, "row %q %s", short(row.Name), reason)
}

func errNoQuery(row Row) error {
	return fmt.Errorf("msa: the query %q has only gaps", short(row.Name))
}

// Package msa reads and writes multiple sequence alignments of proteins: A3M,
// A2M, aligned FASTA, Stockholm, and one row per line as PSICOV, CCMpred and
// GREMLIN take it. What a file is follows from its content, not from its name.
//
// Bytes flow in, usually from [heed/format.Open], which decompresses gzip; one
// plain [Alignment] flows out:
//
//	a, err := msa.Read("1a3a.a3m", r)
//	if err != nil {
//		return err
//	}
//	query := a.Rows[0]
//
// # Columns and insertions
//
// All rows have the same columns, those of the query, which is the first row.
// In A3M and A2M lower case and '.' stand between the columns: letters that a row
// has in addition to the query. They are taken out of [Row].Seq and kept in
// [Row].Insertions, so that an A3M file that was read and written again still
// says the same. An alignment in which every column is kept, as in Stockholm or
// aligned FASTA, is brought to the columns of its query by
// [Alignment.MatchQuery], which loses no letter either.
//
// # What is read
//
// Letters are A to Z, in Seq always upper case: which of them a model knows, is
// the model's affair (format/fasta.StandardProtein maps them to 20 and X). A gap
// is '-' in Seq; files may also write '.', in Stockholm '_' and '~' too. '*', which
// stands for a stop, is no residue and is taken out ([Alignment].Stops counts
// them). Two rows may have the same name, as they often do.
//
// The rows of secondary structure and consensus which HH-suite adds to an A3M
// file are no sequences: they are left out and named in [Alignment].Skipped. The
// first line of ColabFold, "#61,59<tab>2,1", becomes [Alignment].Chains.
//
// Everything else is an error with file and line: a row that is shorter or longer
// than the first, a byte that is no letter, a Stockholm file without the "//" that
// ends it, more rows or letters than the limits. No row is left out silently:
// there is no limit that cuts an alignment off.
package msa

import (
	"fmt"
	"io"
	"iter"
	"strings"

	"heed/format"
)

// A Format is how a file writes an alignment.
type Format uint8

const (
	// A3M (HH-suite, ColabFold): FASTA in which lower case and '.' are
	// insertions. Rows differ in length, their columns do not.
	A3M Format = iota
	// A2M (SAM, HMMER): A3M in which '.' fills the rows up to one length.
	A2M
	// FASTA in which every letter, in either case, has a column.
	FASTA
	// Stockholm 1.0 (Pfam, HMMER), in one block or several.
	Stockholm
	// Lines is one row per line without names: the .aln of PSICOV and CCMpred.
	Lines
	// Named is one row per line after its name: the .msa of GREMLIN.
	Named
)

// String returns "A3M", "A2M", "aligned FASTA", "Stockholm", "aln" or "named aln".
func (f Format) String() string {
	return [...]string{"A3M", "A2M", "aligned FASTA", "Stockholm", "aln", "named aln"}[f]
}

// An Alignment is rows of residues over the same columns.
type Alignment struct {
	Format  Format // in which it was read
	Columns int    // of every row; at least 1
	Rows    []Row  // in the order of the file; at least 1. The first is the query

	// Chains is set if the file begins with the line of ColabFold. The lengths
	// add up to Columns.
	Chains []Chain
	// Skipped names the rows that are no sequences, such as "ss_pred".
	Skipped []string
	// Stops counts the '*' that were taken out.
	Stops int
	// Notes holds the annotations of a Stockholm file.
	Notes Notes
}

// A Row is one sequence of an alignment.
type Row struct {
	// Name is the first word of the header, in Pfam with "/start-end". A row
	// without one is called "seq" and its number in the file, from 1: "seq3".
	Name string
	// Description is the rest of the header, without blanks around it.
	Description string
	// Seq has a letter, A to Z, or '-' for every column.
	Seq []byte
	// Insertions are the letters between the columns, in their order.
	Insertions []Insertion
	// Line is the 1-based line of the header, or where there is none of the row.
	Line int
}

// An Insertion is a run of residues for which the query has no column.
type Insertion struct {
	Before  int    // column, 0-based, that follows; Columns after the last
	Letters string // upper case, never empty
}

// A Chain is one of the proteins that an alignment of a complex joins.
type Chain struct {
	Length int // columns
	Copies int // in the complex
}

// Read reads the one alignment of r. A file with several is an error; [All]
// reads those.
func Read(name string, r io.Reader) (*Alignment, error) { return Reader{}.Read(name, r) }

// All yields the alignments of r, of which Stockholm files and, behind NUL bytes,
// those of MMseqs2 may hold several. An error, always with name and where
// possible line, ends the iteration.
func All(name string, r io.Reader) iter.Seq2[*Alignment, error] { return Reader{}.All(name, r) }

// A Reader has the limits of an alignment. The zero value has those of the
// constants.
type Reader struct {
	MaxRows    int // 0 means MaxRows
	MaxLetters int // of all rows together, gaps included; 0 means MaxLetters
	MaxRow     int // length of a row, insertions included; 0 means MaxRow
}

// Limits of the zero Reader. The deepest alignments of whole databases have some
// hundred thousand rows; titin, the longest protein, has 34,350 residues.
const (
	MaxRows    = 16 << 20
	MaxLetters = 4 << 30
	MaxRow     = 1 << 20
)

// Read is [Read] within the limits of d.
func (d Reader) Read(name string, r io.Reader) (*Alignment, error) {
	var one *Alignment
	for a, err := range d.All(name, r) {
		if err != nil {
			return nil, err
		}
		if one != nil {
			return nil, format.Unsupportedf(name, a.Rows[0].Line, "a second alignment begins here; split the file")
		}
		one = a
	}
	return one, nil
}

// All is [All] within the limits of d, which hold for each alignment by itself.
func (d Reader) All(name string, r io.Reader) iter.Seq2[*Alignment, error] {
	if d.MaxRows <= 0 {
		d.MaxRows = MaxRows
	}
	if d.MaxLetters <= 0 {
		d.MaxLetters = MaxLetters
	}
	if d.MaxRow <= 0 {
		d.MaxRow = MaxRow
	}
	return func(yield func(*Alignment, error) bool) {
		p := &parser{Reader: d, name: name, lines: format.NewLineReader(name, r, max(d.MaxRow+1024, format.MaxHeader))}
		for n := 0; ; n++ {
			a, err := p.next()
			if err == io.EOF {
				if n == 0 {
					yield(nil, format.Invalidf(name, 0, "no alignment"))
				}
				return
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

// Seqs returns the Seq of every row, which the caller shares with a.
func (a *Alignment) Seqs() [][]byte {
	seqs := make([][]byte, len(a.Rows))
	for i := range a.Rows {
		seqs[i] = a.Rows[i].Seq
	}
	return seqs
}

// Deletions returns, for every column, the number of letters that were taken out
// of the row between the column before and this one: the "deletion matrix" of
// AlphaFold. The element after the last counts those behind the last column.
func (r *Row) Deletions() []int {
	counts := make([]int, len(r.Seq)+1)
	for _, in := range r.Insertions {
		counts[in.Before] += len(in.Letters)
	}
	return counts
}

// Select returns the alignment of the given rows, in the order given. It shares
// their letters with a; notes on rows that are left out are left out too. An
// index out of range panics.
func (a *Alignment) Select(rows []int) *Alignment {
	b := *a
	b.Rows = make([]Row, len(rows))
	old := make(map[int]int, len(rows)) // row of a: first row of b
	for i, row := range rows {
		b.Rows[i] = a.Rows[row]
		if _, found := old[row]; !found {
			old[row] = i
		}
	}
	pick := func(notes []Note) (kept []Note) {
		for _, n := range notes {
			if row, found := old[n.Row]; found {
				n.Row = row
				kept = append(kept, n)
			}
		}
		return kept
	}
	b.Notes.Rows = pick(a.Notes.Rows)
	b.Notes.Residues = pick(a.Notes.Residues)
	return &b
}

// check refuses limits of the next row of n bytes.
func (p *parser) check(rows, letters, n, line int) error {
	switch {
	case rows >= p.MaxRows:
		return format.TooLargef(p.name, line, "alignment has more than %d rows", p.MaxRows)
	case n > p.MaxLetters-letters:
		return format.TooLargef(p.name, line, "alignment has more than %d letters", p.MaxLetters)
	}
	return nil
}

// short cuts a name to what a message can bear.
func short(name string) string {
	const most = 60
	if len(name) <= most {
		return name
	}
	return name[:most] + "..."
}

// quote prints a byte as Go would. A byte that is not ASCII is no letter by
// itself, therefore it is not shown as the Latin-1 letter of its value.
func quote(c byte) string {
	if c >= 0x80 {
		return fmt.Sprintf(`'\x%02x'`, c)
	}
	return fmt.Sprintf("%q", c)
}

const blanks = " \t"

// cutWord returns the first word of s and what follows, without blanks.
func cutWord(s string) (word, rest string) {
	s = strings.Trim(s, blanks)
	if i := strings.IndexAny(s, blanks); i >= 0 {
		return s[:i], strings.TrimLeft(s[i:], blanks)
	}
	return s, ""
}

// plural prints a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

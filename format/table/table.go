// Package table reads labelled sequences from a CSV or TSV file.
//
// Bytes flow in, usually from [heed/format.Open]; [Row] structs flow out, one at
// a time:
//
//	for row, err := range table.Rows("train.csv", r) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// The first line names the columns; those called "sequence" and "label" are
// read (in upper or lower case), others are passed over. A [Reader] has fields
// for other names and for files without a header. Values may be in double quotes
// as RFC 4180 says; blanks around them are dropped. Values are separated by tabs
// if the name of the file ends in .tsv or .tab (.gz may follow), otherwise by
// whichever of comma, semicolon and tab is most frequent in the first line.
package table

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"heed/format"
)

// A Row is one labelled sequence. Its values have no blanks around them.
type Row struct {
	Name     string // empty unless Reader.Name is set
	Label    string // empty only if Reader.Unlabelled is set
	Sequence []byte // never empty; belongs to the caller
	Line     int    // 1-based, in which the row begins
}

// A Reader says which columns to read. The zero value reads the columns
// "sequence" and "label".
type Reader struct {
	Sequence   string // name of the column; empty means "sequence"
	Label      string // name of the column; empty means "label"
	Unlabelled bool   // read no label: Row.Label is empty
	Name       string // name of a column that names the rows; empty means none

	// Columns gives names to the columns of a file without a header, in their
	// order. If it is empty, the first line of the file does.
	Columns []string

	Comma rune // between values; 0 means to find out

	// Check, if not nil, is called with every sequence; its error is returned
	// with file and line. fasta.DNA.Check fits.
	Check func(sequence []byte) error

	MaxRow int // greatest length of a row in bytes; 0 means format.MaxRow
}

// Rows reads the columns "sequence" and "label", as [Reader.Rows] of the zero
// Reader does.
func Rows(name string, r io.Reader) iter.Seq2[Row, error] {
	return Reader{}.Rows(name, r)
}

// Rows yields the rows of r in their order. An error, always with name and
// where possible line, ends the iteration. A file without rows is an error.
func (d Reader) Rows(name string, r io.Reader) iter.Seq2[Row, error] {
	if d.Sequence == "" {
		d.Sequence = "sequence"
	}
	if d.Label == "" {
		d.Label = "label"
	}
	if d.MaxRow <= 0 {
		d.MaxRow = format.MaxRow
	}
	return func(yield func(Row, error) bool) {
		p, err := d.open(name, r)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for n := 0; ; n++ {
			row, err := p.next()
			if err == io.EOF {
				if n == 0 {
					yield(Row{}, format.Invalidf(name, 0, "no rows after the header"))
				}
				return
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// A parser reads rows once the columns are known.
type parser struct {
	Reader
	file   string
	csv    *csv.Reader
	budget *budget
	first  []string // row of a file without a header that open has read
	line   int      // of that row

	row                   int // line of the last row read
	columns               int
	sequence, label, name int // indices of columns, -1 for none
}

func (d Reader) open(name string, r io.Reader) (*parser, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	if mark, _ := br.Peek(3); string(mark) == "\xef\xbb\xbf" {
		br.Discard(3)
	}
	p := &parser{Reader: d, file: name, budget: &budget{r: br}}
	p.csv = csv.NewReader(p.budget)
	p.csv.Comma = d.Comma
	if d.Comma == 0 {
		p.csv.Comma = separator(name, firstLine(br))
	}
	p.csv.FieldsPerRecord = -1 // checked here, with a clearer message
	p.csv.ReuseRecord = true
	// encoding/csv takes a tab for a space to trim even where it separates.
	p.csv.TrimLeadingSpace = p.csv.Comma != '\t'

	columns := d.Columns
	values, line, err := p.read()
	if err == io.EOF {
		return nil, format.Invalidf(name, 0, "no rows")
	}
	if err != nil {
		return nil, err
	}
	if len(columns) == 0 {
		columns = append(columns, values...)
	} else {
		p.first, p.line = append([]string(nil), values...), line
	}
	return p, p.find(columns, line)
}

// find sets the indices of the columns.
func (p *parser) find(columns []string, line int) error {
	p.columns = len(columns)
	p.label, p.name = -1, -1
	var err error
	if p.sequence, err = p.column(columns, p.Sequence, line); err != nil {
		return err
	}
	if !p.Unlabelled {
		if p.label, err = p.column(columns, p.Label, line); err != nil {
			return err
		}
	}
	if p.Name != "" {
		if p.name, err = p.column(columns, p.Name, line); err != nil {
			return err
		}
	}
	return nil
}

func (p *parser) column(columns []string, name string, line int) (int, error) {
	at := -1
	for i, c := range columns {
		if !strings.EqualFold(c, name) {
			continue
		}
		if at >= 0 {
			return 0, format.Invalidf(p.file, line, "two columns are called %q", name)
		}
		at = i
	}
	if at < 0 {
		return 0, format.Invalidf(p.file, line, "no column %q; columns are %s", name, list(columns))
	}
	return at, nil
}

// next returns the next row, or io.EOF.
func (p *parser) next() (Row, error) {
	values, line, err := p.first, p.line, error(nil)
	if values != nil {
		p.first = nil
	} else if values, line, err = p.read(); err != nil {
		return Row{}, err
	}
	if len(values) != p.columns {
		return Row{}, format.Invalidf(p.file, line, "row has %s, want %d", count(len(values), "column"), p.columns)
	}
	row := Row{Sequence: []byte(values[p.sequence]), Line: line}
	if len(row.Sequence) == 0 {
		return Row{}, format.Invalidf(p.file, line, "column %q is empty", p.Sequence)
	}
	if p.label >= 0 {
		if row.Label = values[p.label]; row.Label == "" {
			return Row{}, format.Invalidf(p.file, line, "column %q is empty", p.Label)
		}
	}
	if p.name >= 0 {
		row.Name = values[p.name]
	}
	if p.Check != nil {
		if err := p.Check(row.Sequence); err != nil {
			return Row{}, format.Invalidf(p.file, line, "column %q: %w", p.Sequence, err)
		}
	}
	return row, nil
}

// read returns the values of the next line that is not blank, trimmed, and the
// number of that line. The slice is valid until the next call.
func (p *parser) read() ([]string, int, error) {
	for {
		// One row, and what the buffer of the csv reader may take beyond it.
		p.budget.left = p.MaxRow + 4096
		values, err := p.csv.Read()
		if err != nil {
			return nil, 0, p.wrap(err)
		}
		line, _ := p.csv.FieldPos(0)
		p.row = line
		for i, v := range values {
			values[i] = strings.TrimSpace(v)
		}
		if len(values) == 1 && values[0] == "" {
			continue
		}
		return values, line, nil
	}
}

// wrap turns an error of encoding/csv into one with file and line.
func (p *parser) wrap(err error) error {
	if err == io.EOF {
		return err
	}
	// Of the lines of a row over several, the first is where to look. Errors of
	// the reader below come without a line.
	var parse *csv.ParseError
	line := p.row + 1
	if errors.As(err, &parse) {
		line, err = parse.StartLine, parse.Err
	}
	switch {
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		return format.Invalidf(p.file, line, `misplaced '"'; a value with a quote in it is written "a ""quoted"" word"`)
	case errors.Is(err, errBudget):
		return format.TooLargef(p.file, line, "row has more than %d bytes; is a closing '\"' missing?", p.MaxRow)
	}
	return format.ReadError(p.file, line, err)
}

var errBudget = errors.New("row too long")

// A budget passes on so many bytes of r; encoding/csv has no limit of its own,
// and one lost quote makes a file a single row.
type budget struct {
	r    io.Reader
	left int
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errBudget
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// firstLine returns the first line that is not blank, as much of it as fits the
// buffer, without taking it from r. It waits for no more than that line, because
// r may be a pipe. An error of r will come again when the line is read.
func firstLine(r *bufio.Reader) string {
	for n := 1; ; n = r.Buffered() + 1 {
		_, err := r.Peek(n)
		window, _ := r.Peek(r.Buffered())
		text := strings.TrimLeft(string(window), "\r\n")
		line, _, found := strings.Cut(text, "\n")
		if found || err != nil || n > r.Size() {
			return line
		}
	}
}

// separator finds out what separates values, from the name of the file and from
// its first line.
func separator(name, line string) rune {
	name = strings.TrimSuffix(strings.ToLower(name), ".gz")
	if strings.HasSuffix(name, ".tsv") || strings.HasSuffix(name, ".tab") {
		return '\t'
	}
	best, most := ',', strings.Count(line, ",")
	for _, c := range ";\t" {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// list prints the names of columns, as far as a message can bear it and without
// control characters.
func list(columns []string) string {
	const most, longest = 10, 40
	var b strings.Builder
	for i, c := range columns {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(columns)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		cut := ""
		if len(c) > longest {
			c, cut = c[:longest], "..."
		}
		if c == "" || !utf8.ValidString(c) || strings.ContainsFunc(c, func(r rune) bool { return !unicode.IsPrint(r) }) {
			c = fmt.Sprintf("%q", c)
		}
		b.WriteString(c + cut)
	}
	return b.String()
}

// count prints a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Package rows reads any table row by row as text: CSV and TSV files as databases
// export them, and flat parquet files. What the columns mean is up to the caller.
//
// Bytes flow in; the names of the columns and one slice of fields for each row flow
// out. A row with too few or too many fields is returned as it is, for the caller to
// count; only a file that cannot be read on is an error.
package rows

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"heed/format"
)

// MaxFields is the greatest number of columns.
const MaxFields = 4096

// A Reader gives one row after the other.
type Reader interface {
	// Columns returns the names of the columns in lower case.
	Columns() []string
	// Next returns the fields of the next row, valid until the next call, and its line
	// (or row) from 1; after the last io.EOF.
	Next() (fields []string, line int, err error)
	Close() error
}

// A CSV reads comma-, tab-, semicolon- or bar-separated values with a header line,
// quoted as RFC 4180 says.
type CSV struct {
	name    string
	c       *csv.Reader
	columns []string
	limit   *limited
	close   io.Closer
}

// A limited reader ends when one row takes more than format.MaxRow: a quotation mark
// that is never closed would otherwise fill the memory with the rest of the file.
type limited struct {
	r    io.Reader
	left int
}

var errRow = errors.New("row too long")

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errRow
	}
	n, err := l.r.Read(p)
	l.left -= n
	return n, err
}

// NewCSV reads the header of r, which Close closes; name stands for it in errors. The
// separator is the one of , \t ; | that is most frequent in the first line.
func NewCSV(name string, r io.ReadCloser) (*CSV, error) {
	limit := &limited{r, format.MaxRow}
	b := bufio.NewReaderSize(limit, 256<<10)
	if mark, _ := b.Peek(3); string(mark) == "\xef\xbb\xbf" {
		b.Discard(3)
	}
	head, err := b.Peek(64 << 10)
	if err != nil && err != io.EOF {
		r.Close()
		return nil, format.ReadError(name, 0, err)
	}
	if len(head) == 0 {
		r.Close()
		return nil, format.Invalidf(name, 0, "no header line: the file is empty")
	}
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		head = head[:i]
	}
	if bytes.IndexByte(head, 0) >= 0 {
		r.Close()
		return nil, format.Invalidf(name, 1, "no text: the header has a NUL byte")
	}
	c := csv.NewReader(b)
	c.Comma = separator(head)
	c.ReuseRecord = true
	c.FieldsPerRecord = -1
	c.LazyQuotes = true // free text in exports often has single quotation marks
	out := &CSV{name: name, c: c, limit: limit, close: r}
	header, line, err := out.Next()
	if err == io.EOF {
		err = format.Invalidf(name, 0, "no header line")
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	if len(header) > MaxFields {
		r.Close()
		return nil, format.TooLargef(name, line, "%d columns, limit %d", len(header), MaxFields)
	}
	seen := map[string]bool{}
	for _, h := range header {
		h = strings.ToLower(strings.TrimSpace(h))
		if h != "" && seen[h] {
			r.Close()
			return nil, format.Invalidf(name, line, "two columns are called %q", h)
		}
		seen[h] = true
		out.columns = append(out.columns, h)
	}
	return out, nil
}

func separator(line []byte) rune {
	best, most := ',', 0
	for _, c := range ",\t;|" {
		if n := bytes.Count(line, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

// Columns returns the names of the columns in lower case.
func (r *CSV) Columns() []string { return r.columns }

// Next returns the next row. Blank lines are passed over.
func (r *CSV) Next() ([]string, int, error) {
	r.limit.left = format.MaxRow
	fields, err := r.c.Read()
	if errors.Is(err, errRow) {
		return nil, 0, format.TooLargef(r.name, 0, "a row of more than %d bytes: is a quotation mark never closed?", format.MaxRow)
	}
	if err == io.EOF {
		return nil, 0, io.EOF
	}
	var p *csv.ParseError
	if errors.As(err, &p) {
		return nil, p.Line, format.Invalidf(r.name, p.Line, "%w", p.Err)
	}
	if err != nil {
		return nil, 0, format.ReadError(r.name, 0, err)
	}
	line, _ := r.c.FieldPos(0)
	return fields, line, nil
}

// Close closes what the rows were read from.
func (r *CSV) Close() error { return r.close.Close() }

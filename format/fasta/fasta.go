// Package fasta reads and writes sequences of nucleotides or amino acids in
// FASTA format.
//
// Bytes flow in, usually from [heed/format.Open]; plain [Record] structs flow
// out, one at a time, so that a file of any size is read in the memory of one
// record:
//
//	for rec, err := range fasta.Records("p.fa", r) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// # What is read
//
// A record is a line that begins with '>' and the lines of letters after it,
// however they are wrapped. The first word of the header is the name, the rest
// the description. Line ends may be LF, CRLF or CR, mixed too; a byte order mark,
// blank lines, and blanks between letters are passed over, and so are lines that
// begin with ';', the comments of the original format. Lower case, with which
// genomes mark repeats, is kept; [Upper] removes it.
//
// Everything else is an error with file and line: text before the first header,
// a letter outside the [Alphabet], a record without letters, a file without
// records. Two records may have the same name, as they do in many public files;
// [Duplicates] counts them for a warning.
package fasta

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"strings"

	"heed/format"
)

// A Record is one sequence.
type Record struct {
	// ID is the first word of the header line. A record whose header is empty
	// is called "seq" and its number in the file, from 1: "seq3".
	ID string
	// Description is the rest of the header line, without blanks around it.
	Description string
	// Seq holds the letters as they are in the file, upper and lower case. It
	// belongs to the caller and is never empty.
	Seq []byte
	// Line is the 1-based line of the header.
	Line int
}

// A Reader says what to accept. The zero value takes any letters and sequences
// of up to [format.MaxLetters].
type Reader struct {
	Alphabet   Alphabet
	MaxLetters int // greatest length of one sequence; 0 means format.MaxLetters
}

// Records reads any letters, as [Reader.Records] of the zero Reader does.
func Records(name string, r io.Reader) iter.Seq2[Record, error] {
	return Reader{}.Records(name, r)
}

// Records yields the records of r in their order. An error, always with name
// and line, ends the iteration.
func (d Reader) Records(name string, r io.Reader) iter.Seq2[Record, error] {
	if d.MaxLetters <= 0 {
		d.MaxLetters = format.MaxLetters
	}
	return func(yield func(Record, error) bool) {
		p := d.parser(name, r)
		for {
			rec, err := p.next()
			if err == io.EOF {
				return
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

func (d Reader) parser(name string, r io.Reader) *parser {
	return &parser{Reader: d, name: name, lines: lines{r: bufio.NewReaderSize(r, 64<<10)}}
}

// A parser holds what is known between two records: the header line of the next
// one has been read already, because only it says that the previous one ends.
type parser struct {
	Reader
	name   string
	lines  lines
	header []byte // of the record to come, without '>'
	line   int    // of that header; 0 before the first
	count  int    // records begun
	last   int    // length of the last sequence, a guess for the next
	text   []byte // what run has not returned of the last chunk
	end    bool
}

// next returns the next record, or io.EOF after the last.
func (p *parser) next() (Record, error) {
	rec, err := p.begin()
	if err != nil {
		return Record{}, err
	}
	rec.Seq, err = p.sequence(rec)
	if err != nil {
		return Record{}, err
	}
	if len(rec.Seq) == 0 {
		return Record{}, p.empty(rec)
	}
	p.last = len(rec.Seq)
	return rec, nil
}

// begin returns the next record without its letters, or io.EOF after the last.
func (p *parser) begin() (Record, error) {
	if p.line == 0 && !p.end {
		if err := p.first(); err != nil {
			return Record{}, err
		}
	}
	if p.end {
		return Record{}, io.EOF
	}
	return p.start()
}

func (p *parser) empty(rec Record) error {
	return format.Invalidf(p.name, rec.Line, "sequence %q is empty", short(rec.ID))
}

// first passes over what may stand before the first header and reads that.
func (p *parser) first() error {
	p.lines.skipByteOrderMark()
	for {
		chunk, err := p.lines.next()
		if err == io.EOF {
			return format.Invalidf(p.name, 0, "no sequences")
		}
		if err != nil {
			return format.ReadError(p.name, p.lines.line, err)
		}
		if chunk.start && len(chunk.text) > 0 {
			switch chunk.text[0] {
			case '>':
				return p.readHeader(chunk)
			case ';':
				if err := p.skip(chunk); err != nil {
					return err
				}
				continue
			}
		}
		if text := bytes.TrimLeft(chunk.text, " \t"); len(text) > 0 {
			if text[0] == '>' {
				return format.Invalidf(p.name, p.lines.line, "blank before '>'")
			}
			return format.Invalidf(p.name, p.lines.line, "not FASTA: first letter is %s, want '>'", quote(text[0]))
		}
	}
}

// start turns the header into a record without letters.
func (p *parser) start() (Record, error) {
	p.count++
	for _, c := range p.header {
		// Tab is a blank and \x01 joins the merged headers of NCBI's nr; any
		// other control character is not text, and could play with a terminal.
		if c < ' ' && c != '\t' && c != 1 {
			return Record{}, format.Invalidf(p.name, p.line, "control character %s in the header", quote(c))
		}
	}
	id, description, _ := cutBlank(strings.Trim(string(p.header), blanks))
	if id == "" {
		id = fmt.Sprintf("seq%d", p.count)
	}
	return Record{ID: id, Description: strings.Trim(description, blanks), Line: p.line}, nil
}

const blanks = " \t"

func cutBlank(s string) (before, after string, found bool) {
	if i := strings.IndexAny(s, blanks); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// sequence reads letters up to the next header or the end of the input.
func (p *parser) sequence(rec Record) ([]byte, error) {
	// The last length spares the growing of a slice in files of equal lengths,
	// and must not make a short sequence as large as the chromosome before it.
	seq := make([]byte, 0, min(p.last, 1<<16))
	for {
		run, err := p.run(rec.ID)
		if err != nil || len(run) == 0 {
			return seq, err
		}
		if len(run) > p.MaxLetters-len(seq) {
			return nil, p.tooLong(rec)
		}
		seq = append(seq, run...)
	}
}

func (p *parser) tooLong(rec Record) error {
	return format.TooLargef(p.name, rec.Line, "sequence %q has more than %d letters", short(rec.ID), p.MaxLetters)
}

// run returns the next letters of the record that was begun, of one line at
// most, or none at its end. They are valid until the next call.
func (p *parser) run(id string) ([]byte, error) {
	accept := &letters[p.Alphabet]
	for {
		for len(p.text) > 0 {
			n := 0
			for n < len(p.text) && accept[p.text[n]] {
				n++
			}
			if n > 0 {
				run := p.text[:n]
				p.text = p.text[n:]
				return run, nil
			}
			if c := p.text[0]; c != ' ' && c != '\t' {
				return nil, format.Invalidf(p.name, p.lines.line, "sequence %q: %w", short(id), p.Alphabet.refuse(c))
			}
			p.text = p.text[1:]
		}
		chunk, err := p.lines.next()
		if err == io.EOF {
			p.end = true
			return nil, nil
		}
		if err != nil {
			return nil, format.ReadError(p.name, p.lines.line, err)
		}
		if chunk.start && len(chunk.text) > 0 {
			switch chunk.text[0] {
			case '>':
				return nil, p.readHeader(chunk)
			case ';':
				if err := p.skip(chunk); err != nil {
					return nil, err
				}
				continue
			}
		}
		p.text = chunk.text
	}
}

// readHeader reads the rest of the header that chunk begins.
func (p *parser) readHeader(chunk chunk) error {
	p.line = p.lines.line
	p.header = append(p.header[:0], chunk.text[1:]...)
	for !chunk.end {
		var err error
		if chunk, err = p.lines.next(); err == io.EOF {
			break
		} else if err != nil {
			return format.ReadError(p.name, p.line, err)
		}
		p.header = append(p.header, chunk.text...)
		if len(p.header) > format.MaxHeader {
			return format.TooLargef(p.name, p.line, "header has more than %d bytes", format.MaxHeader)
		}
	}
	return nil
}

// skip reads the rest of the line that chunk begins.
func (p *parser) skip(chunk chunk) error {
	for !chunk.end {
		var err error
		if chunk, err = p.lines.next(); err == io.EOF {
			break
		} else if err != nil {
			return format.ReadError(p.name, p.lines.line, err)
		}
	}
	return nil
}

// short cuts a name to what a message can bear.
func short(id string) string {
	const most = 60
	if len(id) <= most {
		return id
	}
	return id[:most] + "..."
}

// quote prints a byte as Go would, '\x1f'. A byte that is not ASCII is no letter
// by itself, therefore it is not shown as the Latin-1 letter of its value.
func quote(c byte) string {
	if c >= 0x80 {
		return fmt.Sprintf(`'\x%02x'`, c)
	}
	return fmt.Sprintf("%q", c)
}

// Package vcf reads and writes the sites of VCF files, version 4: where a
// genome varies, and how. Genotypes are passed over.
//
// Bytes flow in, usually from [heed/format.Open], which undoes gzip and bgzip;
// plain [Record] structs flow out, one at a time:
//
//	r, err := vcf.NewReader("in.vcf", f)
//	if err != nil {
//		return err
//	}
//	for rec, err := range r.Records() {
//		if err != nil {
//			return err
//		}
//		for _, alt := range rec.Alts {
//			if vcf.KindOf(alt) == vcf.Sequence { ... }
//		}
//	}
//
// # What is read
//
// A header that begins with "##fileformat=VCFv4." and ends with the line of the
// columns, then lines of eight columns or more with tabs between. Lines may end
// with LF or CRLF; blank lines are passed over. REF is letters of IUPAC's code
// for nucleotides in either case. An allele of ALT is such letters, or one of the
// other [Kind]s: what they mean is for the caller, who can say so to the user.
//
// Everything else is an error with file and line. Whether the file is sorted, and
// whether REF is what a reference says, this package does not ask.
//
// Source: The Variant Call Format specification, version 4.3 (samtools/hts-specs).
package vcf

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"heed/format"
)

// A Record is one line: a site and its alleles.
type Record struct {
	Chrom  string
	Pos    int    // 1-based; of the first letter of Ref. 0 stands for the telomere
	ID     string // "." for none
	Ref    string // letters as they are in the file
	Alts   []string
	Qual   string
	Filter string
	Info   string // as in the file
	Line   int    // 1-based
}

// A Kind is what an allele of ALT is.
type Kind uint8

const (
	Sequence Kind = iota // letters that stand in the place of REF
	Missing              // ".": there is no variant
	Spanning             // "*": the letters are deleted by another line
	Symbolic             // "<DEL>", "<*>": described, not spelled out
	Breakend             // "G]17:198982]", "G.": an end of a rearrangement
)

var kinds = [...]string{"sequence", "missing allele", "spanning deletion", "symbolic allele", "breakend"}

func (k Kind) String() string { return kinds[k] }

// KindOf returns the kind of an allele of a [Record].
func KindOf(alt string) Kind {
	switch {
	case alt == ".":
		return Missing
	case alt == "*":
		return Spanning
	case strings.ContainsAny(alt, "[]") || strings.HasPrefix(alt, ".") || strings.HasSuffix(alt, "."):
		return Breakend
	case strings.HasPrefix(alt, "<"):
		return Symbolic
	}
	return Sequence
}

// maxHeader is the greatest length in bytes of all header lines together. A
// draft genome has a line for each of its hundred thousands of contigs.
const maxHeader = 64 << 20

// A Reader is a VCF file whose header has been read.
type Reader struct {
	// Header holds the lines that begin with "##", without their ends.
	Header []string

	name string
	r    *bufio.Reader
	line int
	text []byte
}

// NewReader reads the header of r.
func NewReader(name string, r io.Reader) (*Reader, error) {
	v := &Reader{name: name, r: bufio.NewReaderSize(r, 64<<10)}
	size := 0
	for {
		text, err := v.next(-1)
		switch {
		case err == io.EOF && v.line == 0:
			return nil, format.Invalidf(name, 0, "no header")
		case err == io.EOF:
			return nil, format.Invalidf(name, 0, "header has no line #CHROM")
		case err != nil:
			return nil, err
		}
		line := string(text)
		switch version, ok := strings.CutPrefix(line, "##fileformat=VCFv"); {
		case v.line == 1 && !ok:
			return nil, format.Invalidf(name, 1, "not VCF: the first line is not ##fileformat=VCFv4")
		case v.line == 1 && !strings.HasPrefix(version, "4."):
			return nil, format.Unsupportedf(name, 1, "VCF version %s, want 4", show(version))
		}
		if i := control(line); i >= 0 {
			return nil, format.Invalidf(name, v.line, "control character %q", line[i])
		}
		switch {
		case strings.HasPrefix(line, "##"):
			if size += len(line); size > maxHeader {
				return nil, format.TooLargef(name, v.line, "header has more than %d bytes", maxHeader)
			}
			v.Header = append(v.Header, line)
		case line == columns || strings.HasPrefix(line, columns+"\t"):
			return v, nil
		case strings.HasPrefix(line, "#"):
			return nil, format.Invalidf(name, v.line, "columns are not %s, with tabs between", strings.ReplaceAll(columns, "\t", " "))
		default:
			return nil, format.Invalidf(name, v.line, "header ends without a line #CHROM")
		}
	}
}

const columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"

// Records yields the lines after the header, once. An error, always with name
// and line, ends the iteration. A file without them is no error.
func (v *Reader) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			text, err := v.next(8)
			if err == io.EOF {
				return
			}
			if err == nil && len(text) == 0 {
				continue
			}
			var rec Record
			if err == nil {
				if rec, err = parse(string(text)); err != nil {
					err = format.Invalidf(v.name, v.line, "%w", err)
				}
				rec.Line = v.line
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// next returns a line without its end and without what follows its first n
// columns, or all of them if n is negative.
func (v *Reader) next(n int) ([]byte, error) {
	v.text = v.text[:0]
	read, tabs := false, 0
	for {
		part, err := v.r.ReadSlice('\n')
		if len(part) > 0 && !read {
			read = true
			v.line++
		}
		for len(part) > 0 && tabs != n { // append up to the n-th tab
			i := bytes.IndexByte(part, '\t') + 1
			if i == 0 {
				i = len(part)
			} else {
				tabs++
			}
			v.text = append(v.text, part[:i]...)
			part = part[i:]
		}
		if len(v.text) > format.MaxRow {
			return nil, format.TooLargef(v.name, v.line, "line has more than %d bytes", format.MaxRow)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && !read:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, format.ReadError(v.name, max(1, v.line), err)
		}
		if tabs == n {
			return v.text[:len(v.text)-1], nil
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(v.text, []byte("\n")), []byte("\r")), nil
	}
}

// parse reads the first eight columns.
func parse(text string) (Record, error) {
	f := strings.Split(text, "\t")
	if len(f) < 8 {
		return Record{}, fmt.Errorf("line has %d columns with tabs between, want 8 or more", len(f))
	}
	rec := Record{Chrom: f[0], ID: f[2], Ref: f[3], Alts: strings.Split(f[4], ","), Qual: f[5], Filter: f[6], Info: f[7]}
	if i := control(text); i >= 0 {
		return rec, fmt.Errorf("control character %q", text[i])
	}
	pos, err := strconv.ParseUint(f[1], 10, 31)
	if err != nil {
		return rec, fmt.Errorf("position %s is not a number from 0 to 2147483647", show(f[1]))
	}
	rec.Pos = int(pos)
	return rec, rec.check()
}

// check holds what reading and writing demand of a record.
func (rec *Record) check() error {
	for _, column := range []struct{ name, text string }{
		{"CHROM", rec.Chrom}, {"ID", rec.ID}, {"QUAL", rec.Qual}, {"FILTER", rec.Filter}, {"INFO", rec.Info},
	} {
		if column.text == "" {
			return fmt.Errorf("%s is empty", column.name)
		}
	}
	if strings.Contains(rec.Chrom, " ") || rec.Chrom[0] == '#' {
		return fmt.Errorf("CHROM %s is no name", show(rec.Chrom))
	}
	if !letters(rec.Ref) {
		return fmt.Errorf("REF %s is not nucleotides", show(rec.Ref))
	}
	for _, alt := range rec.Alts {
		ok := true
		switch KindOf(alt) {
		case Sequence:
			ok = letters(alt)
		case Symbolic:
			ok = len(alt) > 2 && strings.HasSuffix(alt, ">") && !strings.ContainsAny(alt, " \t,")
		case Breakend:
			ok = !strings.ContainsAny(alt, " \t,") && strings.ContainsAny(strings.Trim(alt, "."), "ABCDGHKMNRSTVWYabcdghkmnrstvwy[]")
		}
		if !ok {
			return fmt.Errorf("ALT %s is no allele", show(alt))
		}
	}
	return nil
}

// letters reports whether s is one or more letters of IUPAC's code.
func letters(s string) bool {
	for i := range len(s) {
		if !strings.Contains("ACGTNRYSWKMBDHV", strings.ToUpper(s[i:i+1])) {
			return false
		}
	}
	return s != ""
}

// control returns the index of the first control character in s but for tabs, or
// -1. Such a line is not text, and could play with a terminal.
func control(s string) int {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return i
		}
	}
	return -1
}

// show quotes a value of the file, as much of it as a message can bear.
func show(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// Package bed reads and writes intervals on chromosomes in BED format, and
// values over such intervals in bedGraph format.
//
// Bytes flow in, usually from [heed/format.Open]; plain structs flow out, one at
// a time:
//
//	for rec, err := range bed.Records("peaks.bed", r) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// Positions are in base pairs, 0-based and half-open as in the files: the first
// hundred bases of a chromosome are Start 0, End 100.
//
// # What is read
//
// A line is an interval: chromosome, start, end, and up to nine further columns
// with a fixed meaning (name, score, strand, thickStart, thickEnd, itemRgb,
// blockCount, blockSizes, blockStarts), after which a file may have columns of
// its own. Columns are separated by tabs, in a line without a tab by blanks.
// Lines may end with LF or CRLF. Blank lines, comments ('#') and the browser's
// own lines ("track", "browser") are passed over. All lines of a file have the
// same number of columns. A file without intervals is no error.
//
// Intervals may come in any order and overlap; [Order] checks that they do not,
// for whoever needs it.
//
// Sources: the UCSC Genome Browser's descriptions of BED and bedGraph, and the
// GA4GH specification of BED, version 1.0.
package bed

import (
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"heed/format"
)

// A Record is one interval of a BED file.
type Record struct {
	Chrom      string
	Start, End int // bp, 0-based, half-open; an insertion has End == Start

	// Fields is the number of columns of fixed meaning, of the twelve, that the
	// record has: 3 to 9, or 12. Fields of Record beyond it are zero. For
	// [Write], 0 means 6.
	Fields int

	Name   string  // may be "."
	Score  float64 // by the book an integer from 0 to 1000; any finite number is taken
	Strand byte    // '+', '-' or '.'; for Write, 0 means '.'

	ThickStart, ThickEnd int // bp: the part drawn thick; within Start and End, or empty
	RGB                  [3]uint8
	Blocks               []Block // ascending and apart; they begin at Start and end at End

	// Extra holds the columns of the file's own.
	Extra []string

	Line int // 1-based
}

// A Block is a part of a record, such as an exon.
type Block struct {
	Start int // bp from the Start of the record
	Size  int // bp
}

// A Reader says what to read. The zero value reads six columns of fixed meaning,
// so that the further columns of narrowPeak and its like are [Record.Extra].
type Reader struct {
	// Fields is the greatest number of columns that have their fixed meaning: 3
	// to 9, or 12. 0 means 6. A file may have fewer columns, but at least 3.
	Fields int
}

// Records reads six columns of fixed meaning and any number of others, as
// [Reader.Records] of the zero Reader does.
func Records(name string, r io.Reader) iter.Seq2[Record, error] {
	return Reader{}.Records(name, r)
}

// Records yields the intervals of r in their order. An error, always with name
// and line, ends the iteration. It panics if d.Fields is none of the numbers
// allowed.
func (d Reader) Records(name string, r io.Reader) iter.Seq2[Record, error] {
	most := d.Fields
	if most == 0 {
		most = 6
	}
	if !validFields(most) {
		panic("bed: Reader.Fields is " + strconv.Itoa(most) + ", want 3 to 9 or 12")
	}
	return func(yield func(Record, error) bool) {
		for row, err := range rows(name, r) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			rec, err := parse(row.columns, most)
			if err != nil {
				yield(Record{}, format.Invalidf(name, row.line, "%w", err))
				return
			}
			rec.Line = row.line
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// validFields says whether BED knows records of n columns. The last three stand
// or fall together.
func validFields(n int) bool { return 3 <= n && n <= 9 || n == 12 }

// A row is a line cut at its separators.
type row struct {
	columns []string // at least 3
	line    int
}

// rows yields the lines that are neither blank nor comments.
func rows(name string, r io.Reader) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		width, first := 0, 0
		for line, err := range format.Lines(name, r) {
			if err != nil {
				yield(row{}, err)
				return
			}
			columns := cut(line.Text)
			if len(columns) == 0 {
				continue
			}
			switch n := len(columns); {
			case hasControl(line.Text):
				err = format.Invalidf(name, line.Number, "control character in the line")
			case width == 0 && n < 3:
				err = format.Invalidf(name, line.Number, "line has %s, want chromosome, start and end", count(n, "column"))
			case width == 0:
				width, first = n, line.Number
			case n != width:
				err = format.Invalidf(name, line.Number, "line has %s, but line %d has %d", count(n, "column"), first, width)
			}
			if !yield(row{columns, line.Number}, err) || err != nil {
				return
			}
		}
	}
}

// cut returns the columns of a line, none if the line says nothing.
func cut(text string) []string {
	if strings.HasPrefix(text, "#") || strings.Trim(text, " \t") == "" {
		return nil
	}
	tabs := strings.Contains(text, "\t")
	columns := []string(nil)
	if tabs {
		columns = strings.Split(text, "\t")
	} else {
		columns = strings.FieldsFunc(text, func(r rune) bool { return r == ' ' })
	}
	// A chromosome may be called "track" as well; then a start follows.
	if word, _, _ := strings.Cut(columns[0], " "); word == "track" || word == "browser" {
		if len(columns) < 3 || !digits(columns[1]) {
			return nil
		}
	}
	return columns
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// parse turns columns into a record.
func parse(columns []string, most int) (Record, error) {
	n := min(len(columns), most)
	if n == 10 || n == 11 {
		return Record{}, fmt.Errorf("line has %d columns; those of blocks are 12", n)
	}
	rec := Record{Fields: n}
	if len(columns) > n {
		rec.Extra = columns[n:]
	}
	var err error
	if rec.Chrom, rec.Start, rec.End, err = interval(columns); err != nil {
		return Record{}, err
	}
	if n > 3 {
		rec.Name = columns[3]
	}
	if n > 4 && columns[4] != "." {
		if rec.Score, err = strconv.ParseFloat(columns[4], 64); err != nil || !finite(rec.Score) {
			return Record{}, fmt.Errorf("score %s is not a number", show(columns[4]))
		}
	}
	if n > 5 {
		switch columns[5] {
		case "+", "-", ".":
			rec.Strand = columns[5][0]
		default:
			return Record{}, fmt.Errorf("strand %s is not '+', '-' or '.'", show(columns[5]))
		}
	}
	if n > 6 {
		if rec.ThickStart, err = position("thickStart", columns[6]); err != nil {
			return Record{}, err
		}
		rec.ThickEnd = rec.ThickStart
	}
	if n > 7 {
		if rec.ThickEnd, err = position("thickEnd", columns[7]); err != nil {
			return Record{}, err
		}
	}
	if n > 8 {
		if rec.RGB, err = parseRGB(columns[8]); err != nil {
			return Record{}, err
		}
	}
	if n > 9 {
		if rec.Blocks, err = parseBlocks(columns[9], columns[10], columns[11]); err != nil {
			return Record{}, err
		}
	}
	return rec, rec.check()
}

// interval reads the three columns that all lines have.
func interval(columns []string) (chrom string, start, end int, err error) {
	chrom = columns[0]
	if err = checkName(chrom); err != nil {
		return "", 0, 0, err
	}
	if start, err = position("start", columns[1]); err != nil {
		return "", 0, 0, err
	}
	if end, err = position("end", columns[2]); err != nil {
		return "", 0, 0, err
	}
	return chrom, start, end, nil
}

func position(what, s string) (int, error) {
	p, err := strconv.ParseUint(s, 10, strconv.IntSize-1)
	if err != nil || !digits(s) {
		return 0, fmt.Errorf("%s %s is not a position", what, show(s))
	}
	return int(p), nil
}

func parseRGB(s string) (rgb [3]uint8, err error) {
	if s == "0" || s == "." {
		return rgb, nil
	}
	parts := strings.Split(s, ",")
	if len(parts) != 3 {
		return rgb, fmt.Errorf("itemRgb %s is not three numbers", show(s))
	}
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return rgb, fmt.Errorf("itemRgb %s: want numbers of 0 to 255", show(s))
		}
		rgb[i] = uint8(v)
	}
	return rgb, nil
}

func parseBlocks(n, sizes, starts string) ([]Block, error) {
	want, err := position("blockCount", n)
	if err != nil {
		return nil, err
	}
	// A comma after the last number is usual.
	size := strings.Split(strings.TrimSuffix(sizes, ","), ",")
	start := strings.Split(strings.TrimSuffix(starts, ","), ",")
	if len(size) != want || len(start) != want {
		return nil, fmt.Errorf("blockCount is %d, but there are %s and %s", want, count(len(size), "size"), count(len(start), "start"))
	}
	blocks := make([]Block, want)
	for i := range blocks {
		if blocks[i].Size, err = position("size of a block", size[i]); err != nil {
			return nil, err
		}
		if blocks[i].Start, err = position("start of a block", start[i]); err != nil {
			return nil, err
		}
	}
	return blocks, nil
}

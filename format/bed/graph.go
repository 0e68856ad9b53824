package bed

import (
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"heed/format"
)

// A Signal is one line of bedGraph: a value over an interval.
type Signal struct {
	Chrom      string
	Start, End int     // bp, 0-based, half-open; never empty
	Value      float32 // finite; the precision of bigWig
	Line       int     // 1-based
}

// Signals yields the lines of a bedGraph file in their order: four columns,
// separated as in BED. An error, always with name and line, ends the iteration.
// A file without values is no error. That intervals are sorted and apart, as the
// format wants it, is for [Order] to say.
func Signals(name string, r io.Reader) iter.Seq2[Signal, error] {
	return func(yield func(Signal, error) bool) {
		for row, err := range rows(name, r) {
			if wiggle(row.columns) {
				err = format.Unsupportedf(name, row.line, "this is wiggle (%s), not bedGraph", row.columns[0])
			}
			if err != nil {
				yield(Signal{}, err)
				return
			}
			s, err := parseSignal(row)
			if err != nil {
				yield(Signal{}, format.Invalidf(name, row.line, "%w", err))
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// wiggle knows the other text format for the same thing by its first line.
func wiggle(columns []string) bool {
	return len(columns) > 0 && (columns[0] == "fixedStep" || columns[0] == "variableStep")
}

func parseSignal(row row) (Signal, error) {
	if len(row.columns) != 4 {
		return Signal{}, fmt.Errorf("line has %s, want chromosome, start, end and value", count(len(row.columns), "column"))
	}
	s := Signal{Line: row.line}
	var err error
	if s.Chrom, s.Start, s.End, err = interval(row.columns); err != nil {
		return Signal{}, err
	}
	v, err := strconv.ParseFloat(row.columns[3], 32)
	if err != nil || !finite(v) {
		return Signal{}, fmt.Errorf("value %s is not a number", show(row.columns[3]))
	}
	s.Value = float32(v)
	return s, s.check()
}

func (s *Signal) check() error {
	if s.Start < 0 || s.End <= s.Start {
		return fmt.Errorf("interval %d to %d is empty", s.Start, s.End)
	}
	return nil
}

// WriteSignal writes one line of bedGraph, the value with as many digits as
// float32 needs. It calls w.Write once. What [Signals] could not read back is
// refused. A browser also wants a line "track type=bedGraph" before the first.
func WriteSignal(w io.Writer, s Signal) error {
	err := checkName(s.Chrom)
	if err == nil {
		err = s.check()
	}
	if err == nil && !finite(float64(s.Value)) {
		err = fmt.Errorf("value %v is not a number", s.Value)
	}
	if err != nil {
		return fmt.Errorf("bed: %w", err)
	}
	b := appendInterval(make([]byte, 0, 64), s.Chrom, s.Start, s.End)
	b = append(b, '\t')
	b = strconv.AppendFloat(b, float64(s.Value), 'g', -1, 32)
	b = append(b, '\n')
	_, err = w.Write(b)
	return err
}

func appendInterval(b []byte, chrom string, start, end int) []byte {
	b = append(b, chrom...)
	b = append(b, '\t')
	b = strconv.AppendInt(b, int64(start), 10)
	b = append(b, '\t')
	return strconv.AppendInt(b, int64(end), 10)
}

// checkName refuses what would not be the first column when it is read back.
func checkName(chrom string) error {
	switch {
	case strings.Trim(chrom, " ") == "":
		return fmt.Errorf("name of the chromosome is empty")
	case chrom[0] == '#' || strings.HasPrefix(chrom, "\xef\xbb\xbf") || hasControl(chrom) || strings.Contains(chrom, "\t"):
		return fmt.Errorf("%s is no name for a chromosome", show(chrom))
	}
	return nil
}

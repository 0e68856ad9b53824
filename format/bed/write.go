package bed

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Write writes one line of BED: the columns of fixed meaning that rec.Fields
// asks for, six if it is 0, and rec.Extra after them, with tabs between. An empty
// Name is written as ".". It calls w.Write once. What [Reader.Records] could not
// read back is refused.
//
// Scores are written as they are. Browsers want integers from 0 to 1000.
func Write(w io.Writer, rec Record) error {
	if rec.Fields == 0 {
		rec.Fields = 6
	}
	if rec.Strand == 0 {
		rec.Strand = '.'
	}
	if err := writable(&rec); err != nil {
		return fmt.Errorf("bed: %w", err)
	}
	n := rec.Fields
	b := appendInterval(make([]byte, 0, 128), rec.Chrom, rec.Start, rec.End)
	if n > 3 {
		b = append(b, '\t')
		if rec.Name == "" {
			b = append(b, '.')
		}
		b = append(b, rec.Name...)
	}
	if n > 4 {
		b = append(b, '\t')
		b = strconv.AppendFloat(b, rec.Score, 'f', -1, 64)
	}
	if n > 5 {
		b = append(b, '\t', rec.Strand)
	}
	if n > 6 {
		b = fmt.Appendf(b, "\t%d", rec.ThickStart)
	}
	if n > 7 {
		b = fmt.Appendf(b, "\t%d", rec.ThickEnd)
	}
	if n > 8 {
		b = fmt.Appendf(b, "\t%d,%d,%d", rec.RGB[0], rec.RGB[1], rec.RGB[2])
	}
	if n > 9 {
		b = fmt.Appendf(b, "\t%d\t", len(rec.Blocks))
		for _, block := range rec.Blocks {
			b = fmt.Appendf(b, "%d,", block.Size)
		}
		b = append(b, '\t')
		for _, block := range rec.Blocks {
			b = fmt.Appendf(b, "%d,", block.Start)
		}
	}
	for _, e := range rec.Extra {
		b = append(b, '\t')
		b = append(b, e...)
	}
	b = append(b, '\n')
	_, err := w.Write(b)
	return err
}

func writable(rec *Record) error {
	if !validFields(rec.Fields) {
		return fmt.Errorf("record of %d columns, want 3 to 9 or 12", rec.Fields)
	}
	if err := checkName(rec.Chrom); err != nil {
		return err
	}
	for _, s := range append([]string{rec.Name}, rec.Extra...) {
		if hasControl(s) || strings.Contains(s, "\t") {
			return fmt.Errorf("control character in column %s", show(s))
		}
	}
	if !finite(rec.Score) {
		return fmt.Errorf("score %v is not a number", rec.Score)
	}
	if rec.Strand != '+' && rec.Strand != '-' && rec.Strand != '.' {
		return fmt.Errorf("strand %q is not '+', '-' or '.'", rec.Strand)
	}
	if rec.ThickStart < 0 || rec.ThickEnd < 0 {
		return fmt.Errorf("thick part %d to %d is negative", rec.ThickStart, rec.ThickEnd)
	}
	if rec.Fields == 7 {
		rec.ThickEnd = rec.ThickStart
	}
	return rec.check()
}

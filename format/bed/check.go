package bed

import (
	"fmt"
	"math"
	"strings"

	"heed/format"
)

// check holds what reading and writing demand of a record.
func (r *Record) check() error {
	length := r.End - r.Start
	if r.Start < 0 {
		return fmt.Errorf("interval %d to %d: start is negative", r.Start, r.End)
	}
	if length < 0 {
		return fmt.Errorf("interval %d to %d: end is before start", r.Start, r.End)
	}
	// An empty thick part says nothing, wherever it lies; many tools write 0 0.
	if r.Fields > 6 && r.ThickStart != r.ThickEnd && (r.ThickStart < r.Start || r.ThickEnd < r.ThickStart || r.ThickEnd > r.End) {
		return fmt.Errorf("thick part %d to %d is not within %d to %d", r.ThickStart, r.ThickEnd, r.Start, r.End)
	}
	if r.Fields < 12 {
		return nil
	}
	if len(r.Blocks) == 0 {
		return fmt.Errorf("record has no blocks")
	}
	at := 0
	for i, b := range r.Blocks {
		switch {
		case i == 0 && b.Start != 0:
			return fmt.Errorf("first block starts at %d, want 0", b.Start)
		case b.Start < at:
			return fmt.Errorf("block %d starts at %d, before the end of the block before it", i+1, b.Start)
		case b.Size < 0 || b.Start > length || b.Size > length-b.Start:
			return fmt.Errorf("block %d, %d bp from %d, passes the end of the record, which has %d bp", i+1, b.Size, b.Start, length)
		}
		at = b.Start + b.Size
	}
	if at != length {
		return fmt.Errorf("last block ends at %d, want %d, the end of the record", at, length)
	}
	return nil
}

// An Order checks that intervals are sorted, as indexes and bigWig files need
// them: each chromosome in one piece, and starts that do not fall within it. The
// order of the chromosomes does not matter. The zero value is ready.
type Order struct {
	// Apart demands in addition that no interval begins before the end of the
	// one before it.
	Apart bool

	chrom      string
	start, end int
	line       int
	seen       map[string]bool
}

// Check takes the next interval of the file name, from the given line, and
// returns an error of [format.ErrInvalid] if it should have come earlier.
func (o *Order) Check(name string, line int, chrom string, start, end int) error {
	if o.seen == nil {
		o.seen = make(map[string]bool)
	}
	switch {
	case o.line == 0 || chrom != o.chrom:
		if o.seen[chrom] {
			return format.Invalidf(name, line, "not sorted: chromosome %s came before %s already", show(chrom), show(o.chrom))
		}
		o.seen[chrom] = true
	case start < o.start:
		return format.Invalidf(name, line, "not sorted: start %d is before %d in line %d", start, o.start, o.line)
	case o.Apart && start < o.end:
		return format.Invalidf(name, line, "interval %d to %d overlaps the one that ends at %d in line %d", start, end, o.end, o.line)
	}
	o.chrom, o.start, o.end, o.line = chrom, start, end, line
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// show quotes a value of the file, as much of it as a message can bear.
func show(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// count prints a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// hasControl says whether s holds a control character other than a tab. Such a
// line is not text, and could play with a terminal.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

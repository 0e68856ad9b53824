package fasta

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"heed/format"
)

// An Index says where the letters of each sequence lie in a FASTA file that is
// not compressed: the .fai that "samtools faidx" writes.
type Index struct {
	entries map[string]entry
}

// An entry is one line of an index, all in bytes but for length.
type entry struct {
	length int   // letters
	offset int64 // of the first letter
	bases  int   // letters of a line
	width  int   // bytes of a line with its end
}

// ReadIndex reads a .fai: name, length, offset, letters of a line and bytes of a
// line, with tabs between. Where a name occurs twice the first line counts, as in
// samtools.
func ReadIndex(name string, r io.Reader) (*Index, error) {
	x := &Index{map[string]entry{}}
	l := lines{r: bufio.NewReaderSize(r, 64<<10)}
	var text []byte
	for {
		chunk, err := l.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, format.ReadError(name, l.line, err)
		}
		if chunk.start {
			text = text[:0]
		}
		if text = append(text, chunk.text...); len(text) > format.MaxHeader {
			return nil, format.TooLargef(name, l.line, "line has more than %d bytes", format.MaxHeader)
		}
		if chunk.end && len(text) > 0 {
			if err := x.add(string(text)); err != nil {
				return nil, format.Invalidf(name, l.line, "%w", err)
			}
			text = text[:0]
		}
	}
	if len(text) > 0 { // the last line needs no end
		if err := x.add(string(text)); err != nil {
			return nil, format.Invalidf(name, l.line, "%w", err)
		}
	}
	if len(x.entries) == 0 {
		return nil, format.Invalidf(name, 0, "index is empty")
	}
	return x, nil
}

func (x *Index) add(line string) error {
	f := strings.Split(line, "\t")
	if len(f) != 5 {
		return fmt.Errorf("line has %d columns, an index of FASTA has 5", len(f))
	}
	var n [4]int64
	for i := range n {
		v, err := strconv.ParseInt(f[1+i], 10, 64)
		if err != nil || v < 0 {
			return fmt.Errorf("%q is not a number", short(f[1+i]))
		}
		n[i] = v
	}
	e := entry{int(n[0]), n[1], int(n[2]), int(n[3])}
	if e.bases == 0 && e.length > 0 || e.width < e.bases || e.width > e.bases+2 && e.length > 0 {
		return fmt.Errorf("lines of %d letters and %d bytes", e.bases, e.width)
	}
	// The line ends are counted below: their sum must not overflow.
	if e.length > 0 && (e.length/e.bases > (1<<61)/e.width || e.offset > 1<<61) {
		return fmt.Errorf("offsets are too large")
	}
	// samtools takes the first word of the header, other programs all of it.
	id, _, _ := cutBlank(f[0])
	if _, seen := x.entries[id]; !seen {
		x.entries[id] = e
	}
	return nil
}

// Length returns the number of letters of a sequence, and whether there is one
// of that name.
func (x *Index) Length(id string) (int, bool) {
	e, ok := x.entries[id]
	return e.length, ok
}

// Fetch reads letters [from, to) of a sequence, which must have them, from a
// FASTA file with the given name. A file that is not as the index says, because
// it changed since, is an error of [format.ErrInvalid] as far as it shows in the
// letters and line ends that are read.
func (x *Index) Fetch(name string, file io.ReaderAt, id string, from, to int) ([]byte, error) {
	e, ok := x.entries[id]
	if !ok || from < 0 || to < from || to > e.length {
		panic(fmt.Sprintf("fasta: letters %d to %d of %q, which has %d", from, to, id, e.length))
	}
	if from == to {
		return nil, nil
	}
	start := e.at(from)
	raw := make([]byte, e.at(to-1)+1-start)
	if n, err := file.ReadAt(raw, start); n < len(raw) {
		if err == io.EOF {
			return nil, format.InvalidAt(name, start+int64(n), "file ends before letter %d of %q: the index is of another file", to, short(id))
		}
		return nil, format.ReadError(name, 0, err)
	}
	seq := raw[:0]
	column := from % e.bases
	for i, c := range raw {
		if column < e.bases != letters[Any][c] || column >= e.bases && c != '\n' && c != '\r' {
			return nil, format.InvalidAt(name, start+int64(i), "%s is not what the index says of %q: it is of another file", quote(c), short(id))
		}
		if column < e.bases {
			seq = append(seq, c)
		}
		if column++; column == e.width {
			column = 0
		}
	}
	return seq, nil
}

// at returns the offset of a letter.
func (e *entry) at(letter int) int64 {
	return e.offset + int64(letter/e.bases)*int64(e.width) + int64(letter%e.bases)
}

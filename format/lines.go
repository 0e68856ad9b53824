package format

import (
	"bufio"
	"bytes"
	"io"
	"iter"
)

// A Line is one line of a text.
type Line struct {
	Text   string // without its end
	Number int    // 1-based
}

// Lines yields the lines of r, as readers of line-oriented formats need them.
// A line ends with LF or CRLF, the last one perhaps with nothing; a byte order
// mark before the first is passed over. A line longer than [MaxRow] is
// [ErrTooLarge]; any error has name and line, and ends the iteration.
func Lines(name string, r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		br := bufio.NewReaderSize(r, 64<<10)
		if mark, _ := br.Peek(3); string(mark) == "\xef\xbb\xbf" {
			br.Discard(3)
		}
		var text []byte
		for number := 1; ; number++ {
			text = text[:0]
			for {
				part, err := br.ReadSlice('\n')
				text = append(text, part...)
				if len(text) > MaxRow+2 { // the end of the line is not counted
					yield(Line{}, TooLargef(name, number, "line has more than %d bytes", MaxRow))
					return
				}
				if err == nil || err == io.EOF {
					break
				}
				if err != bufio.ErrBufferFull {
					yield(Line{}, ReadError(name, number, err))
					return
				}
			}
			if len(text) == 0 {
				return
			}
			line := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
			if len(line) > MaxRow {
				yield(Line{}, TooLargef(name, number, "line has more than %d bytes", MaxRow))
				return
			}
			if !yield(Line{string(line), number}, nil) {
				return
			}
		}
	}
}

package format

import (
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
		lines := NewLineReader(name, r, MaxRow)
		for {
			text, err := lines.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Line{}, err)
				return
			}
			if !yield(Line{string(text), lines.Number()}, nil) {
				return
			}
		}
	}
}

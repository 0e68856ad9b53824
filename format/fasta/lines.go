package fasta

import (
	"bufio"
	"bytes"
	"io"
)

// lines cuts a stream at LF, CRLF and CR. A line longer than the buffer comes in
// several chunks, because the line may be a whole chromosome.
type lines struct {
	r      *bufio.Reader
	line   int  // of the last chunk, 1-based
	within bool // the last chunk did not end its line
	cr     bool // the last chunk ended with CR; an LF to come belongs to it
}

// A chunk is a piece of one line. Its text holds no line end and is valid until
// the next call of next.
type chunk struct {
	text       []byte
	start, end bool // of the line
}

// next returns the next chunk, or io.EOF. The last line needs no line end.
func (l *lines) next() (chunk, error) {
	_, err := l.r.Peek(1)
	if err == nil && l.cr {
		l.cr = false
		if window, _ := l.r.Peek(1); window[0] == '\n' {
			l.r.Discard(1)
			_, err = l.r.Peek(1)
		}
	}
	if err != nil {
		return chunk{}, err
	}
	window, _ := l.r.Peek(l.r.Buffered())
	text := window
	end := bytes.IndexByte(window, '\n')
	if end >= 0 {
		text = window[:end]
	}
	if i := bytes.IndexByte(text, '\r'); i >= 0 {
		end, text, l.cr = i, window[:i], true
	}
	c := chunk{text: text, start: !l.within, end: end >= 0}
	if c.start {
		l.line++
	}
	l.within = !c.end
	n := len(text)
	if c.end {
		n++
	}
	l.r.Discard(n) // of what is buffered: cannot fail, and leaves window alone
	return c, nil
}

// skipByteOrderMark passes over the mark that editors put before UTF-8.
func (l *lines) skipByteOrderMark() {
	if mark, err := l.r.Peek(3); (err == nil || err == io.EOF) && string(mark) == "\xef\xbb\xbf" {
		l.r.Discard(3)
	}
}

package format

import (
	"bufio"
	"bytes"
	"io"
)

// A LineReader is the other side of [Lines]: it gives one line when it is asked
// for one, to readers of formats whose lines belong together in ways that a loop
// over them cannot follow.
type LineReader struct {
	name string
	r    *bufio.Reader
	max  int
	line int
	buf  []byte
}

// NewLineReader returns the lines of r. No line may have more than max bytes,
// which must be positive; name stands for the input in errors.
func NewLineReader(name string, r io.Reader, max int) *LineReader {
	l := &LineReader{name: name, r: bufio.NewReaderSize(r, 64<<10), max: max}
	if mark, _ := l.r.Peek(3); string(mark) == "\xef\xbb\xbf" {
		l.r.Discard(3)
	}
	return l
}

// Number returns the 1-based number of the last line that Next returned, and 0
// before the first.
func (l *LineReader) Number() int { return l.line }

// Next returns the next line without its end, LF or CRLF, or io.EOF after the
// last, which needs no end. The line is valid until the next call. Other errors
// are of type [Error] with name and line.
func (l *LineReader) Next() ([]byte, error) {
	l.buf = l.buf[:0]
	for first := true; ; first = false {
		part, err := l.r.ReadSlice('\n')
		if first && len(part) == 0 && err == io.EOF {
			return nil, io.EOF
		}
		if first {
			l.line++
		}
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return nil, ReadError(l.name, l.line, err)
		}
		text := part
		if !first || err == bufio.ErrBufferFull {
			if len(l.buf)+len(part) > l.max+2 { // the end of the line is not counted
				return nil, l.tooLong()
			}
			l.buf = append(l.buf, part...)
			text = l.buf
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
		if len(text) > l.max {
			return nil, l.tooLong()
		}
		return text, nil
	}
}

func (l *LineReader) tooLong() error {
	return TooLargef(l.name, l.line, "line has more than %d bytes", l.max)
}

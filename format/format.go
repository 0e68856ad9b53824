// Package format holds what all readers of Heed's input formats share: one
// error type that says where in a file the problem is, three sentinels that say
// what kind of problem it is, the limits that keep hostile input from filling
// the memory, opening with transparent gzip, and writing files that appear
// whole or not at all.
//
// Bytes flow in through [Open] or [NewReader], the packages below this one
// (format/fasta, format/table, ...) turn them into plain Go structs, and results
// flow out through [WriteFile]. Nothing here knows tensors or models.
package format

import (
	"errors"
	"fmt"
)

// The three kinds of bad input. Readers wrap one of them in an [Error], so that
// a caller asks errors.Is(err, format.ErrInvalid) and the user reads the reason.
var (
	// ErrInvalid means that the input breaks the rules of its format.
	ErrInvalid = errors.New("invalid")
	// ErrUnsupported means that the input may be right, but Heed cannot read it.
	ErrUnsupported = errors.New("not supported")
	// ErrTooLarge means that the input passes one of the limits below.
	ErrTooLarge = errors.New("too large")
)

// Limits on what a reader holds in memory at one time. They are far above
// anything met in practice; a reader that can be configured has a field that
// lowers or raises them.
const (
	// MaxLetters is the greatest length of one sequence: 256 Mi letters, a
	// little more than human chromosome 1 (248,956,422).
	MaxLetters = 256 << 20
	// MaxHeader is the greatest length in bytes of a header line. Headers of
	// NCBI's merged protein entries reach some 100 KiB.
	MaxHeader = 1 << 20
	// MaxRow is the greatest length in bytes of one row of a table.
	MaxRow = 16 << 20
	// MaxArray is the greatest size in bytes of one array of numbers: 4 GiB.
	MaxArray = 4 << 30
)

// An Error says where in a file the problem is.
//
// Line is 1-based. It is zero in a binary format or where the problem is the
// file as a whole; then Offset, in bytes from the start, says where, and an
// Offset of zero again means the whole file.
type Error struct {
	Name   string // of the file, as the user gave it
	Line   int
	Offset int64
	Err    error
}

// Error returns "name:line: reason", "name: offset N: reason" or "name: reason".
func (e *Error) Error() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("%s:%d: %v", e.Name, e.Line, e.Err)
	case e.Offset > 0:
		return fmt.Sprintf("%s: offset %d: %v", e.Name, e.Offset, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Name, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// Invalidf returns an [Error] of the kind [ErrInvalid] for a line of a text
// format; line 0 stands for the whole file. The reason is formatted as by
// [fmt.Errorf].
func Invalidf(name string, line int, reason string, args ...any) error {
	return &Error{Name: name, Line: line, Err: because(ErrInvalid, reason, args)}
}

// InvalidAt is [Invalidf] for a binary format: offset counts bytes.
func InvalidAt(name string, offset int64, reason string, args ...any) error {
	return &Error{Name: name, Offset: offset, Err: because(ErrInvalid, reason, args)}
}

// Unsupportedf is [Invalidf] with the kind [ErrUnsupported].
func Unsupportedf(name string, line int, reason string, args ...any) error {
	return &Error{Name: name, Line: line, Err: because(ErrUnsupported, reason, args)}
}

// UnsupportedAt is [InvalidAt] with the kind [ErrUnsupported].
func UnsupportedAt(name string, offset int64, reason string, args ...any) error {
	return &Error{Name: name, Offset: offset, Err: because(ErrUnsupported, reason, args)}
}

// TooLargef is [Invalidf] with the kind [ErrTooLarge].
func TooLargef(name string, line int, reason string, args ...any) error {
	return &Error{Name: name, Line: line, Err: because(ErrTooLarge, reason, args)}
}

// TooLargeAt is [InvalidAt] with the kind [ErrTooLarge].
func TooLargeAt(name string, offset int64, reason string, args ...any) error {
	return &Error{Name: name, Offset: offset, Err: because(ErrTooLarge, reason, args)}
}

func because(kind error, reason string, args []any) error {
	return fmt.Errorf("%w: %w", kind, fmt.Errorf(reason, args...))
}

// ReadError adds the place to an error of the underlying reader. An error that
// already says where it happened (a damaged gzip stream opened by [Open], say)
// is returned as it is.
func ReadError(name string, line int, err error) error {
	var placed *Error
	if errors.As(err, &placed) {
		return err
	}
	return &Error{Name: name, Line: line, Err: err}
}

// A cause prints text, and is err for errors.Is.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

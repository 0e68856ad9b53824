package dna

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"heed/format"
)

// A UsageError is a command line that makes no sense.
type UsageError struct{ Reason string }

func (e *UsageError) Error() string { return e.Reason }

// Usage marks the error for whoever turns errors into exit codes.
func (e *UsageError) Usage() {}

func usagef(reason string, args ...any) error {
	return &UsageError{fmt.Sprintf(reason, args...)}
}

// A HintedError is an error that the user can do something about.
type HintedError struct {
	Err  error
	Text string
}

func (e *HintedError) Error() string { return e.Err.Error() }

// Unwrap returns the error without the hint.
func (e *HintedError) Unwrap() error { return e.Err }

// Hint says what the user can do.
func (e *HintedError) Hint() string { return e.Text }

func hint(err error, text string) error { return &HintedError{err, text} }

// tooLong adds a hint to the error of a sequence above the limit.
func tooLong(err error) error {
	if errors.Is(err, format.ErrTooLarge) && strings.Contains(err.Error(), "sequence") {
		return hint(err, "--max-len raises the limit; time grows with its square")
	}
	return err
}

// columnHint adds a hint to the error of a table without a column.
func columnHint(err error) error {
	if strings.Contains(err.Error(), "no column") {
		return hint(err, "--sequence-column and --label-column name the columns")
	}
	return err
}

// writeFile is format.WriteFile whose errors of the system are no bad input.
func writeFile(path string, write func(io.Writer) error) error {
	return systemFileError(path, format.WriteFile(path, write))
}

// systemFileError takes the mark of bad input off an error of the system.
func systemFileError(path string, err error) error {
	var e *format.Error
	if errors.As(err, &e) && e.Name == path && !badInput(err) {
		return fmt.Errorf("%s: %w", path, e.Err)
	}
	return err
}

func badInput(err error) bool {
	return errors.Is(err, format.ErrInvalid) || errors.Is(err, format.ErrUnsupported) || errors.Is(err, format.ErrTooLarge)
}

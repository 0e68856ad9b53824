package ehr

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

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

// writeFile is format.WriteFile whose errors of the system are no bad input.
func writeFile(path string, write func(io.Writer) error) error {
	err := format.WriteFile(path, write)
	var e *format.Error
	if errors.As(err, &e) && !errors.Is(err, format.ErrInvalid) && !errors.Is(err, format.ErrUnsupported) && !errors.Is(err, format.ErrTooLarge) {
		return fmt.Errorf("%s: %w", path, e.Err)
	}
	return err
}

// makeFolder makes an output folder that is new, empty or given up by force. Only the
// user may look into it: it holds data of patients.
func makeFolder(path string, force bool) error {
	entries, err := os.ReadDir(path)
	switch {
	case err == nil && len(entries) > 0 && !force:
		return hint(fmt.Errorf("%s: the folder exists", path), "--force writes into it")
	case err == nil, errors.Is(err, fs.ErrNotExist):
		err = os.MkdirAll(path, 0o700)
	}
	return systemError(path, err)
}

// systemError is an error of package os without the name of the system call.
func systemError(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", path, p.Err)
	}
	return err
}

// Package cli is what the verbs of all applications have in common: errors that name
// a wrong command line or come with a hint, and files and folders that are written
// whole or refused.
package cli

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

// Usagef returns a UsageError.
func Usagef(reason string, args ...any) error {
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

// Hint adds to an error what the user can do.
func Hint(err error, text string) error { return &HintedError{err, text} }

// WriteFile is format.WriteFile whose errors of the system are no bad input.
func WriteFile(path string, write func(io.Writer) error) error {
	return SystemFileError(path, format.WriteFile(path, write))
}

// SystemFileError takes the mark of bad input off an error of the system at path.
func SystemFileError(path string, err error) error {
	var e *format.Error
	if errors.As(err, &e) && e.Name == path && !BadInput(err) {
		return fmt.Errorf("%s: %w", path, e.Err)
	}
	return err
}

// BadInput reports whether what was read is to blame.
func BadInput(err error) bool {
	return errors.Is(err, format.ErrInvalid) || errors.Is(err, format.ErrUnsupported) || errors.Is(err, format.ErrTooLarge)
}

// SystemError is an error of package os without the name of the system call.
func SystemError(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("%s: %w", path, p.Err)
	}
	return err
}

// MakeFolder makes an output folder that is new, empty or given up by force.
func MakeFolder(path string, force bool) error { return makeFolder(path, force, 0o777) }

// MakePrivateFolder is MakeFolder for data of patients: only the user may look into
// the folder.
func MakePrivateFolder(path string, force bool) error { return makeFolder(path, force, 0o700) }

func makeFolder(path string, force bool, mode fs.FileMode) error {
	entries, err := os.ReadDir(path)
	switch {
	case err == nil && len(entries) > 0 && !force:
		return Hint(fmt.Errorf("%s: the folder exists", path), "--force writes into it")
	case err == nil, errors.Is(err, fs.ErrNotExist):
		err = os.MkdirAll(path, mode)
	}
	return SystemError(path, err)
}

// Exists reports whether there is something at path.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// RemoveFile removes a file that may not exist.
func RemoveFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

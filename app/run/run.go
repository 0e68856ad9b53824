// Package run is the noun "model" of the command line: it turns published weights
// into one file of this program, and says what a file of weights holds.
//
// Into it flow the paths that the user gave. Published files are read by
// format/torch and checkpoint, model/esm says which array is which, and
// checkpoint writes the result.
package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

// Command returns "heed model" with its verbs. The version is written into what
// they make.
func Command(version string) *cobra.Command {
	c := &cobra.Command{
		Use:   "model",
		Short: "Files of weights: import published ones, look into any",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return hint(usagef("no command %q", cmd.CommandPath()+" "+args[0]), cmd.CommandPath()+" --help lists the commands")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(importCommand(version), infoCommand())
	return c
}

// one takes a single argument, which what describes.
func one(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("%s takes one argument, %s; got %d", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}

// A UsageError is a command line that makes no sense.
type UsageError struct{ Reason string }

func (e *UsageError) Error() string { return e.Reason }

// Usage marks the error for whoever turns errors into exit codes.
func (e *UsageError) Usage() {}

func usagef(reason string, args ...any) error { return &UsageError{fmt.Sprintf(reason, args...)} }

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

// isThere reports whether something lies at path.
func isThere(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

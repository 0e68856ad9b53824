// Package run is the noun "model" of the command line: it turns published weights
// into one file of this program, and says what a file of weights holds.
//
// Into it flow the paths that the user gave. Published files are read by
// format/torch and checkpoint, model/esm says which array is which, and
// checkpoint writes the result.
package run

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"heed/internal/cli"
)

// Command returns "heed model" with its verbs. The version is written into what
// they make.
func Command(version string) *cobra.Command {
	c := &cobra.Command{
		Use:   "model",
		Short: "Files of weights: import published ones, look into any",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Hint(cli.Usagef("no command %q", cmd.CommandPath()+" "+args[0]), cmd.CommandPath()+" --help lists the commands")
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
			return cli.Usagef("%s takes one argument, %s; got %d", cmd.CommandPath(), what, len(args))
		}
		return nil
	}
}

// isThere reports whether something lies at path.
func isThere(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Package ct is "heed ct": volumes from files to classes and back.
package ct

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heed/internal/cli"
)

// Command returns "heed ct" with its verbs. The version is written into what they
// make.
func Command(version string) *cobra.Command {
	c := &cobra.Command{
		Use:   "ct",
		Short: "Read, convert, measure and classify CT and other volumes (research use only, not a medical device)",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Hint(cli.Usagef("no command %q", cmd.CommandPath()+" "+args[0]), cmd.CommandPath()+" --help lists the commands")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(infoCommand(), convertCommand(), prepareCommand(), statsCommand(), deidentifyCommand(version),
		trainCommand(version), evaluateCommand(), predictCommand(), explainCommand(version))
	return c
}

// commandLine returns the flags that were given, in a fixed order, and the
// arguments.
func commandLine(fs *pflag.FlagSet, args []string) []string {
	var out []string
	fs.Visit(func(f *pflag.Flag) { out = append(out, "--"+f.Name+"="+strings.Trim(f.Value.String(), "[]")) })
	return append(out, args...)
}

// Disclaimer stands on everything that says something about a patient.
const Disclaimer = "research use only, not a medical device"

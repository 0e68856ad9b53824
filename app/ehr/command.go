package ehr

import (
	"github.com/spf13/cobra"
)

// Command returns "heed ehr" with its verbs. The version is written into what
// they make.
func Command(version string) *cobra.Command {
	c := &cobra.Command{
		Use:   "ehr",
		Short: "Outcomes from timelines of patients (" + Notice + ")",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return hint(usagef("no command %q", cmd.CommandPath()+" "+args[0]), cmd.CommandPath()+" --help lists the commands")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(trainCommand(version), evaluateCommand(), predictCommand(), explainCommand(), generateCommand())
	return c
}

package ehr

import (
	"github.com/spf13/cobra"
)

// alertCommand is "heed ehr alert".
func alertCommand(version string) *cobra.Command {
	c := &cobra.Command{
		Use:   "alert",
		Short: "Alerts from two events far apart, with their evidence",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(alertTrainCommand(version))
	return c
}

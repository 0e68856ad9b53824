package dna

import (
	"github.com/spf13/cobra"

	"heed/internal/cli"
)

// QuickstartCommand returns "heed quickstart".
func QuickstartCommand(version string) *cobra.Command {
	q := Quickstart{Version: version}
	c := &cobra.Command{
		Use:   "quickstart",
		Short: "Train, test and explain a promoter model on data that comes with heed",
		Long: `Train small transformers on 106 sequences of E. coli that are part of the
program, test them by ten-fold cross-validation beside simple baselines and
published results, train a final model, and write a report that shows what it
looked at.

The folder gets report.html, model.safetensors, metrics.json, predictions.tsv,
explain.tsv and tracks.tsv. The same seed gives the same numbers.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("%s takes no arguments", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			q.Command = append([]string{"quickstart"}, commandLine(cmd, args)...)
			return q.Run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := c.Flags()
	fs.StringVarP(&q.Out, "output", "o", "heed-quickstart", "folder of the report")
	fs.BoolVar(&q.Force, "force", false, "write into an output folder that is not empty")
	fs.Uint64Var(&q.Seed, "seed", 1, "seed of everything random")
	fs.IntVar(&q.Cores, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

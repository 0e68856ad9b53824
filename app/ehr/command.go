// Package ehr is "heed ehr": timelines of patients. Records of hospitals flow in as
// they come out of a database (import.go, source_*.go), become one store of events
// (importer.go, runs.go, store.go), get labels by the definition of a task (label.go,
// task.go, plan.go, extract.go) and are searched for leaks (audit*.go, checks.go,
// probes.go). From cases, which are a patient, a time, what was known until then and
// what came of it (train_source.go), models learn (train*.go, tokens.go), predict
// (predict.go), are measured beside floors (evaluate*.go) and explained (explain*.go).
// Made-up timelines (generate*.go) have an outcome that is known to depend on two
// events far apart. Whatever is written says that it is for research only.
package ehr

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heed/internal/cli"
)

// Command returns "heed ehr" with its verbs. The version is written into what they
// make.
func Command(version string) *cobra.Command {
	c := &cobra.Command{
		Use:   "ehr",
		Short: "Timelines of patients: import, label, audit; train and explain models of outcomes (" + Notice + ")",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Hint(cli.Usagef("no command %q", cmd.CommandPath()+" "+args[0]), cmd.CommandPath()+" --help lists the commands")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(importCommand(version), labelCommand(), auditCommand(version), trainCommand(version), evaluateCommand(version), predictCommand(), explainCommand(version), generateCommand(), alertCommand(version), auditLogCommand())
	return c
}

// commandLine returns the flags that were given, in a fixed order, and the
// arguments.
func commandLine(cmd *cobra.Command, args []string) []string {
	var out []string
	cmd.Flags().Visit(func(f *pflag.Flag) { out = append(out, "--"+f.Name+"="+f.Value.String()) })
	return append(out, args...)
}

package ct

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"heed/internal/cli"
)

func predictCommand() *cobra.Command {
	var data dataFlags
	var split, out string
	var threads int
	c := &cobra.Command{
		Use:   "predict RUN DATA",
		Short: "Write the probability of the positive class for every volume",
		Long: `Write the probability of the positive class for every volume of a dataset, as a table
with the columns case, probability and, where known, label. DATA may lack labels. A
case of a manifest is its number there, from 1: paths are often those of patients.

Research use only, not a medical device.`,
		Example: `  heed ct predict run manifest.csv -o predictions.tsv`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cli.Usagef("%s needs the folder of a run and a dataset", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f, d, idx, err := openRun(args[0], args[1], &data, split, threads)
			if err != nil {
				return err
			}
			p, err := f.Predict(d, idx, threads)
			if err != nil {
				return err
			}
			write := func(w io.Writer) error { return writePredictions(w, f, d, idx, p) }
			if out == "" {
				return write(cmd.OutOrStdout())
			}
			return cli.WriteFile(out, write)
		},
	}
	fs := c.Flags()
	data.add(fs)
	fs.StringVarP(&out, "output", "o", "", "file (default: standard output)")
	fs.StringVar(&split, "split", "all", "train, valid, test or all")
	fs.IntVar(&threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

func writePredictions(w io.Writer, f *Fitted, d *Dataset, idx []int, p []float64) error {
	fmt.Fprintf(w, "# %s\n", Disclaimer)
	fmt.Fprintf(w, "case\tprobability_of_%s\tlabel\n", strings.ReplaceAll(f.Config.Classes[1], "\t", " "))
	for k, i := range idx {
		label := ""
		if l := d.Cases[i].Label; l >= 0 {
			label = f.Config.Classes[l]
		}
		if _, err := fmt.Fprintf(w, "%s\t%.6f\t%s\n", d.Cases[i].Name, p[k], label); err != nil {
			return err
		}
	}
	return nil
}

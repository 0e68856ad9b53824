package dna

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/internal/cli"
)

// Locate returns the file of a model that is given as a file or as the folder
// of a run.
func Locate(path string) string {
	if s, err := os.Stat(path); err == nil && s.IsDir() {
		return filepath.Join(path, modelFile)
	}
	return path
}

func evaluateCommand() *cobra.Command {
	var (
		d       DataConfig
		asJSON  bool
		threads int
		output  string
		seed    uint64
	)
	c := &cobra.Command{
		Use:   "evaluate MODEL DATA | MODEL label=FASTA label=FASTA...",
		Short: "Score a model on labelled sequences",
		Long: `Score a model on labelled sequences, which must not be those that it was
trained on. MODEL is a file or the folder of a run. A warning says if the data
is the training data.`,
		Args: atLeast(2, "a model and data"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := Load(Locate(args[0]))
			if err != nil {
				return modelHint(err)
			}
			d.Files = args[1:]
			if d.MaxLen == 0 {
				d.MaxLen = f.Config.Model.MaxLen
			}
			ds, err := d.Load()
			if err != nil {
				return err
			}
			if ds.Hash() == f.Info.DataSHA256 {
				ds.Warnings = append(ds.Warnings, "the model was trained on this data: the scores say nothing about new sequences")
			}
			describe(cmd.ErrOrStderr(), ds)
			p, err := f.Test(ds, threads)
			if err != nil {
				return format.Invalidf(strings.Join(d.Files, " "), 0, "%w", err)
			}
			if output != "" {
				if err := cli.WriteFile(output, p.WriteTSV); err != nil {
					return err
				}
			}
			r, err := p.Score(seed)
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(r.Summary(f.Classes))
			}
			return WriteTable(cmd.OutOrStdout(), []*Result{r}, f.Classes)
		},
	}
	fs := c.Flags()
	dataFlags(fs, &d)
	fs.StringVarP(&output, "output", "o", "", "write the predictions to this file as a table")
	fs.BoolVar(&asJSON, "json", false, "print results as JSON")
	fs.IntVar(&threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	fs.Uint64Var(&seed, "seed", 1, "seed of the bootstrap")
	return c
}

func predictCommand() *cobra.Command {
	var (
		p      PredictConfig
		output string
	)
	c := &cobra.Command{
		Use:   "predict MODEL FASTA",
		Short: "Classify the sequences of a FASTA of any size",
		Long: `Classify the sequences of a FASTA of any size, in constant memory. MODEL is a
file or the folder of a run; FASTA may be gzipped, and - is the standard input.

A sequence longer or shorter than all that the model was trained with is an
error. --step scans longer sequences instead: each window of --window letters
gets a line of its own, and sequences shorter than a window get none.`,
		Example: `  heed dna predict run sequences.fa.gz > predictions.tsv
  zcat genome.fa.gz | heed dna predict run - --step 10`,
		Args: exactly(2, "a model and a FASTA"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := Load(Locate(args[0]))
			if err != nil {
				return modelHint(err)
			}
			name, in := args[1], io.Reader(nil)
			if name == "-" {
				name = "stdin"
				if in, err = format.NewReader(name, cmd.InOrStdin()); err != nil {
					return err
				}
			} else {
				file, err := format.Open(name)
				if err != nil {
					return err
				}
				defer file.Close()
				in = file
			}
			var done Predicted
			write := func(w io.Writer) error {
				done, err = f.PredictStream(cmd.Context(), name, in, w, p)
				return err
			}
			if output != "" {
				err = cli.WriteFile(output, write)
			} else {
				err = write(cmd.OutOrStdout())
			}
			if err != nil {
				return err
			}
			if done.TooShort > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %d of %d sequences are shorter than the window and were not scanned\n", done.TooShort, done.Sequences)
			}
			return nil
		},
	}
	fs := c.Flags()
	fs.StringVarP(&output, "output", "o", "", "write to this file, whole or not at all, in place of the standard output")
	fs.IntVar(&p.Step, "step", 0, "scan longer sequences: letters between the starts of two windows")
	fs.IntVar(&p.Window, "window", 0, "letters of a window (default the longest that the model reads)")
	fs.BoolVar(&p.JSON, "json", false, "print one JSON object to a line")
	fs.IntVar(&p.Cores, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	return c
}

// modelHint adds a hint to the error of a file that is no model.
func modelHint(err error) error {
	if strings.Contains(err.Error(), "no such file") {
		return cli.Hint(err, "a model is a .safetensors file, or the folder that heed dna train -o made")
	}
	return err
}

func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return cli.Usagef("%s needs %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return cli.Usagef("%s needs %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

package dna

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"

	"github.com/spf13/cobra"

	"heed/data"
	"heed/internal/cli"
)

// Command returns "heed dna" with its verbs. The version is written into what
// they make.
func Command(version string) *cobra.Command {
	c := &cobra.Command{
		Use:   "dna",
		Short: "Classify DNA sequences: promoters, splice sites, any labelled set",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Hint(cli.Usagef("no command %q", cmd.CommandPath()+" "+args[0]), cmd.CommandPath()+" --help lists the commands")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(trainCommand(version), evaluateCommand(), predictCommand(), explainCommand(version), scanCommand(), variantsCommand(), motifsCommand(version))
	return c
}

func trainCommand(version string) *cobra.Command {
	var (
		j         Job
		out       string
		resume    string
		initial   string
		cv        string
		force     bool
		asJSON    bool
		threads   int
		flagsOnly = DefaultConfig(0)
	)
	c := &cobra.Command{
		Use:   "train DATA | label=FASTA label=FASTA... | --train T --test T | --resume RUN",
		Short: "Train and test a transformer beside simple baselines",
		Long: `Train a transformer classifier and test it on sequences that it was not
trained on, beside simple baselines on the same folds.

The data is a CSV or TSV table with the columns sequence and label, one FASTA
file for each class, or the tables of an official split. Files may be gzipped.

Scores are those of the pooled predictions of all folds. In each fold a share of
the training part (--valid-share) is held out to stop early and to choose the
threshold. With -o, a final model is trained on everything after
cross-validation; with --holdout or --train it is the one that was tested.`,
		Example: `  heed dna train promoters.csv --cv 10 -o run
  heed dna train promoter=prom.fa.gz other=non_prom.fa.gz --clusters
  heed dna train --train train.csv --valid dev.csv --test test.csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			j.Data.Files = args
			j.Version = version
			j.Command = append([]string{"dna", "train"}, commandLine(cmd, args)...)
			if err := j.setSplit(cv); err != nil {
				return err
			}
			if resume != "" {
				if len(args) > 0 || out != "" || initial != "" {
					return cli.Usagef("--resume takes data and options from the run; give neither data nor -o")
				}
				return resumeTraining(cmd, resume, threads, asJSON)
			}
			return startTraining(cmd, &j, initial, out, force, threads, asJSON)
		},
	}
	fs := c.Flags()
	fs.StringVarP(&out, "output", "o", "", "folder of the run, for the model, predictions and metrics")
	fs.BoolVar(&force, "force", false, "replace the run in the output folder")
	fs.StringVar(&initial, "init", "", "file of heed model import to begin with: the encoder of DNABERT or DNABERT-2, and a new classifier on it")
	fs.StringVar(&resume, "resume", "", "folder of an interrupted run to continue")
	fs.BoolVar(&asJSON, "json", false, "print results as JSON")
	fs.IntVar(&threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
	dataFlags(fs, &j.Data)
	fs.StringVar(&j.Train, "train", "", "table of the official training part")
	fs.StringVar(&j.Valid, "valid", "", "table of the official validation part")
	fs.StringVar(&j.Test, "test", "", "table of the official test part")
	fs.StringVar(&j.Unlabelled, "unlabelled", "", "FASTA of sequences to pre-train on beside the training part; test sequences are used only if they are in this file")
	fs.StringVar(&cv, "cv", "", "folds of stratified cross-validation, or loo for leave-one-out (default 5)")
	fs.Float64Var(&j.Split.Holdout, "holdout", 0, "test on this share instead of cross-validation")
	fs.BoolVar(&j.Split.Clusters, "clusters", false, "never divide sequences that share 25 letters (either strand) between parts")
	fs.StringVar(&j.Baselines, "baselines", "quick", "simple models on the same folds: none, quick or all (with a CNN)")
	fitFlags(fs, &flagsOnly)
	return c
}

// setSplit reads --cv.
func (j *Job) setSplit(cv string) error {
	s := &j.Split
	switch {
	case cv == "loo":
		s.Leave = true
	case cv != "":
		n, err := strconv.Atoi(cv)
		if err != nil {
			return cli.Usagef("--cv %q: want a number of folds or loo", cv)
		}
		s.Folds = n
		if n < 2 {
			return cli.Usagef("--cv %d: want 2 folds or more", n)
		}
	case s.Holdout == 0:
		s.Folds = 5
	}
	if cv != "" && s.Holdout != 0 {
		return cli.Usagef("--cv and --holdout do not go together")
	}
	if j.Train != "" {
		if cv != "" || s.Holdout != 0 {
			return cli.Usagef("--train has a split of its own: no --cv and no --holdout")
		}
		s.Folds = 0
	}
	switch j.Baselines {
	case "none", "quick", "all":
	default:
		return cli.Usagef("--baselines %q: want none, quick or all", j.Baselines)
	}
	return nil
}

func startTraining(cmd *cobra.Command, j *Job, initial, out string, force bool, threads int, asJSON bool) error {
	if _, err := configFor(100, nil, cmd.Flags()); err != nil {
		return err
	}
	var encoder *Encoder
	if initial != "" {
		if err := checkInit(cmd.Flags()); err != nil {
			return err
		}
		var err error
		if encoder, err = LoadEncoder(initial); err != nil {
			return err
		}
	}
	d, parts, err := j.Load()
	if err != nil {
		return err
	}
	_, longest := d.Lengths()
	if j.Fit, err = configFor(longest, encoder, cmd.Flags()); err != nil {
		return err
	}
	if err := j.Fit.complete(d); err != nil {
		return &cli.UsageError{Reason: err.Error()}
	}
	j.Split.Seed, j.Hash = j.Fit.Train.Seed, d.Hash()
	var f *Folder
	if out != "" {
		if f, err = Create(out, force, j); err != nil {
			return err
		}
	}
	return runTraining(cmd, j, d, parts, f, threads, asJSON)
}

func resumeTraining(cmd *cobra.Command, path string, threads int, asJSON bool) error {
	f, j, err := Resume(path)
	if err != nil {
		return err
	}
	if j.Fit.Encoder != nil {
		if err := j.Fit.Encoder.reload(); err != nil {
			return err
		}
	}
	d, parts, err := j.Load()
	if errors.Is(err, fs.ErrNotExist) {
		return cli.Hint(err, "resume where the run began: its files are named relative to that folder")
	}
	if err != nil {
		return err
	}
	if d.Hash() != j.Hash {
		return fmt.Errorf("%s: the data has changed since the run began", path)
	}
	return runTraining(cmd, j, d, parts, f, threads, asJSON)
}

func runTraining(cmd *cobra.Command, j *Job, d *Dataset, parts *data.Parts, f *Folder, threads int, asJSON bool) (err error) {
	describe(cmd.ErrOrStderr(), d)
	m := newMeter(cmd.ErrOrStderr())
	o := Options{Folder: f, Cores: threads, Progress: m.see}
	if f != nil {
		o.Progress = func(p Progress) {
			m.see(p)
			if p.Stage != "done" {
				f.Log(p)
			}
		}
		defer func() {
			if e := f.Close(); err == nil {
				err = e
			}
		}()
	}
	out, err := j.Run(cmd.Context(), d, parts, o)
	m.stop()
	switch {
	case errors.Is(err, context.Canceled) && f != nil:
		return cli.Hint(err, "heed dna train --resume "+f.Path+" continues")
	case errors.Is(err, context.Canceled):
		return cli.Hint(err, "nothing was kept; with -o RUN an interrupted run can be resumed")
	case err != nil:
		return err
	}
	if asJSON {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(out.Summary())
	}
	w := cmd.OutOrStdout()
	if err := WriteTable(w, out.Results, d.Classes); err != nil {
		return err
	}
	if out.Unlabelled > 0 {
		fmt.Fprintf(w, "%d of %d test sequences were among the unlabelled ones of the pre-training\n", out.Unlabelled, out.Results[0].N)
	}
	if out.Related > 0 {
		_, err = fmt.Fprintf(w, "%d of %d test sequences share %d letters with training sequences, directly or through others\n",
			out.Related, out.Results[0].N, data.KMer)
	}
	return err
}

// describe says what was read.
func describe(w io.Writer, d *Dataset) {
	counts := make([]int, len(d.Classes))
	for _, l := range d.Labels {
		counts[l]++
	}
	shortest, longest := d.Lengths()
	fmt.Fprintf(w, "%d sequences of ", len(d.Seqs))
	if shortest < longest {
		fmt.Fprintf(w, "%d to ", shortest)
	}
	fmt.Fprintf(w, "%d letters:", longest)
	for i, c := range d.Classes {
		sep := ","
		if i == 0 {
			sep = ""
		}
		fmt.Fprintf(w, "%s %d %s", sep, counts[i], c)
	}
	if len(d.Classes) == 2 {
		fmt.Fprintf(w, "; positive is %s", d.Classes[d.Positive])
	}
	fmt.Fprintln(w)
	for _, text := range d.Warnings {
		fmt.Fprintf(w, "warning: %s\n", text)
	}
}

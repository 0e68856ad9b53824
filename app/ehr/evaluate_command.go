package ehr

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
)

func evaluateCommand() *cobra.Command {
	var lists []string
	var labels, part, out string
	var asJSON bool
	var threads int
	var seed uint64
	c := &cobra.Command{
		Use:   "evaluate MODEL SOURCE",
		Short: "Measure a trained model on timelines with outcomes",
		Long: `Measure a model that heed ehr train made on the cases of a source: scores with
intervals by resampling patients, calibration, a decision curve and subgroups, of
which those with fewer than 11 positive or negative patients are not shown.

--part held_out takes the cases of that part alone; all, every case. Whether the model
was trained on them is for you to know. ` + Notice + ".",
		Example: `  heed ehr evaluate run/model.safetensors other-hospital --part all --json`,
		Args:    twoArguments("a model", "a folder of timelines"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, cases, idx, err := loadBoth(args[0], args[1], labels, lists, part, threads)
			if err != nil {
				return err
			}
			p := &Predictions{}
			p.add("transformer", cases, idx, 1, f.Probabilities(cases, idx), f.Threshold)
			r, err := p.Result(seed)
			if err != nil {
				return err
			}
			if out != "" {
				if err := writeJSONFile(out, evaluation{Notice, true, r}); err != nil {
					return err
				}
			}
			if asJSON {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(evaluation{Notice, true, r})
			}
			if err := WriteTable(cmd.OutOrStdout(), []*Result{r}); err != nil {
				return err
			}
			return r.writeSubgroups(cmd.OutOrStdout())
		},
	}
	sourceFlags(c, &labels, &lists, &part, &threads)
	c.Flags().StringVarP(&out, "output", "o", "", "file for the results as JSON")
	c.Flags().BoolVar(&asJSON, "json", false, "print results as JSON")
	c.Flags().Uint64Var(&seed, "seed", 1, "seed of the resampling")
	return c
}

type evaluation struct {
	IntendedUse string  `json:"intended_use"`
	NotADevice  bool    `json:"not_a_device"`
	Result      *Result `json:"result"`
}

func sourceFlags(c *cobra.Command, labels *string, lists *[]string, part *string, threads *int) {
	c.Flags().StringVar(labels, "labels", "", "parquet file of labels for a store in the layout of MEDS")
	c.Flags().StringSliceVar(lists, "lists", nil, "PhysioNet 2012: files that list the stays to train, tune and test on")
	c.Flags().StringVar(part, "part", "all", "train, tuning, held_out or all")
	c.Flags().IntVar(threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
}

// loadBoth reads a model and the cases of one part of a source.
func loadBoth(model, folder, labels string, lists []string, part string, threads int) (*Fitted, []Case, []int, error) {
	switch part {
	case "train", "tuning", "held_out", "all":
	default:
		return nil, nil, nil, usagef("--part %q: want train, tuning, held_out or all", part)
	}
	if threads < 0 {
		return nil, nil, nil, usagef("--threads %d: want 0 or more", threads)
	}
	f, err := LoadFitted(model)
	if err != nil {
		return nil, nil, nil, err
	}
	f.Config.Train.Cores = threads
	source, err := openSource(folder, labels, lists)
	if err != nil {
		return nil, nil, nil, err
	}
	cases, _, err := source.Cases()
	if err != nil {
		return nil, nil, nil, err
	}
	var idx []int
	for i := range cases {
		if part == "all" || cases[i].Split == part {
			idx = append(idx, i)
		}
	}
	if len(idx) == 0 {
		return nil, nil, nil, usagef("--part %s: the source has no such predictions", part)
	}
	return f, cases, idx, nil
}

func (r *Result) writeSubgroups(w io.Writer) error {
	for _, s := range r.Subgroups {
		if s.Suppressed {
			fmt.Fprintf(w, "%s %s: fewer than %d positive or negative patients, not shown\n", s.Group, s.Value, smallGroup)
			continue
		}
		fmt.Fprintf(w, "%s %s: %d predictions, %d positive, AUROC %.3f (%.3f-%.3f), predicted %.3f, observed %.3f\n",
			s.Group, s.Value, s.N, s.Positives, s.AUROC.Estimate, s.AUROC.Low, s.AUROC.High, s.Predicted, s.Observed)
	}
	return nil
}

func predictCommand() *cobra.Command {
	var lists []string
	var labels, part, out string
	var threads int
	c := &cobra.Command{
		Use:   "predict MODEL SOURCE",
		Short: "Write the probability of the outcome for every prediction of a source",
		Long: `Write a table with the calibrated probability of the outcome for every prediction of
a source, and whether it is an alert at the threshold that was chosen in training
(specificity .95 on the tuning part). ` + Notice + ".",
		Example: `  heed ehr predict run/model.safetensors timelines -o predictions.tsv`,
		Args:    twoArguments("a model", "a folder of timelines"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, cases, idx, err := loadBoth(args[0], args[1], labels, lists, part, threads)
			if err != nil {
				return err
			}
			p := f.Probabilities(cases, idx)
			write := func(w io.Writer) error {
				b := bufio.NewWriter(w)
				fmt.Fprintf(b, "# %s\nsubject_id\tprediction_time\tpredicted_boolean_probability\tpredicted_boolean_value\n", Notice)
				for i, j := range idx {
					fmt.Fprintf(b, "%d\t%s\t%s\t%t\n", cases[j].Patient, cases[j].At, strconv.FormatFloat(p[i], 'g', 6, 64), p[i] >= f.Threshold)
				}
				return b.Flush()
			}
			if out == "" {
				return write(cmd.OutOrStdout())
			}
			return writeFile(out, write)
		},
	}
	sourceFlags(c, &labels, &lists, &part, &threads)
	c.Flags().StringVarP(&out, "output", "o", "", "file for the table")
	return c
}

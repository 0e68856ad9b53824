package ehr

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"heed/internal/cli"
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
	c.Flags().StringVar(labels, "labels", "", "labels for a store in the layout of MEDS: a parquet file, a folder of heed ehr label, or the name of one in the store")
	c.Flags().StringSliceVar(lists, "lists", nil, "PhysioNet 2012: files that list the stays to train, tune and test on")
	c.Flags().StringVar(part, "part", "all", "train, tuning, held_out or all")
	c.Flags().IntVar(threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
}

// loadBoth reads a model and the cases of one part of a source.
func loadBoth(model, folder, labels string, lists []string, part string, threads int) (*Fitted, []Case, []int, error) {
	switch part {
	case "train", "tuning", "held_out", "all":
	default:
		return nil, nil, nil, cli.Usagef("--part %q: want train, tuning, held_out or all", part)
	}
	if threads < 0 {
		return nil, nil, nil, cli.Usagef("--threads %d: want 0 or more", threads)
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
		return nil, nil, nil, cli.Usagef("--part %s: the source has no such predictions", part)
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
	var names subjectNames
	c := &cobra.Command{
		Use:   "predict MODEL SOURCE",
		Short: "Write the probability of the outcome for every prediction of a source",
		Long: `Write a table with the calibrated probability of the outcome for every prediction of
a source, and whether it is an alert at the threshold that was chosen in training
(specificity .95 on the tuning part). Patients bear pseudonyms and predictions numbers;
with --phi-safe=false they have subject_id and prediction_time. ` + Notice + ".",
		Example: `  heed ehr predict run/model.safetensors timelines -o predictions.tsv`,
		Args:    twoArguments("a model", "a folder of timelines"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := names.check(); err != nil {
				return err
			}
			f, cases, idx, err := loadBoth(args[0], args[1], labels, lists, part, threads)
			if err != nil {
				return err
			}
			p := f.Probabilities(cases, idx)
			write := func(w io.Writer) error {
				b := bufio.NewWriter(w)
				when, n := "prediction", 0 // dates of predictions are those of visits
				if names.plain {
					when = "prediction_time"
				}
				fmt.Fprintf(b, "# %s\n%s\t%s\tpredicted_boolean_probability\tpredicted_boolean_value\n", Notice, names.column(), when)
				for i, j := range idx {
					if n++; i > 0 && cases[j].Patient != cases[idx[i-1]].Patient {
						n = 1
					}
					at := strconv.Itoa(n)
					if names.plain {
						at = cases[j].At
					}
					fmt.Fprintf(b, "%s\t%s\t%s\t%t\n", names.of(cases[j].Patient), at, strconv.FormatFloat(p[i], 'g', 6, 64), p[i] >= f.Threshold)
				}
				return b.Flush()
			}
			if out == "" {
				return write(cmd.OutOrStdout())
			}
			return cli.WriteFile(out, write)
		},
	}
	names.flags(c.Flags())
	sourceFlags(c, &labels, &lists, &part, &threads)
	c.Flags().StringVarP(&out, "output", "o", "", "file for the table")
	return c
}

package ehr

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heed/internal/cli"
)

// A sourceRequest says which predictions of a source a trained model is asked for.
type sourceRequest struct {
	labels  string
	lists   []string
	part    string
	threads int

	model  string // its file
	source Source
	cases  []Case
	left   map[string]int
	idx    []int // of part
}

func (s *sourceRequest) flags(fs *pflag.FlagSet) {
	labelFlags(fs, &s.labels, &s.lists)
	fs.StringVar(&s.part, "part", "all", "train, tuning, held_out or all")
	threadsFlag(fs, &s.threads)
}

// labelFlags are those of every command that reads predictions of a source.
func labelFlags(fs *pflag.FlagSet, labels *string, lists *[]string) {
	fs.StringVar(labels, "labels", "", "labels for a store in the layout of MEDS: a parquet file, a folder of heed ehr label, or the name of one in the store")
	fs.StringSliceVar(lists, "lists", nil, "PhysioNet 2012: files that list the stays to train, tune and test on")
}

func threadsFlag(fs *pflag.FlagSet, threads *int) {
	fs.IntVar(threads, "threads", 0, "cores to use; 0 means all. Results do not depend on it")
}

// load reads a model and the cases of a source.
func (s *sourceRequest) load(model, folder string) (f *Fitted, err error) {
	switch s.part {
	case "train", "tuning", "held_out", "all":
	default:
		return nil, cli.Usagef("--part %q: want train, tuning, held_out or all", s.part)
	}
	if s.threads < 0 {
		return nil, cli.Usagef("--threads %d: want 0 or more", s.threads)
	}
	if model, err = modelFile(model); err != nil {
		return nil, err
	}
	f, err = LoadFitted(model)
	if err != nil {
		return nil, err
	}
	s.model, f.Config.Train.Cores = model, s.threads
	if s.source, err = openSource(folder, s.labels, s.lists); err != nil {
		return nil, err
	}
	if s.cases, s.left, err = s.source.Cases(); err != nil {
		return nil, err
	}
	for i := range s.cases {
		if s.part == "all" || s.cases[i].Split == s.part {
			s.idx = append(s.idx, i)
		}
	}
	if len(s.idx) == 0 {
		return nil, cli.Usagef("--part %s: the source has no such predictions", s.part)
	}
	return f, nil
}

func predictCommand() *cobra.Command {
	var src sourceRequest
	var out string
	var names subjectNames
	c := &cobra.Command{
		Use:   "predict MODEL SOURCE",
		Short: "Write the probability of the outcome for every prediction of a source",
		Long: `Write a table with the calibrated probability of the outcome for every prediction of
a source, and whether it is an alert at the threshold that was chosen in training
(specificity .95 on the tuning part). Patients bear pseudonyms and predictions numbers;
with --phi-safe=false they have subject_id and prediction_time. ` + Notice + ".",
		Example: `  heed ehr predict run timelines -o predictions.tsv`,
		Args:    twoArguments("a model or the folder of a run", "a folder of timelines"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := names.check(); err != nil {
				return err
			}
			f, err := src.load(args[0], args[1])
			if err != nil {
				return err
			}
			cases, idx := src.cases, src.idx
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
	src.flags(c.Flags())
	c.Flags().StringVarP(&out, "output", "o", "", "file for the table")
	return c
}

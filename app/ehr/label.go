package ehr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/format/meds"
	"heed/internal/cli"
)

// A labelRequest is the command line of "heed ehr label".
type labelRequest struct {
	out    string
	force  bool
	asJSON bool
	show   bool
}

func labelCommand() *cobra.Command {
	r := labelRequest{}
	c := &cobra.Command{
		Use:   "label STORE TASK",
		Short: "Find the moments to predict at, and their labels, by the definition of a task",
		Long: `Find the moments to predict at, and their labels. TASK is a YAML file in the language
of ACES (docs/ehr-labels.md), or one of ` + builtinNames() + `,
whose definitions --show prints.

The labels go into labels/NAME of the store, or into the folder of -o: labels.parquet in
the layout of MEDS (subject_id, prediction_time, boolean_value), labels.csv, the task,
and summary.json, which counts the triggers without a label by reason. Events up to and
including the time of prediction may be used. A task whose outcome may have happened by
then is refused.`,
		Example: `  heed ehr label store in_hospital_mortality_48h
  heed ehr label store aki.yaml -o labels/aki --json
  heed ehr label --show readmission_30d`,
		Args: func(cmd *cobra.Command, args []string) error {
			want := 2
			if r.show {
				want = 1
			}
			if len(args) != want {
				return cli.Usagef("%s needs a store and a task", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.show {
				text, ok := builtinTasks()[args[0]]
				if !ok {
					return cli.Usagef("no task %q comes with the program: want one of %s", args[0], builtinNames())
				}
				_, err := io.WriteString(cmd.OutOrStdout(), text)
				return err
			}
			return r.run(cmd.Context(), args[0], args[1], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.out, "output", "o", "", "folder for the labels")
	fs.BoolVar(&r.force, "force", false, "write into a folder that is not empty")
	fs.BoolVar(&r.asJSON, "json", false, "print the summary as JSON")
	fs.BoolVar(&r.show, "show", false, "print the definition of a task that comes with the program")
	return c
}

// loadTask reads a task of a file or one that comes with the program.
func loadTask(task string) (name string, text []byte, err error) {
	if text, ok := builtinTasks()[task]; ok {
		return task, []byte(text), nil
	}
	text, err = os.ReadFile(task)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(task, "./\\") {
			return "", nil, cli.Usagef("no task %q: want a YAML file or one of %s", task, builtinNames())
		}
		return "", nil, format.PathError(task, err)
	}
	name, _ = tableName(task)
	return name, text, nil
}

// A LabelSummary is what summary.json says. Of small numbers of people it has -1, and
// -2 where a number would tell one of those by subtraction.
type LabelSummary struct {
	Task string `json:"task"`
	ExtractStats
	Splits map[string]SplitLabels `json:"by_split"`
}

// SplitLabels counts the labels of a split.
type SplitLabels struct {
	Subjects int `json:"subjects"`
	Labels   int `json:"labels"`
	Positive int `json:"positive"`
}

func (r *labelRequest) run(ctx context.Context, store, task string, stdout, tell io.Writer) error {
	name, text, err := loadTask(task)
	if err != nil {
		return err
	}
	p, err := ParseTask(task, text)
	if err != nil {
		return err
	}
	d, err := meds.OpenDataset(store)
	if err != nil {
		return err
	}
	if r.out == "" {
		r.out = filepath.Join(store, "labels", name)
	}
	start := time.Now()
	labels, stats, err := extract(ctx, d, p)
	if err != nil {
		var placed *format.Error
		if stats.Outcome > 0 && !errors.As(err, &placed) {
			return format.Invalidf(task, 0, "%w", err)
		}
		return err
	}
	fmt.Fprintf(tell, "%d subjects, %.1f s\n", stats.Subjects, time.Since(start).Seconds())
	if len(labels) == 0 {
		fmt.Fprintln(tell, "warning: no labels")
	}
	s := &LabelSummary{Task: name, ExtractStats: stats, Splits: bySplit(d, labels)}
	if err := cli.MakePrivateFolder(r.out, r.force); err != nil {
		return err
	}
	s.hide()
	if err := writeLabels(r.out, labels, text, s); err != nil {
		return err
	}
	if r.asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	return s.print(stdout)
}

// bySplit counts labels. Where a data set has no table of splits, only folders, all are
// counted together.
func bySplit(d *meds.Dataset, labels []meds.Label) map[string]SplitLabels {
	out := map[string]SplitLabels{}
	last := map[string]int64{}
	for _, l := range labels {
		split := d.Splits[l.Subject]
		if split == "" {
			split = "all"
		}
		s := out[split]
		if old, ok := last[split]; !ok || old != l.Subject {
			s.Subjects++
			last[split] = l.Subject
		}
		s.Labels++
		if l.Value {
			s.Positive++
		}
		out[split] = s
	}
	return out
}

func writeLabels(dir string, labels []meds.Label, task []byte, s *LabelSummary) error {
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := cli.WriteFile(in("labels.parquet"), func(w io.Writer) error { return meds.WriteLabels(w, labels) }); err != nil {
		return err
	}
	if err := cli.WriteFile(in("labels.csv"), func(w io.Writer) error {
		fmt.Fprintln(w, "subject_id,prediction_time,boolean_value")
		for _, l := range labels {
			if _, err := fmt.Fprintf(w, "%d,%s,%t\n", l.Subject, meds.Clock(l.Time).Format("2006-01-02 15:04:05.999999"), l.Value); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := cli.WriteFile(in("task.yaml"), func(w io.Writer) error { _, err := w.Write(task); return err }); err != nil {
		return err
	}
	return writeJSON(in("summary.json"), s)
}

// smallCell is the number of people below which a table shows no number.
const smallCell = 11

// What stands in the place of a number of people that is not told.
const (
	fewer    = -1 // than smallCell
	withheld = -2 // since it would tell a small one
)

// hide takes small numbers out of a summary, and another of the same column where a
// single one could be told from the sum.
func (s *LabelSummary) hide() {
	column := func(cells ...*int) {
		var smallest *int
		n := 0
		for _, c := range cells {
			switch {
			case small(*c):
				*c = fewer
				n++
			case *c > 0 && (smallest == nil || *c < *smallest):
				smallest = c
			}
		}
		if n == 1 && smallest != nil {
			*smallest = withheld
		}
	}
	splits := make([]SplitLabels, 0, len(s.Splits))
	names := slices.Sorted(maps.Keys(s.Splits))
	for _, name := range names {
		splits = append(splits, s.Splits[name])
	}
	var subjects, labels, positive, left []*int
	for i := range splits {
		subjects, labels, positive = append(subjects, &splits[i].Subjects), append(labels, &splits[i].Labels), append(positive, &splits[i].Positive)
	}
	reasons := slices.Sorted(maps.Keys(s.Left))
	counts := make([]int, len(reasons))
	for i, reason := range reasons {
		counts[i] = s.Left[reason]
		left = append(left, &counts[i])
	}
	for _, cells := range [][]*int{subjects, labels, positive, left, {&s.Positive}, {&s.Censored}} {
		column(cells...)
	}
	for i, name := range names {
		s.Splits[name] = splits[i]
	}
	for i, reason := range reasons {
		s.Left[reason] = counts[i]
	}
}

// people shows a number of people, or that it is small.
func people(n int) string {
	if n == withheld {
		return "withheld"
	}
	if small(n) || n == fewer {
		return fmt.Sprintf("<%d", smallCell)
	}
	return fmt.Sprint(n)
}

func small(n int) bool { return n > 0 && n < smallCell }

func (s *LabelSummary) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "subjects\t%d\ntriggers\t%d\nlabels\t%d\npositive\t%s\ncensored\t%s\n\nsplit\tsubjects\tlabels\tpositive\n", s.Subjects, s.Triggers, s.Labels, people(s.Positive), people(s.Censored))
	for _, split := range slices.Sorted(maps.Keys(s.Splits)) {
		x := s.Splits[split]
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", split, people(x.Subjects), people(x.Labels), people(x.Positive))
	}
	if len(s.Left) > 0 {
		fmt.Fprintf(&b, "\ntriggers\twithout a label because of\n")
		for _, reason := range slices.Sorted(maps.Keys(s.Left)) {
			fmt.Fprintf(&b, "%s\t%s\n", people(s.Left[reason]), reason)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Predicate)) {
		if s.Predicate[name] == 0 {
			fmt.Fprintf(&b, "\nwarning: no event of the store matches the predicate %s\n", name)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

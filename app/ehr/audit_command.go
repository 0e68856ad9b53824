package ehr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/format/meds"
	"heed/internal/cli"
	"heed/report"
)

// An auditRequest is the command line of "heed ehr audit".
type auditRequest struct {
	out     string
	force   bool
	asJSON  bool
	opt     AuditOptions
	version string
}

func auditCommand(version string) *cobra.Command {
	r := auditRequest{version: version}
	c := &cobra.Command{
		Use:   "audit STORE LABELS",
		Short: "Search for what leaks a label: fifteen named checks, and models that should fail",
		Long: `Search for what leaks a label. LABELS is a parquet file of labels in the layout of MEDS,
a folder of heed ehr label, or the name of one below labels in the store.

Fifteen ways in which labels of patients leak are checked by name, each with its
evidence and pass, warn or fail; and models that should fail are fitted on train and
scored on the rest, with intervals that resample patients: one that sees metadata only,
one that sees counts only, each code alone, and a bag of codes whose clock is moved by a
day (docs/ehr-labels.md).

A check that fails makes the command fail (exit code 1). With -o, the folder gets
audit.json and report.html. Numbers of fewer than 11 people are not shown.`,
		Example: `  heed ehr audit store in_hospital_mortality_48h -o audit
  heed ehr audit store labels/aki/labels.parquet --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return cli.Usagef("%s needs a store and labels", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.run(cmd.Context(), args[0], args[1], cmd.OutOrStdout())
		},
	}
	fs := c.Flags()
	fs.StringVarP(&r.out, "output", "o", "", "folder for the report")
	fs.BoolVar(&r.force, "force", false, "write into a folder that is not empty")
	fs.BoolVar(&r.asJSON, "json", false, "print the result as JSON")
	fs.Uint64Var(&r.opt.Seed, "seed", 1, "seed of everything random")
	return c
}

// labelsFile finds labels that are named in one of three ways.
func labelsFile(store, labels string) (string, error) {
	for _, path := range []string{labels, filepath.Join(labels, "labels.parquet"), filepath.Join(store, "labels", labels, "labels.parquet")} {
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() {
			return path, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", format.PathError(path, err)
		}
	}
	return "", cli.Hint(format.PathError(labels, fs.ErrNotExist), "heed ehr label finds labels")
}

func findLabels(store, labels string) ([]meds.Label, error) {
	path, err := labelsFile(store, labels)
	if err != nil {
		return nil, err
	}
	return meds.ReadLabels(path)
}

func (r *auditRequest) run(ctx context.Context, store, labels string, stdout io.Writer) error {
	l, err := findLabels(store, labels)
	if err != nil {
		return err
	}
	if len(l) == 0 {
		return format.InvalidAt(labels, 0, "no labels")
	}
	d, err := meds.OpenDataset(store)
	if err != nil {
		return err
	}
	res, err := Audit(ctx, d, l, r.opt)
	if err != nil {
		return err
	}
	if r.out != "" {
		if err := cli.MakePrivateFolder(r.out, r.force); err != nil {
			return err
		}
		if err := writeJSON(filepath.Join(r.out, "audit.json"), res); err != nil {
			return err
		}
		page, err := res.page(r.version).HTML()
		if err != nil {
			return err
		}
		if err := cli.WriteFile(filepath.Join(r.out, "report.html"), func(w io.Writer) error { _, err := w.Write(page); return err }); err != nil {
			return err
		}
	}
	if r.asJSON {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(res)
	} else {
		err = res.print(stdout)
	}
	if err != nil {
		return err
	}
	if failed := res.failed(); failed > 0 {
		return fmt.Errorf("%d checks failed: scores of models on these labels cannot be trusted", failed)
	}
	return nil
}

func (r *AuditResult) failed() int {
	n := 0
	for _, c := range r.Checks {
		if c.Verdict == Fail {
			n++
		}
	}
	return n
}

func (r *AuditResult) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "labels\t%d\nsubjects\t%d\npositive\t%s\n\ncheck\tverdict\tevidence\n", r.Labels, r.Subjects, people(r.Positive))
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "%d %s\t%s\t%s\n", c.Number, c.Name, c.Verdict, c.Evidence)
	}
	fmt.Fprintf(&b, "\nprobe\tAUROC\tlabels\n")
	for _, p := range r.Probes {
		fmt.Fprintf(&b, "%s\t%s\t%s\n", p.Name, p.text(), people(p.N))
	}
	fmt.Fprintf(&b, "\ncode\tAUROC alone\n")
	for _, c := range r.Codes {
		fmt.Fprintf(&b, "%s\t%.3f\n", c.Code, c.AUROC)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// text is the score with its interval.
func (p *Probe) text() string {
	if math.IsNaN(p.AUROC.Estimate) {
		return "- (a split lacks a class)"
	}
	return fmt.Sprintf("%.3f (%.3f to %.3f)", p.AUROC.Estimate, p.AUROC.Low, p.AUROC.High)
}

// foldText lists the score of each fold.
func (p *Probe) foldText() string {
	var out []string
	for _, x := range p.Folds {
		if x < 0 {
			x = math.NaN()
		}
		out = append(out, score(x))
	}
	return strings.Join(out, ", ")
}

// Sections returns what a report says about leaks, for the report of a model too.
func (r *AuditResult) Sections() []report.Section {
	checks := report.Table{Caption: "Fifteen ways in which a label leaks, and two searches for others",
		Columns: []report.Column{{Name: "check"}, {Name: "verdict"}, {Name: "evidence"}},
		Notes:   []string{"Thresholds are conventions. Numbers of fewer than 11 people are not shown."}}
	for _, c := range r.Checks {
		checks.Rows = append(checks.Rows, report.TableRow{Cells: []string{fmt.Sprintf("%d. %s", c.Number, c.Name), c.Verdict, c.Evidence}, Highlight: c.Verdict == Fail})
	}
	probes := report.Table{Caption: "Models that should know nothing, or little",
		Columns: []report.Column{{Name: "model"}, {Name: "sees"}, {Name: "AUROC", Numeric: true}, {Name: "labels", Numeric: true}},
		Notes:   []string{"Logistic regression, fitted on train, scored on " + r.ScoredOn + "; 95 % intervals resample patients."}}
	if r.Folds > 1 {
		probes.Columns = append(probes.Columns, report.Column{Name: "fold by fold", Numeric: true})
		checks.Notes = append(checks.Notes, fmt.Sprintf("Each check was made with the parts of each of %d folds; the worst verdict stands, with its evidence.", r.Folds))
	}
	for _, p := range r.Probes {
		row := []string{p.Name, p.What, p.text(), people(p.N)}
		if r.Folds > 1 {
			row = append(row, p.foldText())
		}
		probes.Rows = append(probes.Rows, report.TableRow{Cells: row})
	}
	codes := report.Table{Caption: "Single codes that tell most", Columns: []report.Column{{Name: "code"}, {Name: "AUROC alone", Numeric: true}},
		Notes: []string{"Whether the code was seen before the prediction; below 0.5, its absence speaks for the label."}}
	for _, c := range r.Codes {
		codes.Rows = append(codes.Rows, report.TableRow{Cells: []string{c.Code, fmt.Sprintf("%.3f", c.AUROC)}})
	}
	blocks := []report.Block{checks, probes}
	if len(codes.Rows) > 0 {
		blocks = append(blocks, codes)
	}
	return []report.Section{{Title: "Leaks", Blocks: blocks}}
}

const notDevice = "Research use only. Not a medical device: not for diagnosis, treatment or any decision about a patient."

func (r *AuditResult) page(version string) *report.Report {
	warned := 0
	for _, c := range r.Checks {
		if c.Verdict == Warn {
			warned++
		}
	}
	lead := fmt.Sprintf("%d labels of %d subjects: %d checks failed, %d warn, %d pass.", r.Labels, r.Subjects, r.failed(), warned, len(r.Checks)-warned-r.failed())
	sections := append([]report.Section{{Title: "Notice", Blocks: []report.Block{report.Notice{Text: notDevice, Warning: true}}}}, r.Sections()...)
	sections = append(sections, report.Section{Title: "What this cannot tell", Blocks: []report.Block{report.Text(auditLimits)}})
	return &report.Report{Title: "Audit of labels", Lead: lead, Sections: sections, Footer: "heed " + version + ". " + notDevice}
}

const auditLimits = `A check that passes found nothing; that is no proof. What was wrong before the data were exported (a diagnosis that was dated back, a value that was corrected later) leaves no trace in the events.

A warning is not yet a leak. Death ends a record, so the length of the record tells death in any honest data; what matters is that no model sees it.

Checks 8 and 13 ask how a model was made. On data alone they can only warn; the report of a model answers them.`

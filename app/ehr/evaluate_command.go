package ehr

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"heed/data"
	"heed/format/meds"
	"heed/internal/cli"
)

// An evaluateRequest is the command line of "heed ehr evaluate".
type evaluateRequest struct {
	sourceRequest
	job    Job
	names  subjectNames
	seed   uint64
	out    string
	force  bool
	asJSON bool
}

// evaluationFolds are those in which floors learn from the source that a model from
// elsewhere is measured on.
const evaluationFolds = 5

func evaluateCommand(version string) *cobra.Command {
	r := evaluateRequest{job: Job{Floors: true, Audit: true, TuneShare: 0.2, Version: version}}
	c := &cobra.Command{
		Use:   "evaluate MODEL SOURCE",
		Short: "Measure a trained model on timelines with outcomes, beside floors and an audit of the labels",
		Long: `Measure a model that heed ehr train made on the predictions of a source: the scores
of heed ehr train with intervals that resample patients, calibration, a decision curve,
subgroups, and the audit of the labels with its cheap models (heed ehr audit).

--part held_out takes the predictions of that part alone; all, every one. Beside the
model stand floors that were fitted on this source: on its train and tuning parts, if
--part is held_out and it has them; else in five folds of patients. They know this
hospital, which a model from elsewhere does not. Whether the data are those that the
model was trained on is said; whether patients are the same is for you to know.

With -o, the folder, which nobody else may look into, gets report.html, metrics.json
and predictions.tsv as heed ehr train writes them. Numbers of fewer than 11 people are
not shown. ` + sentence(Notice) + ".",
		Example: `  heed ehr evaluate run other-hospital -o evaluation
  heed ehr evaluate run timelines --part held_out --json`,
		Args: twoArguments("a model or the folder of a run", "a folder of timelines"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.job.Command = append([]string{"ehr", "evaluate"}, commandLine(cmd, args)...)
			return r.run(cmd.Context(), args[0], args[1], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fs := c.Flags()
	r.sourceRequest.flags(fs)
	r.names.flags(fs)
	r.job.checkFlags(fs)
	outputFlags(fs, &r.out, &r.force, &r.asJSON, "folder for the report, metrics and predictions")
	fs.Uint64Var(&r.seed, "seed", 1, "seed of resampling, folds and floors")
	return c
}

func (r *evaluateRequest) run(ctx context.Context, model, folder string, stdout, stderr io.Writer) error {
	if err := r.names.check(); err != nil {
		return err
	}
	f, err := r.load(model, folder)
	if err != nil {
		return err
	}
	hash, err := fileHash(r.model)
	if err != nil {
		return err
	}
	if r.out != "" {
		if err := cli.MakePrivateFolder(r.out, r.force); err != nil {
			return err
		}
	}
	r.job.Source, r.job.Labels, r.job.Lists = folder, r.labels, r.lists
	o, err := r.evaluate(ctx, f, func(line string) { fmt.Fprintln(stderr, line) })
	if err != nil {
		return err
	}
	o.Evaluated.ModelSHA256 = hash
	return o.show(stdout, r.out, r.asJSON, nil, &r.names)
}

// An Evaluated says of which model the predictions of an Outcome are that was not
// trained for it.
type Evaluated struct {
	ModelSHA256 string `json:"model_sha256"`
	Part        string `json:"part"`
	Source      string `json:"of_the_source"` // what is known of whether the model has seen it
	Floors      string `json:"floors_fitted_on,omitempty"`

	seen bool // the model may have learned from these very predictions
}

// evaluate measures a model on the cases of the request.
func (r *evaluateRequest) evaluate(ctx context.Context, f *Fitted, tell func(string)) (*Outcome, error) {
	j := &r.job
	j.Fit = f.Config
	j.Fit.Train.Seed = r.seed
	own := *f
	own.Config = j.Fit
	o := &Outcome{Job: j, Hash: r.source.Hash(), Left: r.left, Evaluated: &Evaluated{Part: r.part}}
	o.split(r)
	opt := o.relation(f)
	tell(o.Evaluated.Source)
	o.describe(tell)
	if j.Audit {
		opt.Seed = r.seed
		if err := o.audit(ctx, r.source, opt, tell); err != nil {
			return nil, err
		}
	}
	for k, p := range o.Parts {
		o.predict(f, k)
		if j.Floors && o.Evaluated.Floors != "" {
			floors, err := own.tableFloors(&fitPart{cases: o.Cases, train: p.Train, tune: p.Valid}, p.Test)
			if err != nil {
				return nil, foldError(err, k, len(o.Parts))
			}
			o.addFloors(floors, k)
		}
	}
	if err := o.measure(); err != nil {
		return nil, err
	}
	for _, x := range o.Results {
		x.Folds = nil // of the floors alone
	}
	return o, nil
}

// split decides what floors and probes learn from.
func (o *Outcome) split(r *evaluateRequest) {
	o.Cases = r.cases
	if r.part == meds.HeldOut {
		p := data.Parts{Test: r.idx}
		for i := range r.cases {
			switch r.cases[i].Split {
			case meds.Train:
				p.Train = append(p.Train, i)
			case meds.Tuning:
				p.Valid = append(p.Valid, i)
			}
		}
		if o.Parts = []data.Parts{p}; enough(o.Cases, o.Parts) {
			o.Evaluated.Floors = "the train and tuning parts of this source"
			return
		}
	}
	o.Cases = make([]Case, len(r.idx))
	all := make([]int, len(r.idx))
	for k, i := range r.idx {
		o.Cases[k], all[k] = r.cases[i], k
	}
	j := *o.Job
	j.Folds = evaluationFolds
	if folds, err := j.parts(o.Cases); err == nil && enough(o.Cases, folds) {
		o.Parts, o.Evaluated.Floors = folds, fmt.Sprintf("%d folds of the patients of this source", evaluationFolds)
		return
	}
	o.Parts = []data.Parts{{Test: all}}
}

// enough reports whether every part has both answers.
func enough(cases []Case, parts []data.Parts) bool {
	for _, p := range parts {
		for _, idx := range [][]int{p.Train, p.Valid, p.Test} {
			y := positives(cases, idx)
			if !slices.Contains(y, true) || !slices.Contains(y, false) {
				return false
			}
		}
	}
	return true
}

// relation says what is known of a model and the source that it is measured on, and
// what checks 8 and 13 make of it.
func (o *Outcome) relation(f *Fitted) AuditOptions {
	const these = "the very predictions that are measured"
	e := o.Evaluated
	switch {
	case f.Info.DataSHA256 != o.Hash:
		e.Source = "The model was trained on other data (their SHA-256 differs); whether patients are the same is not known."
		return AuditOptions{}
	case f.Folds == 0 && e.Part == meds.HeldOut:
		e.Source = "The model was trained and chosen on the train and tuning parts of this source."
		return AuditOptions{FittedOn: []string{meds.Train}, SelectedOn: []string{meds.Tuning}}
	}
	e.Source = "The model was trained on this very source: it has learned from patients that it is measured on, and these scores say little of others."
	e.seen = true
	return AuditOptions{FittedOn: []string{these}, SelectedOn: []string{these}}
}

// lead is the first paragraph of the page.
func (o *Outcome) lead() string {
	first := o.Results[0]
	var b strings.Builder
	fmt.Fprintf(&b, "%d predictions, %s positive", first.N, people(first.Positives))
	if !small(first.Positives) {
		fmt.Fprintf(&b, " (%.1f %%)", 100*first.Prevalence)
	}
	if o.Evaluated == nil {
		b.WriteString(", of patients that the model was not trained on")
	}
	fmt.Fprintf(&b, ". AUROC %s", interval(first.score("AUROC")))
	if len(o.Results) > 1 {
		fmt.Fprintf(&b, "; of the floors, the best has %s.", o.bestFloor())
	} else {
		b.WriteString(". No floor was fitted.")
	}
	if o.Evaluated != nil {
		b.WriteString(" " + o.Evaluated.Source)
	}
	return b.String()
}

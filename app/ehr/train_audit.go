package ehr

import (
	"context"
	"fmt"
	"io"

	"heed/data"
	"heed/format/meds"
)

// audit runs the checks and the cheap probes on the labels that a model was trained
// and measured on. What the model was fitted on (the training part) and chosen by (the
// tuning part) is known here. With folds, the parts are those of the first.
func (j *Job) audit(ctx context.Context, source Source, cases []Case, parts data.Parts) (*AuditResult, error) {
	splits := map[int64]string{}
	for name, idx := range map[string][]int{meds.Train: parts.Train, meds.Tuning: parts.Valid, meds.HeldOut: parts.Test} {
		for _, i := range idx {
			splits[cases[i].Patient] = name
		}
	}
	var labels []meds.Label
	for i := range cases {
		labels = append(labels, meds.Label{Subject: cases[i].Patient, Time: cases[i].Micros, Value: cases[i].Positive})
	}
	a := newAuditor(labels, AuditOptions{FittedOn: []string{meds.Train}, SelectedOn: []string{meds.Tuning}, Seed: j.Fit.Train.Seed})
	for c, err := range source.Subjects(a.vocab) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		a.see(c, splits[c.Subject[0]])
	}
	return a.result(labels)
}

// printBrief writes what a reader of scores must see of an audit: how the checks ended,
// those that did not pass, and what the cheap models reach.
func (r *AuditResult) printBrief(w io.Writer) error {
	count := map[string]int{}
	for _, c := range r.Checks {
		count[c.Verdict]++
	}
	if _, err := fmt.Fprintf(w, "\naudit of the labels: %d checks fail, %d warn, %d pass\n", count[Fail], count[Warn], count[Pass]); err != nil {
		return err
	}
	for _, c := range r.Checks {
		if c.Verdict != Pass {
			fmt.Fprintf(w, "%s: %s: %s\n", c.Verdict, c.Name, c.Evidence)
		}
	}
	for _, p := range r.Probes {
		fmt.Fprintf(w, "probe: %s: AUROC %s\n", p.Name, p.text())
	}
	if count[Fail] > 0 {
		fmt.Fprintln(w, "a check failed: these scores cannot be trusted")
	}
	return nil
}

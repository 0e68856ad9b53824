package ehr

import (
	"context"
	"fmt"
	"io"

	"heed/data"
	"heed/format/meds"
)

// audit runs the checks and the cheap probes on the labels that a model is measured on,
// once for each fold, with its parts: the probes learn from what the model learns from
// and are scored on the predictions that the model is scored on.
func audit(ctx context.Context, source Source, cases []Case, parts []data.Parts, opt AuditOptions) (*AuditResult, error) {
	var labels []meds.Label
	for i := range cases {
		labels = append(labels, meds.Label{Subject: cases[i].Patient, Time: cases[i].Micros, Value: cases[i].Positive})
	}
	opt.HeldOutOnly = true
	var folds []*auditor
	for _, p := range parts {
		splits := map[int64]string{}
		for name, idx := range map[string][]int{meds.Train: p.Train, meds.Tuning: p.Valid, meds.HeldOut: p.Test} {
			for _, i := range idx {
				splits[cases[i].Patient] = name
			}
		}
		a := newAuditor(labels, opt)
		for c, err := range source.Subjects(a.vocab) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return nil, err
			}
			a.see(c, splits[c.Subject[0]])
		}
		if err := a.try(); err != nil {
			return nil, err
		}
		folds = append(folds, a)
	}
	return pooled(folds, labels), nil
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
		line := fmt.Sprintf("probe: %s: AUROC %s", p.Name, p.text())
		if r.Folds > 1 {
			line += "; fold by fold " + p.foldText()
		}
		fmt.Fprintln(w, line)
	}
	if count[Fail] > 0 {
		fmt.Fprintln(w, "a check failed: these scores cannot be trusted")
	}
	return nil
}

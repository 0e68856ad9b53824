package ehr

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"heed/checkpoint"
	"heed/data"
	"heed/format/meds"
	"heed/internal/cli"
)

// A Job is everything that decides what "heed ehr train" computes.
type Job struct {
	Source    string   `json:"source"`
	Labels    string   `json:"labels,omitempty"` // parquet file of a store
	Lists     []string `json:"lists,omitempty"`  // of the stays of three parts
	Folds     int      `json:"folds"`            // of patients; 0 means the parts that the source gives
	TuneShare float64  `json:"tune_share"`       // of the training patients of a fold
	Fit       Config   `json:"fit"`
	Floors    bool     `json:"floors"`
	Audit     bool     `json:"audit"`
	Version   string   `json:"heed"`
	Command   []string `json:"command"`
}

// An Outcome is what a Job computed.
type Outcome struct {
	Job         *Job
	Cases       []Case
	Hash        string
	Left        map[string]int // of the source, by reason
	Parts       []data.Parts   // one for each fold
	Models      []*Fitted      // likewise
	Unknown     int            // tokens of the test parts that were not learned
	Tokens      int            // of the test parts
	Predictions []*Predictions // of the transformer first
	Results     []*Result
	Audit       *AuditResult
	Evaluated   *Evaluated // nil after training
}

// Run reads the source, fits every fold, and scores the pooled predictions.
func (j *Job) Run(ctx context.Context, tell func(string), progress func(Progress)) (*Outcome, error) {
	source, err := openSource(j.Source, j.Labels, j.Lists)
	if err != nil {
		return nil, err
	}
	cases, left, err := source.Cases()
	if err != nil {
		return nil, err
	}
	o := &Outcome{Job: j, Cases: cases, Hash: source.Hash(), Left: left}
	if o.Parts, err = j.parts(cases); err != nil {
		return nil, err
	}
	o.describe(tell)
	if j.Audit {
		opt := AuditOptions{FittedOn: []string{meds.Train}, SelectedOn: []string{meds.Tuning}, Seed: j.Fit.Train.Seed}
		if err := o.audit(ctx, source, opt, tell); err != nil {
			return nil, err
		}
	}
	for k, p := range o.Parts {
		start := time.Now()
		f, err := Fit(ctx, j.Fit, cases, p.Train, p.Valid, func(x Progress) { x.Fold = k + 1; progress(x) })
		if err != nil {
			return nil, foldError(err, k, len(o.Parts))
		}
		tell(fmt.Sprintf("fold %d of %d: fitted in %v", k+1, len(o.Parts), time.Since(start).Round(time.Second)))
		f.Folds = j.Folds
		o.Models = append(o.Models, f)
		o.predict(f, k)
		if !j.Floors {
			continue
		}
		floors, err := f.runFloors(ctx, f.fitPart(cases, p.Train, p.Valid), p.Test)
		if err != nil {
			return nil, foldError(err, k, len(o.Parts))
		}
		o.addFloors(floors, k)
	}
	if err := o.measure(); err != nil {
		return nil, err
	}
	for k, f := range o.Models {
		f.Info = o.info(k)
	}
	return o, nil
}

// audit searches the labels for leaks, fold by fold.
func (o *Outcome) audit(ctx context.Context, source Source, opt AuditOptions, tell func(string)) (err error) {
	if o.Audit, err = audit(ctx, source, o.Cases, o.Parts, opt); err != nil {
		return err
	}
	if n := o.Audit.failed(); n > 0 {
		tell(fmt.Sprintf("audit: %d checks fail: scores will not be worth much (see below the table)", n))
	}
	return nil
}

// predict adds the predictions of a model for the test part of fold k, from 0.
func (o *Outcome) predict(f *Fitted, k int) {
	test := o.Parts[k].Test
	seqs := f.sequences(o.Cases, test)
	for i := range seqs {
		o.Unknown, o.Tokens = o.Unknown+seqs[i].Unknown, o.Tokens+len(seqs[i].Codes)
	}
	o.predictions(0).add("transformer", o.Cases, test, k+1, f.probabilities(f.logits(seqs)), f.Threshold)
}

// addFloors adds what floors predict for the same part.
func (o *Outcome) addFloors(floors []scored, k int) {
	for m, s := range floors {
		o.predictions(m+1).add(s.name, o.Cases, o.Parts[k].Test, k+1, s.p, s.threshold)
	}
}

// measure scores all predictions.
func (o *Outcome) measure() error {
	for _, p := range o.Predictions {
		r, err := p.Result(o.Job.Fit.Train.Seed)
		if err != nil {
			return err
		}
		o.Results = append(o.Results, r)
	}
	return nil
}

func foldError(err error, k, folds int) error {
	if folds > 1 {
		return fmt.Errorf("fold %d: %w", k+1, err)
	}
	return err
}

func (o *Outcome) predictions(m int) *Predictions {
	for len(o.Predictions) <= m {
		o.Predictions = append(o.Predictions, &Predictions{})
	}
	return o.Predictions[m]
}

// describe says what was read, in counts alone.
func (o *Outcome) describe(tell func(string)) {
	positive := 0
	patients := map[int64]bool{}
	for i := range o.Cases {
		patients[o.Cases[i].Patient] = true
		if o.Cases[i].Positive {
			positive++
		}
	}
	share := ""
	if !small(positive) {
		share = fmt.Sprintf(" (%.1f %%)", 100*float64(positive)/float64(len(o.Cases)))
	}
	tell(fmt.Sprintf("%d predictions for %d patients, %s positive%s; %s", len(o.Cases), len(patients), people(positive), share, Notice))
	var reasons []string
	for reason := range o.Left {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	for _, reason := range reasons {
		tell(fmt.Sprintf("left out: %s %s", people(o.Left[reason]), reason))
	}
}

// parts returns training, tuning and test cases. All predictions of a patient are
// in one part.
func (j *Job) parts(cases []Case) ([]data.Parts, error) {
	if j.Folds == 0 {
		var p data.Parts
		for i := range cases {
			switch cases[i].Split {
			case "train":
				p.Train = append(p.Train, i)
			case "tuning":
				p.Valid = append(p.Valid, i)
			case "held_out":
				p.Test = append(p.Test, i)
			}
		}
		if len(p.Train) == 0 || len(p.Valid) == 0 || len(p.Test) == 0 {
			return nil, cli.Usagef("the source has %d, %d and %d predictions to train, tune and test on: --folds makes parts", len(p.Train), len(p.Valid), len(p.Test))
		}
		if !enough(cases, []data.Parts{p}) {
			return nil, cli.Usagef("a part to train, tune or test on has predictions of one answer only: --folds makes parts")
		}
		return []data.Parts{p}, nil
	}
	patients, labels, members := patients(cases)
	rng := rand.New(rand.NewPCG(j.Fit.Train.Seed, 0x73706c6974)) // "split"
	of, err := data.KFold(labels, j.Folds, rng)
	if err != nil {
		return nil, &cli.UsageError{Reason: err.Error()}
	}
	tuneOf, err := data.KFold(labels, max(2, int(1/j.TuneShare+0.5)), rng)
	if err != nil {
		return nil, &cli.UsageError{Reason: err.Error()}
	}
	all := make([]data.Parts, j.Folds)
	for k := range all {
		p := &all[k]
		for i := range patients {
			switch {
			case of[i] == k:
				p.Test = append(p.Test, members[i]...)
			case tuneOf[i] == 0:
				p.Valid = append(p.Valid, members[i]...)
			default:
				p.Train = append(p.Train, members[i]...)
			}
		}
	}
	if !enough(cases, all) {
		return nil, cli.Usagef("--folds %d: a part to train, tune or test on has predictions of one answer only: too few patients for so many folds", j.Folds)
	}
	return all, nil
}

// patients returns the patients of cases, whether any of their labels is
// positive, and their cases.
func patients(cases []Case) (ids []int64, labels []int, members [][]int) {
	for i := range cases {
		n := len(ids)
		if n == 0 || ids[n-1] != cases[i].Patient { // cases are sorted by patient
			ids, labels, members = append(ids, cases[i].Patient), append(labels, 0), append(members, nil)
			n++
		}
		members[n-1] = append(members[n-1], i)
		if cases[i].Positive {
			labels[n-1] = 1
		}
	}
	return ids, labels, members
}

// info is what the checkpoint of a fold says about its origin.
func (o *Outcome) info(k int) checkpoint.Info {
	i := checkpoint.Info{
		Heed: o.Job.Version, Go: runtime.Version(), DataSHA256: o.Hash, Command: o.Job.Command, Metrics: map[string]float64{},
	}
	for _, s := range o.Results[0].Scores {
		if s.Estimate == s.Estimate { // leave out NaN
			i.Metrics[s.Name] = s.Estimate
		}
	}
	return i
}

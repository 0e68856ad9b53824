package ehr

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"text/tabwriter"

	"heed/data/madeup"
	"heed/internal/par"
	"heed/metric"
	"heed/model/baseline"
)

// An AlertScore is the AUROC of one model on one part of the made-up patients, with a
// 95 % interval by resampling patients.
type AlertScore struct {
	Part      string  `json:"part"`
	N         int     `json:"n"`
	Positives int     `json:"positives"`
	AUROC     Score   `json:"auroc"`
	AUPRC     float64 `json:"auprc"`
}

// An AlertRow is one model in the table.
type AlertRow struct {
	Model      string       `json:"model"`
	Seed       uint64       `json:"seed"`
	Parameters int          `json:"parameters"`
	Seconds    float64      `json:"training_seconds"`
	Scores     []AlertScore `json:"scores"`
}

// An alertPart is a set of questions with a name.
type alertPart struct {
	name string
	qs   []question
}

// parts makes the patients to test on: in bins of days between the two, alone and for
// each reason against the positive ones, and in bins of events between them.
func (f *alertFit) parts() []alertPart {
	g := f.job.Generation
	g.Seed, g.Patients, g.MaxGap = g.Seed^streamTest, f.job.Test, 730
	test := f.job.alertCases(g, f.job.MinDensity, f.job.MaxDensity)
	encodeCases(f.vocabulary, test, f.job.cores())
	all := questions(test)
	parts := []alertPart{{"all", all}}
	where := func(name string, keep func(s *madeup.Patient) bool) {
		var qs []question
		for _, q := range all {
			if keep(q.c.Patient) {
				qs = append(qs, q)
			}
		}
		parts = append(parts, alertPart{name, qs})
	}
	for _, high := range madeup.GapEnds {
		name := madeup.GapBin(high)
		where("days "+strings.TrimSuffix(name, " d"), func(s *madeup.Patient) bool { return madeup.GapBin(s.Gap) == name })
	}
	for _, kind := range g.Kinds() {
		where("pair or "+kind, func(s *madeup.Patient) bool { return s.Kind == "pair" || s.Kind == kind })
	}
	return append(parts, f.distances()...)
}

// distances makes patients with a given number of events between the two, whatever
// the days: what other made-up patients were told and prescribed is filled in.
func (f *alertFit) distances() []alertPart {
	var parts []alertPart
	low := 0
	for _, high := range madeup.BetweenEnds {
		if high > f.job.MaxBetween || f.job.Long == 0 {
			break
		}
		g := f.job.Generation
		g.Seed, g.MaxGap = g.Seed^streamLong+uint64(high), 730
		cases := make([]alertCase, f.job.Long)
		par.Do(len(cases), f.job.cores(), func(_, i int) {
			cases[i].Case = g.Crowded(int64(i+1), low+1, high, f.job.MinDensity)
		})
		encodeCases(f.vocabulary, cases, f.job.cores())
		parts = append(parts, alertPart{fmt.Sprintf("events %d-%d", low+1, high), questions(cases)})
		low = high
	}
	return parts
}

// alertScores measures one model on all parts.
func alertScores(parts []alertPart, seed uint64, ask func([]question) []float64) ([]AlertScore, error) {
	var out []AlertScore
	for _, part := range parts {
		s := AlertScore{Part: part.name, N: len(part.qs)}
		b, err := metric.NewBinary(ask(part.qs), answers(part.qs))
		if err != nil || b.Positives() == 0 || b.Positives() == b.N() {
			continue // too few patients for both answers
		}
		iv := metric.Bootstrap(rand.New(rand.NewPCG(seed, streamBootstrap)), len(part.qs), Resamples, func(idx []int) float64 { return b.Resample(idx).AUROC() })
		s.Positives, s.AUPRC = b.Positives(), b.AUPRC()
		s.AUROC = Score{"AUROC", iv.Estimate, iv.Low, iv.High}
		out = append(out, s)
	}
	return out, nil
}

// ceiling knows what decides the outcome; the share of labels that are wrong is what it
// lacks of 1, in this very sample.
func ceiling(qs []question) []float64 {
	z := make([]float64, len(qs))
	for i, q := range qs {
		if q.c.Truth(q.count) {
			z[i] = 1
		}
	}
	return z
}

// bagOfEvents fits the floor that knows how often each code happened and
// nothing of order and time. By construction it stays at chance but
// on level 0.
func (f *alertFit) bagOfEvents() (func([]question) []float64, int, error) {
	size := f.vocabulary.Size()
	row := func(q question) []float32 {
		x := make([]float32, size)
		for _, code := range q.c.seq.Codes[:q.count] {
			x[code]++
		}
		return x
	}
	rows := func(qs []question) [][]float32 {
		x := make([][]float32, len(qs))
		par.Do(len(qs), f.job.cores(), func(_, i int) { x[i] = row(qs[i]) })
		return x
	}
	some := f.full[:min(len(f.full), 6000)]
	qs, tune := questions(some), questions(f.tune)
	m, err := baseline.FitTableLogisticTuned(rows(qs), answers(qs), rows(tune), answers(tune))
	if err != nil {
		return nil, 0, err
	}
	return func(qs []question) []float64 { return logOdds(m.Predict(rows(qs))) }, size + 1, nil
}

// WriteAlertTable writes one column for each part and one line for each model.
func WriteAlertTable(w io.Writer, rows []AlertRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "AUROC (95 %)")
	for _, r := range rows {
		fmt.Fprintf(t, "\t%s, seed %d", r.Model, r.Seed)
	}
	fmt.Fprint(t, "\npositive/all\nparameters")
	for _, r := range rows {
		fmt.Fprintf(t, "\t%d", r.Parameters)
	}
	fmt.Fprintln(t)
	for i, part := range rows[0].Scores {
		fmt.Fprintf(t, "%s (%d/%d)", part.Part, part.Positives, part.N)
		for _, r := range rows {
			s := r.Scores[i].AUROC
			fmt.Fprintf(t, "\t%.3f (%.3f-%.3f)", s.Estimate, s.Low, s.High)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "intervals by %d resamples of patients; made-up timelines; %s\n", Resamples, Notice)
	return err
}

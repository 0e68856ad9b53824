package dna

import "math"

// A Summary is an Outcome for machines: metrics.json, and what --json prints.
type Summary struct {
	Data struct {
		SHA256     string         `json:"sha256"`
		Sequences  int            `json:"sequences"`
		Classes    map[string]int `json:"classes"`
		Positive   string         `json:"positive,omitempty"`
		Clusters   int            `json:"clusters"`
		Related    int            `json:"test_related_to_training"`
		Unlabelled int            `json:"test_among_unlabelled,omitempty"`
	} `json:"data"`
	Folds  int             `json:"folds"`
	Seed   uint64          `json:"seed"`
	Models []ResultSummary `json:"models"`
}

// A ResultSummary is a Result for machines; what is undefined is null.
type ResultSummary struct {
	Model      string                  `json:"model"`
	N          int                     `json:"n"`
	Errors     int                     `json:"errors"`
	Prevalence *float64                `json:"prevalence,omitempty"`
	Scores     map[string]ScoreSummary `json:"scores"`
	Confusion  [][]int                 `json:"confusion"` // rows are the true classes
	ClassError map[string]*float64     `json:"class_error"`
}

// A ScoreSummary is a Score for machines.
type ScoreSummary struct {
	Estimate *float64 `json:"estimate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
}

// Summary returns the outcome for machines.
func (o *Outcome) Summary() Summary {
	s := Summary{Folds: o.Folds, Seed: o.Job.Fit.Train.Seed}
	s.Data.SHA256, s.Data.Sequences = o.Job.Hash, len(o.Data.Seqs)
	s.Data.Clusters, s.Data.Related, s.Data.Unlabelled = o.Clusters, o.Related, o.Unlabelled
	s.Data.Classes = map[string]int{}
	for _, l := range o.Data.Labels {
		s.Data.Classes[o.Data.Classes[l]]++
	}
	if len(o.Data.Classes) == 2 {
		s.Data.Positive = o.Data.Classes[o.Data.Positive]
	}
	for _, r := range o.Results {
		s.Models = append(s.Models, r.Summary(o.Data.Classes))
	}
	return s
}

// Summary returns the result for machines.
func (r *Result) Summary(classes []string) ResultSummary {
	s := ResultSummary{
		Model: r.Model, N: r.N, Errors: r.Errors, Prevalence: number(r.Prevalence),
		Scores: map[string]ScoreSummary{}, Confusion: r.Confusion, ClassError: map[string]*float64{},
	}
	for _, x := range r.Scores {
		s.Scores[x.Name] = ScoreSummary{number(x.Estimate), number(x.Low), number(x.High)}
	}
	for i, c := range r.PerClass {
		s.ClassError[classes[i]] = number(c.Error)
	}
	return s
}

func number(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

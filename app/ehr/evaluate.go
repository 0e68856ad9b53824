package ehr

import (
	"encoding/json"
	"math"
	"math/rand/v2"

	"heed/metric"
)

// Notice stands on everything that this package writes about patients.
const Notice = "research use only, not a medical device"

// alertSpecificity is the operating point of alerts.
const alertSpecificity = 0.95

// Predictions are those of one model on cases that it was not trained on.
type Predictions struct {
	Model    string
	Patients []int64
	Folds    []int // from 1
	P        []float64
	Positive []bool
	Alert    []bool    // by the threshold that the tuning part of the fold gave
	Days     []float64 // at risk
	Groups   []map[string]string
}

func (p *Predictions) add(name string, cases []Case, idx []int, fold int, probabilities []float64, threshold float64) {
	p.Model = name
	for i, j := range idx {
		c := &cases[j]
		p.Patients = append(p.Patients, c.Patient)
		p.Folds = append(p.Folds, fold)
		p.P = append(p.P, probabilities[i])
		p.Positive = append(p.Positive, c.Positive)
		p.Alert = append(p.Alert, probabilities[i] >= threshold)
		p.Days = append(p.Days, c.Days)
		p.Groups = append(p.Groups, c.Groups)
	}
}

// A Score is one statistic with its interval.
type Score struct {
	Name                string
	Estimate, Low, High float64
}

// MarshalJSON writes null for what does not exist.
func (s Score) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name     string   `json:"name"`
		Estimate *float64 `json:"estimate"`
		Low      *float64 `json:"low"`
		High     *float64 `json:"high"`
	}{s.Name, defined(s.Estimate), defined(s.Low), defined(s.High)})
}

// streamBootstrap keeps what resampling draws apart.
const streamBootstrap = 0x626f6f74 // "boot"

// Resamples is the number of bootstrap resamples behind an interval.
const Resamples = 1000

// A statistic of predictions, of which those of idx are in b.
type statistic struct {
	name string
	of   func(p *Predictions, b *metric.Binary, idx []int) float64
}

// statistics are what every model is measured by, in the order of the tables.
var statistics = []statistic{
	{"AUROC", func(_ *Predictions, b *metric.Binary, _ []int) float64 { return b.AUROC() }},
	{"AUPRC", func(_ *Predictions, b *metric.Binary, _ []int) float64 { return b.AUPRC() }},
	{"Brier", func(_ *Predictions, b *metric.Binary, _ []int) float64 { return b.Brier() }},
	{"log-loss", func(_ *Predictions, b *metric.Binary, _ []int) float64 { return b.LogLoss() }},
	{"ECE", func(_ *Predictions, b *metric.Binary, _ []int) float64 { return b.ECE() }},
	{"slope", func(_ *Predictions, b *metric.Binary, _ []int) float64 { return b.Recalibrate().Slope }},
	{"in the large", func(_ *Predictions, b *metric.Binary, _ []int) float64 { return b.Recalibrate().Large }},
	{"Se at Sp .95", func(_ *Predictions, b *metric.Binary, _ []int) float64 { return b.SensitivityAt(alertSpecificity) }},
	{"min(Se, PPV)", func(_ *Predictions, b *metric.Binary, _ []int) float64 { return breakEven(b) }},
	{"alert Se", func(p *Predictions, _ *metric.Binary, idx []int) float64 { return p.confusion(idx).Sn() }},
	{"alert PPV", func(p *Predictions, _ *metric.Binary, idx []int) float64 { return p.confusion(idx).Precision() }},
	{"alerts/100 patient-days", func(p *Predictions, _ *metric.Binary, idx []int) float64 {
		alerts, days := 0.0, 0.0
		for _, i := range idx {
			days += p.Days[i]
			if p.Alert[i] {
				alerts++
			}
		}
		return 100 * alerts / days
	}},
}

// breakEven returns the largest value that sensitivity and precision reach
// together, over all thresholds: event 1 of the PhysioNet Challenge 2012.
func breakEven(b *metric.Binary) float64 {
	best := math.NaN()
	for _, q := range b.PR() {
		if m := min(q.Recall, q.Precision); !(m <= best) {
			best = m
		}
	}
	return best
}

func (p *Predictions) confusion(idx []int) metric.Confusion {
	var c metric.Confusion
	for _, i := range idx {
		switch {
		case p.Alert[i] && p.Positive[i]:
			c.TP++
		case p.Alert[i]:
			c.FP++
		case p.Positive[i]:
			c.FN++
		default:
			c.TN++
		}
	}
	return c
}

// Scores measures predictions with 95 % intervals of a bootstrap that draws
// patients, each with all its predictions.
func (p *Predictions) Scores(seed uint64) ([]Score, error) { return p.scores(seed, statistics) }

func (p *Predictions) scores(seed uint64, statistics []statistic) ([]Score, error) {
	b, err := metric.NewBinary(p.P, p.Positive)
	if err != nil {
		return nil, err
	}
	patients := p.clusters()
	var scores []Score
	for _, s := range statistics {
		n := Resamples
		if s.name == "slope" || s.name == "in the large" { // a Newton iteration each
			n = 200
		}
		iv := metric.BootstrapClusters(rand.New(rand.NewPCG(seed, streamBootstrap)), patients, n, func(idx []int) float64 {
			return s.of(p, b.Resample(idx), idx)
		})
		scores = append(scores, Score{s.name, iv.Estimate, iv.Low, iv.High})
	}
	return scores, nil
}

// clusters numbers the patients.
func (p *Predictions) clusters() []int {
	number := map[int64]int{}
	out := make([]int, len(p.Patients))
	for i, id := range p.Patients {
		n, ok := number[id]
		if !ok {
			n = len(number)
			number[id] = n
		}
		out[i] = n
	}
	return out
}

// Compare returns the difference in AUROC of two models on the same cases, p
// minus q, with the interval of a paired bootstrap of patients.
func (p *Predictions) Compare(q *Predictions, seed uint64) (metric.Interval, error) {
	a, err := metric.NewBinary(p.P, p.Positive)
	if err != nil {
		return metric.Interval{}, err
	}
	b, err := metric.NewBinary(q.P, q.Positive)
	if err != nil {
		return metric.Interval{}, err
	}
	return metric.BootstrapClusters(rand.New(rand.NewPCG(seed, streamBootstrap)), p.clusters(), Resamples, func(idx []int) float64 {
		return a.Resample(idx).AUROC() - b.Resample(idx).AUROC()
	}), nil
}

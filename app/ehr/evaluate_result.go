package ehr

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"

	"heed/metric"
)

// A Result is what is known of a model's predictions.
type Result struct {
	Model      string       `json:"model"`
	N          int          `json:"n"`
	Positives  int          `json:"positives"`
	Prevalence float64      `json:"prevalence"`
	Scores     []Score      `json:"scores"`
	Folds      []FoldScore  `json:"folds,omitempty"`
	Decision   []NetBenefit `json:"decision_curve"`
	Bins       []Bin        `json:"reliability"`
	Subgroups  []Subgroup   `json:"subgroups"`

	full []metric.ReliabilityBin // of which Bins are a part
}

// MarshalJSON leaves out how many are positive if they, or the others, are fewer
// than 11.
func (r *Result) MarshalJSON() ([]byte, error) {
	type plain Result
	out := struct {
		*plain
		Positives  *int     `json:"positives"`
		Prevalence *float64 `json:"prevalence"`
	}{plain: (*plain)(r)}
	if !small(r.Positives) && !small(r.N-r.Positives) { // as prevalence
		out.Positives, out.Prevalence = &r.Positives, &r.Prevalence
	}
	return json.Marshal(out)
}

// prevalence is that of AUPRC by chance, if it may be shown.
func (r *Result) prevalence() string {
	if small(r.Positives) || small(r.N-r.Positives) {
		return fmt.Sprintf("not shown (fewer than %d)", smallCell)
	}
	return score(r.Prevalence)
}

// A FoldScore is that of one fold alone.
type FoldScore struct {
	Fold  int      `json:"fold"`
	N     int      `json:"n"`
	AUROC *float64 `json:"auroc"`
	AUPRC *float64 `json:"auprc"`
	ECE   *float64 `json:"ece"`
}

// NetBenefit is one point of a decision curve.
type NetBenefit struct {
	Threshold float64 `json:"threshold"`
	Model     float64 `json:"model"`
	All       float64 `json:"treat_all"`
}

// A Bin of the reliability curve.
type Bin struct {
	N         int     `json:"n"`
	Predicted float64 `json:"predicted"`
	Observed  float64 `json:"observed"`
}

// A Subgroup is a part of the patients. What fewer than 11 patients stand behind
// is suppressed.
type Subgroup struct {
	Group      string   `json:"group"`
	Value      string   `json:"value"`
	Suppressed bool     `json:"suppressed,omitempty"` // fewer than 11 positive or negative patients
	N          int      `json:"n,omitempty"`
	Positives  int      `json:"positives,omitempty"`
	AUROC      *Score   `json:"auroc,omitempty"`
	Slope      *float64 `json:"slope,omitempty"`
	Observed   float64  `json:"observed,omitempty"`
	Predicted  float64  `json:"predicted,omitempty"`
	FPR        float64  `json:"false_alert_rate,omitempty"`
	FNR        float64  `json:"missed_rate,omitempty"`
}

// Result measures predictions: scores, decision curve, calibration, subgroups.
func (p *Predictions) Result(seed uint64) (*Result, error) {
	b, err := metric.NewBinary(p.P, p.Positive)
	if err != nil {
		return nil, err
	}
	r := &Result{Model: p.Model, N: b.N(), Positives: b.Positives(), Prevalence: b.Prevalence()}
	if r.Scores, err = p.Scores(seed); err != nil {
		return nil, err
	}
	for _, t := range []float64{0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5} {
		r.Decision = append(r.Decision, NetBenefit{t, b.NetBenefit(t), b.NetBenefitOfAll(t)})
	}
	r.full = b.Reliability(10)
	for _, x := range r.full {
		if x.N >= smallCell {
			r.Bins = append(r.Bins, Bin{x.N, x.MeanScore, x.Fraction.Estimate})
		}
	}
	if folds := slices.Max(p.Folds); folds > 1 {
		for k := 1; k <= folds; k++ {
			q := p.where(func(i int) bool { return p.Folds[i] == k })
			fb, err := metric.NewBinary(q.P, q.Positive)
			if err != nil {
				return nil, err
			}
			r.Folds = append(r.Folds, FoldScore{k, fb.N(), defined(fb.AUROC()), defined(fb.AUPRC()), defined(fb.ECE())})
		}
	}
	r.Subgroups, err = p.subgroups(seed)
	return r, err
}

// where returns the predictions for which keep is true.
func (p *Predictions) where(keep func(i int) bool) *Predictions {
	q := &Predictions{Model: p.Model}
	for i := range p.P {
		if keep(i) {
			q.Patients, q.Folds, q.P = append(q.Patients, p.Patients[i]), append(q.Folds, p.Folds[i]), append(q.P, p.P[i])
			q.Positive, q.Alert = append(q.Positive, p.Positive[i]), append(q.Alert, p.Alert[i])
			q.Days, q.Groups = append(q.Days, p.Days[i]), append(q.Groups, p.Groups[i])
		}
	}
	return q
}

func (p *Predictions) subgroups(seed uint64) ([]Subgroup, error) {
	var keys [][2]string
	for _, g := range p.Groups {
		for name, value := range g {
			if k := [2]string{name, value}; !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var out []Subgroup
	for _, k := range keys {
		q := p.where(func(i int) bool { return p.Groups[i][k[0]] == k[1] })
		s := Subgroup{Group: k[0], Value: k[1]}
		if with, without := q.count(true), q.count(false); with < smallCell || without < smallCell {
			s.Suppressed = true
			out = append(out, s)
			continue
		}
		b, err := metric.NewBinary(q.P, q.Positive)
		if err != nil {
			return nil, err
		}
		scores, err := q.scores(seed, statistics[:1])
		if err != nil {
			return nil, err
		}
		all := make([]int, len(q.P))
		for i := range all {
			all[i] = i
			s.Predicted += q.P[i] / float64(len(q.P))
		}
		c := q.confusion(all)
		s.N, s.Positives, s.AUROC, s.Slope = b.N(), b.Positives(), &scores[0], defined(b.Recalibrate().Slope)
		s.Observed, s.FPR, s.FNR = b.Prevalence(), 1-c.Sp(), 1-c.Sn()
		out = append(out, s)
	}
	return out, nil
}

// count returns the number of patients with a label of a kind.
func (p *Predictions) count(positive bool) int {
	seen := map[int64]bool{}
	for i, id := range p.Patients {
		if p.Positive[i] == positive {
			seen[id] = true
		}
	}
	return len(seen)
}

func defined(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// score returns a score by its name.
func (r *Result) score(name string) Score {
	for _, s := range r.Scores {
		if s.Name == name {
			return s
		}
	}
	return Score{Name: name, Estimate: math.NaN(), Low: math.NaN(), High: math.NaN()}
}

// WriteTable writes one line for each model.
func WriteTable(w io.Writer, results []*Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	columns := []string{"AUROC", "AUPRC", "Brier", "ECE", "slope", "Se at Sp .95", "min(Se, PPV)", "alerts/100 patient-days"}
	fmt.Fprint(t, "model")
	for _, c := range columns {
		fmt.Fprintf(t, "\t%s", c)
		if c == "AUROC" || c == "AUPRC" {
			fmt.Fprint(t, "\t95 %")
		}
	}
	fmt.Fprintln(t)
	for _, r := range results {
		fmt.Fprint(t, r.Model)
		for _, c := range columns {
			s := r.score(c)
			if c == "alerts/100 patient-days" {
				fmt.Fprintf(t, "\t%.2f", s.Estimate)
				continue
			}
			fmt.Fprintf(t, "\t%.3f", s.Estimate)
			if c == "AUROC" || c == "AUPRC" {
				fmt.Fprintf(t, "\t%.3f-%.3f", s.Low, s.High)
			}
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "AUPRC of chance is the prevalence, %s; intervals by %d resamples of patients\n%s\n", results[0].prevalence(), Resamples, Notice)
	return err
}

// writeTSV writes one line for each prediction.
func (p *Predictions) writeTSV(w io.Writer, names *subjectNames) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s\n%s\tfold\tboolean_value\tpredicted_boolean_probability\tpredicted_boolean_value\n", Notice, names.column())
	for i, id := range p.Patients {
		fmt.Fprintf(b, "%s\t%d\t%t\t%s\t%t\n", names.of(id), p.Folds[i], p.Positive[i], strconv.FormatFloat(p.P[i], 'g', 6, 64), p.Alert[i])
	}
	return b.Flush()
}

// writeSubgroups writes one line for each.
func (r *Result) writeSubgroups(w io.Writer) error {
	for _, s := range r.Subgroups {
		if s.Suppressed {
			fmt.Fprintf(w, "%s %s: fewer than %d positive or negative patients, not shown\n", s.Group, s.Value, smallCell)
			continue
		}
		if _, err := fmt.Fprintf(w, "%s %s: %d predictions, %d positive, AUROC %.3f (%.3f-%.3f), predicted %.3f, observed %.3f\n",
			s.Group, s.Value, s.N, s.Positives, s.AUROC.Estimate, s.AUROC.Low, s.AUROC.High, s.Predicted, s.Observed); err != nil {
			return err
		}
	}
	return nil
}

package ehr

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wards are cases whose outcome depends on the last value of a code.
func wards(n int) (cases []Case, train, tune, test []int) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		c := Case{Patient: int64(i), Age: 50, Days: 2, Groups: map[string]string{"sex": []string{"female", "male"}[i%2]}}
		last := r.NormFloat64()
		for h := 20; h > 0; h-- {
			v := r.NormFloat64()
			if h == 1 {
				v = last
			}
			c.Happenings = append(c.Happenings, Happening{Code: "X", Value: float32(v), Days: float64(h) / 24}, Happening{Code: "Y", Value: nan32, Days: float64(h) / 24})
		}
		c.Positive = r.Float64() < 1/(1+math.Exp(-3*last))
		cases = append(cases, c)
		switch i % 5 {
		case 3:
			tune = append(tune, i)
		case 4:
			test = append(test, i)
		default:
			train = append(train, i)
		}
	}
	return cases, train, tune, test
}

func quick() Config {
	c := DefaultConfig()
	c.Model.Dim, c.Model.FFN, c.Model.Heads, c.Model.Layers = 16, 16, 2, 1
	c.Model.Dropout, c.Model.DropTokens = 0, 0
	c.Tokens.Windows, c.Knots, c.Train.Epochs, c.Train.Rate, c.MinCount = []float64{0}, 4, 6, 5e-3, 2
	return c
}

// A model learns what decides, has the same bits on one and three cores, and is the
// same after it was saved and read.
func TestFit(t *testing.T) {
	cases, train, tune, test := wards(500)
	var first []float64
	for _, cores := range []int{1, 3} {
		cfg := quick()
		cfg.Train.Cores = cores
		f, err := Fit(context.Background(), cfg, cases, train, tune, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := f.Probabilities(cases, test)
		if first == nil {
			first = p
			var q Predictions
			q.add("transformer", cases, test, 1, p, f.Threshold)
			r, err := q.Result(1)
			if err != nil {
				t.Fatal(err)
			}
			if a := r.score("AUROC").Estimate; a < 0.85 {
				t.Errorf("AUROC %v", a)
			}
			path := filepath.Join(t.TempDir(), "model.safetensors")
			f.Info.DataSHA256 = strings.Repeat("0", 64)
			if err := f.Save(path); err != nil {
				t.Fatal(err)
			}
			back, err := LoadFitted(path)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(back.Probabilities(cases, test), p) || back.Threshold != f.Threshold {
				t.Error("a model that was saved and read predicts something else")
			}
			checkExplanation(t, f, &cases[test[0]])
			continue
		}
		if !slices.Equal(p, first) {
			t.Error("other bits on three cores")
		}
	}
}

// The parts of an explanation add up, and the code that decides is the first.
func checkExplanation(t *testing.T, f *Fitted, c *Case) {
	x, err := f.Explain(context.Background(), c, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(x.Missing) > 0.05 {
		t.Errorf("integrated gradients miss %v", x.Missing)
	}
	if x.Evidence[0].Code != "X/all" {
		t.Errorf("the evidence is %s, want X/all", x.Evidence[0].Code)
	}
	if x.Removed[0] != x.Evidence[0].Without {
		t.Errorf("without the first %v, by itself %v", x.Removed[0], x.Evidence[0].Without)
	}
	if x.IntendedUse != Notice {
		t.Errorf("intended use %q", x.IntendedUse)
	}
}

// Pre-training runs, and all floors give probabilities of every test case.
func TestPretrainingAndFloors(t *testing.T) {
	cases, train, tune, test := wards(150)
	for _, kind := range []string{"masked", "forecast"} {
		cfg := quick()
		cfg.Train.Epochs, cfg.Pretrain = 2, Pretraining{Kind: kind, Epochs: 3}
		var losses []float64
		f, err := Fit(context.Background(), cfg, cases, train, tune, func(p Progress) {
			if p.Stage == "pretrain" {
				losses = append(losses, p.Loss)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(losses) != 3 || !(losses[2] < losses[0]) {
			t.Errorf("%s: losses of the pre-training %v", kind, losses)
		}
		if kind == "masked" {
			continue
		}
		floors, err := f.runFloors(context.Background(), f.fitPart(cases, train, tune), test)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range floors {
			names = append(names, s.name)
			if len(s.p) != len(test) || slices.Min(s.p) < 0 || slices.Max(s.p) > 1 {
				t.Errorf("%s: %d probabilities from %v to %v", s.name, len(s.p), slices.Min(s.p), slices.Max(s.p))
			}
		}
		if got, want := strings.Join(names, ", "), "record length, bag of codes, logistic on windows, boosted trees on windows, LSTM, GRU-D"; got != want {
			t.Errorf("floors %s, want %s", got, want)
		}
	}
}

// All predictions of a patient are in one part, and every one is tested once.
func TestFolds(t *testing.T) {
	var cases []Case
	for i := range 90 {
		cases = append(cases, Case{Patient: int64(i / 3), Positive: i%7 == 0})
	}
	j := Job{Folds: 5, TuneShare: 0.2, Fit: DefaultConfig()}
	parts, err := j.parts(cases)
	if err != nil {
		t.Fatal(err)
	}
	tested := make([]int, len(cases))
	for k, p := range parts {
		of := map[int64]string{}
		for name, idx := range map[string][]int{"train": p.Train, "tune": p.Valid, "test": p.Test} {
			for _, i := range idx {
				if was, seen := of[cases[i].Patient]; seen && was != name {
					t.Errorf("fold %d: patient %d is in %s and %s", k, cases[i].Patient, was, name)
				}
				of[cases[i].Patient] = name
			}
		}
		for _, i := range p.Test {
			tested[i]++
		}
	}
	if slices.Min(tested) != 1 || slices.Max(tested) != 1 {
		t.Errorf("predictions were tested %v times", tested)
	}
}

// A subgroup with fewer than 11 positive or negative patients is not shown.
func TestSmallCells(t *testing.T) {
	var p Predictions
	for i := range 60 {
		p.Patients, p.Folds, p.P = append(p.Patients, int64(i)), append(p.Folds, 1), append(p.P, float64(i)/60)
		p.Positive, p.Alert, p.Days = append(p.Positive, i%3 == 0), append(p.Alert, i > 50), append(p.Days, 1)
		p.Groups = append(p.Groups, map[string]string{"size": map[bool]string{true: "small", false: "large"}[i < 20]})
	}
	r, err := p.Result(1)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Subgroups) != 2 || r.Subgroups[0].Suppressed || !r.Subgroups[1].Suppressed || r.Subgroups[1].N != 0 {
		t.Errorf("subgroups %+v", r.Subgroups)
	}
	if s := r.score("alerts/100 patient-days"); s.Estimate != 15 {
		t.Errorf("%v alerts a hundred days, want 15", s.Estimate)
	}
}

// Bad tables have exact messages.
func TestBadTables(t *testing.T) {
	const events, labels = "subject_id,time,code,numeric_value\n1,2020-01-01T00:00:00,A,1\n", "subject_id,prediction_time,boolean_value,split\n1,2020-01-02T00:00:00,true,train\n"
	for want, files := range map[string][2]string{
		"events.csv:1: invalid: no column \"code\"":                                        {"subject_id,time,numeric_value\n", labels},
		"events.csv:3: invalid: time: want 2006-01-02T15:04:05, without a zone":            {events + "1,2020-01-01,A,\n", labels},
		"events.csv:4: invalid: time: want 2006-01-02T15:04:05, without a zone":            {events + "1,2020-01-01T00:00:00,A,\n1,2020-01-01T00:00:00Z,A,\n", labels},
		"labels.csv:3: invalid: prediction_time: want 2006-01-02T15:04:05, without a zone": {events, labels + "1,2020-01-03T00:00:00+01:00,true,train\n"},
		"events.csv:3: invalid: subject_id is no number":                                   {events + "x,,A,\n", labels},
		"events.csv:3: invalid: numeric_value is no number":                                {events + "1,,A,high\n", labels},
		"events.csv:3: invalid: no code":                                                   {events + "1,,,\n", labels},
		"events.csv:3: invalid: wrong number of fields":                                    {events + "1,A\n", labels},
		"labels.csv:3: invalid: the subject is in two parts, train and tuning":             {events, labels + "1,2020-01-03T00:00:00,true,tuning\n"},
		"labels.csv:3: invalid: boolean_value: want true or false":                         {events, labels + "1,2020-01-03T00:00:00,maybe,train\n"},
		"labels.csv:3: invalid: split: want train, tuning or held_out":                     {events, labels + "2,2020-01-03T00:00:00,1,test\n"},
		"labels.csv: invalid: no predictions":                                              {events, "subject_id,prediction_time,boolean_value\n9,2020-01-02T00:00:00,1\n"},
		"labels.csv: no such file":                                                         {events, ""},
	} {
		dir := t.TempDir()
		for i, name := range []string{"events.csv", "labels.csv"} {
			if files[i] != "" {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(files[i]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, _, err := (&Tables{Folder: dir}).Cases()
		if err == nil || strings.TrimPrefix(err.Error(), dir+string(filepath.Separator)) != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// An event is known if it is not later than the prediction; the age is that at the
// prediction; static events are the oldest.
func TestTables(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("events.csv", "subject_id,time,code,numeric_value\n7,2020-01-02T00:00:00,B,2\n7,,GENDER//F,\n7,2020-01-01T00:00:00,A,1\n7,2020-01-02T00:00:01,C,3\n7,1990-01-02T00:00:00,MEDS_BIRTH,\n")
	write("labels.csv", "subject_id,prediction_time,boolean_value,group_kind\n7,2020-01-02T00:00:00,1,pair\n7,2020-01-04T00:00:00,0,\n8,2020-01-04T00:00:00,0,\n")
	s := &Tables{Folder: dir}
	cases, left, err := s.Cases()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 2 || left["predictions without an event before them"] != 1 || len(s.Hash()) != 64 {
		t.Fatalf("%d cases, left %v", len(cases), left)
	}
	var got []string
	for _, h := range cases[0].Happenings {
		got = append(got, fmt.Sprintf("%s %v", h.Code, h.Days))
	}
	if g, want := strings.Join(got, ", "), "GENDER//F 1, A 1, B 0"; g != want {
		t.Errorf("known: %s, want %s", g, want)
	}
	if cases[0].Age < 29.9 || cases[0].Age > 30.1 || cases[0].Groups["kind"] != "pair" || cases[0].Groups["sex"] != "female" || !cases[0].Positive {
		t.Errorf("case %+v", cases[0])
	}
	if len(cases[1].Happenings) != 4 || cases[1].Days != 2 {
		t.Errorf("second prediction: %d events, %v days", len(cases[1].Happenings), cases[1].Days)
	}
}

// A forecast has values to tell, whatever the tokens are called.
func TestForecastTargets(t *testing.T) {
	cases, train, tune, _ := wards(60)
	for _, k := range []Tokens{{}, {Windows: []float64{0, 8}}, {Windows: []float64{0, 8}, Joined: true}, {Windows: []float64{8, 4}, Joined: true}} {
		cfg := quick()
		cfg.Tokens, cfg.Train.Epochs, cfg.Pretrain = k, 1, Pretraining{Kind: "forecast", Epochs: 1}
		loss := 0.0
		if _, err := Fit(context.Background(), cfg, cases, train, tune, func(p Progress) {
			if p.Stage == "pretrain" {
				loss = p.Loss
			}
		}); err != nil || !(loss > 0.1) {
			t.Errorf("%+v: loss %v, %v", k, loss, err)
		}
	}
}

// The real stays, if they are there.
func TestStays(t *testing.T) {
	dir := "../../../shared/data/ehr/physionet2012"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no PhysioNet 2012 beside the project: " + dir)
	}
	if testing.Short() {
		t.Skip("short")
	}
	one := t.TempDir() // a third of them
	for _, name := range []string{"set-c.tar.gz", "Outcomes-c.txt"} {
		from, err := filepath.Abs(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(from, filepath.Join(one, name)); err != nil {
			t.Skip(err)
		}
	}
	cases, left, err := (&Stays{Folder: one}).Cases()
	if err != nil {
		t.Fatal(err)
	}
	deaths := 0
	for i := range cases {
		if cases[i].Positive {
			deaths++
		}
		for _, h := range cases[i].Happenings {
			if strings.Contains(h.Code, "SAPS") || strings.Contains(h.Code, "SOFA") || h.Days < 0 || h.Days > 2 {
				t.Fatalf("stay %d: %+v", cases[i].Patient, h)
			}
		}
	}
	if len(cases) != 3999 || deaths != 585 || left["rows without a parameter"] != 2403 {
		t.Errorf("%d stays, %d deaths, left %v", len(cases), deaths, left)
	}
}

// A stay that is damaged is named with its line.
func TestBadStay(t *testing.T) {
	for want, text := range map[string]string{
		`1.txt:2: invalid: 2 fields, want time, parameter and value`: "Time,Parameter,Value\n00:00,Age\n",
		`1.txt:2: invalid: time: want hh:mm, up to 48:00`:            "Time,Parameter,Value\n49:00,HR,80\n",
		`1.txt:3: invalid: time: want hh:mm, up to 48:00`:            "Time,Parameter,Value\n00:00,HR,80\nx,HR,80\n",
	} {
		c := Case{Groups: map[string]string{}}
		err := c.readStay("1.txt", []byte(text), map[string]int{})
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

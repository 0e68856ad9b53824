package ehr

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"heed/data"
	"heed/format/meds"
)

// A plant puts a leak into data that have none.
type plant struct {
	event   func(rng *rand.Rand, id int64, positive bool, at int64) []meds.Event // more events of a patient
	twice   bool                                                                 // some patients are copies of others
	options AuditOptions
	split   func(id int64, split string) string
	when    func(positive bool, at int64) int64
}

// planted makes 400 patients whose labels are drawn apart from all events but for what
// p puts in.
func planted(t *testing.T, p plant) *AuditResult {
	t.Helper()
	rng := rand.New(rand.NewPCG(8, 9))
	var events []meds.Event
	var labels []meds.Label
	splits := map[int64]string{}
	for id := range int64(400) {
		positive := rng.IntN(3) == 0
		at := int64(40*365)*meds.Day + int64(rng.IntN(24*60))*meds.Minute + int64(rng.IntN(300))*meds.Day + 13*meds.Second
		if p.when != nil {
			at = p.when(positive, at)
		}
		mine := []meds.Event{ev(id, math.Inf(-1), []string{"SEX//F", "SEX//M"}[rng.IntN(2)])}
		mine = append(mine, meds.Event{Subject: id, Time: at - int64(20+rng.IntN(60))*365*meds.Day, Code: meds.Birth, Value: float32(math.NaN()), Available: meds.Static})
		for range 30 + rng.IntN(20) {
			e := ev(id, 0, fmt.Sprint("LAB//", rng.IntN(20)), math.Round(rng.NormFloat64()*100))
			e.Time = at - int64(rng.IntN(60*24*60))*meds.Minute - 7*meds.Second
			if rng.IntN(4) == 0 {
				e.Time = at + int64(rng.IntN(60*24*60))*meds.Minute + 7*meds.Second
			}
			mine = append(mine, e)
		}
		if p.event != nil {
			mine = append(mine, p.event(rng, id, positive, at)...)
		}
		splits[id] = splitByHash(1, Shares{0.6, 0.1})(id)
		if p.twice && id < 20 {
			copied := append([]meds.Event(nil), mine...)
			for i := range copied {
				copied[i].Subject = id + 1000
			}
			splits[id], splits[id+1000] = meds.Train, meds.HeldOut
			events = append(events, copied...)
		}
		events = append(events, mine...)
		labels = append(labels, meds.Label{Subject: id, Time: at, Value: positive})
	}
	d, err := meds.OpenDataset(save(t, events, splits))
	if err != nil {
		t.Fatal(err)
	}
	p.options.Resamples = 20
	r, err := Audit(context.Background(), d, labels, p.options)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func one(id int64, time int64, code string) []meds.Event {
	return []meds.Event{{Subject: id, Time: time, Code: code, Value: float32(math.NaN()), Available: meds.Static}}
}

// Data without a leak pass all checks but those that nobody can answer for them.
func TestAuditOfHonestData(t *testing.T) {
	r := planted(t, plant{options: AuditOptions{FittedOn: []string{meds.Train}, SelectedOn: []string{meds.Tuning}}})
	if len(r.Checks) != 17 {
		t.Errorf("%d checks, want 15 and 2", len(r.Checks))
	}
	for _, c := range r.Checks {
		want := Pass
		if c.Number == 4 { // no times of availability
			want = Warn
		}
		if c.Verdict != want {
			t.Errorf("%d %s: %s: %s", c.Number, c.Name, c.Verdict, c.Evidence)
		}
	}
	for _, p := range r.Probes {
		if !(p.AUROC.Low < 0.55 && p.AUROC.High > 0.45) {
			t.Errorf("%s: AUROC %s on labels without cause", p.Name, p.text())
		}
	}
}

// Each planted leak is found by its own check.
func TestAuditFindsPlantedLeaks(t *testing.T) {
	birth := int64(meds.Day)
	for _, test := range []struct {
		number  int
		verdict string
		p       plant
	}{
		{3, Fail, plant{event: func(_ *rand.Rand, id int64, _ bool, at int64) []meds.Event {
			return append(one(id, at-2*meds.Day, "HOSPITAL_ADMISSION//X"), one(id, at-2*meds.Day, "DIAGNOSIS//ICD9CM//1")...)
		}}},
		{4, Warn, plant{event: func(_ *rand.Rand, id int64, _ bool, at int64) []meds.Event {
			e := one(id, at-meds.Hour, "LAB//late")
			e[0].Available = at + meds.Hour
			return e
		}}},
		{5, Fail, plant{event: func(_ *rand.Rand, id int64, positive bool, at int64) []meds.Event {
			if !positive {
				return nil
			}
			return one(id, at, "LAB//result")
		}}},
		{6, Warn, plant{event: func(_ *rand.Rand, id int64, _ bool, at int64) []meds.Event {
			return append(one(id, at/birth*birth, "DRUG//A"), one(id, at/birth*birth, "DRUG//B")...)
		}}},
		{7, Fail, plant{event: func(_ *rand.Rand, id int64, _ bool, _ int64) []meds.Event {
			return one(id, meds.Static, "DISCHARGE_LOCATION//HOME")
		}}},
		{8, Fail, plant{options: AuditOptions{FittedOn: []string{meds.Train, meds.HeldOut}}}},
		{9, Warn, plant{event: func(_ *rand.Rand, id int64, positive bool, at int64) []meds.Event {
			if positive {
				return nil
			}
			return one(id, at+300*meds.Day, "LAB//1")
		}}},
		{10, Warn, plant{when: func(positive bool, at int64) int64 {
			if positive {
				return at/birth*birth + 3*meds.Hour
			}
			return at
		}}},
		{11, Warn, plant{event: func(_ *rand.Rand, id int64, _ bool, at int64) []meds.Event {
			return one(id, at-meds.Hour, "ORDER//Comfort care only")
		}}},
		{12, Warn, plant{event: func(_ *rand.Rand, id int64, _ bool, _ int64) []meds.Event { return one(id, meds.Static, "SITE//A") }}},
		{13, Fail, plant{options: AuditOptions{SelectedOn: []string{meds.HeldOut}}}},
		{14, Warn, plant{when: func(positive bool, at int64) int64 {
			if positive {
				return at + 400*meds.Day
			}
			return at
		}}},
		{15, Fail, plant{twice: true}},
		{16, Fail, plant{event: func(_ *rand.Rand, id int64, positive bool, at int64) []meds.Event {
			if !positive {
				return nil
			}
			return one(id, at-meds.Hour, "LAB//lactate of the dying")
		}}},
		{17, Warn, plant{event: func(_ *rand.Rand, id int64, positive bool, at int64) []meds.Event {
			var e []meds.Event
			for range 3 {
				if positive {
					e = append(e, one(id, at-meds.Hour, "LAB//1")...)
				}
			}
			return append(e, one(id, at-meds.Hour*30, "LAB//2")...)
		}}},
	} {
		r := planted(t, test.p)
		if c := r.Checks[test.number-1]; c.Verdict != test.verdict {
			t.Errorf("%d %s: %s, want %s: %s", c.Number, c.Name, c.Verdict, test.verdict, c.Evidence)
		}
		if page, err := r.page("v").HTML(); err != nil || !strings.Contains(string(page), "Not a medical device") {
			t.Errorf("page: %v", err)
		}
	}
}

func TestAuditSplits(t *testing.T) {
	dir := save(t, []meds.Event{ev(1, 1, "A"), ev(2, 1, "A")}, map[int64]string{1: meds.Train})
	d, err := meds.OpenDataset(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Audit(context.Background(), d, []meds.Label{{Subject: 1, Time: meds.Day}, {Subject: 1, Time: 2 * meds.Day, Value: true}, {Subject: 2, Time: meds.Day}}, AuditOptions{Resamples: 10})
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Checks[0]; c.Verdict != Warn || c.Evidence != "<11 subjects with labels have no split" {
		t.Errorf("got %+v", c)
	}
	if c := r.Checks[1]; c.Verdict != Warn || !strings.HasPrefix(c.Evidence, "<11 of 2 subjects") {
		t.Errorf("got %+v", c)
	}
	if _, err := Audit(context.Background(), d, []meds.Label{{Subject: 9, Time: 5}}, AuditOptions{}); err == nil || err.Error() != "1 of 1 subjects with labels have no events in the store" {
		t.Errorf("got %v", err)
	}
}

// Newton's method finds the coefficients of data that were made with them.
func TestRidge(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var x [][]float64
	var y []bool
	for range 20000 {
		a, b := rng.NormFloat64()*2+5, rng.NormFloat64()
		x = append(x, []float64{a, b, 1})
		y = append(y, rng.Float64() < 1/(1+math.Exp(-(0.5*(a-5)-b+0.3))))
	}
	r := fitRidge(x, y, 1)
	if got := r.w[0] / r.scale[0]; math.Abs(got-0.5) > 0.03 {
		t.Errorf("slope %v, want 0.5", got)
	}
	if got := r.w[1] / r.scale[1]; math.Abs(got+1) > 0.05 {
		t.Errorf("slope %v, want -1", got)
	}
	if math.Abs(r.w[3]-0.3) > 0.1 || r.w[2] != 0 {
		t.Errorf("intercept %v, constant %v", r.w[3], r.w[2])
	}
}

// A static code that few people have may be free text: it counts and is not shown.
func TestRareStaticCodes(t *testing.T) {
	r := planted(t, plant{event: func(_ *rand.Rand, id int64, _ bool, _ int64) []meds.Event {
		switch {
		case id < 3:
			return one(id, meds.Static, "NOTE//discharge to Mrs Smith")
		case id < 50:
			return one(id, meds.Static, "DISCHARGE_LOCATION//HOME")
		}
		return nil
	}})
	c := r.Checks[6]
	if want := "2 static codes that speak of an outcome: DISCHARGE_LOCATION//HOME, (a code of fewer than 11 people)"; c.Verdict != Fail || c.Evidence != want {
		t.Errorf("got  %s: %s\nwant %s", c.Verdict, c.Evidence, want)
	}
}

// With folds every fold is audited, each with its own parts: what only the second
// shows is found, and the probes are scored on every label once.
func TestAuditOfFolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 5))
	var cases []Case
	events := map[int64][]tableEvent{}
	for id := range int64(120) {
		c := Case{Patient: id, Micros: 10000 * meds.Day, Positive: rng.IntN(2) == 0}
		cases = append(cases, c)
		for range 25 {
			at := meds.Clock(c.Micros - int64(rng.IntN(60*24*60))*meds.Minute)
			events[id] = append(events[id], tableEvent{code: fmt.Sprint("LAB//", rng.IntN(20)), value: float32(rng.NormFloat64()), at: at})
		}
		slices.SortFunc(events[id], func(a, b tableEvent) int { return a.at.Compare(b.at) })
	}
	events[1] = events[0] // twins
	fold := func(test func(i int) bool) (p data.Parts) {
		for i := range cases {
			switch {
			case test(i):
				p.Test = append(p.Test, i)
			case i%10 == 9:
				p.Valid = append(p.Valid, i)
			default:
				p.Train = append(p.Train, i)
			}
		}
		return p
	}
	together, apart := fold(func(i int) bool { return i%4 < 2 }), fold(func(i int) bool { return i%2 == 1 })
	for _, x := range []struct {
		parts   []data.Parts
		verdict string
		fold    string
		labels  int
	}{
		{[]data.Parts{together}, Warn, "", 60},
		{[]data.Parts{together, together}, Warn, "", 120},
		{[]data.Parts{together, apart}, Fail, "fold 2: ", 120},
	} {
		r, err := audit(context.Background(), &Tables{events: events}, cases, x.parts, AuditOptions{Resamples: 20})
		if err != nil {
			t.Fatal(err)
		}
		if c := r.Checks[14]; c.Verdict != x.verdict || strings.HasPrefix(c.Evidence, "fold ") != (x.fold != "") || !strings.HasPrefix(c.Evidence, x.fold) {
			t.Errorf("%d folds: %s: %s: %s", len(x.parts), c.Name, c.Verdict, c.Evidence)
		}
		for _, p := range r.Probes {
			if folds := len(x.parts); p.N != x.labels || folds > 1 && len(p.Folds) != folds || folds == 1 && p.Folds != nil {
				t.Errorf("%d folds: %s: %d labels, folds %v", folds, p.Name, p.N, p.Folds)
			}
		}
	}
}

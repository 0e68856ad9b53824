package ehr

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/model/timeline"
)

// tinyJob is a job that takes a second.
func tinyJob() AlertJob {
	j := DefaultAlertJob()
	j.Generation.Patients, j.Tune, j.Test, j.Long, j.MaxBetween = 80, 24, 70, 24, 32
	j.MaxDensity = 0.1
	j.Fit.Model.Dim, j.Fit.Model.Heads, j.Fit.Model.FFN, j.Fit.Model.ValueHidden = 8, 2, 8, 4
	j.Fit.MinCount, j.Fit.Train.Epochs, j.Fit.Train.Seed = 2, 2, 1
	return j
}

// untrained is an alert that has learned nothing but its vocabulary.
func untrained(t testing.TB) (*Fitted, *alertFit) {
	t.Helper()
	j := tinyJob()
	f, err := newAlertFit(&j)
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.model("transformer", 1)
	if err != nil {
		t.Fatal(err)
	}
	return f.finish(m.(alertTransformer).Model), f
}

func eventsOf(c *alertCase) []Event {
	events := make([]Event, len(c.Patient.Events))
	for i, e := range c.Patient.Events {
		events[i] = Event{Code: e.Code, Value: float32(e.Value), Time: e.At.Format(clock), Day: e.At.Sub(c.Patient.Events[0].At).Hours() / 24}
	}
	return events
}

// The floors are as large as the transformer, the table is whole, and the numbers are
// the same on any number of cores.
func TestAlertJob(t *testing.T) {
	var first []AlertRow
	for _, cores := range []int{1, 3} {
		j := tinyJob()
		j.Fit.Train.Cores = cores
		o, err := j.Run(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(o.Rows) != 5 || o.Rows[4].Model != "ceiling" {
			t.Fatalf("%d rows", len(o.Rows))
		}
		for _, r := range o.Rows[1:3] {
			if d := math.Abs(float64(r.Parameters-o.Rows[0].Parameters)) / float64(o.Rows[0].Parameters); d > 0.02 {
				t.Errorf("%s has %d parameters, the transformer %d", r.Model, r.Parameters, o.Rows[0].Parameters)
			}
		}
		if c := o.Rows[4].Scores[0].AUROC; c.Estimate < 0.9 {
			t.Errorf("ceiling %v", c)
		}
		var b bytes.Buffer
		if err := WriteAlertTable(&b, o.Rows); err != nil || !strings.Contains(b.String(), "days 513-730") || !strings.Contains(b.String(), "events 1-32") {
			t.Errorf("table:\n%s %v", &b, err)
		}
		for i := range o.Rows {
			o.Rows[i].Seconds = 0
		}
		if first == nil {
			first = o.Rows
		} else if a, b := fmt.Sprint(first), fmt.Sprint(o.Rows); a != b {
			t.Errorf("scores depend on the number of cores:\n%s\n%s", a, b)
		}
	}
}

func TestAlertJobRefuses(t *testing.T) {
	for want, change := range map[string]func(j *AlertJob){
		"densities 2 to 1: want two factors up to 20, the smaller first":   func(j *AlertJob) { j.MinDensity, j.MaxDensity = 2, 1 },
		"curriculum 2: want a share of the epochs":                         func(j *AlertJob) { j.Curriculum = 2 },
		`model "GRU": want some of transformer, LSTM, GRU-D, bag of codes`: func(j *AlertJob) { j.Models = []string{"GRU"} },
		"no models": func(j *AlertJob) { j.Models = nil },
		"3 patients to tune and 70 and 24 to test on: want 16 or more, and 0 or more": func(j *AlertJob) { j.Tune = 3 },
	} {
		j := tinyJob()
		change(&j)
		if err := j.Validate(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Asked event by event, a model says what it says of the whole, and the evidence adds
// up.
func TestScoreTimeline(t *testing.T) {
	f, fit := untrained(t)
	g := fit.job.Generation
	c := alertCase{Case: g.Case(3, 0.05, 0.05)}
	events := eventsOf(&c)
	f.Threshold = 0 // an alert at once
	s, err := f.ScoreTimeline("x", events)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 7, len(events)} {
		q := f.eventsUntil(events, n)
		want := f.probabilities(f.logits([]timeline.Sequence{q}))[0]
		got := -1.0
		for _, r := range s.Scores {
			if r.Day == events[n-1].Day {
				got = r.Probability
			}
		}
		if n < len(events) && events[n].Day == events[n-1].Day {
			continue // the score is that after the last event of its time
		}
		if math.Abs(got-want) > 1e-5 {
			t.Errorf("after %d events: %v event by event, %v of the whole", n, got, want)
		}
	}
	if len(s.Alerts) != 1 || s.Alerts[0].Day != 0 {
		t.Fatalf("alerts %+v", s.Alerts)
	}
	a := &Alert{Probability: s.Scores[len(s.Scores)-1].Probability, event: len(events) - 1, until: len(events)}
	if err := f.Evidence(context.Background(), s, a, 4); err != nil {
		t.Fatal(err)
	}
	all := f.eventsUntil(events, len(events))
	gone := map[int]bool{}
	sum := 0.0
	for _, e := range a.Evidence {
		gone[e.event] = true
		sum += e.Shapley
	}
	none := without(&all, 1, func(i int) bool { return gone[i] })
	z := f.logits([]timeline.Sequence{all, none})
	if math.Abs(sum-(z[0]-z[1])) > 1e-4 {
		t.Errorf("Shapley values add up to %v, the evidence brings %v", sum, z[0]-z[1])
	}
	first := without(&all, 1, func(i int) bool { return i == a.Evidence[0].event })
	if p := f.probabilities(f.logits([]timeline.Sequence{first}))[0]; math.Abs(p-a.Evidence[0].Without) > 1e-5 {
		t.Errorf("probability without the first %v, want %v", a.Evidence[0].Without, p)
	}
	x := &AlertRun{}
	x.add(s)
	if _, err := x.page(1, "test").HTML(); err != nil {
		t.Error(err)
	}
}

// Heads that see nothing, and a head that sees the near alone.
func TestBlindness(t *testing.T) {
	v := autograd.Input([]float32{1, 0, 0.5, 0.5, 1, 0, 0.25, 0.75}, 1, 2, 2, 2)
	far := blindness{0, 1, func(lag float32) bool { return lag > 30 }}
	far.write(v, []float32{40, 0})
	if want := []float32{1, 0, 0.5, 0.5, 1, 0, 0, 1}; !slices.Equal(v.Data, want) {
		t.Errorf("weights %v, want %v", v.Data, want)
	}
	all := blindness{0, -1, func(float32) bool { return true }}
	all.write(v, []float32{40, 0})
	if slices.Max(v.Data) != 0 {
		t.Errorf("weights %v, want none", v.Data)
	}
}

// What heads carry is finite and the variants of a patient are what they should be.
func TestAlertHeads(t *testing.T) {
	f, fit := untrained(t)
	g := fit.job.Generation
	g.MinGap, g.MaxGap = 40, 730
	o, err := f.Heads(context.Background(), g, 0.05, 2, 20)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Heads) != 6 || len(o.Rows) != 4 || len(o.And) != 8 {
		t.Errorf("%d heads, %d rows, %d shares", len(o.Heads), len(o.Rows), len(o.And))
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	h := &headStudy{f: f, m: f.Members[0]}
	c := alertCase{Case: g.Case(1, 0.05, 0.05)}
	both, other, normal := h.variant(&c, true, true), h.variant(&c, false, true), h.variant(&c, true, false)
	for i := range both.Codes {
		if (both.Codes[i] != other.Codes[i]) != (i == c.Patient.Drug) {
			t.Errorf("another drug changes the code of event %d", i)
		}
		if a, b := both.Values[i], normal.Values[i]; (a != b && a == a) != (i == c.Patient.Lab) {
			t.Errorf("a normal value changes that of event %d from %v to %v", i, a, b)
		}
	}
}

// A model that sees the future, or counts from the prediction, is refused.
func TestAlertRefusesModels(t *testing.T) {
	f, _ := untrained(t)
	f.Members[0].Config.Causal = false
	if _, err := f.newPatient(); err == nil || err.Error() != "timeline: a stream needs a causal model: here every event changes all others" {
		t.Errorf("error %v", err)
	}
	f.Config.Tokens.Windows = []float64{0}
	if _, err := f.newPatient(); err == nil || !strings.HasPrefix(err.Error(), "the model sums up windows of time") {
		t.Errorf("error %v", err)
	}
}

func testStream(t testing.TB) *Stream {
	f, _ := untrained(t)
	return &Stream{f: f, names: &Pseudonymizer{[]byte("a key of the test")}, safe: true, maxPatients: 2, patients: map[string]*watched{}}
}

// Answers come one for each line, under pseudonyms, and patients do not mix.
func TestStream(t *testing.T) {
	s := testStream(t)
	line := func(id, at, code, value string) string {
		return fmt.Sprintf("{\"subject_id\":%s,\"time\":\"%s\",\"code\":\"%s\"%s}\n", id, at, code, value)
	}
	in := line("7", "2020-01-01T00:00:00", "RX//CLASS-1", "") +
		line(`"b"`, "2019-01-01T00:00:00", "DX//COMMON-1", `,"numeric_value":null`) +
		line("7", "2021-05-27T00:00:00", "LAB//ANALYTE-4//g/dL", `,"numeric_value":160`)
	var out bytes.Buffer
	if err := s.Run(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(&out)
	var answers []StreamAnswer
	for d.More() {
		var a StreamAnswer
		if err := d.Decode(&a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != 3 || answers[2].Events != 2 || answers[0].Subject != answers[2].Subject || answers[0].Subject == answers[1].Subject || len(answers[0].Subject) != 16 {
		t.Fatalf("answers %+v", answers)
	}
	events := []Event{{Code: "RX//CLASS-1", Value: float32(math.NaN())}, {Code: "LAB//ANALYTE-4//g/dL", Value: 160, Day: 512}}
	q := s.f.eventsUntil(events, 2)
	if p := s.f.probabilities(s.f.logits([]timeline.Sequence{q}))[0]; math.Abs(p-answers[2].Probability) > 1e-5 {
		t.Errorf("probability %v, that of the whole is %v", answers[2].Probability, p)
	}
	// A third patient takes the place of the one seen longest ago, which is b.
	if err := s.Run(strings.NewReader(line("9", "2020-01-01T00:00:00", "RX//CLASS-1", "")), &out); err != nil {
		t.Fatal(err)
	}
	if s.patients["b"] != nil || s.patients["7"] == nil || len(s.patients) != 2 {
		t.Errorf("patients %v", len(s.patients))
	}
}

// Errors name the line, and nothing of a patient.
func TestStreamRefuses(t *testing.T) {
	good := `{"subject_id":4711,"time":"2020-01-02T00:00:00","code":"X"}` + "\n"
	for in, want := range map[string]string{
		"x\n": "standard input:1: invalid: no JSON object with subject_id, time, code and perhaps numeric_value",
		good + `{"subject_id":4711,"time":"2020-01-01T00:00:00","code":"X"}`:                "standard input:2: invalid: the event is earlier than the one before it of the same subject",
		`{"time":"2020-01-02T00:00:00","code":"X"}`:                                         "standard input:1: invalid: no subject_id",
		`{"subject_id":null,"time":"2020-01-02T00:00:00","code":"X"}`:                       "standard input:1: invalid: no subject_id",
		`{"subject_id":4711,"time":"2020-01-02T00:00:00"}`:                                  "standard input:1: invalid: no code",
		`{"subject_id":4711,"time":"2020-01-02T00:00:00Z","code":"X"}`:                      "standard input:1: invalid: the time has a zone: want 2006-01-02T15:04:05, all of one clock",
		`{"subject_id":4711,"time":"2020-01-02T00:00:00","code":"X","numeric_value":1e300}`: "standard input:1: invalid: numeric_value is beyond 32-bit numbers",
		`{"subject_id":4711,"time":"4711","code":"X"}`:                                      "standard input:1: invalid: time: want 2006-01-02T15:04:05",
		strings.Repeat("x", longestLine+1):                                                  "standard input:1: a line of more than 65536 bytes: too large",
	} {
		err := testStream(t).Run(strings.NewReader(in), &bytes.Buffer{})
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "4711") {
			t.Errorf("the error holds an identifier: %v", err)
		}
	}
}

func TestCodeMap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "codes.csv")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("code,model_code,scale,offset\nDRUG//*,RX,0,\nDRUG//WARFARIN*,RX//1,,\nINR,LAB//3,0.5,2\n")
	m, err := ReadCodeMap(path)
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{"DRUG//ASPIRIN": "RX NaN", "DRUG//WARFARIN 5 MG": "RX//1 4", "INR": "LAB//3 4", "X": "X 4"} {
		e := Event{Code: from, Value: 4}
		m.apply(&e)
		if got := fmt.Sprint(e.Code, " ", e.Value); got != want {
			t.Errorf("%s becomes %s, want %s", from, got, want)
		}
	}
	for text, want := range map[string]string{
		"code,model_code,scale\nA,B,x\n": `:2: invalid: scale "x" is no number`,
		"code,model_code\nA,B\nA,C\n":    `:3: invalid: code "A" is mapped twice`,
		"code,model_code\n,B\n":          ":2: invalid: no code",
		"code\nA\n":                      `:1: invalid: no column "model_code"`,
	} {
		write(text)
		if _, err := ReadCodeMap(path); err == nil || err.Error() != path+want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Whatever comes in, a stream answers or names a line: it neither panics nor shows
// what stood there.
func FuzzStream(f *testing.F) {
	s := testStream(f)
	f.Add([]byte(`{"subject_id":7,"time":"2020-01-01T00:00:00","code":"RX//CLASS-1","numeric_value":1e300}` + "\n"))
	f.Add([]byte(`{"subject_id":"b","time":"9999-12-31T23:59:59","code":"LAB//ANALYTE-1//g/L","numeric_value":-1}`))
	f.Add([]byte(`{"subject_id":{},"time":"","code":""}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		clear(s.patients)
		var out bytes.Buffer
		err := s.Run(bytes.NewReader(in), &out)
		if err != nil && !strings.HasPrefix(err.Error(), "standard input:") {
			t.Errorf("error %v", err)
		}
	})
}

// One line of a patient with 300 events.
func BenchmarkStreamLine(b *testing.B) {
	s := testStream(b)
	line := []byte(`{"subject_id":7,"time":"2020-01-01T00:00:00","code":"LAB//ANALYTE-1//g/L","numeric_value":42}`)
	for range 300 {
		if _, err := s.answer(line); err != nil {
			b.Fatal(err)
		}
	}
	state := s.patients["7"]
	for b.Loop() {
		if state.events == 600 {
			b.StopTimer()
			clear(s.patients)
			for range 300 {
				s.answer(line)
			}
			state = s.patients["7"]
			b.StartTimer()
		}
		if _, err := s.answer(line); err != nil {
			b.Fatal(err)
		}
	}
}

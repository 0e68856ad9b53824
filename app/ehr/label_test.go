package ehr

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heed/format"
	"heed/format/meds"
)

func ev(subject int64, hours float64, code string, value ...float64) meds.Event {
	e := meds.Event{Subject: subject, Time: int64(hours * float64(meds.Hour)), Code: code, Value: float32(math.NaN()), Available: meds.Static}
	if math.IsInf(hours, -1) {
		e.Time = meds.Static
	}
	if len(value) > 0 {
		e.Value = float32(value[0])
	}
	return e
}

// save writes a data set of one file.
func save(t *testing.T, events []meds.Event, splits map[int64]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"data", "metadata"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	v := meds.NewVocabulary()
	c := &meds.Columns{}
	extra := false
	for i := range events {
		c.Add(&events[i], v.ID(events[i].Code))
		extra = extra || events[i].Available != meds.Static
	}
	c = (&sorter{}).sort(c)
	f, err := os.Create(filepath.Join(dir, "data", "0.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := bufio.NewWriter(f)
	w := meds.NewWriter(b, v, extra, 1)
	for _, end := range []func() error{func() error { return w.Write(c) }, w.Close, b.Flush} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	if splits != nil {
		f, err := os.Create(filepath.Join(dir, "metadata", "subject_splits.parquet"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := meds.WriteSplits(f, splits); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func labelsOf(t *testing.T, task string, events []meds.Event) (string, ExtractStats, error) {
	t.Helper()
	p, err := ParseTask("t.yaml", []byte(task))
	if err != nil {
		t.Fatal(err)
	}
	d, err := meds.OpenDataset(save(t, events, nil))
	if err != nil {
		t.Fatal(err)
	}
	labels, stats, err := extract(context.Background(), d, p)
	var b strings.Builder
	for _, l := range labels {
		fmt.Fprintf(&b, "%d@%v=%v ", l.Subject, float64(l.Time)/float64(meds.Hour), l.Value)
	}
	return b.String(), stats, err
}

func TestMortality(t *testing.T) {
	static := math.Inf(-1)
	got, stats, err := labelsOf(t, builtinTasks()["in_hospital_mortality_48h"], []meds.Event{
		ev(1, static, "SEX//F"), ev(1, 0, "HOSPITAL_ADMISSION//EMERGENCY"), ev(1, 60, "HOSPITAL_DISCHARGE//HOME"), ev(1, 100, "ADMISSION"), ev(1, 149, "MEDS_DEATH"),
		ev(2, 0, "VISIT_START//IMP"), ev(2, 47, "MEDS_DEATH"), // before the prediction
		ev(3, 0, "ADMISSION"), ev(3, 48, "DISCHARGE"), // at the prediction
		ev(4, 0, "ADMISSION"), ev(4, 200, "LAB//K"), // never ends
		ev(5, 0, "VISIT_START//AMB"), ev(5, 90, "MEDS_DEATH"),
	})
	if want := "1@48=false 1@148=true "; err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	if stats.Triggers != 5 || stats.Labels != 2 || stats.Positive != 1 || stats.Subjects != 5 {
		t.Errorf("got %+v", stats)
	}
	if diff := cmp.Diff(map[string]int{"window target: no event end_of_stay after its start": 3}, stats.Left); diff != "" {
		t.Error(diff)
	}
}

func TestReadmission(t *testing.T) {
	got, stats, err := labelsOf(t, builtinTasks()["readmission_30d"], []meds.Event{
		ev(1, 0, "ADMISSION"), ev(1, 10, "DISCHARGE"), ev(1, 10+30*24, "ADMISSION"), ev(1, 800, "DISCHARGE"),
		ev(2, 0, "ADMISSION"), ev(2, 10, "DISCHARGE"), ev(2, 11+30*24, "ADMISSION"),
		ev(3, 0, "ADMISSION"), ev(3, 10, "DISCHARGE"), ev(3, 10, "MEDS_DEATH"),
	})
	if want := "1@10=true 1@800=false 2@10=false "; err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	if stats.Censored != 1 || stats.Left["window input: has death"] != 1 {
		t.Errorf("got %+v", stats)
	}
}

// Ranges, and() of ranges alone, <-, offsets, demographics, bounds as lists.
const rangeTask = `
description: both high at one time
patient_demographics: {woman: {code: {any: [SEX//F, SEX//female]}}}
predicates:
  visit: {code: {regex: "^VISIT//"}}
  high: {value_min: 5, value_min_inclusive: false}
  potassium: {code: K, value_max: 9}
  bad: {expr: "and(high, potassium)"}
  worse: {expr: "or(bad, visit)"}
trigger: {predicate: potassium}
windows:
  before: {start: end <- visit, end: trigger, has: {_ANY_EVENT: [2, null], bad: "(None, 0)"}}
  input: {start: NULL, end: trigger + 30 min, index_timestamp: end}
  target: {start: input.end + 1h, end: start + 1 day, end_inclusive: false, label: bad, has: {visit: "(None, 0)"}}
`

func TestRangesAndWindows(t *testing.T) {
	got, stats, err := labelsOf(t, rangeTask, []meds.Event{
		ev(1, math.Inf(-1), "SEX//F"), ev(1, 0, "VISIT//a"), ev(1, 1, "K", 4), ev(1, 20, "K", 5), ev(1, 26, "K", 7), ev(1, 26.4, "K", 9.5), ev(1, 50.5, "K", 6),
		ev(2, math.Inf(-1), "SEX//M"), ev(2, 0, "VISIT//a"), ev(2, 1, "K", 4),
		ev(3, math.Inf(-1), "SEX//female"), ev(3, 1, "K", 4), ev(3, 2, "VISIT//a"),
	})
	// The trigger at 1 h sees 2.5 h to 26.5 h, in which 26 h is bad; that of 20 h
	// sees 26 h too, which lies in 21.5 h to 45.5 h; those after have a bad one before.
	if want := "1@1.5=true 1@20.5=true "; err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	want := map[string]int{"subject: patient_demographics": 1, "window before: has bad": 2, "window before: no event visit before its end": 1}
	if diff := cmp.Diff(want, stats.Left); diff != "" {
		t.Error(diff)
	}
}

func TestRecordEnds(t *testing.T) {
	got, _, err := labelsOf(t, `
predicates: {a: {code: A}, b: {code: B}}
trigger: _RECORD_START
windows:
  input: {start: NULL, end: trigger, index_timestamp: end}
  rest: {start: trigger, end: start -> _RECORD_END, start_inclusive: false, label: b}
`, []meds.Event{ev(1, 0, "A"), ev(1, 5, "B"), ev(2, 0, "A"), ev(2, 0, "B")})
	if want := "1@0=true 2@0=false "; err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestLabelAfterItsOutcome(t *testing.T) {
	_, _, err := labelsOf(t, `
predicates: {a: {code: A}, b: {code: B}}
trigger: a
windows:
  w: {start: trigger, end: start + 2d, index_timestamp: end, label: b}
`, []meds.Event{ev(1, 0, "A"), ev(1, 5, "B"), ev(2, 0, "A")})
	if want := "a label after its own outcome: for 1 of 1 positive labels the outcome has happened at the time of prediction; let the window of the label begin after it, with start_inclusive: false"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestBadTasks(t *testing.T) {
	const ok = "predicates: {a: {code: A}}\ntrigger: a\n"
	for text, want := range map[string]string{
		"":                              "the file is empty",
		"predicates: [":                 "1:did not find expected node content",
		"predicats: {}":                 "1:no such key: predicats",
		"trigger: a":                    `trigger: no predicate "a"`,
		ok:                              "no windows",
		ok + "windows: {w: {}}":         "no window has a label",
		ok + "windows: {w: {label: b}}": `window w: label: no predicate "b"`,
		ok + "windows: {w: {label: a}}": "no window has an index_timestamp: it says when the prediction is made",
		ok + "windows: {w: {label: a, index_timestamp: middle}}":                      "window w: index_timestamp: want start or end",
		ok + "windows: {w: {label: a}, x: {label: a}}":                                "windows w and x both have a label",
		ok + "windows: {w: {start: end, end: start, label: a, index_timestamp: end}}": "window w: its start is defined by itself",
		ok + "windows: {w: {start: x.end}}":                                           `window w: start: no window "x"`,
		ok + "windows: {w: {start: soon}}":                                            `window w: start: "soon": want trigger, start, end or WINDOW.start, and then nothing, + DURATION, - DURATION, -> PREDICATE or <- PREDICATE`,
		ok + "windows: {w: {end: trigger + 5}}":                                       `window w: end: "5" is no duration, such as 24h or 30 days`,
		ok + "windows: {w: {end: trigger + 5 years}}":                                 `window w: end: "5 years" is no duration: units are s, min, h, d and w`,
		ok + "windows: {w: {end: start -> b}}":                                        `window w: end: no predicate "b"`,
		ok + "windows: {w: {has: {a: \"(2, 1)\"}}}":                                   "3:the minimum is above the maximum",
		ok + "windows: {w: {has: {a: 3}}}":                                            "3:want (min, max), either None",
		ok + "windows: {w: {has: {b: [1, null]}}}":                                    `window w: has: no predicate "b"`,
		"predicates: {a: {expr: b}}\ntrigger: a":                                      "predicate a: want and(a, b, ...) or or(a, b, ...)",
		"predicates: {a: {expr: or(c)}}\ntrigger: a":                                  `predicate a: no predicate "c"`,
		"predicates: {a: {expr: or(a)}}\ntrigger: a":                                  "predicate a is defined by itself",
		"predicates: {a: {}}\ntrigger: a":                                             "predicate a has neither a code, nor a range, nor an expr",
		"predicates: {_x: {code: a}}\ntrigger: a":                                     "predicate _x: names that begin with _ are taken",
		"predicates: {a: {code: b, value_min: 3, value_max: 2}}\ntrigger: a":          "predicate a: value_min is above value_max",
		"predicates: {a: {code: {regex: \"(\"}}}\ntrigger: a":                         "1:error parsing regexp: missing closing ): `(`",
		"predicates: {a: {code: {}}}\ntrigger: a":                                     "1:want a code, {any: [...]} or {regex: ...}",
		"predicates: {a: {code: b, other_cols: {x: y}}}\ntrigger: a":                  "predicate a: other_cols is not supported",
	} {
		_, err := ParseTask("t.yaml", []byte(text))
		if err == nil || !errors.Is(err, format.ErrInvalid) {
			t.Errorf("%q: got %v", text, err)
			continue
		}
		if got := strings.Replace(strings.TrimPrefix(err.Error(), "t.yaml:"), " invalid: ", "", 1); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", text, got, want)
		}
	}
	for name, text := range builtinTasks() {
		if _, err := ParseTask(name, []byte(text)); err != nil {
			t.Error(err)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]int64{"24h": meds.Day, "1 day": meds.Day, "1h 30m": 90 * meds.Minute, "0.5 hours": 30 * meds.Minute, "2w": 14 * meds.Day, "10 secs": 10 * meds.Second} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v", text, got, err)
		}
	}
}

// No text makes the reading of a task panic.
func FuzzTask(f *testing.F) {
	f.Add(rangeTask)
	for _, text := range builtinTasks() {
		f.Add(text)
	}
	f.Add("a: &a [*a, *a]")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := ParseTask("t.yaml", []byte(text))
		var e *format.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%v has no place", err)
		}
	})
}

// Numbers of fewer than 11 people are not told, nor what would tell a single one by
// subtraction from the sum.
func TestLabelSummaryHidesFew(t *testing.T) {
	s := LabelSummary{Splits: map[string]SplitLabels{"train": {70, 90, 23}, "tuning": {12, 14, 0}, "held_out": {10, 11, 5}}}
	s.Subjects, s.Labels, s.Positive, s.Censored = 92, 115, 28, 3
	s.Left = map[string]int{"a": 7, "b": 8, "c": 40}
	s.hide()
	want := map[string]SplitLabels{"train": {70, 90, withheld}, "tuning": {withheld, 14, 0}, "held_out": {fewer, 11, fewer}}
	if !maps.Equal(s.Splits, want) {
		t.Errorf("splits %v, want %v", s.Splits, want)
	}
	if want := map[string]int{"a": fewer, "b": fewer, "c": 40}; !maps.Equal(s.Left, want) || s.Censored != fewer || s.Positive != 28 {
		t.Errorf("left %v, want %v; %d censored, %d positive", s.Left, want, s.Censored, s.Positive)
	}
	if a, b := people(fewer), people(withheld); a != "<11" || b != "withheld" {
		t.Errorf("%s, %s", a, b)
	}
}

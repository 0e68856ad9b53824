package ehr

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What must stand in no output and in no error: names, identifiers, dates and, but in
// the evidence for one patient that somebody asked for, values.
var (
	plantedNames  = regexp.MustCompile(`Zaphod|(^|[^0-9.])7770000\d\d([^0-9]|$)|2031-0|1957-03`)
	plantedValues = regexp.MustCompile(`43\.87`)
)

// heed runs "heed ehr" as the command line does and returns all that it says.
func heed(t *testing.T, stdin string, args ...string) (said string, err error) {
	t.Helper()
	var out bytes.Buffer
	c := Command("test")
	c.SilenceUsage, c.SilenceErrors = true, true
	c.SetArgs(args)
	c.SetIn(strings.NewReader(stdin))
	c.SetOut(&out)
	c.SetErr(&out)
	err = c.Execute()
	if err != nil {
		fmt.Fprintln(&out, err)
	}
	return out.String(), err
}

// leaks says where planted text stands in what a command said and in the files of its
// folder.
func leaks(t *testing.T, said, folder string, planted ...*regexp.Regexp) {
	t.Helper()
	look := func(where, text string, planted []*regexp.Regexp) {
		for _, re := range planted {
			if m := re.FindStringIndex(text); m != nil {
				t.Errorf("%s holds what it must not: %q", where, text[max(0, m[0]-80):min(len(text), m[1]+20)])
			}
		}
	}
	look("what was said", said, planted)
	if folder == "" {
		return
	}
	if info, err := os.Stat(folder); err != nil || info.IsDir() && info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v, want 0700", folder, info.Mode(), err)
	}
	if err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		planted := planted
		if filepath.Ext(path) == ".safetensors" { // a model holds quantiles of values
			planted = planted[:1]
		}
		text, err := os.ReadFile(path)
		look(path, string(text), planted)
		return err
	}); err != nil {
		t.Error(err)
	}
}

// hospital writes a table of admissions with planted names, dates and values.
func hospital(t *testing.T, dir string) (table string) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	var b strings.Builder
	b.WriteString("patient,what,at,result,unit,text\n")
	for i := range 80 {
		id := fmt.Sprint(777000000 + i)
		if i%10 == 9 {
			id = fmt.Sprint("Zaphod-", i)
		}
		day := fmt.Sprintf("2031-0%d-%02d", 1+i%9, 1+i%20)
		fmt.Fprintf(&b, "%s,MEDS_BIRTH,1957-03-21,,,\n%s,ADMISSION,%s 08:0%d,,,\n", id, id, day, i%10)
		fmt.Fprintf(&b, "%s,K,%s 09:00,%.4f,mmol/L,\n", id, day, 43.87+0.001*r.Float64())
		fmt.Fprintf(&b, "%s,NOTE,%s 10:00,,,Zaphod %d was here\n", id, day, i)
		fmt.Fprintf(&b, "%s,RX//CLASS-4,%s 10:30,,,\n", id, day)
		out := "DISCHARGE"
		if i%2 == 0 {
			out = "MEDS_DEATH"
		}
		fmt.Fprintf(&b, "%s,%s,%s 11:00,,,\n", id, out, strings.Replace(day, "2031-0", "2032-0", 1))
	}
	b.WriteString("777000001,K,2031-01-99 Zaphod,43.8711,mmol/L,\n777000002,K,2031-01-09,Zaphod,,\n")
	write(t, dir, "map.yaml", "subject: patient\nevents:\n  - {code: \"{what}\", time: at, value: result, unit: unit, text: text}\n")
	write(t, dir, "task.yaml", `predicates:
  admission: {code: ADMISSION}
  out: {code: {any: [DISCHARGE, MEDS_DEATH]}}
  death: {code: MEDS_DEATH}
trigger: admission
windows:
  input: {start: NULL, end: trigger + 48h, index_timestamp: end}
  target: {start: input.end, end: start -> out, start_inclusive: false, label: death}
`)
	return write(t, dir, "admissions.csv", b.String())
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Identifiers, names, dates and values of patients go in, and none comes out of any
// command but from the store itself, as long as --phi-safe is on, which is the default.
func TestNobodyIsNamed(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	table := hospital(t, dir)
	run := func(folder string, planted []*regexp.Regexp, stdin string, args ...string) {
		t.Helper()
		said, err := heed(t, stdin, args...)
		if err != nil {
			t.Fatalf("%v: %s", args, said)
		}
		leaks(t, said, folder, planted...)
	}
	all, names := []*regexp.Regexp{plantedNames, plantedValues}, []*regexp.Regexp{plantedNames}
	small := []string{"--layers=1", "--dim=8", "--heads=2", "--ffn=8", "--epochs=1", "--batch=16"}

	run("", all, "", "import", "csv", table, "--map", at("map.yaml"), "-o", at("store"))
	for _, name := range []string{"import.json", "dataset.json"} {
		text, err := os.ReadFile(filepath.Join(at("store"), "metadata", name))
		if err != nil {
			t.Fatal(err)
		}
		leaks(t, string(text), "", all...)
	}
	run("", all, "", "label", at("store"), at("task.yaml"))
	run(at("audit"), all, "", "audit", at("store"), "task", "-o", at("audit"))
	run(at("run"), all, "", append([]string{"train", at("store"), "--labels", "task", "--folds=2", "--windows=none", "--min-count=5", "-o", at("run")}, small...)...)
	model := at("run/fold-1.safetensors")
	run(at("eval"), all, "", "evaluate", model, at("store"), "--labels", "task", "-o", at("eval"))
	run("", all, "", "predict", model, at("store"), "--labels", "task")
	run(at("p.tsv"), all, "", "predict", model, at("store"), "--labels", "task", "-o", at("p.tsv"))
	run("", names, "", "explain", model, at("store"), "--labels", "task", "--patient=777000003")
	run(at("why"), names, "", "explain", model, at("store"), "--labels", "task", "--patient=777000003", "-o", at("why"))

	run(at("alarm"), all, "", append([]string{"alert", "train", "-o", at("alarm"), "--patients=60", "--tune=24", "--test=0", "--long=0", "--max-density=0.1", "--models=transformer"}, small...)...)
	alarm := at("alarm/model.safetensors")
	run(at("alerts"), names, "", "alert", alarm, at("store"), "--threshold=0.0001", "--top=2", "--timelines=2", "-o", at("alerts"))
	events := `{"subject_id":777000005,"time":"2031-01-01T08:00:00","code":"RX//CLASS-4"}
{"subject_id":"Zaphod","time":"2031-01-02T08:00:00","code":"LAB//ANALYTE-3//g/dL","numeric_value":43.8712}
`
	run(at("log"), all, events, "alert", alarm, "--stream", "--audit", at("log"))

	// What goes wrong is told by its place.
	const header, labels = "subject_id,time,code,numeric_value\n", "subject_id,prediction_time,boolean_value,split\n"
	fine := "777000001,2031-01-01T00:00:00,K,43.87\n"
	for _, x := range []struct{ name, events, labels, want string }{
		{"id", header + "Zaphod,2031-01-01T00:00:00,K,\n", labels, "events.csv:2: invalid: subject_id is no number"},
		{"time", header + "777000001,2031-01-01,K,43.87\n", labels, "events.csv:2: invalid: time: want 2006-01-02T15:04:05, without a zone"},
		{"zone", header + "777000001,2031-01-01T00:00:00Z,K,43.87\n", labels, "events.csv:2: invalid: time: want 2006-01-02T15:04:05, without a zone"},
		{"value", header + "777000001,2031-01-01T00:00:00,K,Zaphod 43.87\n", labels, "events.csv:2: invalid: numeric_value is no number"},
		{"fields", header + "777000001,Zaphod\n", labels, "events.csv:2: invalid: wrong number of fields"},
		{"quote", header + "777000001,\"Zaphod\n", labels, "events.csv:"},
		{"label's id", header + fine, labels + "Zaphod,2031-01-02T00:00:00,1,train\n", "labels.csv:2: invalid: subject_id is no number"},
		{"label's time", header + fine, labels + "777000001,2031-01-02,1,train\n", "labels.csv:2: invalid: prediction_time: want 2006-01-02T15:04:05, without a zone"},
		{"answer", header + fine, labels + "777000001,2031-01-02T00:00:00,Zaphod,train\n", "labels.csv:2: invalid: boolean_value: want true or false"},
		{"part", header + fine, labels + "777000001,2031-01-02T00:00:00,1,Zaphod\n", "labels.csv:2: invalid: split: want train, tuning or held_out"},
		{"two parts", header + fine, labels + "777000001,2031-01-02T00:00:00,1,train\n777000001,2031-01-03T00:00:00,1,held_out\n", "labels.csv:3: invalid: the subject is in two parts, train and held_out"},
	} {
		folder := t.TempDir()
		write(t, folder, "events.csv", x.events)
		write(t, folder, "labels.csv", x.labels)
		for _, args := range [][]string{{"train", folder}, {"predict", model, folder}, {"evaluate", model, folder}, {"explain", model, folder, "--patient=777000001"}} {
			said, err := heed(t, "", args...)
			if err == nil || !strings.Contains(said, x.want) {
				t.Errorf("%s, %s: %s, want %s", x.name, args[0], said, x.want)
			}
			leaks(t, said, "", all...)
		}
	}
	for _, x := range [][2]string{
		{events + "Zaphod", "standard input:3: invalid: "},
		{events + `{"subject_id":777000005,"time":"2030-01-01T08:00:00","code":"K"}`, "standard input:3: invalid: the event is earlier than the one before it of the same subject"},
		{`{"subject_id":777000005,"time":"2031-01-01T08:00:00Z","code":"K","numeric_value":43.87}`, "standard input:1: invalid: the time has a zone"},
		{`{"subject_id":777000005,"time":"2031-01-01 Zaphod","code":"K"}`, "standard input:1: invalid: time: want"},
		{`{"subject_id":777000005,"time":"2031-01-01T08:00:00","code":7770000}`, "standard input:1: invalid: "},
		{`{"subject_id":"Zaphod","time":"2031-01-01T08:00:00","code":"K","numeric_value":"43.87"}`, "standard input:1: invalid: "},
		{`{"subject_id":777000005,"Zaphod":1}`, "standard input:1: invalid: "},
	} {
		said, err := heed(t, x[0], "alert", alarm, "--stream")
		if err == nil || !strings.Contains(said, x[1]) {
			t.Errorf("stream: %s, want %s", said, x[1])
		}
		leaks(t, said, "", all...)
	}
	said, err := heed(t, "", "import", "csv", table, "--map", at("map.yaml"), "-o", at("strict"), "--strict")
	if err == nil {
		t.Error("--strict took a time that cannot be read")
	}
	leaks(t, said, "", all...)

	// With --phi-safe=false names are there: the plants could be found.
	said, err = heed(t, "", "predict", model, at("store"), "--labels", "task", "--phi-safe=false")
	if err != nil || !plantedNames.MatchString(said) {
		t.Errorf("no names with --phi-safe=false: %v", err)
	}
	if i := slices.IndexFunc(strings.Split(said, "\n"), func(l string) bool { return strings.HasPrefix(l, "777000003\t") }); i < 0 {
		t.Error("subject 777000003 was not predicted")
	}
}

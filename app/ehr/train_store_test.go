package ehr

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heed/format"
	"heed/format/meds"
)

// A store gives the cases that its labels ask for: parts by folder, results that were
// not yet available left out, text that is a category as part of the code.
func TestStore(t *testing.T) {
	dir := t.TempDir()
	day := func(d int, h int) int64 { return meds.Time(time.Date(2020, 1, d, h, 0, 0, 0, time.UTC)) }
	write := func(name string, events ...meds.Event) {
		path := filepath.Join(dir, "data", name, "0.parquet")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := format.WriteFile(path, func(w io.Writer) error {
			v := meds.NewVocabulary()
			var c meds.Columns
			for _, e := range events {
				c.Add(&e, v.ID(e.Code))
			}
			m := meds.NewWriter(w, v, true, 1)
			if err := m.Write(&c); err != nil {
				return err
			}
			return m.Close()
		}); err != nil {
			t.Fatal(err)
		}
	}
	nan := float32(math.NaN())
	write("train",
		meds.Event{Subject: 1, Time: meds.Static, Code: "GENDER//F", Value: nan, Available: meds.Static},
		meds.Event{Subject: 1, Time: meds.Static, Code: "Age", Value: 70, Available: meds.Static},
		meds.Event{Subject: 1, Time: meds.Static, Code: "ICUType//3", Value: nan, Available: meds.Static},
		meds.Event{Subject: 1, Time: day(1, 0), Code: "NA", Value: 140, Available: day(1, 0)},
		meds.Event{Subject: 1, Time: day(2, 0), Code: "K", Value: 4, Available: day(4, 0)},
		meds.Event{Subject: 1, Time: day(2, 0), Code: "RHYTHM", Value: nan, Text: "sinus", Available: day(2, 0)},
		meds.Event{Subject: 1, Time: day(9, 0), Code: "NA", Value: 150, Available: day(9, 0)},
		meds.Event{Subject: 3, Time: day(1, 0), Code: "NA", Value: 1, Available: day(1, 0)})
	write("held_out", meds.Event{Subject: 2, Time: day(1, 0), Code: "NA", Value: 138, Available: day(1, 0)})
	labels := filepath.Join(dir, "labels.parquet")
	if err := format.WriteFile(labels, func(w io.Writer) error {
		return meds.WriteLabels(w, []meds.Label{{Subject: 1, Time: day(3, 0), Value: true}, {Subject: 2, Time: day(3, 0)}})
	}); err != nil {
		t.Fatal(err)
	}
	s, err := openSource(dir, labels, nil)
	if err != nil {
		t.Fatal(err)
	}
	cases, _, err := s.Cases()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 2 || cases[0].Split != "train" || cases[1].Split != "held_out" || !cases[0].Positive || cases[1].Positive {
		t.Fatalf("cases %+v", cases)
	}
	var got []string
	for _, h := range cases[0].Happenings {
		got = append(got, fmt.Sprintf("%s %v %v", h.Code, h.Value, h.Days))
	}
	if g, want := strings.Join(got, ", "), "GENDER//F NaN 2, Age 70 2, ICUType//3 NaN 2, NA 140 2, RHYTHM=sinus NaN 1"; g != want {
		t.Errorf("known: %s, want %s", g, want)
	}
	if g := cases[0].Groups; g["sex"] != "female" || g["age"] != "65-79" || g["unit"] != "medical" || cases[0].Age != 70 || len(s.Hash()) != 64 {
		t.Errorf("groups %v, hash %s", cases[0].Groups, s.Hash())
	}
}

// Whatever is in a table, it is read or refused.
func FuzzTables(f *testing.F) {
	f.Add("subject_id,time,code,numeric_value\n1,2020-01-01T00:00:00,A,1\n", "subject_id,prediction_time,boolean_value,split,group_x\n1,2020-01-02T00:00:00,true,train,y\n")
	f.Add("code,numeric_value,time,subject_id\n\"A\n\",,,-1\n", "subject_id,prediction_time,boolean_value\n-1,0001-01-01T00:00:00,0\n")
	f.Fuzz(func(t *testing.T, events, labels string) {
		dir := t.TempDir()
		for name, text := range map[string]string{"events.csv": events, "labels.csv": labels} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cases, _, err := (&Tables{Folder: dir}).Cases()
		if err == nil && len(cases) == 0 {
			t.Error("no cases and no error")
		}
		for i := range cases {
			for _, h := range cases[i].Happenings {
				if !(h.Days >= 0) || math.IsInf(h.Days, 0) {
					t.Fatalf("an event %v days before the prediction", h.Days)
				}
			}
			Tokens{Windows: []float64{0, 8}}.Make(&cases[i])
		}
	})
}

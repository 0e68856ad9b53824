package ehr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

func TestCSVMapping(t *testing.T) {
	src := folder(t, map[string]string{
		"labs.csv": "Patient;test;at;result;units;reported;sex\nA;K;2020-01-01 10:00;4,1;;;f\n3;K;2020-01-01 10:00;4.1;mmol/L;2020-01-01 11:00;f\n3;Na;2020-01-02T00:00Z;?;;;f\n3;;2020-01-02;1;;;\n;K;2020-01-02;1;;;f\n",
		"m.yaml":   csvYAML})
	s, err := openCSV(filepath.Join(src, "labs.csv"), filepath.Join(src, "m.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "s")
	sum, err := importInto(t, s, store, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("3 static SEX//f\n3 2020-01-01T10:00:00 LAB//K//mmol/L =4.1 known 2020-01-01T11:00:00\n3 2020-01-02T00:00:00 LAB//Na\n%d static SEX//f\n%[1]d 2020-01-01T10:00:00 LAB//K 4,1\n", subjectID("A"))
	if diff := cmp.Diff(want, list(t, store)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]Count{noCode: {1, "labs.csv:5"}, noSubject: {1, "labs.csv:6"}}, sum.Tables["labs"].Dropped); diff != "" {
		t.Error(diff)
	}
	im := importer{Source: s, Kind: "csv", Store: filepath.Join(t.TempDir(), "s"), Memory: 1 << 20, Cores: 1, Strict: true}
	if _, err := im.run(context.Background()); err == nil || err.Error() != "labs.csv:5: invalid: no code" {
		t.Errorf("strict: %v", err)
	}
}

func TestBadMappings(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "m.yaml: invalid: the file is empty",
		"subject: p":                            "m.yaml: invalid: no events",
		"events: [{code: x}]":                   "m.yaml: invalid: no subject: want the name of a column",
		"subject: p\nevents: [{}]":              "m.yaml: invalid: event 1 has no code",
		"subject: p\nevents: [{code: \"a{b\"}]": "m.yaml: invalid: event 1: a brace of the code is not closed",
		"subject: p\nevents: [{code: \"a{}\"}]": "m.yaml: invalid: event 1: {} without the name of a column",
		"subject: p\nwhen: x":                   "m.yaml:2: invalid: no such key: when",
	} {
		t.Chdir(folder(t, map[string]string{"m.yaml": text, "x.csv": "a,b\n1,2\n"}))
		if _, err := openCSV("x.csv", "m.yaml"); err == nil || err.Error() != want || !errors.Is(err, format.ErrInvalid) {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
	t.Chdir(folder(t, map[string]string{"m.yaml": csvYAML, "x.csv": "a,b\n1,2\n"}))
	s, err := openCSV("x.csv", "m.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := importInto(t, s, "store", 1<<20); err == nil || err.Error() != `x.csv:1: invalid: no column "patient"` {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat("store"); !errors.Is(err, os.ErrNotExist) {
		t.Error("a store is there")
	}
}

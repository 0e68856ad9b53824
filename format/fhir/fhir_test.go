package fhir

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"heed/format"
)

const bundle = `{"entry":[
 {"fullUrl":"urn:uuid:p1","resource":{"resourceType":"Patient","id":"p1","gender":"female","birthDate":"1950-02","deceasedDateTime":"2020-01-01T10:00:00+01:00"}},
 {"resource":{"resourceType":"Observation","status":"final","subject":{"reference":"Patient/p1"},"code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},
  "effectivePeriod":{"start":"2019-01-01"},"issued":"2019-01-02T00:00:00Z",
  "component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":120,"unit":"mm[Hg]"}}]}},
 {"resource":{"resourceType":"Claim","status":["odd"]}},
 {"resource":{"resourceType":"MedicationRequest","subject":{"reference":"urn:uuid:p1"},"medicationReference":{"reference":"Medication/m"},"authoredOn":"2018"}}],
 "resourceType":"Bundle","type":"transaction"}`

func list(text string) (string, error) {
	var b strings.Builder
	err := Read("p.json", strings.NewReader(text), func(r *Resource, url string, n int) error {
		fmt.Fprintf(&b, "%d %s %s", n, r.Type, strings.Join([]string{url, r.Subject, r.Gender, r.BirthDate, r.DeceasedTime, r.Time, r.Known, r.Medication}, "|"))
		for _, c := range r.Components {
			if len(c.Code.Coding) == 0 || c.Quantity == nil || c.Quantity.Value == nil {
				continue
			}
			fmt.Fprintf(&b, " %s=%v%s", c.Code.Coding[0].Code, *c.Quantity.Value, c.Quantity.Unit)
		}
		b.WriteString("\n")
		return nil
	})
	return b.String(), err
}

func TestRead(t *testing.T) {
	want := `1 Patient urn:uuid:p1||female|1950-02|2020-01-01T10:00:00+01:00|||
2 Observation |Patient/p1||||2019-01-01|2019-01-02T00:00:00Z| 8480-6=120mm[Hg]
3 Claim |||||||
4 MedicationRequest |urn:uuid:p1||||2018||Medication/m
`
	if got, err := list(bundle); err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	lines := `{"resourceType":"Immunization","patient":{"reference":"Patient/7"},"occurrenceDateTime":"2001-02-03","vaccineCode":{"text":"flu"}}
{"id":"x","resourceType":"Procedure","subject":{"reference":"https://s/fhir/Patient/7"},"performedPeriod":{"start":"2002","end":"2003"}}
`
	want = "1 Immunization |Patient/7||||2001-02-03||\n2 Procedure |https://s/fhir/Patient/7||||2002||\n"
	if got, err := list(lines); err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	for ref, want := range map[string]string{"Patient/7": "7", "urn:uuid:a-b": "a-b", "https://s/fhir/Patient/7": "7", "#m": "m", "x": "x"} {
		if got := Local(ref); got != want {
			t.Errorf("%s: got %s", ref, got)
		}
	}
}

func TestReadErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "p.json: invalid: no JSON: the file is empty",
		"[1]":                                   "p.json: offset 1: invalid: want an object of JSON",
		bundle[:200]:                            "p.json: offset 173: invalid: JSON is cut off in resource 2",
		`{"resourceType":"Patient","gender":7}`: "p.json: offset 37: invalid: resource 1 is none of FHIR R4",
		`{"id":"secret"}`:                       "p.json: offset 15: invalid: resource 1 is none of FHIR R4",
		`{"entry":{}}`:                          "p.json: offset 10: invalid: entry of a bundle is no list",
		`{"entry":[{"resource":{"resourceType":"Patient"}}, x]}`: "p.json: offset 50: invalid: no JSON in resource 2",
	} {
		got, err := list(text)
		if err == nil || err.Error() != want || !errors.Is(err, format.ErrInvalid) {
			t.Errorf("%.60q:\ngot  %s%v\nwant %s", text, got, err, want)
		}
	}
	stop := errors.New("stop")
	if err := Read("p.json", strings.NewReader(bundle), func(*Resource, string, int) error { return stop }); err != stop {
		t.Errorf("got %v, want the caller's error", err)
	}
	large := `{"resourceType":"Patient","id":"` + strings.Repeat("x", MaxResource+1) + `"}`
	if _, err := list(large); !errors.Is(err, format.ErrTooLarge) {
		t.Errorf("large: %v", err)
	}
}

// Ten bundles that Synthea made.
func TestSynthea(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/data/ehr/fhir_synthea/*.json.gz")
	if len(files) == 0 {
		t.Skip("no bundles of Synthea in ../shared/data/ehr/fhir_synthea")
	}
	count := map[string]int{}
	for _, file := range files {
		f, err := format.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := Read(file, f, func(r *Resource, _ string, _ int) error {
			count[r.Type]++
			if r.Type != "Patient" && r.Type != "Medication" && r.Type == "Observation" && (r.Subject == "" || r.Time == "") {
				return fmt.Errorf("%s without subject or time", r.Type)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	if count["Patient"] != 10 || count["Observation"] == 0 || count["MedicationRequest"] == 0 {
		t.Errorf("got %v", count)
	}
}

// Whatever the text is, it is read to the end or refused with a place.
func FuzzRead(f *testing.F) {
	f.Add(bundle)
	f.Add(`{"resourceType":"Encounter","class":{"code":"AMB"},"type":[{"text":"x"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		_, err := list(text)
		var e *format.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%v has no place", err)
		}
	})
}

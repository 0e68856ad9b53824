package ehr

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heed/format/meds"
)

// tableOf writes files and returns their folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// list renders a store, one line for each event.
func list(t *testing.T, store string) string {
	t.Helper()
	d, err := meds.OpenDataset(store)
	if err != nil {
		t.Fatal(err)
	}
	v := meds.NewVocabulary()
	lines := map[int64]string{}
	for c, err := range d.Subjects(v) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Len() {
			e := c.Event(i, v)
			at := "static"
			if e.Time != meds.Static {
				at = meds.Clock(e.Time).Format("2006-01-02T15:04:05")
			}
			line := fmt.Sprintf("%d %s %s", e.Subject, at, e.Code)
			if e.Value == e.Value {
				line += fmt.Sprintf(" =%v", e.Value)
			}
			if e.Text != "" {
				line += " " + e.Text
			}
			if e.Available != meds.Static {
				line += " known " + meds.Clock(e.Available).Format("2006-01-02T15:04:05")
			}
			lines[e.Subject] += line + "\n"
		}
	}
	var ids []int64
	for id := range lines {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	out := ""
	for _, id := range ids {
		out += lines[id]
	}
	return out
}

func importInto(t *testing.T, s source, store string, memory int64) (*Summary, error) {
	t.Helper()
	im := importer{Source: s, Kind: "test", Store: store, Memory: memory, Cores: 2, Seed: 1, Shares: Shares{0.6, 0.2}, Version: "v"}
	return im.run(context.Background())
}

func TestOMOP(t *testing.T) {
	src := folder(t, map[string]string{
		"cdm/PERSON.csv":                     "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,birth_datetime,race_concept_id\n-9223372036854775808,8532,1950,2,,,0\n7,0,1960,,,1960-05-06 01:00:00,\nx,0,1960,,,,\n",
		"cdm/measurement/part-0.csv":         "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_datetime,value_as_number,unit_concept_id,unit_source_value,value_as_concept_id\n1,7,3016723,2020-01-02,2020-01-02 03:04:05,1.5,8840,,0\n2,7,3016723,2020-01-03,,,8840,,4181412\n3,,3016723,2020-01-03,,,,,\n4,7,0,2020-01-03,,1,,,\n5,7,3016723,2020-02-30,,1,,,\n",
		"cdm/CONDITION_OCCURRENCE.csv":       "person_id,condition_concept_id,condition_source_concept_id,condition_source_value,condition_start_date\n7,201826,44831230,250.00,2019-12-31\n7,0,0,V1,2019-12-31\n7,1,2,3\n",
		"cdm/visit_occurrence.csv":           "person_id,visit_concept_id,visit_start_date,visit_start_datetime,visit_end_date,visit_end_datetime\n7,9201,2020-01-01,2020-01-01 08:00:00,2020-01-04,2020-01-04 09:00:00\n",
		"cdm/death.csv":                      "person_id,death_date,death_datetime\n7,2021-01-01,\n",
		"cdm/concept.csv":                    "concept_id\tconcept_name\tvocabulary_id\tconcept_code\n3016723\tCreatinine\tLOINC\t2160-0\n8840\tmilligram per deciliter\tUCUM\tmg/dL\n8532\tFEMALE\tGender\tF\n201826\tType 2 diabetes\tSNOMED\t44054006\n44831230\tDiabetes\tICD9CM\t250.00\n9201\tInpatient\tVisit\tIP\n",
		"cdm/__MACOSX/._PERSON.csv":          "junk",
		"cdm/note_of_no_table_that_is_known": "junk",
	})
	s, err := openOMOP(src)
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "s")
	sum, err := importInto(t, s, store, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	x := subjectID("x")
	want := fmt.Sprintf(`-9223372036854775808 static SEX//Gender/F
-9223372036854775808 1950-02-01T00:00:00 MEDS_BIRTH
7 1960-05-06T01:00:00 MEDS_BIRTH
7 2019-12-31T23:59:59 ICD9CM/250.00
7 2019-12-31T23:59:59 CONDITION/V1
7 2020-01-01T08:00:00 VISIT_START//Visit/IP
7 2020-01-02T03:04:05 LOINC/2160-0//mg/dL =1.5
7 2020-01-03T23:59:59 LOINC/2160-0//mg/dL OMOP/4181412
7 2020-01-04T09:00:00 VISIT_END//Visit/IP
7 2021-01-01T23:59:59 MEDS_DEATH
%d 1960-01-01T00:00:00 MEDS_BIRTH
`, x)
	if diff := cmp.Diff(want, list(t, store)); diff != "" {
		t.Error(diff)
	}
	m := sum.Tables["part-0"]
	wantDrops := map[string]Count{noSubject: {1, "cdm/measurement/part-0.csv:4"}, noCode: {1, "cdm/measurement/part-0.csv:5"}, badTime: {1, "cdm/measurement/part-0.csv:6"}}
	if diff := cmp.Diff(wantDrops, m.Dropped); diff != "" || m.Rows != 5 || m.Kept != 2 {
		t.Errorf("%d rows, %d kept: %s", m.Rows, m.Kept, diff)
	}
	if got := sum.Tables["condition_occurrence"].Dropped[badFields]; got.N != 1 {
		t.Errorf("rows of the wrong length: %v", got)
	}
	d, err := meds.OpenDataset(store)
	if err != nil {
		t.Fatal(err)
	}
	codes, err := d.Codes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range codes {
		if c.Code == "LOINC/2160-0//mg/dL" && (c.Description != "Creatinine" || !slices.Equal(c.Parents, []string{"LOINC/2160-0"}) || c.Events != 2) {
			t.Errorf("got %+v", c)
		}
		if c.Code == "ICD9CM/250.00" && !slices.Equal(c.Parents, []string{"SNOMED/44054006"}) {
			t.Errorf("got %+v", c)
		}
	}
}

func TestMIMIC3(t *testing.T) {
	src := folder(t, map[string]string{
		"PATIENTS.csv":      "ROW_ID,SUBJECT_ID,GENDER,DOB,DOD,DOD_HOSP\n1,10,F,2090-01-01 00:00:00,2160-01-03 00:00:00,2160-01-03 00:00:00\n2,11,M,2100-01-01 00:00:00,2161-01-01 00:00:00,\n",
		"ADMISSIONS.csv":    "subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,discharge_location,edregtime,hospital_expire_flag\n10,5,2160-01-01 10:00:00,2160-01-03 11:00:00,2160-01-03 11:00:00,EMERGENCY,DEAD/EXPIRED,,1\n",
		"LABEVENTS.csv":     "subject_id,hadm_id,itemid,charttime,value,valuenum,valueuom,flag\n10,5,51237,2160-01-02 06:00:00,3.1,3.1,,abnormal\n10,5,51237,2160-01-02 07:00:00,ERROR,,,\n",
		"D_LABITEMS.csv":    "itemid,label,loinc_code\n51237,INR(PT),5895-7\n",
		"DIAGNOSES_ICD.csv": "subject_id,hadm_id,icd9_code\n10,5,4280\n10,6,4281\n",
		"PRESCRIPTIONS.csv": "subject_id,hadm_id,startdate,enddate,drug,dose_val_rx,dose_unit_rx\n10,5,2160-01-01 00:00:00,2160-01-02 00:00:00,Warfarin,5,mg\n",
	})
	s, err := openMIMIC3(src)
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "s")
	sum, err := importInto(t, s, store, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := `10 static SEX//F
10 2090-01-01T00:00:00 MEDS_BIRTH
10 2160-01-01T10:00:00 HOSPITAL_ADMISSION//EMERGENCY
10 2160-01-01T23:59:59 DRUG//START//Warfarin//mg =5
10 2160-01-02T06:00:00 LAB//51237 =3.1
10 2160-01-02T06:00:00 LAB_ABNORMAL//51237
10 2160-01-02T07:00:00 LAB//51237 ERROR
10 2160-01-02T23:59:59 DRUG//STOP//Warfarin
10 2160-01-03T11:00:00 HOSPITAL_DISCHARGE//DEAD/EXPIRED
10 2160-01-03T11:00:00 MEDS_DEATH
10 2160-01-03T11:00:00 DIAGNOSIS//ICD9CM//4280
11 static SEX//M
11 2100-01-01T00:00:00 MEDS_BIRTH
11 2161-01-01T23:59:59 MEDS_DEATH
`
	if diff := cmp.Diff(want, list(t, store)); diff != "" {
		t.Error(diff)
	}
	if got := sum.Tables["diagnoses_icd"].Dropped[noTime]; got.N != 1 || got.First != "DIAGNOSES_ICD.csv:3" {
		t.Errorf("a diagnosis of no admission: %+v", got)
	}
	if _, err := openMIMIC3(folder(t, map[string]string{"x.csv": ""})); err == nil || !strings.HasSuffix(err.Error(), "no table PATIENTS: is this a folder of MIMIC-III?") {
		t.Errorf("got %v", err)
	}
}

func TestP12(t *testing.T) {
	src := folder(t, map[string]string{
		"set-a/132539.txt":       "Time,Parameter,Value\n00:00,RecordID,132539\n00:00,Age,54\n00:00,Gender,0\n00:00,Height,-1\n00:07,HR,73\n47:37,,5\n00:07,pH,?\n1:77,HR,1\n",
		"Outcomes-a.txt":         "RecordID,SAPS-I,SOFA,Length_of_stay,Survival,In-hospital_death\n132539,6,1,5,-1,1\n",
		"seft_test_listfile.csv": "stay,y_true\n132539.txt,1\n",
	})
	s, err := openP12(src)
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "s")
	sum, err := importInto(t, s, store, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := "132539 static Age =54\n132539 static Gender//0\n132539 1970-01-01T00:00:00 ICU_ADMISSION\n132539 1970-01-01T00:07:00 HR =73\n"
	if diff := cmp.Diff(want, list(t, store)); diff != "" {
		t.Error(diff)
	}
	at := func(line int) Count { return Count{1, fmt.Sprintf("set-a record 1:%d", line)} }
	if diff := cmp.Diff(map[string]Count{"value missing (-1)": at(5), "no parameter": at(7), "value is not a number": at(8), badTime: at(9)}, sum.Tables["records"].Dropped); diff != "" {
		t.Error(diff)
	}
	labels, err := findLabels(store, p12Labels)
	if diff := cmp.Diff([]meds.Label{{Subject: 132539, Time: 2 * meds.Day, Value: true}}, labels); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if sum.Splits[meds.HeldOut] != 1 {
		t.Errorf("splits %v", sum.Splits)
	}
}

const fhirLines = `{"resourceType":"Patient","id":"42","gender":"male","birthDate":"1970"}
{"resourceType":"Encounter","status":"finished","class":{"code":"IMP"},"subject":{"reference":"Patient/42"},"period":{"start":"2020-01-01T00:30:00+01:00","end":"2020-01-03"}}
{"resourceType":"Observation","status":"final","subject":{"reference":"Patient/42"},"code":{"coding":[{"system":"urn:x","code":"local"},{"system":"http://loinc.org","code":"2160-0","display":"Creatinine"}]},"effectiveDateTime":"2020-01-01T10:00:00Z","issued":"2020-01-01T12:00:00Z","valueQuantity":{"value":1.1,"unit":"mg/dL"}}
{"resourceType":"Observation","status":"entered-in-error","subject":{"reference":"Patient/42"},"code":{"text":"x"},"effectiveDateTime":"2020-01-01T10:00:00Z"}
{"resourceType":"Observation","status":"final","subject":{"reference":"Patient/42"},"code":{"text":"x"},"effectiveDateTime":"2020-01-01T10:00:00"}
{"resourceType":"MedicationRequest","status":"active","subject":{"reference":"Patient/42"},"medicationReference":{"reference":"Medication/m1"},"authoredOn":"2020-01-02T10:00:00Z"}
{"resourceType":"MedicationRequest","status":"active","subject":{"reference":"Patient/42"},"medicationReference":{"reference":"Medication/m2"},"authoredOn":"2020-01-02T10:00:00Z"}
{"resourceType":"Claim"}
`

func TestFHIR(t *testing.T) {
	files := map[string]string{"all.ndjson": fhirLines, "Medication.ndjson": `{"resourceType":"Medication","id":"m1","code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"855332"}]}}`}
	for zone, want := range map[string]string{"": "", "+01:00": "42 2020-01-01T09:00:00 TEXT/x\n"} {
		s, err := openFHIR(folder(t, files), zone)
		if err != nil {
			t.Fatal(err)
		}
		store := filepath.Join(t.TempDir(), "s")
		sum, err := importInto(t, s, store, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		want := "42 static SEX//male\n42 1970-01-01T00:00:00 MEDS_BIRTH\n42 2019-12-31T23:30:00 VISIT_START//IMP\n" + want +
			"42 2020-01-01T10:00:00 LOINC/2160-0//mg/dL =1.1 known 2020-01-01T12:00:00\n42 2020-01-02T10:00:00 RxNorm/855332\n42 2020-01-03T23:59:59 VISIT_END//IMP\n"
		if diff := cmp.Diff(want, list(t, store)); diff != "" {
			t.Error(zone, diff)
		}
		drops := map[string]Count{notMeant: {1, "file 2:4"}, noZone: {1, "file 2:5"}}
		if zone != "" {
			delete(drops, noZone)
		}
		if diff := cmp.Diff(drops, sum.Tables["Observation"].Dropped); diff != "" {
			t.Error(zone, diff)
		}
		if got := sum.Tables["MedicationRequest"].Dropped[noDrug]; got.N != 1 {
			t.Errorf("a medication that is nowhere: %+v", got)
		}
	}
	if _, err := openFHIR(".", "Mars/Base"); err == nil || err.Error() != "--zone Mars/Base: want an offset such as +01:00, UTC, or a zone that this system knows" {
		t.Errorf("got %v", err)
	}
}

const csvYAML = `subject: patient
events:
  - {code: "LAB//{test}", time: at, value: result, unit: units, available: reported}
  - {code: "SEX//{sex}"}
`

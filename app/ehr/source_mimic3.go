package ehr

import (
	"io"
	"strings"

	"heed/format"
)

// MIMIC-III 1.4 (Johnson et al. 2016, doi 10.1038/sdata.2016.35). What was coded after
// the discharge (diagnoses, procedures, DRGs) stands at the discharge, and what says how
// the stay ended (hospital_expire_flag, los) is not imported.

// mimicStay is what other tables need of an admission.
type mimicStay struct{ admitted, discharged string }

func openMIMIC3(src string) (source, error) {
	files, err := inputs(src)
	if err != nil {
		return nil, err
	}
	byTable := map[string]input{}
	for _, f := range files {
		table, kind := tableName(f.name)
		if kind != "csv" && kind != "parquet" {
			continue
		}
		if old, twice := byTable[table]; twice {
			return nil, format.InvalidAt(src, 0, "the table %s is there twice: %s and %s", strings.ToUpper(table), old.name, f.name)
		}
		byTable[table] = f
	}
	for _, need := range []string{"patients", "admissions"} {
		if _, ok := byTable[need]; !ok {
			return nil, format.InvalidAt(src, 0, "no table %s: is this a folder of MIMIC-III?", strings.ToUpper(need))
		}
	}
	stays := map[string]mimicStay{}
	if err := eachOf(byTable["admissions"], func(r *row) {
		stays[r.get("hadm_id")] = mimicStay{r.get("admittime"), r.get("dischtime")}
	}); err != nil {
		return nil, err
	}
	names := map[string]string{} // of items
	loinc := map[string]string{}
	for _, table := range []string{"d_labitems", "d_items"} {
		if in, ok := byTable[table]; ok {
			if err := eachOf(in, func(r *row) {
				names[r.get("itemid")] = r.get("label")
				if c := r.get("loinc_code"); c != "" {
					loinc[r.get("itemid")] = "LOINC/" + c
				}
			}); err != nil {
				return nil, err
			}
		}
	}
	s := &tableSource{}
	tables := mimic3Tables(stays, names, loinc)
	for _, f := range files { // by name
		table, _ := tableName(f.name)
		if m := tables[table]; m != nil && byTable[table].name == f.name {
			s.files, s.mappings = append(s.files, f), append(s.mappings, m)
		}
	}
	return s, nil
}

// eachOf calls see for every row of a table.
func eachOf(in input, see func(*row)) error {
	r, err := in.rowsOf()
	if err != nil {
		return err
	}
	defer r.Close()
	x := &row{columns: map[string]int{}}
	for i, c := range r.Columns() {
		x.columns[c] = i
	}
	for {
		fields, _, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		x.fields = fields
		see(x)
	}
}

// mimic3Tables returns a mapping for each table that gives events.
func mimic3Tables(stays map[string]mimicStay, names, loinc map[string]string) map[string]*mapping {
	item := func(prefix string) func(*row, *emitter) string {
		return func(r *row, e *emitter) string {
			id := r.get("itemid")
			if blank(id) {
				return missing
			}
			code := prefix + id
			if l := loinc[id]; l != "" {
				e.describe(code, names[id], l)
			} else {
				e.describe(code, names[id])
			}
			return code
		}
	}
	abnormal := func(r *row, _ *emitter) string {
		if r.get("flag") == "abnormal" {
			return "LAB_ABNORMAL//" + r.get("itemid")
		}
		return ""
	}
	// coded gives a code that was given after the discharge, and its time.
	coded := func(prefix string, columns ...string) []eventMapping {
		return []eventMapping{{code: prefixed(prefix, columns...), time: []string{"@discharge"}}}
	}
	tables := map[string]*mapping{
		"patients": {subject: "subject_id", need: []string{"gender", "dob"}, events: []eventMapping{
			{code: prefixed("SEX//", "gender")},
			{code: always("MEDS_BIRTH"), time: []string{"dob"}, start: true, date: true},
			// Who died in the hospital has the exact time in ADMISSIONS.
			{code: func(r *row, _ *emitter) string {
				if r.get("dod_hosp") != "" {
					return ""
				}
				return "MEDS_DEATH"
			}, time: []string{"dod"}, date: true, optional: true},
		}},
		"admissions": {subject: "subject_id", need: []string{"admittime", "dischtime"}, events: []eventMapping{
			{code: perhaps("ETHNICITY//", "ethnicity")},
			{code: always("ED_REGISTRATION"), time: []string{"edregtime"}, optional: true},
			{code: prefixed("HOSPITAL_ADMISSION//", "admission_type"), time: []string{"admittime"}},
			{code: perhaps("ADMISSION_LOCATION//", "admission_location"), time: []string{"admittime"}},
			{code: perhaps("INSURANCE//", "insurance"), time: []string{"admittime"}},
			{code: always("ED_OUT"), time: []string{"edouttime"}, optional: true},
			{code: prefixed("HOSPITAL_DISCHARGE//", "discharge_location"), time: []string{"dischtime"}},
			{code: always("MEDS_DEATH"), time: []string{"deathtime"}, optional: true},
		}},
		"icustays": {subject: "subject_id", events: []eventMapping{
			{code: prefixed("ICU_ADMISSION//", "first_careunit"), time: []string{"intime"}},
			{code: prefixed("ICU_DISCHARGE//", "last_careunit"), time: []string{"outtime"}, optional: true},
		}},
		"services": {subject: "subject_id", events: []eventMapping{{code: prefixed("SERVICE//", "curr_service"), time: []string{"transfertime"}}}},
		"transfers": {subject: "subject_id", events: []eventMapping{
			{code: func(r *row, _ *emitter) string {
				if r.get("eventtype") == "discharge" {
					return "TRANSFER//discharge"
				}
				return "TRANSFER//" + r.get("eventtype") + "//" + r.get("curr_careunit")
			}, time: []string{"intime"}},
		}},
		"labevents": {subject: "subject_id", need: []string{"itemid", "charttime"}, events: []eventMapping{
			{code: item("LAB//"), time: []string{"charttime"}, value: []string{"valuenum", "value"}, unit: []string{"valueuom"}},
			{code: abnormal, time: []string{"charttime"}, optional: true},
		}},
		"chartevents": {subject: "subject_id", need: []string{"itemid", "charttime"}, events: []eventMapping{
			{code: item("CHART//"), time: []string{"charttime"}, value: []string{"valuenum", "value"}, unit: []string{"valueuom"}, available: []string{"storetime"}}}},
		"outputevents": {subject: "subject_id", need: []string{"itemid", "charttime"}, events: []eventMapping{
			{code: item("OUTPUT//"), time: []string{"charttime"}, value: []string{"value"}, unit: []string{"valueuom"}, available: []string{"storetime"}}}},
		"inputevents_mv": {subject: "subject_id", need: []string{"itemid", "starttime"}, events: []eventMapping{
			{code: item("INFUSION//"), time: []string{"starttime"}, value: []string{"amount"}, unit: []string{"amountuom"}, available: []string{"storetime"}}}},
		"inputevents_cv": {subject: "subject_id", need: []string{"itemid", "charttime"}, events: []eventMapping{
			{code: item("INFUSION//"), time: []string{"charttime"}, value: []string{"amount"}, unit: []string{"amountuom"}, available: []string{"storetime"}}}},
		"microbiologyevents": {subject: "subject_id", events: []eventMapping{
			{code: prefixed("CULTURE//", "spec_type_desc"), time: []string{"charttime", "chartdate"}, date: true, text: []string{"org_name"}}}},
		"prescriptions": {subject: "subject_id", need: []string{"drug"}, events: []eventMapping{
			{code: prefixed("DRUG//START//", "drug"), time: []string{"startdate"}, date: true, value: []string{"dose_val_rx"}, unit: []string{"dose_unit_rx"}},
			{code: prefixed("DRUG//STOP//", "drug"), time: []string{"enddate"}, date: true, optional: true}}},
		"diagnoses_icd":  {subject: "subject_id", events: coded("DIAGNOSIS//ICD9CM//", "icd9_code")},
		"procedures_icd": {subject: "subject_id", events: coded("PROCEDURE//ICD9PROC//", "icd9_code")},
		"drgcodes":       {subject: "subject_id", events: coded("DRG//", "drg_code")},
	}
	for _, name := range []string{"diagnoses_icd", "procedures_icd", "drgcodes"} {
		tables[name].lookup = func(r *row, column string) string {
			if column == "@discharge" {
				return stays[r.get("hadm_id")].discharged
			}
			return ""
		}
	}
	return tables
}

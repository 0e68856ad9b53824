package ehr

import (
	"iter"
	"strings"

	"heed/format"
	"heed/format/meds"
)

// OMOP CDM 5.3 and 5.4. The code of an event is vocabulary_id/concept_code of the
// source concept where there is one, else of the standard concept, else the text of
// the source. Without the table concept, whose content is licensed and often left out,
// numbers stand for concepts: OMOP/8507.

// An omopSource is a folder of CDM tables; a table may be a folder of pieces.
type omopSource struct {
	tableSource
	concepts []input
	known    map[int64]concept // nil until it is read
}

type concept struct{ code, name string }

// omopTable says where a clinical table has what.
type omopTable struct {
	stem   string   // of concept, source concept and source value columns
	time   []string // of which the first filled counts
	end    []string // of an event of its own
	value  bool     // value_as_number, value_as_string, value_as_concept_id, unit
	start  string   // prefix of the code, and of the code of the end
	finish string
}

var omopTables = map[string]omopTable{
	"visit_occurrence":     {stem: "visit", time: []string{"visit_start_datetime", "visit_start_date"}, end: []string{"visit_end_datetime", "visit_end_date"}, start: "VISIT_START//", finish: "VISIT_END//"},
	"condition_occurrence": {stem: "condition", time: []string{"condition_start_datetime", "condition_start_date"}},
	"drug_exposure":        {stem: "drug", time: []string{"drug_exposure_start_datetime", "drug_exposure_start_date"}},
	"procedure_occurrence": {stem: "procedure", time: []string{"procedure_datetime", "procedure_date"}},
	"device_exposure":      {stem: "device", time: []string{"device_exposure_start_datetime", "device_exposure_start_date"}},
	"measurement":          {stem: "measurement", time: []string{"measurement_datetime", "measurement_date"}, value: true},
	"observation":          {stem: "observation", time: []string{"observation_datetime", "observation_date"}, value: true},
}

func openOMOP(src string) (source, error) {
	files, err := inputs(src)
	if err != nil {
		return nil, err
	}
	s := &omopSource{}
	seen := map[string]bool{}
	for _, f := range files {
		table, kind := tableName(f.name)
		if kind != "csv" && kind != "tsv" && kind != "parquet" {
			continue
		}
		// A folder of pieces gives the name of the table.
		dir := ""
		if i := strings.LastIndexByte(f.name, '/'); i >= 0 {
			dir, _ = tableName(f.name[:i])
		}
		for _, name := range []string{table, dir} {
			if name == "concept" {
				s.concepts = append(s.concepts, f)
				break
			}
			if m := s.mapping(name); m != nil {
				s.files, s.mappings = append(s.files, f), append(s.mappings, m)
				seen[name] = true
				break
			}
		}
	}
	if !seen["person"] {
		return nil, format.InvalidAt(src, 0, "no table person: is this a folder of OMOP CDM?")
	}
	return s, nil
}

func (s *omopSource) events(u int, e *emitter) iter.Seq2[*meds.Columns, error] {
	if s.known == nil {
		s.known = map[int64]concept{}
		for _, in := range s.concepts {
			if err := eachOf(in, func(r *row) {
				if id, ok := wholeNumber(r.get("concept_id")); ok && r.get("concept_code") != "" {
					s.known[id] = concept{r.get("vocabulary_id") + "/" + r.get("concept_code"), r.get("concept_name")}
				}
			}); err != nil {
				return func(yield func(*meds.Columns, error) bool) { yield(nil, err) }
			}
		}
	}
	return s.tableSource.events(u, e)
}

// code returns the code that the columns of a stem give, missing if none does.
func (s *omopSource) code(r *row, e *emitter, stem, prefix string) string {
	standard := ""
	if id, ok := wholeNumber(r.get(stem + "_concept_id")); ok && id != 0 {
		if c, ok := s.known[id]; ok {
			standard = c.code
		}
	}
	fallback := ""
	for _, column := range []string{stem + "_source_concept_id", stem + "_concept_id"} {
		id, ok := wholeNumber(r.get(column))
		if !ok || id == 0 {
			continue
		}
		if c, ok := s.known[id]; ok {
			code := prefix + c.code
			if standard != "" && standard != c.code {
				e.describe(code, c.name, standard)
			} else {
				e.describe(code, c.name)
			}
			return code
		}
		if fallback == "" {
			fallback = "OMOP/" + r.get(column)
		}
	}
	if v := r.get(stem + "_source_value"); !blank(v) {
		fallback = strings.ToUpper(stem) + "/" + v
	}
	if fallback == "" {
		return missing
	}
	return prefix + fallback
}

func wholeNumber(s string) (int64, bool) {
	s = strings.TrimSuffix(s, ".0") // pandas writes columns with nulls so
	if s == "" || len(s) > 20 {
		return 0, false
	}
	var v uint64
	negative := s[0] == '-'
	for i := range len(s) {
		if i == 0 && negative {
			continue
		}
		if s[i] < '0' || s[i] > '9' || v > 1<<63/10 {
			return 0, false
		}
		v = v*10 + uint64(s[i]-'0')
	}
	if negative {
		return -int64(v), len(s) > 1
	}
	return int64(v), true
}

// mapping returns what becomes of a table; nil for those without events.
func (s *omopSource) mapping(table string) *mapping {
	of := func(stem, prefix string) func(*row, *emitter) string {
		return func(r *row, e *emitter) string { return s.code(r, e, stem, prefix) }
	}
	perhapsOf := func(stem, prefix string) func(*row, *emitter) string {
		return func(r *row, e *emitter) string {
			if code := s.code(r, e, stem, prefix); code != missing {
				return code
			}
			return ""
		}
	}
	switch table {
	case "person":
		return &mapping{subject: "person_id", need: []string{"year_of_birth"}, lookup: birthday, events: []eventMapping{
			{code: always(meds.Birth), time: []string{"birth_datetime", "@birth"}, start: true},
			{code: perhapsOf("gender", "SEX//")},
			{code: perhapsOf("race", "RACE//")},
			{code: perhapsOf("ethnicity", "ETHNICITY//")},
		}}
	case "death":
		return &mapping{subject: "person_id", events: []eventMapping{{code: always(meds.Death), time: []string{"death_datetime", "death_date"}}}}
	}
	t, ok := omopTables[table]
	if !ok {
		return nil
	}
	ev := eventMapping{code: of(t.stem, t.start), time: t.time}
	if t.value {
		ev.value = []string{"value_as_number", "value_as_string", "@value", "value_source_value"}
		ev.unit = []string{"unit_source_value", "@unit"}
	}
	if t.stem == "drug" {
		ev.value, ev.unit = []string{"quantity"}, []string{"dose_unit_source_value"}
	}
	m := &mapping{subject: "person_id", need: t.time[1:], events: []eventMapping{ev}, lookup: s.concept}
	if t.end != nil {
		m.events = append(m.events, eventMapping{code: of(t.stem, t.finish), time: t.end, optional: true})
	}
	return m
}

// concept names the concept of a value or of a unit.
func (s *omopSource) concept(r *row, column string) string {
	from := map[string]string{"@value": "value_as_concept_id", "@unit": "unit_concept_id"}[column]
	id, ok := wholeNumber(r.get(from))
	if !ok || id == 0 {
		return ""
	}
	if c, ok := s.known[id]; ok {
		if column == "@unit" {
			_, unit, _ := strings.Cut(c.code, "/") // of UCUM
			return unit
		}
		return c.code
	}
	return "OMOP/" + r.get(from)
}

// birthday makes a date of the parts that are known; unknown ones are the first.
func birthday(r *row, _ string) string {
	pad := func(s, otherwise string) string {
		s = strings.TrimSuffix(s, ".0")
		if s == "" || s == "0" {
			s = otherwise
		}
		if len(s) == 1 {
			s = "0" + s
		}
		return s
	}
	year := strings.TrimSuffix(r.get("year_of_birth"), ".0")
	if year == "" {
		return ""
	}
	return strings.Join([]string{year, pad(r.get("month_of_birth"), "01"), pad(r.get("day_of_birth"), "01")}, "-")
}

package ehr

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"heed/format"
	"heed/format/fhir"
	"heed/format/meds"
	"heed/internal/cli"
)

// A fhirSource is FHIR R4: bundles, bulk exports, folders of either. The names of files
// may be those of patients: messages say their number in the order of names.
type fhirSource struct {
	files []input
	zone  *time.Location // of times without one; nil drops them
	drugs map[string]fhir.Concept
}

func openFHIR(src, zone string) (source, error) {
	s := &fhirSource{drugs: map[string]fhir.Concept{}}
	if zone != "" {
		var err error
		if s.zone, err = parseZone(zone); err != nil {
			return nil, err
		}
	}
	files, err := inputs(src)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if _, kind := tableName(f.name); kind != "json" && kind != "ndjson" && kind != "jsonl" {
			continue
		}
		if len(files) > 1 {
			f.name = fmt.Sprintf("file %d", len(s.files)+1)
		}
		s.files = append(s.files, f)
	}
	if len(s.files) == 0 {
		return nil, format.InvalidAt(src, 0, "no files that end in .json or .ndjson")
	}
	for _, f := range s.files { // bulk exports keep medications apart
		if strings.HasPrefix(strings.ToLower(path.Base(f.path)), "medication.") {
			if err := s.read(f, func(r *fhir.Resource, url string, _ int) error { s.learn(r, url); return nil }); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func parseZone(s string) (*time.Location, error) {
	if t, err := time.Parse("-07:00", s); err == nil {
		return t.Location(), nil
	}
	l, err := time.LoadLocation(s)
	if err != nil || s == "Local" {
		return nil, cli.Usagef("--zone %s: want an offset such as +01:00, UTC, or a zone that this system knows", s)
	}
	return l, nil
}

func (s *fhirSource) units() []unit {
	out := make([]unit, len(s.files))
	for i, f := range s.files {
		out[i] = unit{f.name, f.path}
	}
	return out
}

func (s *fhirSource) passOver(int) error         { return nil }
func (s *fhirSource) split(int64) (string, bool) { return "", false }

func (s *fhirSource) read(f input, see func(*fhir.Resource, string, int) error) error {
	r, err := f.open()
	if err != nil {
		return err
	}
	return errors.Join(fhir.Read(f.name, r, see), r.Close())
}

func (s *fhirSource) learn(r *fhir.Resource, url string) {
	if r.Type == "Medication" {
		s.drugs[r.ID] = r.Code
		if url != "" {
			s.drugs[fhir.Local(url)] = r.Code
		}
	}
}

func (s *fhirSource) events(u int, e *emitter) iter.Seq2[*meds.Columns, error] {
	return func(yield func(*meds.Columns, error) bool) {
		e.cols.Reset()
		more := true
		err := s.read(s.files[u], func(r *fhir.Resource, url string, n int) error {
			if err := s.resource(r, url, n, s.files[u].name, e); err != nil {
				return err
			}
			if e.cols.Len() >= emitEvents {
				more = yield(&e.cols, nil)
				e.cols.Reset()
				if !more {
					return io.EOF
				}
			}
			return nil
		})
		if err != nil && more {
			yield(nil, err)
		} else if more && e.cols.Len() > 0 {
			yield(&e.cols, nil)
		}
	}
}

const (
	noZone   = "time without a zone (--zone says which)"
	noDrug   = "medication is a reference that leads nowhere"
	notMeant = "status entered-in-error or not done"
	noUse    = "resource type is not read"
)

// when reads a time of FHIR into UTC.
func (s *fhirSource) when(text string, start bool) (t int64, dateless bool, reason string) {
	if text == "" {
		return 0, false, noTime
	}
	st, err := format.ParseTime(text)
	if err != nil {
		return 0, false, badTime
	}
	if st.Precision == format.Minute {
		if st.Zone {
			return st.Micros, false, ""
		}
		if s.zone == nil {
			return 0, false, noZone
		}
		c := meds.Clock(st.Micros)
		return meds.Time(time.Date(c.Year(), c.Month(), c.Day(), c.Hour(), c.Minute(), c.Second(), c.Nanosecond(), s.zone)), false, ""
	}
	if start {
		return st.Micros, true, ""
	}
	return st.Micros + meds.Day - meds.Second, true, ""
}

// resource makes events of one resource.
func (s *fhirSource) resource(r *fhir.Resource, url string, n int, file string, e *emitter) error {
	drop := func(reason string) error { return e.tally.drop(r.Type, reason, file, n) }
	note := func(reason string) { e.tally.note(r.Type, reason, file, n) }
	s.learn(r, url)
	blankEvent := meds.Event{Time: meds.Static, Value: float32(math.NaN()), Available: meds.Static}
	if r.Type == "Patient" {
		if r.ID == "" && url == "" {
			return drop(noSubject)
		}
		ev := blankEvent
		ev.Subject = subjectID(fhir.Local(r.ID))
		if r.ID == "" {
			ev.Subject = subjectID(fhir.Local(url))
		}
		return s.patient(r, ev, e, drop, note)
	}
	switch r.Type {
	case "Medication":
		e.tally.keep(r.Type, 0)
		return nil
	case "Encounter", "Condition", "Observation", "MedicationRequest", "MedicationAdministration", "MedicationStatement", "Procedure", "Immunization", "DiagnosticReport":
	default:
		x := e.tally.table("other resources")
		x.Rows++
		count(&x.Dropped, noUse, place(file, n), 1)
		return nil
	}
	switch r.Status {
	case "entered-in-error", "not-done", "cancelled", "refuted", "not-taken":
		return drop(notMeant)
	}
	if r.Subject == "" {
		return drop(noSubject)
	}
	ev := blankEvent
	ev.Subject = subjectID(fhir.Local(r.Subject))
	var date bool
	var reason string
	if ev.Time, date, reason = s.when(r.Time, false); reason != "" {
		return drop(reason)
	}
	if date {
		note(dateOnly)
	}
	if r.Known != "" {
		if t, _, reason := s.when(r.Known, false); reason != "" {
			note(badKnown)
		} else if t > ev.Time {
			ev.Available = t
		}
	}
	return s.clinical(r, ev, e, drop, note)
}

func (s *fhirSource) patient(r *fhir.Resource, ev meds.Event, e *emitter, drop func(string) error, note func(string)) error {
	made := int64(0)
	if r.Gender != "" {
		ev.Code = "SEX//" + r.Gender
		e.add(&ev)
		made++
	}
	for _, x := range []struct{ text, code string }{{r.BirthDate, meds.Birth}, {r.DeceasedTime, meds.Death}} {
		if x.text == "" {
			continue
		}
		t, _, reason := s.when(x.text, x.code == meds.Birth)
		if reason != "" {
			note(reason + " (part of the row)")
			continue
		}
		ev.Time, ev.Code = t, x.code
		e.add(&ev)
		made++
	}
	if r.Deceased && r.DeceasedTime == "" {
		note("death without a time (left out)")
	}
	if made == 0 {
		return drop(noCode)
	}
	e.tally.keep(r.Type, made)
	return nil
}

func (s *fhirSource) clinical(r *fhir.Resource, ev meds.Event, e *emitter, drop func(string) error, note func(string)) error {
	if r.Type == "Encounter" {
		kind := r.Class
		if kind == "" {
			kind, _ = conceptCode(r.Kind)
		}
		if kind == "" {
			return drop(noCode)
		}
		ev.Code = "VISIT_START//" + kind
		e.add(&ev)
		made := int64(1)
		if r.End != "" {
			t, _, reason := s.when(r.End, false)
			if reason != "" {
				note(reason + " (part of the row)")
			} else {
				ev.Time, ev.Code = t, "VISIT_END//"+kind
				e.add(&ev)
				made++
			}
		}
		e.tally.keep(r.Type, made)
		return nil
	}
	concept := r.Code
	if r.Medication != "" && len(concept.Coding) == 0 && concept.Text == "" {
		var ok bool
		if concept, ok = s.drugs[fhir.Local(r.Medication)]; !ok {
			return drop(noDrug)
		}
	}
	code, name := conceptCode(concept)
	if code == "" {
		return drop(noCode)
	}
	if r.Type == "DiagnosticReport" {
		code = "REPORT//" + code
	}
	e.describe(code, name)
	made := int64(0)
	value := func(code, name string, v *fhir.Value) {
		x := ev
		x.Code = code
		setValue(&x, v, e, name, note)
		e.add(&x)
		made++
	}
	if len(r.Components) == 0 || r.Quantity != nil || r.Concept != nil || r.String != nil {
		value(code, name, &r.Value)
	}
	for i := range r.Components {
		c := &r.Components[i]
		code, name := conceptCode(c.Code)
		if code == "" {
			note("component without a code")
			continue
		}
		e.describe(code, name)
		value(code, name, &c.Value)
	}
	if made == 0 {
		return drop(noCode)
	}
	e.tally.keep(r.Type, made)
	return nil
}

// setValue puts a value into an event; the unit ends the code.
func setValue(ev *meds.Event, v *fhir.Value, e *emitter, name string, note func(string)) {
	switch {
	case v.Quantity != nil:
		if v.Quantity.Value == nil || math.Abs(*v.Quantity.Value) > math.MaxFloat32 {
			note(noValue)
			return
		}
		ev.Value = float32(*v.Quantity.Value)
		unit := v.Quantity.Code
		if unit == "" {
			unit = v.Quantity.Unit
		}
		if unit != "" {
			e.describe(ev.Code+"//"+unit, name, ev.Code)
			ev.Code += "//" + unit
		}
	case v.Integer != nil:
		ev.Value = float32(*v.Integer)
	case v.Concept != nil:
		ev.Text, _ = conceptCode(*v.Concept)
	case v.String != nil:
		ev.Text = *v.String
	case v.Boolean != nil:
		ev.Text = strconv.FormatBool(*v.Boolean)
	case v.DateTime != nil:
		ev.Text = *v.DateTime
	case v.Absent != nil:
		note("value absent, with a reason")
	}
}

// systems are short names of systems of codes, as OMOP has them.
var systems = map[string]string{
	"http://loinc.org":                            "LOINC",
	"http://snomed.info/sct":                      "SNOMED",
	"http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
	"http://hl7.org/fhir/sid/icd-10-cm":           "ICD10CM",
	"http://hl7.org/fhir/sid/icd-10":              "ICD10",
	"http://hl7.org/fhir/sid/icd-9-cm":            "ICD9CM",
	"http://hl7.org/fhir/sid/cvx":                 "CVX",
	"http://www.ama-assn.org/go/cpt":              "CPT4",
	"http://hl7.org/fhir/sid/ndc":                 "NDC",
	"http://www.whocc.no/atc":                     "ATC",
}

// conceptCode chooses the coding of a concept: the first of a system that is known,
// else the first of all, else the text.
func conceptCode(c fhir.Concept) (code, name string) {
	best := fhir.Coding{}
	for _, x := range c.Coding {
		if x.Code == "" {
			continue
		}
		if systems[x.System] != "" {
			best = x
			break
		}
		if best.Code == "" {
			best = x
		}
	}
	name = best.Display
	if name == "" {
		name = c.Text
	}
	switch system := systems[best.System]; {
	case best.Code == "" && c.Text == "":
		return "", ""
	case best.Code == "":
		return "TEXT/" + c.Text, c.Text
	case system != "":
		return system + "/" + best.Code, name
	case best.System == "":
		return best.Code, name
	default:
		return fhir.Local(strings.TrimSuffix(best.System, "/")) + "/" + best.Code, name
	}
}

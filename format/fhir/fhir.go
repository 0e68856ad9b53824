// Package fhir reads the resources of FHIR R4 that tell what happened to a patient and
// when: Patient, Encounter, Condition, Observation, MedicationRequest,
// MedicationAdministration, MedicationStatement, Medication, Procedure, Immunization
// and DiagnosticReport. It reads bundles and bulk exports (one resource on a line), one
// resource at a time, so that a file may be of any size.
//
// Bytes flow in, [Resource] structs flow out. Only what is needed of a resource is
// decoded; what is not of the types above arrives with its type alone.
package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"heed/format"
)

// MaxResource is the size in bytes of the largest resource.
const MaxResource = format.MaxRow

// A Coding is a code in a system of codes.
type Coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display"`
}

// A Concept is a thing with codes in any number of systems.
type Concept struct {
	Coding []Coding `json:"coding"`
	Text   string   `json:"text"`
}

// A Reference points at another resource: "Patient/123", "urn:uuid:...", a URL.
type Reference struct {
	Reference string `json:"reference"`
}

// A Period has a start and an end; either may be empty.
type Period struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

// A Quantity is a number with a unit.
type Quantity struct {
	Value *float64 `json:"value"`
	Unit  string   `json:"unit"`
	Code  string   `json:"code"`
}

// Value holds the alternatives of value[x] of an observation or of its components.
type Value struct {
	Quantity *Quantity `json:"valueQuantity"`
	Concept  *Concept  `json:"valueCodeableConcept"`
	String   *string   `json:"valueString"`
	Boolean  *bool     `json:"valueBoolean"`
	Integer  *int64    `json:"valueInteger"`
	DateTime *string   `json:"valueDateTime"`
	Absent   *Concept  `json:"dataAbsentReason"`
}

// A Component is a part of an observation: the systolic pressure, say.
type Component struct {
	Code Concept `json:"code"`
	Value
}

// A Resource holds what is known of any of the types. Fields that a type does not have
// are empty.
type Resource struct {
	Type   string
	ID     string
	Status string

	Subject string // the reference of subject or patient

	// Of Patient.
	Gender       string
	BirthDate    string
	Deceased     bool
	DeceasedTime string

	Class string  // of Encounter: AMB, IMP, EMER, ...
	Kind  Concept // of Encounter: its type
	// Code is the concept of a condition, observation, procedure, medication, vaccine
	// or report.
	Code       Concept
	Medication string // a reference in place of Code

	// Time is when it happened or began, End when it ended, Known when it was recorded
	// or issued.
	Time, End, Known string

	Value
	Components []Component
}

// raw is a resource as it is written.
type raw struct {
	ResourceType string          `json:"resourceType"`
	ID           string          `json:"id"`
	Status       json.RawMessage `json:"status"`
	Subject      *Reference      `json:"subject"`
	Patient      *Reference      `json:"patient"`

	Gender           string `json:"gender"`
	BirthDate        string `json:"birthDate"`
	DeceasedBoolean  bool   `json:"deceasedBoolean"`
	DeceasedDateTime string `json:"deceasedDateTime"`

	Class  json.RawMessage `json:"class"`
	Type   json.RawMessage `json:"type"`
	Code   json.RawMessage `json:"code"`
	Period Period          `json:"period"`

	VaccineCode               Concept    `json:"vaccineCode"`
	MedicationCodeableConcept *Concept   `json:"medicationCodeableConcept"`
	MedicationReference       *Reference `json:"medicationReference"`

	OnsetDateTime      string `json:"onsetDateTime"`
	OnsetPeriod        Period `json:"onsetPeriod"`
	AbatementDateTime  string `json:"abatementDateTime"`
	RecordedDate       string `json:"recordedDate"`
	EffectiveDateTime  string `json:"effectiveDateTime"`
	EffectiveInstant   string `json:"effectiveInstant"`
	EffectivePeriod    Period `json:"effectivePeriod"`
	Issued             string `json:"issued"`
	AuthoredOn         string `json:"authoredOn"`
	DateAsserted       string `json:"dateAsserted"`
	PerformedDateTime  string `json:"performedDateTime"`
	PerformedPeriod    Period `json:"performedPeriod"`
	OccurrenceDateTime string `json:"occurrenceDateTime"`
	Recorded           string `json:"recorded"`

	VerificationStatus Concept     `json:"verificationStatus"`
	Component          []Component `json:"component"`
	Value
}

// Read calls see for every resource of a bundle, of several, or of a bulk export; n
// counts them from 1, and url is what the bundle calls the resource. name stands for
// the file in errors, which say the offset and repeat nothing that the file says. An
// error of see ends the reading.
func Read(name string, r io.Reader, see func(r *Resource, url string, n int) error) error {
	limit := &limited{r: r, left: MaxResource}
	d := &reader{name: name, d: json.NewDecoder(limit), limit: limit, see: see}
	if err := d.all(); err != nil {
		return d.place(err)
	}
	if d.values == 0 {
		return format.InvalidAt(name, 0, "no JSON: the file is empty")
	}
	return nil
}

// A limited reader ends when one resource takes more than MaxResource.
type limited struct {
	r    io.Reader
	left int
}

var errLarge = errors.New("resource too large")

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLarge
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

type reader struct {
	name      string
	d         *json.Decoder
	limit     *limited
	see       func(*Resource, string, int) error
	values, n int
	seeErr    error
}

func (r *reader) place(err error) error {
	var placed *format.Error
	var syntax *json.SyntaxError
	switch {
	case r.seeErr != nil:
		return r.seeErr
	case errors.As(err, &placed):
		return err
	case errors.Is(err, errLarge):
		return format.TooLargeAt(r.name, r.d.InputOffset(), "a resource of more than %d bytes", MaxResource)
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return format.InvalidAt(r.name, r.d.InputOffset(), "JSON is cut off in resource %d", r.n+1)
	case errors.As(err, &syntax):
		return format.InvalidAt(r.name, max(syntax.Offset, r.d.InputOffset()), "no JSON in resource %d", r.n+1)
	}
	return format.InvalidAt(r.name, r.d.InputOffset(), "resource %d is none of FHIR R4", r.n+1)
}

// all reads the values of the file one after the other.
func (r *reader) all() error {
	for {
		r.limit.left = MaxResource
		t, err := r.d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if t != json.Delim('{') {
			return format.InvalidAt(r.name, r.d.InputOffset(), "want an object of JSON")
		}
		r.values++
		if err := r.object(); err != nil {
			return err
		}
	}
}

// object reads a resource or a bundle, whose entries are passed on as they come.
func (r *reader) object() error {
	fields := map[string]json.RawMessage{}
	bundle := false
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if key == "entry" {
			bundle = true
			if err := r.entries(); err != nil {
				return err
			}
			continue
		}
		var v json.RawMessage
		if err := r.d.Decode(&v); err != nil {
			return err
		}
		fields[key] = v
	}
	if _, err := r.d.Token(); err != nil {
		return err
	}
	kind := ""
	json.Unmarshal(fields["resourceType"], &kind)
	if bundle || kind == "Bundle" {
		return nil
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return r.resource(text, "")
}

func (r *reader) entries() error {
	t, err := r.d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		return format.InvalidAt(r.name, r.d.InputOffset(), "entry of a bundle is no list")
	}
	for r.d.More() {
		r.limit.left = MaxResource
		var e struct {
			FullURL  string          `json:"fullUrl"`
			Resource json.RawMessage `json:"resource"`
		}
		if err := r.d.Decode(&e); err != nil {
			return err
		}
		if e.Resource == nil {
			continue
		}
		if err := r.resource(e.Resource, e.FullURL); err != nil {
			return err
		}
	}
	_, err = r.d.Token()
	return err
}

func (r *reader) resource(text []byte, url string) error {
	x, err := decode(text)
	if err != nil {
		return err
	}
	r.n++
	if err := r.see(x, url, r.n); err != nil {
		r.seeErr = err
		return err
	}
	return nil
}

var errType = errors.New("no resourceType")

// decode reads one resource.
func decode(text []byte) (*Resource, error) {
	var kind struct {
		ResourceType string `json:"resourceType"`
	}
	if err := json.Unmarshal(text, &kind); err != nil {
		return nil, err
	}
	if kind.ResourceType == "" {
		return nil, errType
	}
	out := &Resource{Type: kind.ResourceType}
	switch kind.ResourceType {
	case "Patient", "Encounter", "Condition", "Observation", "MedicationRequest", "MedicationAdministration", "MedicationStatement",
		"Medication", "Procedure", "Immunization", "DiagnosticReport":
	default:
		return out, nil
	}
	var x raw
	if err := json.Unmarshal(text, &x); err != nil {
		return nil, err
	}
	out.ID, out.Value, out.Components = x.ID, x.Value, x.Component
	json.Unmarshal(x.Status, &out.Status)
	for _, ref := range []*Reference{x.Subject, x.Patient} {
		if ref != nil && out.Subject == "" {
			out.Subject = ref.Reference
		}
	}
	for _, c := range x.VerificationStatus.Coding { // of conditions, in place of a status
		if c.Code == "entered-in-error" || c.Code == "refuted" {
			out.Status = c.Code
		}
	}
	x.fill(out)
	return out, nil
}

// fill sets what differs between types.
func (x *raw) fill(out *Resource) {
	json.Unmarshal(x.Code, &out.Code)
	switch x.ResourceType {
	case "Patient":
		out.Gender, out.BirthDate, out.Deceased, out.DeceasedTime = x.Gender, x.BirthDate, x.DeceasedBoolean || x.DeceasedDateTime != "", x.DeceasedDateTime
	case "Encounter":
		var class Coding
		json.Unmarshal(x.Class, &class)
		out.Class = class.Code
		var kinds []Concept
		if json.Unmarshal(x.Type, &kinds) == nil && len(kinds) > 0 {
			out.Kind = kinds[0]
		}
		out.Time, out.End = x.Period.Start, x.Period.End
	case "Condition":
		out.Time = first(x.OnsetDateTime, x.OnsetPeriod.Start, x.RecordedDate)
		out.End = first(x.AbatementDateTime, x.OnsetPeriod.End)
		out.Known = x.RecordedDate
	case "Observation", "DiagnosticReport":
		out.Time = first(x.EffectiveDateTime, x.EffectiveInstant, x.EffectivePeriod.Start, x.Issued)
		out.Known = x.Issued
	case "MedicationRequest":
		out.Time = x.AuthoredOn
	case "MedicationAdministration", "MedicationStatement":
		out.Time = first(x.EffectiveDateTime, x.EffectivePeriod.Start, x.DateAsserted)
		out.End = x.EffectivePeriod.End
	case "Procedure":
		out.Time, out.End = first(x.PerformedDateTime, x.PerformedPeriod.Start), x.PerformedPeriod.End
	case "Immunization":
		out.Time, out.Code = first(x.OccurrenceDateTime, x.Recorded), x.VaccineCode
	}
	if x.MedicationCodeableConcept != nil {
		out.Code = *x.MedicationCodeableConcept
	}
	if x.MedicationReference != nil {
		out.Medication = x.MedicationReference.Reference
	}
}

func first(s ...string) string {
	for _, x := range s {
		if x != "" {
			return x
		}
	}
	return ""
}

// Local returns the last part of a reference: 123 of Patient/123, and of the URL of a
// server; the id of urn:uuid:id.
func Local(reference string) string {
	b := []byte(reference)
	if i := bytes.LastIndexAny(b, "/:#"); i >= 0 {
		return reference[i+1:]
	}
	return reference
}

package dicom

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// A Profile says how to de-identify. The key makes pseudonyms and UIDs: with one
// key, objects of one patient, study or series stay together over any number of
// runs, and nobody without it can find out which they were.
type Profile struct {
	Key []byte // 16 bytes or more, secret
	// ShiftDates keeps dates, all of one patient earlier by one number of days from
	// 1 to 3650, and times as they are (option 113107). Otherwise they go.
	ShiftDates bool
}

// An Action is what becomes of an attribute, by the letters of PS3.15, table E.1-1.
type Action byte

// The actions: X removes, Z empties, D puts a value in place that means nothing, U
// replaces a UID, S shifts a date, K keeps.
const (
	Remove  Action = 'X'
	Empty   Action = 'Z'
	Dummy   Action = 'D'
	Replace Action = 'U'
	Shift   Action = 'S'
	Keep    Action = 'K'
)

// A Change says what became of an attribute, and why; never what it was.
type Change struct {
	Tag     Tag
	Keyword string // "" for one that is not of the standard
	Action  Action
	Reason  string
}

// An Identified error means that a file cannot be made safe by its attributes.
type Identified struct{ Reason string }

func (e *Identified) Error() string { return e.Reason }

// Deidentify removes from f what identifies the patient, in place, and returns what
// became of each attribute. It follows the basic profile of PS3.15, annex E, and is
// stricter: text is kept only where a list says so, sequences about people, orders
// and visits go whole, and so do overlays.
//
// Kept text that holds a part of the patient's name or number is removed too.
//
// An object whose pixels or content may say who the patient is, is refused with
// *Identified: text burned in, screen captures, reports, documents.
func Deidentify(f *File, p Profile) ([]Change, error) {
	if len(p.Key) < 16 {
		return nil, fmt.Errorf("dicom: key of %d bytes, want 16 or more", len(p.Key))
	}
	if reason := f.identifying(); reason != "" {
		return nil, &Identified{reason}
	}
	d := deidentifier{Profile: p, seen: make(map[Change]bool)}
	d.patient = f.Text(tagPatientID)
	if d.patient == "" {
		d.patient = f.Text(tagPatientName)
	}
	d.secrets = secrets(f)
	if p.ShiftDates {
		d.days = 1 + int(binary.BigEndian.Uint64(d.mac("days", d.patient))%3650)
	}
	d.dataset(&f.Dataset)
	if e := f.Find(tagPixels); e != nil {
		for i, b := range e.Fragments {
			if clean := scrubbed(b); i > 0 && clean != nil {
				e.Fragments[i] = clean
				d.note(tagPixels, Empty, "comments within the compressed pixels")
			}
		}
	}
	d.stamp(f)
	// The header is written anew; what it held goes.
	for _, e := range f.Meta.Elements {
		if e.Tag.group() == 2 && e.Tag > 0x00020013 {
			d.note(e.Tag, Remove, "header of the file")
		}
	}
	slices.SortFunc(d.changes, func(a, b Change) int { return int(int64(a.Tag) - int64(b.Tag)) })
	return d.changes, nil
}

// Warnings returns what no rule about attributes can see: pixels that may show text
// or a face.
func (f *File) Warnings() []string {
	var out []string
	if f.Text(tagBurnedIn) != "NO" {
		out = append(out, "the file does not say whether text is burned into the pixels: look at them")
	}
	if b := f.Text(tagBodyPart); strings.Contains(b, "HEAD") || strings.Contains(b, "BRAIN") || strings.Contains(b, "FACE") {
		out = append(out, "a head: a face can be drawn from the pixels")
	}
	return out
}

// identifying returns why an object is refused.
func (f *File) identifying() string {
	if f.Text(tagBurnedIn) == "YES" {
		return "text is burned into the pixels, which may name the patient"
	}
	class := f.Text(tagSOPClass)
	for prefix, what := range map[string]string{
		"1.2.840.10008.5.1.4.1.1.7":     "a screen capture (secondary capture), whose pixels may name the patient",
		"1.2.840.10008.5.1.4.1.1.88.":   "a report (structured report), whose text may name the patient",
		"1.2.840.10008.5.1.4.1.1.104.":  "a document, whose text may name the patient",
		"1.2.840.10008.5.1.4.1.1.11.":   "a presentation state, whose annotations may name the patient",
		"1.2.840.10008.5.1.4.1.1.66.":   "registration or segmentation; such objects are not de-identified yet",
		"1.2.840.10008.5.1.4.1.1.481.3": "a structure set; such objects are not de-identified yet",
	} {
		if class == strings.TrimSuffix(prefix, ".") || strings.HasPrefix(class, strings.TrimSuffix(prefix, ".")+".") {
			return what
		}
	}
	if f.Find(tagPixels) == nil {
		return "no pixels: only images are de-identified"
	}
	return ""
}

type deidentifier struct {
	Profile
	patient string
	secrets []string
	days    int
	changes []Change
	seen    map[Change]bool
}

func (d *deidentifier) note(t Tag, a Action, reason string) {
	_, keyword := Lookup(t)
	c := Change{t, keyword, a, reason}
	if !d.seen[c] {
		d.seen[c] = true
		d.changes = append(d.changes, c)
	}
}

func (d *deidentifier) mac(use, text string) []byte {
	h := hmac.New(sha256.New, d.Key)
	h.Write([]byte(use + "\x00" + text))
	return h.Sum(nil)
}

// Pseudonym returns the name that stands for a patient's number.
func (d *deidentifier) pseudonym() string {
	return fmt.Sprintf("HEED-%X", d.mac("patient", d.patient)[:8])
}

// uid returns the UID that stands for another: 2.25 and 128 bits.
func (d *deidentifier) uid(old string) string {
	return "2.25." + new(big.Int).SetBytes(d.mac("uid", old)[:16]).String()
}

func (d *deidentifier) dataset(set *Dataset) {
	kept := set.Elements[:0]
	for _, e := range set.Elements {
		action, reason := d.rule(&e)
		if action == Keep && e.Items == nil && d.leaks(&e) {
			action, reason = Remove, "holds a part of the patient's name or number"
		}
		if e.Tag&0xffff == 0 {
			continue // the length of a group
		}
		if action == Replace && standardUIDs(&e) {
			action, reason = Keep, "UID of the standard"
		}
		if action != Keep || e.Items == nil {
			d.note(e.Tag, action, reason)
		}
		switch action {
		case Remove:
			continue
		case Empty:
			e.Value, e.Items, e.Fragments = nil, nil, nil
		case Dummy:
			e.Value, e.Items = []byte(d.dummy(&e)), nil
		case Replace:
			var out []string
			for _, old := range splitValues(strings.Trim(string(e.Value), " \x00")) {
				if old != "" && !strings.HasPrefix(old, "1.2.840.10008.") {
					old = d.uid(old)
				}
				out = append(out, old)
			}
			e.Value = []byte(strings.Join(out, `\`))
		case Shift:
			v, ok := d.shift(string(e.Value))
			if !ok { // what is no date is no date to keep
				continue
			}
			e.Value = []byte(v)
		case Keep:
			for _, item := range e.Items {
				d.dataset(item)
			}
		}
		kept = append(kept, e)
	}
	set.Elements = kept
}

// standardUIDs says whether all UIDs of a value are those of the standard, which name
// kinds of things.
func standardUIDs(e *Element) bool {
	for _, uid := range splitValues(strings.Trim(string(e.Value), " \x00")) {
		if uid != "" && !strings.HasPrefix(uid, "1.2.840.10008.") {
			return false
		}
	}
	return true
}

func (d *deidentifier) dummy(e *Element) string {
	switch e.Tag {
	case tagPatientName, tagPatientID:
		return d.pseudonym()
	}
	return "REMOVED"
}

// shift moves a date, or a date with a time.
func (d *deidentifier) shift(value string) (string, bool) {
	parts := splitValues(strings.Trim(value, " \x00"))
	for i, p := range parts {
		if p == "" {
			continue
		}
		if len(p) < 8 {
			return "", false
		}
		day, err := time.Parse("20060102", p[:8])
		if err != nil {
			return "", false
		}
		parts[i] = day.AddDate(0, 0, -d.days).Format("20060102") + p[8:]
	}
	return strings.Join(parts, `\`), true
}

// secrets returns the parts of the patient's names and numbers that are long enough
// not to occur by chance.
func secrets(f *File) []string {
	var out []string
	for _, t := range []Tag{tagPatientName, tagPatientID, 0x00101001, 0x00101000, 0x00101005, 0x00101060} {
		for _, part := range strings.FieldsFunc(strings.ToUpper(f.Text(t)), func(r rune) bool { return strings.ContainsRune(`^= \,`, r) }) {
			if len(part) >= 4 {
				out = append(out, part)
			}
		}
	}
	return out
}

// leaks says whether a value that would be kept holds a secret.
func (d *deidentifier) leaks(e *Element) bool {
	if e.Tag == tagPixels {
		return false
	}
	upper := bytes.ToUpper(e.Value)
	for _, s := range d.secrets {
		if bytes.Contains(upper, []byte(s)) {
			return true
		}
	}
	return false
}

// stamp says in the file that and how it was de-identified.
func (d *deidentifier) stamp(f *File) {
	code := func(value, meaning string) *Dataset {
		return &Dataset{order: f.order, Elements: []Element{
			{Tag: 0x00080100, VR: "SH", Value: []byte(value)},
			{Tag: 0x00080102, VR: "SH", Value: []byte("DCM")},
			{Tag: 0x00080104, VR: "LO", Value: []byte(meaning)},
		}}
	}
	codes := []*Dataset{code("113100", "Basic Application Confidentiality Profile")}
	times := "REMOVED"
	if d.ShiftDates {
		codes = append(codes, code("113107", "Retain Longitudinal Temporal Information Modified Dates Option"))
		times = "MODIFIED"
	}
	for _, e := range []Element{
		{Tag: 0x00120062, VR: "CS", Value: []byte("YES")},
		{Tag: 0x00120063, VR: "LO", Value: []byte("heed: PS3.15 basic profile, stricter")},
		{Tag: 0x00120064, VR: "SQ", Items: codes},
		{Tag: 0x00280303, VR: "CS", Value: []byte(times)},
	} {
		f.set(e)
	}
}

// set puts an element in its place.
func (d *Dataset) set(e Element) {
	i, found := slices.BinarySearchFunc(d.Elements, e.Tag, func(x Element, t Tag) int { return int(int64(x.Tag) - int64(t)) })
	if found {
		d.Elements[i] = e
		return
	}
	d.Elements = slices.Insert(d.Elements, i, e)
}

package ehr

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"

	"heed/format"
	"heed/format/meds"
)

// A row is one row of a table with its columns by name.
type row struct {
	columns map[string]int
	fields  []string
	// lookup answers for columns that begin with "@": what another table says.
	lookup func(r *row, column string) string
}

// get returns a field without blanks around it, "" where there is no such column.
func (r *row) get(column string) string {
	if column != "" && column[0] == '@' {
		return r.lookup(r, column)
	}
	i, ok := r.columns[column]
	if !ok || i >= len(r.fields) {
		return ""
	}
	return strings.TrimSpace(r.fields[i])
}

func (r *row) has(column string) bool { _, ok := r.columns[column]; return ok }

// first returns the first of several fields that is not empty.
func (r *row) first(columns ...string) string {
	for _, c := range columns {
		if v := r.get(c); v != "" {
			return v
		}
	}
	return ""
}

// A mapping says how the rows of one table become events. All of the import formats
// that are tables are made of mappings: OMOP, MIMIC-III and CSV files of users.
type mapping struct {
	subject string // column
	need    []string
	events  []eventMapping
	lookup  func(r *row, column string) string
}

// An eventMapping makes one event of a row.
type eventMapping struct {
	// code returns the code; "" means that this row has no such event, which is no
	// loss, and missing that it should have one.
	code func(r *row, e *emitter) string
	// time holds columns of which the first that is filled counts. Without any the
	// event is static.
	time      []string
	start     bool // a date without a time means the start of the day, not its end
	date      bool // times of 00:00:00 are dates
	value     []string
	unit      []string // of which the first that is filled ends the code
	text      []string
	available []string
	optional  bool // no time means no event, and not a row to be dropped
}

// missing is a code that could not be found.
const missing = "\x00"

// blank says whether a field means that there is no value.
func blank(s string) bool {
	switch s {
	case "", "?", "NA", "N/A", "NULL", "null", "None", "NaN", "nan", "\\N", ".":
		return true
	}
	return false
}

// subjectID reads a signed 64-bit number, or makes one of any other identifier.
func subjectID(s string) int64 {
	if id, err := strconv.ParseInt(s, 10, 64); err == nil {
		return id
	}
	h := sha256.Sum256([]byte("subject\x00" + s))
	return int64(binary.LittleEndian.Uint64(h[:]) >> 1)
}

// number reads a value; ok is false for what is no number or none that float32 holds.
func number(s string) (float32, bool) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(x) || math.Abs(x) > math.MaxFloat32 {
		return 0, false
	}
	return float32(x), true
}

// eventTime reads the time of an event. A date stands for the last second of its day,
// because what happened then was not known before; a birth is at the start.
func eventTime(s string, start, date bool) (t int64, dateOnly bool, err error) {
	st, err := format.ParseTime(s)
	if err != nil {
		return 0, false, err
	}
	t = st.Micros
	if st.Precision == format.Minute && !(date && t%meds.Day == 0) {
		return t, false, nil
	}
	if !start {
		t += meds.Day - meds.Second
	}
	return t, true, nil
}

// Reasons for which rows are dropped, or kept with something missing.
const (
	noSubject   = "no subject"
	noCode      = "no code"
	noTime      = "no time"
	badTime     = "time cannot be read"
	badFields   = "wrong number of fields"
	noValue     = "value missing (?, NA, empty)"
	textValue   = "value is not a number (kept as text)"
	dateOnly    = "date without a time (placed at the end of the day)"
	badKnown    = "time of availability cannot be read (left out)"
	neverStored = "identifier is no number (hashed)"
)

// tableEvents yields the events of one table.
func tableEvents(in input, m *mapping, e *emitter) iter.Seq2[*meds.Columns, error] {
	return func(yield func(*meds.Columns, error) bool) {
		r, err := in.rowsOf()
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.Close()
		x := &row{columns: map[string]int{}, lookup: m.lookup}
		for i, c := range r.Columns() {
			x.columns[c] = i
		}
		for _, c := range append([]string{m.subject}, m.need...) {
			if !x.has(c) {
				yield(nil, format.Invalidf(in.name, 1, "no column %q", c))
				return
			}
		}
		table, _ := tableName(in.name)
		t := &tabled{table: table, file: in.name, m: m, e: e, statics: map[int64]string{}}
		e.cols.Reset()
		for {
			fields, line, err := r.Next()
			if err == io.EOF {
				break
			}
			if err == nil {
				x.fields = fields
				err = t.row(x, line, len(r.Columns()))
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if e.cols.Len() >= emitEvents {
				if !yield(&e.cols, nil) {
					return
				}
				e.cols.Reset()
			}
		}
		if e.cols.Len() > 0 {
			yield(&e.cols, nil)
		}
	}
}

// tabled turns the rows of one table into events.
type tabled struct {
	table, file string
	m           *mapping
	e           *emitter
	statics     map[int64]string // the last static events of a subject, which tables repeat
}

func (t *tabled) row(x *row, line, columns int) error {
	drop := func(reason string) error { return t.e.tally.drop(t.table, reason, t.file, line) }
	note := func(reason string) { t.e.tally.note(t.table, reason, t.file, line) }
	if len(x.fields) != columns {
		return drop(badFields)
	}
	id := x.get(t.m.subject)
	if blank(id) {
		return drop(noSubject)
	}
	if _, err := strconv.ParseInt(id, 10, 64); err != nil {
		note(neverStored)
	}
	ev := meds.Event{Subject: subjectID(id)}
	made, reason := int64(0), ""
	for i := range t.m.events {
		r, err := t.event(&t.m.events[i], x, ev, note)
		if err != nil {
			return err
		}
		if r == "" {
			made++
		} else if r != "-" {
			reason = r
		}
	}
	switch {
	case made > 0 || reason == "":
		if reason != "" {
			note(reason + " (part of the row)")
		}
		t.e.tally.keep(t.table, made)
		return nil
	}
	return drop(reason)
}

// event adds one event and returns "", or why there is none; "-" is no loss.
func (t *tabled) event(m *eventMapping, x *row, ev meds.Event, note func(string)) (string, error) {
	code := m.code(x, t.e)
	switch code {
	case "":
		return "-", nil
	case missing:
		return noCode, nil
	}
	ev.Time, ev.Available, ev.Value = meds.Static, meds.Static, float32(math.NaN())
	if len(m.time) > 0 {
		text := x.first(m.time...)
		if blank(text) {
			if m.optional {
				return "-", nil
			}
			return noTime, nil
		}
		when, date, err := eventTime(text, m.start, m.date)
		if err != nil {
			return badTime, nil
		}
		if date && !m.start {
			note(dateOnly)
		}
		ev.Time = when
	}
	if len(m.value) > 0 {
		text := x.first(m.value...)
		v, ok := number(text)
		switch {
		case ok:
			ev.Value = v
		case blank(text):
			note(noValue)
		default:
			note(textValue)
			ev.Text = text
		}
	}
	if text := x.first(m.text...); !blank(text) && ev.Text == "" {
		ev.Text = text
	}
	if unit := x.first(m.unit...); !blank(unit) {
		t.e.describe(code+"//"+unit, t.e.infos[code].Description, code)
		code += "//" + unit
	}
	if text := x.first(m.available...); !blank(text) {
		st, err := format.ParseTime(text)
		if err != nil {
			note(badKnown)
		} else if st.Micros > ev.Time {
			ev.Available = st.Micros
		}
	}
	ev.Code = code
	if ev.Time == meds.Static { // once for each subject
		key := code + "\x00" + ev.Text + "\x00" + strconv.FormatFloat(float64(ev.Value), 'g', -1, 32) + "\x00"
		if strings.Contains(t.statics[ev.Subject], key) {
			return "-", nil
		}
		t.statics[ev.Subject] += key
	}
	t.e.add(&ev)
	return "", nil
}

// prefixed returns a code of a prefix and the first column that is filled.
func prefixed(prefix string, columns ...string) func(*row, *emitter) string {
	return func(r *row, _ *emitter) string {
		v := r.first(columns...)
		if blank(v) {
			return missing
		}
		return prefix + v
	}
}

// perhaps is prefixed for what a row need not have.
func perhaps(prefix string, columns ...string) func(*row, *emitter) string {
	f := prefixed(prefix, columns...)
	return func(r *row, e *emitter) string {
		if code := f(r, e); code != missing {
			return code
		}
		return ""
	}
}

func always(code string) func(*row, *emitter) string {
	return func(*row, *emitter) string { return code }
}

// A tableSource is a source made of tables, each with a mapping.
type tableSource struct {
	files    []input
	mappings []*mapping // one for each file
}

func (s *tableSource) units() []unit {
	out := make([]unit, len(s.files))
	for i, f := range s.files {
		out[i] = unit{f.name, f.path}
	}
	return out
}

func (s *tableSource) passOver(int) error         { return nil }
func (s *tableSource) split(int64) (string, bool) { return "", false }
func (s *tableSource) events(u int, e *emitter) iter.Seq2[*meds.Columns, error] {
	return tableEvents(s.files[u], s.mappings[u], e)
}

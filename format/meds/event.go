// Package meds reads and writes event streams of patients in the Medical Event
// Data Standard (MEDS 0.3 and 0.4): parquet files with one row for each event,
//
//	subject_id     int64
//	time           timestamp, null for what is static, such as sex
//	code           string
//	numeric_value  float32, null where there is none
//	text_value     string, null where there is none
//
// and beside them metadata/codes.parquet, metadata/subject_splits.parquet and
// metadata/dataset.json. Columns flow in and out, some ten thousand rows at a
// time ([Reader], [Writer]); a whole data set is read subject by subject through
// [Dataset.Subjects]. Codes become numbers of a [Vocabulary] on the way.
//
// Times are microseconds since 1970-01-01 00:00 and have no zone: they are what
// the clock on the wall showed, or UTC, as the source of the data decided.
package meds

import (
	"cmp"
	"math"
	"time"
)

// Static is the time of an event that has none. It sorts before all others.
const Static = math.MinInt64

// Units of time, in microseconds.
const (
	Second = 1_000_000
	Minute = 60 * Second
	Hour   = 60 * Minute
	Day    = 24 * Hour
)

// Codes that the standard reserves. The name of the event may follow after "//".
const (
	Birth = "MEDS_BIRTH"
	Death = "MEDS_DEATH"
)

// Splits that the standard names.
const (
	Train   = "train"
	Tuning  = "tuning"
	HeldOut = "held_out"
)

// An Event is one row.
type Event struct {
	Subject int64
	Time    int64 // µs, or Static
	Code    string
	Value   float32 // NaN where there is none
	Text    string  // "" where there is none
	// Available is when the event became known, µs, where that is later than Time:
	// a laboratory value is stored hours after the blood was drawn. Static says
	// that nothing is known about it. It is kept in a column available_time, which
	// is not of the standard.
	Available int64
}

// Time returns t in microseconds since 1970-01-01 00:00 UTC.
func Time(t time.Time) int64 { return t.UnixMicro() }

// Clock returns the time of an event as a time.Time in UTC.
func Clock(t int64) time.Time { return time.UnixMicro(t).UTC() }

// Before orders events by subject and time, static ones first.
func Before(subject, time, subject2, time2 int64) bool {
	return subject < subject2 || subject == subject2 && time < time2
}

// A Vocabulary numbers codes from 0 in the order in which they are first seen.
type Vocabulary struct {
	ids   map[string]int32
	codes []string
}

// NewVocabulary returns a vocabulary of the given codes.
func NewVocabulary(codes ...string) *Vocabulary {
	v := &Vocabulary{ids: make(map[string]int32, len(codes))}
	for _, c := range codes {
		v.ID(c)
	}
	return v
}

// ID returns the number of a code, a new one if it is not known yet.
func (v *Vocabulary) ID(code string) int32 {
	id, ok := v.ids[code]
	if !ok {
		id = int32(len(v.codes))
		v.ids[code] = id
		v.codes = append(v.codes, code)
	}
	return id
}

// id is ID for bytes, which are copied only when the code is new.
func (v *Vocabulary) id(code []byte) int32 {
	if id, ok := v.ids[string(code)]; ok {
		return id
	}
	return v.ID(string(code))
}

// Lookup returns the number of a code, and whether it is known.
func (v *Vocabulary) Lookup(code string) (int32, bool) {
	id, ok := v.ids[code]
	return id, ok
}

// Code returns the code of a number that ID returned.
func (v *Vocabulary) Code(id int32) string { return v.codes[id] }

// Len returns the number of codes.
func (v *Vocabulary) Len() int { return len(v.codes) }

// Codes returns all codes by number. The slice must not be changed.
func (v *Vocabulary) Codes() []string { return v.codes }

// Columns holds n events column by column.
type Columns struct {
	Subject   []int64   // (n)
	Time      []int64   // (n) µs, or Static
	Code      []int32   // (n) numbers of a Vocabulary
	Value     []float32 // (n) NaN where there is none
	Text      []string  // (n), or nil where no event has any
	Available []int64   // (n) µs, or Static; nil where no event has any
}

// Len returns the number of events.
func (c *Columns) Len() int { return len(c.Subject) }

// Reset makes c empty and keeps its memory.
func (c *Columns) Reset() {
	c.Subject, c.Time, c.Code, c.Value = c.Subject[:0], c.Time[:0], c.Code[:0], c.Value[:0]
	clear(c.Text)
	c.Text, c.Available = c.Text[:0], c.Available[:0]
}

// text returns the text of event i.
func (c *Columns) text(i int) string {
	if len(c.Text) == 0 {
		return ""
	}
	return c.Text[i]
}

func (c *Columns) available(i int) int64 {
	if len(c.Available) == 0 {
		return Static
	}
	return c.Available[i]
}

// Event returns event i; v is the vocabulary of the codes.
func (c *Columns) Event(i int, v *Vocabulary) Event {
	return Event{c.Subject[i], c.Time[i], v.Code(c.Code[i]), c.Value[i], c.text(i), c.available(i)}
}

// Add appends one event, whose code has the number code.
func (c *Columns) Add(e *Event, code int32) {
	n := c.Len()
	c.Subject = append(c.Subject, e.Subject)
	c.Time = append(c.Time, e.Time)
	c.Code = append(c.Code, code)
	c.Value = append(c.Value, e.Value)
	if e.Text != "" || len(c.Text) > 0 {
		c.Text = append(padText(c.Text, n), e.Text)
	}
	if e.Available != Static || len(c.Available) > 0 {
		c.Available = append(padTime(c.Available, n), e.Available)
	}
}

// Append appends the events lo to hi of d.
func (c *Columns) Append(d *Columns, lo, hi int) {
	n := c.Len()
	c.Subject = append(c.Subject, d.Subject[lo:hi]...)
	c.Time = append(c.Time, d.Time[lo:hi]...)
	c.Code = append(c.Code, d.Code[lo:hi]...)
	c.Value = append(c.Value, d.Value[lo:hi]...)
	switch {
	case len(d.Text) > 0:
		c.Text = append(padText(c.Text, n), d.Text[lo:hi]...)
	case len(c.Text) > 0:
		c.Text = padText(c.Text, c.Len())
	}
	switch {
	case len(d.Available) > 0:
		c.Available = append(padTime(c.Available, n), d.Available[lo:hi]...)
	case len(c.Available) > 0:
		c.Available = padTime(c.Available, c.Len())
	}
}

func padText(s []string, n int) []string {
	for len(s) < n {
		s = append(s, "")
	}
	return s
}

func padTime(s []int64, n int) []int64 {
	for len(s) < n {
		s = append(s, Static)
	}
	return s
}

// compare orders by subject, then by time.
func (c *Columns) compare(i, j int) int {
	if d := cmp.Compare(c.Subject[i], c.Subject[j]); d != 0 {
		return d
	}
	return cmp.Compare(c.Time[i], c.Time[j])
}

// Sorted returns the first event that stands before the one in front of it, by
// subject and time, or -1.
func (c *Columns) Sorted() int {
	for i := 1; i < c.Len(); i++ {
		if c.compare(i-1, i) > 0 {
			return i
		}
	}
	return -1
}

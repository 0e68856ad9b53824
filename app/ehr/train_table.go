package ehr

import (
	"cmp"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"heed/format"
	"heed/format/meds"
	"heed/internal/cli"
)

// Tables reads events and labels from two CSV files with the columns of MEDS:
//
//	events.csv   subject_id, time (empty for what is static), code, numeric_value
//	labels.csv   subject_id, prediction_time, boolean_value, and perhaps split
//	             and columns group_NAME, whose values are subgroups in results
//
// Times are yyyy-mm-ddThh:mm:ss, without a zone. An event is known to a prediction
// if its time is not later. A code MEDS_BIRTH gives the age, GENDER//... or SEX//...
// the sex, and a code that begins with VISIT or HOSPITAL_ADMISSION begins a visit.
type Tables struct {
	Folder string
	hash   string
	events map[int64][]tableEvent
}

// Hash returns the SHA-256 of both files.
func (s *Tables) Hash() string { return s.hash }

type tableEvent struct {
	code   string
	value  float32
	at     time.Time
	static bool
	known  time.Time // when it became known, if that is later
}

const clock = "2006-01-02T15:04:05"

// Cases reads both files.
func (s *Tables) Cases() ([]Case, map[string]int, error) {
	sum := sha256.New()
	events, err := readEvents(filepath.Join(s.Folder, "events.csv"), sum)
	if err != nil {
		return nil, nil, err
	}
	s.events = events
	return s.label(events, sum)
}

// readEvents reads the events of every subject, static ones first and the others by
// time. The bytes go to sum as well. What is wrong is named by its line and not shown:
// it is of a patient.
func readEvents(path string, sum io.Writer) (map[int64][]tableEvent, error) {
	events := map[int64][]tableEvent{}
	names := map[string]string{} // one copy of each code
	err := eachRecord(path, sum, []string{"subject_id", "time", "code", "numeric_value"}, nil, func(line int, f []string) error {
		id, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			return format.Invalidf(path, line, "subject_id is no number")
		}
		if f[2] == "" {
			return format.Invalidf(path, line, "no code")
		}
		code, ok := names[f[2]]
		if !ok {
			code = strings.Clone(f[2])
			names[code] = code
		}
		e := tableEvent{code: code, value: float32(math.NaN()), static: f[1] == ""}
		if !e.static {
			if e.at, err = time.Parse(clock, f[1]); err != nil {
				return format.Invalidf(path, line, "time: want %s, without a zone", clock)
			}
		}
		if f[3] != "" {
			v, err := strconv.ParseFloat(f[3], 32)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return format.Invalidf(path, line, "numeric_value is no number")
			}
			e.value = float32(v)
		}
		events[id] = append(events[id], e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, es := range events {
		slices.SortStableFunc(es, func(a, b tableEvent) int {
			if a.static != b.static {
				return map[bool]int{true: -1, false: 1}[a.static]
			}
			return a.at.Compare(b.at)
		})
	}
	return events, nil
}

// Subjects returns what Cases read.
func (s *Tables) Subjects(v *meds.Vocabulary) iter.Seq2[*meds.Columns, error] {
	return func(yield func(*meds.Columns, error) bool) {
		var c meds.Columns
		for _, id := range slices.Sorted(maps.Keys(s.events)) {
			c.Reset()
			for _, e := range s.events[id] {
				event := meds.Event{Subject: id, Time: meds.Static, Value: e.value, Available: meds.Static}
				if !e.static {
					event.Time = meds.Time(e.at)
				}
				c.Add(&event, v.ID(e.code))
			}
			if !yield(&c, nil) {
				return
			}
		}
	}
}

// label makes the cases.
func (s *Tables) label(events map[int64][]tableEvent, sum hash.Hash) ([]Case, map[string]int, error) {
	path := filepath.Join(s.Folder, "labels.csv")
	var labels []asked
	splits := map[int64]string{}
	may := []string{"split"}
	err := eachHeader(path, func(name string) {
		if strings.HasPrefix(name, "group_") {
			may = append(may, name)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	err = eachRecord(path, sum, []string{"subject_id", "prediction_time", "boolean_value"}, may, func(line int, f []string) error {
		l := asked{split: strings.Clone(f[3]), groups: map[string]string{}}
		for i, name := range may[1:] {
			if f[4+i] != "" {
				l.groups[strings.TrimPrefix(name, "group_")] = strings.Clone(f[4+i])
			}
		}
		var err error
		if l.id, err = strconv.ParseInt(f[0], 10, 64); err != nil {
			return format.Invalidf(path, line, "subject_id is no number")
		}
		if l.at, err = time.Parse(clock, f[1]); err != nil {
			return format.Invalidf(path, line, "prediction_time: want %s, without a zone", clock)
		}
		if l.positive, err = strconv.ParseBool(f[2]); err != nil {
			return format.Invalidf(path, line, "boolean_value: want true or false")
		}
		switch l.split {
		case "", "train", "tuning", "held_out":
		default:
			return format.Invalidf(path, line, "split: want train, tuning or held_out")
		}
		if before, seen := splits[l.id]; seen && before != l.split {
			return format.Invalidf(path, line, "the subject is in two parts, %s and %s", cmp.Or(before, "none"), cmp.Or(l.split, "none"))
		}
		splits[l.id] = l.split
		labels = append(labels, l)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	cases, left := casesOf(labels, events)
	if len(cases) == 0 {
		return nil, nil, format.Invalidf(path, 0, "no predictions")
	}
	s.hash = hex.EncodeToString(sum.Sum(nil))
	return cases, left, nil
}

// casesOf makes the cases of labels, sorted by patient and time.
func casesOf(labels []asked, events map[int64][]tableEvent) ([]Case, map[string]int) {
	slices.SortStableFunc(labels, func(a, b asked) int { return cmp.Or(cmp.Compare(a.id, b.id), a.at.Compare(b.at)) })
	left := map[string]int{}
	var cases []Case
	var before asked
	for _, l := range labels {
		c := newCase(l.id, l.at, events[l.id])
		switch {
		case len(c.Happenings) == 0:
			left["predictions without an event before them"]++
			continue
		case before.id == l.id && !before.at.IsZero():
			c.Days = l.at.Sub(before.at).Hours() / 24
		}
		c.Positive, c.Split, before = l.positive, l.split, l
		for name, value := range l.groups {
			c.Groups[name] = value
		}
		cases = append(cases, c)
	}
	return cases, left
}

// newCase collects what was known of a patient at a time. Events must be sorted,
// static ones first; those become the oldest.
func newCase(id int64, at time.Time, events []tableEvent) Case {
	c := Case{Patient: id, Age: float32(math.NaN()), Groups: map[string]string{}, At: at.Format(clock), Micros: meds.Time(at)}
	visit := int32(0)
	for _, e := range events {
		if e.at.After(at) {
			break
		}
		if e.known.After(at) {
			continue
		}
		days := at.Sub(e.at).Hours() / 24
		switch {
		case e.code == "MEDS_BIRTH" && !e.static:
			c.Age = float32(days / 365.25)
			c.Groups["age"] = ageBand(float64(c.Age))
			continue
		case sexForm.MatchString(e.code):
			c.Groups["sex"] = sexName(e.code)
		case e.static && e.code == "Age" && e.value == e.value: // PhysioNet has no dates of birth
			c.Age = e.value
			c.Groups["age"] = ageBand(float64(e.value))
		case e.static && unitNames[e.code] != "":
			c.Groups["unit"] = unitNames[e.code]
		case strings.HasPrefix(e.code, "VISIT") && !strings.HasPrefix(e.code, "VISIT_END"), strings.HasPrefix(e.code, "HOSPITAL_ADMISSION"):
			visit++
		}
		if e.static {
			days = math.Inf(1)
		} else if c.Days == 0 {
			c.Days = days
		}
		c.Happenings = append(c.Happenings, Happening{Code: e.code, Value: e.value, Days: days, Visit: visit})
	}
	for i := range c.Happenings {
		if !math.IsInf(c.Happenings[i].Days, 1) {
			break
		}
		c.Happenings[i].Days = c.Days
	}
	return c
}

// sexName is what subgroups call a sex.
func sexName(code string) string {
	switch s := sexOf(code); {
	case s > 0:
		return "female"
	case s < 0:
		return "male"
	}
	return "other or not known"
}

// eachHeader calls f with the names of the columns of a CSV file.
func eachHeader(path string, f func(name string)) error {
	return withCSV(path, io.Discard, func(r *csv.Reader) error {
		header, err := r.Read()
		if err != nil {
			return format.Invalidf(path, 1, "no header: %w", err)
		}
		for _, name := range header {
			f(name)
		}
		return nil
	})
}

// withCSV calls f with a reader of a file whose bytes go to sum as well.
func withCSV(path string, sum io.Writer, f func(r *csv.Reader) error) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return &format.Error{Name: path, Err: errors.New("no such file")}
	}
	if err != nil {
		return cli.SystemError(path, err)
	}
	defer file.Close()
	return f(csv.NewReader(io.TeeReader(file, sum)))
}

// eachRecord calls f with some columns of a CSV file, found by their names in the
// header. Columns that may be absent are then empty. The fields are valid until f
// returns.
func eachRecord(path string, sum io.Writer, must, may []string, f func(line int, fields []string) error) error {
	return withCSV(path, sum, func(r *csv.Reader) error {
		r.ReuseRecord = true
		header, err := r.Read()
		if err != nil {
			return format.Invalidf(path, 1, "no header: %w", err)
		}
		var columns []int
		for i, name := range slices.Concat(must, may) {
			at := slices.Index(header, name)
			if at < 0 && i < len(must) {
				return format.Invalidf(path, 1, "no column %q", name)
			}
			columns = append(columns, at)
		}
		fields := make([]string, len(columns))
		for {
			row, err := r.Read()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				var p *csv.ParseError
				if errors.As(err, &p) {
					return format.Invalidf(path, p.Line, "%w", p.Err)
				}
				return cli.SystemError(path, err)
			}
			for i, at := range columns {
				fields[i] = ""
				if at >= 0 {
					fields[i] = row[at]
				}
			}
			line, _ := r.FieldPos(0)
			if err := f(line, fields); err != nil {
				return err
			}
		}
	})
}

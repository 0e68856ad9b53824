package ehr

import (
	"io"
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

// A CodeMap says which code of a model stands for a code of a source, and how a value
// becomes one that the model knows: scale times it, plus offset; a scale of 0 takes it
// away. What the map does not name stays as it is.
type CodeMap struct {
	exact  map[string]mappedCode
	prefix []string // with a star in the file, the longest first
}

type mappedCode struct {
	code          string
	scale, offset float32
}

// ReadCodeMap reads a CSV file with the columns code (a star at its end stands for
// anything), model_code, and perhaps scale and offset.
func ReadCodeMap(path string) (*CodeMap, error) {
	m := &CodeMap{exact: map[string]mappedCode{}}
	err := eachRecord(path, io.Discard, []string{"code", "model_code"}, []string{"scale", "offset"}, func(line int, f []string) error {
		x := mappedCode{code: strings.Clone(f[1]), scale: 1}
		for i, dst := range []*float32{&x.scale, &x.offset} {
			if f[2+i] == "" {
				continue
			}
			v, err := strconv.ParseFloat(f[2+i], 32)
			if err != nil || v-v != 0 {
				return format.Invalidf(path, line, "%s %q is no number", []string{"scale", "offset"}[i], f[2+i])
			}
			*dst = float32(v)
		}
		code := strings.Clone(f[0])
		if code == "" || x.code == "" {
			return format.Invalidf(path, line, "no code")
		}
		if _, twice := m.exact[code]; twice {
			return format.Invalidf(path, line, "code %q is mapped twice", code)
		}
		m.exact[code] = x
		if strings.HasSuffix(code, "*") {
			m.prefix = append(m.prefix, strings.TrimSuffix(code, "*"))
		}
		return nil
	})
	slices.SortFunc(m.prefix, func(a, b string) int { return len(b) - len(a) })
	return m, err
}

// apply changes an event. A nil map changes nothing.
func (m *CodeMap) apply(e *Event) {
	if m == nil {
		return
	}
	x, ok := m.exact[e.Code]
	if !ok {
		for _, p := range m.prefix {
			if strings.HasPrefix(e.Code, p) {
				x, ok = m.exact[p+"*"]
				break
			}
		}
	}
	switch {
	case ok && x.scale == 0:
		e.Code, e.Value = x.code, float32(math.NaN())
	case ok:
		e.Code, e.Value = x.code, x.scale*e.Value+x.offset
	}
}

// eachTimeline calls f with the events of every subject of a source, by subject: a
// folder with events.csv (see [Tables]) or a data set in the layout of MEDS. What has
// no time is left out, and so are births.
func eachTimeline(source string, m *CodeMap, f func(id int64, events []Event) error) error {
	if path := filepath.Join(source, "events.csv"); cli.Exists(path) {
		all, err := readEvents(path, io.Discard)
		if err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(all)) {
			if err := f(id, timelineOf(all[id], m)); err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := os.Stat(source); err != nil {
		return &format.Error{Name: source, Err: cli.SystemError(source, err)}
	}
	d, err := meds.OpenDataset(source)
	if err != nil {
		return err
	}
	v := meds.NewVocabulary()
	for c, err := range d.Subjects(v) {
		if err != nil {
			return err
		}
		events := make([]tableEvent, c.Len())
		for i := range events {
			events[i] = storeEvent(c, i, v)
		}
		if err := f(c.Subject[0], timelineOf(events, m)); err != nil {
			return err
		}
	}
	return nil
}

// timelineOf turns events in the order of time into those of a timeline. Each stands
// where it became known.
func timelineOf(from []tableEvent, m *CodeMap) []Event {
	var events []Event
	var start time.Time
	from = slices.Clone(from)
	for i := range from {
		if from[i].known.After(from[i].at) {
			from[i].at = from[i].known
		}
	}
	slices.SortStableFunc(from, func(a, b tableEvent) int { return a.at.Compare(b.at) })
	for _, e := range from {
		if e.static || e.code == "MEDS_BIRTH" {
			continue
		}
		if len(events) == 0 {
			start = e.at
		}
		x := Event{Code: e.code, Value: e.value, Time: e.at.Format(clock), Day: e.at.Sub(start).Hours() / 24}
		m.apply(&x)
		events = append(events, x)
	}
	return events
}

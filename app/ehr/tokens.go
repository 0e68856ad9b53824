package ehr

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"heed/model/timeline"
)

// Tokens says how happenings become tokens of a model.
type Tokens struct {
	// Windows are widths in hours. With none every happening is a token with its
	// own value. Otherwise there is, for every width, one token for each code and
	// window in which it happened, with several statistics of its values: short
	// sequences that keep the course. 0 stands for the whole history.
	Windows []float64 `json:"windows"`
	// Joined makes one token for each code, with the statistics of every window
	// that ends at the prediction side by side, in place of one for each window.
	Joined bool `json:"joined,omitempty"`
}

// windowStatistics are the channels of a token that sums up a window.
var windowStatistics = []string{"mean", "min", "max", "first", "last", "deviation", "log count", "slope", "hours since"}

// Channels returns the number of values of a token.
func (k Tokens) Channels() int {
	if len(k.Windows) == 0 {
		return 1
	}
	if k.Joined {
		return len(windowStatistics) * len(k.Windows)
	}
	return len(windowStatistics)
}

// Validate reports a window that makes no sense.
func (k Tokens) Validate() error {
	if k.Joined && (len(k.Windows) == 0 || len(k.Windows) > 7) {
		return fmt.Errorf("%d windows to join: want 1 to 7", len(k.Windows))
	}
	for i, w := range k.Windows {
		if !(w >= 0) || math.IsInf(w, 1) {
			return fmt.Errorf("window of %v hours: want a positive number, or 0 for the whole history", w)
		}
		if slices.Contains(k.Windows[:i], w) {
			return fmt.Errorf("window of %v hours: given twice", w)
		}
	}
	return nil
}

// Make returns the tokens of a case, the oldest first.
func (k Tokens) Make(c *Case) []timeline.Event {
	if len(k.Windows) == 0 {
		events := make([]timeline.Event, len(c.Happenings))
		for i, h := range c.Happenings {
			events[i] = timeline.Event{Code: h.Code, Time: h.Days, Visit: h.Visit}
			if h.Value == h.Value {
				events[i].Values = []float32{h.Value}
			}
		}
		return events
	}
	var events []timeline.Event
	if k.Joined {
		return k.joined(c.Happenings)
	}
	for _, w := range k.Windows {
		events = append(events, windowTokens(c.Happenings, w)...)
	}
	slices.SortStableFunc(events, func(a, b timeline.Event) int { return cmp.Compare(b.Time, a.Time) })
	return events
}

// joined returns one token for each code, in the order of their first happening.
// Its time is that of the last one.
func (k Tokens) joined(hs []Happening) []timeline.Event {
	var events []timeline.Event
	at := map[string]int{}
	for _, h := range hs {
		i, seen := at[h.Code]
		if !seen {
			i = len(events)
			at[h.Code] = i
			values := make([]float32, k.Channels())
			for j := range values {
				values[j] = float32(math.NaN())
			}
			events = append(events, timeline.Event{Code: h.Code, Values: values})
		}
		events[i].Time, events[i].Visit = h.Days, h.Visit
	}
	for w, hours := range k.Windows {
		for _, s := range summaries(hs, hours) {
			if s.window == 0 {
				copy(events[at[s.code]].Values[w*len(windowStatistics):], s.statistics())
			}
		}
	}
	slices.SortStableFunc(events, func(a, b timeline.Event) int { return cmp.Compare(b.Time, a.Time) })
	return events
}

// A summary collects the values of one code in one window.
type summary struct {
	code               string
	window             int
	visit              int32
	n                  int // happenings
	values             int
	sum, squares       float64
	min, max           float32
	first, last        float32
	days, days2, cross float64 // sums for the slope
	lastDays           float64
}

// summaries returns one summary for each code and window in which it happened.
func summaries(hs []Happening, hours float64) []summary {
	type key struct {
		code   string
		window int
	}
	at := map[key]int{}
	var all []summary
	for _, h := range hs { // the oldest first
		w := 0
		if hours > 0 {
			w = int(24 * h.Days / hours)
		}
		i, ok := at[key{h.Code, w}]
		if !ok {
			i = len(all)
			at[key{h.Code, w}] = i
			all = append(all, summary{code: h.Code, window: w})
		}
		all[i].add(h)
	}
	return all
}

func windowTokens(hs []Happening, hours float64) []timeline.Event {
	all := summaries(hs, hours)
	suffix := "/all"
	if hours > 0 {
		suffix = "/" + strconv.FormatFloat(hours, 'g', -1, 64) + "h"
	}
	events := make([]timeline.Event, len(all))
	for i := range all {
		s := &all[i]
		e := timeline.Event{Code: s.code + suffix, Visit: s.visit, Values: s.statistics()}
		if hours > 0 {
			e.Time = float64(s.window) * hours / 24
		}
		events[i] = e
	}
	return events
}

func (s *summary) add(h Happening) {
	s.n++
	s.visit, s.lastDays = h.Visit, h.Days
	if h.Value != h.Value {
		return
	}
	if s.values == 0 {
		s.min, s.max, s.first = h.Value, h.Value, h.Value
	}
	s.values++
	s.sum += float64(h.Value)
	s.squares += float64(h.Value) * float64(h.Value)
	s.days, s.days2, s.cross = s.days+h.Days, s.days2+h.Days*h.Days, s.cross+h.Days*float64(h.Value)
	s.min, s.max, s.last = min(s.min, h.Value), max(s.max, h.Value), h.Value
}

// statistics returns what windowStatistics names.
func (s *summary) statistics() []float32 {
	nan := float32(math.NaN())
	out := []float32{nan, nan, nan, nan, nan, nan, float32(math.Log1p(float64(s.n))), nan, float32(math.Log1p(24 * s.lastDays))}
	if s.values > 0 {
		n := float64(s.values)
		mean := s.sum / n
		out[0], out[1], out[2], out[3], out[4] = float32(mean), s.min, s.max, s.first, s.last
		if s.values > 1 {
			out[5] = float32(math.Sqrt(max(0, s.squares/n-mean*mean)))
			if v := s.days2/n - s.days*s.days/n/n; v > 1e-6 { // in units a day, positive if rising
				out[7] = float32(-(s.cross/n - mean*s.days/n) / v)
			}
		}
	}
	return out
}

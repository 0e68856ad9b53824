package ehr

import (
	"context"
	"fmt"
	"math"
	"slices"

	"heed/format/meds"
)

// An extractor finds the labels of one subject after the other.
type extractor struct {
	plan    *plan
	vocab   *meds.Vocabulary
	matches [][]int // by code: the plain predicates that it may satisfy

	times  []int64   // of the subject, distinct and ascending
	sums   [][]int32 // by predicate: how often it held before each time; one longer than times
	ends   []int64   // two for each window
	labels []meds.Label
	stats  ExtractStats
}

// ExtractStats counts what became of the triggers.
type ExtractStats struct {
	Subjects  int            `json:"subjects"`
	Triggers  int            `json:"triggers"`
	Labels    int            `json:"labels"`
	Positive  int            `json:"positive"`
	Left      map[string]int `json:"left_out,omitempty"` // triggers without a label, by reason
	Censored  int            `json:"censored"`           // negative although the record ends before the window of the label does
	Predicate map[string]int `json:"events_by_predicate"`
	Outcome   int            `json:"-"` // positives whose outcome had happened at the time of prediction
}

func newExtractor(p *plan, v *meds.Vocabulary) *extractor {
	x := &extractor{plan: p, vocab: v, sums: make([][]int32, len(p.names)), ends: make([]int64, 2*len(p.windows))}
	x.stats.Left, x.stats.Predicate = map[string]int{}, map[string]int{}
	return x
}

// extract returns the labels of all subjects of a data set, by subject and time.
func extract(ctx context.Context, d *meds.Dataset, p *plan) ([]meds.Label, ExtractStats, error) {
	v := meds.NewVocabulary()
	x := newExtractor(p, v)
	for c, err := range d.Subjects(v) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, x.stats, err
		}
		x.subject(c)
	}
	if x.stats.Outcome > 0 {
		return nil, x.stats, fmt.Errorf("a label after its own outcome: for %d of %d positive labels the outcome has happened at the time of prediction; let the window of the label begin after it, with start_inclusive: false", x.stats.Outcome, x.stats.Positive)
	}
	slices.SortStableFunc(x.labels, func(a, b meds.Label) int {
		if meds.Before(a.Subject, a.Time, b.Subject, b.Time) {
			return -1
		}
		if meds.Before(b.Subject, b.Time, a.Subject, a.Time) {
			return 1
		}
		return 0
	})
	return x.labels, x.stats, nil
}

// match returns the plain predicates whose code matches, found once for each code.
func (x *extractor) match(code int32) []int {
	for len(x.matches) <= int(code) {
		var m []int
		name := x.vocab.Code(int32(len(x.matches)))
		for i := range x.plan.plain {
			if x.plan.plain[i].Code.match(name) {
				m = append(m, i)
			}
		}
		x.matches = append(x.matches, m)
	}
	return x.matches[code]
}

func (p *predicate) value(v float32) bool {
	if p.Min == nil && p.Max == nil {
		return true
	}
	f := float64(v)
	if math.IsNaN(f) {
		return false
	}
	if p.Min != nil && (f < *p.Min || f == *p.Min && p.MinInclusive != nil && !*p.MinInclusive) {
		return false
	}
	return p.Max == nil || f < *p.Max || f == *p.Max && (p.MaxInclusive == nil || *p.MaxInclusive)
}

// subject adds the labels of one subject.
func (x *extractor) subject(c *meds.Columns) {
	x.stats.Subjects++
	if !x.demographics(c) {
		x.stats.Left["subject: patient_demographics"]++
		return
	}
	first := 0
	for first < c.Len() && c.Time[first] == meds.Static {
		first++
	}
	x.count(c, first)
	p := x.plan
	for i, t := range x.times {
		if x.at(p.trigger, i) == 0 {
			continue
		}
		x.stats.Triggers++
		if reason := x.realise(c.Subject[0], t); reason != "" {
			x.stats.Left[reason]++
		}
	}
}

func (x *extractor) demographics(c *meds.Columns) bool {
	for i := range x.plan.static {
		s, found := &x.plan.static[i], false
		for k := 0; k < c.Len() && c.Time[k] == meds.Static && !found; k++ {
			found = s.Code.match(x.vocab.Code(c.Code[k])) && s.value(c.Value[k])
		}
		if !found {
			return false
		}
	}
	return true
}

// count fills times and sums from the events after the static ones.
func (x *extractor) count(c *meds.Columns, first int) {
	p := x.plan
	x.times = x.times[:0]
	for i := range x.sums {
		x.sums[i] = append(x.sums[i][:0], 0)
	}
	here := make([]int32, len(p.names))
	special := len(p.plain) + len(p.derived)
	for lo := first; lo < c.Len(); {
		hi := lo
		clear(here)
		for hi < c.Len() && c.Time[hi] == c.Time[lo] {
			for _, k := range x.match(c.Code[hi]) {
				if p.plain[k].value(c.Value[hi]) {
					here[k]++
				}
			}
			hi++
		}
		for k, d := range p.derived {
			all, any := true, false
			for _, a := range d.args {
				all, any = all && here[a] > 0, any || here[a] > 0
			}
			if d.and && all || !d.and && any {
				here[len(p.plain)+k] = 1
			}
		}
		here[special] = int32(hi - lo)
		if lo == first {
			here[special+1] = 1
		}
		if hi == c.Len() {
			here[special+2] = 1
		}
		x.times = append(x.times, c.Time[lo])
		for k, n := range here {
			x.sums[k] = append(x.sums[k], x.sums[k][len(x.sums[k])-1]+n)
		}
		lo = hi
	}
	for k := range special {
		x.stats.Predicate[p.names[k]] += int(x.sums[k][len(x.times)])
	}
}

// at returns how often a predicate holds at time i.
func (x *extractor) at(predicate, i int) int32 {
	return x.sums[predicate][i+1] - x.sums[predicate][i]
}

// between returns how often a predicate holds in a window.
func (x *extractor) between(predicate int, w *compiledWindow, start, end int64) int {
	lo, found := slices.BinarySearch(x.times, start)
	if found && !w.startIn {
		lo++
	}
	hi, found := slices.BinarySearch(x.times, end)
	if found && w.endIn {
		hi++
	}
	if hi <= lo {
		return 0
	}
	return int(x.sums[predicate][hi] - x.sums[predicate][lo])
}

// realise finds all windows for one trigger and adds its label, or says why not.
func (x *extractor) realise(subject, trigger int64) string {
	p := x.plan
	last := x.times[len(x.times)-1]
	for _, e := range p.order {
		b := p.windows[e.window].ends[e.end]
		from := trigger
		if b.from.window >= 0 && b.kind != atNull {
			from = x.ends[2*b.from.window+b.from.end]
		}
		t := from + b.offset
		switch b.kind {
		case atNull:
			if t = x.times[0]; e.end == 1 {
				t = last
			}
		case atNext, atLast:
			var ok bool
			if t, ok = x.event(b, from); !ok {
				return fmt.Sprintf("window %s: no event %s %s its %s", p.windows[e.window].name, p.names[b.event],
					map[boundKind]string{atNext: "after", atLast: "before"}[b.kind], [...]string{"end", "start"}[e.end])
			}
		}
		x.ends[2*e.window+e.end] = t
	}
	for w := range p.windows {
		cw := &p.windows[w]
		start, end := x.ends[2*w], x.ends[2*w+1]
		if start > end {
			return fmt.Sprintf("window %s ends before it starts", cw.name)
		}
		for _, h := range cw.has {
			if n := x.between(h.predicate, cw, start, end); n < h.min || n > h.max {
				return fmt.Sprintf("window %s: has %s", cw.name, p.names[h.predicate])
			}
		}
	}
	cw := &p.windows[p.label]
	start, end := x.ends[2*p.label], x.ends[2*p.label+1]
	at := x.ends[2*p.index]
	if p.atEnd {
		at = x.ends[2*p.index+1]
	}
	positive := x.between(p.target, cw, start, end) > 0
	x.stats.Labels++
	if positive {
		x.stats.Positive++
		before := *cw // as far as the time of prediction, itself included
		before.endIn = before.endIn || at < end
		if at >= start && x.between(p.target, &before, start, min(at, end)) > 0 {
			x.stats.Outcome++
		}
	} else if end > last {
		x.stats.Censored++
	}
	x.labels = append(x.labels, meds.Label{Subject: subject, Time: at, Value: positive})
	return ""
}

// event returns the time of the next, or last, event with a predicate, strictly after,
// or before, a time. The ends of the record may be that time itself.
func (x *extractor) event(b bound, from int64) (int64, bool) {
	i, found := slices.BinarySearch(x.times, from)
	ends := x.plan.names[b.event] == recordEnd || x.plan.names[b.event] == recordStart
	if b.kind == atNext {
		if found && !ends {
			i++
		}
		for ; i < len(x.times); i++ {
			if x.at(b.event, i) > 0 {
				return x.times[i], true
			}
		}
		return 0, false
	}
	if !found || !ends {
		i--
	}
	for ; i >= 0; i-- {
		if x.at(b.event, i) > 0 {
			return x.times[i], true
		}
	}
	return 0, false
}

package ehr

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A plan is a task that has been checked, with numbers in place of names.
type plan struct {
	plain   []predicate // matched event by event
	static  []predicate // that a patient must have
	derived []derived   // in an order in which each needs only those before
	names   []string    // of plain, then derived, then the special ones
	trigger int
	windows []compiledWindow
	order   []endpoint // in which the ends of windows are found
	label   int        // window with the label
	target  int        // predicate of the label
	index   int        // window with the time of prediction
	atEnd   bool       // it is the end of that window
}

type derived struct {
	and  bool
	args []int
}

type compiledWindow struct {
	name           string
	ends           [2]bound // start, end
	startIn, endIn bool
	has            []need
}

type need struct{ predicate, min, max int }

// A bound is where a window starts or ends.
type bound struct {
	kind   boundKind
	from   endpoint // what it is relative to
	offset int64    // µs
	event  int      // predicate
}

type boundKind int

const (
	atNull     boundKind = iota // the start or the end of the record
	atTrigger                   // relative to the trigger, by offset
	atEndpoint                  // relative to another end, by offset
	atNext                      // the next event after it
	atLast                      // the last event before it
)

// An endpoint is one end of one window; window -1 is the trigger.
type endpoint struct{ window, end int }

// Special predicates.
const (
	anyEvent    = "_ANY_EVENT"
	recordStart = "_RECORD_START"
	recordEnd   = "_RECORD_END"
)

var exprForm = regexp.MustCompile(`^\s*(and|or)\s*\(([^()]*)\)\s*$`)

func (t *Task) compile() (*plan, error) {
	p := &plan{label: -1, index: -1}
	ids := map[string]int{}
	var later []string
	for _, name := range slices.Sorted(maps.Keys(t.Predicates)) {
		pr := t.Predicates[name]
		if strings.HasPrefix(name, "_") {
			return nil, fmt.Errorf("predicate %s: names that begin with _ are taken", name)
		}
		if len(pr.Other) > 0 {
			return nil, fmt.Errorf("predicate %s: other_cols is not supported", name)
		}
		if pr.Expr != "" {
			if pr.Code.set || pr.Min != nil || pr.Max != nil {
				return nil, fmt.Errorf("predicate %s has an expr and a code or a range", name)
			}
			later = append(later, name)
			continue
		}
		if !pr.Code.set && pr.Min == nil && pr.Max == nil {
			return nil, fmt.Errorf("predicate %s has neither a code, nor a range, nor an expr", name)
		}
		if pr.Min != nil && pr.Max != nil && *pr.Min > *pr.Max {
			return nil, fmt.Errorf("predicate %s: value_min is above value_max", name)
		}
		ids[name] = len(p.plain)
		p.plain, p.names = append(p.plain, pr), append(p.names, name)
	}
	for len(later) > 0 { // each round takes those whose parts are known
		var rest []string
		for _, name := range later {
			m := exprForm.FindStringSubmatch(t.Predicates[name].Expr)
			if m == nil {
				return nil, fmt.Errorf("predicate %s: want and(a, b, ...) or or(a, b, ...)", name)
			}
			d, ok := derived{and: m[1] == "and"}, true
			for arg := range strings.SplitSeq(m[2], ",") {
				arg = strings.TrimSpace(arg)
				if _, known := t.Predicates[arg]; !known {
					return nil, fmt.Errorf("predicate %s: no predicate %q", name, arg)
				}
				id, found := ids[arg]
				ok = ok && found
				d.args = append(d.args, id)
			}
			if !ok {
				rest = append(rest, name)
				continue
			}
			ids[name] = len(p.names)
			p.derived, p.names = append(p.derived, d), append(p.names, name)
		}
		if len(rest) == len(later) {
			return nil, fmt.Errorf("predicate %s is defined by itself", rest[0])
		}
		later = rest
	}
	for _, special := range []string{anyEvent, recordStart, recordEnd} {
		ids[special] = len(p.names)
		p.names = append(p.names, special)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Demographics)) {
		pr := t.Demographics[name]
		if pr.Expr != "" || !pr.Code.set {
			return nil, fmt.Errorf("patient_demographics %s: want a code", name)
		}
		p.static = append(p.static, pr)
	}
	var ok bool
	if p.trigger, ok = ids[t.Trigger.Name]; !ok {
		return nil, fmt.Errorf("trigger: no predicate %q", t.Trigger.Name)
	}
	return p, p.compileWindows(t, ids)
}

func (p *plan) compileWindows(t *Task, ids map[string]int) error {
	if len(t.Windows) == 0 {
		return errors.New("no windows")
	}
	names := slices.Sorted(maps.Keys(t.Windows))
	number := map[string]int{}
	for i, name := range names {
		number[name] = i
		if t.Windows[name] == nil {
			return fmt.Errorf("window %s is empty", name)
		}
	}
	for i, name := range names {
		w := t.Windows[name]
		c := compiledWindow{name: name, startIn: w.StartInclusive == nil || *w.StartInclusive, endIn: w.EndInclusive == nil || *w.EndInclusive}
		for end, text := range []*string{w.Start, w.End} {
			b, err := parseBound(text, i, number, ids)
			if err != nil {
				return fmt.Errorf("window %s: %s: %w", name, [...]string{"start", "end"}[end], err)
			}
			c.ends[end] = b
		}
		for _, pred := range slices.Sorted(maps.Keys(w.Has)) {
			id, ok := ids[pred]
			if !ok {
				return fmt.Errorf("window %s: has: no predicate %q", name, pred)
			}
			c.has = append(c.has, need{id, w.Has[pred].min, w.Has[pred].max})
		}
		if w.Label != "" {
			id, ok := ids[w.Label]
			switch {
			case !ok:
				return fmt.Errorf("window %s: label: no predicate %q", name, w.Label)
			case p.label >= 0:
				return fmt.Errorf("windows %s and %s both have a label", names[p.label], name)
			}
			p.label, p.target = i, id
		}
		switch {
		case w.Index == "":
		case w.Index != "start" && w.Index != "end":
			return fmt.Errorf("window %s: index_timestamp: want start or end", name)
		case p.index >= 0:
			return fmt.Errorf("windows %s and %s both have an index_timestamp", names[p.index], name)
		default:
			p.index, p.atEnd = i, w.Index == "end"
		}
		p.windows = append(p.windows, c)
	}
	switch {
	case p.label < 0:
		return errors.New("no window has a label")
	case p.index < 0:
		return errors.New("no window has an index_timestamp: it says when the prediction is made")
	}
	return p.sort()
}

var boundForm = regexp.MustCompile(`^(?:(\w[\w ]*?)\.)?(trigger|start|end)(?:\s*(->|<-|\+|-)\s*(.+))?$`)

// parseBound reads "trigger + 24h", "input.end", "start -> discharge", "end <- admission".
func parseBound(text *string, window int, number, ids map[string]int) (bound, error) {
	if text == nil || *text == "NULL" || *text == "None" || *text == "null" {
		return bound{kind: atNull}, nil
	}
	m := boundForm.FindStringSubmatch(strings.TrimSpace(*text))
	if m == nil {
		return bound{}, fmt.Errorf("%q: want trigger, start, end or WINDOW.start, and then nothing, + DURATION, - DURATION, -> PREDICATE or <- PREDICATE", *text)
	}
	b := bound{kind: atEndpoint, from: endpoint{window, 0}}
	switch {
	case m[2] == "trigger" && m[1] != "":
		return bound{}, fmt.Errorf("%q: the trigger belongs to no window", *text)
	case m[2] == "trigger":
		b.kind, b.from.window = atTrigger, -1
	case m[2] == "end":
		b.from.end = 1
	}
	if m[1] != "" {
		w, ok := number[m[1]]
		if !ok {
			return bound{}, fmt.Errorf("no window %q", m[1])
		}
		b.from.window = w
	}
	switch m[3] {
	case "+", "-":
		d, err := parseDuration(m[4])
		if err != nil {
			return bound{}, err
		}
		if b.offset = d; m[3] == "-" {
			b.offset = -d
		}
	case "->", "<-":
		id, ok := ids[strings.TrimSpace(m[4])]
		if !ok {
			return bound{}, fmt.Errorf("no predicate %q", m[4])
		}
		b.event = id
		if b.kind = atNext; m[3] == "<-" {
			b.kind = atLast
		}
	}
	return b, nil
}

// sort finds an order of the ends in which each needs only those before it.
func (p *plan) sort() error {
	known := map[endpoint]bool{{-1, 0}: true}
	for len(p.order) < 2*len(p.windows) {
		before := len(p.order)
		for w := range p.windows {
			for end, b := range p.windows[w].ends {
				e := endpoint{w, end}
				if !known[e] && (b.kind == atNull || known[b.from]) {
					known[e] = true
					p.order = append(p.order, e)
				}
			}
		}
		if len(p.order) == before {
			for w := range p.windows {
				for end := range 2 {
					if !known[endpoint{w, end}] {
						return fmt.Errorf("window %s: its %s is defined by itself", p.windows[w].name, [...]string{"start", "end"}[end])
					}
				}
			}
		}
	}
	return nil
}

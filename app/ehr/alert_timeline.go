package ehr

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"heed/explain"
	"heed/internal/cli"
	"heed/model/timeline"
)

// A ScoredTimeline is what a model said of one patient, event by event.
type ScoredTimeline struct {
	Subject string    `json:"subject"` // a pseudonym, if the run keeps identifiers out
	Events  int       `json:"events"`
	Unknown int       `json:"events_unknown"` // whose codes the model has never seen
	Days    float64   `json:"days"`           // from the first event to the last
	Highest float64   `json:"highest_probability"`
	Alerts  []Alert   `json:"alerts"`
	Scores  []DayRisk `json:"scores"` // after the last event of each time

	events    []Event
	threshold float64
}

// An Event of a timeline. Time is as the source wrote it; Day counts from the first.
type Event struct {
	Code  string
	Value float32 // NaN if there is none
	Time  string
	Day   float64
}

// DayRisk is the calibrated probability from a day on.
type DayRisk struct {
	Day         float64 `json:"day"`
	Probability float64 `json:"probability"`
}

// An Alert begins when the probability comes to the threshold.
type Alert struct {
	Time        string          `json:"time,omitempty"`
	Day         float64         `json:"day"`
	Probability float64         `json:"probability"`
	Evidence    []AlertEvidence `json:"evidence"` // by the size of the Shapley value
	// GapDays lies between the first two of the evidence, which Interaction is about:
	// in logits, what the two bring together beyond what each brings.
	GapDays     float64 `json:"gap_days"`
	Interaction float64 `json:"interaction"`
	WithoutBoth float64 `json:"probability_without_both"`
	// Missing is what the integrated gradients of all events lack of their sum.
	Missing float64 `json:"integration_error"`
	Limits  string  `json:"limits"`

	event int // index of the event that raised it
	until int // events that were known
}

// AlertEvidence is one event behind an alert.
type AlertEvidence struct {
	Code    string   `json:"code"`
	Time    string   `json:"time,omitempty"`
	Day     float64  `json:"day"`
	Value   *float32 `json:"value,omitempty"`
	Part    float64  `json:"integrated_gradients"` // of the logit
	Shapley float64  `json:"shapley"`              // among the evidence, all else kept
	Without float64  `json:"probability_without"`

	event int
}

// ScoreTimeline asks a model after every event. An alert is raised when the
// probability comes to the threshold from below, and again only after it fell.
func (f *Fitted) ScoreTimeline(subject string, events []Event) (*ScoredTimeline, error) {
	s, err := f.newPatient()
	if err != nil {
		return nil, err
	}
	t := &ScoredTimeline{Subject: subject, Events: len(events), Alerts: []Alert{}, events: events, threshold: f.Threshold}
	high := false
	for i, e := range events {
		p, err := s.see(e)
		if err != nil {
			return nil, err
		}
		if !f.knows(e.Code) {
			t.Unknown++
		}
		t.Days, t.Highest = e.Day, max(t.Highest, p)
		if n := len(t.Scores); n > 0 && t.Scores[n-1].Day == e.Day {
			t.Scores[n-1].Probability = p
		} else {
			t.Scores = append(t.Scores, DayRisk{e.Day, p})
		}
		if p >= f.Threshold && !high {
			t.Alerts = append(t.Alerts, Alert{Time: e.Time, Day: e.Day, Probability: p, Limits: limits, event: i, until: i + 1})
		}
		high = p >= f.Threshold
	}
	return t, nil
}

// veil takes dates away from events, and the names of codes that the model does not
// know, which may be free text.
func (f *Fitted) veil(events []Event) {
	for i := range events {
		events[i].Time = ""
		if !f.knows(events[i].Code) {
			events[i].Code = f.Vocabulary.Name(timeline.UnknownToken)
		}
	}
}

// A patientState is what is kept of one who is watched.
type patientState struct {
	f       *Fitted
	streams []*timeline.Stream
}

func (f *Fitted) newPatient() (*patientState, error) {
	p := &patientState{f: f}
	if f.Config.Tokens.Channels() != 1 || len(f.Config.Tokens.Windows) > 0 {
		return nil, cli.Usagef("the model sums up windows of time and cannot be asked event by event: train one with heed ehr alert train, or heed ehr train --windows none --causal --time bias")
	}
	for _, m := range f.Members {
		s, err := m.NewStream()
		if err != nil {
			return nil, cli.Hint(&cli.UsageError{Reason: err.Error()}, "heed ehr alert train makes such a model, and so does heed ehr train --windows none --causal --time bias")
		}
		p.streams = append(p.streams, s)
	}
	return p, nil
}

// see takes in an event and returns the calibrated probability at its time.
func (p *patientState) see(e Event) (float64, error) {
	x := timeline.Event{Code: e.Code, Time: e.Day}
	if e.Value == e.Value {
		x.Values = []float32{e.Value}
	}
	age := float32(math.NaN())
	z := 0.0
	for _, s := range p.streams {
		if err := s.Add(x, age); err != nil {
			return 0, err
		}
		z += float64(s.Logits(e.Day, age)[0]) / float64(len(p.streams))
	}
	return p.f.probabilities([]float64{z})[0], nil
}

// sequence returns the tokens of the first n events, asked at the last of them.
func (f *Fitted) eventsUntil(events []Event, n int) timeline.Sequence {
	now := events[n-1].Day
	tokens := make([]timeline.Event, n)
	for i, e := range events[:n] {
		tokens[i] = timeline.Event{Code: e.Code, Time: now - e.Day}
		if e.Value == e.Value {
			tokens[i].Values = []float32{e.Value}
		}
	}
	return f.Vocabulary.Encode(tokens, float32(math.NaN()), false)
}

// Evidence fills in what stands behind an alert: the top events by integrated
// gradients, at most [explain.MaxExact], with their Shapley values among each other
// and what the probability is without them.
func (f *Fitted) Evidence(ctx context.Context, t *ScoredTimeline, a *Alert, top int) error {
	first := max(0, a.until-f.Config.Model.MaxTokens)
	events := t.events[first:]
	s := f.eventsUntil(events, a.until-first)
	n := len(s.Codes)
	parts, missing, err := f.parts(ctx, &s)
	if err != nil {
		return err
	}
	a.Missing = missing
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	bySize := func(v []float64) func(a, b int) int {
		return func(a, b int) int {
			switch x, y := math.Abs(v[a]), math.Abs(v[b]); {
			case x > y:
				return -1
			case x < y:
				return 1
			}
			return 0
		}
	}
	slices.SortStableFunc(order, bySize(parts))
	order = order[:min(top, n)]
	game := &explain.Game{Features: len(order), Batch: 16, Value: func(keep [][]bool) []float64 {
		seqs := make([]timeline.Sequence, len(keep))
		for k := range keep {
			seqs[k] = without(&s, f.Vocabulary.Channels, func(i int) bool {
				at := slices.Index(order, i)
				return at >= 0 && !keep[k][at]
			})
		}
		return f.logits(seqs)
	}}
	table, err := game.Table(ctx)
	if err != nil {
		return err
	}
	shapley, pairs := table.Shapley(), table.Interaction()
	all := len(table.Values) - 1
	rank := make([]int, len(order))
	for i := range rank {
		rank[i] = i
	}
	slices.SortStableFunc(rank, bySize(shapley))
	for _, r := range rank {
		e := events[order[r]]
		x := AlertEvidence{Code: e.Code, Time: e.Time, Day: e.Day, Part: parts[order[r]], Shapley: shapley[r], event: first + order[r]}
		x.Without = f.probabilities([]float64{table.Values[all&^(1<<r)]})[0]
		if e.Value == e.Value {
			x.Value = &e.Value
		}
		a.Evidence = append(a.Evidence, x)
	}
	a.WithoutBoth = a.Probability
	if len(rank) > 1 {
		i, j := rank[0], rank[1]
		a.GapDays = math.Abs(events[order[i]].Day - events[order[j]].Day)
		a.Interaction = pairs[i][j]
		a.WithoutBoth = f.probabilities([]float64{table.Values[all&^(1<<i|1<<j)]})[0]
	}
	return nil
}

// lanes gives every event the lane of what its code begins with; the sixth and
// further ones share one.
func lanes(events []Event) (names []string, lane []int) {
	const most = 6
	for _, e := range events {
		name, _, _ := strings.Cut(e.Code, "//")
		at := slices.Index(names, name)
		switch {
		case at < 0 && len(names) < most:
			at = len(names)
			names = append(names, name)
		case at < 0:
			at = most
		}
		lane = append(lane, at)
	}
	if slices.Contains(lane, most) {
		names = append(names, "other")
	}
	return names, lane
}

// text writes the value of an event.
func (e *Event) text() string {
	if e.Value != e.Value {
		return ""
	}
	return strconv.FormatFloat(float64(e.Value), 'g', 4, 32)
}

// gapText writes days between two events.
func gapText(days float64) string {
	if days < 2 {
		return fmt.Sprintf("%.0f hours", 24*days)
	}
	return fmt.Sprintf("%.0f days", days)
}

package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
)

// maxEvents is the largest number of events of a timeline on a page.
const maxEvents = 50_000

// Timeline shows what happened to one patient, lane by lane over days, the
// probability that a model gave over time, and which events an alert rests on:
// arcs from the alert's evidence to each other, with the days between them. The
// reader zooms by dragging and steps from event to event.
type Timeline struct {
	Name    string // stem of saved files
	Alt     string // says in words what the figure shows
	Caption string
	Lanes   []string // from the top: "drugs", "laboratory"
	// Events are sorted by day.
	Events []TimelineEvent
	Links  []TimelineLink
	// Scores are the model's answers, sorted by day; drawn as steps above the
	// lanes. May be nil.
	Scores    []TimelineScore
	Threshold float64 // of an alert; drawn if there are scores
}

// TimelineEvent is one point of a lane.
type TimelineEvent struct {
	Day  float64 // from the start of the timeline
	Lane int
	Code string // "INR"
	Text string // "5.2, above 4"; may be empty
	// Weight is how much the event moved the output, signed; 0 draws it small
	// and pale.
	Weight float64
}

// TimelineLink joins two events by an arc.
type TimelineLink struct {
	From, To int    // indices of Events
	Text     string // "511 days"
}

// TimelineScore is the model's probability from a day on.
type TimelineScore struct {
	Day, Probability float64
	Alert            bool
}

// What the script reads; see web/timeline.ts.
type timelineMeta struct {
	Name      string     `json:"name"`
	Lanes     []string   `json:"lanes"`
	N         int        `json:"n"`
	Codes     []string   `json:"codes"` // (N)
	Texts     []string   `json:"texts"` // (N)
	Lane      []int      `json:"lane"`  // (N)
	Links     []linkMeta `json:"links"`
	Scores    int        `json:"scores"`
	Alerts    []int      `json:"alerts"` // indices of scores
	Threshold float64    `json:"threshold"`
	Data      string     `json:"data"` // days (N), weights (N), days and probabilities of scores
}

type linkMeta struct {
	From int    `json:"from"`
	To   int    `json:"to"`
	Text string `json:"text"`
}

func (t Timeline) render(p *page) (template.HTML, error) {
	if err := named("timeline", t.Name, t.Alt); err != nil {
		return "", err
	}
	if err := t.check(); err != nil {
		return "", fmt.Errorf("timeline %q: %w", t.Name, err)
	}
	meta := timelineMeta{Name: t.Name, Lanes: t.Lanes, N: len(t.Events), Scores: len(t.Scores), Threshold: t.Threshold, Alerts: []int{}, Links: []linkMeta{}}
	var days, weights, scoreDays, scores []float64
	for _, e := range t.Events {
		days, weights = append(days, e.Day), append(weights, e.Weight)
		meta.Codes, meta.Texts, meta.Lane = append(meta.Codes, e.Code), append(meta.Texts, e.Text), append(meta.Lane, e.Lane)
	}
	for i, s := range t.Scores {
		scoreDays, scores = append(scoreDays, s.Day), append(scores, s.Probability)
		if s.Alert {
			meta.Alerts = append(meta.Alerts, i)
		}
	}
	for _, l := range t.Links {
		meta.Links = append(meta.Links, linkMeta(l))
	}
	var data []byte
	for _, v := range [][]float64{days, weights, scoreDays, scores} {
		data = float32Planes(data, v)
	}
	meta.Data = p.keep(data)
	b, err := json.Marshal(meta)
	if err != nil {
		return "", err
	}
	return p.execute("timeline", struct {
		Timeline
		Meta    string
		Numbers []numbers
	}{t, p.keep(b), t.numbers()})
}

func (t Timeline) check() error {
	if len(t.Lanes) == 0 || len(t.Events) == 0 || len(t.Events) > maxEvents {
		return fmt.Errorf("%d lanes and %d events, not 1 lane or more and 1 to %d events", len(t.Lanes), len(t.Events), maxEvents)
	}
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	for i, e := range t.Events {
		switch {
		case !finite(e.Day) || !finite(e.Weight):
			return fmt.Errorf("event %d: its day or weight is not finite", i)
		case e.Lane < 0 || e.Lane >= len(t.Lanes):
			return fmt.Errorf("event %d lies in lane %d of %d", i, e.Lane, len(t.Lanes))
		case i > 0 && e.Day < t.Events[i-1].Day:
			return fmt.Errorf("event %d comes before event %d", i, i-1)
		}
	}
	for i, s := range t.Scores {
		if !finite(s.Day) || !(s.Probability >= 0 && s.Probability <= 1) {
			return fmt.Errorf("score %d: probability %v on day %v", i, s.Probability, s.Day)
		}
		if i > 0 && s.Day < t.Scores[i-1].Day {
			return fmt.Errorf("score %d comes before score %d", i, i-1)
		}
	}
	for _, l := range t.Links {
		if min(l.From, l.To) < 0 || max(l.From, l.To) >= len(t.Events) {
			return errors.New("a link leads out of the timeline")
		}
	}
	return nil
}

// numbers lists alerts, links and the events that moved the output most.
func (t Timeline) numbers() []numbers {
	var out []numbers
	describe := func(e TimelineEvent) string {
		if e.Text == "" {
			return e.Code
		}
		return e.Code + " " + e.Text
	}
	alerts := numbers{Caption: "Alerts", Heads: []string{"day", "probability"}}
	for _, s := range t.Scores {
		if s.Alert {
			alerts.Rows = append(alerts.Rows, []string{days(s.Day), number(s.Probability)})
		}
	}
	links := numbers{Caption: "Evidence that belongs together", Heads: []string{"from", "day", "to", "day", "between"}}
	for _, l := range t.Links {
		a, b := t.Events[l.From], t.Events[l.To]
		links.Rows = append(links.Rows, []string{describe(a), days(a.Day), describe(b), days(b.Day), l.Text})
	}
	const most = 20
	strong := numbers{Caption: "Events that moved the output most", Heads: []string{"day", "lane", "event", "weight"}}
	order := make([]int, 0, len(t.Events))
	for i, e := range t.Events {
		if e.Weight != 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := math.Abs(t.Events[a].Weight), math.Abs(t.Events[b].Weight); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	for _, i := range order[:min(most, len(order))] {
		e := t.Events[i]
		strong.Rows = append(strong.Rows, []string{days(e.Day), t.Lanes[e.Lane], describe(e), number(e.Weight)})
	}
	for _, n := range []numbers{alerts, links, strong} {
		if len(n.Rows) > 0 {
			out = append(out, n)
		}
	}
	return out
}

// days writes a day with at most one decimal.
func days(d float64) string {
	return strconv.FormatFloat(math.Round(10*d)/10, 'f', -1, 64)
}

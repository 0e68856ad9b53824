package report

import (
	"fmt"
	"html/template"
	"math"
)

// Track is one row of Tracks.
type Track struct {
	Name   string    // of the method: "gradient x attention"
	Unit   string    // "nats"; may be empty
	Values []float64 // (L), signed; NaN where there is none
	Line   bool      // a line instead of bars
	// Unfaithful is what to say of a track that a test of faithfulness has not
	// accepted: "not faithful here: removing what it marks changes the output
	// no more than removing letters at random." The track is then grey.
	Unfaithful string
}

// Span is a stretch of positions with a name, such as a motif.
type Span struct {
	From, To int // coordinates, both included
	Name     string
}

// Tracks shows what several methods say about the positions of one example, a
// row for each, every row with its own scale. The reader zooms by dragging, reads
// values under a crosshair through all rows and, close enough, sees the sequence
// as a logo whose letters are as high as the first row.
type Tracks struct {
	Name    string // stem of saved files
	Alt     string // says in words what the figure shows
	Caption string
	XLabel  string // "position from the start of transcription"
	// Positions (L) are coordinates, see plot.Position; nil numbers from 1.
	Positions []int
	// Labels (L) are the letters, or the codes, at the positions; may be nil.
	Labels []string
	Rows   []Track
	Spans  []Span
}

// tracksMeta is what the script reads; see web/tracks.ts.
type tracksMeta struct {
	Name      string      `json:"name"`
	XLabel    string      `json:"xLabel"`
	N         int         `json:"n"`
	Positions []int       `json:"positions"`
	Labels    []string    `json:"labels"`
	Rows      []trackMeta `json:"rows"`
	Spans     []spanMeta  `json:"spans"`
	Data      string      `json:"data"`
}

type trackMeta struct {
	Name     string `json:"name"`
	Unit     string `json:"unit"`
	Line     bool   `json:"line"`
	Faithful bool   `json:"faithful"`
}

// A spanMeta counts indices, both included.
type spanMeta struct {
	From int    `json:"from"`
	To   int    `json:"to"`
	Name string `json:"name"`
}

func (t Tracks) render(p *page) (template.HTML, error) {
	if err := named("tracks", t.Name, t.Alt); err != nil {
		return "", err
	}
	if err := t.check(); err != nil {
		return "", fmt.Errorf("tracks %q: %w", t.Name, err)
	}
	if t.Positions == nil {
		t.Positions = count(len(t.Rows[0].Values))
	}
	meta := tracksMeta{Name: t.Name, XLabel: t.XLabel, N: len(t.Positions), Positions: t.Positions, Labels: t.Labels}
	var data []byte
	for _, r := range t.Rows {
		meta.Rows = append(meta.Rows, trackMeta{r.Name, r.Unit, r.Line, r.Unfaithful == ""})
		data = float32Planes(data, r.Values)
	}
	for _, s := range t.Spans {
		if from, to, ok := t.indices(s); ok {
			meta.Spans = append(meta.Spans, spanMeta{from, to, s.Name})
		}
	}
	meta.Data = p.keep(data)
	view := struct {
		Tracks
		Meta    string
		Numbers numbers
	}{Tracks: t, Numbers: t.summary()}
	var err error
	if view.Meta, err = p.keepJSON(meta); err != nil {
		return "", err
	}
	return p.execute("tracks", view)
}

func (t Tracks) check() error {
	if len(t.Rows) == 0 {
		return fmt.Errorf("no rows")
	}
	n := len(t.Rows[0].Values)
	if n == 0 || n > maxPoints {
		return fmt.Errorf("%d positions, not 1 to %d", n, maxPoints)
	}
	for _, r := range t.Rows {
		if len(r.Values) != n {
			return fmt.Errorf("row %q has %d values, row %q has %d", r.Name, len(r.Values), t.Rows[0].Name, n)
		}
		if err := drawable(r.Values); err != nil {
			return fmt.Errorf("row %q: %w", r.Name, err)
		}
	}
	if t.Positions != nil && len(t.Positions) != n {
		return fmt.Errorf("%d coordinates for %d positions", len(t.Positions), n)
	}
	if t.Labels != nil && len(t.Labels) != n {
		return fmt.Errorf("%d labels for %d positions", len(t.Labels), n)
	}
	for _, s := range t.Spans {
		if s.From > s.To {
			return fmt.Errorf("span %q from %d to %d", s.Name, s.From, s.To)
		}
	}
	return nil
}

// indices returns the first and the last index in a span, if any.
func (t Tracks) indices(s Span) (from, to int, ok bool) {
	for i, p := range t.Positions {
		if s.From <= p && p <= s.To {
			if !ok {
				from, ok = i, true
			}
			to = i
		}
	}
	return from, to, ok
}

// summary says of each row what is largest in it.
func (t Tracks) summary() numbers {
	n := numbers{Caption: "Each row in short", Heads: []string{"row", "lowest", "at", "highest", "at", "mean magnitude"}}
	for _, r := range t.Rows {
		low, high := extremes(r.Values)
		n.Rows = append(n.Rows, []string{r.Name, valueAt(r.Values, low), t.at(low), valueAt(r.Values, high), t.at(high), number(meanMagnitude(r.Values))})
	}
	return n
}

func (t Tracks) at(i int) string {
	switch {
	case i < 0:
		return "–"
	case t.Labels != nil:
		return place(t.Labels[i], t.Positions[i], t.Positions)
	}
	return coordinate(t.Positions[i], t.Positions)
}

// meanMagnitude is the mean of the absolute values that exist.
func meanMagnitude(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += math.Abs(v)
			n++
		}
	}
	return sum / float64(n)
}

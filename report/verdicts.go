package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
)

// Verdict is what a test of faithfulness found for one method.
type Verdict struct {
	Method              string
	Estimate, Low, High float64 // the measure with its interval
	// Sentence is shown, and must be given, when the interval does not lie
	// wholly on the better side of random: "not faithful here: removing what it
	// marks changes the output no more than removing letters at random."
	Sentence string
}

// Verdicts is the table of faithfulness: a measure of each method against the
// same measure of a random order. A row whose interval does not exclude random,
// or lies on the worse side, is grey and carries its sentence.
type Verdicts struct {
	Caption       string
	Measure       string // "comprehensiveness at 20 %"
	Unit          string // "nats"; may be empty
	Random        float64
	LowerIsBetter bool
	Rows          []Verdict
	Notes         []string
}

// better tells whether the whole interval beats random.
func (v Verdicts) better(r Verdict) bool {
	if v.LowerIsBetter {
		return r.High < v.Random
	}
	return r.Low > v.Random
}

func (v Verdicts) render(p *page) (template.HTML, error) {
	if len(v.Rows) == 0 {
		return "", fmt.Errorf("verdicts %q without methods", v.Caption)
	}
	if math.IsNaN(v.Random) || math.IsInf(v.Random, 0) {
		return "", fmt.Errorf("verdicts %q: random is %v", v.Caption, v.Random)
	}
	v.Measure = tight(v.Measure)
	low, high := v.Random, v.Random
	for _, r := range v.Rows {
		if !(r.Low <= r.Estimate && r.Estimate <= r.High) || math.IsInf(r.Low, 0) || math.IsInf(r.High, 0) {
			return "", fmt.Errorf("verdicts %q: method %q has %v in an interval from %v to %v", v.Caption, r.Method, r.Estimate, r.Low, r.High)
		}
		if !v.better(r) && r.Sentence == "" {
			return "", fmt.Errorf("verdicts %q: method %q does not beat random and has no sentence that says so", v.Caption, r.Method)
		}
		low, high = min(low, r.Low), max(high, r.High)
	}
	type row struct {
		Verdict
		Better         bool
		Value, Between string
		Drawing        template.HTML
	}
	view := struct {
		Verdicts
		Table      []row
		RandomText string
	}{Verdicts: v, RandomText: number(v.Random)}
	for _, r := range v.Rows {
		view.Table = append(view.Table, row{
			Verdict: r, Better: v.better(r), Value: number(r.Estimate), Between: number(r.Low) + " to " + number(r.High),
			Drawing: v.interval(r, low, high),
		})
	}
	return p.execute("verdicts", view)
}

// interval draws an interval on the common scale from low to high, and random as
// a dashed line. It holds numbers alone, so it is trusted.
func (v Verdicts) interval(r Verdict, low, high float64) template.HTML {
	const width, edge = 220.0, 6.0
	x := func(value float64) string {
		t := 0.5
		if high > low {
			t = (value - low) / (high - low)
		}
		return strconv.FormatFloat(edge+t*(width-2*edge), 'f', 1, 64)
	}
	dot := "currentColor"
	if !v.better(r) {
		dot = "none" // an empty circle
	}
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %g 24" width="%g" height="24" aria-hidden="true">`+
		`<path d="M%s 1V23" stroke="currentColor" stroke-dasharray="3 2" fill="none"/>`+
		`<path d="M%s 12H%sM%s 8V16M%s 8V16" stroke="currentColor" stroke-width="1.6" fill="none"/>`+
		`<circle cx="%s" cy="12" r="4" fill="%s" stroke="currentColor" stroke-width="1.6"/></svg>`,
		width, width, x(v.Random), x(r.Low), x(r.High), x(r.Low), x(r.High), x(r.Estimate), dot))
}

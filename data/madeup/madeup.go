// Package madeup makes up timelines of patients whose outcome is a relation between
// two events far apart: a drug, and a laboratory value that may be more than a year
// and a thousand events away. It has what such a task needs to mean something: classes that are equally
// frequent with and without an outcome, negative patients of several kinds that each
// lack one thing, a share of wrong labels and the score that it leaves to the best, and days and events
// between the two that vary apart from each other.
//
// A [Generation] and the number of a patient give a [Patient]; a [Case] is a patient
// as a question that may be put at any time. Nothing here is about a real person,
// reads a file or knows a model.
//
// Shared by the alerts of "heed ehr" and the study "lag".
package madeup

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// A Generation says what timelines to make up: visits at irregular times with
// conditions that come again and again, drugs and laboratory values, among which
// one drug of eight classes and one abnormal analyte of eight decide the outcome by
// their relation. All eight are equally frequent among positive and negative
// patients, so that no model that adds up codes or values can do better than chance,
// but on level 0.
//
//	0  presence: the first drug and the first analyte abnormal (a control: adding
//	   up solves it)
//	1  matched pair: the abnormal analyte is the one that belongs to the drug
//	2  and order: the drug comes before the abnormal value
//	3  and state: the drug was not stopped in between
//	4  and own baseline: abnormal is what differs from the patient's earlier values,
//	   however usual it is among others
//	5  and distractors: other drugs and abnormal analytes that do not belong together
type Generation struct {
	Level    int     `json:"level"`
	Patients int     `json:"patients"`
	Noise    float64 `json:"noise"`   // share of labels that are wrong
	MinGap   float64 `json:"min_gap"` // days between the two, log-uniform in each of GapBins
	MaxGap   float64 `json:"max_gap"`
	Density  float64 `json:"density"` // factor on the number of events
	Seed     uint64  `json:"seed"`
}

// Default returns some thousand patients of level 2.
func Default() Generation {
	return Generation{Level: 2, Patients: 2000, Noise: 0.02, MinGap: 1, MaxGap: 730, Density: 1, Seed: 1}
}

// Validate reports the first field that makes no sense.
func (g *Generation) Validate() error {
	switch {
	case g.Level < 0 || g.Level > 5:
		return fmt.Errorf("level %d: want 0 to 5", g.Level)
	case g.Patients < 8 || g.Patients > 1e7:
		return fmt.Errorf("patients %d: want 8 to 10,000,000", g.Patients)
	case !(g.Noise >= 0 && g.Noise < 0.5):
		return fmt.Errorf("noise %v: want a share in [0, 0.5)", g.Noise)
	case !(g.MinGap >= 1 && g.MinGap < g.MaxGap && g.MaxGap <= 730):
		return fmt.Errorf("gaps of %v to %v days: want 1 to 730", g.MinGap, g.MaxGap)
	case !(g.Density > 0 && g.Density <= 20):
		return fmt.Errorf("density %v: want a factor above 0 and up to 20", g.Density)
	}
	return nil
}

// GapEnds are the upper ends of the strata of gaps, in days.
var GapEnds = [...]float64{7, 30, 90, 180, 365, 512, 730}

// GapBin returns how a table writes the stratum of a gap.
func GapBin(days float64) string {
	low := 1.0
	for _, high := range GapEnds {
		if days <= high {
			return fmt.Sprintf("%03.0f-%03.0f d", low, high)
		}
		low = high + 1
	}
	return "over 730 d"
}

// A Patient is one timeline with the truth about the outcome.
type Patient struct {
	ID       int64
	Birth    time.Time
	Sex      string
	Events   []Event   // in the order of time; of equal times in random order
	Predict  time.Time // just after the last event
	Positive bool      // with noise
	// Kind is "pair" for what makes an outcome, and else what is missing: "other
	// analyte", "normal value" (the analyte that belongs was measured and normal),
	// "other unit" (normal, in a unit that makes the number look abnormal), "wrong
	// order", "stopped"; on level 0 "drug only", "analyte only", "neither".
	Kind    string
	Gap     float64 // days between drug and abnormal value, whichever is first
	Between int     // events between the two
	Drug    int     // index in Events of the drug; -1 if there is none
	Lab     int     // of the abnormal value; -1 if there is none
}

// An Event is one event as a hospital would write it.
type Event struct {
	Code  string
	Value float64 // NaN if there is none
	At    time.Time
}

const (
	pairs        = 8   // drug classes, and analytes
	conditions   = 24  // latent ones, of which a patient has 3 to 6
	perCondition = 12  // codes of each
	common       = 200 // codes that anybody may have
)

// unitFactor turns the first unit of an analyte into the second.
const unitFactor = 10

// analyte returns the mean of an analyte and its deviations between patients and
// within one, in its first unit.
func analyte(k int) (mean, between, within float64) {
	mean = []float64{4.2, 140, 1, 90, 13, 25, 0.9, 250}[k]
	return mean, 0.12 * mean, 0.02 * mean
}

// belongs returns the analyte that a drug class acts on.
func belongs(class int) int { return (5*class + 3) % pairs }

func drugCode(class int) string { return fmt.Sprintf("RX//CLASS-%d", class+1) }
func stopCode(class int) string { return fmt.Sprintf("STOP//CLASS-%d", class+1) }
func labCode(k, unit int) string {
	return fmt.Sprintf("LAB//ANALYTE-%d//%s", k+1, []string{"g/dL", "g/L"}[unit])
}

// Generate makes up patient number id, from 1. It is a function of the arguments.
func (g *Generation) Generate(id int64) *Patient {
	r := rand.New(rand.NewPCG(g.Seed, uint64(id)*0x9e3779b97f4a7c15))
	m := &maker{g: g, r: r}
	m.background(id)
	m.plot(id)
	m.finish()
	return m.s
}

// A maker makes one patient.
type maker struct {
	g *Generation
	r *rand.Rand
	s *Patient

	start   time.Time
	span    float64   // days of the record
	visits  []float64 // days from the start
	unit    int       // of the patient's laboratory
	offsets [pairs]float64
	events  []made
}

type made struct {
	Event
	mark int // 1 the drug, 2 the abnormal value
}

func (m *maker) at(days float64) time.Time {
	return m.start.Add(time.Duration(days * 24 * float64(time.Hour))).Truncate(time.Second)
}

func (m *maker) add(code string, value, days float64, mark int) {
	m.events = append(m.events, made{Event{code, value, m.at(days)}, mark})
}

// normal returns a value of an analyte as it usually is for this patient.
func (m *maker) normal(k, unit int) float64 {
	mean, _, within := analyte(k)
	v := mean + m.offsets[k] + within*m.r.NormFloat64()
	if unit == 1 {
		v *= unitFactor
	}
	return v
}

// abnormal returns a value of an analyte that calls for attention: far outside of
// what anybody has, or, from level 4, eight of the patient's own deviations up.
func (m *maker) abnormal(k, unit int) float64 {
	mean, between, within := analyte(k)
	v := mean + m.offsets[k] + 8*within
	if m.g.Level < 4 {
		v = mean + 6*between + within*m.r.NormFloat64()
	}
	if unit == 1 {
		v *= unitFactor
	}
	return v
}

// background makes visits with conditions and normal values. Nothing in it knows
// of the outcome.
func (m *maker) background(id int64) {
	r := m.r
	nan := math.NaN()
	m.start = time.Date(2010+r.IntN(8), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC)
	m.span = 780 + 320*r.Float64()
	age := 30 + 55*r.Float64()
	m.s = &Patient{ID: id, Birth: m.at(-365.25 * age).Truncate(24 * time.Hour), Sex: []string{"F", "M"}[r.IntN(2)], Drug: -1, Lab: -1}
	m.unit = r.IntN(2)
	for k := range m.offsets {
		_, between, _ := analyte(k)
		m.offsets[k] = between * r.NormFloat64()
	}
	// Gaps between visits are a mixture: hours within a stay, weeks to months of the
	// chronic, the better part of a year of the rare.
	chronic := 0.3 + 0.6*r.Float64()
	for day := 20 * r.Float64(); day < m.span; {
		m.visits = append(m.visits, day)
		switch u := r.Float64(); {
		case u < 0.2:
			day += math.Exp(math.Log(0.5) + 0.4*r.NormFloat64())
		case u < 0.2+0.8*chronic:
			day += math.Exp(math.Log(50) + 0.4*r.NormFloat64())
		default:
			day += math.Exp(math.Log(280) + 0.2*r.NormFloat64())
		}
	}
	var mine []int
	for len(mine) < 3+r.IntN(4) {
		if c := r.IntN(conditions); !slices.Contains(mine, c) {
			mine = append(mine, c)
		}
	}
	rich := m.g.Density * math.Exp(0.5*r.NormFloat64()) // so that events and days are two things
	var last []string
	for _, day := range m.visits {
		m.add("VISIT//OUTPATIENT", nan, day, 0)
		var now []string
		for _, code := range last {
			if r.Float64() < 0.6 { // copied forward
				now = append(now, code)
			}
		}
		for range 1 + int(rich*(2+6*r.Float64())*(0.7+0.6*day/m.span)) {
			code := fmt.Sprintf("DX//COMMON-%d", 1+zipf(r, common))
			if r.Float64() < 0.7 {
				code = fmt.Sprintf("DX//CONDITION-%d-%d", 1+mine[r.IntN(len(mine))], 1+zipf(r, perCondition))
			}
			if !slices.Contains(now, code) {
				now = append(now, code)
			}
		}
		last = now[:min(len(now), 20)]
		for _, code := range now {
			m.add(code, nan, day+0.02*r.Float64(), 0)
		}
		for k := range pairs {
			if r.Float64() < 0.4 {
				value := m.normal(k, m.unit)
				if r.Float64() < 0.05 {
					value = nan
				}
				m.add(labCode(k, m.unit), value, day+0.1*r.Float64(), 0)
			}
		}
	}
}

// zipf draws a number below n, 0 the most frequent, by the law of exponent 1.1.
func zipf(r *rand.Rand, n int) int {
	for {
		// The inverse of the continuous law; the rejection is cheap.
		x := int(math.Pow(1-r.Float64()*(1-math.Pow(float64(n+1), -0.1)), -10)) - 1
		if x < n {
			return max(0, x)
		}
	}
}

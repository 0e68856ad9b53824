package madeup

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// A Case is a patient as a question that may be put at any time: has what decides the
// outcome happened by now? A question is a number of events that have happened, from 1
// to Count.
type Case struct {
	Patient *Patient
	Events  []Happening // in the order of time
	Count   int         // of Events, which may be let go
	// Second is the number of events up to and including the later of the two, with
	// all that have its time: from there on the answer is that of the patient.
	Second int
}

// A Happening is an event by its distance from Patient.Predict.
type Happening struct {
	Code  string
	Value float32 // NaN if there is none
	Days  float64 // before the prediction
}

// Case makes patient number id, as dense as the seed says between two factors,
// log-uniform: so that days and events apart are two things. Density is not looked at.
func (g Generation) Case(id int64, minDensity, maxDensity float64) Case {
	r := rand.New(rand.NewPCG(g.Seed^0x64656e73, uint64(id)))
	g.Density = minDensity * math.Pow(maxDensity/minDensity, r.Float64())
	s := g.Generate(id)
	c := Case{Patient: s, Events: make([]Happening, len(s.Events)), Count: len(s.Events)}
	for i, e := range s.Events {
		c.Events[i] = Happening{e.Code, float32(e.Value), s.Predict.Sub(e.At).Hours() / 24}
	}
	c.Second = 1 + max(s.Drug, s.Lab)
	for c.Second < len(s.Events) && s.Events[c.Second].At.Equal(s.Events[c.Second-1].At) {
		c.Second++
	}
	return c
}

// Draw returns the question of an example in training: at the end, half of the time;
// after the two, a quarter; before the second of them, a quarter.
func (c *Case) Draw(r *rand.Rand) int {
	switch u := r.Float64(); {
	case u < 0.25:
		return c.Before(r.Float64())
	case u < 0.5:
		return c.Second + r.IntN(c.Count-c.Second+1)
	}
	return c.Count
}

// Before returns a number of events without the second of the two, from one to all
// that came before it, by a number in [0, 1).
func (c *Case) Before(u float64) int {
	last := max(c.Patient.Drug, c.Patient.Lab)
	return 1 + min(last-1, int(u*float64(last)))
}

// Answer is the label after count events: that of the patient, once the two have
// happened.
func (c *Case) Answer(count int) bool { return c.Patient.Positive && count >= c.Second }

// Truth is the answer of who knows what decides the outcome: what Answer is but for the
// labels that are wrong. Its score is the ceiling of every model's.
func (c *Case) Truth(count int) bool { return c.Patient.Kind == "pair" && count >= c.Second }

// tries is how many patients are drawn before another number of events between is.
const tries = 200

// Crowded makes patient number id with low to high events between the two, by codes
// without values of other patients between the first and the second. It draws anew
// if there were more before, and another number of them if no patient has so few. Patient.Events stay without them.
func (g Generation) Crowded(id int64, low, high int, density float64) Case {
	r := rand.New(rand.NewPCG(g.Seed^0x63726f7764, uint64(id)))
	want := low + r.IntN(high-low+1)
	c := g.Case(id, density, density)
	s := c.Patient
	for try := int64(1); s.Between > want; try++ {
		if try%tries == 0 { // on level 5 no patient has so few
			want = low + r.IntN(high-low+1)
		}
		c = g.Case(id+try*2*1000*int64(len(g.Kinds())), density, density)
		s = c.Patient
	}
	from, to := min(s.Drug, s.Lab), max(s.Drug, s.Lab)
	a, b := c.Events[from].Days, c.Events[to].Days
	g.Density = 1
	var extra []Happening
	for other := id + 1<<40; len(extra) < want-s.Between; other++ {
		for _, e := range g.Generate(other).Events {
			if e.Value == e.Value || !strings.HasPrefix(e.Code, "DX//") || len(extra) == want-s.Between {
				continue
			}
			extra = append(extra, Happening{e.Code, float32(math.NaN()), b + (a-b)*(0.001+0.998*r.Float64())})
		}
	}
	c.Events = slices.Concat(c.Events, extra)
	c.Count = len(c.Events)
	slices.SortStableFunc(c.Events, func(x, y Happening) int { return cmp.Compare(y.Days, x.Days) })
	s.Between = want
	// The truth counts in events of its own, which the filling moved.
	shift := want - (to - from - 1)
	if s.Drug > s.Lab {
		s.Drug += shift
	} else {
		s.Lab += shift
	}
	c.Second += shift
	return c
}

// BetweenEnds are the upper ends of the bins of events between the two.
var BetweenEnds = [...]int{32, 128, 512, 1024, 2048}

// Variant returns the events of a patient of level 1 or above, perhaps with another
// drug, that does not belong to the value, or with a normal value: what interventions compare.
func (c *Case) Variant(drug, value bool) []Happening {
	events := slices.Clone(c.Events)
	s := c.Patient
	if !drug {
		class := int(events[s.Drug].Code[len("RX//CLASS-")] - '1')
		events[s.Drug].Code = drugCode((class + 1 + int(s.ID)%(pairs-1)) % pairs)
	}
	if !value {
		k := int(events[s.Lab].Code[len("LAB//ANALYTE-")] - '1')
		mean, _, _ := analyte(k)
		if strings.HasSuffix(events[s.Lab].Code, "g/L") {
			mean *= unitFactor
		}
		events[s.Lab].Value = float32(mean)
	}
	return events
}

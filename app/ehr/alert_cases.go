package ehr

import (
	"math"
	"math/rand/v2"

	"heed/model/timeline"
)

// An alertCase is a made-up patient as a question that may be put at any time: has
// what decides the outcome happened by now?
type alertCase struct {
	truth  *Synthetic
	events []timeline.Event // times in days before Synthetic.Predict
	seq    timeline.Sequence
	// second is the number of events up to and including the later of the two, with
	// all that have its time: from there on the answer is that of the patient.
	second int
}

// alertCase makes patient number id, as dense as the seed says between two factors,
// log-uniform: so that days and events apart are two things.
func (g Generation) alertCase(id int64, minDensity, maxDensity float64) alertCase {
	r := rand.New(rand.NewPCG(g.Seed^0x64656e73, uint64(id)))
	g.Density = minDensity * math.Pow(maxDensity/minDensity, r.Float64())
	s := g.Generate(id)
	c := alertCase{truth: s, events: make([]timeline.Event, len(s.Events))}
	for i, e := range s.Events {
		c.events[i] = timeline.Event{Code: e.Code, Time: s.Predict.Sub(e.At).Hours() / 24}
		if e.Value == e.Value {
			c.events[i].Values = []float32{float32(e.Value)}
		}
	}
	c.second = 1 + max(s.Drug, s.Lab)
	for c.second < len(s.Events) && s.Events[c.second].At.Equal(s.Events[c.second-1].At) {
		c.second++
	}
	return c
}

// A question is a case after some of its events.
type question struct {
	c     *alertCase
	count int // events that have happened
}

// at returns the question after count events, asked at the time of the last of them;
// after all events, at the time of the prediction.
func (c *alertCase) at(count int) question { return question{c, count} }

// draw returns the question of an example in training: at the end, half of the time;
// after the two, a quarter; before the second of them, a quarter.
func (c *alertCase) draw(r *rand.Rand) question {
	n := len(c.seq.Codes)
	switch u := r.Float64(); {
	case u < 0.25:
		return c.at(c.before(r.Float64()))
	case u < 0.5:
		return c.at(c.second + r.IntN(n-c.second+1))
	}
	return c.at(n)
}

// before returns a number of events without the second of the two, from one to all
// that came before it, by a number in [0, 1).
func (c *alertCase) before(u float64) int {
	last := max(c.truth.Drug, c.truth.Lab)
	return 1 + min(last-1, int(u*float64(last)))
}

// positive says what the answer is.
func (q question) positive() bool { return q.c.truth.Positive && q.count >= q.c.second }

// sequence returns the tokens of the question. It shares what it can with those of
// the case.
func (q question) sequence(channels int) timeline.Sequence {
	s := &q.c.seq
	if q.count == len(s.Codes) {
		return *s
	}
	out := timeline.Sequence{Codes: s.Codes[:q.count], Visits: s.Visits[:q.count], Values: s.Values[:q.count*channels], Age: s.Age}
	now := s.Times[q.count-1]
	out.Times = make([]float32, q.count)
	for i, t := range s.Times[:q.count] {
		out.Times[i] = t - now
	}
	return out
}

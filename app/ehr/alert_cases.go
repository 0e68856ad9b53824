package ehr

import (
	"math"

	"heed/data/madeup"
	"heed/model/timeline"
)

// An alertCase is a made-up patient with the tokens of all events.
type alertCase struct {
	madeup.Case
	seq timeline.Sequence
}

// happened returns happenings as what a vocabulary is learned from.
func happened(events []madeup.Happening) []timeline.Event {
	out := make([]timeline.Event, len(events))
	for i, e := range events {
		out[i] = timeline.Event{Code: e.Code, Time: e.Days}
		if e.Value == e.Value {
			out[i].Values = []float32{e.Value}
		}
	}
	return out
}

// encode gives the case its tokens.
func (c *alertCase) encode(v *timeline.Vocabulary) {
	c.seq = v.Encode(happened(c.Events), float32(math.NaN()), false)
}

// A question is a case after some of its events, asked at the time of the last of them;
// after all events, at the time of the prediction.
type question struct {
	c     *alertCase
	count int // events that have happened
}

// at returns the question after count events.
func (c *alertCase) at(count int) question { return question{c, count} }

// positive says what the answer is.
func (q question) positive() bool { return q.c.Answer(q.count) }

// sequence returns the tokens of the question. It shares what it can with those of
// the case.
func (q question) sequence() timeline.Sequence { return q.c.seq.Until(q.count) }

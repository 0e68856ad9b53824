package timeline

import (
	"fmt"
	"math"

	"heed/autograd"
	"heed/nn"
)

// Standard returns a value of a channel of a code in standard deviations from its
// mean, at most 5, and 0 where there is no value or the code was not learned.
func (v *Vocabulary) Standard(code int32, channel int, x float32) (z float32, known bool) {
	if code < firstCode || !finite(x) {
		return 0, false
	}
	return v.standard(int(code-firstCode)*v.Channels+channel, x), true
}

// A Stream is one patient whose events arrive one by one: what a causal model has to
// remember of them, which is the keys and values of every layer. An event costs one
// row through the layers and a look at what is remembered, not a pass over all of
// it. It is no place for goroutines to meet.
//
// The logits are those of [Model.Logits] of the same events, up to rounding, as long
// as there are at most Config.MaxTokens. Of more, the oldest are forgotten, while
// what stays still knows what it had seen: then the two may differ.
type Stream struct {
	m      *Model
	keys   [][]float32 // of each layer (T, D)
	values [][]float32
	times  []float64 // days, from anywhere
	tape   autograd.Tape
}

// NewStream returns a stream without events. The error says why the model cannot be
// asked event by event.
func (m *Model) NewStream() (*Stream, error) {
	switch c := &m.Config; {
	case !c.Causal:
		return nil, fmt.Errorf("timeline: a stream needs a causal model: here every event changes all others")
	case c.Time != "bias" && c.Time != "none":
		return nil, fmt.Errorf("timeline: time %q counts from the prediction, so that what is remembered changes with it: want bias or none", c.Time)
	}
	n := len(m.Layers)
	return &Stream{m: m, keys: make([][]float32, n), values: make([][]float32, n), tape: autograd.Tape{NoGrad: true}}, nil
}

// Len returns the number of events that are remembered.
func (s *Stream) Len() int { return len(s.times) }

// Add appends an event, whose Time is here the day on which it happened, counted from
// any day that is the same for all: not before the event before it. age is that at
// the event, in years; NaN if it is not known.
func (s *Stream) Add(e Event, age float32) error {
	if n := len(s.times); n > 0 && e.Time < s.times[n-1] {
		return fmt.Errorf("timeline: an event %.3g days before the last one", s.times[n-1]-e.Time)
	}
	if s.Len() == s.m.Config.MaxTokens {
		d := s.m.Config.Dim
		for l := range s.keys {
			s.keys[l], s.values[l] = append(s.keys[l][:0], s.keys[l][d:]...), append(s.values[l][:0], s.values[l][d:]...)
		}
		s.times = append(s.times[:0], s.times[1:]...)
	}
	day := e.Time
	e.Time = 0
	q := s.m.Vocabulary.Encode([]Event{e}, age, false)
	b := &Batch{perToken: s.m.perToken()}
	b.reserve(1)
	s.m.packToken(b, &q, 0)
	s.row(b, day, true)
	return nil
}

// Logits returns the logits (Outputs) on a day, not before the last event. It leaves
// the stream as it is.
func (s *Stream) Logits(day float64, age float32) []float32 {
	b := &Batch{perToken: s.m.perToken()}
	b.reserve(1)
	s.m.packCls(b, &Sequence{Age: age})
	h := s.row(b, day, false)
	return append([]float32(nil), s.m.Classifier.Forward(&s.tape, s.m.Norm.Forward(&s.tape, h)).Data...)
}

// row takes one row through the layers, and remembers it if asked to.
func (s *Stream) row(b *Batch, day float64, remember bool) *autograd.Var {
	t := &s.tape
	t.Reset()
	x := s.m.embed(t, b)
	n := len(s.times) + 1
	one := []autograd.Segment{{Start: 0, Count: 1, Stride: 1}}
	all := []autograd.Segment{{Start: 0, Count: n, Stride: 1}}
	var bias *autograd.Var
	if s.m.Slopes != nil {
		bias = autograd.Input(s.bias(day), s.m.Config.Heads, 1, n)
	}
	for l, layer := range s.m.Layers {
		a := layer.Mixer.(*nn.MultiHeadAttention)
		h := layer.Norm1.Forward(t, x)
		// The row itself is the last key. Without remembering, its place is given
		// up again.
		had := len(s.keys[l])
		s.keys[l] = append(s.keys[l], a.Key.Forward(t, h).Data...)
		s.values[l] = append(s.values[l], a.Value.Forward(t, h).Data...)
		d := s.m.Config.Dim
		o := autograd.Attention(t, a.Query.Forward(t, h), autograd.Input(s.keys[l], n, d), autograd.Input(s.values[l], n, d),
			autograd.AttentionSpec{Heads: a.Heads, Query: one, Key: all, Bias: bias})
		x = autograd.Add(t, x, a.Out.Forward(t, o))
		x = autograd.Add(t, x, layer.Down.Forward(t, autograd.GELU(t, layer.Up.Forward(t, layer.Norm2.Forward(t, x)))))
		if !remember {
			s.keys[l], s.values[l] = s.keys[l][:had], s.values[l][:had]
		}
	}
	if remember {
		s.times = append(s.times, day)
	}
	return x
}

// bias returns what [autograd.LagBias] says of one row and all before it, itself
// included: (H, T).
func (s *Stream) bias(day float64) []float32 {
	n := len(s.times) + 1
	out := make([]float32, s.m.Config.Heads*n)
	for j := range n - 1 {
		lag := float32(math.Log1p((day - s.times[j]) / float64(s.m.Config.LagUnit)))
		for h, slope := range s.m.Slopes.Data {
			out[h*n+j] = -slope * lag
		}
	}
	return out
}

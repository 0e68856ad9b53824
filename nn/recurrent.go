package nn

import (
	"math"
	"math/rand/v2"

	"heed/autograd"
)

// A Reader reads a sequence row by row and has a state after every row: (T, In)
// to (T, H).
type Reader interface {
	Module
	Forward(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var
}

// LSTM is a long short-term memory (Hochreiter & Schmidhuber 1997) with the
// weights, the order of gates (input, forget, cell, output) and the initial
// values of PyTorch's.
type LSTM struct {
	Input   *Linear // (4H, In)
	Hidden  *Linear // (4H, H)
	Reverse bool    // it reads from the last row of a segment to the first
}

// NewLSTM returns an LSTM from in to width values. All weights and biases are
// uniform within 1/√width; a nil r leaves zeros.
func NewLSTM(in, width int, r *rand.Rand) *LSTM {
	return &LSTM{Input: newGates(4, in, width, r), Hidden: newGates(4, width, width, r)}
}

// newGates returns the weights of a recurrent layer's gates.
func newGates(gates, in, width int, r *rand.Rand) *Linear {
	l := &Linear{autograd.Param(gates*width, in), autograd.Param(gates * width)}
	bound := 1 / math.Sqrt(float64(width))
	uniform(l.Weight, bound, r)
	uniform(l.Bias, bound, r)
	return l
}

// Remember sets the bias of the forget gate, as Jozefowicz et al. 2015 advise:
// with 1 an untrained cell keeps about three quarters of its content at a step,
// with 0 the half, and gradients reach farther back.
func (l *LSTM) Remember(bias float32) {
	h := l.Hidden.Weight.Dim(1)
	for i := h; i < 2*h; i++ {
		l.Input.Bias.Data[i], l.Hidden.Bias.Data[i] = bias, 0
	}
}

// Forward maps x (T, In) to the states (T, H).
func (l *LSTM) Forward(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	return autograd.LSTM(t, x, l.Input.Weight, l.Input.Bias, l.Hidden.Weight, l.Hidden.Bias, s, l.Reverse)
}

// Visit names input and hidden.
func (l *LSTM) Visit(prefix string, f Visitor) {
	l.Input.Visit(Join(prefix, "input"), f)
	l.Hidden.Visit(Join(prefix, "hidden"), f)
}

// GRU is a gated recurrent unit (Cho et al. 2014) with the weights, the order of
// gates (reset, update, new) and the initial values of PyTorch's.
type GRU struct {
	Input   *Linear // (3H, In)
	Hidden  *Linear // (3H, H)
	Reverse bool    // it reads from the last row of a segment to the first
}

// NewGRU returns a GRU from in to width values, initialised like NewLSTM.
func NewGRU(in, width int, r *rand.Rand) *GRU {
	return &GRU{Input: newGates(3, in, width, r), Hidden: newGates(3, width, width, r)}
}

// Forward maps x (T, In) to the states (T, H).
func (g *GRU) Forward(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	return autograd.GRU(t, x, g.Input.Weight, g.Input.Bias, g.Hidden.Weight, g.Hidden.Bias, nil, s, g.Reverse)
}

// Visit names input and hidden.
func (g *GRU) Visit(prefix string, f Visitor) {
	g.Input.Visit(Join(prefix, "input"), f)
	g.Hidden.Visit(Join(prefix, "hidden"), f)
}

// Bidirectional reads a sequence in both directions (Schuster & Paliwal 1997):
// the states of both readers side by side.
type Bidirectional struct{ Ahead, Back Reader }

// NewBiLSTM returns two LSTMs of the given width; the result has twice that.
func NewBiLSTM(in, width int, r *rand.Rand) *Bidirectional {
	b := &Bidirectional{NewLSTM(in, width, r), NewLSTM(in, width, r)}
	b.Back.(*LSTM).Reverse = true
	return b
}

// NewBiGRU returns two GRUs of the given width; the result has twice that.
func NewBiGRU(in, width int, r *rand.Rand) *Bidirectional {
	b := &Bidirectional{NewGRU(in, width, r), NewGRU(in, width, r)}
	b.Back.(*GRU).Reverse = true
	return b
}

// Forward maps x (T, In) to (T, 2H), the states of Ahead first.
func (b *Bidirectional) Forward(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	return autograd.Concat(t, b.Ahead.Forward(t, x, s), b.Back.Forward(t, x, s))
}

// Visit names ahead and back.
func (b *Bidirectional) Visit(prefix string, f Visitor) {
	b.Ahead.Visit(Join(prefix, "ahead"), f)
	b.Back.Visit(Join(prefix, "back"), f)
}

// RecurrentMixer is a Reader in the place of attention: its states, brought back
// to the width of the model.
type RecurrentMixer struct {
	Reader Reader
	Out    *Linear // (D, H)
}

// Mix maps x (T, D) to (T, D).
func (m *RecurrentMixer) Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	return m.Out.Forward(t, m.Reader.Forward(t, x, s))
}

// Visit names reader and out.
func (m *RecurrentMixer) Visit(prefix string, f Visitor) {
	m.Reader.Visit(Join(prefix, "reader"), f)
	m.Out.Visit(Join(prefix, "out"), f)
}

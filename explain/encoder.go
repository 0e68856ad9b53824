package explain

import (
	"fmt"
	"slices"

	"heed/autograd"
	"heed/nn"
	"heed/tensor"
)

// An Encoder is what decompositions look into beside a [Case]: a stack of
// pre-norm layers, a last norm and a linear classifier. The methods that take
// one are exact for this architecture and say nothing of another.
type Encoder struct {
	Layers     []*nn.EncoderLayer
	Norm       *nn.LayerNorm
	Classifier *nn.Linear // (C, D)
	// Class (C) are the weights by which the score adds the logits, as
	// [ContrastWeights] returns them.
	Class []float32
}

// Check reports a layer that is not made of named attention.
func (e *Encoder) Check() error {
	for i, l := range e.Layers {
		a, ok := l.Mixer.(*nn.MultiHeadAttention)
		switch {
		case !ok:
			return fmt.Errorf("layer %d mixes positions by %T, not by attention", i, l.Mixer)
		case l.Name == "" || a.Name == "":
			return fmt.Errorf("layer %d has no name for a probe", i)
		}
	}
	return nil
}

// A trace is what one pass left in one layer.
type trace struct {
	layer     *nn.EncoderLayer
	attention *nn.MultiHeadAttention
	input     []float32 // (L, D) x
	middle    []float32 // (L, D) x + attention
	output    []float32 // (L, D) x + attention + feed-forward
	weights   []float32 // (H, L, L)
	heads     []float32 // (L, D) outputs of the heads side by side, before Out
}

// trace runs a case once and returns what its layers saw. The encoder must have
// passed Check and be that of the case; width D is that of its norm.
func (e *Encoder) trace(c *Case) []trace {
	out := make([]trace, len(e.Layers))
	where := map[string]*[]float32{}
	for i, l := range e.Layers {
		a := l.Mixer.(*nn.MultiHeadAttention)
		s := &out[i]
		s.layer, s.attention = l, a
		for name, dst := range map[string]*[]float32{
			l.Name + ".input": &s.input, l.Name + ".middle": &s.middle, l.Name + ".output": &s.output,
			a.Name + ".weights": &s.weights, a.Name + ".heads": &s.heads,
		} {
			where[name] = dst
		}
	}
	width := e.width()
	c.run(&autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		dst := where[name]
		if dst == nil {
			return
		}
		if len(v.Shape) == 2 {
			tensor.Check("explain: "+name, v.Shape, c.Rows, width)
		} else {
			tensor.Check("explain: "+name, v.Shape, 1, -1, c.Rows, c.Rows)
		}
		*dst = slices.Clone(v.Data)
	}}, 1)
	for name, dst := range where {
		if *dst == nil {
			panic(fmt.Sprintf("explain: the case never showed %q to the probe", name))
		}
	}
	return out
}

// width returns D.
func (e *Encoder) width() int { return len(e.Norm.Weight.Data) }

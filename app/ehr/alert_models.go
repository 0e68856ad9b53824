package ehr

import (
	"heed/autograd"
	"heed/model/timeline"
	"heed/nn"
)

// An alertModel answers questions: one logit each.
type alertModel interface {
	nn.Module
	logits(t *autograd.Tape, seqs []*timeline.Sequence) *autograd.Var // (S, 1)
}

// alertTransformer is the causal encoder.
type alertTransformer struct{ *timeline.Model }

func (m alertTransformer) logits(t *autograd.Tape, seqs []*timeline.Sequence) *autograd.Var {
	return m.Logits(t, m.Pack(t.Rand, seqs...))
}

// alertRecurrent is a floor.
type alertRecurrent struct{ *timeline.Recurrent }

func (m alertRecurrent) logits(t *autograd.Tape, seqs []*timeline.Sequence) *autograd.Var {
	return m.Logits(t, seqs...)
}

// parameters counts the trainable numbers that a logit depends on.
func parameters(m alertModel) int {
	if t, ok := m.(alertTransformer); ok {
		return t.Parameters()
	}
	return nn.Count(m)
}

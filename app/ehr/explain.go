package ehr

import (
	"context"
	"fmt"
	"math"
	"slices"

	"heed/autograd"
	"heed/explain"
	"heed/model/timeline"
)

// Evidence is one token behind a prediction.
type Evidence struct {
	Code   string    `json:"code"`
	Days   float64   `json:"days_before"`
	Values []float32 `json:"values,omitempty"` // in the order of Explanation.Channels; absent ones are 0 and not in Known
	Known  []bool    `json:"known,omitempty"`
	// Part is what integrated gradients say that the token adds to the logit,
	// against a patient all of whose tokens are hidden; the parts of all tokens add
	// up to the difference between the two. It is the mean over the members.
	Part float64 `json:"integrated_gradients"`
	// Without is the probability if the token had not been there.
	Without float64 `json:"probability_without"`
}

// An Explanation is a prediction with its evidence, the strongest first.
type Explanation struct {
	IntendedUse string     `json:"intended_use"`
	Patient     string     `json:"subject"` // a pseudonym, if heed ehr explain is not told otherwise
	At          string     `json:"prediction_time,omitempty"`
	Probability float64    `json:"probability"`
	Alert       bool       `json:"alert"`
	Channels    []string   `json:"channels"`
	Evidence    []Evidence `json:"evidence"`
	// Missing is what the parts lack of their sum, in units of the logit.
	Missing float64 `json:"integration_error"`
	// Removed holds the probability after the strongest 1, 2, ... tokens were
	// removed together, and Random the mean of as many random ones: evidence that
	// is no better than chance is none.
	Removed []float64 `json:"probability_without_top"`
	Random  []float64 `json:"probability_without_random"`
	Limits  string    `json:"limits"`
}

const limits = "Parts and removals say what the model used, not what caused the outcome; tokens that carry the same information share or hide each other's effect."

// Explain returns the top tokens behind the prediction of a case: parts of the
// logit by integrated gradients, and what the prediction becomes without them.
func (f *Fitted) Explain(ctx context.Context, c *Case, top int, seed uint64) (*Explanation, error) {
	s := f.sequence(c)
	n := len(s.Codes)
	if first := n - f.Config.Model.MaxTokens; first > 0 {
		s = without(&s, f.Vocabulary.Channels, func(i int) bool { return i < first })
		n = len(s.Codes)
	}
	x := &Explanation{IntendedUse: Notice, Limits: limits, Channels: f.Config.Tokens.channelNames()}
	x.Probability = f.probabilities(f.logits([]timeline.Sequence{s}))[0]
	x.Alert = x.Probability >= f.Threshold
	parts, missing, err := f.parts(ctx, &s)
	if err != nil {
		return nil, err
	}
	x.Missing = missing
	removals := make([]timeline.Sequence, n)
	for i := range removals {
		removals[i] = without(&s, f.Vocabulary.Channels, func(j int) bool { return j == i })
	}
	p := f.probabilities(f.logits(removals))
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch pa, pb := math.Abs(parts[a]), math.Abs(parts[b]); {
		case pa > pb:
			return -1
		case pa < pb:
			return 1
		}
		return 0
	})
	for _, i := range order[:min(top, n)] {
		e := Evidence{Code: f.Vocabulary.Name(s.Codes[i]), Days: float64(s.Times[i]), Part: parts[i], Without: p[i]}
		for _, v := range s.Values[i*f.Vocabulary.Channels : (i+1)*f.Vocabulary.Channels] {
			known := v-v == 0
			if !known {
				v = 0
			}
			e.Values, e.Known = append(e.Values, v), append(e.Known, known)
		}
		x.Evidence = append(x.Evidence, e)
	}
	x.Removed, x.Random = f.removals(&s, order[:min(top, n)], seed)
	return x, nil
}

// parts returns the integrated gradients of the mean logit over the tokens, and
// what they lack of their sum.
func (f *Fitted) parts(ctx context.Context, s *timeline.Sequence) ([]float64, float64, error) {
	parts := make([]float64, len(s.Codes))
	missing := 0.0
	for _, m := range f.Members {
		rows := 1 + len(s.Codes)
		shift, cls := 1, 0
		if f.Config.Model.Causal {
			shift, cls = 0, rows-1
		}
		c := &explain.Case{Rows: rows, Readout: explain.ReadRow(rows, cls), Run: func(t *autograd.Tape, n int) *autograd.Var {
			return m.Logits(t, m.Pack(nil, slices.Repeat([]*timeline.Sequence{s}, n)...))
		}}
		hidden := c.Embedded()
		mask := m.Embed.Weight.Data[int(timeline.MaskToken)*f.Config.Model.Dim:][:f.Config.Model.Dim]
		for i := range s.Codes {
			copy(hidden.Data[(i+shift)*len(mask):], mask)
		}
		g, err := explain.IntegratedGradients(ctx, c, 8, hidden.Data)
		if err != nil {
			return nil, 0, err
		}
		for i := range parts {
			parts[i] += g.Values[i+shift] / float64(len(f.Members))
		}
		missing += g.Error / float64(len(f.Members))
	}
	return parts, missing, nil
}

// without returns a sequence without some of its tokens.
func without(s *timeline.Sequence, channels int, drop func(i int) bool) timeline.Sequence {
	out := timeline.Sequence{Age: s.Age}
	for i := range s.Codes {
		if !drop(i) {
			out.Codes, out.Times, out.Visits = append(out.Codes, s.Codes[i]), append(out.Times, s.Times[i]), append(out.Visits, s.Visits[i])
			out.Values = append(out.Values, s.Values[i*channels:(i+1)*channels]...)
		}
	}
	return out
}

// channelNames names the values of a token.
func (k Tokens) channelNames() []string {
	if len(k.Windows) == 0 {
		return []string{"value"}
	}
	if !k.Joined {
		return windowStatistics
	}
	var names []string
	for _, w := range k.Windows {
		for _, s := range windowStatistics {
			if w > 0 {
				s = fmt.Sprintf("%s of %g h", s, w)
			}
			names = append(names, s)
		}
	}
	return names
}

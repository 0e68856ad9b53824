package ehr

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"heed/autograd"
	"heed/model/timeline"
	"heed/train"
)

// Pretraining says what a model learns from the training part before it sees a
// label.
type Pretraining struct {
	// Kind is "none"; "masked", to tell hidden codes from those around them; or
	// "forecast", to tell what values come next.
	Kind   string  `json:"kind"`
	Epochs int     `json:"epochs,omitempty"`
	Rate   float64 `json:"rate,omitempty"`  // peak learning rate
	Hours  float64 `json:"hours,omitempty"` // forecast: how far ahead
}

// Validate fills in the defaults and reports the first field that makes no sense.
func (p *Pretraining) Validate() error {
	switch p.Kind {
	case "none", "":
		return nil
	case "masked", "forecast":
	default:
		return fmt.Errorf("pretrain %q: want none, masked or forecast", p.Kind)
	}
	if p.Epochs == 0 {
		p.Epochs = 5
	}
	if p.Rate == 0 {
		p.Rate = 1e-3
	}
	if p.Hours == 0 {
		p.Hours = 6
	}
	switch {
	case p.Epochs < 1:
		return fmt.Errorf("pretrain-epochs %d: want 1 or more", p.Epochs)
	case !(p.Rate > 0):
		return fmt.Errorf("pretrain-rate %v: want a positive number", p.Rate)
	case !(p.Hours > 0):
		return fmt.Errorf("pretrain-hours %v: want a positive number", p.Hours)
	}
	return nil
}

// maskRate is the share of tokens that masked pre-training hides.
const maskRate = 0.15

// pretrain trains one member without labels.
func (f *Fitted) pretrain(ctx context.Context, m *timeline.Model, seed uint64, p *fitPart, see func(Progress)) error {
	c := f.Config.Pretrain
	if c.Kind == "none" || c.Kind == "" {
		return nil
	}
	var lengths []int
	var examples []int // of p.train
	for i := range p.trainSeqs {
		if n := len(p.trainSeqs[i].Codes); n > 1 {
			examples, lengths = append(examples, i), append(lengths, 1+n)
		}
	}
	if len(examples) == 0 {
		return errors.New("pre-training needs cases of two events or more")
	}
	loss := func(t *autograd.Tape, some []int, norm float32) *autograd.Var {
		seqs := make([]*timeline.Sequence, len(some))
		for i, e := range some {
			seqs[i] = &p.trainSeqs[examples[e]]
		}
		b := m.Pack(t.Rand, seqs...)
		rows, codes := b.Hide(maskRate, t.Rand)
		if len(rows) == 0 {
			return autograd.Scale(t, autograd.Sum(t, m.Masked.Bias), 0)
		}
		return autograd.CrossEntropy(t, m.MaskedLogits(t, b, rows), codes, norm*float32(len(rows))/float32(len(some)))
	}
	var targets atomic.Int64
	if c.Kind == "forecast" {
		loss = func(t *autograd.Tape, some []int, norm float32) *autograd.Var {
			seqs, futures := make([]*timeline.Sequence, len(some)), make([]timeline.Future, len(some))
			for i, e := range some {
				past, future := f.cut(&p.cases[p.train[examples[e]]], t.Rand)
				s := f.sequence(&past)
				seqs[i], futures[i] = &s, future
				targets.Add(int64(len(future.Codes)))
			}
			return timeline.ForecastLoss(t, m.Forecasts(t, m.Pack(t.Rand, seqs...)), futures, norm)
		}
	}
	tc := f.Config.Train
	tc.Epochs, tc.Rate, tc.Seed = c.Epochs, c.Rate, seed+streamPretrain
	run, err := train.New(tc, train.Problem{Model: m, Lengths: lengths, Loss: loss})
	if err != nil {
		return err
	}
	sum, steps := 0.0, 0
	for s, err := range run.Steps(ctx) {
		if err != nil {
			return err
		}
		sum, steps = sum+s.Loss, steps+1
		if s.EpochEnds {
			if c.Kind == "forecast" && targets.Load() == 0 {
				return fmt.Errorf("pre-training by forecast: no value within %g hours after any cut", c.Hours)
			}
			see(Progress{Stage: "pretrain", Epoch: s.Epoch, Epochs: tc.Epochs, Loss: sum / float64(steps)})
			sum, steps = 0, 0
		}
	}
	return nil
}

// cut splits a case at a time drawn uniformly from the last three quarters of its
// history: what was known then, and the mean value of each code in the hours that
// followed.
func (f *Fitted) cut(c *Case, r *rand.Rand) (Case, timeline.Future) {
	hs := c.Happenings
	first, last := hs[0].Days, hs[len(hs)-1].Days
	at := last + 0.75*(first-last)*r.Float64()
	n := slices.IndexFunc(hs, func(h Happening) bool { return h.Days < at })
	if n < 0 {
		n = len(hs)
	}
	past := *c
	past.Happenings = slices.Clone(hs[:n])
	for i := range past.Happenings {
		past.Happenings[i].Days -= at
	}
	past.Age -= float32(at / 365.25)
	end := n
	for end < len(hs) && hs[end].Days >= at-f.Config.Pretrain.Hours/24 {
		end++
	}
	tokens := Tokens{Joined: f.Config.Tokens.Joined}
	switch {
	case tokens.Joined: // codes have the name of no window then
		tokens.Windows = []float64{0}
	case len(f.Config.Tokens.Windows) > 0:
		tokens.Windows = f.Config.Tokens.Windows[:1]
	}
	future := *c
	future.Happenings = hs[n:end]
	var codes []string
	var values []float32
	for _, e := range tokens.Make(&future) {
		if e.Values != nil && !slices.Contains(codes, e.Code) {
			codes, values = append(codes, e.Code), append(values, e.Values[0])
		}
	}
	return past, f.Vocabulary.Future(codes, values)
}

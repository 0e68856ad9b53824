package timeline

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"heed/autograd"
	"heed/tensor"
)

// Hide replaces the codes of tokens of a batch, each with probability rate, by
// [MASK] and takes their values away (Devlin et al. 2019, without the tokens that
// stay or are replaced by others). It returns their rows in the batch and the
// codes that they had. Special tokens stay as they are.
func (b *Batch) Hide(rate float64, r *rand.Rand) (rows, codes []int32) {
	for i, code := range b.Codes {
		if code < firstCode || r.Float64() >= rate {
			continue
		}
		rows, codes = append(rows, int32(i)), append(codes, code)
		b.Codes[i] = MaskToken
		clear(b.weights[i*b.perToken : (i+1)*b.perToken])
	}
	return rows, codes
}

// MaskedLogits returns logits over all codes (len(rows), V) for rows of the
// batch: what [Batch.Hide] has hidden.
func (m *Model) MaskedLogits(t *autograd.Tape, b *Batch, rows []int32) *autograd.Var {
	return m.Masked.Forward(t, autograd.Rows(t, m.Encode(t, b), rows))
}

// ValueLoss hides the value of every token that has one with probability rate, and
// returns the squared error of what the model expects it to be, in standard deviations
// from the mean of its code: the mean over what was hidden, divided by norm and times
// the number of sequences. Nothing but earlier values of the same patient tells it, in a
// causal model, so that this teaches what is usual for a patient. It is the loss of
// [ForecastLoss], at the tokens in the place of [CLS]. r decides what is hidden.
func (m *Model) ValueLoss(t *autograd.Tape, r *rand.Rand, rate float64, norm float32, seqs ...*Sequence) *autograd.Var {
	v := m.Vocabulary
	hidden := make([]*Sequence, len(seqs))
	for i, s := range seqs {
		h := *s
		h.Values = slices.Clone(s.Values)
		for k, code := range s.Codes {
			if code >= firstCode && finite(s.Values[k*v.Channels]) && r.Float64() < rate {
				for c := range v.Channels {
					h.Values[k*v.Channels+c] = float32(math.NaN())
				}
			}
		}
		hidden[i] = &h
	}
	b := m.Pack(nil, hidden...)
	var rows []int32
	var futures []Future
	for i, segment := range b.Segments {
		for row := segment.Start; row < segment.Start+segment.Count; row++ {
			k := int(b.Sources[row])
			if k < 0 || !finite(seqs[i].Values[k*v.Channels]) || finite(hidden[i].Values[k*v.Channels]) {
				continue
			}
			code := b.Codes[row]
			rows = append(rows, int32(row))
			futures = append(futures, Future{Codes: []int32{code}, Values: []float32{v.standard(int(code-firstCode)*v.Channels, seqs[i].Values[k*v.Channels])}})
		}
	}
	if len(rows) == 0 {
		return autograd.Scale(t, autograd.Sum(t, m.Forecast.Bias), 0)
	}
	f := m.Forecast.Forward(t, autograd.Rows(t, m.Encode(t, b), rows))
	return ForecastLoss(t, f, futures, norm*float32(len(rows))/float32(len(seqs)))
}

// Forecasts returns what the model expects each code's value to be (S, V), in
// standard deviations from its mean, for the time after the sequences of a batch.
func (m *Model) Forecasts(t *autograd.Tape, b *Batch) *autograd.Var {
	return m.Forecast.Forward(t, autograd.Dropout(t, m.summary(t, b), m.Config.Dropout))
}

// A Future is what came after a sequence: values of some codes.
type Future struct {
	Codes  []int32
	Values []float32 // in standard deviations from the mean of the code
}

// Future standardises what came after a sequence, one value for each code, by
// the first channel of the vocabulary. Codes that were not learned are left out.
func (v *Vocabulary) Future(codes []string, values []float32) Future {
	if len(codes) != len(values) {
		panic(fmt.Sprintf("timeline: %d codes, %d values", len(codes), len(values)))
	}
	var f Future
	for i, code := range codes {
		if id := v.ID(code); id >= firstCode && finite(values[i]) {
			f.Codes = append(f.Codes, id)
			f.Values = append(f.Values, v.standard(int(id-firstCode)*v.Channels, values[i]))
		}
	}
	return f
}

// ForecastLoss returns the squared error of forecasts (S, V) for the values that
// came (Tipirneni & Reddy 2022, §3.4): the mean over the values of each sequence,
// summed over sequences and divided by norm. What did not come counts nothing.
//
//	df[s,c] = 2·(f[s,c] - value)/(n[s]·norm)
func ForecastLoss(t *autograd.Tape, forecasts *autograd.Var, futures []Future, norm float32) *autograd.Var {
	tensor.Check("ForecastLoss", forecasts.Shape, len(futures), -1)
	v := forecasts.Dim(1)
	target, weight := make([]float32, len(forecasts.Data)), make([]float32, len(forecasts.Data))
	for s, f := range futures {
		for i, code := range f.Codes {
			target[s*v+int(code)] = -f.Values[i]
			weight[s*v+int(code)] = 1 / (float32(len(f.Codes)) * norm)
		}
	}
	shape := forecasts.Shape
	d := autograd.Add(t, forecasts, autograd.Input(target, shape...))
	return autograd.Sum(t, autograd.Mul(t, autograd.Mul(t, d, d), autograd.Input(weight, shape...)))
}

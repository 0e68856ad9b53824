package ehr

import (
	"math"
	"math/rand/v2"

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

// parameters counts the trainable numbers that a logit depends on: heads for
// pre-training are none of them.
func parameters(m nn.Module) int {
	n := nn.Count(m)
	if t, ok := m.(alertTransformer); ok {
		n -= nn.Count(t.Masked) + nn.Count(t.Forecast)
	}
	return n
}

// An alertReader is a recurrent floor that reads the same tokens, one row an event:
// a vector of the code, one of the value by a small network of the standardised
// value, and the logarithm of the days since the event before.
type alertReader struct {
	kind       string // "LSTM" or "GRU-D"
	vocabulary *timeline.Vocabulary
	embed      *nn.Embedding // (V, D)
	hidden     *nn.Linear    // (VH, 2)
	shared     *nn.Linear    // (D, VH)
	lstm       *nn.LSTM
	grud       *nn.GRUD
	out        *nn.Linear
}

// newAlertReader returns a floor whose width makes it as large as a transformer with
// so many parameters, within 2 %.
func newAlertReader(kind string, c *timeline.Config, v *timeline.Vocabulary, target int, r *rand.Rand) (*alertReader, error) {
	width, err := nn.EqualWidth(target, func(width int) int { return parameters(makeAlertReader(kind, c, v, width, nil)) })
	if err != nil {
		return nil, err
	}
	return makeAlertReader(kind, c, v, width, r), nil
}

func makeAlertReader(kind string, c *timeline.Config, v *timeline.Vocabulary, width int, r *rand.Rand) *alertReader {
	m := &alertReader{kind: kind, vocabulary: v}
	m.embed = nn.NewEmbedding(v.Size(), c.Dim, 0.5, r)
	m.hidden, m.shared = nn.NewLinear(2, c.ValueHidden, r), nn.NewLinear(c.ValueHidden, c.Dim, r)
	if kind == "LSTM" {
		m.lstm = nn.NewLSTM(c.Dim+1, width, r)
		m.lstm.Remember(1)
	} else {
		m.grud = nn.NewGRUD(c.Dim, width, nil, r)
	}
	m.out = nn.NewLinear(width, 1, r)
	return m
}

// Visit names the parameters.
func (m *alertReader) Visit(prefix string, f nn.Visitor) {
	m.embed.Visit(nn.Join(prefix, "embed"), f)
	m.hidden.Visit(nn.Join(prefix, "values.hidden"), f)
	m.shared.Visit(nn.Join(prefix, "values.out"), f)
	if m.lstm != nil {
		m.lstm.Visit(nn.Join(prefix, "lstm"), f)
	} else {
		m.grud.Visit(nn.Join(prefix, "grud"), f)
	}
	m.out.Visit(nn.Join(prefix, "out"), f)
}

// gapScale makes days that are usual between events numbers of order 1.
const gapScale = 30

func (m *alertReader) logits(t *autograd.Tape, seqs []*timeline.Sequence) *autograd.Var {
	var codes, last []int32
	var values, gaps []float32
	var lengths []int
	for _, s := range seqs {
		for i, code := range s.Codes {
			codes = append(codes, code)
			z, known := m.vocabulary.Standard(code, 0, s.Values[i])
			is := float32(0)
			if known {
				is = 1
			}
			values = append(values, z, is)
			gap := float32(0)
			if i > 0 {
				gap = max(0, s.Times[i-1]-s.Times[i])
			}
			gaps = append(gaps, gap)
		}
		lengths = append(lengths, len(s.Codes))
		last = append(last, int32(len(codes)-1))
	}
	n := len(codes)
	x := m.embed.Forward(t, codes)
	x = autograd.Add(t, x, m.shared.Forward(t, autograd.GELU(t, m.hidden.Forward(t, autograd.Input(values, n, 2)))))
	segments := autograd.Packed(lengths...)
	var h *autograd.Var
	if m.lstm != nil {
		for i := range gaps {
			gaps[i] = float32(math.Log1p(float64(gaps[i])))
		}
		h = m.lstm.Forward(t, autograd.Concat(t, x, autograd.Input(gaps, n, 1)), segments)
	} else {
		// Every row is observed, so that the decay of the state is what remains of
		// GRU-D's two.
		d := x.Dim(1)
		mask, wide := make([]float32, n*d), make([]float32, n*d)
		for i := range mask {
			mask[i], wide[i] = 1, gaps[i/d]/gapScale
		}
		h = m.grud.Forward(t, x, autograd.Input(mask, n, d), autograd.Input(wide, n, d), segments)
	}
	return m.out.Forward(t, autograd.Rows(t, h, last))
}

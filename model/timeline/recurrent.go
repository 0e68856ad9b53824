package timeline

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/nn"
)

// A Recurrent reads the tokens that a [Model] reads, one row an event, and is what the
// encoder is compared to: a vector of the code, one of the value by a small network of the standardised
// value ("projection"), and the days since the event before; then an LSTM, or GRU-D (Che et al. 2018), and a
// linear layer on the last state.
type Recurrent struct {
	Vocabulary *Vocabulary
	Embed      *nn.Embedding // (V, D)
	Hidden     *nn.Linear    // (VH, 2)
	Shared     *nn.Linear    // (D, VH)
	LSTM       *nn.LSTM      // from D + 1 values, the last of them log(1 + days); nil for GRU-D
	GRUD       *nn.GRUD      // nil for LSTM
	Classifier *nn.Linear    // (Outputs, width)
}

// RecurrentKinds are the kinds of [NewRecurrent].
func RecurrentKinds() []string { return []string{"LSTM", "GRU-D"} }

// NewRecurrent returns a recurrent model of a kind whose width makes it as large as an
// encoder of that configuration, within 2 % (see [Model.Parameters]); Outputs, Dim and ValueHidden are what it takes
// from the configuration. The vocabulary has one channel. An unknown kind panics.
func NewRecurrent(kind string, c Config, v *Vocabulary, r *rand.Rand) (*Recurrent, error) {
	target := New(c, v, nil).Parameters()
	width, err := nn.EqualWidth(target, func(width int) int { return nn.Count(newRecurrent(kind, &c, v, width, nil)) })
	if err != nil {
		return nil, err
	}
	return newRecurrent(kind, &c, v, width, r), nil
}

func newRecurrent(kind string, c *Config, v *Vocabulary, width int, r *rand.Rand) *Recurrent {
	if v.Channels != 1 {
		panic(fmt.Sprintf("timeline: a recurrent model of %d channels", v.Channels))
	}
	m := &Recurrent{Vocabulary: v}
	m.Embed = nn.NewEmbedding(v.Size(), c.Dim, 0.5, r)
	m.Hidden, m.Shared = nn.NewLinear(2, c.ValueHidden, r), nn.NewLinear(c.ValueHidden, c.Dim, r)
	switch kind {
	case "LSTM":
		m.LSTM = nn.NewLSTM(c.Dim+1, width, r)
		m.LSTM.Remember(1)
	case "GRU-D":
		m.GRUD = nn.NewGRUD(c.Dim, width, nil, r)
	default:
		panic(fmt.Sprintf("timeline: no recurrent model %q", kind))
	}
	m.Classifier = nn.NewLinear(width, c.Outputs, r)
	return m
}

// Visit names the parameters.
func (m *Recurrent) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	m.Hidden.Visit(nn.Join(prefix, "values.hidden"), f)
	m.Shared.Visit(nn.Join(prefix, "values.out"), f)
	if m.LSTM != nil {
		m.LSTM.Visit(nn.Join(prefix, "lstm"), f)
	} else {
		m.GRUD.Visit(nn.Join(prefix, "grud"), f)
	}
	m.Classifier.Visit(nn.Join(prefix, "out"), f)
}

// gapScale makes days that are usual between events numbers of order 1.
const gapScale = 30

// Logits returns the logits (S, Outputs) of S sequences that are not empty.
func (m *Recurrent) Logits(t *autograd.Tape, seqs ...*Sequence) *autograd.Var {
	var codes, last []int32
	var values, gaps []float32
	var lengths []int
	for _, s := range seqs {
		for i, code := range s.Codes {
			codes = append(codes, code)
			z, known := m.Vocabulary.Standard(code, 0, s.Values[i])
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
	x := m.Embed.Forward(t, codes)
	x = autograd.Add(t, x, m.Shared.Forward(t, autograd.GELU(t, m.Hidden.Forward(t, autograd.Input(values, n, 2)))))
	segments := autograd.Packed(lengths...)
	var h *autograd.Var
	if m.LSTM != nil {
		for i := range gaps {
			gaps[i] = float32(math.Log1p(float64(gaps[i])))
		}
		h = m.LSTM.Forward(t, autograd.Concat(t, x, autograd.Input(gaps, n, 1)), segments)
	} else {
		// Every row is observed, so that the decay of the state is what remains of
		// GRU-D's two.
		d := x.Dim(1)
		mask, wide := make([]float32, n*d), make([]float32, n*d)
		for i := range mask {
			mask[i], wide[i] = 1, gaps[i/d]/gapScale
		}
		h = m.GRUD.Forward(t, x, autograd.Input(mask, n, d), autograd.Input(wide, n, d), segments)
	}
	return m.Classifier.Forward(t, autograd.Rows(t, h, last))
}

// Package timeline is a transformer encoder over the events of a patient: what
// happened, how much of it, and when, at irregular times.
//
// Sequences of coded tokens flow in; logits, or what is needed to pre-train,
// flow out. In the order of the data:
//
//	code + values + time + age + visit → encoder layers → norm → [CLS] row → classifier
//
// A [Vocabulary] learns codes and the quantiles of their values from training
// sequences and turns events into tokens; [Model.Pack] lays sequences end to
// end, so that there is no padding. Every claim can be switched off: how values
// enter (Config.Value), how time enters (Config.Time), age and visits.
//
// The parts follow STraTS (Tipirneni & Reddy 2022) for triplets of code, value
// and time and for the forecast of values, Gorishniy et al. 2022 for piecewise
// linear values, Kazemi et al. 2019 for Time2Vec, CEHR-BERT (Pang et al. 2021) for
// time tokens, and BEHRT (Li et al. 2020) for age and visit segments.
package timeline

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/nn"
)

// Architecture is the name that checkpoints of this model carry.
const Architecture = "timeline"

// A Config says how large a model is and what it sees. It is stored in
// checkpoints.
type Config struct {
	Layers int `json:"layers"`
	Dim    int `json:"dim"`   // width D of the model
	Heads  int `json:"heads"` // H; D is a multiple
	FFN    int `json:"ffn"`   // width F of the feed-forward layers

	// Value says how the values of a token enter: "bins" adds a vector for the
	// quantile bin of the value, "knots" the two of the neighbouring quantiles,
	// weighted, which makes it a continuous function of the value, "linear" a
	// vector for each code times the standardised value, "projection" a small
	// network of the standardised value that all codes share, "none" nothing.
	Value string `json:"value"`
	// Time says how time enters: "time2vec" adds waves of log time, "bias" lets
	// every head weigh keys by the logarithm of their lag, "both" does both,
	// "tokens" relies on interval tokens between events (see
	// Vocabulary.Intervals), and "none" leaves the model blind to time.
	Time   string `json:"time"`
	Age    bool   `json:"age"`    // adds Time2Vec of the age at the event
	Visits bool   `json:"visits"` // adds one of two vectors to alternating visits
	Causal bool   `json:"causal"` // a token sees the past alone, and [CLS] stands last

	Outputs     int     `json:"outputs"` // logits C
	Dropout     float32 `json:"dropout"` // in layers and on what is read
	DropTokens  float32 `json:"drop_tokens"`
	LagUnit     float32 `json:"lag_unit"` // days at which the lag of "bias" begins to count
	MaxTokens   int     `json:"max_tokens"`
	ValueHidden int     `json:"value_hidden,omitempty"` // width of "projection"
}

// DefaultConfig returns a small encoder for one binary outcome.
func DefaultConfig() Config {
	return Config{
		Layers: 2, Dim: 64, Heads: 4, FFN: 128, Value: "knots", Time: "both", Outputs: 1,
		Dropout: 0.2, DropTokens: 0.1, LagUnit: 1. / 24, MaxTokens: 2048, ValueHidden: 16,
	}
}

// Limits of a configuration read from a file.
const (
	maxWidth  = 1 << 12
	maxDepth  = 64
	maxTokens = 1 << 16
)

// Validate reports the first field that makes no sense.
func (c *Config) Validate() error {
	switch {
	case c.Layers < 0 || c.Layers > maxDepth:
		return fmt.Errorf("layers %d: want 0 to %d", c.Layers, maxDepth)
	case c.Dim < 2 || c.Dim > maxWidth:
		return fmt.Errorf("dim %d: want 2 to %d", c.Dim, maxWidth)
	case c.Heads < 1 || c.Dim%c.Heads != 0:
		return fmt.Errorf("heads %d: want a divisor of dim %d", c.Heads, c.Dim)
	case c.FFN < 1 || c.FFN > 4*maxWidth:
		return fmt.Errorf("ffn %d: want 1 to %d", c.FFN, 4*maxWidth)
	case c.Outputs < 1 || c.Outputs > 1000:
		return fmt.Errorf("outputs %d: want 1 to 1000", c.Outputs)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("dropout %v: want 0 or more, less than 1", c.Dropout)
	case !(c.DropTokens >= 0 && c.DropTokens < 1):
		return fmt.Errorf("drop_tokens %v: want 0 or more, less than 1", c.DropTokens)
	case !(c.LagUnit > 0) || math.IsInf(float64(c.LagUnit), 1):
		return fmt.Errorf("lag_unit %v: want a positive number of days", c.LagUnit)
	case c.MaxTokens < 1 || c.MaxTokens > maxTokens:
		return fmt.Errorf("max_tokens %d: want 1 to %d", c.MaxTokens, maxTokens)
	case c.Value == "projection" && (c.ValueHidden < 1 || c.ValueHidden > maxWidth):
		return fmt.Errorf("value_hidden %d: want 1 to %d", c.ValueHidden, maxWidth)
	}
	switch c.Value {
	case "bins", "knots", "linear", "projection", "none":
	default:
		return fmt.Errorf("value %q: want bins, knots, linear, projection or none", c.Value)
	}
	switch c.Time {
	case "time2vec", "bias", "both", "tokens", "none":
	default:
		return fmt.Errorf("time %q: want time2vec, bias, both, tokens or none", c.Time)
	}
	return nil
}

// waves are learned frequencies and phases of Time2Vec with a projection to the
// width of the model.
type waves struct {
	Freq, Phase *autograd.Var // (K)
	Out         *nn.Linear    // (D, K)
}

// newWaves draws frequencies from slow to as fast as the unit of time allows:
// from one radian over the whole range that is expected, of order 10, to ten
// radians in a unit.
func newWaves(k, dim int, r *rand.Rand) *waves {
	w := &waves{Freq: autograd.Param(k), Phase: autograd.Param(k), Out: nn.NewLinear(k, dim, r)}
	if r != nil {
		for i := range k {
			w.Freq.Data[i] = float32(0.1 * math.Pow(100, float64(i)/float64(k)))
			w.Phase.Data[i] = float32(2 * math.Pi * r.Float64())
		}
	}
	return w
}

func (w *waves) forward(t *autograd.Tape, times []float32) *autograd.Var {
	return w.Out.Forward(t, autograd.Time2Vec(t, times, w.Freq, w.Phase))
}

func (w *waves) visit(prefix string, f nn.Visitor) {
	f(nn.Join(prefix, "frequency"), w.Freq)
	f(nn.Join(prefix, "phase"), w.Phase)
	w.Out.Visit(nn.Join(prefix, "out"), f)
}

// A Model is the encoder with its heads, in the order of the data.
type Model struct {
	Config     Config
	Vocabulary *Vocabulary

	Embed  *nn.Embedding // (V, D)
	Values *autograd.Var // (rows of all codes and channels, D); nil for "projection" and "none"
	Hidden *nn.Linear    // (VH, 2C) of "projection"; nil otherwise
	Shared *nn.Linear    // (D, VH)
	Time   *waves        // nil without "time2vec"
	Age    *waves        // nil without ages
	Visits *nn.Embedding // (3, D): no visit, odd, even; nil without visits
	Slopes *autograd.Var // (H), shared by all layers; nil without "bias"
	Layers []*nn.EncoderLayer
	Norm   *nn.LayerNorm

	Classifier *nn.Linear // (Outputs, D)
	Masked     *nn.Linear // (V, D): which code was hidden
	Forecast   *nn.Linear // (V, D): what value each code will have
}

// timeWaves is the number of waves of Time2Vec.
const timeWaves = 16

// New returns a model with weights drawn from r, or with zeros if r is nil. The
// configuration and the vocabulary must be valid.
func New(c Config, v *Vocabulary, r *rand.Rand) *Model {
	m := &Model{Config: c, Vocabulary: v}
	m.Embed = nn.NewEmbedding(v.Size(), c.Dim, 0.5, r)
	switch c.Value {
	case "bins", "knots", "linear":
		m.Values = nn.NewEmbedding(v.valueRows(c.Value), c.Dim, 0.1, r).Weight
	case "projection":
		m.Hidden = nn.NewLinear(2*v.Channels, c.ValueHidden, r)
		m.Shared = nn.NewLinear(c.ValueHidden, c.Dim, r)
	}
	if c.Time == "time2vec" || c.Time == "both" {
		m.Time = newWaves(timeWaves, c.Dim, r)
	}
	if c.Age {
		m.Age = newWaves(timeWaves, c.Dim, r)
	}
	if c.Visits {
		m.Visits = nn.NewEmbedding(3, c.Dim, 0.1, r)
	}
	if c.Time == "bias" || c.Time == "both" {
		m.Slopes = autograd.Param(c.Heads)
		if r != nil { // from "recent only" to "any lag"
			for h := range c.Heads - 1 {
				m.Slopes.Data[h] = float32(math.Pow(2, -float64(h)))
			}
		}
	}
	for i := range c.Layers {
		a := nn.NewMultiHeadAttention(c.Dim, c.Heads, r)
		a.Name = fmt.Sprintf("layers.%d.attention", i)
		a.Dropout, a.Causal = c.Dropout, c.Causal
		l := nn.NewEncoderLayer(a, c.Dim, c.FFN, r)
		l.Name = fmt.Sprintf("layers.%d", i)
		l.Dropout = c.Dropout
		m.Layers = append(m.Layers, l)
	}
	m.Norm = nn.NewLayerNorm(c.Dim)
	m.Classifier = nn.NewLinear(c.Dim, c.Outputs, r)
	m.Masked = nn.NewLinear(c.Dim, v.Size(), r)
	m.Forecast = nn.NewLinear(c.Dim, v.Size(), r)
	return m
}

// Visit names all parameters.
func (m *Model) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	if m.Values != nil {
		f(nn.Join(prefix, "values.weight"), m.Values)
	}
	if m.Hidden != nil {
		m.Hidden.Visit(nn.Join(prefix, "values.hidden"), f)
		m.Shared.Visit(nn.Join(prefix, "values.out"), f)
	}
	if m.Time != nil {
		m.Time.visit(nn.Join(prefix, "time"), f)
	}
	if m.Age != nil {
		m.Age.visit(nn.Join(prefix, "age"), f)
	}
	if m.Visits != nil {
		m.Visits.Visit(nn.Join(prefix, "visits"), f)
	}
	if m.Slopes != nil {
		f(nn.Join(prefix, "slopes"), m.Slopes)
	}
	for i, l := range m.Layers {
		l.Visit(nn.Join(prefix, fmt.Sprintf("layers.%d", i)), f)
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Classifier.Visit(nn.Join(prefix, "classifier"), f)
	m.Masked.Visit(nn.Join(prefix, "masked"), f)
	m.Forecast.Visit(nn.Join(prefix, "forecast"), f)
}

// embed returns what enters the encoder layers, (T, D). A probe sees
// "embedding": code and values of every token, before time, age and visit; what
// it writes there is what the rest of the pass computes with.
func (m *Model) embed(t *autograd.Tape, b *Batch) *autograd.Var {
	x := m.Embed.Forward(t, b.Codes)
	switch {
	case m.Values != nil:
		x = autograd.Add(t, x, autograd.WeightedRows(t, m.Values, b.rows, b.weights, b.perToken))
	case m.Hidden != nil:
		in := autograd.Input(b.weights, len(b.Codes), b.perToken)
		x = autograd.Add(t, x, m.Shared.Forward(t, autograd.GELU(t, m.Hidden.Forward(t, in))))
	}
	t.Watch("embedding", x)
	if m.Time != nil {
		x = autograd.Add(t, x, m.Time.forward(t, b.logTimes))
	}
	if m.Age != nil {
		x = autograd.Add(t, x, m.Age.forward(t, b.ages))
	}
	if m.Visits != nil {
		x = autograd.Add(t, x, m.Visits.Forward(t, b.visits))
	}
	return autograd.Dropout(t, x, m.Config.Dropout)
}

// layers returns the layers of one pass: those of the model, with the bias of
// the batch.
func (m *Model) layers(t *autograd.Tape, b *Batch) []*nn.EncoderLayer {
	if m.Slopes == nil {
		return m.Layers
	}
	bias := autograd.LagBias(t, m.Slopes, b.Times, m.Config.LagUnit, b.Segments)
	layers := make([]*nn.EncoderLayer, len(m.Layers))
	for i, l := range m.Layers {
		layer, attention := *l, *l.Mixer.(*nn.MultiHeadAttention)
		attention.Bias = bias
		layer.Mixer = &attention
		layers[i] = &layer
	}
	return layers
}

// Encode returns the hidden states (T, D) after the last norm.
func (m *Model) Encode(t *autograd.Tape, b *Batch) *autograd.Var {
	x := m.embed(t, b)
	for _, l := range m.layers(t, b) {
		x = l.Forward(t, x, b.Segments)
	}
	return m.Norm.Forward(t, x)
}

// summary returns the [CLS] rows of Encode, (S, D), of which the last layer
// computes no others where [CLS] is first and nobody looks.
func (m *Model) summary(t *autograd.Tape, b *Batch) *autograd.Var {
	if len(m.Layers) == 0 || m.Config.Causal || t.Probe != nil {
		return autograd.Rows(t, m.Encode(t, b), b.Cls)
	}
	x, layers := m.embed(t, b), m.layers(t, b)
	last := len(layers) - 1
	for _, l := range layers[:last] {
		x = l.Forward(t, x, b.Segments)
	}
	return m.Norm.Forward(t, layers[last].First(t, x, b.Segments))
}

// Logits returns the logits (S, Outputs) of the S sequences of a batch: those of
// a sequence are the same whichever others are packed with it.
func (m *Model) Logits(t *autograd.Tape, b *Batch) *autograd.Var {
	return m.Classifier.Forward(t, autograd.Dropout(t, m.summary(t, b), m.Config.Dropout))
}

// Parameters counts the trainable numbers that a logit depends on: the heads for
// pre-training are none of them.
func (m *Model) Parameters() int { return nn.Count(m) - nn.Count(m.Masked) - nn.Count(m.Forecast) }

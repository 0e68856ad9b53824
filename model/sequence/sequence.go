// Package sequence is a transformer encoder over tokens with a [CLS] token and
// a classifier: the model of the promoter task.
//
// Tokens of packed sequences flow in; class logits, masked-token logits or
// hidden states flow out. In the order of the data:
//
//	tokens → embedding + position → convolutional stem → encoder layers
//	       → norm → [CLS] row or mean → classifier
//
// From letters to probabilities it is three calls:
//
//	batch := model.Pack(model.Config.Tokenizer.Encode(seq))
//	logits := model.Logits(&autograd.Tape{NoGrad: true}, batch)
//	p := autograd.Softmax(logits.Data) // of the only sequence
//
// [New] makes an untrained model; the example of package train trains one. The
// encoder is pre-norm (Xiong et al. 2020); [CLS] and masked-token training follow
// BERT (Devlin et al. 2019).
package sequence

import (
	"cmp"
	"fmt"
	"math/rand/v2"

	"heed/autograd"
	"heed/nn"
)

// Architecture is the name that checkpoints of this model carry.
const Architecture = "sequence"

// A Config says how large a model is. It is stored in checkpoints.
type Config struct {
	Tokenizer Tokenizer `json:"tokenizer"`
	MaxLen    int       `json:"max_len"` // letters of the longest sequence
	Layers    int       `json:"layers"`
	Dim       int       `json:"dim"`      // width D of the model
	Heads     int       `json:"heads"`    // H; D is a multiple
	FFN       int       `json:"ffn"`      // width F of the feed-forward layers
	Stem      []int     `json:"stem"`     // kernel widths of residual convolutions before the encoder
	Position  string    `json:"position"` // "learned", "sinusoidal", "rotary" or "relative"
	// PositionScale is the standard deviation of learned positions at the start
	// of training; 0 means 0.1. Letters have 0.5. A larger one helps where a
	// motif stands at one place, a smaller one where it moves.
	PositionScale float32 `json:"position_scale,omitempty"`
	Pooling       string  `json:"pooling"` // "cls" or "mean"
	// Mixer, if not empty, is one of [nn.Mixers] and takes the place of attention in
	// every layer; MixerWidth is that of its states or branches. [Config.EqualWidth]
	// chooses the one that makes two models comparable.
	Mixer      string  `json:"mixer,omitempty"`
	MixerWidth int     `json:"mixer_width,omitempty"`
	Classes    int     `json:"classes"` // C
	Dropout    float32 `json:"dropout"`
}

// Limits of a configuration read from a file, far above what a CPU trains:
// they keep a hostile checkpoint from filling the memory.
const (
	maxWidth = 1 << 14
	maxDepth = 256
	maxLen   = 1 << 20
)

// Validate reports the first field that makes no sense.
func (c *Config) Validate() error {
	if err := c.Tokenizer.Validate(); err != nil {
		return err
	}
	switch {
	case c.MaxLen < c.Tokenizer.K || c.MaxLen > maxLen:
		return fmt.Errorf("max_len %d: want %d to %d", c.MaxLen, c.Tokenizer.K, maxLen)
	case c.Layers < 0 || c.Layers > maxDepth:
		return fmt.Errorf("layers %d: want 0 to %d", c.Layers, maxDepth)
	case c.Dim < 2 || c.Dim > maxWidth || c.Dim%2 != 0:
		return fmt.Errorf("dim %d: want an even number, 2 to %d", c.Dim, maxWidth)
	case c.Heads < 1 || c.Dim%c.Heads != 0:
		return fmt.Errorf("heads %d: want a divisor of dim %d", c.Heads, c.Dim)
	case c.FFN < 1 || c.FFN > 4*maxWidth:
		return fmt.Errorf("ffn %d: want 1 to %d", c.FFN, 4*maxWidth)
	case len(c.Stem) > 16:
		return fmt.Errorf("stem of %d convolutions: want 16 or fewer", len(c.Stem))
	case c.Classes < 2 || c.Classes > 1000:
		return fmt.Errorf("classes %d: want 2 to 1000", c.Classes)
	case !(c.Dropout >= 0 && c.Dropout < 1):
		return fmt.Errorf("dropout %v: want 0 or more, less than 1", c.Dropout)
	case !(c.PositionScale >= 0 && c.PositionScale <= 10):
		return fmt.Errorf("position_scale %v: want 0 to 10", c.PositionScale)
	case c.Pooling != "cls" && c.Pooling != "mean":
		return fmt.Errorf("pooling %q: want cls or mean", c.Pooling)
	}
	if err := c.validateMixer(); err != nil {
		return err
	}
	for _, k := range c.Stem {
		if k < 1 || k > 255 {
			return fmt.Errorf("stem kernel %d: want 1 to 255", k)
		}
	}
	switch c.Position {
	case "learned", "sinusoidal", "relative":
	case "rotary":
		if c.Dim/c.Heads%2 != 0 {
			return fmt.Errorf("rotary positions need heads of even width, not %d", c.Dim/c.Heads)
		}
	default:
		return fmt.Errorf("position %q: want learned, sinusoidal, rotary or relative", c.Position)
	}
	return nil
}

// A Model is the encoder with its heads, in the order of the data.
type Model struct {
	Config     Config
	Embed      *nn.Embedding // (V, D)
	Position   *autograd.Var // (1 + tokens, D), row 0 for [CLS]; nil if rotary or relative
	Stem       []*nn.Conv1D
	Layers     []*nn.EncoderLayer
	Norm       *nn.LayerNorm
	Classifier *nn.Linear // (C, D)
	Masked     *nn.Linear // (V, D)
}

// New returns a model with weights drawn from r, or with zeros if r is nil. The
// configuration must be valid.
func New(c Config, r *rand.Rand) *Model {
	m := &Model{Config: c}
	m.Embed = nn.NewEmbedding(c.Tokenizer.Vocab(), c.Dim, 0.5, r)
	tokens := 1 + c.Tokenizer.Length(c.MaxLen)
	switch c.Position {
	case "learned":
		m.Position = nn.NewEmbedding(tokens, c.Dim, float64(cmp.Or(c.PositionScale, 0.1)), r).Weight
	case "sinusoidal":
		m.Position = nn.Sinusoidal(tokens, c.Dim)
	}
	for _, k := range c.Stem {
		m.Stem = append(m.Stem, nn.NewConv1D(c.Dim, c.Dim, k, r))
	}
	for i := range c.Layers {
		l := nn.NewEncoderLayer(c.mixer(i, tokens, r), c.Dim, c.FFN, r)
		l.Name = fmt.Sprintf("layers.%d", i)
		l.Dropout = c.Dropout
		m.Layers = append(m.Layers, l)
	}
	m.Norm = nn.NewLayerNorm(c.Dim)
	m.Classifier = nn.NewLinear(c.Dim, c.Classes, r)
	m.Masked = nn.NewLinear(c.Dim, c.Tokenizer.Vocab(), r)
	return m
}

// Visit names all parameters.
func (m *Model) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	if m.Position != nil && m.Position.Trainable {
		f(nn.Join(prefix, "position.weight"), m.Position)
	}
	for i, c := range m.Stem {
		c.Visit(nn.Join(prefix, fmt.Sprintf("stem.%d", i)), f)
	}
	for i, l := range m.Layers {
		l.Visit(nn.Join(prefix, fmt.Sprintf("layers.%d", i)), f)
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Classifier.Visit(nn.Join(prefix, "classifier"), f)
	m.Masked.Visit(nn.Join(prefix, "masked"), f)
}

// A Batch is some sequences packed end to end, each led by [CLS].
type Batch struct {
	Tokens    []int32 // (T)
	Positions []int32 // (T) 0 for [CLS], then 1, 2, ...
	Segments  []autograd.Segment
	Letters   []autograd.Segment // the segments without [CLS]
	Cls       []int32            // the row of each [CLS]
}

// Pack makes a batch of sequences of token ids, as [Tokenizer.Encode] gives them.
// Each is at most Tokenizer.Length(MaxLen) long: a longer one panics, so callers
// check sequences from files first.
func (m *Model) Pack(seqs ...[]int32) *Batch {
	b := &Batch{}
	limit := m.Config.Tokenizer.Length(m.Config.MaxLen)
	for _, s := range seqs {
		if len(s) > limit {
			panic(fmt.Sprintf("sequence: %d tokens, limit %d", len(s), limit))
		}
		at := len(b.Tokens)
		b.Cls = append(b.Cls, int32(at))
		b.Segments = append(b.Segments, autograd.Segment{Start: at, Count: 1 + len(s), Stride: 1})
		b.Letters = append(b.Letters, autograd.Segment{Start: at + 1, Count: len(s), Stride: 1})
		b.Tokens = append(append(b.Tokens, ClsToken), s...)
		for i := range 1 + len(s) {
			b.Positions = append(b.Positions, int32(i))
		}
	}
	return b
}

// Encode returns the hidden states (T, D) after the last norm. A probe sees
// "embedding" (T, D), before positions, and what the layers show; what it writes
// there is what the rest of the pass computes with.
func (m *Model) Encode(t *autograd.Tape, b *Batch) *autograd.Var {
	x := m.stem(t, b)
	for _, l := range m.Layers {
		x = l.Forward(t, x, b.Segments)
	}
	return m.Norm.Forward(t, x)
}

// encodeCls returns the rows of Encode that are [CLS], (S, D). Where only
// values are wanted the last layer computes no other row.
func (m *Model) encodeCls(t *autograd.Tape, b *Batch) *autograd.Var {
	last := len(m.Layers) - 1
	if last < 0 || !t.NoGrad || t.Rand != nil || t.Probe != nil {
		return autograd.Rows(t, m.Encode(t, b), b.Cls)
	}
	x := m.stem(t, b)
	for _, l := range m.Layers[:last] {
		x = l.Forward(t, x, b.Segments)
	}
	return m.Norm.Forward(t, m.Layers[last].First(t, x, b.Segments))
}

// stem returns what enters the encoder layers, (T, D).
func (m *Model) stem(t *autograd.Tape, b *Batch) *autograd.Var {
	x := m.Embed.Forward(t, b.Tokens)
	t.Watch("embedding", x)
	if m.Position != nil {
		x = autograd.Add(t, x, autograd.Embedding(t, m.Position, b.Positions))
	}
	for _, c := range m.Stem { // [CLS] lies outside of the letters and passes unchanged
		x = autograd.Add(t, x, autograd.GELU(t, c.Forward(t, x, b.Letters)))
	}
	return autograd.Dropout(t, x, m.Config.Dropout)
}

// Logits returns class logits (S, C) of the S sequences of a batch: those of a
// sequence are the same bits whichever others are packed with it. With mean
// pooling a sequence without tokens has the mean 0.
func (m *Model) Logits(t *autograd.Tape, b *Batch) *autograd.Var {
	var x *autograd.Var
	if m.Config.Pooling == "mean" {
		x = autograd.MeanPool(t, m.Encode(t, b), b.Letters)
	} else {
		x = m.encodeCls(t, b)
	}
	return m.Classifier.Forward(t, autograd.Dropout(t, x, m.Config.Dropout))
}

// MaskedLogits returns logits over the vocabulary (len(rows), V) for some rows
// of the batch, counted from its beginning (see [Corrupt]).
func (m *Model) MaskedLogits(t *autograd.Tape, b *Batch, rows []int32) *autograd.Var {
	return m.Masked.Forward(t, autograd.Rows(t, m.Encode(t, b), rows))
}

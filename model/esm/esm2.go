// Package esm is ESM-2 (Lin et al. 2023) and ESM-MSA-1b (Rao et al. 2021), two
// published encoders of proteins, with the weights that their authors gave away.
// They share the alphabet and both heads; [Model] is the one for single sequences,
// [MSA] the one for alignments.
//
// Letters flow in; hidden states, logits over the alphabet and contacts flow
// out. In the order of the data:
//
//	tokens → embedding, rescaled for masks → pre-norm layers with rotary
//	       attention → norm → masked-token head
//	                     attention of all heads → contact head
//
// From letters to a contact map it is three calls:
//
//	model, ignored, err := esm.Load(arrays) // of a published file, by name
//	ids, changes, err := esm.Encode("MKTVRQERLKSIVRIL")
//	contacts, err := model.Contacts(ids, esm.Work{}) // (16, 16)
//
// It is a package of its own, beside model/sequence, because what the weights
// mean is fixed: two end tokens, the rescaling for masks, a masked-token head
// tied to the embedding, a contact head on the attention of all layers. A model
// that is trained here is free to choose, and has none of these.
package esm

import (
	"fmt"

	"heed/autograd"
	"heed/nn"
)

// Architecture is the name that checkpoints of ESM-2 carry.
const Architecture = "esm2"

// A Config says how large a model is. It is stored in checkpoints.
type Config struct {
	Layers int `json:"layers"`
	Dim    int `json:"dim"`   // width D of the model
	Heads  int `json:"heads"` // H; D is a multiple
	FFN    int `json:"ffn"`   // width F of the feed-forward layers
	// TokenDropout says that the embedding is rescaled for masks: see Embedded.
	TokenDropout bool `json:"token_dropout"`
	// Contacts says that there is a contact head.
	Contacts bool `json:"contacts"`
}

// Limits of a configuration read from a file: several times the largest
// published model, of 48 layers of width 5120.
const (
	maxDepth = 512
	maxWidth = 1 << 15
)

// Validate reports the first field that makes no sense.
func (c *Config) Validate() error {
	switch {
	case c.Layers < 1 || c.Layers > maxDepth:
		return fmt.Errorf("layers %d: want 1 to %d", c.Layers, maxDepth)
	case c.Dim < 2 || c.Dim > maxWidth:
		return fmt.Errorf("dim %d: want 2 to %d", c.Dim, maxWidth)
	case c.Heads < 1 || c.Dim%c.Heads != 0 || c.Dim/c.Heads%2 != 0:
		return fmt.Errorf("heads %d: want a divisor of dim %d that leaves heads of even width", c.Heads, c.Dim)
	case c.FFN < 1 || c.FFN > 8*maxWidth:
		return fmt.Errorf("ffn %d: want 1 to %d", c.FFN, 8*maxWidth)
	}
	return nil
}

// A Model is ESM-2 with its heads, in the order of the data.
type Model struct {
	Config  Config
	Embed   *nn.Embedding // (33, D); the masked-token head uses it too
	Layers  []*nn.EncoderLayer
	Norm    *nn.LayerNorm
	Dense   *nn.Linear // (D, D), first of the masked-token head
	DenseLN *nn.LayerNorm
	Bias    *autograd.Var // (33) of the masked-token head
	Contact *ContactHead  // nil if there is none
}

// A ContactHead is a logistic regression on the attention of all heads.
type ContactHead struct {
	Weight *autograd.Var // (1, layers·H), those of a layer side by side
	Bias   *autograd.Var // (1)
}

// build returns a model whose parameters param makes, by name and shape. The
// configuration must be valid.
func build(c Config, param params) *Model {
	linear := param.linear
	norm := func(name string) *nn.LayerNorm { return param.norm(name, c.Dim) }
	m := &Model{Config: c, Embed: &nn.Embedding{Weight: param("embed.weight", Tokens, c.Dim)}}
	for i := range c.Layers {
		name := fmt.Sprintf("layers.%d", i)
		l := &nn.EncoderLayer{Name: name, Norm1: norm(name + ".norm1")}
		a := &nn.MultiHeadAttention{Name: name + ".attention", Heads: c.Heads}
		a.Query = linear(a.Name+".query", c.Dim, c.Dim)
		a.Key = linear(a.Name+".key", c.Dim, c.Dim)
		a.Value = linear(a.Name+".value", c.Dim, c.Dim)
		// The frequencies are those of the file: training rounded them to
		// float16, so that those of the formula would be others.
		a.Rotary = param(a.Name+".rotary", c.Dim/c.Heads/2).Data
		a.Out = linear(a.Name+".out", c.Dim, c.Dim)
		l.Mixer = a
		l.Norm2 = norm(name + ".norm2")
		l.Up, l.Down = linear(name+".up", c.Dim, c.FFN), linear(name+".down", c.FFN, c.Dim)
		m.Layers = append(m.Layers, l)
	}
	m.Norm = norm("norm")
	m.Dense, m.DenseLN = linear("head.dense", c.Dim, c.Dim), norm("head.norm")
	m.Bias = param("head.bias", Tokens)
	if c.Contacts {
		m.Contact = &ContactHead{param("contacts.weight", 1, c.Layers*c.Heads), param("contacts.bias", 1)}
	}
	return m
}

func (param params) linear(name string, in, out int) *nn.Linear {
	return &nn.Linear{Weight: param(name+".weight", out, in), Bias: param(name+".bias", out)}
}

func (param params) norm(name string, dim int) *nn.LayerNorm {
	return &nn.LayerNorm{Weight: param(name+".weight", dim), Bias: param(name+".bias", dim), Eps: 1e-5}
}

// Visit names all parameters, and the frequencies of the rotary positions, which
// are not trainable.
func (m *Model) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	for i, l := range m.Layers {
		name := nn.Join(prefix, fmt.Sprintf("layers.%d", i))
		l.Visit(name, f)
		rotary := l.Mixer.(*nn.MultiHeadAttention).Rotary
		f(name+".attention.rotary", autograd.Input(rotary, len(rotary)))
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Dense.Visit(nn.Join(prefix, "head.dense"), f)
	m.DenseLN.Visit(nn.Join(prefix, "head.norm"), f)
	f(nn.Join(prefix, "head.bias"), m.Bias)
	if m.Contact != nil {
		f(nn.Join(prefix, "contacts.weight"), m.Contact.Weight)
		f(nn.Join(prefix, "contacts.bias"), m.Contact.Bias)
	}
}

// Pack arranges the matrices of weights once for all passes to come, in their own
// memory, beside which it needs that of the largest: see autograd.Pack. A pass has
// the bits that it had before. The model no longer gives away its weights.
func (m *Model) Pack() {
	ls := []*nn.Linear{m.Dense}
	for _, l := range m.Layers {
		a := l.Mixer.(*nn.MultiHeadAttention)
		ls = append(ls, a.Query, a.Key, a.Value, a.Out, l.Up, l.Down)
	}
	pack(ls)
}

func pack(ls []*nn.Linear) {
	var weights []*autograd.Var
	for _, l := range ls {
		weights = append(weights, l.Weight)
	}
	autograd.Pack(weights...)
}

// A Batch is some sequences packed end to end, each between its two end tokens.
type Batch struct {
	Tokens   []int32 // (T)
	Segments []autograd.Segment
}

// Pack makes a batch of sequences of token ids, as [Encode] gives them.
func Pack(seqs ...[]int32) *Batch {
	b := &Batch{}
	for _, s := range seqs {
		b.Segments = append(b.Segments, autograd.Segment{Start: len(b.Tokens), Count: len(s), Stride: 1})
		b.Tokens = append(b.Tokens, s...)
	}
	return b
}

// maskRate is the share of tokens that were hidden in training, times the share
// of those that were replaced by the mask: 0.15·0.8.
const maskRate = 0.12

// Embedded returns what enters the layers, (T, D). In training the rows of masks
// were zero, and the others larger by as much as was missing; so at any time the
// rows of masks are zero and the others are scaled by (1-0.12)/(1-m), where m is
// the share of masks in the sequence ("token dropout").
func (m *Model) Embedded(t *autograd.Tape, b *Batch) *autograd.Var {
	x := m.Embed.Forward(t, b.Tokens)
	if m.Config.TokenDropout {
		d := m.Config.Dim
		f := make([]float32, len(x.Data))
		for _, s := range b.Segments {
			scale := m.scale(b, s)
			for r := s.Start; r < s.Start+s.Count; r++ {
				if b.Tokens[r] == Mask {
					continue
				}
				for j := range f[r*d : (r+1)*d] {
					f[r*d+j] = scale
				}
			}
		}
		x = autograd.Mul(t, x, autograd.Input(f, x.Shape...))
	}
	t.Watch("embedding", x)
	return x
}

// Encode returns the hidden states (T, D) after the last norm. A probe sees
// "embedding" and what the layers show. All activations stay on the tape: Each
// needs those of one layer only.
func (m *Model) Encode(t *autograd.Tape, b *Batch) *autograd.Var {
	x := m.Embedded(t, b)
	for _, l := range m.Layers {
		x = l.Forward(t, x, b.Segments)
	}
	return m.Norm.Forward(t, x)
}

// Logits returns the masked-token logits (T, 33) for hidden states (T, D) of
// Encode or Each. The output layer is the embedding, transposed.
func (m *Model) Logits(t *autograd.Tape, hidden *autograd.Var) *autograd.Var {
	h := m.DenseLN.Forward(t, autograd.GELU(t, m.Dense.Forward(t, hidden)))
	return autograd.Linear(t, h, m.Embed.Weight, m.Bias)
}

// Each computes the hidden states of a batch and calls see with those of each
// layer (T, D), in the numbering of the authors: 0 is the embedding, i the output
// of layer i, the last one after the final norm. The slice is used again.
//
// Besides the weights it holds the activations of one layer, about
// T·(10·D + 2·F) values, however many layers there are. A probe, if not nil,
// sees what the layers show, but for the weights of the attention.
func (m *Model) Each(b *Batch, cores int, probe func(name string, v *autograd.Var), see func(layer int, x []float32)) {
	t := &autograd.Tape{NoGrad: true, Cores: cores, Probe: probe, NoWeights: true}
	x := append([]float32{}, m.Embedded(t, b).Data...)
	see(0, x)
	for i, l := range m.Layers {
		t.Reset()
		y := l.Forward(t, autograd.Input(x, len(b.Tokens), m.Config.Dim), b.Segments)
		if i == len(m.Layers)-1 {
			y = m.Norm.Forward(t, y)
		}
		copy(x, y.Data)
		see(i+1, x)
	}
}

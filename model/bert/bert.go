// Package bert is the encoder of DNABERT (Ji et al. 2021), which is that of BERT
// (Devlin et al. 2019) over k-mers, and of DNABERT-2 (Zhou et al. 2024), which is
// MosaicBERT over byte pairs, with the weights that their authors gave away and a
// classifier on top that is trained here.
//
// Letters flow in; hidden states, masked-token logits or class logits flow out.
// In the order of the data:
//
//	letters → tokens → embedding + token type + position → norm → post-norm
//	       layers → [CLS] through the pooler, or mean → classifier
//	              → masked-token head
//
// From letters to probabilities it is three calls:
//
//	model, ignored, err := bert.Load(arrays, heads, 1e-12, tokenizer) // of a published file
//	model = model.Classify(bert.Task{Classes: 2, Pooling: "cls", MaxLen: 300}, r)
//	logits := model.Logits(tape, model.Pack(tokenizer.Encode(seq)))
//
// It is a package of its own, beside model/sequence: see decision 5 in docs.
package bert

import (
	"fmt"
	"math/rand/v2"

	"heed/autograd"
	"heed/nn"
)

// Architecture is the name that checkpoints of this model carry.
const Architecture = "bert"

// A Config says how large a model is. It is stored in checkpoints.
type Config struct {
	Layers int     `json:"layers"`
	Dim    int     `json:"dim"`   // width D of the model
	Heads  int     `json:"heads"` // H; D is a multiple
	FFN    int     `json:"ffn"`   // width F of the feed-forward layers
	Vocab  int     `json:"vocab"` // V rows of the embedding, no fewer than there are tokens
	Types  int     `json:"types"` // rows of the token types, of which the first is used
	Eps    float32 `json:"eps"`   // of the norms
	// Positions is the number of learned positions; 0 stands for ALiBi.
	Positions int  `json:"positions,omitempty"`
	Gated     bool `json:"gated,omitempty"`  // the feed-forward layers are GEGLU
	Pooler    bool `json:"pooler,omitempty"` // [CLS] goes through a layer with tanh
	Masked    bool `json:"masked,omitempty"` // there is a masked-token head
	Task      Task `json:"task,omitzero"`
}

// A Task is what a model is trained for. The zero Task stands for a model as it
// was published.
type Task struct {
	Classes          int     `json:"classes"` // C
	Pooling          string  `json:"pooling"` // "cls" or "mean"
	MaxLen           int     `json:"max_len"` // letters of the longest sequence
	Dropout          float32 `json:"dropout"`
	AttentionDropout float32 `json:"attention_dropout"`
}

// Limits of a configuration read from a file, far above what is published.
const (
	maxDepth = 256
	maxWidth = 1 << 14
	maxLen   = 1 << 16
)

// Validate reports the first field that makes no sense.
func (c *Config) Validate() error {
	switch {
	case c.Layers < 1 || c.Layers > maxDepth:
		return fmt.Errorf("layers %d: want 1 to %d", c.Layers, maxDepth)
	case c.Dim < 1 || c.Dim > maxWidth:
		return fmt.Errorf("dim %d: want 1 to %d", c.Dim, maxWidth)
	case c.Heads < 1 || c.Dim%c.Heads != 0:
		return fmt.Errorf("heads %d: want a divisor of dim %d", c.Heads, c.Dim)
	case c.FFN < 1 || c.FFN > 8*maxWidth:
		return fmt.Errorf("ffn %d: want 1 to %d", c.FFN, 8*maxWidth)
	case c.Vocab < 1 || c.Vocab > 1<<20:
		return fmt.Errorf("vocab %d: want 1 to %d", c.Vocab, 1<<20)
	case c.Types < 1 || c.Types > 1<<10:
		return fmt.Errorf("types %d: want 1 to %d", c.Types, 1<<10)
	case !(c.Eps > 0 && c.Eps < 1):
		return fmt.Errorf("eps %v: want more than 0, less than 1", c.Eps)
	case c.Positions < 0 || c.Positions > 1<<20:
		return fmt.Errorf("positions %d: want 0 to %d", c.Positions, 1<<20)
	}
	if c.Task == (Task{}) {
		return nil
	}
	switch t := &c.Task; {
	case t.Classes < 2 || t.Classes > 1000:
		return fmt.Errorf("classes %d: want 2 to 1000", t.Classes)
	case t.Pooling != "cls" && t.Pooling != "mean":
		return fmt.Errorf("pooling %q: want cls or mean", t.Pooling)
	case t.MaxLen < 1 || t.MaxLen > maxLen:
		return fmt.Errorf("max_len %d: want 1 to %d", t.MaxLen, maxLen)
	case !(t.Dropout >= 0 && t.Dropout < 1):
		return fmt.Errorf("dropout %v: want 0 or more, less than 1", t.Dropout)
	case !(t.AttentionDropout >= 0 && t.AttentionDropout < 1):
		return fmt.Errorf("attention_dropout %v: want 0 or more, less than 1", t.AttentionDropout)
	}
	return nil
}

// Fits reports whether the positions last for the longest sequence of the task.
func (c *Config) Fits(z *Tokenizer) error {
	if n := 2 + z.Most(c.Task.MaxLen); c.Positions > 0 && n > c.Positions {
		return fmt.Errorf("sequences of %d letters are %d tokens, the encoder has %d positions: up to %d letters",
			c.Task.MaxLen, n, c.Positions, c.Positions-2+max(0, z.K-1))
	}
	return nil
}

// Values returns the number of values of a model.
func (c *Config) Values() int64 {
	d, f := int64(c.Dim), int64(c.FFN)
	layer := 4*d*(d+1) + 2*f*d + f + d + 4*d
	if c.Gated {
		layer += f*d - f
	}
	n := d*int64(c.Vocab+c.Types+c.Positions+2) + int64(c.Layers)*layer
	if c.Pooler {
		n += d * (d + 1)
	}
	if c.Masked {
		n += d*(d+1) + 2*d + int64(c.Vocab)
	}
	return n + int64(c.Task.Classes)*(d+1)
}

// A Model is the encoder with its heads, in the order of the data.
type Model struct {
	Config    Config
	Tokenizer *Tokenizer

	Embed      *nn.Embedding // (V, D); the masked-token head uses it too
	Types      *autograd.Var // (types, D)
	Position   *autograd.Var // (positions, D); nil with ALiBi
	Norm       *nn.LayerNorm
	Layers     []*Layer
	Pooler     *nn.Linear // (D, D); nil if there is none
	Classifier *nn.Linear // (C, D); nil in a model as it was published
	Masked     *MaskedHead
}

// A MaskedHead fills in masked tokens: Embed·norm(gelu(Dense·x)) + Bias.
type MaskedHead struct {
	Dense *nn.Linear    // (D, D)
	Norm  *nn.LayerNorm // (D)
	Bias  *autograd.Var // (V)
}

// build returns a model whose parameters param makes, by name and shape. The
// configuration must be valid.
func build(c Config, z *Tokenizer, param params) *Model {
	linear := param.linear
	norm := func(name string) *nn.LayerNorm { return param.norm(name, c.Dim, c.Eps) }
	m := &Model{Config: c, Tokenizer: z, Embed: &nn.Embedding{Weight: param("embed.weight", c.Vocab, c.Dim)}}
	m.Types = param("types.weight", c.Types, c.Dim)
	if c.Positions > 0 {
		m.Position = param("position.weight", c.Positions, c.Dim)
	}
	m.Norm = norm("norm")
	for i := range c.Layers {
		l := &Layer{Name: fmt.Sprintf("layers.%d", i), Heads: c.Heads, Gated: c.Gated, Dropout: c.Task.Dropout, AttentionDropout: c.Task.AttentionDropout}
		a := l.Name + ".attention"
		l.Query, l.Key, l.Value = linear(a+".query", c.Dim, c.Dim), linear(a+".key", c.Dim, c.Dim), linear(a+".value", c.Dim, c.Dim)
		l.Out, l.Norm1 = linear(a+".out", c.Dim, c.Dim), norm(l.Name+".norm1")
		if c.Gated {
			l.Up = &nn.Linear{Weight: param(l.Name+".up.weight", 2*c.FFN, c.Dim)}
		} else {
			l.Up = linear(l.Name+".up", c.Dim, c.FFN)
		}
		l.Down, l.Norm2 = linear(l.Name+".down", c.FFN, c.Dim), norm(l.Name+".norm2")
		m.Layers = append(m.Layers, l)
	}
	if c.Pooler {
		m.Pooler = linear("pooler", c.Dim, c.Dim)
	}
	if c.Task.Classes > 0 {
		m.Classifier = linear("classifier", c.Dim, c.Task.Classes)
	}
	if c.Masked {
		m.Masked = &MaskedHead{linear("masked.dense", c.Dim, c.Dim), norm("masked.norm"), param("masked.bias", c.Vocab)}
	}
	return m
}

// params makes the parameter of a name and a shape.
type params func(name string, shape ...int) *autograd.Var

func (param params) linear(name string, in, out int) *nn.Linear {
	return &nn.Linear{Weight: param(name+".weight", out, in), Bias: param(name+".bias", out)}
}

func (param params) norm(name string, dim int, eps float32) *nn.LayerNorm {
	return &nn.LayerNorm{Weight: param(name+".weight", dim), Bias: param(name+".bias", dim), Eps: eps}
}

// New returns a model of zeros, for weights that will be loaded. The configuration
// must be valid.
func New(c Config, z *Tokenizer) *Model {
	return build(c, z, func(_ string, shape ...int) *autograd.Var { return autograd.Param(shape...) })
}

// Classify returns a model of the same encoder, copied, with a classifier drawn
// from r. It leaves out what the classifier has no use for: the masked-token head,
// and with mean pooling the pooler.
func (m *Model) Classify(task Task, r *rand.Rand) *Model {
	c := m.Config
	c.Task, c.Masked = task, false
	c.Pooler = c.Pooler && task.Pooling == "cls"
	from := map[string]*autograd.Var{}
	m.Visit("", func(name string, v *autograd.Var) { from[name] = v })
	out := New(c, m.Tokenizer)
	out.Classifier = nn.NewLinear(c.Dim, task.Classes, r)
	out.Visit("", func(name string, v *autograd.Var) {
		if old := from[name]; old != nil && v != out.Classifier.Weight && v != out.Classifier.Bias {
			copy(v.Data, old.Data)
		}
	})
	return out
}

// Visit names all parameters.
func (m *Model) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	f(nn.Join(prefix, "types.weight"), m.Types)
	if m.Position != nil {
		f(nn.Join(prefix, "position.weight"), m.Position)
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	for _, l := range m.Layers {
		l.Visit(nn.Join(prefix, l.Name), f)
	}
	if m.Pooler != nil {
		m.Pooler.Visit(nn.Join(prefix, "pooler"), f)
	}
	if m.Classifier != nil {
		m.Classifier.Visit(nn.Join(prefix, "classifier"), f)
	}
	if m.Masked != nil {
		m.Masked.Dense.Visit(nn.Join(prefix, "masked.dense"), f)
		m.Masked.Norm.Visit(nn.Join(prefix, "masked.norm"), f)
		f(nn.Join(prefix, "masked.bias"), m.Masked.Bias)
	}
}

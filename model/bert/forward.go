package bert

import (
	"fmt"

	"heed/autograd"
	"heed/nn"
)

// A Layer is one post-norm block (Vaswani et al. 2017; Devlin et al. 2019):
//
//	x = Norm1(x + dropout(Out·attention(x)))
//	x = Norm2(x + dropout(Down·gelu(Up·x)))          or, gated,
//	x = Norm2(x + dropout(Down·dropout(GEGLU(Up·x))))
type Layer struct {
	Query, Key, Value *nn.Linear // (D, D)
	Out               *nn.Linear // (D, D)
	Norm1             *nn.LayerNorm
	Up                *nn.Linear // (F, D), or (2·F, D) without a bias if gated
	Down              *nn.Linear // (D, F)
	Norm2             *nn.LayerNorm

	Heads                     int
	Gated                     bool
	Dropout, AttentionDropout float32
	// Name is the beginning of what a probe sees: Name.input, Name.middle (after
	// Norm1) and Name.output, (T, D) each, and Name.attention.query, .key (T, D),
	// .weights (segments, H, Lq, Lk) and .heads (T, D).
	Name string
}

// Forward maps x (T, D) to (T, D). Relative (H, 2R+1) is the bias of ALiBi, or nil.
func (l *Layer) Forward(t *autograd.Tape, x *autograd.Var, s []autograd.Segment, relative *autograd.Var) *autograd.Var {
	name := l.Name + ".attention"
	t.Watch(l.Name+".input", x)
	q, k, v := l.Query.Forward(t, x), l.Key.Forward(t, x), l.Value.Forward(t, x)
	t.Watch(name+".query", q)
	t.Watch(name+".key", k)
	o := autograd.Attention(t, q, k, v, autograd.AttentionSpec{
		Name: name, Heads: l.Heads, Query: s, Relative: relative, Dropout: l.AttentionDropout,
	})
	t.Watch(name+".heads", o)
	h := autograd.Dropout(t, l.Out.Forward(t, o), l.Dropout)
	x = l.Norm1.Forward(t, autograd.Add(t, x, h))
	t.Watch(l.Name+".middle", x)
	h = l.Up.Forward(t, x)
	if l.Gated {
		h = autograd.Dropout(t, autograd.GEGLU(t, h), l.Dropout)
	} else {
		h = autograd.GELU(t, h)
	}
	h = autograd.Dropout(t, l.Down.Forward(t, h), l.Dropout)
	x = l.Norm2.Forward(t, autograd.Add(t, x, h))
	t.Watch(l.Name+".output", x)
	return x
}

// Visit names attention, norm1, up, down and norm2.
func (l *Layer) Visit(prefix string, f nn.Visitor) {
	l.Query.Visit(nn.Join(prefix, "attention.query"), f)
	l.Key.Visit(nn.Join(prefix, "attention.key"), f)
	l.Value.Visit(nn.Join(prefix, "attention.value"), f)
	l.Out.Visit(nn.Join(prefix, "attention.out"), f)
	l.Norm1.Visit(nn.Join(prefix, "norm1"), f)
	f(nn.Join(prefix, "up.weight"), l.Up.Weight)
	if l.Up.Bias != nil {
		f(nn.Join(prefix, "up.bias"), l.Up.Bias)
	}
	l.Down.Visit(nn.Join(prefix, "down"), f)
	l.Norm2.Visit(nn.Join(prefix, "norm2"), f)
}

// A Batch is some sequences packed end to end, each between its two end tokens.
type Batch struct {
	Tokens    []int32 // (T)
	Positions []int32 // (T) 0, 1, 2, ... in each sequence
	Segments  []autograd.Segment
	Letters   []autograd.Segment // the segments without the end tokens
	Cls       []int32            // the first row of each
	longest   int
}

// Pack makes a batch of sequences of token ids, as [Tokenizer.Encode] gives them.
// One that is longer than the positions panics, so callers check sequences from
// files first.
func (m *Model) Pack(seqs ...[]int32) *Batch {
	b := &Batch{}
	for _, s := range seqs {
		n := len(s) + 2
		if p := m.Config.Positions; p > 0 && n > p {
			panic(fmt.Sprintf("bert: %d tokens, %d positions", n, p))
		}
		at := len(b.Tokens)
		b.Cls = append(b.Cls, int32(at))
		b.Segments = append(b.Segments, autograd.Segment{Start: at, Count: n, Stride: 1})
		b.Letters = append(b.Letters, autograd.Segment{Start: at + 1, Count: n - 2, Stride: 1})
		b.Tokens = append(append(append(b.Tokens, m.Tokenizer.begin), s...), m.Tokenizer.end)
		for i := range n {
			b.Positions = append(b.Positions, int32(i))
		}
		b.longest = max(b.longest, n)
	}
	return b
}

// Encode returns the hidden states (T, D) of the last layer. A probe sees
// "embedding" (T, D), before token types and positions, "embedded" (T, D), which
// enters the first layer, and what the layers show.
func (m *Model) Encode(t *autograd.Tape, b *Batch) *autograd.Var {
	x := m.Embed.Forward(t, b.Tokens)
	t.Watch("embedding", x)
	x = autograd.Add(t, x, autograd.Embedding(t, m.Types, make([]int32, len(b.Tokens))))
	var relative *autograd.Var
	if m.Position != nil {
		x = autograd.Add(t, x, autograd.Embedding(t, m.Position, b.Positions))
	} else {
		relative = autograd.ALiBi(m.Config.Heads, max(1, b.longest-1))
	}
	x = autograd.Dropout(t, m.Norm.Forward(t, x), m.Config.Task.Dropout)
	t.Watch("embedded", x)
	for _, l := range m.Layers {
		x = l.Forward(t, x, b.Segments, relative)
	}
	return x
}

// Logits returns class logits (S, C) of the S sequences of a batch. With mean
// pooling the mean is that of the tokens between the end tokens, and 0 of none.
func (m *Model) Logits(t *autograd.Tape, b *Batch) *autograd.Var {
	x := m.Encode(t, b)
	if m.Config.Task.Pooling == "mean" {
		x = autograd.MeanPool(t, x, b.Letters)
	} else {
		x = m.Pool(t, autograd.Rows(t, x, b.Cls))
	}
	return m.Classifier.Forward(t, autograd.Dropout(t, x, m.Config.Task.Dropout))
}

// Pool maps rows of [CLS] (S, D) to what classifiers read.
func (m *Model) Pool(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	if m.Pooler == nil {
		return x
	}
	return autograd.Tanh(t, m.Pooler.Forward(t, x))
}

// MaskedLogits returns logits over the vocabulary (T, V) for hidden states (T, D).
// The output layer is the embedding, transposed.
func (m *Model) MaskedLogits(t *autograd.Tape, hidden *autograd.Var) *autograd.Var {
	h := m.Masked.Norm.Forward(t, autograd.GELU(t, m.Masked.Dense.Forward(t, hidden)))
	return autograd.Linear(t, h, m.Embed.Weight, m.Masked.Bias)
}

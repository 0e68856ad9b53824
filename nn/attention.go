package nn

import (
	"math/rand/v2"

	"heed/autograd"
)

// A Mixer lets the positions of a segment influence one another: (T, D) to
// (T, D). Attention reaches any position in one step; a convolution reaches a
// neighbourhood; a recurrent layer reaches its predecessors through a chain.
type Mixer interface {
	Module
	Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var
}

// MultiHeadAttention is self-attention with H heads (Vaswani et al. 2017).
type MultiHeadAttention struct {
	Query, Key, Value *Linear
	Relative          *autograd.Var // (H, 2R+1) bias by offset; nil for none
	Out               *Linear

	Heads   int
	Rotary  []float32 // frequencies of rotary positions; nil for none
	Causal  bool      // a row sees itself and those before it in its segment
	Dropout float32   // of the weights
	// Bias is added to the scores, see autograd.AttentionSpec; nil for none. It
	// belongs to one pass, so a model sets it in a copy of the layer.
	Bias *autograd.Var
	// Name is the beginning of what a probe sees: Name.query and Name.key (T, D),
	// turned if positions are rotary; Name.weights (segments, H, Lq, Lk); and
	// Name.heads (T, D), the outputs of the heads side by side before Out.
	Name string
}

// NewMultiHeadAttention returns self-attention of the given width.
func NewMultiHeadAttention(dim, heads int, r *rand.Rand) *MultiHeadAttention {
	return &MultiHeadAttention{
		Query: NewLinear(dim, dim, r), Key: NewLinear(dim, dim, r), Value: NewLinear(dim, dim, r),
		Out: NewLinear(dim, dim, r), Heads: heads,
	}
}

// Mix maps x (T, D) to (T, D); rows attend within their segments.
func (a *MultiHeadAttention) Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	return a.attend(t, x, autograd.AttentionSpec{Query: s, Causal: a.Causal, Bias: a.Bias})
}

// attend is Mix for a spec that says more than the segments: ties, a mask, a bias.
func (a *MultiHeadAttention) attend(t *autograd.Tape, x *autograd.Var, spec autograd.AttentionSpec) *autograd.Var {
	q, k, v := a.Project(t, x)
	if a.Rotary != nil {
		positions := Positions(spec.Query, x.Dim(0))
		q = autograd.Rotary(t, q, a.Heads, positions, a.Rotary)
		k = autograd.Rotary(t, k, a.Heads, positions, a.Rotary)
	}
	if t.Probe != nil && a.Name != "" {
		t.Watch(a.Name+".query", q)
		t.Watch(a.Name+".key", k)
	}
	spec.Name, spec.Heads, spec.Relative, spec.Dropout = a.Name, a.Heads, a.Relative, a.Dropout
	spec.Causal = spec.Causal || a.Causal
	if a.Bias != nil {
		spec.Bias = a.Bias
	}
	o := autograd.Attention(t, q, k, v, spec)
	if t.Probe != nil && a.Name != "" {
		t.Watch(a.Name+".heads", o)
	}
	return a.Out.Forward(t, o)
}

// Project returns the queries, keys and values (T, D) of x (T, D), not yet turned.
func (a *MultiHeadAttention) Project(t *autograd.Tape, x *autograd.Var) (q, k, v *autograd.Var) {
	y := autograd.Linears(t, x, [3]*autograd.Var{a.Query.Weight, a.Key.Weight, a.Value.Weight}, [3]*autograd.Var{a.Query.Bias, a.Key.Bias, a.Value.Bias})
	return y[0], y[1], y[2]
}

// MixFirst is Mix for the first row of each segment alone, (T, D) to (S, D) for
// S segments, none of them empty. Keys and values are still those of all rows.
func (a *MultiHeadAttention) MixFirst(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	first := autograd.Rows(t, x, firsts(s))
	q, k, v := a.Query.Forward(t, first), a.Key.Forward(t, x), a.Value.Forward(t, x)
	if a.Rotary != nil {
		q = autograd.Rotary(t, q, a.Heads, make([]int32, len(s)), a.Rotary)
		k = autograd.Rotary(t, k, a.Heads, Positions(s, x.Dim(0)), a.Rotary)
	}
	queries := make([]autograd.Segment, len(s))
	for i := range queries {
		queries[i] = autograd.Segment{Start: i, Count: 1, Stride: 1}
	}
	o := autograd.Attention(t, q, k, v, autograd.AttentionSpec{
		Name: a.Name, Heads: a.Heads, Query: queries, Key: s, Causal: a.Causal, Bias: a.Bias, Relative: a.Relative, Dropout: a.Dropout,
	})
	return a.Out.Forward(t, o)
}

// firsts returns the first row of every segment.
func firsts(s []autograd.Segment) []int32 {
	rows := make([]int32, len(s))
	for i, g := range s {
		rows[i] = int32(g.Start)
	}
	return rows
}

// Visit names query, key, value, the relative bias if there is one, and out.
func (a *MultiHeadAttention) Visit(prefix string, f Visitor) {
	a.Query.Visit(Join(prefix, "query"), f)
	a.Key.Visit(Join(prefix, "key"), f)
	a.Value.Visit(Join(prefix, "value"), f)
	if a.Relative != nil {
		f(Join(prefix, "relative"), a.Relative)
	}
	a.Out.Visit(Join(prefix, "out"), f)
}

// Positions returns the place of every one of n rows within its segment.
func Positions(s []autograd.Segment, n int) []int32 {
	p := make([]int32, n)
	for _, g := range s {
		for i := range g.Count {
			p[g.Start+i*g.Stride] = int32(i)
		}
	}
	return p
}

// EncoderLayer is one pre-norm transformer block (Xiong et al. 2020):
//
//	x += dropout(Mixer(Norm1(x)))
//	x += dropout(Down(gelu(Up(Norm2(x)))))
type EncoderLayer struct {
	Norm1 *LayerNorm
	Mixer Mixer
	Norm2 *LayerNorm
	Up    *Linear // (FFN, D)
	Down  *Linear // (D, FFN)

	Dropout float32
	// Name is the beginning of what a probe sees: Name.input, Name.middle
	// (after attention) and Name.output, (T, D) each.
	Name string
}

// NewEncoderLayer returns a block around a mixer.
func NewEncoderLayer(mixer Mixer, dim, ffn int, r *rand.Rand) *EncoderLayer {
	return &EncoderLayer{
		Norm1: NewLayerNorm(dim), Mixer: mixer, Norm2: NewLayerNorm(dim),
		Up: NewLinear(dim, ffn, r), Down: NewLinear(ffn, dim, r),
	}
}

// Forward maps x (T, D) to (T, D).
func (l *EncoderLayer) Forward(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	l.watch(t, "input", x)
	return l.finish(t, x, l.Mixer.Mix(t, l.Norm1.Forward(t, x), s))
}

// First is Forward for the first row of each segment alone, (T, D) to (S, D)
// for S segments, none of them empty: what a model that reads one row of a
// sequence needs of its last layer. A Mixer without a method MixFirst mixes all
// rows. Values have the bits that Forward gives them.
func (l *EncoderLayer) First(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	m, ok := l.Mixer.(interface {
		MixFirst(*autograd.Tape, *autograd.Var, []autograd.Segment) *autograd.Var
	})
	if !ok {
		return autograd.Rows(t, l.Forward(t, x, s), firsts(s))
	}
	h := m.MixFirst(t, l.Norm1.Forward(t, x), s)
	return l.finish(t, autograd.Rows(t, x, firsts(s)), h)
}

// finish adds to x what was mixed, h, and then the feed-forward part.
func (l *EncoderLayer) finish(t *autograd.Tape, x, h *autograd.Var) *autograd.Var {
	x = autograd.Add(t, x, autograd.Dropout(t, h, l.Dropout))
	l.watch(t, "middle", x)
	h = l.Down.Forward(t, autograd.GELU(t, l.Up.Forward(t, l.Norm2.Forward(t, x))))
	x = autograd.Add(t, x, autograd.Dropout(t, h, l.Dropout))
	l.watch(t, "output", x)
	return x
}

// watch shows x to a probe; without one it costs nothing.
func (l *EncoderLayer) watch(t *autograd.Tape, name string, x *autograd.Var) {
	if t.Probe != nil && l.Name != "" {
		t.Watch(l.Name+"."+name, x)
	}
}

// Visit names norm1, attention, norm2, up and down.
func (l *EncoderLayer) Visit(prefix string, f Visitor) {
	l.Norm1.Visit(Join(prefix, "norm1"), f)
	l.Mixer.Visit(Join(prefix, "attention"), f)
	l.Norm2.Visit(Join(prefix, "norm2"), f)
	l.Up.Visit(Join(prefix, "up"), f)
	l.Down.Visit(Join(prefix, "down"), f)
}

package esm

import (
	"heed/autograd"
	"heed/nn"
)

// Stream is [Model.Each] in pieces: the queries, keys and values of a layer exist
// for all tokens, everything else for Work.Rows tokens at a time, so that the wide
// feed-forward layers cost next to nothing. attend, if not nil, sees the queries
// and keys (T, D) of each layer, turned by their positions. The slices are used
// again. What is computed has the bits of Each.
func (m *Model) Stream(b *Batch, w Work, attend func(layer int, q, k []float32), see func(layer int, x []float32)) {
	n, d := len(b.Tokens), m.Config.Dim
	t := &autograd.Tape{NoGrad: true, Cores: w.cores()}
	x := m.embedded(b)
	q, k, v := make([]float32, n*d), make([]float32, n*d), make([]float32, n*d)
	positions := nn.Positions(b.Segments, n)
	see(0, x)
	for i, l := range m.Layers {
		a := l.Mixer.(*nn.MultiHeadAttention)
		pieces(n, w.rows(), func(lo, hi int) {
			t.Reset()
			h := l.Norm1.Forward(t, autograd.Input(x[lo*d:hi*d], hi-lo, d))
			turn := func(y *autograd.Var) *autograd.Var {
				return autograd.Rotary(t, y, a.Heads, positions[lo:hi], a.Rotary)
			}
			one, two, three := a.Project(t, h)
			copy(q[lo*d:], turn(one).Data)
			copy(k[lo*d:], turn(two).Data)
			copy(v[lo*d:], three.Data)
		})
		if attend != nil {
			attend(i, q, k)
		}
		t.Reset()
		o := autograd.Attention(t, autograd.Input(q, n, d), autograd.Input(k, n, d), autograd.Input(v, n, d),
			autograd.AttentionSpec{Heads: a.Heads, Query: b.Segments})
		copy(q, o.Data)
		pieces(n, w.rows(), func(lo, hi int) {
			t.Reset()
			rest := x[lo*d : hi*d]
			y := autograd.Add(t, autograd.Input(rest, hi-lo, d), a.Out.Forward(t, autograd.Input(q[lo*d:hi*d], hi-lo, d)))
			y = autograd.Add(t, y, feedForward(t, y, l.Norm2, l.Up, l.Down))
			if i == len(m.Layers)-1 {
				y = m.Norm.Forward(t, y)
			}
			copy(rest, y.Data)
		})
		see(i+1, x)
	}
}

// feedForward is what a layer adds after attention.
func feedForward(t *autograd.Tape, x *autograd.Var, norm *nn.LayerNorm, up, down *nn.Linear) *autograd.Var {
	return down.Forward(t, autograd.GELU(t, up.Forward(t, norm.Forward(t, x))))
}

// embedded is Embedded without a tape.
func (m *Model) embedded(b *Batch) []float32 {
	d := m.Config.Dim
	x := make([]float32, len(b.Tokens)*d)
	for _, s := range b.Segments {
		scale := m.scale(b, s)
		for r := s.Start; r < s.Start+s.Count; r++ {
			id := b.Tokens[r]
			if m.Config.TokenDropout && id == Mask {
				continue
			}
			for j, e := range m.Embed.Weight.Data[int(id)*d : (int(id)+1)*d] {
				x[r*d+j] = e * scale
			}
		}
	}
	return x
}

// scale is what the embeddings of a sequence are multiplied by: see Embedded.
func (m *Model) scale(b *Batch, s autograd.Segment) float32 {
	if !m.Config.TokenDropout {
		return 1
	}
	masks := 0
	for _, id := range b.Tokens[s.Start : s.Start+s.Count] {
		if id == Mask {
			masks++
		}
	}
	return float32(1-maskRate) / (1 - float32(masks)/float32(s.Count))
}

// LogProbabilities returns the logarithms of the probabilities (len(rows), 33) that
// the masked-token head gives to all tokens at some rows of a batch.
func (m *Model) LogProbabilities(b *Batch, rows []int, w Work) []float64 {
	d := m.Config.Dim
	h := make([]float32, len(rows)*d)
	m.Stream(b, w, nil, func(layer int, x []float32) {
		if layer == len(m.Layers) {
			for i, r := range rows {
				copy(h[i*d:(i+1)*d], x[r*d:(r+1)*d])
			}
		}
	})
	t := &autograd.Tape{NoGrad: true, Cores: w.cores()}
	return logSoftmax(m.Logits(t, autograd.Input(h, len(rows), d)).Data)
}

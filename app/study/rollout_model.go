package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"heed/autograd"
	"heed/explain"
	"heed/metric"
	"heed/nn"
	"heed/train"
)

// The tokens of a ballot: votes for and against, many idle letters, and [CLS] that
// leads.
const (
	voteFor     = 0
	voteAgainst = 1
	ballotIdle  = 10 // kinds of idle letters, 2 to 11
	ballotCLS   = 12
	ballotLen   = 33 // rows, [CLS] among them
)

// A ballot is a sequence whose log-odds are planted: the votes for less those
// against. A label is drawn by them, so that a model that has learned the task gives
// every vote the same part of its score, for or against, and every idle letter none:
// nothing saturates.
type ballot struct {
	ids    []int32 // (33)
	margin int     // votes for less votes against, never 0
	label  int32
}

func drawBallot(r *rand.Rand) ballot {
	b := ballot{ids: make([]int32, ballotLen)}
	for i := range b.ids {
		b.ids[i] = int32(2 + r.IntN(ballotIdle))
	}
	b.ids[0] = ballotCLS
	pro, contra := 1+r.IntN(4), 1+r.IntN(4)
	for pro == contra {
		contra = 1 + r.IntN(4)
	}
	if b.margin = pro - contra; r.Float64() < 1/(1+math.Exp(-float64(b.margin))) {
		b.label = 1
	}
	for i, at := range r.Perm(ballotLen - 1)[:pro+contra] {
		if b.ids[1+at] = voteAgainst; i < pro {
			b.ids[1+at] = voteFor
		}
	}
	return b
}

// A counter is a transformer of some depth that reads [CLS]. Order says nothing in
// this task, so there are no positions.
type counter struct {
	Embed  *nn.Embedding
	Layers []*nn.EncoderLayer
	Norm   *nn.LayerNorm
	Out    *nn.Linear
}

func newCounter(layers int, r *rand.Rand) *counter {
	const dim, heads, ffn = 32, 4, 64
	m := &counter{Embed: nn.NewEmbedding(ballotCLS+1, dim, 0.5, r)}
	for i := range layers {
		a := nn.NewMultiHeadAttention(dim, heads, r)
		a.Name = fmt.Sprintf("layers.%d.attention", i)
		l := nn.NewEncoderLayer(a, dim, ffn, r)
		l.Name = fmt.Sprintf("layers.%d", i)
		m.Layers = append(m.Layers, l)
	}
	m.Norm, m.Out = nn.NewLayerNorm(dim), nn.NewLinear(dim, 2, r)
	return m
}

// Visit names embed, layers, norm and out.
func (m *counter) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	for i, l := range m.Layers {
		l.Visit(nn.Join(prefix, fmt.Sprintf("layers.%d", i)), f)
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Out.Visit(nn.Join(prefix, "out"), f)
}

// logits maps n ballots, end to end, to (n, 2).
func (m *counter) logits(t *autograd.Tape, ids []int32) *autograd.Var {
	lengths, first := make([]int, len(ids)/ballotLen), make([]int32, len(ids)/ballotLen)
	for i := range lengths {
		lengths[i], first[i] = ballotLen, int32(i*ballotLen)
	}
	s := autograd.Packed(lengths...)
	x := m.Embed.Forward(t, ids)
	t.Watch(explain.Embedding, x)
	for _, l := range m.Layers {
		x = l.Forward(t, x, s)
	}
	return m.Out.Forward(t, m.Norm.Forward(t, autograd.Rows(t, x, first)))
}

// scores returns the log-odds of each ballot.
func (m *counter) scores(ballots [][]int32) []float64 {
	out := make([]float64, len(ballots))
	for i, b := range ballots {
		y := m.logits(&autograd.Tape{NoGrad: true}, b).Data
		out[i] = float64(y[1] - y[0])
	}
	return out
}

// explained is the case of one ballot: 1 for "for", 0 for "against".
func (m *counter) explained(ids []int32, side int) *explain.Case {
	return &explain.Case{Rows: ballotLen, Readout: explain.ReadRow(ballotLen, 0), Run: func(t *autograd.Tape, n int) *autograd.Var {
		return explain.Contrast(t, m.logits(t, slices.Concat(slices.Repeat([][]int32{ids}, n)...)), side)
	}}
}

// fitCounter trains a model on ballots that are drawn anew in every step, and returns
// the share of new ones whose majority it is right about.
func (l *Lab) fitCounter(ctx context.Context, layers int, seed uint64) (*counter, float64, error) {
	m := newCounter(layers, rand.New(rand.NewPCG(seed, 31)))
	lengths := make([]int, l.pick(24000, 6400))
	for i := range lengths {
		lengths[i] = ballotLen
	}
	run, err := train.New(train.Config{Epochs: 1, Batch: 32, Leaves: 2, Rate: 2e-3, Warmup: 0.1, Decay: 0.01, Clip: 1, Seed: seed, Cores: l.Cores}, train.Problem{
		Model: m, Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			var ids, want []int32
			for range examples {
				b := drawBallot(t.Rand)
				ids, want = append(ids, b.ids...), append(want, b.label)
			}
			return autograd.CrossEntropy(t, m.logits(t, ids), want, norm)
		},
	})
	if err != nil {
		return nil, 0, err
	}
	for _, err := range run.Steps(ctx) {
		if err != nil {
			return nil, 0, err
		}
	}
	r, hits, n := rand.New(rand.NewPCG(seed, 32)), 0, l.pick(1000, 200)
	for range n {
		b := drawBallot(r)
		if (m.scores([][]int32{b.ids})[0] > 0) == (b.margin > 0) {
			hits++
		}
	}
	return m, float64(hits) / float64(n), nil
}

// A mapper scores the rows of a ballot but [CLS] for one side.
type mapper struct {
	name string
	rows func(ctx context.Context, m *counter, ids []int32, side int, r *rand.Rand) ([]float64, error)
}

func mappers() []mapper {
	return []mapper{
		{"rollout", func(_ context.Context, m *counter, ids []int32, side int, _ *rand.Rand) ([]float64, error) {
			c := m.explained(ids, side)
			return explain.RolloutFrom(explain.Attention(c), c.Readout, explain.Mean)[1:], nil
		}},
		{"gradient x attention", func(_ context.Context, m *counter, ids []int32, side int, _ *rand.Rand) ([]float64, error) {
			c := m.explained(ids, side)
			return explain.GradientAttention(explain.AttentionGradient(c), c.Readout, explain.Positive)[1:], nil
		}},
		{"integrated gradients", func(ctx context.Context, m *counter, ids []int32, side int, r *rand.Rand) ([]float64, error) {
			var baselines [][]float32
			for _, b := range idle(4, r) {
				baselines = append(baselines, m.explained(b, side).Embedded().Data)
			}
			g, err := explain.IntegratedGradients(ctx, m.explained(ids, side), 16, baselines...)
			if err != nil {
				return nil, err
			}
			return g.Values[1:], nil
		}},
		{"occlusion", func(ctx context.Context, m *counter, ids []int32, side int, r *rand.Rand) ([]float64, error) {
			o, err := explain.ReplaceGame(ids, idle(4, r), m.scores).Occlusion(ctx)
			if err != nil {
				return nil, err
			}
			if side == 0 { // the log-odds of "against" are the negative ones
				for i := range o.Effect {
					o.Effect[i] = -o.Effect[i]
				}
			}
			return o.Effect[1:], nil
		}},
	}
}

// idle draws n ballots without votes.
func idle(n int, r *rand.Rand) [][]int32 {
	out := make([][]int32, n)
	for k := range out {
		out[k] = make([]int32, ballotLen)
		for i := range out[k] {
			out[k][i] = int32(2 + r.IntN(ballotIdle))
		}
		out[k][0] = ballotCLS
	}
	return out
}

// A mapScore is how right the maps of one method are on some ballots.
type mapScore struct {
	votes float64 // AUPRC of the votes among all letters, by the size of the scores
	sides float64 // AUROC of the votes for a side against those of the other, mean of both sides
	even  float64 // mean uniformity of the map
	maps  [][]float64
}

// judge scores the maps of a method.
func (m *counter) judge(ctx context.Context, f mapper, ballots []ballot, seed uint64) (mapScore, error) {
	var s mapScore
	n := float64(len(ballots))
	for i, b := range ballots {
		size, vote := make([]float64, ballotLen-1), make([]bool, ballotLen-1)
		for side := range 2 {
			scores, err := f.rows(ctx, m, b.ids, side, rand.New(rand.NewPCG(seed, uint64(100+i))))
			if err != nil {
				return s, err
			}
			var sided []float64
			var own []bool
			for j, v := range scores {
				size[j], vote[j] = math.Abs(v), b.ids[1+j] < 2
				if vote[j] {
					sided, own = append(sided, v), append(own, (b.ids[1+j] == voteFor) == (side == 1))
				}
			}
			between, err := metric.NewBinary(sided, own)
			if err != nil {
				return s, err
			}
			if s.sides += between.AUROC() / 2 / n; side == 1 {
				s.maps = append(s.maps, scores)
			}
		}
		all, err := metric.NewBinary(size, vote)
		if err != nil {
			return s, err
		}
		s.votes += all.AUPRC() / n
		if e := explain.Uniformity(size); e == e {
			s.even += e / n
		}
	}
	return s, nil
}

// evenly returns the scores of ballots when the attention of every head is replaced by
// the same weight for all letters.
func (m *counter) evenly(ballots []ballot) []float64 {
	out := make([]float64, len(ballots))
	for i, b := range ballots {
		t := &autograd.Tape{NoGrad: true}
		t.Probe = func(name string, v *autograd.Var) {
			if len(v.Shape) == 4 {
				explain.UniformHead(v.Data, v.Dim(3))
			}
		}
		y := m.logits(t, b.ids).Data
		out[i] = float64(y[1] - y[0])
	}
	return out
}

// wired is one head whose weights, values and outputs are set by hand, so that what
// every letter does is known: the score is the sum of weight times value.
type wired struct {
	names   []string
	weights []float64 // of the only query
	values  []float64
}

// sink is the example of the table: a letter that collects most of the weight and
// says nothing, and others that speak for and against.
func sink() wired {
	return wired{[]string{"reader", "sink", "for", "against"}, []float64{0.1, 0.6, 0.15, 0.15}, []float64{0, 0, 2, -2}}
}

// explained is the case of a wired head: rows (letters, 1) hold the values, and row 0
// reads.
func (w wired) explained() *explain.Case {
	n := len(w.values)
	return &explain.Case{Rows: n, Readout: explain.ReadRow(n, 0), Run: func(t *autograd.Tape, copies int) *autograd.Var {
		var x []float32
		var first []int32
		lengths := make([]int, copies)
		for c := range copies {
			for _, v := range w.values {
				x = append(x, float32(v))
			}
			first, lengths[c] = append(first, int32(c*n)), n
		}
		bias := autograd.Input(make([]float32, n*n), 1, n, n) // scores log A: the weights are A
		for i := range n {
			for j, a := range w.weights {
				bias.Data[i*n+j] = float32(math.Log(a))
			}
		}
		ids := make([]int32, len(x))
		for i := range ids {
			ids[i] = int32(i)
		}
		e := autograd.Embedding(t, autograd.Input(x, len(x), 1), ids)
		t.Watch(explain.Embedding, e)
		zero := autograd.Input(make([]float32, len(x)), len(x), 1)
		y := autograd.Attention(t, zero, zero, e, autograd.AttentionSpec{Name: "wired", Heads: 1, Query: autograd.Packed(lengths...), Bias: bias})
		return autograd.Rows(t, y, first)
	}}
}

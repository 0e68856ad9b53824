package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"heed/autograd"
	"heed/nn"
	"heed/train"
)

// reachStudy asks how far back a layer of attention and its predecessors see, and how
// fast they learn to.
func reachStudy() Study {
	return Study{
		Name:  "reach",
		Title: "How does the distance between two tokens decide what can be learned?",
		Claim: "In a layer of attention any two tokens are one step apart; a recurrent layer has a path as long as the distance, along which gradients vanish; a convolution sees no farther than its reach. " +
			"At equal parameters attention learns to hand a letter over at every distance up to 1,000 tokens; a plain LSTM does not learn 1,000, neither if that is all it is trained on nor together with short distances; convolutions that reach 15 rows learn nothing beyond.",
		Refuted: "Attention below .95 right at any distance; a plain LSTM less than .3 behind it at 1,000 tokens, alone or together with short distances; an untrained LSTM whose gradient falls by less than a million from 10 to 1,000 tokens, or attention whose gradient falls by more than ten thousand; dilated convolutions that fail at 10 tokens or succeed at 30.",
		Takes:   "3 minutes",
		Run:     runReach,
	}
}

// A relay hands a letter over: at position 10 stands one of eight capitals among
// small letters, and d positions later a question mark, where the capital is
// wanted. One layer, equal parameters, no positions: a capital is marked enough.
type relay struct {
	Embed *nn.Embedding
	Layer *nn.EncoderLayer
	Norm  *nn.LayerNorm
	Out   *nn.Linear
}

const (
	relayCapitals = 8
	relaySmall    = 8
	relayMark     = relayCapitals + relaySmall // the question mark
	relayFrom     = 10                         // position of the capital
	relayTail     = 5                          // letters after the question mark
	relayDim      = 32
)

// A runner is one architecture that hands letters over.
type runner struct {
	name, mixer string // mixer is empty for attention
	rate        float64
	memory      float64 // forget gates that begin open: 1 the bias 1, above that for so many tokens
}

// runners lists the architectures. Recurrent layers have the higher rate, at which
// they learn faster, and LSTMs a forget gate that begins open, but for one; another
// one begins with gates for spans up to 1,000 tokens, spread evenly (Tallec &
// Ollivier 2018), which is what helps it most.
func (l *Lab) runners() []runner {
	all := []runner{
		{"attention", "", 5e-3, 0}, {"LSTM", "lstm", 1e-2, 1}, {"LSTM, gates for 1,000 tokens", "lstm", 1e-2, 1000},
		{"BiLSTM", "bilstm", 1e-2, 1}, {"GRU", "gru", 1e-2, 0}, {"dilated convolutions", "dilated", 1e-2, 0},
	}
	if l.Tiny {
		return []runner{all[0], all[1], all[5]}
	}
	return all
}

// single reports whether a runner is trained on one distance alone too: not
// convolutions, which cannot know more then, nor the LSTM that reads backwards as
// well, which is an LSTM to the question mark.
func (c runner) single() bool { return c.mixer != "dilated" && c.mixer != "bilstm" }

func newRelay(c runner, r *rand.Rand) (*relay, error) {
	const heads, ffn = 4, 64
	count := func(m nn.Mixer) int { return nn.Count(nn.NewEncoderLayer(m, relayDim, ffn, nil)) }
	var mixer nn.Mixer = nn.NewMultiHeadAttention(relayDim, heads, r)
	if c.mixer != "" {
		width, err := nn.EqualWidth(count(mixer), func(width int) int {
			m, err := nn.NewMixer(c.mixer, relayDim, width, nil)
			if err != nil {
				panic(fmt.Sprintf("study: %v", err)) // the kind is one of ours
			}
			return count(m)
		})
		if err != nil {
			return nil, err
		}
		if mixer, err = nn.NewMixer(c.mixer, relayDim, width, r); err != nil {
			return nil, err
		}
		if m, ok := mixer.(*nn.RecurrentMixer); ok {
			c.open(m.Reader, r)
		}
	}
	return &relay{
		Embed: nn.NewEmbedding(relayMark+1, relayDim, 1, r), Layer: nn.NewEncoderLayer(mixer, relayDim, ffn, r),
		Norm: nn.NewLayerNorm(relayDim), Out: nn.NewLinear(relayDim, relayCapitals, r),
	}, nil
}

// open sets the first values of the gates.
func (c runner) open(reader nn.Reader, r *rand.Rand) {
	switch m := reader.(type) {
	case *nn.Bidirectional:
		c.open(m.Ahead, r)
		c.open(m.Back, r)
	case *nn.LSTM:
		switch {
		case c.memory == 1:
			m.Remember(1)
		case c.memory > 1:
			m.Remember(0)
			h := m.Hidden.Weight.Dim(1)
			for i := range h { // input gates and forget gates for a span drawn evenly
				b := float32(math.Log(1 + r.Float64()*(c.memory-2)))
				m.Input.Bias.Data[i], m.Hidden.Bias.Data[i], m.Input.Bias.Data[h+i] = -b, 0, b
			}
		}
	}
}

// Visit names embed, layer, norm and out.
func (m *relay) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	m.Layer.Visit(nn.Join(prefix, "layer"), f)
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Out.Visit(nn.Join(prefix, "out"), f)
}

// A relayBatch is some sequences end to end.
type relayBatch struct {
	ids     []int32 // (T)
	lengths []int
	from    []int32 // rows of the capitals
	to      []int32 // rows of the question marks
	want    []int32 // the capitals
}

func (b *relayBatch) add(distance int, r *rand.Rand) {
	start := len(b.ids)
	for range relayFrom + distance + 1 + relayTail {
		b.ids = append(b.ids, int32(relayCapitals+r.IntN(relaySmall)))
	}
	capital := int32(r.IntN(relayCapitals))
	from, to := start+relayFrom, start+relayFrom+distance
	b.ids[from], b.ids[to] = capital, relayMark
	b.lengths, b.from, b.to, b.want = append(b.lengths, len(b.ids)-start), append(b.from, int32(from)), append(b.to, int32(to)), append(b.want, capital)
}

// logits maps a batch to (n, 8); embedded, if not nil, is called with the rows
// before the layer.
func (m *relay) logits(t *autograd.Tape, b *relayBatch, embedded func(x *autograd.Var)) *autograd.Var {
	x := m.Embed.Forward(t, b.ids)
	if embedded != nil {
		embedded(x)
	}
	// The layer, x + mix(norm(x)), and the feed-forward part, for the rows that are read;
	// nothing is computed for the others that nobody asks for.
	h, all := m.Layer.Norm1.Forward(t, x), autograd.Packed(b.lengths...)
	if a, ok := m.Layer.Mixer.(*nn.MultiHeadAttention); ok {
		one := make([]int, len(b.to))
		for i := range one {
			one[i] = 1
		}
		q := a.Query.Forward(t, autograd.Rows(t, h, b.to))
		h = a.Out.Forward(t, autograd.Attention(t, q, a.Key.Forward(t, h), a.Value.Forward(t, h), autograd.AttentionSpec{Heads: a.Heads, Query: autograd.Packed(one...), Key: all}))
	} else {
		h = autograd.Rows(t, m.Layer.Mixer.Mix(t, h, all), b.to)
	}
	x = autograd.Add(t, autograd.Rows(t, x, b.to), h)
	x = autograd.Add(t, x, m.Layer.Down.Forward(t, autograd.GELU(t, m.Layer.Up.Forward(t, m.Layer.Norm2.Forward(t, x)))))
	return m.Out.Forward(t, m.Norm.Forward(t, x))
}

// right returns the share of n sequences of one distance that are right.
func (m *relay) right(distance, n int, r *rand.Rand) float64 {
	hits := 0
	for range n { // one at a time, for the memory's sake
		b := &relayBatch{}
		b.add(distance, r)
		y := m.logits(&autograd.Tape{NoGrad: true}, b, nil).Data
		if y[b.want[0]] == slices.Max(y) {
			hits++
		}
	}
	return float64(hits) / float64(n)
}

// gradient returns the mean norm of the derivative of the right answer's score
// with respect to the embedded capital.
func (m *relay) gradient(distance, n int, r *rand.Rand) float64 {
	sum := 0.0
	for range n {
		b := &relayBatch{}
		b.add(distance, r)
		t := &autograd.Tape{}
		var x *autograd.Var
		y := m.logits(t, b, func(v *autograd.Var) { x = v; t.Keep(v) })
		seed := make([]float32, relayCapitals)
		seed[b.want[0]] = 1
		t.BackwardFrom(y, seed)
		squares := 0.0
		for _, g := range t.Grad(x)[relayFrom*relayDim : (relayFrom+1)*relayDim] {
			squares += float64(g) * float64(g)
		}
		sum += math.Sqrt(squares)
	}
	return sum / float64(n)
}

// A course says what is trained.
type course struct {
	distances    []int // drawn for each sequence with equal chances
	steps, batch int
	look         int  // sequences of each distance that are looked at
	stop         bool // as soon as nearly all letters are right
}

// between is how many steps lie between two looks at what has been learned.
const between = 50

// together trains all distances at once, so that the short ones teach the way to
// the long ones.
func (l *Lab) together() course {
	if l.Tiny {
		return course{distances: []int{3, 10, 30, 100}, steps: 250, batch: 32, look: 30}
	}
	return course{distances: []int{1, 3, 10, 30, 100, 300, 1000}, steps: 400, batch: 32, look: 30}
}

// alone trains one distance, without the help of shorter ones.
func (l *Lab) alone() []course {
	var out []course
	for _, d := range []int{10, 100, 1000} {
		if !l.Tiny || d == 100 {
			out = append(out, course{distances: []int{d}, steps: l.pick(2400, 300), batch: 16, look: 60, stop: true})
		}
	}
	return out
}

// A relayTrial is what one architecture did with one seed, by distance.
type relayTrial struct {
	params        int
	right         []float64
	learned       []float64 // steps until .9 were right and stayed so; NaN for never
	before, after []float64 // norm of the gradient, untrained and trained
}

func (l *Lab) relay(ctx context.Context, c runner, how course, seed uint64) (*relayTrial, error) {
	m, err := newRelay(c, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		return nil, err
	}
	out := &relayTrial{params: nn.Count(m)}
	gradients := func() (norms []float64) {
		for _, d := range how.distances {
			norms = append(norms, m.gradient(d, l.pick(16, 4), rand.New(rand.NewPCG(seed, 6))))
		}
		return norms
	}
	out.before = gradients()
	lengths := make([]int, how.batch)
	for i := range lengths {
		lengths[i] = how.distances[len(how.distances)-1]
	}
	run, err := train.New(train.Config{Epochs: how.steps, Batch: how.batch, Rate: c.rate, Warmup: 0.05, Seed: seed, Cores: 1, Leaves: 1}, train.Problem{
		Model: m, Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			b := &relayBatch{}
			for range examples {
				b.add(how.distances[t.Rand.IntN(len(how.distances))], t.Rand)
			}
			return autograd.CrossEntropy(t, m.logits(t, b, nil), b.want, norm)
		},
	})
	if err != nil {
		return nil, err
	}
	out.learned = make([]float64, len(how.distances))
	for k := range out.learned {
		out.learned[k] = math.NaN()
	}
	for step, err := range run.Steps(ctx) {
		if err != nil {
			return nil, err
		}
		if step.N%between != 0 {
			continue
		}
		least := 1.0
		for k, d := range how.distances {
			right := m.right(d, how.look, rand.New(rand.NewPCG(seed, 7)))
			switch least = min(least, right); {
			case right < 0.9:
				out.learned[k] = math.NaN()
			case math.IsNaN(out.learned[k]):
				out.learned[k] = float64(step.N)
			}
		}
		if how.stop && least > 0.98 {
			break
		}
	}
	for _, d := range how.distances {
		out.right = append(out.right, m.right(d, l.pick(200, 60), rand.New(rand.NewPCG(seed, 8))))
	}
	out.after = gradients()
	return out, nil
}

func runReach(ctx context.Context, l *Lab) (*Finding, error) {
	runners, alone := l.runners(), l.alone()
	courses := append([]course{l.together()}, alone...)
	trials := make([][][]*relayTrial, len(courses)) // (courses, runners, seeds)
	type job struct{ course, runner, seed int }
	var jobs []job
	for k := len(courses) - 1; k >= 0; k-- { // the longest first
		trials[k] = make([][]*relayTrial, len(runners))
		for i, c := range runners {
			trials[k][i] = make([]*relayTrial, l.Seeds)
			for s := range l.Seeds {
				if k == 0 || c.single() {
					jobs = append(jobs, job{k, i, s})
				}
			}
		}
	}
	err := l.each(len(jobs), func(i int) (err error) {
		j := jobs[i]
		c := runners[j.runner]
		x, err := l.relay(ctx, c, courses[j.course], l.Seed+uint64(j.seed))
		if err == nil {
			trials[j.course][j.runner][j.seed] = x
			l.tell("%s, seed %d, distances %d: right %.2f", c.name, l.Seed+uint64(j.seed), courses[j.course].distances, x.right)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	r := relayFindings{l, runners, courses, trials}
	f := &Finding{}
	f.Tables = append(f.Tables,
		r.table("Distances trained together: share of letters handed over rightly, by distance in tokens", "%.2f [%.2f, %.2f]", func(t *relayTrial) []float64 { return t.right },
			fmt.Sprintf("Chance is %.3f. %d steps of %d sequences; 200 new sequences for each distance and seed.", 1.0/relayCapitals, courses[0].steps, courses[0].batch)),
		r.steps(),
		r.single(),
		r.table("Norm of the derivative of the answer with respect to the letter, untrained", "%.1e [%.1e, %.1e]", func(t *relayTrial) []float64 { return t.before },
			"What is smaller than float32 holds is 0."),
		r.table("The same, distances trained together", "%.1e [%.1e, %.1e]", func(t *relayTrial) []float64 { return t.after }))
	r.checks(f)
	if f.Figures, err = r.figures(); err != nil {
		return nil, err
	}
	f.Words = r.words()
	return f, nil
}

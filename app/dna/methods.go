package dna

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/autograd"
	"heed/data"
	"heed/explain"
	"heed/internal/cli"
	"heed/metric"
	"heed/model/bert"
)

// A method scores the letters of a sequence.
type method struct {
	explain.Method
	key     string // on the command line
	normal  bool   // one of those that are computed unless others are asked for
	meaning string
	// rows scores the rows of a part of the model; nil for mutagenesis, which
	// looks at the model from outside.
	rows func(ctx context.Context, p *part) ([]float64, error)
}

// The methods that everything else refers to by key.
const (
	keyMutagenesis = "mutagenesis"
	keyIntegrated  = "integrated-gradients"
	keyMap         = "gradient-attention"
	keyRollout     = "rollout"
)

// methods lists all, in the order in which a page shows them.
func methods() []method {
	return []method{
		{explain.Method{Name: "gradient x attention", Unsigned: true}, keyMap, true,
			"how much each letter passes on to the score along weights whose growth would raise it", gradientAttention},
		{explain.Method{Name: "integrated gradients"}, keyIntegrated, true,
			"the share of each letter in the difference of the log-odds to shuffled sequences; the shares add up", integratedGradients},
		{explain.Method{Name: "mutagenesis"}, keyMutagenesis, true,
			"how much the log-odds fall on average when the letter is replaced: evidence of cause", nil},
		{explain.Method{Name: "rollout of attention", Unsigned: true}, keyRollout, true,
			"where information could flow, the same for every class", rollout},
		{explain.Method{Name: "attention of the last layer", Unsigned: true}, "attention", false,
			"the weights of the row that is read, averaged over heads", lastAttention},
		{explain.Method{Name: "attention flow", Unsigned: true}, "flow", false,
			"the largest flow along attention; it saturates with depth", flow},
		{explain.Method{Name: "norms", Unsigned: true}, "norms", false,
			"rollout of the lengths of the vectors that are sent, with their values", norms},
		{explain.Method{Name: "ALTI", Unsigned: true}, "alti", false,
			"rollout of what points the way of the result", alti},
		{explain.Method{Name: "value zeroing", Unsigned: true}, "value-zeroing", false,
			"rollout of how much a layer turns when one value is taken away", valueZeroing},
		{explain.Method{Name: "decomposition"}, "decomposition", false,
			"exact shares of the rows after the convolutions, with attention taken as given", decomposition},
		{explain.Method{Name: "gradient x input"}, "gradient-input", false,
			"the slope of the log-odds times the embedding; 0 where the model is saturated", gradientInput},
	}
}

// methodKeys returns the keys of all methods.
func methodKeys() []string {
	var keys []string
	for _, m := range methods() {
		keys = append(keys, m.key)
	}
	return keys
}

// pickMethods returns the methods of a comma-separated list of keys: "default",
// "all" or names. Mutagenesis, the referee, is always one of them.
func pickMethods(list string) ([]method, error) {
	all, keys := methods(), methodKeys()
	want := strings.Split(list, ",")
	for _, key := range want {
		if key != "default" && key != "all" && !slices.Contains(keys, key) {
			return nil, cli.Usagef("--methods %q: want default, all, or some of %s", key, strings.Join(keys, ","))
		}
	}
	var out []method
	for _, m := range all {
		if slices.Contains(want, "all") || m.normal && slices.Contains(want, "default") || m.key == keyMutagenesis || slices.Contains(want, m.key) {
			out = append(out, m)
		}
	}
	return out, nil
}

// inside are the methods that take the layers of our own network apart.
var inside = []string{"norms", "alti", "value-zeroing", "decomposition"}

// possible leaves out the methods that cannot look into the model, which is an
// error for those that the list names.
func (f *Fitted) possible(ms []method, list string) ([]method, error) {
	if f.Config.Encoder == nil {
		return ms, nil
	}
	for _, key := range inside {
		if slices.Contains(strings.Split(list, ","), key) {
			return nil, cli.Usagef("--methods %s: it needs norms before the layers; in a published encoder they come after", key)
		}
	}
	return slices.DeleteFunc(ms, func(m method) bool { return slices.Contains(inside, m.key) }), nil
}

// A part is one member of a model on one strand of a sequence. Methods that look
// inside explain each part's log-odds, and the letters get the mean over the
// parts; mutagenesis changes the letters of both strands and all members
// together.
type part struct {
	model       Network
	c           *explain.Case
	class       int
	ids         []int32
	spans       []bert.Span // the letters of its strand that the ids cover
	backgrounds [][]int32   // shuffled sequences
	reverse     bool        // of the strand

	layers   []explain.Layer // with gradients, once they were asked for
	integral *Integral       // of integrated gradients, once they were
}

// backgroundCount is how many shuffled sequences stand for the absence of a
// signal.
const backgroundCount = 8

// sequenceRand returns a source of its own for each sequence.
func sequenceRand(seq []byte, seed uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write(seq)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// backgrounds returns sequences with the composition of seq, in letters and in
// neighbours. Shuffling keeps both ends, so the sequence is closed to a ring and
// cut elsewhere first.
func backgrounds(seq []byte, seed uint64) [][]byte {
	r := sequenceRand(seq, seed)
	out := make([][]byte, backgroundCount)
	for i := range out {
		k := r.IntN(len(seq))
		out[i] = data.ShuffleDinucleotides(slices.Concat(seq[k:], seq[:k]), r)
	}
	return out
}

// parts returns the parts of a model for one sequence.
func (f *Fitted) parts(seq []byte, class int, seed uint64) []*part {
	z := f.Config.reader()
	var out []*part
	for _, m := range f.Members {
		for strand := range 2 {
			if strand == 1 && !f.Config.Strands {
				break
			}
			p := &part{model: m, class: class, reverse: strand == 1, ids: z.encode(seq, strand == 1)}
			p.backgrounds = z.backgrounds(seq, p.ids, p.reverse, seed)
			p.spans = z.spans(seq)
			if p.reverse {
				p.spans = z.spans(bert.ReverseComplement(seq))
			}
			p.c = caseOf(m, p.ids, rows(z, len(p.ids)), class)
			out = append(out, p)
		}
	}
	return out
}

// attention returns the weights of the part with their gradients, computed
// once.
func (p *part) attention() []explain.Layer {
	if p.layers == nil {
		p.layers = explain.AttentionGradient(p.c)
	}
	return p.layers
}

// encoder returns what decompositions look into: the layers of our own network.
func (p *part) encoder() *explain.Encoder {
	m := p.model.(own)
	return &explain.Encoder{
		Layers: m.Layers, Norm: m.Norm, Classifier: m.Classifier,
		Class: explain.ContrastWeights(m.Config.Classes, p.class),
	}
}

// letters shares the scores of rows, [CLS] leading, among the n letters of the
// forward strand: a token gives an equal part to each of the letters that it
// covers, and what end tokens have belongs to no letter.
func (p *part) letters(rows []float64, n int) []float64 {
	out := make([]float64, n)
	for j, s := range p.spans {
		for l := s.From; l < s.To; l++ {
			at := l
			if p.reverse {
				at = n - 1 - l
			}
			out[at] += rows[1+j] / float64(s.To-s.From)
		}
	}
	return out
}

// batch is how many copies of the input run in one pass.
func (p *part) batch() int { return max(1, batchTokens/p.c.Rows) }

func gradientAttention(_ context.Context, p *part) ([]float64, error) {
	return explain.GradientAttention(p.attention(), p.c.Readout, explain.Positive), nil
}

func rollout(_ context.Context, p *part) ([]float64, error) {
	return explain.RolloutFrom(p.attention(), p.c.Readout, explain.Mean), nil
}

func flow(ctx context.Context, p *part) ([]float64, error) {
	f, err := explain.AttentionFlow(ctx, explain.Fuse(p.attention(), explain.FuseSpec{}), p.c.Readout, explain.FlowLength)
	if err != nil {
		return nil, err
	}
	return f.Share, nil
}

func lastAttention(_ context.Context, p *part) ([]float64, error) {
	layers := p.attention()
	return explain.Roll(explain.Fuse(layers[len(layers)-1:], explain.FuseSpec{NoResidual: true}), p.c.Readout), nil
}

func norms(_ context.Context, p *part) ([]float64, error) {
	layers, err := p.encoder().Norms(p.c)
	if err != nil {
		return nil, err
	}
	var mixing []explain.Mixing
	for _, l := range layers {
		mixing = append(mixing, l.Residual.Normalized())
	}
	return explain.Roll(mixing, p.c.Readout), nil
}

func alti(_ context.Context, p *part) ([]float64, error) {
	layers, err := p.encoder().ALTI(p.c)
	if err != nil {
		return nil, err
	}
	return explain.Roll(layers, p.c.Readout), nil
}

func valueZeroing(ctx context.Context, p *part) ([]float64, error) {
	layers, err := p.encoder().ValueZeroing(ctx, p.c)
	if err != nil {
		return nil, err
	}
	for i := range layers {
		layers[i] = layers[i].Normalized()
	}
	return explain.Roll(layers, p.c.Readout), nil
}

func decomposition(ctx context.Context, p *part) ([]float64, error) {
	d, err := explain.Decompose(ctx, p.c, p.encoder(), 0)
	if err != nil {
		return nil, err
	}
	return d.Values, nil
}

func gradientInput(_ context.Context, p *part) ([]float64, error) {
	return explain.Gradient(p.c).TimesInput(), nil
}

func integratedGradients(ctx context.Context, p *part) ([]float64, error) {
	var embedded [][]float32
	for _, ids := range p.backgrounds {
		embedded = append(embedded, caseOf(p.model, ids, p.c.Rows, 0).Embedded().Data)
	}
	g, err := explain.IntegratedGradients(ctx, p.c, p.batch(), embedded...)
	if err != nil {
		return nil, err
	}
	p.integral = &Integral{Score: g.Score, Baseline: g.Baseline, Error: g.Error, Met: g.Met()}
	for _, path := range g.Paths {
		p.integral.Steps = max(p.integral.Steps, path.Steps)
	}
	return g.Values, nil
}

// scoreLetters fills in the scores of an explanation, whose mutagenesis is
// done, and what the attention shows.
func (f *Fitted) scoreLetters(ctx context.Context, e *Explanation, how Explaining) error {
	z := f.Config.reader()
	parts := f.parts(e.Sequence, e.Class, how.Seed)
	e.Scores = make([][]float64, len(how.Methods))
	for i, m := range how.Methods {
		e.Scores[i] = make([]float64, len(e.Sequence))
		if m.rows == nil {
			copy(e.Scores[i], e.Importance)
			continue
		}
		if !f.Config.Model.Attends() && (m.Unsigned || m.key == "decomposition") {
			continue // there is no attention: a map of zeros
		}
		for _, p := range parts {
			rows, err := m.rows(ctx, p)
			if err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
			for j, v := range p.letters(rows, len(e.Sequence)) {
				e.Scores[i][j] += v / float64(len(parts))
			}
		}
		if m.key == keyRollout {
			e.Rollout, e.Uniformity = e.Scores[i], explain.Uniformity(e.Scores[i])
			if rho, err := metric.Spearman(e.Rollout, sizes(e.Importance)); err == nil {
				e.Spearman = rho
			}
		}
	}
	e.Integral = meanIntegral(parts)
	if f.Config.Model.Attends() {
		e.Heads = explain.Heads(parts[0].attention(), headSpec(z, len(parts[0].ids)))
		before, behind := z.ends()
		e.Tokens = append(e.Tokens, before...)
		for _, id := range parts[0].ids {
			e.Tokens = append(e.Tokens, z.name(id))
		}
		e.Tokens = append(e.Tokens, behind...)
	}
	return nil
}

// nearLetters is how far away a head looks that looks near.
const nearLetters = 5

// headSpec describes the rows of n tokens to the statistics of heads: end tokens
// are special, and distances are in tokens, which for single letters and k-mers are
// letters.
func headSpec(z reader, n int) explain.HeadSpec {
	before, behind := z.ends()
	special := make([]bool, len(before)+n+len(behind))
	for i := range special {
		special[i] = i < len(before) || i >= len(before)+n
	}
	return explain.HeadSpec{Special: special, Window: nearLetters}
}

// meanIntegral averages the integrals of parts; nil if there are none.
func meanIntegral(parts []*part) *Integral {
	if parts[0].integral == nil {
		return nil
	}
	out := &Integral{Met: true}
	n := float64(len(parts))
	for _, p := range parts {
		out.Score += p.integral.Score / n
		out.Baseline += p.integral.Baseline / n
		out.Error += p.integral.Error / n
		out.Steps = max(out.Steps, p.integral.Steps)
		out.Met = out.Met && p.integral.Met
	}
	return out
}

// caseOf returns the case of one member and the tokens of one strand, so many rows
// with the end tokens, explained for a class; row 0 is [CLS].
func caseOf(m Network, ids []int32, rows, class int) *explain.Case {
	c := &explain.Case{Rows: rows, Readout: m.readout(rows)}
	c.Run = func(t *autograd.Tape, n int) *autograd.Var {
		return explain.Contrast(t, m.logits(t, slices.Repeat([][]int32{ids}, n)...), class)
	}
	return c
}

// sizes returns absolute values.
func sizes(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Abs(v)
	}
	return out
}

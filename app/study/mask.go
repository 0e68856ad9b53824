package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"heed/autograd"
	"heed/metric"
	"heed/nn"
	"heed/plot"
	"heed/train"
)

// mask asks what padding and positions do when they are forgotten.
func mask() Study {
	return Study{
		Name:  "mask",
		Title: "What goes wrong without a padding mask, and without positions?",
		Claim: "Without a padding mask the score of a sequence depends on how long its neighbours in the batch are; with one, or with packed sequences, it does not. " +
			"Without positions a transformer sees a bag of tokens: any order gives the same score, and a task that is all order cannot be learned.",
		Refuted: "A masked or packed score that moves by 1e-4 or more; scores without the mask that move by less than .1 in the mean; scores without positions that differ by more than 1e-6 of the largest; AUROC above .6 without positions where order decides, or below .95 with them.",
		Takes:   "1 minute",
		Run:     runMask,
	}
}

// A ragged classifier reads letters through a table, two layers of attention and
// the first row. It takes batches that are packed, or padded to a rectangle.
type ragged struct {
	Embed    *nn.Embedding // (len(raggedLetters), D)
	Position *autograd.Var // (tokens, D); nil for none, and for what attention does itself
	Layers   []*nn.EncoderLayer
	Norm     *nn.LayerNorm
	Out      *nn.Linear
}

// raggedLetters are the tokens: [CLS], padding, and what sequences are made of.
const raggedLetters = "^.ACGTXY"

// Positions that a ragged classifier can have.
var raggedPositions = []string{"none", "learned", "sinusoidal", "rotary", "relative"} // never written to

func newRagged(position string, tokens int, r *rand.Rand) *ragged {
	const dim, heads = 32, 4
	m := &ragged{Embed: nn.NewEmbedding(len(raggedLetters), dim, 1, r), Norm: nn.NewLayerNorm(dim), Out: nn.NewLinear(dim, 1, r)}
	for range 2 {
		a := nn.NewMultiHeadAttention(dim, heads, r)
		switch position {
		case "rotary":
			a.Rotary = autograd.RotaryFrequencies(dim/heads, 10000)
		case "relative":
			a.Relative = autograd.Param(heads, 2*tokens-1)
			for i := range a.Relative.Data { // zeros would be no positions at all
				a.Relative.Data[i] = float32(0.5 * r.NormFloat64())
			}
		}
		m.Layers = append(m.Layers, nn.NewEncoderLayer(a, dim, 2*dim, r))
	}
	switch position {
	case "learned":
		m.Position = nn.NewEmbedding(tokens, dim, 0.5, r).Weight
	case "sinusoidal":
		m.Position = nn.Sinusoidal(tokens, dim)
	}
	return m
}

// Visit names embed, position, layers, norm and out.
func (m *ragged) Visit(prefix string, f nn.Visitor) {
	m.Embed.Visit(nn.Join(prefix, "embed"), f)
	if m.Position != nil && m.Position.Trainable {
		f(nn.Join(prefix, "position"), m.Position)
	}
	for i, l := range m.Layers {
		l.Visit(nn.Join(prefix, fmt.Sprintf("layers.%d", i)), f)
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Out.Visit(nn.Join(prefix, "out"), f)
}

// A layout says how a batch lies in memory.
type layout int

const (
	packed   layout = iota // end to end; there is no padding
	masked                 // a rectangle, whose padding nobody attends to
	unmasked               // a rectangle, whose padding takes part
)

// maskedAttention is attention with a mask over its keys.
type maskedAttention struct {
	*nn.MultiHeadAttention
	keys []bool
}

// Mix maps x (T, D) to (T, D).
func (a maskedAttention) Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	o := autograd.Attention(t, a.Query.Forward(t, x), a.Key.Forward(t, x), a.Value.Forward(t, x), autograd.AttentionSpec{Heads: a.Heads, Query: s, KeyMask: a.keys})
	return a.Out.Forward(t, o)
}

// logits returns one log-odds for each sequence (n, 1). A rectangle is as wide as
// the longest sequence, or as width if that is more.
func (m *ragged) logits(t *autograd.Tape, seqs [][]byte, l layout, width int) *autograd.Var {
	for _, s := range seqs {
		width = max(width, len(s))
	}
	var ids, positions, first []int32
	var keys []bool
	lengths := make([]int, len(seqs))
	for i, s := range seqs {
		first = append(first, int32(len(ids)))
		lengths[i] = 1 + len(s)
		if l != packed {
			lengths[i] = 1 + width
		}
		for k := range lengths[i] {
			letter := byte('.')
			switch {
			case k == 0:
				letter = '^'
			case k <= len(s):
				letter = s[k-1]
			}
			ids, positions = append(ids, int32(strings.IndexByte(raggedLetters, letter))), append(positions, int32(k))
			keys = append(keys, k <= len(s))
		}
	}
	x := m.Embed.Forward(t, ids)
	if m.Position != nil {
		x = autograd.Add(t, x, autograd.Embedding(t, m.Position, positions))
	}
	segments := autograd.Packed(lengths...)
	for _, layer := range m.Layers {
		if l == masked {
			c := *layer
			c.Mixer = maskedAttention{layer.Mixer.(*nn.MultiHeadAttention), keys}
			layer = &c
		}
		x = layer.Forward(t, x, segments)
	}
	return m.Out.Forward(t, m.Norm.Forward(t, autograd.Rows(t, x, first)))
}

// scores is logits without a gradient, one batch for each sequence.
func (m *ragged) scores(seqs [][]byte, l layout, width int) []float64 {
	out := make([]float64, len(seqs))
	for i, s := range seqs {
		out[i] = float64(m.logits(&autograd.Tape{NoGrad: true}, [][]byte{s}, l, width).Data[0])
	}
	return out
}

// fit trains on samples in a layout.
func (m *ragged) fit(ctx context.Context, samples []sample, l layout, epochs int, seed uint64) error {
	lengths := make([]int, len(samples))
	for i, s := range samples {
		lengths[i] = 1 + len(s.seq)
	}
	run, err := train.New(train.Config{Epochs: epochs, Batch: 32, Rate: 3e-3, Warmup: 0.1, Decay: 0.01, Seed: seed, Cores: 1, Leaves: 1}, train.Problem{
		Model: m, Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			seqs, want := make([][]byte, len(examples)), make([]float32, len(examples))
			for i, e := range examples {
				seqs[i], want[i] = samples[e].seq, float32(samples[e].label)
			}
			return autograd.BinaryCrossEntropy(t, m.logits(t, seqs, l, 0), want, norm)
		},
	})
	if err != nil {
		return err
	}
	for _, err := range run.Steps(ctx) {
		if err != nil {
			return err
		}
	}
	return nil
}

// raggedSamples returns n sequences of 20 to 60 letters: class 1 has 56 % of G and
// C, class 0 has 44 %.
func raggedSamples(n int, r *rand.Rand) []sample {
	out := make([]sample, n)
	for i := range out {
		out[i] = sample{seq: randomLetters(20+r.IntN(41), []float64{0.44, 0.56}[i%2], r), label: i % 2}
	}
	return out
}

// orderSamples returns n sequences of 24 letters with one X and one Y: in class 1
// the X is first.
func orderSamples(n int, r *rand.Rand) []sample {
	const length = 24
	out := make([]sample, n)
	for i := range out {
		s := randomLetters(length, 0.5, r)
		a, b := r.IntN(length), r.IntN(length-1)
		if b >= a {
			b++
		}
		a, b = min(a, b), max(a, b)
		s[a], s[b] = "YX"[i%2], "XY"[i%2]
		out[i] = sample{seq: s, label: i % 2}
	}
	return out
}

func sequences(samples []sample) (seqs [][]byte, positive []bool) {
	for _, s := range samples {
		seqs, positive = append(seqs, s.seq), append(positive, s.label == 1)
	}
	return seqs, positive
}

// A paddingTrial is what padding did to the scores of one seed.
type paddingTrial struct {
	auroc []float64       // (ways) without padding
	moved [][]scoreChange // (ways, widths)
}

// scoreChange compares scores with those of sequences alone.
type scoreChange struct{ mean, most, flipped float64 }

// A way to train and to use a classifier.
type way struct {
	name        string
	train, used layout
}

var paddingWays = []way{ // never written to
	{"packed: no padding (Heed)", packed, packed},
	{"trained and used with the mask", packed, masked},
	{"trained with the mask, used without", packed, unmasked},
	{"trained and used without", unmasked, unmasked},
}

// paddings are widths of the batch beyond the longest sequence of the tests.
var paddings = []int{60, 80, 120, 240, 480} // never written to

func runMask(ctx context.Context, l *Lab) (*Finding, error) {
	padding, order := make([]*paddingTrial, l.Seeds), make([]*orderTrial, l.Seeds)
	err := l.each(2*l.Seeds, func(i int) (err error) {
		seed := l.Seed + uint64(i/2)
		if i%2 == 0 {
			padding[i/2], err = l.padding(ctx, seed)
		} else {
			order[i/2], err = l.order(ctx, seed)
		}
		l.tell("seed %d: %s done", seed, []string{"padding", "order"}[i%2])
		return err
	})
	if err != nil {
		return nil, err
	}
	f := &Finding{}
	words := l.addPadding(f, padding)
	words += " " + l.addOrder(f, order)
	f.Words = words
	fig, err := paddingFigure(padding)
	if err != nil {
		return nil, err
	}
	f.Figures = append(f.Figures, fig)
	return f, nil
}

func (l *Lab) padding(ctx context.Context, seed uint64) (*paddingTrial, error) {
	r := rand.New(rand.NewPCG(seed, 3))
	samples, test := raggedSamples(l.pick(3000, 600), r), raggedSamples(l.pick(300, 60), r)
	seqs, positive := sequences(test)
	models := map[layout]*ragged{}
	for _, how := range []layout{packed, unmasked} {
		m := newRagged("learned", 1+paddings[len(paddings)-1], rand.New(rand.NewPCG(seed, 1)))
		if err := m.fit(ctx, samples, how, l.pick(8, 3), seed); err != nil {
			return nil, err
		}
		models[how] = m
	}
	trial := &paddingTrial{}
	for _, w := range paddingWays {
		m := models[w.train]
		alone := m.scores(seqs, w.used, 0)
		b, err := metric.NewBinary(alone, positive)
		if err != nil {
			return nil, err
		}
		trial.auroc = append(trial.auroc, b.AUROC())
		var moved []scoreChange
		for _, width := range paddings {
			var c scoreChange
			for i, s := range m.scores(seqs, w.used, width) {
				d := math.Abs(s - alone[i])
				c.mean += d / float64(len(seqs))
				c.most = max(c.most, d)
				if (s > 0) != (alone[i] > 0) {
					c.flipped += 1 / float64(len(seqs))
				}
			}
			moved = append(moved, c)
		}
		trial.moved = append(trial.moved, moved)
	}
	return trial, nil
}

// overPadding returns a number of one way and one width over the seeds.
func overPadding(trials []*paddingTrial, way, width int, f func(c scoreChange) float64) metric.Interval {
	var values []float64
	for _, t := range trials {
		values = append(values, f(t.moved[way][width]))
	}
	return overSeeds(values)
}

func (l *Lab) addPadding(f *Finding, trials []*paddingTrial) string {
	t := Table{
		Title:   fmt.Sprintf("How far the log-odds of a sequence of 20 to 60 letters move when the batch is padded to %d letters, from those without padding, %d seeds", paddings[len(paddings)-1], l.Seeds),
		Columns: []string{"padding", "AUROC without padding", "mean change", "largest change", "decisions that flip"},
		Notes: []string{"The task, G and C content, is easy to see in a bag of letters; padding stands at the end and is a token like others where it is not masked. Trained without the mask: batches of 32 padded to their longest.",
			"Packed sequences lie end to end, so that padding does not exist; a width changes nothing there."},
	}
	last := len(paddings) - 1
	for w, way := range paddingWays {
		var auroc []float64
		for _, x := range trials {
			auroc = append(auroc, x.auroc[w])
		}
		mean := overPadding(trials, w, last, func(c scoreChange) float64 { return c.mean })
		most := overPadding(trials, w, last, func(c scoreChange) float64 { return c.most })
		flipped := overPadding(trials, w, last, func(c scoreChange) float64 { return c.flipped })
		format := "%.3f [%.3f, %.3f]"
		if most.High < 1e-3 {
			format = "%.1g [%.1g, %.1g]"
		}
		t.Rows = append(t.Rows, []string{way.name, interval(overSeeds(auroc)), fmt.Sprintf(format, mean.Estimate, mean.Low, mean.High), fmt.Sprintf(format, most.Estimate, most.Low, most.High), interval(flipped)})
		if way.used == unmasked {
			f.Checks = append(f.Checks, Check{Name: "control: " + way.name + ", mean change", Value: mean, Bound: 0.1})
		} else {
			f.Checks = append(f.Checks, Check{Name: way.name + ", largest change", Value: most, Bound: 1e-4, Upper: true})
		}
	}
	f.Tables = append(f.Tables, t)
	moved := func(w int) metric.Interval {
		return overPadding(trials, w, last, func(c scoreChange) float64 { return c.mean })
	}
	flipped := func(w int) metric.Interval {
		return overPadding(trials, w, last, func(c scoreChange) float64 { return c.flipped })
	}
	return fmt.Sprintf("A batch padded to %d letters moves the log-odds of the same sequence by %.2f in the mean and flips %.0f %% of the decisions if the mask is left out, by %.2f and %.0f %% if it was left out in training too, and by nothing beyond rounding with the mask or with packed sequences.",
		paddings[last], moved(2).Estimate, 100*flipped(2).Estimate, moved(3).Estimate, 100*flipped(3).Estimate)
}

func paddingFigure(trials []*paddingTrial) (Figure, error) {
	var lines []plot.Line
	tsv := &strings.Builder{}
	fmt.Fprintln(tsv, "padding\twidth\tmean_change\tlow\thigh")
	for w, way := range paddingWays[1:] {
		line := plot.Line{Name: way.name}
		for k, width := range paddings {
			v := overPadding(trials, w+1, k, func(c scoreChange) float64 { return c.mean })
			line.X, line.Y, line.Low, line.High = append(line.X, float64(width)), append(line.Y, v.Estimate), append(line.Low, v.Low), append(line.High, v.High)
			fmt.Fprintf(tsv, "%s\t%d\t%.6g\t%.6g\t%.6g\n", way.name, width, v.Estimate, v.Low, v.High)
		}
		lines = append(lines, line)
	}
	fig, err := plot.Lines{Title: "The same sequence in wider and wider batches", XLabel: "letters to which the batch is padded", YLabel: "mean change of the log-odds", LogX: true, Lines: lines}.Figure()
	if err != nil {
		return Figure{}, err
	}
	return Figure{Name: "padding", Alt: "Mean change of the log-odds against the width to which the batch is padded", SVG: fig.SVG(), TSV: []byte(tsv.String()),
		Caption: "With the mask nothing moves; without it the score of a sequence depends on its neighbours. Bands: range of the seeds."}, nil
}

package study

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/data"
	"heed/explain"
	"heed/metric"
	"heed/plot"
)

// The planted motif: what a classifier must look for, and what it must learn
// to pass by.
const (
	plantedMotif = "TGACTCA" // of AP-1
	plantedDecoy = "CATGTCA" // the same letters in another order
)

// planted asks whether an explanation finds the letters that decide. The truth
// is known because it was planted.
func planted() Study {
	return Study{
		Name:  "planted",
		Title: "Does an explanation find a planted motif?",
		Claim: "Mutagenesis and integrated gradients rank the letters of a motif that decides the label above all others, and gradient x attention the neighbourhoods that hold them; rollout of attention is measured beside them.",
		Refuted: "An area under the precision-recall curve of the letters, against the mask of the motif, below .9 for mutagenesis, .8 for integrated gradients or, over the reach of the convolution, .7 for gradient x attention; " +
			"or a control in which the labels were shuffled and the motif is found all the same.",
		Takes: "7 minutes",
		Run:   runPlanted,
	}
}

// plantedSamples returns n samples. Each has the decoy at a random place, and at
// another one a positive has the motif and a negative the decoy again.
// Background and decoy have the letters of the motif, so that composition says
// nothing, and the decoy is in both classes, so that it says nothing either.
func plantedSamples(n, length int, r *rand.Rand) []sample {
	const width = len(plantedMotif)
	out := make([]sample, n)
	for i := range out {
		s := sample{seq: randomLetters(length, 3.0/7, r), label: i % 2, signal: make([]bool, length)}
		first := r.IntN(length - 2*width + 1)
		second := first + width + r.IntN(length-first-2*width+1)
		words := []string{plantedDecoy, plantedDecoy}
		if s.label == 1 {
			words[r.IntN(2)] = plantedMotif
		}
		s.plant(first, words[0], words[0] == plantedMotif)
		s.plant(second, words[1], words[1] == plantedMotif)
		out[i] = s
	}
	return out
}

func runPlanted(ctx context.Context, l *Lab) (*Finding, error) {
	length, n, epochs, explained := l.pick(100, 40), l.pick(4000, 400), l.pick(20, 8), l.pick(50, 5)
	methods := l.methods()
	auprc := make([][]float64, len(methods)) // (methods, seeds)
	wide, control := make([][]float64, len(methods)), make([][]float64, len(methods))
	var scores []float64
	for k := range l.Seeds {
		seed := l.Seed + uint64(k)
		r := rand.New(rand.NewPCG(seed, 2))
		samples, valid, test := plantedSamples(n, length, r), plantedSamples(n/8, length, r), plantedSamples(2*explained, length, r)
		c, err := fit(ctx, l, samples, valid, epochs, seed)
		if err != nil {
			return nil, err
		}
		scores = append(scores, c.auroc(test))
		for i := range samples { // the control learns labels that mean nothing
			samples[i].label = r.IntN(2)
		}
		blind, err := fit(ctx, l, samples, valid, l.pick(3, 1), seed)
		if err != nil {
			return nil, err
		}
		for m, method := range methods {
			l.tell("seed %d: %s", seed, method.name)
			v, w, err := meanAUPRC(ctx, c, method, test, seed)
			if err != nil {
				return nil, err
			}
			auprc[m], wide[m] = append(auprc[m], v), append(wide[m], w)
			_, w, err = meanAUPRC(ctx, blind, method, test, seed)
			if err != nil {
				return nil, err
			}
			control[m] = append(control[m], w)
		}
	}
	f := &Finding{}
	chance := float64(len(plantedMotif)) / float64(length)
	t := Table{
		Title:   fmt.Sprintf("Letters of the motif among %d, mean over %d sequences and %d seeds", length, explained, l.Seeds),
		Columns: []string{"method", "AUPRC [range of seeds]", "over the reach", "labels shuffled", "sign"},
		Notes: []string{fmt.Sprintf("AUPRC of chance is the share of the motif's letters, %.2f. AUROC of the classifiers on new sequences: %s.", chance, interval(overSeeds(scores))),
			fmt.Sprintf("Over the reach: after each score was shared among the %d letters around it. A row of the encoder holds so many, and methods that score rows cannot say which of them it was.", reach),
			"Labels shuffled: the same, over the reach, on a classifier that was trained on labels that mean nothing."},
	}
	worst := 0.0
	for m, method := range methods {
		sign := "signed"
		if !method.signed {
			sign = "none"
		}
		t.Rows = append(t.Rows, []string{method.name, interval(overSeeds(auprc[m])), interval(overSeeds(wide[m])), interval(overSeeds(control[m])), sign})
		if method.planted > 0 {
			c := Check{Name: "AUPRC of " + method.name, Value: overSeeds(auprc[m]), Bound: method.planted}
			if method.rows {
				c.Name, c.Value = c.Name+", over the reach", overSeeds(wide[m])
			}
			f.Checks = append(f.Checks, c)
			worst = max(worst, overSeeds(control[m]).Estimate)
		}
	}
	f.Tables = append(f.Tables, t)
	var err error
	if f.Figures, err = methodBars(methods, wide, "Letters of the motif found, over the reach", fmt.Sprintf("AUPRC (chance %.2f)", chance), "auprc",
		"AUPRC of each method after its scores were shared over the reach, so that those that score rows are not put at a disadvantage; mean and range of the seeds."); err != nil {
		return nil, err
	}
	f.Checks = append(f.Checks, Check{Name: "control: the best of these with shuffled labels", Value: metric.Interval{Estimate: worst, Low: worst, High: worst}, Bound: 3 * chance, Upper: true})
	var found []string
	for m, method := range methods {
		found = append(found, fmt.Sprintf("%s %.2f", method.name, overSeeds(auprc[m]).Estimate))
	}
	f.Words = fmt.Sprintf("How well each method tells the letters of the motif from the rest (AUPRC; chance is %.2f): %s.", chance, strings.Join(found, ", "))
	return f, nil
}

// methodBars shows a number of each method, (methods, seeds).
func methodBars(methods []method, values [][]float64, title, label, name, caption string) ([]Figure, error) {
	bars := plot.Bars{Title: title, XLabel: label, XMax: 1}
	tsv := &strings.Builder{}
	fmt.Fprintln(tsv, "method\tvalue\tlow\thigh")
	for m, method := range methods {
		v := overSeeds(values[m])
		row := plot.Bar{Name: method.name, Value: v.Estimate, Low: v.Low, High: v.High, Origin: plot.Ours}
		if method.name == "random" {
			row.Origin = plot.Floor
		}
		bars.Rows = append(bars.Rows, row)
		fmt.Fprintf(tsv, "%s\t%.4f\t%.4f\t%.4f\n", method.name, v.Estimate, v.Low, v.High)
	}
	fig, err := bars.Figure()
	if err != nil {
		return nil, err
	}
	return []Figure{{Name: name, Alt: title + ": bars, one for each method", Caption: caption, SVG: fig.SVG(), TSV: []byte(tsv.String())}}, nil
}

// meanAUPRC returns how well a method's scores of single letters, for class 1,
// separate the letters of the motif from the rest, as they are and shared over the
// reach of the convolution: the means over the positives.
func meanAUPRC(ctx context.Context, c *classifier, m method, test []sample, seed uint64) (single, wide float64, err error) {
	n := 0.0
	for i, s := range test {
		if s.label != 1 {
			continue
		}
		scores, err := m.letters(ctx, c, s.seq, rand.New(rand.NewPCG(seed, uint64(i))))
		if err != nil {
			return 0, 0, err
		}
		for _, x := range []struct {
			scores []float64
			sum    *float64
		}{{scores, &single}, {overReach(scores), &wide}} {
			b, err := metric.NewBinary(x.scores, s.signal)
			if err != nil {
				return 0, 0, err
			}
			*x.sum += b.AUPRC()
		}
		n++
	}
	return single / n, wide / n, nil
}

// overReach shares each score among the letters that its row holds.
func overReach(scores []float64) []float64 {
	out := make([]float64, len(scores))
	for i := range scores {
		for j := max(0, i-reach/2); j <= min(len(scores)-1, i+reach/2); j++ {
			out[i] += scores[j] / reach
		}
	}
	return out
}

// A method scores the letters of a sequence for class 1.
type method struct {
	name    string
	signed  bool
	rows    bool    // it scores rows of the encoder, not letters
	planted float64 // bound of AUPRC in the study of the planted motif; 0 if it is only reported
	letters func(ctx context.Context, c *classifier, seq []byte, r *rand.Rand) ([]float64, error)
}

func mutagenesis(ctx context.Context, c *classifier, seq []byte, _ *rand.Rand) ([]float64, error) {
	e, err := explain.Mutagenesis(ctx, seq, []byte(letters), 512, c.scores)
	if err != nil {
		return nil, err
	}
	return e.Importance(), nil
}

func rollout(_ context.Context, c *classifier, seq []byte, _ *rand.Rand) ([]float64, error) {
	x := c.explained(seq)
	return explain.RolloutFrom(explain.Attention(x), x.Readout, explain.Mean)[1:], nil
}

func gradientAttention(_ context.Context, c *classifier, seq []byte, _ *rand.Rand) ([]float64, error) {
	x := c.explained(seq)
	return explain.GradientAttention(explain.AttentionGradient(x), x.Readout, explain.Positive)[1:], nil
}

func gradientInput(_ context.Context, c *classifier, seq []byte, _ *rand.Rand) ([]float64, error) {
	return explain.Gradient(c.explained(seq)).TimesInput()[1:], nil
}

// integratedGradients starts from eight shuffles of the sequence, which is closed
// to a ring and cut elsewhere first: shuffling keeps both ends.
func integratedGradients(ctx context.Context, c *classifier, seq []byte, r *rand.Rand) ([]float64, error) {
	var baselines [][]float32
	for range 8 {
		k := r.IntN(len(seq))
		s := data.ShuffleDinucleotides(slices.Concat(seq[k:], seq[:k]), r)
		baselines = append(baselines, c.explained(s).Embedded().Data)
	}
	g, err := explain.IntegratedGradients(ctx, c.explained(seq), 16, baselines...)
	if err != nil {
		return nil, err
	}
	return g.Values[1:], nil
}

func decomposition(ctx context.Context, c *classifier, seq []byte, _ *rand.Rand) ([]float64, error) {
	d, err := explain.Decompose(ctx, c.explained(seq), c.encoder(), 0)
	if err != nil {
		return nil, err
	}
	return d.Values[1:], nil
}

func norms(_ context.Context, c *classifier, seq []byte, _ *rand.Rand) ([]float64, error) {
	x := c.explained(seq)
	layers, err := c.encoder().Norms(x)
	if err != nil {
		return nil, err
	}
	var mixing []explain.Mixing
	for _, l := range layers {
		mixing = append(mixing, l.Residual.Normalized())
	}
	return explain.Roll(mixing, x.Readout)[1:], nil
}

func lastAttention(_ context.Context, c *classifier, seq []byte, _ *rand.Rand) ([]float64, error) {
	x := c.explained(seq)
	layers := explain.Attention(x)
	return explain.Roll(explain.Fuse(layers[len(layers)-1:], explain.FuseSpec{NoResidual: true}), x.Readout)[1:], nil
}

func random(_ context.Context, _ *classifier, seq []byte, r *rand.Rand) ([]float64, error) {
	out := make([]float64, len(seq))
	for i := range out {
		out[i] = r.Float64()
	}
	return out, nil
}

// methods lists what the studies of explanations compare; the first is the
// referee.
func (l *Lab) methods() []method {
	return []method{
		{"mutagenesis", true, false, 0.9, mutagenesis},
		{"integrated gradients", true, false, 0.8, integratedGradients},
		{"gradient x attention", false, true, 0.7, gradientAttention},
		{"gradient x input", true, false, 0, gradientInput},
		{"decomposition", true, true, 0, decomposition},
		{"norms", false, true, 0, norms},
		{"rollout", false, true, 0, rollout},
		{"attention of the last layer", false, true, 0, lastAttention},
		{"random", false, false, 0, random},
	}
}

package study

import (
	"context"
	"fmt"
	"math/rand/v2"

	"heed/explain"
	"heed/metric"
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
		Claim: "Mutagenesis, integrated gradients and gradient x attention rank the letters of a motif that decides the label above all others; rollout of attention is measured beside them.",
		Refuted: "An area under the precision-recall curve of the letters, against the mask of the motif, below .9 for mutagenesis, .8 for integrated gradients or .7 for gradient x attention; " +
			"or a control in which the labels were shuffled and the motif is found all the same.",
		Takes: "3 minutes",
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
	control := make([][]float64, len(methods))
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
			for _, x := range []struct {
				c   *classifier
				out *[]float64
			}{{c, &auprc[m]}, {blind, &control[m]}} {
				v, err := meanAUPRC(ctx, x.c, method, test, seed)
				if err != nil {
					return nil, err
				}
				*x.out = append(*x.out, v)
			}
		}
	}
	f := &Finding{}
	chance := float64(len(plantedMotif)) / float64(length)
	t := Table{
		Title:   fmt.Sprintf("Letters of the motif among %d, mean over %d sequences and %d seeds", length, explained, l.Seeds),
		Columns: []string{"method", "AUPRC [range of seeds]", "labels shuffled", "sign"},
		Notes: []string{fmt.Sprintf("AUPRC of chance is the share of the motif's letters, %.2f. AUROC of the classifiers on new sequences: %s.", chance, interval(overSeeds(scores))),
			"Labels shuffled: the same on a classifier that was trained on labels that mean nothing."},
	}
	worst := 0.0
	for m, method := range methods {
		sign := "signed"
		if !method.signed {
			sign = "none"
		}
		t.Rows = append(t.Rows, []string{method.name, interval(overSeeds(auprc[m])), interval(overSeeds(control[m])), sign})
		if method.planted > 0 {
			f.Checks = append(f.Checks, Check{Name: "AUPRC of " + method.name, Value: overSeeds(auprc[m]), Bound: method.planted})
			worst = max(worst, overSeeds(control[m]).Estimate)
		}
	}
	f.Tables = append(f.Tables, t)
	f.Checks = append(f.Checks, Check{Name: "control: the best of these with shuffled labels", Value: metric.Interval{Estimate: worst, Low: worst, High: worst}, Bound: 3 * chance, Upper: true})
	f.Words = fmt.Sprintf("Methods that ask the model (%s) rank the planted letters at AUPRC %.2f, where chance is %.2f.", methods[0].name, overSeeds(auprc[0]).Estimate, chance)
	return f, nil
}

// meanAUPRC returns how well a method's scores of single letters, for class 1,
// separate the letters of the motif from the rest: the mean over the positives.
func meanAUPRC(ctx context.Context, c *classifier, m method, test []sample, seed uint64) (float64, error) {
	sum, n := 0.0, 0
	for i, s := range test {
		if s.label != 1 {
			continue
		}
		scores, err := m.letters(ctx, c, s.seq, rand.New(rand.NewPCG(seed, uint64(i))))
		if err != nil {
			return 0, err
		}
		b, err := metric.NewBinary(scores, s.signal)
		if err != nil {
			return 0, err
		}
		sum += b.AUPRC()
		n++
	}
	return sum / float64(n), nil
}

// A method scores the letters of a sequence for class 1.
type method struct {
	name    string
	signed  bool
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

func lastAttention(_ context.Context, c *classifier, seq []byte, _ *rand.Rand) ([]float64, error) {
	layers := explain.Attention(c.explained(seq))
	a := layers[len(layers)-1]
	out := make([]float64, len(seq))
	for h := range a.Heads {
		for i := range out {
			out[i] += float64(a.Weights[h*a.Length*a.Length+1+i]) / float64(a.Heads)
		}
	}
	return out, nil
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
		{"mutagenesis", true, 0.9, mutagenesis},
		{"rollout", false, 0, rollout},
		{"attention of the last layer", false, 0, lastAttention},
		{"random", false, 0, random},
	}
}

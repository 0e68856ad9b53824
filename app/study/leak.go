package study

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"heed/metric"
)

// leak asks whether an explanation uncovers a classifier that is right for the
// wrong reason: Clever Hans, the horse that read its master's face.
func leak() Study {
	return Study{
		Name:    "leak",
		Title:   "Does an explanation uncover a leak of the label?",
		Claim:   "Where the label leaks through the first letter, mutagenesis, integrated gradients and gradient x attention put that letter first.",
		Refuted: "The leaking letter first in less than 95 % of the positives; or first as often in a classifier that was trained without the leak.",
		Takes:   "7 minutes",
		Run:     runLeak,
	}
}

// leakSamples returns n samples with a weak honest signal, the motif in four of
// five positives and one of five negatives, and, if leaking, a first letter that
// is N in every positive and in no negative: as when one laboratory's reads begin
// with an unknown base.
func leakSamples(n, length int, leaking bool, r *rand.Rand) []sample {
	out := make([]sample, n)
	for i := range out {
		s := sample{seq: randomLetters(length, 3.0/7, r), label: i % 2, signal: make([]bool, length)}
		if (r.Float64() < 0.8) == (s.label == 1) {
			s.plant(1+r.IntN(length-len(plantedMotif)), plantedMotif, false)
		}
		unknown := s.label == 1
		if !leaking {
			unknown = r.IntN(2) == 1
		}
		if unknown {
			s.seq[0] = 'N'
		}
		s.signal[0] = true
		out[i] = s
	}
	return out
}

func runLeak(ctx context.Context, l *Lab) (*Finding, error) {
	length, n, epochs, explained := l.pick(80, 40), l.pick(3000, 400), l.pick(10, 6), l.pick(100, 10)
	methods := l.methods()
	first, control := make([][]float64, len(methods)), make([][]float64, len(methods))
	var leaking, honest []float64
	for k := range l.Seeds {
		seed := l.Seed + uint64(k)
		for _, x := range []struct {
			leaking bool
			out     [][]float64
			auroc   *[]float64
		}{{true, first, &leaking}, {false, control, &honest}} {
			r := rand.New(rand.NewPCG(seed, 3))
			c, err := fit(ctx, l, leakSamples(n, length, x.leaking, r), leakSamples(n/8, length, x.leaking, r), epochs, seed)
			if err != nil {
				return nil, err
			}
			// Both are explained on sequences that begin with N.
			test := leakSamples(2*explained, length, true, r)
			*x.auroc = append(*x.auroc, c.auroc(leakSamples(1000, length, false, r)))
			for m, method := range methods {
				l.tell("seed %d: %s", seed, method.name)
				share, err := firstShare(ctx, c, method, test, seed)
				if err != nil {
					return nil, err
				}
				x.out[m] = append(x.out[m], share)
			}
		}
	}
	f := &Finding{}
	t := Table{
		Title:   fmt.Sprintf("Share of %d positives in which the leaking letter is first, %d seeds", explained, l.Seeds),
		Columns: []string{"method", "trained with the leak [range]", "trained without"},
		Notes: []string{fmt.Sprintf("AUROC on sequences without the leak: %s if trained with it, %s if not: the leak costs what the honest signal would have given.",
			interval(overSeeds(leaking)), interval(overSeeds(honest)))},
	}
	for m, method := range methods {
		t.Rows = append(t.Rows, []string{method.name, interval(overSeeds(first[m])), interval(overSeeds(control[m]))})
		if method.planted > 0 {
			f.Checks = append(f.Checks,
				Check{Name: "the leak first by " + method.name, Value: overSeeds(first[m]), Bound: 0.95},
				Check{Name: "control without the leak, " + method.name, Value: overSeeds(control[m]), Bound: 0.25, Upper: true})
		}
	}
	f.Tables = append(f.Tables, t)
	var err error
	if f.Figures, err = methodBars(methods, first, "The leaking letter comes first", "share of the positives", "first",
		"Share of the positives in which a method puts the leaking letter first, in the classifier that was trained with the leak; mean and range of the seeds."); err != nil {
		return nil, err
	}
	var found []string
	for m, method := range methods {
		found = append(found, fmt.Sprintf("%s %.0f %%", method.name, 100*overSeeds(first[m]).Estimate))
	}
	f.Words = fmt.Sprintf("A classifier that was given a leak scores AUROC %.2f where the leak is absent, and one that was not %.2f. The leaking letter comes first in this share of the positives: %s.",
		overSeeds(leaking).Estimate, overSeeds(honest).Estimate, strings.Join(found, ", "))
	return f, nil
}

// firstShare returns the share of positives in which a method puts the marked
// letter before all others; a tie is not first.
func firstShare(ctx context.Context, c *classifier, m method, test []sample, seed uint64) (float64, error) {
	hits, n := 0, 0
	for i, s := range test {
		if s.label != 1 {
			continue
		}
		scores, err := m.letters(ctx, c, s.seq, rand.New(rand.NewPCG(seed, uint64(i))))
		if err != nil {
			return 0, err
		}
		n++
		best := true
		for j := 1; j < len(scores); j++ {
			best = best && scores[0] > scores[j]
		}
		if best {
			hits++
		}
	}
	return metric.Wilson(hits, n).Estimate, nil
}

package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"heed/metric"
)

// An orderTrial is what order did to the scores of one seed, for each kind of
// positions.
type orderTrial struct {
	moved []float64 // largest change by a permutation, as a share of the largest score; untrained
	auroc []float64 // of trained classifiers where order decides
}

func (l *Lab) order(ctx context.Context, seed uint64) (*orderTrial, error) {
	const tokens = 64
	r := rand.New(rand.NewPCG(seed, 4))
	samples, test := orderSamples(l.pick(3000, 1200), r), orderSamples(l.pick(1000, 300), r)
	seqs, positive := sequences(test)
	shuffled := make([][]byte, len(seqs))
	for i, s := range seqs {
		shuffled[i] = slices.Clone(s)
		r.Shuffle(len(s), func(a, b int) { shuffled[i][a], shuffled[i][b] = shuffled[i][b], shuffled[i][a] })
	}
	trial := &orderTrial{}
	for _, kind := range l.positions() {
		m := newRagged(kind, tokens, rand.New(rand.NewPCG(seed, 1)))
		before, after := m.scores(seqs, packed, 0), m.scores(shuffled, packed, 0)
		moved, most := 0.0, 0.0
		for i := range before {
			moved, most = max(moved, math.Abs(before[i]-after[i])), max(most, math.Abs(before[i]))
		}
		trial.moved = append(trial.moved, moved/most)
		if err := m.fit(ctx, samples, packed, l.pick(10, 8), seed); err != nil {
			return nil, err
		}
		b, err := metric.NewBinary(m.scores(seqs, packed, 0), positive)
		if err != nil {
			return nil, err
		}
		trial.auroc = append(trial.auroc, b.AUROC())
	}
	return trial, nil
}

// positions lists the kinds that are compared.
func (l *Lab) positions() []string {
	if l.Tiny {
		return []string{"none", "relative"}
	}
	return raggedPositions
}

func (l *Lab) addOrder(f *Finding, trials []*orderTrial) string {
	t := Table{
		Title:   fmt.Sprintf("What a random order of the letters does, and a task that is all order (is X before Y?), %d seeds", l.Seeds),
		Columns: []string{"positions", "largest change, share of the largest score", "AUROC after training"},
		Notes: []string{"The change is that of untrained classifiers, so that it says what the architecture can see. Both classes have the same letters: a bag of letters has AUROC .5, which is the floor.",
			"All positions here are those of encoders that look both ways. A causal mask alone breaks the symmetry too."},
	}
	worst, least := metric.Interval{}, metric.Interval{Estimate: 2}
	for k, kind := range l.positions() {
		var moved, auroc []float64
		for _, x := range trials {
			moved, auroc = append(moved, x.moved[k]), append(auroc, x.auroc[k])
		}
		m, a := overSeeds(moved), overSeeds(auroc)
		t.Rows = append(t.Rows, []string{kind, fmt.Sprintf("%.2g [%.2g, %.2g]", m.Estimate, m.Low, m.High), interval(a)})
		if kind == "none" {
			worst = a
			f.Checks = append(f.Checks,
				Check{Name: "no positions: change by a permutation, millionths of the largest score", Value: metric.Interval{Estimate: 1e6 * m.High, Low: 1e6 * m.Low, High: 1e6 * m.High}, Bound: 1, Upper: true},
				Check{Name: "no positions: AUROC where order decides", Value: a, Bound: 0.6, Upper: true})
			continue
		}
		if a.Estimate < least.Estimate {
			least = a
		}
		f.Checks = append(f.Checks,
			Check{Name: "control, positions " + kind + ": change by a permutation", Value: m, Bound: 0.01},
			Check{Name: "control, positions " + kind + ": AUROC where order decides", Value: a, Bound: l.bound(0.95, 0.8)})
	}
	f.Tables = append(f.Tables, t)
	return fmt.Sprintf("Without positions a random order of the letters changes no score beyond rounding, and where order decides AUROC is %.2f; with any of the kinds of positions that were tried it is %.2f or more.", worst.Estimate, least.Estimate)
}

package dna

import (
	"context"
	"fmt"
	"math/rand/v2"

	"heed/explain"
	"heed/metric"
	"heed/report"
)

// A Sharing says what the expected motifs, and all else, do for the log-odds of
// one class together: exact Shapley values over groups of letters, and their
// interactions.
type Sharing struct {
	Class     string
	Sequences int
	Names     []string          // of the groups, the rest last
	Values    []metric.Interval // Shapley values
	// Pairs (groups, groups) is the Shapley interaction index: positive where two
	// groups do more together than each for itself, negative where either would
	// do.
	Pairs [][]float64
}

// share takes the expected motifs of the chosen sequences of the first track's
// class away, in all combinations: letters are replaced by those of shuffled
// sequences. It is nil where no motif is expected, or too many are.
func (x *Explained) share(ctx context.Context) (*Sharing, error) {
	if len(x.Motifs) == 0 || len(x.Motifs) >= explain.MaxExact || len(x.Tracks) == 0 {
		return nil, nil
	}
	var es []*Explanation
	for _, e := range x.chosen() {
		if e.Label < 0 || x.Model.Classes[e.Label] == x.Tracks[0].Class {
			es = append(es, e)
		}
	}
	groups := x.motifGroups(len(es[0].Sequence))
	if groups == nil {
		return nil, nil
	}
	out := &Sharing{Class: x.Tracks[0].Class, Sequences: len(es)}
	for _, m := range x.Motifs {
		out.Names = append(out.Names, m.Name)
	}
	out.Names = append(out.Names, "all else")
	values := make([][]float64, len(groups)) // (groups, sequences)
	for range groups {
		out.Pairs = append(out.Pairs, make([]float64, len(groups)))
	}
	for _, e := range es {
		g := explain.ReplaceGame(e.Sequence, backgrounds(e.Sequence, x.How.Seed), x.Model.logOddsOf(e.Class, x.How.Cores))
		g.Batch = 256
		g, err := g.Groups(groups)
		if err != nil {
			return nil, err
		}
		t, err := g.Table(ctx)
		if err != nil {
			return nil, err
		}
		for i, v := range t.Shapley() {
			values[i] = append(values[i], v)
		}
		for i, row := range t.Interaction() {
			for j, v := range row {
				out.Pairs[i][j] += v / float64(len(es))
			}
		}
	}
	for _, v := range values {
		out.Values = append(out.Values, meanInterval(v, x.How.Seed))
	}
	return out, nil
}

// motifGroups returns the positions of each motif and of all else; nil if two
// motifs share a position or one has none.
func (x *Explained) motifGroups(length int) [][]int {
	groups := make([][]int, len(x.Motifs)+1)
	for i := range length {
		at, owner := coordinate(i, x.TSS), len(x.Motifs)
		for k, m := range x.Motifs {
			if m.From <= at && at <= m.To {
				if owner < len(x.Motifs) {
					return nil
				}
				owner = k
			}
		}
		groups[owner] = append(groups[owner], i)
	}
	for _, g := range groups {
		if len(g) == 0 {
			return nil
		}
	}
	return groups
}

// meanInterval returns a mean with its bootstrap interval over sequences.
func meanInterval(v []float64, seed uint64) metric.Interval {
	return metric.Bootstrap(rand.New(rand.NewPCG(seed, 5)), len(v), 1000, func(idx []int) float64 {
		sum := 0.0
		for _, i := range idx {
			sum += v[i] / float64(len(idx))
		}
		return sum
	})
}

func (s *Sharing) blocks() []report.Block {
	t := report.Table{
		Caption: fmt.Sprintf("What the expected motifs do together, mean over %d sequences of %s", s.Sequences, s.Class),
		Columns: []report.Column{{Name: "letters"}, {Name: "Shapley value, nats", Numeric: true}, {Name: "95 % interval", Numeric: true}},
		Notes:   []string{"Exact Shapley values: each group's share of the difference in log-odds between the sequences and their shuffles, averaged over all orders in which the groups could be put back. They add up."},
	}
	for i, v := range s.Values {
		t.Rows = append(t.Rows, report.TableRow{Cells: []string{s.Names[i], fmt.Sprintf("%+.2f", v.Estimate), fmt.Sprintf("%+.2f to %+.2f", v.Low, v.High)}})
	}
	m := report.Matrix{Caption: "Interaction of the groups", Rows: s.Names, Cols: s.Names, Digits: 2,
		Notes: []string{"Shapley interaction index, nats: positive where two groups do more together than each for itself, negative where either would do."}}
	for i, row := range s.Pairs {
		for j, v := range row {
			if i == j {
				v = s.Values[i].Estimate
			}
			m.Values = append(m.Values, v)
		}
	}
	m.Notes = append(m.Notes, "On the diagonal stand the Shapley values.")
	return []report.Block{t, m}
}

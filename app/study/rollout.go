package study

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"heed/explain"
	"heed/metric"
	"heed/plot"
)

// rolloutStudy asks what maps made of attention are worth where the truth is known.
func rolloutStudy() Study {
	return Study{
		Name:  "rollout",
		Title: "When is rollout right? Attention against explanations",
		Claim: "Rollout, the map that is made of attention alone, is wrong where the truth is known. It puts a sink that says nothing first; it cannot tell what speaks for an answer from what speaks against it, being the same for both; with depth it turns uniform, whatever the model has learned; " +
			"and it differs more between ten trainings of one model than occlusion, integrated gradients or gradient x attention do, though the models answer alike.",
		Refuted: "In the wired head: rollout of the sink below .25, or another method above .001 there. In trained models: votes for told from votes against by rollout above .75, or by occlusion or integrated gradients below .95; rollout less uniform than .98 with 8 layers, or no more uniform than with one; " +
			"maps of occlusion below .8 between trainings, or less than .05 more alike than those of rollout. The control, models that were not trained: occlusion finds votes above .6.",
		Takes: "1 minute",
		Run:   runRollout,
	}
}

func runRollout(ctx context.Context, l *Lab) (*Finding, error) {
	f := &Finding{}
	if err := wiredTable(ctx, f); err != nil {
		return nil, err
	}
	depths := []int{1, 2, 4, 8}
	if l.Tiny {
		depths = []int{1, 8}
	}
	methods := mappers()
	type cell struct{ votes, sides, even []float64 }
	cells := make([][]cell, len(methods)) // (methods, depths)
	right, even := make([][]float64, len(depths)), make([][]float64, len(depths))
	untrained := make([]cell, len(methods))
	ballots := func(seed uint64) []ballot {
		r := rand.New(rand.NewPCG(seed, 33))
		out := make([]ballot, l.pick(20, 6))
		for i := range out {
			out[i] = drawBallot(r)
		}
		return out
	}
	judge := func(c *cell, m *counter, f mapper, seed uint64) error {
		s, err := m.judge(ctx, f, ballots(seed), seed)
		c.votes, c.sides, c.even = append(c.votes, s.votes), append(c.sides, s.sides), append(c.even, s.even)
		return err
	}
	for i := range methods {
		cells[i] = make([]cell, len(depths))
	}
	for k := range l.Seeds {
		seed := l.Seed + uint64(k)
		for d, depth := range depths {
			m, acc, err := l.fitCounter(ctx, depth, seed)
			if err != nil {
				return nil, err
			}
			right[d] = append(right[d], acc)
			test := ballots(seed)
			same := 0.0
			for i, y := range m.evenly(test) {
				if (y > 0) == (m.scores([][]int32{test[i].ids})[0] > 0) {
					same += 1 / float64(len(test))
				}
			}
			even[d] = append(even[d], same)
			for i, method := range methods {
				if err := judge(&cells[i][d], m, method, seed); err != nil {
					return nil, err
				}
			}
			l.tell("seed %d: %d layers: right %.3f, votes by rollout %.3f, sides %.3f, uniformity %.4f", seed, depth, acc, cells[0][d].votes[k], cells[0][d].sides[k], cells[0][d].even[k])
		}
		blank := newCounter(2, rand.New(rand.NewPCG(seed, 34)))
		for i, method := range methods {
			if err := judge(&untrained[i], blank, method, seed); err != nil {
				return nil, err
			}
		}
	}
	alike, stable, agree, err := l.stability(ctx)
	if err != nil {
		return nil, err
	}
	find := Table{Title: fmt.Sprintf("Maps of %d ballots against the planted truth, mean and range of %d seeds", l.pick(20, 6), l.Seeds), Columns: []string{"method"},
		Notes: []string{"Votes: area under the precision-recall curve of all votes among the letters, by the size of the scores; of chance about .16. Sides: area under the ROC curve of the votes for a side against those of the other, when the map explains that side, mean of both sides; of chance .5, and of a map that is the same for both sides exactly .5. Uniformity: 1 if all letters have the same score."}}
	last := len(depths) - 1
	for d, depth := range depths {
		find.Columns = append(find.Columns, fmt.Sprintf("votes, %d layers", depth), fmt.Sprintf("sides, %d", depth))
		find.Notes = append(find.Notes, fmt.Sprintf("%d layers: right about %s of new ballots; the same answer with every head's attention replaced by equal weights in %s.", depth, interval(overSeeds(right[d])), interval(overSeeds(even[d]))))
	}
	find.Columns = append(find.Columns, "votes, not trained", "sides, not trained")
	var lines []plot.Line
	for i, method := range methods {
		row := []string{method.name}
		line := plot.Line{Name: method.name}
		for d, depth := range depths {
			c := cells[i][d]
			row = append(row, interval(overSeeds(c.votes)), interval(overSeeds(c.sides)))
			v := overSeeds(c.even)
			line.X, line.Y, line.Low, line.High = append(line.X, float64(depth)), append(line.Y, v.Estimate), append(line.Low, v.Low), append(line.High, v.High)
		}
		find.Rows = append(find.Rows, append(row, interval(overSeeds(untrained[i].votes)), interval(overSeeds(untrained[i].sides))))
		lines = append(lines, line)
	}
	seeds := Table{Title: fmt.Sprintf("Likeness of the maps of %d trainings of one model (2 layers), over pairs of trainings", l.trainings()), Columns: []string{"method", "correlation, mean", "lowest pair", "highest pair", "rank correlation, mean"},
		Notes: []string{fmt.Sprintf("Two trainings give the same answer in %.3f of the ballots.", agree)}}
	for i, method := range methods {
		seeds.Rows = append(seeds.Rows, []string{method.name, fmt.Sprintf("%.3f", alike[i].Estimate), fmt.Sprintf("%.3f", alike[i].Low), fmt.Sprintf("%.3f", alike[i].High), fmt.Sprintf("%.3f", stable[i].Mean)})
	}
	f.Tables = append(f.Tables, find, seeds)
	fig, err := plot.Lines{Title: "How even a map is, by the depth of the model", XLabel: "layers", YLabel: "uniformity of the map", LogX: true, Lines: lines}.Figure()
	if err != nil {
		return nil, err
	}
	f.Figures = append(f.Figures, Figure{Name: "depth", Alt: "Uniformity of maps against the number of layers: that of rollout rises towards 1.", Caption: "Entropy of the size of the scores as a share of the largest possible; mean and range of the seeds.", SVG: fig.SVG()})
	deeper := make([]float64, l.Seeds)
	for k := range deeper {
		deeper[k] = cells[0][last].even[k] - cells[0][0].even[k]
	}
	gap := alike[3].Estimate - alike[0].Estimate
	f.Checks = append(f.Checks,
		Check{Name: "sides by rollout, 8 layers", Value: overSeeds(cells[0][last].sides), Bound: 0.75, Upper: true},
		Check{Name: "sides by integrated gradients, 8 layers", Value: overSeeds(cells[2][last].sides), Bound: l.bound(0.95, 0.8)},
		Check{Name: "sides by occlusion, 8 layers", Value: overSeeds(cells[3][last].sides), Bound: l.bound(0.95, 0.8)},
		Check{Name: "uniformity of rollout, 8 layers", Value: overSeeds(cells[0][last].even), Bound: explain.Uniform},
		Check{Name: "uniformity of rollout, 8 layers less 1", Value: overSeeds(deeper), Bound: 0},
		Check{Name: "likeness of maps between trainings, occlusion", Value: alike[3], Bound: l.bound(0.8, 0.4)},
		Check{Name: "likeness of maps, occlusion less rollout", Value: metric.Interval{Estimate: gap, Low: gap, High: gap}, Bound: 0.05},
		Check{Name: "control: votes by occlusion, not trained", Value: overSeeds(untrained[3].votes), Bound: 0.6, Upper: true})
	var words []string
	for i, method := range methods {
		c := cells[i][last]
		words = append(words, fmt.Sprintf("%s finds the votes with %.2f and tells their sides with %.2f, and its maps of two trainings have a correlation of %.2f", method.name, overSeeds(c.votes).Estimate, overSeeds(c.sides).Estimate, alike[i].Estimate))
	}
	f.Words = fmt.Sprintf("Every vote has the same part of the log-odds, for or against. In a head whose truth is wired, rollout gives the sink most and all others give it nothing. In trained models of %d layers: %s (1 is perfect; chance is about .16 for votes and .5 for sides). The uniformity of rollout is %.3f with one layer and %.3f with %d. "+
		"With every head's attention replaced by equal weights, the answer stays in %.0f %% of the ballots with one layer and in %.0f %% with %d: where it stays, a map of attention cannot be why.",
		depths[last], strings.Join(words, "; "), overSeeds(cells[0][0].even).Estimate, overSeeds(cells[0][last].even).Estimate, depths[last],
		100*overSeeds(even[0]).Estimate, 100*overSeeds(even[last]).Estimate, depths[last])
	return f, nil
}

func (l *Lab) trainings() int { return l.pick(10, 3) }

// stability trains one model from several seeds and compares the maps of the same
// ballots, and the answers.
func (l *Lab) stability(ctx context.Context) (alike []metric.Interval, ranks []*explain.Stability, agree float64, err error) {
	methods := mappers()
	r := rand.New(rand.NewPCG(l.Seed, 35))
	test := make([]ballot, l.pick(20, 6))
	for i := range test {
		test[i] = drawBallot(r)
	}
	maps := make([][][][]float64, len(methods)) // (methods, trainings, ballots, letters)
	var answers [][]bool
	for k := range l.trainings() {
		m, acc, err := l.fitCounter(ctx, 2, l.Seed+1000+uint64(k))
		if err != nil {
			return nil, nil, 0, err
		}
		l.tell("training %d of %d: right %.3f", k+1, l.trainings(), acc)
		var a []bool
		for _, b := range test {
			a = append(a, m.scores([][]int32{b.ids})[0] > 0)
		}
		answers = append(answers, a)
		for i, method := range methods {
			s, err := m.judge(ctx, method, test, l.Seed)
			if err != nil {
				return nil, nil, 0, err
			}
			maps[i] = append(maps[i], s.maps)
		}
	}
	same, pairs := 0.0, 0.0
	for i := range answers {
		for j := range i {
			for b := range test {
				if pairs++; answers[i][b] == answers[j][b] {
					same++
				}
			}
		}
	}
	for i := range methods {
		stable, err := explain.SeedStability(maps[i])
		if err != nil {
			return nil, nil, 0, err
		}
		v := metric.Interval{Low: 1, High: -1}
		for a := range maps[i] {
			for c := range a {
				mean := 0.0
				for b := range test {
					rho, err := metric.Pearson(maps[i][a][b], maps[i][c][b])
					if err != nil {
						return nil, nil, 0, err
					}
					mean += rho / float64(len(test))
				}
				v.Estimate += mean / float64(l.trainings()*(l.trainings()-1)/2)
				v.Low, v.High = min(v.Low, mean), max(v.High, mean)
			}
		}
		alike, ranks = append(alike, v), append(ranks, stable)
	}
	return alike, ranks, same / pairs, nil
}

// wiredTable adds what each method makes of the wired head.
func wiredTable(ctx context.Context, f *Finding) error {
	w := sink()
	c := w.explained()
	n := len(w.values)
	g, err := explain.IntegratedGradients(ctx, c, 4, make([]float32, n))
	if err != nil {
		return err
	}
	occlusion := make([]float64, n)
	for j := range n {
		without := w
		without.values = append([]float64(nil), w.values...)
		without.values[j] = 0
		occlusion[j] = c.Score() - without.explained().Score()
	}
	rows := []struct {
		name   string
		scores []float64
	}{
		{"rollout", explain.RolloutFrom(explain.Attention(c), c.Readout, explain.Mean)},
		{"gradient x attention", explain.GradientAttention(explain.AttentionGradient(c), c.Readout, explain.Positive)},
		{"gradient x attention, signed", explain.GradientAttention(explain.AttentionGradient(c), c.Readout, explain.Signed)},
		{"gradient x input", explain.Gradient(c).TimesInput()},
		{"integrated gradients", g.Values},
		{"occlusion", occlusion},
	}
	t := Table{Title: "A wired head: weights .60 on a sink of value 0, .15 on a letter of value +2, .15 on one of value -2", Columns: append([]string{"method"}, w.names[1:]...),
		Notes: []string{"True parts of the score, weight times value: sink 0, for +.3, against -.3. The positive part of gradient x attention, as it is published, hides what speaks against."}}
	worst := 0.0
	for i, r := range rows {
		row := []string{r.name}
		for _, v := range r.scores[1:] {
			row = append(row, fmt.Sprintf("%+.3f", v+0))
		}
		t.Rows = append(t.Rows, row)
		if i > 0 {
			worst = max(worst, math.Abs(r.scores[1]))
		}
	}
	f.Tables = append(f.Tables, t)
	point := func(v float64) metric.Interval { return metric.Interval{Estimate: v, Low: v, High: v} }
	f.Checks = append(f.Checks, Check{Name: "wired: the sink by rollout", Value: point(rows[0].scores[1]), Bound: 0.25},
		Check{Name: "wired: the sink by any other method", Value: point(worst), Bound: 0.001, Upper: true})
	return nil
}

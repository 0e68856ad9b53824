package study

import (
	"context"
	"fmt"
	"math"
	"slices"

	"heed/autograd"
	"heed/internal/cost"
	"heed/metric"
	"heed/plot"
)

// A gridCost is what layers over grids cost, over some repetitions.
type gridCost struct {
	layers []cost.Layer
	sides  []int
	clock  string
	times  [][]cost.Timing                             // (seeds)
	bytes  map[string]map[bool]map[int]metric.Interval // (layers, weights kept, sides)
}

// gridWeights are the layers of which memory is measured.
var gridWeights = []string{"full attention", "axial attention, untied", "axial attention, tied"} // never written to

func (l *Lab) gridCost(ctx context.Context) (*gridCost, error) {
	g := &gridCost{layers: cost.Axial(costWidth, costHeads, l.pick(128, 16)), sides: []int{4, 8, 16, 32, 64, 128, 256}}
	memory := []int{8, 16, 32, 64}
	if l.Tiny {
		g.sides, memory = []int{4, 8, 16}, []int{4, 8, 16}
	}
	race := cost.Race{Width: costWidth, Rounds: l.pick(2, 1), Cores: 1, Least: 0.02}
	g.clock = race.Clock()
	for k := range l.Seeds {
		race.Seed = l.Seed + uint64(k)
		t, err := race.Times(ctx, g.layers, g.sides)
		if err != nil {
			return nil, err
		}
		g.times = append(g.times, t)
		l.tell("seed %d: times of %d sizes", race.Seed, len(g.sides))
	}
	g.bytes = map[string]map[bool]map[int]metric.Interval{}
	for _, name := range gridWeights {
		layer := g.layers[slices.IndexFunc(g.layers, func(x cost.Layer) bool { return x.Name == name })]
		g.bytes[name] = map[bool]map[int]metric.Interval{true: {}, false: {}}
		for _, kept := range []bool{true, false} {
			for _, n := range memory {
				var values []float64
				for k := range l.Seeds {
					values = append(values, layerBytes(layer, n, kept, l.Seed+uint64(k)))
				}
				g.bytes[name][kept][n] = overSeeds(values)
			}
		}
	}
	return g, nil
}

// layerBytes returns what a forward and a backward pass allocate beyond the input.
func layerBytes(layer cost.Layer, n int, weights bool, seed uint64) float64 {
	x := cost.Input(layer.Rows(n), costWidth, seed)
	x.Trainable = true
	return cost.Bytes(func() {
		t := &autograd.Tape{}
		if weights {
			t.Probe = func(string, *autograd.Var) {}
		}
		layer.Run(t, x, n) // the forward pass holds what the backward pass needs
	})
}

// series returns the sides and the best times of a layer, (sides, seeds).
func (g *gridCost) series(layer string) (n []float64, best [][]float64) {
	n, _ = cost.Series(g.times[0], layer)
	best = make([][]float64, len(n))
	for _, t := range g.times {
		_, b := cost.Series(t, layer)
		for k := range n {
			best[k] = append(best[k], b[k])
		}
	}
	return n, best
}

// exponent fits the times of a layer from a side on.
func (g *gridCost) exponent(layer string, from float64) metric.Interval {
	n, best := g.series(layer)
	first := slices.IndexFunc(n, func(v float64) bool { return v >= from })
	var fits []float64
	for s := range g.times {
		var y []float64
		for _, b := range best[first:] {
			y = append(y, b[s])
		}
		b, _ := cost.Exponent(n[first:], y)
		fits = append(fits, b)
	}
	return overSeeds(fits)
}

// crossover returns the side at which a layer becomes cheaper than another, by
// interpolation of the logarithms, 0 if it always is and NaN if it never is.
func (g *gridCost) crossover(layer, than string) float64 {
	n, a := g.series(layer)
	_, b := g.series(than)
	gap := func(k int) float64 {
		return math.Log(overSeeds(a[k]).Estimate) - math.Log(overSeeds(b[k]).Estimate)
	}
	if gap(0) <= 0 {
		return 0
	}
	for k := 1; k < min(len(a), len(b)); k++ {
		if now, before := gap(k), gap(k-1); now <= 0 {
			return math.Exp(math.Log(n[k-1]) + before/(before-now)*(math.Log(n[k])-math.Log(n[k-1])))
		}
	}
	return math.NaN()
}

// gridFrom is the side from which exponents are fitted: below, calls cost more
// than products.
func (l *Lab) gridFrom() float64 { return float64(l.pick(16, 4)) }

func (g *gridCost) add(l *Lab, f *Finding) {
	t := Table{
		Title:   fmt.Sprintf("Forward pass over N x N cells, width %d, %d heads, one core, milliseconds of %s [range of %d repetitions]", costWidth, costHeads, g.clock, l.Seeds),
		Columns: []string{"layer"},
		Notes: []string{fmt.Sprintf("Exponents from N = %g on, fitted to each repetition. A layer has its linear parts, which grow with N²; full attention is one segment of N·N cells. Tied rows share one map.", l.gridFrom()),
			"Larger grids, with intervals, and a grid of 1,024 x 1,024 in less than 1 GB: docs/results/performance.md, by the same code."},
	}
	for _, n := range g.sides {
		t.Columns = append(t.Columns, fmt.Sprintf("N = %d", n))
	}
	t.Columns = append(t.Columns, "exponent of products", "exponent of time")
	for _, layer := range g.layers {
		n, best := g.series(layer.Name)
		row := []string{layer.Name}
		for k := range g.sides {
			cell := "-"
			if k < len(n) {
				v := overSeeds(best[k])
				cell = fmt.Sprintf("%.3g [%.3g, %.3g]", 1000*v.Estimate, 1000*v.Low, 1000*v.High)
			}
			row = append(row, cell)
		}
		var counts, from []float64
		for _, v := range n {
			if v >= l.gridFrom() {
				counts, from = append(counts, layer.MultiplyAdds(int(v))), append(from, v)
			}
		}
		products, _ := cost.Exponent(from, counts)
		e := g.exponent(layer.Name, l.gridFrom())
		t.Rows = append(t.Rows, append(row, fmt.Sprintf("%.2f", products), fmt.Sprintf("%.2f [%.2f, %.2f]", e.Estimate, e.Low, e.High)))
	}
	f.Tables = append(f.Tables, t, g.memory())
	var gaps []float64
	full, axial := g.exponent("full attention", l.gridFrom()), g.exponent("axial attention, untied", l.gridFrom())
	gaps = append(gaps, full.Estimate-axial.Estimate, full.Low-axial.High, full.High-axial.Low)
	f.Checks = append(f.Checks, Check{Name: "time: exponent of full attention less that of axial attention", Value: metric.Interval{Estimate: gaps[0], Low: gaps[1], High: gaps[2]}, Bound: 0.6})
	kept := func(name string) float64 {
		var n, y []float64
		for side, v := range g.bytes[name][true] {
			n, y = append(n, float64(side)), append(y, v.Estimate)
		}
		b, _ := cost.Exponent(n, y)
		return b
	}
	e := kept("full attention") - kept("axial attention, untied")
	f.Checks = append(f.Checks, Check{Name: "memory with all weights: exponent of full attention less that of axial attention", Value: metric.Interval{Estimate: e, Low: e, High: e}, Bound: l.bound(0.6, 0.3)})
}

func (g *gridCost) memory() Table {
	t := Table{Title: fmt.Sprintf("Memory of a forward pass that will be followed by a backward one, width %d, %d heads", costWidth, costHeads), Columns: []string{"attention", "weights"},
		Notes: []string{"Bytes that a fresh pass allocates. Kept: as most libraries do, and as Heed does while somebody looks at them. In blocks: as Heed trains."}}
	var sides []int
	for n := range g.bytes[gridWeights[0]][true] {
		sides = append(sides, n)
	}
	slices.Sort(sides)
	for _, n := range sides {
		t.Columns = append(t.Columns, fmt.Sprintf("N = %d", n))
	}
	for _, kept := range []bool{true, false} {
		for _, name := range gridWeights {
			row := []string{name, map[bool]string{true: "kept", false: "in blocks"}[kept]}
			for _, n := range sides {
				row = append(row, size(g.bytes[name][kept][n].Estimate))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

func (g *gridCost) figure() (Figure, error) {
	lines := plot.Lines{Title: "Time of attention over N x N cells", XLabel: "N", YLabel: "seconds", LogX: true, LogY: true}
	for _, name := range []string{"full attention", "axial attention, untied", "axial attention, tied", "full layer", "axial layer, untied"} {
		n, best := g.series(name)
		line := plot.Line{Name: name, X: n}
		for _, b := range best {
			v := overSeeds(b)
			line.Y, line.Low, line.High = append(line.Y, v.Estimate), append(line.Low, v.Low), append(line.High, v.High)
		}
		lines.Lines = append(lines.Lines, line)
	}
	return linesFigure("time", "Best times of a forward pass on one core. The lines of full and axial attention part by one power of N.", lines)
}

func (g *gridCost) words(l *Lab) string {
	full, axial := g.exponent("full attention", l.gridFrom()), g.exponent("axial attention, untied", l.gridFrom())
	n, a := g.series("axial layer, untied")
	_, b := g.series("full layer")
	last := len(b) - 1
	where := fmt.Sprintf("from N = %.0f on", g.crossover("axial layer, untied", "full layer"))
	switch c := g.crossover("axial layer, untied", "full layer"); {
	case c == 0:
		where = fmt.Sprintf("at every size, from N = %d on", g.sides[0])
	case math.IsNaN(c):
		where = "at no size that was measured"
	}
	return fmt.Sprintf("The time of full attention grows with N to the power of %.2f and that of axial attention with %.2f (products: 4 and 3). An axial layer is cheaper than a full one %s; at N = %.0f the full one takes %.1f times as long.",
		full.Estimate, axial.Estimate, where, n[last], overSeeds(b[last]).Estimate/overSeeds(a[last]).Estimate)
}

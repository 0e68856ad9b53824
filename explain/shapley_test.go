package explain

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestShapleyByOrders compares the weighted sum over coalitions with the
// definition, the mean over all orders.
func TestShapleyByOrders(t *testing.T) {
	const m = 5
	table := must(lumpy(m).Table(background))
	want := make([]float64, m)
	orders := 0
	var visit func(order []int)
	visit = func(order []int) {
		if len(order) == m {
			orders++
			s := 0
			for _, i := range order {
				want[i] += table.Values[s|1<<i] - table.Values[s]
				s |= 1 << i
			}
			return
		}
		for i := range m {
			if !slices.Contains(order, i) {
				visit(append(slices.Clone(order), i))
			}
		}
	}
	visit(nil)
	for i := range want {
		want[i] /= float64(orders)
	}
	near(t, "Shapley", table.Shapley(), want, 1e-14)
}

// TestShapleyAxioms: efficiency, symmetry, null player.
func TestShapleyAxioms(t *testing.T) {
	for m := range MaxExact + 1 {
		table := must(lumpy(m).Table(background))
		sum := 0.0
		for _, p := range table.Shapley() {
			sum += p
		}
		if want := table.Values[len(table.Values)-1] - table.Values[0]; math.Abs(sum-want) > 1e-12 {
			t.Errorf("%d features: values sum to %v, want %v", m, sum, want)
		}
	}
	// Features 1 and 3 enter alike, 2 not at all: a token that occurs twice, and
	// one that the model ignores.
	g := gameOf(5, func(x []float64) float64 { return math.Sin(x[1]+x[3])*(2-x[0]) + x[4]*x[1]*x[3] })
	table := must(g.Table(background))
	phi, pairs := table.Shapley(), table.Interaction()
	if phi[1] != phi[3] || phi[1] == 0 || phi[2] != 0 {
		t.Errorf("values %v: want 1 and 3 alike and 2 zero", phi)
	}
	for i := range 5 {
		if pairs[2][i] != 0 || i != 1 && i != 3 && math.Abs(pairs[1][i]-pairs[3][i]) > 1e-15 {
			t.Errorf("interactions %v: want rows 1 and 3 alike and 2 zero", pairs)
		}
	}
	o := must(g.Occlusion(background)).Effect
	if o[1] != o[3] || o[1] == 0 || o[2] != 0 {
		t.Errorf("occlusion %v: want 1 and 3 alike and 2 zero", o)
	}
}

// TestInteractionOfThree: the product of three features. With i and j there, the
// third is kept or not with weight 1/2 each.
func TestInteractionOfThree(t *testing.T) {
	g := gameOf(3, func(x []float64) float64 { return x[0] * x[1] * x[2] })
	for i, row := range must(g.Table(background)).Interaction() {
		want := []float64{.5, .5, .5}
		want[i] = 0
		near(t, "row", row, want, 0)
	}
}

// TestSampledConverges to the exact values within its standard errors, which
// shrink as they should.
func TestSampledConverges(t *testing.T) {
	const m = 8
	g := lumpy(m)
	want := must(g.Table(background)).Shapley()
	last := math.Inf(1)
	for _, pairs := range []int{50, 200, 800} {
		s := must(g.SampleShapley(background, pairs, rand.New(rand.NewPCG(3, uint64(pairs)))))
		z, size, sum := 0.0, 0.0, 0.0
		for i, v := range s.Values {
			d := (v - want[i]) / s.SE[i]
			z += d * d / m
			size += s.SE[i] / m
			sum += v
		}
		if z < 0.1 || z > 3 { // mean of 8 squares of about normal numbers
			t.Errorf("%d pairs: mean square of error/SE is %v, want about 1", pairs, z)
		}
		if size > 0.6*last {
			t.Errorf("%d pairs: mean SE %v after %v, want half of it", pairs, size, last)
		}
		last = size
		table := must(g.Table(background))
		if d := sum - (table.Values[1<<m-1] - table.Values[0]); math.Abs(d) > 1e-10 {
			t.Errorf("%d pairs: sum is off by %v", pairs, d)
		}
	}
	a := must(g.SampleShapley(background, 9, rand.New(rand.NewPCG(1, 1))))
	g.Batch = 3
	b := must(g.SampleShapley(background, 9, rand.New(rand.NewPCG(1, 1))))
	if !slices.Equal(a.Values, b.Values) || !slices.Equal(a.SE, b.SE) {
		t.Error("one seed, two results")
	}
}

// TestSampledCost counts evaluations.
func TestSampledCost(t *testing.T) {
	for _, m := range []int{0, 1, 2, 9} {
		g, n := lumpy(m), 0
		value := g.Value
		g.Value = func(keep [][]bool) []float64 { n += len(keep); return value(keep) }
		s := must(g.SampleShapley(background, 4, rand.New(rand.NewPCG(1, 1))))
		if want := 2 + 2*4*max(m-1, 0); n != want || len(s.Values) != m {
			t.Errorf("%d features: %d evaluations for %d values, want %d", m, n, len(s.Values), want)
		}
	}
}

func BenchmarkTable(b *testing.B) {
	g := lumpy(MaxExact)
	for b.Loop() {
		t := must(g.Table(background))
		t.Shapley()
		t.Interaction()
	}
}

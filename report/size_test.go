package report

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// large is a page at the limits: 144 heads over 1024 tokens, of which one is
// marked, and a curve of 200,000 points. Heads look near by, at single tokens,
// or softly everywhere.
func large(budget int) *Report {
	const n = 1024
	head := func(layer, head int) []float32 {
		rng := rand.New(rand.NewPCG(uint64(layer), uint64(head)))
		w := make([]float32, n*n)
		for q := range n {
			row := w[q*n : (q+1)*n]
			sum := float32(0)
			for k := range row {
				switch d := q - k - 2*head; {
				case head%3 == 0 && -64 < d && d < 64:
					row[k] = float32(math.Exp(-float64(d*d) / float64(40+8*layer)))
				case head%3 == 1 && k%(97+layer) == 3:
					row[k] = 1 + rng.Float32()
				case head%3 == 2:
					row[k] = rng.Float32() * rng.Float32()
				}
				row[k] += 0.001 * rng.Float32()
				sum += row[k]
			}
			for k := range row {
				row[k] /= sum
			}
		}
		return w
	}
	m := AttentionMap{Name: "long", Tokens: strings.Split(strings.Repeat("ACGT", n/4), ""), Full: make([]bool, 144), Head: head}
	m.Full[0] = true
	c := Curve{Name: "loss"}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 200_000 {
		c.X, c.Y = append(c.X, float64(i)), append(c.Y, 0.69*math.Exp(-float64(i)/50_000)+0.05*rng.Float64())
	}
	return &Report{Title: "Large", Budget: budget, Sections: []Section{{"Attention", []Block{HeatmapSet{Layers: 12, Heads: 12, Maps: []AttentionMap{m}}}},
		{"Training", []Block{Curves{Name: "loss", Alt: "The loss falls", XLabel: "step", YLabel: "loss", Series: []Curve{c}}}}}}
}

// BenchmarkLarge reports the size of the page at the limits: with the marked head
// alone, and with as many as the default budget allows.
func BenchmarkLarge(b *testing.B) {
	for _, c := range []struct {
		name   string
		budget int
	}{{"marked", 1}, {"default", 0}} {
		b.Run(c.name, func(b *testing.B) {
			size := 0
			for b.Loop() {
				page, err := large(c.budget).HTML()
				if err != nil {
					b.Fatal(err)
				}
				size = len(page)
			}
			b.ReportMetric(float64(size), "bytes/page")
			if c.budget == 0 && size > DefaultBudget {
				b.Errorf("%d bytes, more than the budget", size)
			}
		})
	}
}

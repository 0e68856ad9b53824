package explain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/format"
)

// simplestFlow is the maximum flow by Ford and Fulkerson's method over a matrix
// of capacities: the widest path found by brute force, again and again.
func simplestFlow(layers []Mixing, readout []float64, sink int) float64 {
	n, depth := len(readout), len(layers)
	nodes := n*(depth+1) + 1
	c := make([][]float64, nodes)
	for i := range c {
		c[i] = make([]float64, nodes)
	}
	source := nodes - 1
	for i, w := range readout {
		c[source][depth*n+i] = w
	}
	for l, m := range layers {
		for i := range n {
			for j, w := range m.Row(i) {
				c[(l+1)*n+i][l*n+j] = float64(w)
			}
		}
	}
	total := 0.0
	for {
		width, from := make([]float64, nodes), make([]int, nodes)
		width[source] = math.Inf(1)
		for changed := true; changed; { // Bellman-Ford
			changed = false
			for a := range nodes {
				for b := range nodes {
					if w := min(width[a], c[a][b]); w > width[b] && b != source {
						width[b], from[b], changed = w, a, true
					}
				}
			}
		}
		if width[sink] < 1e-11 {
			return total
		}
		total += width[sink]
		for b := sink; b != source; b = from[b] {
			c[from[b]][b] -= width[sink]
			c[b][from[b]] += width[sink]
		}
	}
}

func TestFlow(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for _, depth := range []int{1, 2, 4} {
		for _, spec := range []FuseSpec{{}, {Discard: 0.6}, {Fusion: Min, NoResidual: true, Discard: 0.4}} {
			layers := Fuse(randomLayers(r, depth, 2, 6, 3), spec)
			for _, readout := range [][]float64{ReadRow(6, 0), ReadMean(6, 1)} {
				f, err := AttentionFlow(context.Background(), layers, readout, FlowLength)
				if err != nil {
					t.Fatal(err)
				}
				sum := 0.0
				for j, got := range f.Max {
					sum += f.Share[j]
					if want := simplestFlow(layers, readout, j); math.Abs(got-want) > 1e-8 {
						t.Errorf("%d layers, %+v: flow to %d is %v, want %v", depth, spec, j, got, want)
					}
				}
				if math.Abs(sum-1) > 1e-12 {
					t.Errorf("shares sum to %v", sum)
				}
			}
		}
	}
}

// TestFlowByHand has two layers of three tokens.
func TestFlowByHand(t *testing.T) {
	layers := []Mixing{
		{"first", 3, []float32{0.5, 0.5, 0, 0.25, 0.75, 0, 0, 0, 1}},
		{"second", 3, []float32{0.5, 0.25, 0.25, 0, 1, 0, 0, 0, 1}},
	}
	f, err := AttentionFlow(context.Background(), layers, ReadRow(3, 0), 3)
	if err != nil {
		t.Fatal(err)
	}
	// To input 0: min(.5, .5) through 0 and min(.25, .25) through 1; to 1 the
	// same; to 2 only min(.25, 1) through 2.
	if want := []float64{0.75, 0.75, 0.25}; !slices.Equal(f.Max, want) {
		t.Errorf("flows %v, want %v", f.Max, want)
	}
	mean := 1.75 / 3
	sd := math.Sqrt((2*math.Pow(0.75-mean, 2) + math.Pow(0.25-mean, 2)) / 3)
	if math.Abs(f.CV-sd/mean) > 1e-12 || !f.Informative() {
		t.Errorf("variation %v, want %v", f.CV, sd/mean)
	}
}

// TestFlowSaturates shows the caveat: on random attention the flows become
// equal with depth.
func TestFlowSaturates(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	cv := func(depth int) float64 {
		f, err := AttentionFlow(context.Background(), Fuse(randomLayers(r, depth, 8, 32, 3), FuseSpec{}), ReadRow(32, 0), FlowLength)
		if err != nil {
			t.Fatal(err)
		}
		return f.CV
	}
	if shallow, deep := cv(1), cv(12); deep >= FlowSpread || shallow < 3*FlowSpread {
		t.Errorf("variation %v at 1 layer, %v at 12", shallow, deep)
	}
}

func TestFlowErrors(t *testing.T) {
	layers := Fuse(randomLayers(rand.New(rand.NewPCG(1, 1)), 2, 1, 5, 1), FuseSpec{})
	_, err := AttentionFlow(context.Background(), layers, ReadRow(5, 0), 4)
	const want = "too large: attention flow of length 5 takes 5 maximum flows over 2 layers x 5² = 50 edges; the limit is length 4"
	if !errors.Is(err, format.ErrTooLarge) || err.Error() != want {
		t.Errorf("error %v, want %v", err, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := AttentionFlow(ctx, layers, ReadRow(5, 0), 5); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func BenchmarkAttentionFlow(b *testing.B) {
	for _, c := range [][2]int{{64, 6}, {64, 12}, {128, 6}, {128, 12}, {256, 6}, {256, 12}} {
		b.Run(fmt.Sprintf("L=%d/layers=%d", c[0], c[1]), func(b *testing.B) {
			layers := Fuse(randomLayers(rand.New(rand.NewPCG(1, 2)), c[1], 8, c[0], 3), FuseSpec{})
			for b.Loop() {
				f, err := AttentionFlow(context.Background(), layers, ReadRow(c[0], 0), FlowLength)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(f.CV, "CV")
			}
		})
	}
}

// Package cost measures what layers cost: multiply-adds, time and memory of their
// passes over rising sizes, and the exponents with which these grow.
//
// In flow layers, each with a pass to run and a formula for its multiply-adds, and
// sizes; out flow times, of which the best is least disturbed by other work, and
// exponents with intervals. Package bench/axial and the studies print them.
package cost

import (
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"heed/autograd"
	"heed/internal/clock"
	"heed/nn"
)

// A Layer is what is measured.
type Layer struct {
	Name         string
	Rows         func(n int) int     // of x at size n
	MultiplyAdds func(n int) float64 // of a forward pass
	// Run makes a forward pass over x (Rows(n), width).
	Run  func(t *autograd.Tape, x *autograd.Var, n int)
	Most int // largest size; 0 means all
}

// A Timing is the time of a forward pass at one size.
type Timing struct {
	Layer        string
	N            int
	MultiplyAdds float64
	Best, Median float64 // seconds
}

// A Race says how times are taken: of every layer in turn, round by round.
type Race struct {
	Width, Rounds, Cores int
	Least                float64 // seconds for which a pass is repeated in a round
	Seed                 uint64
}

// Clock names what the times of the race are taken by.
func (r Race) Clock() string { _, name := clock.New(r.Cores); return name }

// Times runs the layers over all sizes.
func (r Race) Times(ctx context.Context, layers []Layer, sizes []int) ([]Timing, error) {
	now, _ := clock.New(r.Cores)
	var out []Timing
	for _, n := range sizes {
		inputs := map[int]*autograd.Var{}
		seen := make([][]float64, len(layers))
		for round := range r.Rounds {
			for i, l := range layers {
				if l.Most > 0 && n > l.Most || round > 0 && seen[i][0] > 5 {
					continue // a pass of seconds needs no repetition
				}
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				rows := l.Rows(n)
				if inputs[rows] == nil {
					inputs[rows] = Input(rows, r.Width, r.Seed)
				}
				t := &autograd.Tape{NoGrad: true, Cores: r.Cores}
				start, passes := now(), 0
				for ; passes == 0 || now()-start < r.Least; passes++ {
					l.Run(t, inputs[rows], n)
					t.Reset()
				}
				seen[i] = append(seen[i], (now()-start)/float64(passes))
			}
		}
		for i, l := range layers {
			if s := seen[i]; s != nil {
				slices.Sort(s)
				out = append(out, Timing{l.Name, n, l.MultiplyAdds(n), s[0], s[len(s)/2]})
			}
		}
	}
	return out, nil
}

// Input returns rows (rows, width) of normal numbers.
func Input(rows, width int, seed uint64) *autograd.Var {
	r := rand.New(rand.NewPCG(seed, 4))
	x := make([]float32, rows*width)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return autograd.Input(x, rows, width)
}

// Bytes returns how many bytes f allocates. Nothing else may run meanwhile.
func Bytes(f func()) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// Exponent fits y = a·xᵇ by least squares of the logarithms, for three points or
// more, and returns b and half the width of its 95 % interval, by Student's t with
// n-2 degrees of freedom.
func Exponent(x, y []float64) (b, half float64) {
	n := float64(len(x))
	var mx, my, xx, xy, left float64
	for i := range x {
		mx, my = mx+math.Log(x[i])/n, my+math.Log(y[i])/n
	}
	for i := range x {
		dx, dy := math.Log(x[i])-mx, math.Log(y[i])-my
		xx, xy = xx+dx*dx, xy+dx*dy
	}
	b = xy / xx
	for i := range x {
		e := math.Log(y[i]) - my - b*(math.Log(x[i])-mx)
		left += e * e
	}
	t := []float64{12.706, 4.303, 3.182, 2.776, 2.571}[min(len(x)-3, 4)]
	return b, t * math.Sqrt(left/(n-2)/xx)
}

// Series returns the sizes and best times of one layer.
func Series(times []Timing, layer string) (n, best []float64) {
	for _, t := range times {
		if t.Layer == layer {
			n, best = append(n, float64(t.N)), append(best, t.Best)
		}
	}
	return n, best
}

// Axial returns layers over a grid of n rows and columns: axial attention with
// tied and untied rows, full attention over all n·n cells, and the three in blocks
// with their linear layers. Full attention is measured up to size full.
func Axial(width, heads, full int) []Layer {
	d := float64(width)
	layer := func(tied bool) *nn.AxialLayer {
		return nn.NewAxialLayer("", width, heads, 4*width, tied, rand.New(rand.NewPCG(1, 2)))
	}
	tied, untied := layer(true), layer(false)
	one := nn.NewEncoderLayer(nn.NewMultiHeadAttention(width, heads, rand.New(rand.NewPCG(1, 2))), width, 4*width, rand.New(rand.NewPCG(1, 2)))
	attention := func(tied bool) func(t *autograd.Tape, x *autograd.Var, n int) {
		return func(t *autograd.Tape, x *autograd.Var, n int) {
			spec := autograd.AttentionSpec{Name: "rows", Heads: heads, Query: autograd.GridRows(0, n, n)}
			if tied {
				spec.Tied = n
			}
			y := autograd.Attention(t, x, x, x, spec)
			autograd.Attention(t, y, y, y, autograd.AttentionSpec{Name: "columns", Heads: heads, Query: autograd.GridColumns(0, n, n)})
		}
	}
	counted := func(l *nn.AxialLayer, linear bool) func(n int) float64 {
		return func(n int) float64 {
			a, rest := l.MultiplyAdds(nn.Grid{Rows: n, Columns: n})
			if linear {
				a += rest
			}
			return float64(a)
		}
	}
	block := func(l *nn.AxialLayer) func(t *autograd.Tape, x *autograd.Var, n int) {
		return func(t *autograd.Tape, x *autograd.Var, n int) {
			l.Forward(t, x, nn.Grid{Rows: n, Columns: n}, nil)
		}
	}
	cells := func(n int) int { return n * n }
	fullAttention := func(n int) float64 { return 2 * math.Pow(float64(n), 4) * d }
	return []Layer{
		{"axial attention, tied", cells, counted(tied, false), attention(true), 0},
		{"axial attention, untied", cells, counted(untied, false), attention(false), 0},
		{"full attention", cells, fullAttention, func(t *autograd.Tape, x *autograd.Var, n int) {
			autograd.Attention(t, x, x, x, autograd.AttentionSpec{Name: "full", Heads: heads, Query: autograd.Packed(n * n)})
		}, full},
		{"axial layer, tied", cells, counted(tied, true), block(tied), 0},
		{"axial layer, untied", cells, counted(untied, true), block(untied), 0},
		{"full layer", cells, func(n int) float64 { return fullAttention(n) + float64(n*n)*12*d*d }, func(t *autograd.Tape, x *autograd.Var, n int) {
			one.Forward(t, x, autograd.Packed(n*n))
		}, full},
	}
}

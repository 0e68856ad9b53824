package kernel

import (
	"math"
	"testing"
)

// TestSweep runs the transcendental functions over the bit patterns of all
// floats, in steps of a prime, and compares them with double precision. The
// bounds are those of docs/numerics.md; -v prints what was measured.
func TestSweep(t *testing.T) {
	const tiny = 0x1p-125 // smaller results may be flushed to zero
	ones := make([]float32, sweepBlock)
	for i := range ones {
		ones[i] = 1
	}
	for _, c := range []struct {
		name     string
		run      func(y, x []float32)
		want     func(x float64) float64
		rel, abs float64
	}{
		{"exp", func(y, x []float32) { copy(y, x); ExpSum(y, 1, 0) }, math.Exp, 1.2e-7, 0},
		{"sigmoid", Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 2e-7, 0},
		{"tanh", Tanh, math.Tanh, 2e-7, 0},
		{"gelu", GELU, func(x float64) float64 { return max(x, -40) * math.Erfc(-x/math.Sqrt2) / 2 }, 5e-7, 0},
		{"gelu slope", func(y, x []float32) { GELUBack(y, ones[:len(y)], x, false) }, geluSlope, 0, 2e-7},
	} {
		t.Run(c.name, func(t *testing.T) {
			forEach(t, func(t *testing.T) {
				var worst, worstAt float64
				sweep(c.run, func(x, y float32) {
					want := c.want(float64(x))
					switch {
					case math.IsNaN(float64(x)):
						if y == y {
							t.Fatalf("%v for NaN", y)
						}
						return
					case float64(float32(want)) == float64(y): // also infinity
						return
					case math.Abs(want) < tiny:
						if math.Abs(float64(y)) > 1.01*math.Abs(want) {
							t.Fatalf("%v at %v, want %v or 0", y, x, want)
						}
						return
					}
					e := math.Abs(float64(y) - want)
					if c.rel > 0 {
						e /= math.Abs(want)
					}
					if !(e <= c.rel+c.abs) {
						t.Fatalf("%v at %v (%08x), want %v", y, x, math.Float32bits(x), want)
					}
					if e > worst {
						worst, worstAt = e, float64(x)
					}
				})
				t.Logf("largest error %.3g at %v", worst, worstAt)
			})
		})
	}
}

const sweepBlock = 4099

// sweep calls f for a subset of all floats and for the neighbourhoods of the
// ends of the domains, and check for every argument and result.
func sweep(f func(y, x []float32), check func(x, y float32)) {
	x, y := make([]float32, 0, sweepBlock), make([]float32, sweepBlock)
	flush := func() {
		f(y[:len(x)], x)
		for i, v := range x {
			check(v, y[i])
		}
		x = x[:0]
	}
	add := func(bits uint32) {
		if x = append(x, math.Float32frombits(bits)); len(x) == sweepBlock {
			flush()
		}
	}
	for b := uint64(0); b < 1<<32; b += 1021 {
		add(uint32(b))
	}
	for _, v := range []float32{-88.75, -87.34, -87, -0.7517916, -13.2, -14, -5, -1, -0.625, 0.3465736, 0.625, 1, 5, 14, 88.7228, 88.75} {
		for d := range uint32(4000) {
			add(math.Float32bits(v) - 2000 + d)
		}
	}
	flush()
}

// TestExpEnds checks the ends of the domain of the exponential.
func TestExpEnds(t *testing.T) {
	inf := float32(math.Inf(1))
	forEach(t, func(t *testing.T) {
		for _, c := range []struct{ x, low, high float32 }{
			{-inf, 0, 0}, {-1e30, 0, 0}, {-104, 0, 0}, {-87.5, 0, 1e-38}, {-86.9, 1.8e-38, 1.9e-38},
			{0, 1, 1}, {88.72283, 3.4027e38, math.MaxFloat32}, {88.72284, inf, inf}, {89, inf, inf}, {inf, inf, inf},
		} {
			for n := range 40 {
				x := make([]float32, n+1)
				for i := range x {
					x[i] = c.x
				}
				s := ExpSum(x, 1, 0)
				if !(x[n] >= c.low && x[n] <= c.high) {
					t.Errorf("exp(%v) = %v, want %v to %v", c.x, x[n], c.low, c.high)
				}
				if n == 0 && s != x[0] {
					t.Errorf("sum of one exp(%v) = %v, want %v", c.x, s, x[0])
				}
			}
		}
	})
}

package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A vectorCase calls one function on vectors of equal length. run changes v in
// place and returns the function's results; want does the same in double
// precision. rel and abs bound the error of every element of v, and that of
// the results relative to total, the sum of the magnitudes of all terms.
type vectorCase struct {
	name     string
	vectors  int
	run      func(v [][]float32) []float64
	want     func(v [][]float64) (results []float64, total float64)
	rel, abs float64
	sum      float64 // bound of the results, in units of total
}

// ulp is the distance of 1 to the next float32: the unit of relative errors.
const ulp = 1.0 / (1 << 23)

const (
	testA, testD = 0.75, 0.3
	testKey      = 0x0123456789abcdef
	testFactor   = 1.25
	testCut      = 1 << 30 // a quarter is dropped
)

// each returns a reference that computes element i of vector 0.
func each(f func(v [][]float64, i int) float64) func(v [][]float64) ([]float64, float64) {
	return func(v [][]float64) ([]float64, float64) {
		out := make([]float64, len(v[0]))
		for i := range out {
			out[i] = f(v, i)
		}
		copy(v[0], out)
		return nil, 0
	}
}

// over returns a reference for a sum of terms.
func over(f func(v [][]float64, i int) float64) func(v [][]float64) ([]float64, float64) {
	return func(v [][]float64) ([]float64, float64) {
		var s, total float64
		for i := range v[0] {
			s += f(v, i)
			total += math.Abs(f(v, i))
		}
		return []float64{s}, total
	}
}

func largest(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

var vectorCases = []vectorCase{
	{"Add", 2, func(v [][]float32) []float64 { Add(v[0], v[1]); return nil },
		each(func(v [][]float64, i int) float64 { return v[0][i] + v[1][i] }), ulp, 0, 0},
	{"Sum2", 3, func(v [][]float32) []float64 { Sum2(v[0], v[1], v[2]); return nil },
		each(func(v [][]float64, i int) float64 { return v[1][i] + v[2][i] }), ulp, 0, 0},
	{"Axpy", 2, func(v [][]float32) []float64 { Axpy(v[0], testA, v[1]); return nil },
		each(func(v [][]float64, i int) float64 { return v[0][i] + testA*v[1][i] }), ulp, 8 * ulp, 0},
	{"Scale", 1, func(v [][]float32) []float64 { Scale(v[0], testA); return nil },
		each(func(v [][]float64, i int) float64 { return v[0][i] * testA }), ulp, 0, 0},
	{"MulAdd", 3, func(v [][]float32) []float64 { MulAdd(v[0], v[1], v[2]); return nil },
		each(func(v [][]float64, i int) float64 { return v[0][i] + v[1][i]*v[2][i] }), ulp, 8 * ulp, 0},
	{"ReLU", 2, func(v [][]float32) []float64 { ReLU(v[0], v[1]); return nil },
		each(func(v [][]float64, i int) float64 { return max(v[1][i], 0) }), 0, 0, 0},
	{"ReLUBack", 3, func(v [][]float32) []float64 { ReLUBack(v[0], v[1], v[2]); return nil },
		each(func(v [][]float64, i int) float64 {
			if v[2][i] > 0 {
				return v[0][i] + v[1][i]
			}
			return v[0][i]
		}), ulp, 0, 0},
	{"SoftmaxBack", 3, func(v [][]float32) []float64 { SoftmaxBack(v[0], v[1], v[2], testD, testA); return nil },
		each(func(v [][]float64, i int) float64 { return v[1][i] * (v[2][i] - float64(float32(testD))) * testA }), 4 * ulp, 0, 0},
	{"Sigmoid", 2, func(v [][]float32) []float64 { Sigmoid(v[0], v[1]); return nil },
		each(func(v [][]float64, i int) float64 { return 1 / (1 + math.Exp(-v[1][i])) }), 3 * ulp, 0, 0},
	{"SigmoidBack", 3, func(v [][]float32) []float64 { SigmoidBack(v[0], v[1], v[2]); return nil },
		each(func(v [][]float64, i int) float64 { return v[0][i] + v[1][i]*v[2][i]*(1-v[2][i]) }), 2 * ulp, 64 * ulp, 0},
	{"Tanh", 2, func(v [][]float32) []float64 { Tanh(v[0], v[1]); return nil },
		each(func(v [][]float64, i int) float64 { return math.Tanh(v[1][i]) }), 3 * ulp, 0, 0},
	{"TanhBack", 3, func(v [][]float32) []float64 { TanhBack(v[0], v[1], v[2]); return nil },
		each(func(v [][]float64, i int) float64 { return v[0][i] + v[1][i]*(1-v[2][i]*v[2][i]) }), 2 * ulp, 64 * ulp, 0},
	{"GELU", 2, func(v [][]float32) []float64 { GELU(v[0], v[1]); return nil },
		each(func(v [][]float64, i int) float64 { return v[1][i] * math.Erfc(-v[1][i]/math.Sqrt2) / 2 }), 4 * ulp, 0, 0},
	{"GELUBack", 3, func(v [][]float32) []float64 { GELUBack(v[0], v[1], v[2], false); return nil },
		each(func(v [][]float64, i int) float64 { return v[1][i] * geluSlope(v[2][i]) }), 4 * ulp, 4 * ulp, 0},
	{"GELUBack add", 3, func(v [][]float32) []float64 { GELUBack(v[0], v[1], v[2], true); return nil },
		each(func(v [][]float64, i int) float64 { return v[0][i] + v[1][i]*geluSlope(v[2][i]) }), 4 * ulp, 4 * ulp, 0},
	{"Dropout", 2, func(v [][]float32) []float64 { Dropout(v[0], v[1], testKey, testCut, testFactor, false); return nil },
		each(func(v [][]float64, i int) float64 {
			if Hash(testKey, uint32(i)) < testCut {
				return 0
			}
			return v[1][i] * testFactor
		}), ulp, 0, 0},
	{"Dropout add", 2, func(v [][]float32) []float64 { Dropout(v[0], v[1], testKey, testCut, testFactor, true); return nil },
		each(func(v [][]float64, i int) float64 {
			if Hash(testKey, uint32(i)) < testCut {
				return v[0][i]
			}
			return v[0][i] + v[1][i]*testFactor
		}), ulp, 8 * ulp, 0},
	{"Dot", 2, func(v [][]float32) []float64 { return []float64{float64(Dot(v[0], v[1]))} },
		over(func(v [][]float64, i int) float64 { return v[0][i] * v[1][i] }), 0, 0, 8 * ulp},
	{"Sum", 1, func(v [][]float32) []float64 { return []float64{float64(Sum(v[0]))} },
		over(func(v [][]float64, i int) float64 { return v[0][i] }), 0, 0, 8 * ulp},
	{"SumSquares", 1, func(v [][]float32) []float64 { return []float64{SumSquares(v[0])} },
		over(func(v [][]float64, i int) float64 { return v[0][i] * v[0][i] }), 0, 0, 1e-14},
	{"Max", 1, func(v [][]float32) []float64 {
		if len(v[0]) == 0 {
			return []float64{math.Inf(-1)}
		}
		return []float64{float64(Max(v[0]))}
	}, func(v [][]float64) ([]float64, float64) { return []float64{largest(v[0])}, 0 }, 0, 0, 0},
	{"ScaleAddMax", 2, func(v [][]float32) []float64 {
		if len(v[0]) == 0 {
			return []float64{math.Inf(-1)}
		}
		return []float64{float64(ScaleAddMax(v[0], testA, v[1]))}
	}, func(v [][]float64) ([]float64, float64) {
		each(func(v [][]float64, i int) float64 { return v[0][i]*testA + v[1][i] })(v)
		return []float64{largest(v[0])}, 1
	}, ulp, 8 * ulp, 8 * ulp},
	{"ExpSum", 1, func(v [][]float32) []float64 { return []float64{float64(ExpSum(v[0], testA, testD))} },
		func(v [][]float64) ([]float64, float64) {
			each(func(v [][]float64, i int) float64 { return math.Exp(v[0][i]*testA - float64(float32(testD))) })(v)
			return over(func(v [][]float64, i int) float64 { return v[0][i] })(v)
		}, 16 * ulp, 0, 16 * ulp},
	{"Decay", 2, func(v [][]float32) []float64 { Decay(v[0], v[1]); return nil },
		each(func(v [][]float64, i int) float64 { return math.Exp(-max(v[1][i], 0)) }), 16 * ulp, 0, 0},
	{"DecayBack", 4, func(v [][]float32) []float64 { DecayBack(v[0], v[1], v[2], v[3]); return nil },
		each(func(v [][]float64, i int) float64 {
			if v[3][i] > 0 {
				return v[0][i] - v[1][i]*v[2][i]
			}
			return v[0][i]
		}), ulp, 8 * ulp, 0},
	{"AdamW", 4, func(v [][]float32) []float64 {
		for i, x := range v[3] { // second moments of a sensible size
			v[3][i] = x*x + 1
		}
		AdamW(v[0], v[1], v[2], v[3], 1e-2, 0.9, 0.999, 1e-8, 0.1, 2, 4, 0.5)
		return nil
	}, func(v [][]float64) ([]float64, float64) {
		for i := range v[0] {
			g := 0.5 * v[1][i]
			v[2][i] = 0.9*v[2][i] + 0.1*g
			v[3][i] = 0.999*(v[3][i]*v[3][i]+1) + 0.001*g*g
			v[0][i] -= 1e-3*v[0][i] + 1e-2*2*v[2][i]/(math.Sqrt(4*v[3][i])+1e-8)
		}
		return nil, 0
	}, 1e-6, 1e-6, 0},
}

// guard is what surrounds every vector of a test: a NaN that nothing computes,
// and that would spoil any sum which read it.
const guard = 0x7fc0dead

// guarded returns vectors of length n at offset off within guard values, and a
// function that reports whether these are intact.
func guarded(k, n, off int) (v [][]float32, intact func() bool) {
	const margin = 40
	bufs := make([][]float32, k)
	for i := range bufs {
		b := make([]float32, margin+off+i+n+margin)
		for j := range b {
			b[j] = math.Float32frombits(guard)
		}
		bufs[i] = b
		v = append(v, b[margin+off+i:margin+off+i+n])
	}
	return v, func() bool {
		for i, b := range bufs {
			start := margin + off + i
			for j, x := range b {
				if (j < start || j >= start+n) && math.Float32bits(x) != guard {
					return false
				}
			}
		}
		return true
	}
}

func widen(v [][]float32) [][]float64 {
	w := make([][]float64, len(v))
	for i := range v {
		w[i] = make([]float64, len(v[i]))
		for j, x := range v[i] {
			w[i][j] = float64(x)
		}
	}
	return w
}

// forEach runs f with every implementation of this machine in use.
func forEach(t *testing.T, f func(t *testing.T)) {
	for _, m := range Available() {
		t.Run(m.String(), func(t *testing.T) {
			defer Force(m)()
			f(t)
		})
	}
}

func TestVectors(t *testing.T) {
	for _, c := range vectorCases {
		t.Run(c.name, func(t *testing.T) {
			forEach(t, func(t *testing.T) {
				for n := range 132 {
					for off := range 3 {
						checkVectors(t, c, n, off)
					}
				}
				checkVectors(t, c, 1027, 1)
			})
		})
	}
}

func checkVectors(t *testing.T, c vectorCase, n, off int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(off)))
	v, intact := guarded(c.vectors, n, off)
	for _, x := range v {
		for i := range x {
			x[i] = 2 * float32(r.NormFloat64())
		}
	}
	w := widen(v)
	got := c.run(v)
	want, total := c.want(w)
	if !intact() {
		t.Fatalf("n %d, offset %d: wrote outside of the slices", n, off)
	}
	for k := range v {
		for i, x := range v[k] {
			if e := math.Abs(float64(x) - w[k][i]); !(e <= c.rel*math.Abs(w[k][i])+c.abs) {
				t.Fatalf("n %d, offset %d: vector %d[%d] is %v, want %v", n, off, k, i, x, w[k][i])
			}
		}
	}
	for k := range want {
		if e := math.Abs(got[k] - want[k]); !(got[k] == want[k] || e <= c.sum*total) {
			t.Fatalf("n %d, offset %d: result %v, want %v", n, off, got[k], want[k])
		}
	}
}

// specials are put among the inputs of TestSameBits.
var specials = []float32{
	float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Copysign(0, -1)), 0,
	1e-40, -1e-40, 1e-20, -1e-20, 88, 89, -87, -88, 13, -13, -14, 14, 100, -100, 1e30, -1e30, math.MaxFloat32, -math.MaxFloat32,
	math.Float32frombits(0x7fc00001), math.Float32frombits(0xffc12345), 0.625, -0.625,
}

// TestSameBits compares the two sets of assembly bit by bit, with and without
// special values among the inputs, and plain Go with them by kind of number.
func TestSameBits(t *testing.T) {
	for _, c := range vectorCases {
		t.Run(c.name, func(t *testing.T) {
			for n := range 200 {
				for _, share := range []float64{0, 0.02, 0.5} {
					in, _ := guarded(c.vectors, n, 0)
					r := rand.New(rand.NewPCG(uint64(n), 7))
					for _, x := range in {
						for i := range x {
							x[i] = 3 * float32(r.NormFloat64())
							if r.Float64() < share {
								x[i] = specials[r.IntN(len(specials))]
							}
						}
					}
					sameBits(t, c, in)
				}
			}
		})
	}
}

// sameBits runs c on copies of in with every set of assembly.
func sameBits(t *testing.T, c vectorCase, in [][]float32) {
	t.Helper()
	var first []uint64
	for _, m := range Available()[1:] {
		v := make([][]float32, len(in))
		for i := range in {
			v[i] = append(v[i], in[i]...)
		}
		restore := Force(m)
		results := c.run(v)
		restore()
		var got []uint64
		for _, x := range results {
			got = append(got, math.Float64bits(x))
		}
		for k := range v {
			for _, x := range v[k] {
				got = append(got, uint64(math.Float32bits(x)))
			}
		}
		if first == nil {
			first = got
		}
		for i := range got {
			if got[i] != first[i] {
				t.Fatalf("%v, n %d: number %d of %d results and vectors in turn is %08x, with %v %08x",
					m, len(in[0]), i, len(results), got[i], Available()[1], first[i])
			}
		}
	}
}

// TestNaN checks that a NaN among numbers reaches the results of reductions.
func TestNaN(t *testing.T) {
	forEach(t, func(t *testing.T) {
		for n := 1; n < 131; n++ {
			for at := 0; at < n; at += 1 + n/7 {
				for _, c := range vectorCases {
					v, _ := guarded(c.vectors, n, 0)
					for _, x := range v {
						clear(x)
						x[at] = float32(math.NaN())
					}
					for _, r := range c.run(v) {
						if r == r {
							t.Fatalf("%s of %d elements, number %d NaN: %v", c.name, n, at, r)
						}
					}
				}
			}
		}
	})
}

// TestShort checks that a slice whose length is too small panics, even where
// its capacity would do.
func TestShort(t *testing.T) {
	forEach(t, func(t *testing.T) {
		for _, c := range vectorCases {
			for k := 1; k < c.vectors; k++ {
				v, intact := guarded(c.vectors, 20, 0)
				v[k] = v[k][:19]
				func() {
					defer func() {
						if recover() == nil {
							t.Errorf("%s with 19 elements of vector %d for 20: no panic", c.name, k)
						}
					}()
					if c.name == "AdamW" {
						AdamW(v[0], v[1], v[2], v[3], 1, 1, 1, 1, 1, 1, 1, 1)
						return
					}
					c.run(v)
				}()
				if !intact() {
					t.Errorf("%s with 19 elements of vector %d for 20: wrote outside", c.name, k)
				}
			}
		}
		for name, f := range map[string]func(){
			"Max":         func() { Max(nil) },
			"ScaleAddMax": func() { ScaleAddMax(nil, 1, nil) },
			"LayerNorm": func() {
				LayerNorm(make([]float32, 9), make([]float32, 9, 10), make([]float32, 5), make([]float32, 5), make([]float32, 2), make([]float32, 2), 0)
			},
			"AddRows": func() { AddRows(make([]float32, 5), make([]float32, 9, 10), 2) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic", name)
					}
				}()
				f()
			}()
		}
	})
}

// TestHash pins the mask of dropout: it belongs to a run's seed.
func TestHash(t *testing.T) {
	for _, c := range []struct {
		key  uint64
		i    uint32
		want uint32
	}{{0, 0, 0}, {0, 1, 0x11fd02eb}, {0x0123456789abcdef, 12345, 0x0619f96e}} {
		if got := Hash(c.key, c.i); got != c.want {
			t.Errorf("Hash(%#x, %d) = %#x, want %#x", c.key, c.i, got, c.want)
		}
	}
	// A quarter of the elements is dropped, within six standard deviations.
	const n = 1 << 16
	x := make([]float32, n)
	for i := range x {
		x[i] = 1
	}
	for key := range uint64(16) {
		y := make([]float32, n)
		Dropout(y, x, key*0x9e3779b97f4a7c15, testCut, 1, false)
		if kept := Sum(y); math.Abs(float64(kept)-0.75*n) > 6*math.Sqrt(n*3.0/16) {
			t.Errorf("key %d keeps %v of %d", key, kept, n)
		}
	}
}

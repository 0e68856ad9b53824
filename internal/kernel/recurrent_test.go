package kernel

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

func sigmoid64(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// lstm64 and gru64 are one element of a step in double precision: from the sums
// that enter the gates, and what was before, to the states.
func lstm64(in []float64, before float64) (c, h float64) {
	c = sigmoid64(in[1])*before + sigmoid64(in[0])*math.Tanh(in[2])
	return c, sigmoid64(in[3]) * math.Tanh(c)
}

// gru64 takes three contributions of the input and three of the state.
func gru64(in []float64, before float64) float64 {
	r, z := sigmoid64(in[0]+in[3]), sigmoid64(in[1]+in[4])
	n := math.Tanh(in[2] + r*in[5])
	return (1-z)*n + z*before
}

// slope is the derivative of f with respect to x[k].
func slope(x []float64, k int, f func() float64) float64 {
	const step = 1e-6
	at := x[k]
	x[k] = at + step
	a := f()
	x[k] = at - step
	b := f()
	x[k] = at
	return (a - b) / (2 * step)
}

// closeTo checks one float32 against its reference.
func closeTo(t *testing.T, what string, n, j int, got float32, want float64) {
	t.Helper()
	if e := math.Abs(float64(got) - want); !(e <= 32*ulp*(1+math.Abs(want))) {
		t.Fatalf("%s of %d elements: %d is %v, want %v", what, n, j, got, want)
	}
}

// row64 returns element j of count vectors of length n that lie side by side.
func row64(x []float64, n, j, count int) []float64 {
	out := make([]float64, count)
	for k := range out {
		out[k] = x[k*n+j]
	}
	return out
}

// recurrentInput returns guarded vectors of the given multiples of n, filled with
// normal numbers.
func recurrentInput(n int, multiples ...int) (v [][]float32, intact func() bool) {
	longest := 0
	for _, m := range multiples {
		longest = max(longest, m)
	}
	v, intact = guarded(len(multiples), longest*n, n%3)
	r := rand.New(rand.NewPCG(uint64(n), 3))
	for k, x := range v {
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		v[k] = x[:multiples[k]*n]
	}
	return v, intact
}

// The states are those of the definition, and the gradients its slopes.
func TestLSTMRow(t *testing.T) {
	forEach(t, func(t *testing.T) {
		for n := 1; n < 70; n++ {
			for _, start := range []bool{false, true} {
				v, intact := recurrentInput(n, 4, 1, 1, 1, 1, 1, 1)
				gates, before, c, s, h, dh, dc := v[0], v[1], v[2], v[3], v[4], v[5], v[6]
				if start {
					clear(before)
				}
				w := widen(v)
				if start {
					before = nil
				}
				LSTMRow(gates, before, c, s, h)
				for j := range n {
					wantC, wantH := lstm64(row64(w[0], n, j, 4), w[1][j])
					closeTo(t, "cell", n, j, c[j], wantC)
					closeTo(t, "squashed", n, j, s[j], math.Tanh(wantC))
					closeTo(t, "state", n, j, h[j], wantH)
				}
				LSTMRowBack(gates, before, s, dh, dc)
				for j := range n {
					in, b := row64(w[0], n, j, 4), []float64{w[1][j]}
					f := func() float64 {
						c, h := lstm64(in, b[0])
						return w[6][j]*c + w[5][j]*h
					}
					for k := range in {
						closeTo(t, "gradient of a gate", n, j, gates[k*n+j], slope(in, k, f))
					}
					closeTo(t, "gradient of the cell", n, j, dc[j], slope(b, 0, f))
				}
				if !intact() {
					t.Fatalf("%d elements: wrote outside of the slices", n)
				}
			}
		}
	})
}

func TestGRURow(t *testing.T) {
	forEach(t, func(t *testing.T) {
		for n := 1; n < 70; n++ {
			for _, start := range []bool{false, true} {
				v, intact := recurrentInput(n, 3, 3, 1, 1, 1, 1)
				input, hidden, before, h, dh, dBefore := v[0], v[1], v[2], v[3], v[4], v[5]
				if start {
					clear(before)
				}
				w := widen(v)
				if start {
					before = nil
				}
				GRURow(input, hidden, before, h)
				for j := range n {
					in := append(row64(w[0], n, j, 3), row64(w[1], n, j, 3)...)
					closeTo(t, "state", n, j, h[j], gru64(in, w[2][j]))
				}
				GRURowBack(input, hidden, before, dh, dBefore)
				for j := range n {
					in, b := append(row64(w[0], n, j, 3), row64(w[1], n, j, 3)...), []float64{w[2][j]}
					f := func() float64 { return w[4][j] * gru64(in, b[0]) }
					for k := range 3 {
						closeTo(t, "gradient of the input", n, j, input[k*n+j], slope(in, k, f))
						closeTo(t, "gradient of the hidden part", n, j, hidden[k*n+j], slope(in, 3+k, f))
					}
					closeTo(t, "gradient of the state before", n, j, dBefore[j], slope(b, 0, f))
				}
				if !intact() {
					t.Fatalf("%d elements: wrote outside of the slices", n)
				}
			}
		}
	})
}

// recurrentCases lets the tests of all vector functions see these too: the
// slices of a row are made of vectors of one length.
var recurrentCases = []vectorCase{
	{name: "LSTMRow", vectors: 8, run: func(v [][]float32) []float64 {
		n := len(v[0])
		gates := joined(v[:4])
		LSTMRow(gates, v[4], v[5], v[6], v[7])
		split(v[:4], gates, n)
		return nil
	}},
	{name: "LSTMRowBack", vectors: 8, run: func(v [][]float32) []float64 {
		n := len(v[0])
		gates := joined(v[:4])
		LSTMRowBack(gates, v[4], v[5], v[6], v[7])
		split(v[:4], gates, n)
		return nil
	}},
	{name: "GRURow", vectors: 8, run: func(v [][]float32) []float64 {
		n := len(v[0])
		input, hidden := joined(v[:3]), joined(v[3:6])
		GRURow(input, hidden, v[6], v[7])
		split(v[:3], input, n)
		return nil
	}},
	{name: "GRURowBack", vectors: 9, run: func(v [][]float32) []float64 {
		n := len(v[0])
		input, hidden := joined(v[:3]), joined(v[3:6])
		GRURowBack(input, hidden, v[6], v[7], v[8])
		split(v[:3], input, n)
		split(v[3:6], hidden, n)
		return nil
	}},
}

func joined(v [][]float32) []float32 {
	var out []float32
	for _, x := range v {
		out = append(out, x...)
	}
	return out
}

func split(v [][]float32, x []float32, n int) {
	for k := range v {
		copy(v[k], x[k*n:(k+1)*n])
	}
}

func TestRecurrentSameBits(t *testing.T) {
	for _, c := range recurrentCases {
		for n := range 100 {
			in, _ := guarded(c.vectors, n, 0)
			r := rand.New(rand.NewPCG(uint64(n), 7))
			for _, x := range in {
				for i := range x {
					x[i] = 3 * float32(r.NormFloat64())
					if n%2 == 0 && r.Float64() < 0.05 {
						x[i] = specials[r.IntN(len(specials))]
					}
				}
			}
			sameBits(t, c, in)
		}
	}
}

// FuzzRecurrent runs a row of a recurrent layer on arbitrary bits: the sets of
// assembly agree to the last bit, and plain Go is near where numbers are tame.
func FuzzRecurrent(f *testing.F) {
	for i := range recurrentCases {
		f.Add(uint8(i), make([]byte, 4*9*17))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		c := recurrentCases[int(which)%len(recurrentCases)]
		n := len(data) / 4 / c.vectors
		in, plain := make([][]float32, c.vectors), make([][]float32, c.vectors)
		tame := true
		for k := range in {
			for i := range n {
				x := math.Float32frombits(binary.LittleEndian.Uint32(data[4*(k*n+i):]))
				in[k] = append(in[k], x)
				tame = tame && math.Abs(float64(x)) <= 10
			}
			plain[k] = append(plain[k], in[k]...)
		}
		sameBits(t, c, in)
		if !tame {
			return
		}
		c.run(in)
		restore := Force(Generic)
		c.run(plain)
		restore()
		for k := range plain {
			for i, x := range plain[k] {
				if e := math.Abs(float64(x) - float64(in[k][i])); !(e <= 1e-4*(1+math.Abs(float64(x)))) {
					t.Fatalf("%s: vector %d[%d] is %v, plain Go has %v", c.name, k, i, in[k][i], x)
				}
			}
		}
	})
}

func TestRecurrentShort(t *testing.T) {
	x := func(n int) []float32 { return make([]float32, n, n+8) }
	for name, f := range map[string]func(){
		"LSTMRow gates":       func() { LSTMRow(x(19), x(5), x(5), x(5), x(5)) },
		"LSTMRow before":      func() { LSTMRow(x(20), x(4), x(5), x(5), x(5)) },
		"LSTMRow cell":        func() { LSTMRow(x(20), x(5), x(4), x(5), x(5)) },
		"LSTMRowBack gates":   func() { LSTMRowBack(x(19), x(5), x(5), x(5), x(5)) },
		"LSTMRowBack cell":    func() { LSTMRowBack(x(20), x(5), x(5), x(5), x(4)) },
		"GRURow input":        func() { GRURow(x(14), x(15), x(5), x(5)) },
		"GRURow hidden":       func() { GRURow(x(15), x(14), x(5), x(5)) },
		"GRURow before":       func() { GRURow(x(15), x(15), x(4), x(5)) },
		"GRURowBack hidden":   func() { GRURowBack(x(15), x(14), x(5), x(5), x(5)) },
		"GRURowBack gradient": func() { GRURowBack(x(15), x(15), x(5), x(5), x(4)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s too short: no panic", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkLSTMRow(b *testing.B) {
	for _, m := range Available() {
		b.Run(m.String(), func(b *testing.B) {
			defer Force(m)()
			const n = 64
			v, _ := recurrentInput(n, 4, 1, 1, 1, 1, 1, 1)
			for b.Loop() {
				LSTMRow(v[0], v[1], v[2], v[3], v[4])
				LSTMRowBack(v[0], v[1], v[3], v[5], v[6])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/element")
		})
	}
}

package autograd

import (
	"math"
	"slices"
	"testing"

	"heed/internal/kernel"
)

// Every gradient equals the difference quotient of the fourth order
//
//	(8·(f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h
//
// of the projected output, f = Σ cotangent·y. Two errors are allowed for:
// rounding of the outputs that change, some units in the last place of each,
// divided by h; and truncation, O(h⁴), of which the difference to the quotient
// of second order, O(h²), is a generous estimate. Where a gradient is zero
// because its terms cancel, as that of a query with a single key, the terms'
// own rounding remains: 10⁻⁶.
func TestGradientsEqualDifferenceQuotients(t *testing.T) {
	const h = 1.0 / 64
	for _, c := range allCases() {
		t.Run(c.name, func(t *testing.T) {
			in := c.inputs()
			tape := &Tape{}
			y := c.run(tape, in)
			cot := cotangent(len(y.Data))
			tape.BackwardFrom(y, cot)
			silent := &Tape{NoGrad: true}
			for i, v := range in {
				g := tape.Grad(v)
				if len(g) != len(v.Data) {
					t.Fatalf("input %d: gradient of %d elements, want %d", i, len(g), len(v.Data))
				}
				for j, x := range v.Data {
					at := func(x float32) []float32 {
						v.Data[j] = x
						silent.Reset()
						return slices.Clone(c.run(silent, in).Data)
					}
					a, b, a2, b2 := at(x+h), at(x-h), at(x+2*h), at(x-2*h)
					v.Data[j] = x
					var second, fourth, size float64
					for e, w := range cot {
						d, d2 := float64(a[e])-float64(b[e]), float64(a2[e])-float64(b2[e])
						if d == 0 && d2 == 0 {
							continue
						}
						second += float64(w) * d / (2 * h)
						fourth += float64(w) * (8*d - d2) / (12 * h)
						s := float64(w) * (math.Abs(float64(a2[e])) + math.Abs(float64(b2[e])))
						size += s * s
					}
					allowed := 1e-6 + 8*math.Ldexp(math.Sqrt(size), -24)/h + math.Abs(fourth-second)/8
					if d := math.Abs(float64(g[j]) - fourth); !(d <= allowed) {
						t.Fatalf("input %d, element %d: gradient %v, difference quotient %v, allowed error %.2g", i, j, g[j], fourth, allowed)
					}
				}
			}
		})
	}
}

// The gradient of an input is the same, bit for bit, whether or not the others
// have one; and those that want none get none.
func TestFrozenInputs(t *testing.T) {
	for _, c := range allCases() {
		in := c.inputs()
		gradients := func() (g [][]float32) {
			tape := &Tape{}
			y := c.run(tape, in)
			tape.BackwardFrom(y, cotangent(len(y.Data)))
			for _, v := range in {
				g = append(g, tape.Grad(v))
			}
			return g
		}
		all := gradients()
		for i := range in {
			for j, v := range in {
				v.Trainable = i == j
			}
			for j, g := range gradients() {
				switch {
				case j != i && g != nil:
					t.Errorf("%s: input %d is frozen and has a gradient", c.name, j)
				case j == i && !slices.Equal(g, all[i]):
					t.Errorf("%s: input %d has another gradient when the others are frozen", c.name, i)
				}
			}
		}
		for _, v := range in {
			v.Trainable = false
		}
		tape := &Tape{}
		if c.run(tape, in); len(tape.steps) != 0 && tape.Probe == nil {
			t.Errorf("%s: recorded %d steps with all inputs frozen", c.name, len(tape.steps))
		}
	}
}

// Gradients of values in the middle of a tape, which are used twice, add up.
func TestGradientsAccumulate(t *testing.T) {
	for _, c := range allCases() {
		in := c.inputs()
		tape := &Tape{}
		y := c.run(tape, in)
		cot := cotangent(len(y.Data))
		tape.BackwardFrom(y, cot)

		twice := &Tape{}
		mid := make([]*Var, len(in))
		for i, v := range in {
			mid[i] = Scale(twice, v, 1)
			twice.Keep(mid[i])
		}
		twice.BackwardFrom(Add(twice, c.run(twice, mid), c.run(twice, mid)), cot)
		for i, v := range in {
			once := tape.Grad(v)
			want := make([]float32, len(once))
			kernel.Axpy(want, 2, once)
			near(t, c.name+" parameter", want, twice.Grad(v), 1e-6)
			near(t, c.name+" middle", want, twice.Grad(mid[i]), 1e-6)
		}
	}
}

// near fails the test unless a and b differ by at most f times the larger of 1
// and their largest element.
func near(t *testing.T, what string, a, b []float32, f float64) {
	t.Helper()
	if len(a) == 0 || len(a) != len(b) {
		t.Errorf("%s: lengths %d and %d", what, len(a), len(b))
		return
	}
	size := 1.0
	for _, x := range b {
		size = max(size, math.Abs(float64(x)))
	}
	for i := range a {
		if d := math.Abs(float64(a[i]) - float64(b[i])); !(d <= f*size) {
			t.Errorf("%s: element %d: %v and %v differ by more than %g", what, i, a[i], b[i], f*size)
			return
		}
	}
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	"math"
)

// exp2r holds the coefficients of 2·e^r for |r| <= ln(2)/2: twice the minimax
// polynomial of degree 6 with relative error 2e-9 (Remez exchange), in which
// the first two are 1 and 1 when rounded to float32.
var exp2r = []float64{
	2, 2, 2 * 0.499999920323, 2 * 0.166664191903, 2 * 0.0416682318016,
	2 * 0.00837489836342, 2 * 0.00138367420193,
}

// The range of arguments. Above expHigh and below expLow the result is
// infinity and zero; what lies a little inside is computed, and the argument
// is clamped to them.
const expLow, expHigh = -87.5, 88.75

// exp returns e^x, or e^(x - low/2) if low is not nil, for x in [expLow,
// expHigh] or NaN. With x = n·ln2 + r, it is 2e^r · 2^(n-1); the latter is
// made from its exponent bits, and is 0 for n = -126, so results below
// 2^-125.5 are flushed to zero.
func (f *fn) exp(x, low vec) vec {
	// Adding 1.5·2^23 leaves x/ln2, rounded to n, in the lowest bits.
	magic := float("Magic", 3<<22)
	t := f.fill(magic)
	f.fma(t, x, float("Log2E", math.Log2E))
	n := f.sub(t, magic)
	hi := float64(float32(math.Ln2))
	r := f.copy(x)
	f.fnma(r, n, float("Ln2High", hi))
	f.fnma(r, n, float("Ln2Low", math.Ln2-hi))
	if low != nil {
		f.fnma(r, low, half)
	}
	p := f.poly(r, "Exp", exp2r)
	power := f.iadd(f.shift(VPSLLD, t, 23), bits32("Exponent126", 126<<23))
	return f.mul(p, power)
}

// A clamp brings arguments into the range of exp, and lets NaN through.
type clamp struct {
	f         *fn
	low, high vec
}

func (f *fn) newClamp() clamp {
	return clamp{f, f.splat(float("ExpLow", expLow)), f.splat(float("ExpHigh", expHigh))}
}

func (c clamp) both(x vec) vec { return c.f.max(c.low, c.f.min(c.high, x)) }

// tanhSmall holds the coefficients of (tanh(x)/x - 1)/x² in x² for |x| <=
// tanhSplit, relative error of tanh 2e-8 (Remez exchange).
var tanhSmall = []float64{
	-0.333333287843, 0.133327465547, -0.0538467063112, 0.0209750508392, -0.00606227340909,
}

const tanhSplit = 0.625

func exponential() {
	define("expSum", "(x []float32, scale, shift float32) float32", 2,
		"replaces x[i] by exp(scale*x[i] - shift) and returns their sum.", func(f *fn) {
			x, scale, shift, c := f.slice("x"), f.scalar("scale"), f.scalar("shift"), f.newClamp()
			s := f.sums(1)
			f.loop(f.length("x"), 1, func(int) {
				v := f.load(x)
				f.hornerSub(v, scale, shift)
				e := f.exp(c.both(v), nil)
				f.store(e, x)
				f.addTo(s[0], f.tailZero(e))
			})
			f.ret(f.join(VADDPS, s), 0)
		})
	define("sigmoid", "(y, x []float32)", 1, "computes y[i] = 1/(1 + exp(-x[i])).", func(f *fn) {
		y, x, c := f.slice("y"), f.slice("x"), f.newClamp()
		f.loop(f.length("y"), 1, func(int) {
			e := f.exp(c.both(f.sub(f.zero(), f.load(x))), nil)
			f.store(f.div(f.fill(one), f.add(e, one)), y)
		})
	})
	define("tanh", "(y, x []float32)", 1,
		"computes y[i] = tanh(x[i]): a polynomial near 0, and 1 - 2/(exp(2|x|) + 1).", func(f *fn) {
			y, x, c := f.slice("y"), f.slice("x"), f.newClamp()
			split := f.splat(float("TanhSplit", tanhSplit))
			f.loop(f.length("y"), 1, func(int) {
				v := f.load(x)
				z := f.mul(v, v)
				small := f.mul(f.poly(z, "Tanh", tanhSmall), z)
				f.horner(small, v, v)
				u := f.and(v, absMask)
				e := f.exp(c.both(f.add(u, u)), nil)
				large := f.sub(f.fill(one), f.div(f.fill(float("Two", 2)), f.add(e, one)))
				large = f.or(large, f.and(v, bits32("Sign", 1<<31)))
				f.store(f.blend(f.cmp(u, atLeast, split), large, small), y)
			})
		})
}

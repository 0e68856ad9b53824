package main

import "math"

// millsScale and mills approximate the upper tail of the normal distribution
// over its density, in the form Φ(-u)·e^(u²/2) = t·P(t) with t = 1/(1 +
// millsScale·u), for 0 <= u <= 13.3: minimax with relative error 3.4e-9 (Remez
// exchange). The form is that of Hastings 1955 (Abramowitz & Stegun 7.1.26).
const millsScale = 0.3

var mills = []float64{
	0.119686487681, 0.11957561972, 0.110205541972, 0.078521886376, 0.0957932029261,
	-0.0787776254558, 0.191041894541, -0.227679441545, 0.112217081553, -0.0205846494765,
}

// A normal computes the tail of the normal distribution.
type normal struct {
	f        *fn
	far, low vec
}

func (f *fn) newNormal() normal {
	return normal{f, f.splat(float("Far", 14)), f.splat(float("ExpLow", expLow))}
}

// tail returns u = min(|x|, 14), e = exp(-u²/2) and m = Φ(-u)/e. Beyond 13.2,
// e is zero. The rounding error of u², which the exponential would multiply by
// up to 87, is passed on to it.
func (n normal) tail(x vec) (u, e, m vec) {
	f := n.f
	u = f.min(n.far, f.and(x, absMask))
	square := f.mul(u, u)
	low := f.copy(u)
	f.hornerSub(low, u, square)
	e = f.exp(f.max(n.low, f.mul(square, float("MinusHalf", -0.5))), low)
	d := f.fill(one)
	f.fma(d, u, float("MillsScale", millsScale))
	t := f.div(f.fill(one), d)
	m = f.mul(f.poly(t, "Mills", mills), t)
	return u, e, m
}

func gelu() {
	define("gelu", "(y, x []float32)", 1, "computes y[i] = x[i] * Φ(x[i]) as max(x, 0) - |x|·Φ(-|x|).", func(f *fn) {
		y, x, n, zero := f.slice("y"), f.slice("x"), f.newNormal(), f.splat(zeroK)
		f.loop(f.length("y"), 1, func(int) {
			v := f.load(x)
			u, e, m := n.tail(v)
			out := f.max(zero, v)
			f.fnma(out, u, f.mul(e, m))
			f.store(out, y)
		})
	})
	for _, add := range []bool{false, true} {
		name, doc := "geluBack", "computes dx[i] = dy[i] * (Φ(x) + x·φ(x)) for x = x[i]."
		if add {
			name, doc = "geluBackAdd", "adds dy[i] * (Φ(x) + x·φ(x)) to dx[i], for x = x[i]."
		}
		define(name, "(dx, dy, x []float32)", 1, doc, func(f *fn) {
			dx, dy, x, n, zero := f.slice("dx"), f.slice("dy"), f.slice("x"), f.newNormal(), f.splat(zeroK)
			f.loop(f.length("dx"), 1, func(int) {
				// g = Φ(-u) - u·φ(u), the derivative at -u; at u it is 1 - g.
				v := f.load(x)
				u, e, m := n.tail(v)
				f.fnma(m, u, float("Density0", 1/math.Sqrt(2*math.Pi)))
				g := f.mul(e, m)
				g = f.blend(f.cmp(v, atLeast, zero), f.sub(f.fill(one), g), g)
				f.addOrStore(f.mul(g, f.load(dy)), dx, add)
			})
		})
	}
}

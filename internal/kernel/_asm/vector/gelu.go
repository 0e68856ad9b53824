package main

import "math"

// The normal distribution near 0: for |x| < 1, Φ(x) = ½ + x·P(x²) with the
// coefficients center, and the derivative of x·Φ(x) is ½ + x·P(x²) with those
// of slopeCenter; relative errors of P 8e-10 and 6e-9.
var (
	center = []float64{
		0.398942280101, -0.0664903589282, 0.00997331430692,
		-0.00118630128391, 0.000113450028412, -7.63824734379e-06,
	}
	slopeCenter = []float64{
		0.797884556384, -0.265961217019, 0.059837915065,
		-0.00948428105019, 0.00112680861553, -8.83125197014e-05,
	}
)

// Its tail: Φ(-u) = exp(-u²/2) · t·P(t), t = 1/(1 + u/2), for 1 <= u <= 13.3
// with relative error 1.2e-8. The form is that of Hastings 1955 (Abramowitz &
// Stegun 7.1.26); near 0 it would magnify the rounding error of t. All
// coefficients are minimax (Remez exchange).
var tail = []float64{
	0.199481592474, 0.199141600789, 0.154014270194, 0.0171042966845, 0.0851743465387,
	-0.520468286508, 0.61713922897, -0.309175753505, 0.0573134002486,
}

// A normal computes the normal distribution.
type normal struct {
	f             *fn
	far, low, one vec
}

func (f *fn) newNormal() normal {
	return normal{f, f.splat(float("Far", 14)), f.splat(float("ExpLow", expLow)), f.splat(one)}
}

// tail returns u = min(|x|, 14), e = exp(-u²/2) and m = Φ(-u)/e, which holds
// for u >= 1 only. Beyond 13.2, e is zero. The rounding error of u², which the
// exponential would multiply by up to 87, is passed on to it.
func (n normal) tail(x vec) (u, e, m vec) {
	f := n.f
	u = f.min(n.far, f.and(x, absMask))
	square := f.mul(u, u)
	low := f.copy(u)
	f.hornerSub(low, u, square)
	e = f.exp(f.max(n.low, f.mul(square, float("MinusHalf", -0.5))), low)
	d := f.copy(n.one)
	f.fma(d, u, half)
	t := f.div(n.one, d)
	m = f.mul(f.poly(t, "Tail", tail), t)
	return u, e, m
}

// center returns ½ + x·P(x²).
func (n normal) center(x vec, name string, c []float64) vec {
	f := n.f
	p := f.poly(f.mul(x, x), name, c)
	f.horner(p, x, half)
	return p
}

func gelu() {
	define("gelu", "(y, x []float32)", 1,
		"computes y[i] = x[i] * Φ(x[i]), from |x| = 1 on as max(x, 0) - |x|·Φ(-|x|).", func(f *fn) {
			y, x, n, zero := f.slice("y"), f.slice("x"), f.newNormal(), f.splat(zeroK)
			f.loop(f.length("y"), 1, func(int) {
				v := f.load(x)
				u, e, m := n.tail(v)
				far := f.max(zero, v)
				f.fnma(far, e, f.mul(u, m))
				near := f.mul(n.center(v, "Center", center), v)
				f.store(f.blend(f.cmp(u, atLeast, n.one), far, near), y)
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
				// far = Φ(-u) - u·φ(u), the derivative at -u; at u it is 1 - far.
				v := f.load(x)
				u, e, m := n.tail(v)
				f.fnma(m, u, float("Density0", 1/math.Sqrt(2*math.Pi)))
				far := f.mul(e, m)
				far = f.blend(f.cmp(v, atLeast, zero), f.sub(n.one, far), far)
				near := n.center(v, "SlopeCenter", slopeCenter)
				g := f.blend(f.cmp(u, atLeast, n.one), far, near)
				f.addOrStore(f.mul(g, f.load(dy)), dx, add)
			})
		})
	}
}

package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// chains is the number of accumulators of a sum over a slice: enough to hide
// the latency of an addition.
const chains = 4

func reduce() {
	define("dot", "(x, y []float32) float32", 2, "returns the sum of x[i] * y[i].", func(f *fn) {
		x, y, s := f.slice("x"), f.slice("y"), f.sums(chains)
		f.loop(f.length("x"), chains, func(j int) {
			f.fma(s[j], f.load(x), f.load(y))
		})
		f.ret(f.join(VADDPS, s), 0)
	})
	define("sum", "(x []float32) float32", 2, "returns the sum of x[i].", func(f *fn) {
		x, s := f.slice("x"), f.sums(chains)
		f.loop(f.length("x"), chains, func(j int) {
			f.addTo(s[j], f.load(x))
		})
		f.ret(f.join(VADDPS, s), 0)
	})
	define("maximum", "(x []float32) float32", 2, "returns the largest element of x, or NaN if there is one.", func(f *fn) {
		x, m := f.slice("x"), f.newMaximum(chains)
		f.loop(f.length("x"), chains, func(j int) {
			m.take(j, f.load(x))
		})
		f.ret(m.result(), 0)
	})
	define("scaleAddMax", "(x []float32, scale float32, y []float32) float32", 2,
		"computes x[i] = scale*x[i] + y[i] and returns the largest, or NaN if there is one.", func(f *fn) {
			x, scale, y := f.slice("x"), f.scalar("scale"), f.slice("y")
			m := f.newMaximum(1)
			f.loop(f.length("x"), 1, func(int) {
				v := f.load(x)
				f.horner(v, scale, f.load(y))
				f.store(v, x)
				m.take(0, v)
			})
			f.ret(m.result(), 0)
		})
	define("sumSquares", "(x []float32) float64", 1, "returns the sum of x[i]² in double precision.", sumSquares)
}

// A maximum is a running maximum. The instruction forgets a NaN, so it is
// remembered beside.
type maximum struct {
	f       *fn
	m       []vec
	nan     mask
	minusIn vec
}

func (f *fn) newMaximum(n int) *maximum {
	r := &maximum{f: f, minusIn: f.splat(float("MinusInf", math.Inf(-1)))}
	for range n {
		r.m = append(r.m, f.copy(r.minusIn))
	}
	if f.zmm {
		r.nan.k = K()
		KXORW(r.nan.k, r.nan.k, r.nan.k)
	} else {
		r.nan.ys = f.zero()
	}
	return r
}

func (r *maximum) take(j int, v vec) {
	f := r.f
	v = f.tailOr(v, r.minusIn)
	f.maxTo(r.m[j], v)
	nan := f.cmp(v, unordered, v)
	if f.zmm {
		KORW(nan.k, r.nan.k, r.nan.k)
		return
	}
	for i, y := range nan.ys {
		VORPS(y, r.nan.ys[i], r.nan.ys[i])
	}
}

func (r *maximum) result() VecVirtual {
	f := r.f
	x := f.join(VMAXPS, r.m)
	if f.zmm {
		KORTESTW(r.nan.k, r.nan.k)
	} else {
		VORPS(r.nan.ys[1], r.nan.ys[0], r.nan.ys[0])
		VPTEST(r.nan.ys[0], r.nan.ys[0])
	}
	JEQ(LabelRef("number"))
	VMOVSS(float("NaN", math.NaN()).Mem, x)
	Label("number")
	return x
}

// sumSquares has 8 lanes of doubles and chains accumulators.
func sumSquares(f *fn) {
	x := f.slice("x")
	f.lanes = 8
	pairs := 2 // registers of 8 doubles
	if f.zmm {
		pairs = 1
	}
	var s [chains]vec
	for j := range s {
		for range pairs {
			r := f.register()
			VXORPS(r, r, r)
			s[j] = append(s[j], r)
		}
	}
	f.loop(f.length("x"), chains, func(j int) {
		if f.zmm {
			y, d := YMM(), ZMM()
			if f.tail {
				VMOVUPS_Z(f.at(x, 0), f.tailK, y)
				VCVTPS2PD(y, d)
			} else {
				VCVTPS2PD(f.at(x, 0), d)
			}
			VFMADD231PD(d, d, s[j][0])
			return
		}
		lo, hi := YMM(), YMM()
		if f.tail {
			y, h := f.load(x)[0], XMM()
			VEXTRACTF128(Imm(1), y, h)
			VCVTPS2PD(y.AsX(), lo)
			VCVTPS2PD(h, hi)
		} else {
			VCVTPS2PD(f.at(x, 0), lo)
			VCVTPS2PD(f.at(x, 0).Offset(16), hi)
		}
		VFMADD231PD(lo, lo, s[j][0])
		VFMADD231PD(hi, hi, s[j][1])
	})
	add := func(a, b vec) {
		for i := range a {
			VADDPD(b[i], a[i], a[i])
		}
	}
	add(s[0], s[1])
	add(s[2], s[3])
	add(s[0], s[2])
	lo, hi := YMM(), YMM()
	if f.zmm {
		VEXTRACTF64X4(Imm(1), s[0][0], hi)
		VADDPD(hi, s[0][0].AsY(), lo)
	} else {
		VADDPD(s[0][1], s[0][0], lo)
	}
	a, b := XMM(), XMM()
	VEXTRACTF128(Imm(1), lo, a)
	VADDPD(a, lo.AsX(), a)
	VMOVHLPS(a, a, b)
	VADDSD(b, a, a)
	VMOVSD(a, f.address(ReturnIndex(0)))
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func norm() {
	define("layerNormRow", "(y, x, gamma, beta []float32, eps float32) (mean, rstd float32)", 2,
		"is LayerNorm of one row: its mean, then its variance, then the output.", func(f *fn) {
			y, x, gamma, beta := f.slice("y"), f.slice("x"), f.slice("gamma"), f.slice("beta")
			count := XMM()
			VXORPS(count, count, count)
			VCVTSI2SSQ(f.length("x"), count, count)

			s := f.sums(chains)
			f.loop(f.length("x"), chains, func(j int) { f.addTo(s[j], f.load(x)) })
			mean := f.join(VADDPS, s)
			VDIVSS(count, mean, mean)
			f.ret(mean, 0)
			m := f.spread(mean)

			s = f.sums(chains)
			f.loop(f.length("x"), chains, func(j int) {
				d := f.tailZero(f.sub(f.load(x), m))
				f.fma(s[j], d, d)
			})
			rstd, unit := f.join(VADDPS, s), XMM()
			VDIVSS(count, rstd, rstd)
			VADDSS(f.address(Param("eps")), rstd, rstd)
			VSQRTSS(rstd, rstd, rstd)
			VMOVSS(one.Mem, unit)
			VDIVSS(rstd, unit, rstd)
			f.ret(rstd, 1)
			r := f.spread(rstd)

			f.loop(f.length("x"), 1, func(int) {
				h := f.mul(f.sub(f.load(x), m), r)
				f.horner(h, f.load(gamma), f.load(beta))
				f.store(h, y)
			})
		})
	define("layerNormBackSums", "(dy, x, gamma []float32, mean, rstd float32) (avg, avgX float32)", 2,
		"returns the averages of dy·gamma and dy·gamma·x̂ over a row.", func(f *fn) {
			dy, x, gamma := f.slice("dy"), f.slice("x"), f.slice("gamma")
			m, r := f.scalar("mean"), f.scalar("rstd")
			const chains = 1 // two sums already, and YMM registers are few
			sg, sgx := f.sums(chains), f.sums(chains)
			f.loop(f.length("x"), chains, func(j int) {
				h := f.mul(f.sub(f.load(x), m), r)
				g := f.mul(f.load(dy), f.load(gamma))
				f.addTo(sg[j], g)
				f.fma(sgx[j], g, h)
			})
			count := XMM()
			VXORPS(count, count, count)
			VCVTSI2SSQ(f.length("x"), count, count)
			for i, s := range [][]vec{sg, sgx} {
				v := f.join(VADDPS, s)
				VDIVSS(count, v, v)
				f.ret(v, i)
			}
		})
	define("layerNormBackParams", "(dgamma, dbeta, dy, x []float32, mean, rstd float32)", 2,
		"adds dy·x̂ to dgamma and dy to dbeta for a row.", func(f *fn) {
			dgamma, dbeta, dy, x := f.slice("dgamma"), f.slice("dbeta"), f.slice("dy"), f.slice("x")
			m, r := f.scalar("mean"), f.scalar("rstd")
			f.loop(f.length("x"), 1, func(int) {
				h := f.mul(f.sub(f.load(x), m), r)
				d := f.load(dy)
				s := f.load(dgamma)
				f.fma(s, d, h)
				f.store(s, dgamma)
				f.store(f.add(f.load(dbeta), d), dbeta)
			})
		})
	for _, add := range []bool{false, true} {
		name, doc := "layerNormBackRow", "computes dx = rstd·(dy·gamma - avg - x̂·avgX) for a row."
		if add {
			name, doc = "layerNormBackRowAdd", "adds rstd·(dy·gamma - avg - x̂·avgX) to dx for a row."
		}
		define(name, "(dx, dy, x, gamma []float32, mean, rstd, avg, avgX float32)", 1, doc, func(f *fn) {
			dx, dy, x, gamma := f.slice("dx"), f.slice("dy"), f.slice("x"), f.slice("gamma")
			m, r, g, gx := f.scalar("mean"), f.scalar("rstd"), f.scalar("avg"), f.scalar("avgX")
			f.loop(f.length("x"), 1, func(int) {
				h := f.mul(f.sub(f.load(x), m), r)
				d := f.load(dy)
				f.hornerSub(d, f.load(gamma), g)
				f.fnma(d, h, gx)
				f.addOrStore(f.mul(d, r), dx, add)
			})
		})
	}
}

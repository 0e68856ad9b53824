package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func adamW() {
	define("adamW", "(p, g, m, v []float32, a *[9]float32)", 1, "makes one step of AdamW.", func(f *fn) {
		p, g, m, v := f.slice("p"), f.slice("g"), f.slice("m"), f.slice("v")
		a := Load(Param("a"), GP64())
		next := 0
		scalar := func() vec {
			next += 4
			return f.splat(konst{Mem{Base: a, Disp: next - 4}})
		}
		beta1, rest1, beta2, rest2 := scalar(), scalar(), scalar(), scalar()
		rate, correct2, eps, decay, gscale := scalar(), scalar(), scalar(), scalar(), scalar()
		f.loop(f.length("p"), 1, func(int) {
			d := f.mul(f.load(g), gscale)
			mean := f.mul(d, rest1)
			f.fma(mean, beta1, f.load(m))
			f.store(mean, m)
			square := f.mul(f.mul(d, rest2), d)
			f.fma(square, beta2, f.load(v))
			f.store(square, v)
			root := f.add(f.sqrt(f.mul(square, correct2)), eps)
			step := f.div(f.mul(mean, rate), root)
			w := f.load(p)
			f.fma(step, decay, w)
			f.store(f.sub(w, step), p)
		})
	})
}

package main

import . "github.com/mmcloughlin/avo/reg"

func elementwise() {
	define("add", "(dst, x []float32)", 2, "computes dst[i] += x[i].", func(f *fn) {
		dst, x := f.slice("dst"), f.slice("x")
		f.loop(f.length("dst"), 1, func(int) {
			f.store(f.add(f.load(dst), f.load(x)), dst)
		})
	})
	define("sum2", "(dst, x, y []float32)", 2, "computes dst[i] = x[i] + y[i].", func(f *fn) {
		dst, x, y := f.slice("dst"), f.slice("x"), f.slice("y")
		f.loop(f.length("dst"), 1, func(int) {
			f.store(f.add(f.load(x), f.load(y)), dst)
		})
	})
	define("axpy", "(dst []float32, a float32, x []float32)", 2, "computes dst[i] += a * x[i].", func(f *fn) {
		dst, a, x := f.slice("dst"), f.scalar("a"), f.slice("x")
		f.loop(f.length("dst"), 1, func(int) {
			s := f.load(dst)
			f.fma(s, a, f.load(x))
			f.store(s, dst)
		})
	})
	define("scale", "(dst []float32, a float32)", 2, "computes dst[i] *= a.", func(f *fn) {
		dst, a := f.slice("dst"), f.scalar("a")
		f.loop(f.length("dst"), 1, func(int) {
			f.store(f.mul(f.load(dst), a), dst)
		})
	})
	define("mulAdd", "(dst, x, y []float32)", 2, "computes dst[i] += x[i] * y[i].", func(f *fn) {
		dst, x, y := f.slice("dst"), f.slice("x"), f.slice("y")
		f.loop(f.length("dst"), 1, func(int) {
			s := f.load(dst)
			f.fma(s, f.load(x), f.load(y))
			f.store(s, dst)
		})
	})
	define("relu", "(y, x []float32)", 2, "computes y[i] = max(x[i], 0).", func(f *fn) {
		y, x, zero := f.slice("y"), f.slice("x"), f.splat(zeroK)
		f.loop(f.length("y"), 1, func(int) {
			f.store(f.max(zero, f.load(x)), y)
		})
	})
	define("reluBack", "(dx, dy, y []float32)", 2, "adds dy[i] to dx[i] where y[i] > 0.", func(f *fn) {
		dx, dy, y, zero := f.slice("dx"), f.slice("dy"), f.slice("y"), f.splat(zeroK)
		f.loop(f.length("dx"), 1, func(int) {
			d := f.keep(f.cmp(f.load(y), greater, zero), f.load(dy))
			f.store(f.add(f.load(dx), d), dx)
		})
	})
	define("softmaxBack", "(ds, p, dp []float32, d, scale float32)", 2, "computes ds[i] = p[i] * (dp[i] - d) * scale.", func(f *fn) {
		ds, p, dp := f.slice("ds"), f.slice("p"), f.slice("dp")
		d, scale := f.scalar("d"), f.scalar("scale")
		f.loop(f.length("ds"), 1, func(int) {
			g := f.mul(f.load(p), f.sub(f.load(dp), d))
			f.store(f.mul(g, scale), ds)
		})
	})
	define("sigmoidBack", "(dx, dy, y []float32)", 2, "adds dy[i] * y[i] * (1 - y[i]) to dx[i].", func(f *fn) {
		dx, dy, y := f.slice("dx"), f.slice("dy"), f.slice("y")
		f.loop(f.length("dx"), 1, func(int) {
			v := f.load(y)
			g := f.copy(v)
			f.fnma(g, v, v)
			s := f.load(dx)
			f.fma(s, g, f.load(dy))
			f.store(s, dx)
		})
	})
	define("tanhBack", "(dx, dy, y []float32)", 2, "adds dy[i] * (1 - y[i]²) to dx[i].", func(f *fn) {
		dx, dy, y := f.slice("dx"), f.slice("dy"), f.slice("y")
		f.loop(f.length("dx"), 1, func(int) {
			v, g := f.load(y), f.fill(one)
			f.fnma(g, v, v)
			s := f.load(dx)
			f.fma(s, g, f.load(dy))
			f.store(s, dx)
		})
	})
}

// addOrStore stores v at p, or adds it to what is there.
func (f *fn) addOrStore(v vec, p Register, add bool) {
	if add {
		v = f.add(f.load(p), v)
	}
	f.store(v, p)
}

package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// fuse writes a loop of fused multiply-adds that touch no memory: 12 chains for
// YMM registers and 24 for ZMM ones, more than latency times units of any processor.
func fuse() {
	define("fuse", "(turns int)", 1, "multiplies and adds in 24 (AVX-512) or 12 registers, turns (at least 1) times.", func(f *fn) {
		chains := 12
		if f.zmm {
			chains = 24
		}
		turns := Load(Param("turns"), GP64())
		x := f.splat(one)
		sums := make([]vec, chains)
		for i := range sums {
			sums[i] = f.zero()
		}
		Label("again")
		for _, s := range sums {
			f.fma(s, x, x)
		}
		DECQ(turns)
		JNZ(LabelRef("again"))
	})
}

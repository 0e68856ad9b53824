package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func dropout() {
	for _, add := range []bool{false, true} {
		name, doc := "dropout", "computes y[i] = x[i] * factor where Hash of the key and i >= threshold, 0 elsewhere."
		if add {
			name, doc = "dropoutAdd", "adds x[i] * factor to y[i] where Hash of the key and i >= threshold."
		}
		define(name, "(y, x []float32, keyLow, keyHigh, threshold uint32, factor float32)", 1, doc, func(f *fn) {
			y, x := f.slice("y"), f.slice("x")
			low, high := f.scalar("keyLow"), f.scalar("keyHigh")
			threshold, factor := f.scalar("threshold"), f.scalar("factor")
			i := f.register()
			VMOVUPS(iota16, i)
			f.loop(f.length("y"), 1, func(int) {
				h := f.imul(f.xor(vec{i}, low), bits32("Hash1", 0x9e3779b1))
				h = f.xor(h, f.shift(VPSRLD, h, 16))
				h = f.imul(h, bits32("Hash2", 0x85ebca6b))
				h = f.xor(h, f.shift(VPSRLD, h, 13))
				h = f.imul(f.iadd(h, high), bits32("Hash3", 0xc2b2ae35))
				h = f.xor(h, f.shift(VPSRLD, h, 16))
				v := f.mul(f.keep(f.reaches(h, threshold), f.load(x)), factor)
				f.addOrStore(v, y, add)
				f.op(VPADDD, VPADDD_BCST, bits32("Lanes"+f.name(), uint32(f.lanes)), vec{i}, vec{i})
			})
		})
	}
}

// reaches returns where h >= threshold, both unsigned.
func (f *fn) reaches(h, threshold vec) mask {
	if f.zmm {
		k := K()
		VPCMPUD(Imm(5), threshold[0], h[0], k)
		return mask{k: k}
	}
	y := YMM()
	VPMAXUD(threshold[0], h[0], y)
	VPCMPEQD(h[0], y, y)
	return mask{ys: vec{y}}
}

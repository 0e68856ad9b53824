package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A fn is a function being written for one instruction set. Its methods emit
// the same sequence of operations on the same lanes for both sets: a vec is
// one ZMM register, or one or two YMM registers. That is why the two agree to
// the last bit.
type fn struct {
	zmm   bool
	parts int // registers of a vec
	lanes int // floats that a turn of the loop advances by

	index GPVirtual // of the current vector, in floats
	disp  int       // of the current vector from the index, in floats
	loops int       // counts the labels

	// In the tail, fewer than lanes floats are left, and these select them.
	tail   bool
	tailK  Register
	tailYs vec
}

// A vec is a vector of floats; its parts follow one another in memory.
type vec []VecVirtual

// A konst is a constant in memory, the same for all lanes.
type konst struct{ Mem }

// An operand is a vec or a konst.
type operand any

// define writes a function for both sets. ymms is the number of YMM registers
// of a vec: 2 wherever sums over lanes are taken, to have the lanes of a ZMM.
func define(name, params string, ymms int, doc string, body func(f *fn)) {
	for _, f := range []*fn{{zmm: true, parts: 1, lanes: 16}, {parts: ymms, lanes: 8 * ymms}} {
		full := name + f.name()
		TEXT(full, NOSPLIT, "func"+params)
		Doc(full + " " + doc)
		Pragma("noescape")
		body(f)
		VZEROUPPER()
		RET()
	}
}

func (f *fn) name() string {
	if f.zmm {
		return "AVX512"
	}
	return "AVX2"
}

// Parameters.

func (f *fn) slice(name string) Register { return Load(Param(name).Base(), GP64()) }

func (f *fn) length(name string) Register { return Load(Param(name).Len(), GP64()) }

// scalar returns the parameter name, of 32 bits, in all lanes.
func (f *fn) scalar(name string) vec {
	return f.splat(konst{f.address(Param(name))})
}

func (f *fn) address(c gotypes.Component) Mem {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// ret stores lane 0 of x as result i. (Store would write MOVSS, which costs a
// transition from AVX to SSE on older processors.)
func (f *fn) ret(x VecVirtual, i int) { VMOVSS(x, f.address(ReturnIndex(i))) }

// splat returns c in a register, which the parts share.
func (f *fn) splat(c konst) vec {
	r := f.register()
	VBROADCASTSS(c.Mem, r)
	return f.share(r)
}

// spread returns lane 0 of x in all lanes.
func (f *fn) spread(x VecVirtual) vec {
	r := f.register()
	VBROADCASTSS(x, r)
	return f.share(r)
}

func (f *fn) share(r VecVirtual) vec {
	v := make(vec, f.parts)
	for i := range v {
		v[i] = r
	}
	return v
}

func (f *fn) register() VecVirtual {
	if f.zmm {
		return ZMM()
	}
	return YMM()
}

func (f *fn) new() vec {
	v := make(vec, f.parts)
	for i := range v {
		v[i] = f.register()
	}
	return v
}

func (f *fn) zero() vec {
	v := f.new()
	for _, r := range v {
		VXORPS(r, r, r)
	}
	return v
}

// Constants. Each is stored once, in eight copies for the lanes of a YMM; an
// instruction on ZMMs repeats the first of them by itself.

var konsts = map[string]konst{}

func bits32(name string, bits uint32) konst {
	name = "v" + name
	if c, ok := konsts[name]; ok {
		return c
	}
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 8 {
		DATA(4*i, U32(bits))
	}
	konsts[name] = konst{m}
	return konst{m}
}

func float(name string, x float64) konst { return bits32(name, math.Float32bits(float32(x))) }

var one, half, zeroK, absMask konst

// tables for the tail: a sliding window of lane masks, and mask words.
var laneMasks, maskWords, iota16 Mem

func tables() {
	one, half, zeroK = float("One", 1), float("Half", 0.5), float("Zero", 0)
	absMask = bits32("Abs", 0x7fffffff)
	laneMasks = GLOBL("vLaneMasks", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(math.MaxUint32))
	}
	for i := range 16 {
		DATA(64+4*i, U32(0))
	}
	maskWords = GLOBL("vMaskWords", RODATA|NOPTR)
	for i := range 16 {
		DATA(2*i, U16(1<<i-1))
	}
	iota16 = GLOBL("vIota", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(i))
	}
}

// Loops.

// loop runs body over n floats, lanes at a time, and a last time for the tail
// if one is left. With chains > 1 there is a faster loop before it, whose
// turns run body for chains vectors; body gets the number of the vector, so
// that it can use a sum of its own for each. loop destroys n.
func (f *fn) loop(n Register, chains int, body func(chain int)) {
	f.loops++
	label := func(s string) string { return fmt.Sprintf("%s%d", s, f.loops) }
	f.index = GP64()
	XORQ(f.index, f.index)
	if chains > 1 {
		SUBQ(Imm(uint64(chains*f.lanes)), n)
		JLT(LabelRef(label("single")))
		Label(label("many"))
		for j := range chains {
			f.disp = j * f.lanes
			body(j)
		}
		f.disp = 0
		ADDQ(Imm(uint64(chains*f.lanes)), f.index)
		SUBQ(Imm(uint64(chains*f.lanes)), n)
		JGE(LabelRef(label("many")))
		Label(label("single"))
		ADDQ(Imm(uint64((chains-1)*f.lanes)), n)
	} else {
		SUBQ(Imm(uint64(f.lanes)), n)
	}
	JLT(LabelRef(label("tail")))
	Label(label("one"))
	body(0)
	ADDQ(Imm(uint64(f.lanes)), f.index)
	SUBQ(Imm(uint64(f.lanes)), n)
	JGE(LabelRef(label("one")))
	Label(label("tail"))
	ADDQ(Imm(uint64(f.lanes)), n)
	JEQ(LabelRef(label("done")))
	f.selectTail(n)
	f.tail = true
	body(0)
	f.tail = false
	Label(label("done"))
}

// selectTail makes the masks of the first n lanes; it destroys n.
func (f *fn) selectTail(n Register) {
	t := GP64()
	if f.zmm {
		LEAQ(maskWords, t)
		f.tailK = K()
		KMOVW(Mem{Base: t, Index: n, Scale: 2}, f.tailK)
		return
	}
	LEAQ(laneMasks, t)
	NEGQ(n)
	f.tailYs = f.new()
	for i, r := range f.tailYs {
		VMOVUPS(Mem{Base: t, Index: n, Scale: 4, Disp: 64 + 32*i}, r)
	}
}

func (f *fn) at(p Register, part int) Mem {
	return Mem{Base: p, Index: f.index, Scale: 4, Disp: 4 * (f.disp + 8*part)}
}

// load returns the current vector at p; lanes behind the tail are zero and are
// not read.
func (f *fn) load(p Register) vec {
	v := f.new()
	for i, r := range v {
		switch {
		case !f.tail:
			VMOVUPS(f.at(p, i), r)
		case f.zmm:
			VMOVUPS_Z(f.at(p, i), f.tailK, r)
		default:
			VMASKMOVPS(f.at(p, i), f.tailYs[i], r)
		}
	}
	return v
}

// store writes v to the current vector at p, but no lane behind the tail.
func (f *fn) store(v vec, p Register) {
	for i, r := range v {
		switch {
		case !f.tail:
			VMOVUPS(r, f.at(p, i))
		case f.zmm:
			VMOVUPS(r, f.tailK, f.at(p, i))
		default:
			VMASKMOVPS(r, f.tailYs[i], f.at(p, i))
		}
	}
}

// tailOr returns v with the lanes behind the tail taken from fill.
func (f *fn) tailOr(v, fill vec) vec {
	if !f.tail {
		return v
	}
	return f.blend(mask{f.tailK, f.tailYs}, v, fill)
}

// tailZero returns v with zeros behind the tail.
func (f *fn) tailZero(v vec) vec {
	if !f.tail {
		return v
	}
	return f.keep(mask{f.tailK, f.tailYs}, v)
}

// Arithmetic. Functions that return a vec leave their operands alone; the
// others change the first one.

func (f *fn) op(plain, bcst func(...Op), y operand, x, dst vec) {
	for i := range dst {
		switch y := y.(type) {
		case vec:
			plain(y[i], x[i], dst[i])
		case konst:
			if f.zmm {
				bcst(y.Mem, x[i], dst[i])
			} else {
				plain(y.Mem, x[i], dst[i])
			}
		}
	}
}

func (f *fn) op2(plain, bcst func(...Op), y operand, x vec) vec {
	dst := f.new()
	f.op(plain, bcst, y, x, dst)
	return dst
}

func (f *fn) add(x vec, y operand) vec { return f.op2(VADDPS, VADDPS_BCST, y, x) }
func (f *fn) sub(x vec, y operand) vec { return f.op2(VSUBPS, VSUBPS_BCST, y, x) }
func (f *fn) mul(x vec, y operand) vec { return f.op2(VMULPS, VMULPS_BCST, y, x) }
func (f *fn) div(x vec, y operand) vec { return f.op2(VDIVPS, VDIVPS_BCST, y, x) }
func (f *fn) and(x vec, y operand) vec { return f.op2(VANDPS, VANDPS_BCST, y, x) }
func (f *fn) or(x vec, y operand) vec  { return f.op2(VORPS, VORPS_BCST, y, x) }

// min and max return y where an element of x or y is NaN.
func (f *fn) min(x vec, y operand) vec { return f.op2(VMINPS, VMINPS_BCST, y, x) }
func (f *fn) max(x vec, y operand) vec { return f.op2(VMAXPS, VMAXPS_BCST, y, x) }

func (f *fn) sqrt(x vec) vec {
	dst := f.new()
	for i := range dst {
		VSQRTPS(x[i], dst[i])
	}
	return dst
}

func (f *fn) copy(x vec) vec {
	dst := f.new()
	for i := range dst {
		VMOVAPS(x[i], dst[i])
	}
	return dst
}

// fill returns c in registers of its own, to be changed.
func (f *fn) fill(c konst) vec {
	dst := f.new()
	for _, r := range dst {
		VBROADCASTSS(c.Mem, r)
	}
	return dst
}

// addTo adds y to acc, maxTo takes their maximum (y if NaN).
func (f *fn) addTo(acc vec, y operand) { f.op(VADDPS, VADDPS_BCST, y, acc, acc) }
func (f *fn) maxTo(acc vec, y operand) { f.op(VMAXPS, VMAXPS_BCST, y, acc, acc) }

// fma adds x*y to acc, fnma subtracts it.
func (f *fn) fma(acc, x vec, y operand)  { f.op(VFMADD231PS, VFMADD231PS_BCST, y, x, acc) }
func (f *fn) fnma(acc, x vec, y operand) { f.op(VFNMADD231PS, VFNMADD231PS_BCST, y, x, acc) }

// horner replaces p by p*x + c, hornerSub by p*x - c.
func (f *fn) horner(p, x vec, c operand)    { f.op(VFMADD213PS, VFMADD213PS_BCST, c, x, p) }
func (f *fn) hornerSub(p, x vec, c operand) { f.op(VFMSUB213PS, VFMSUB213PS_BCST, c, x, p) }

// poly returns the polynomial in x with coefficients c, the constant first.
func (f *fn) poly(x vec, name string, c []float64) vec {
	last := len(c) - 1
	k := func(i int) konst { return float(fmt.Sprintf("%s%d", name, i), c[i]) }
	p := f.fill(k(last))
	for i := last - 1; i >= 0; i-- {
		f.horner(p, x, k(i))
	}
	return p
}

// Integers.

func (f *fn) iadd(x vec, y operand) vec { return f.op2(VPADDD, VPADDD_BCST, y, x) }
func (f *fn) imul(x vec, y operand) vec { return f.op2(VPMULLD, VPMULLD_BCST, y, x) }

func (f *fn) xor(x, y vec) vec {
	dst := f.new()
	for i := range dst {
		if f.zmm {
			VPXORD(y[i], x[i], dst[i])
		} else {
			VPXOR(y[i], x[i], dst[i])
		}
	}
	return dst
}

func (f *fn) shift(op func(...Op), x vec, bits uint64) vec {
	dst := f.new()
	for i := range dst {
		op(Imm(bits), x[i], dst[i])
	}
	return dst
}

// Masks.

// A mask selects lanes.
type mask struct {
	k  Register
	ys vec
}

// The predicates of cmp.
const (
	unordered = 3
	atLeast   = 13
	greater   = 14
)

func (f *fn) cmp(x vec, predicate uint64, y vec) mask {
	if f.zmm {
		k := K()
		VCMPPS(Imm(predicate), y[0], x[0], k)
		return mask{k: k}
	}
	ys := f.new()
	for i := range ys {
		VCMPPS(Imm(predicate), y[i], x[i], ys[i])
	}
	return mask{ys: ys}
}

// keep returns x where m selects it and 0 elsewhere.
func (f *fn) keep(m mask, x vec) vec {
	dst := f.new()
	for i := range dst {
		if f.zmm {
			VMOVAPS_Z(x[i], m.k, dst[i])
		} else {
			VANDPS(m.ys[i], x[i], dst[i])
		}
	}
	return dst
}

// blend returns x where m selects it and y elsewhere.
func (f *fn) blend(m mask, x, y vec) vec {
	dst := f.new()
	for i := range dst {
		if f.zmm {
			VBLENDMPS(x[i], y[i], m.k, dst[i])
		} else {
			VBLENDVPS(m.ys[i], x[i], y[i], dst[i])
		}
	}
	return dst
}

// Sums over lanes.

// fold combines the lanes of acc with op in a fixed tree: i with i+8, i+4,
// i+2, i+1. The result is in lane 0.
func (f *fn) fold(op func(...Op), acc vec) VecVirtual {
	lo, hi := YMM(), YMM()
	if f.zmm {
		VEXTRACTF64X4(Imm(1), acc[0], hi)
		op(hi, acc[0].AsY(), lo)
	} else {
		op(acc[1], acc[0], lo)
	}
	x := XMM()
	VEXTRACTF128(Imm(1), lo, x)
	op(x, lo.AsX(), x)
	y := XMM()
	VMOVHLPS(x, x, y)
	op(y, x, x)
	VMOVSHDUP(x, y)
	op(y, x, x)
	return x
}

// sums returns n accumulators of zero.
func (f *fn) sums(n int) []vec {
	s := make([]vec, n)
	for i := range s {
		s[i] = f.zero()
	}
	return s
}

// join combines the accumulators in a fixed tree, neighbours first, and then
// the lanes.
func (f *fn) join(op func(...Op), s []vec) VecVirtual {
	for ; len(s) > 1; s = s[:len(s)/2] {
		for i := range len(s) / 2 {
			for p := range s[i] {
				op(s[2*i+1][p], s[2*i][p], s[2*i][p])
			}
			s[i] = s[2*i]
		}
	}
	return f.fold(op, s[0])
}

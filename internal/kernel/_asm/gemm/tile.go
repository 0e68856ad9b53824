package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The registers of a tile. Rows 0 to 6 of A are addressed from aLow, rows 7 to
// 13 from aHigh, which lies 7 rows below; see aElement.
var (
	aLow, aHigh          = RSI, RDI
	stride1, stride3     = RAX, RCX // one and three rows of A
	stride5              = RDX
	b, c, start          = RBX, R11, R13
	aStep, bStep         = R8, R9
	cStride, startStride = R12, R15
	count                = R10

	// What is fetched for later calls: runs of 128 bytes.
	fetch, fetchStep = start, startStride
	fetches          = R14

	// Free until the loops begin.
	rows, cols = aHigh, b
)

// A variant is one loop of a tile.
type variant struct {
	set
	rows, vecs int
	masked     bool // the last vector has fewer columns than lanes
}

func (v variant) name() string {
	n := fmt.Sprintf("rows%dvecs%d", v.rows, v.vecs)
	if v.masked {
		n += "masked"
	}
	return n
}

// tile writes the function that computes a tile of C of up to s.rows rows and
// two vectors of columns. There is a loop of its own for every number of rows
// and vectors: all its sums stay in registers, and each of them is one chain
// of fused multiply-adds in the order of k, whichever loop computes it.
func tile(s set) {
	TEXT("tile"+s.name, attr.NOSPLIT, "func(c, start, a, b *float32, rows, cols, k, cStride, startStride, aStride, aStep, bStep int, ahead *float32, aheadLen int)")
	Doc(
		fmt.Sprintf("tile%s computes a tile of C = start + A·B of rows (1 to %d) rows and cols (1 to %d) columns.", s.name, s.rows, 2*s.lanes),
		"Element (i, j) of C is c[i*cStride+j], of start start[i*startStride+j], (i, k) of A",
		"a[i*aStride+k*aStep], (k, j) of B b[k*bStep+j]. Nothing outside the tile is read or written.",
		"For later calls it fetches the rows of C below the tile to the caches, and from ahead on up to",
		"aheadLen floats, unless these are too many or too few.",
	)
	Pragma("noescape")

	Load(Param("cols"), cols)
	LEAQ(Mem{Base: cols, Disp: -1}, RCX)
	if s.lanes == 16 {
		Comment("K1 selects the (cols-1)%16+1 columns of the last vector.")
		ANDQ(Imm(15), RCX)
		MOVQ(I32(2), RAX)
		SHLQ(CL, RAX)
		DECQ(RAX)
		KMOVW(EAX, K1)
	} else {
		Comment("Y15 selects the (cols-1)%8+1 columns of the last vector.")
		ANDQ(Imm(7), RCX)
		NEGQ(RCX)
		LEAQ(maskTable, RAX)
		VMOVUPS(Mem{Base: RAX, Index: RCX, Scale: 4, Disp: 28}, Y15)
	}
	Load(Param("c"), c)
	Load(Param("start"), start)
	Load(Param("a"), aLow)
	Load(Param("k"), count)
	floats("cStride", cStride)
	floats("startStride", startStride)
	floats("aStride", stride1)
	floats("aStep", aStep)
	floats("bStep", bStep)
	LEAQ(Mem{Base: stride1, Index: stride1, Scale: 2}, stride3)
	LEAQ(Mem{Base: stride1, Index: stride1, Scale: 4}, stride5)

	Load(Param("rows"), rows)
	var variants []variant
	dispatch := func(vecs int, masked bool) {
		for n := s.rows; n >= 1; n-- {
			v := variant{s, n, vecs, masked}
			variants = append(variants, v)
			if n > 1 {
				CMPQ(rows, Imm(uint64(n)))
				JE(LabelRef(v.name()))
			} else {
				JMP(LabelRef(v.name()))
			}
		}
	}
	if s.lanes == 16 {
		CMPQ(cols, Imm(16))
		JLE(LabelRef("narrow"))
		dispatch(2, true)
		Label("narrow")
		dispatch(1, true)
	} else {
		CMPQ(cols, Imm(16))
		JNE(LabelRef("not16"))
		dispatch(2, false)
		Label("not16")
		CMPQ(cols, Imm(8))
		JL(LabelRef("narrow"))
		JE(LabelRef("full8"))
		dispatch(2, true)
		Label("full8")
		dispatch(1, false)
		Label("narrow")
		dispatch(1, true)
	}
	for _, v := range variants {
		v.loop()
	}
}

func (v variant) loop() {
	acc := func(i, n int) VecPhysical { return v.vec(i*v.vecs + n) }

	Label(v.name())
	Load(Param("b"), b)
	if v.rows > 7 {
		LEAQ(Mem{Base: aLow, Index: stride3, Scale: 2}, aHigh)
		ADDQ(stride1, aHigh)
	}
	for i := range v.rows {
		for n := range v.vecs {
			v.load(v.at(start, n), acc(i, n), n)
		}
		if i < v.rows-1 {
			ADDQ(startStride, start)
		}
	}
	TESTQ(count, count)
	JZ(LabelRef(v.name() + "store"))
	if v.vecs == 2 {
		Comment("While the first sums are made, fetch the tile below for the next call.")
		CMPQ(count, Imm(64))
		JL(LabelRef(v.name() + "loop"))
		IMUL3Q(Imm(uint64(v.rows)), cStride, fetch)
		ADDQ(c, fetch)
		MOVQ(cStride, fetchStep)
		MOVQ(U32(v.rows), fetches)
		SUBQ(fetches, count)
		v.steps("below", fetches, true)
		Comment("And what the caller knows to be needed.")
		Load(Param("aheadLen"), fetches)
		SHRQ(Imm(5), fetches)
		JZ(LabelRef(v.name() + "loop"))
		CMPQ(fetches, count)
		JGE(LabelRef(v.name() + "loop"))
		Load(Param("ahead"), fetch)
		MOVQ(U32(128), fetchStep)
		SUBQ(fetches, count)
		v.steps("ahead", fetches, true)
	}
	v.steps("loop", count, false)

	Label(v.name() + "store")
	for i := range v.rows {
		for n := range v.vecs {
			v.store(acc(i, n), v.at(c, n), n)
		}
		if i < v.rows-1 {
			ADDQ(cStride, c)
		}
	}
	VZEROUPPER()
	RET()
}

// steps makes n steps of the sums. If fetching, each also fetches 128 bytes.
func (v variant) steps(label string, n Register, fetching bool) {
	acc := func(i, n int) VecPhysical { return v.vec(i*v.vecs + n) }
	bVec := func(n int) VecPhysical { return v.vec(v.set.rows*2 + n) }
	factor := func(i int) VecPhysical {
		if v.lanes == 8 {
			return Y14
		}
		return v.vec(30 + i%2)
	}
	Instruction(&ir.Instruction{Opcode: "PCALIGN", Operands: []Op{Imm(32)}})
	Label(v.name() + label)
	for n := range v.vecs {
		v.load(v.at(b, n), bVec(n), n)
	}
	for i := range v.rows {
		VBROADCASTSS(aElement(i), factor(i))
		for n := range v.vecs {
			VFMADD231PS(bVec(n), factor(i), acc(i, n))
		}
	}
	if fetching {
		PREFETCHT0(Mem{Base: fetch})
		PREFETCHT0(Mem{Base: fetch, Disp: 64})
		ADDQ(fetchStep, fetch)
	}
	ADDQ(bStep, b)
	ADDQ(aStep, aLow)
	if v.rows > 7 {
		ADDQ(aStep, aHigh)
	}
	DECQ(n)
	JNZ(LabelRef(v.name() + label))
}

// at returns the address of vector n of the row at p.
func (v variant) at(p Register, n int) Mem { return Mem{Base: p, Disp: n * v.lanes * 4} }

func (v variant) load(m Mem, x VecPhysical, n int) {
	switch {
	case !v.masked || n < v.vecs-1:
		VMOVUPS(m, x)
	case v.lanes == 16:
		VMOVUPS_Z(m, K1, x)
	default:
		VMASKMOVPS(m, Y15, x)
	}
}

func (v variant) store(x VecPhysical, m Mem, n int) {
	switch {
	case !v.masked || n < v.vecs-1:
		VMOVUPS(x, m)
	case v.lanes == 16:
		VMOVUPS(x, K1, m)
	default:
		VMASKMOVPS(x, Y15, m)
	}
}

// aElement returns the address of A's element of row i.
func aElement(i int) Mem {
	m := Mem{Base: aLow}
	if i >= 7 {
		m.Base = aHigh
		i -= 7
	}
	switch i {
	case 1, 2, 4:
		m.Index, m.Scale = stride1, uint8(i)
	case 3, 6:
		m.Index, m.Scale = stride3, uint8(i/3)
	case 5:
		m.Index, m.Scale = stride5, 1
	}
	return m
}

// writeMaskTable writes a table of eight set words and eight clear ones. Eight words
// from word 8-n on select the first n lanes.
func writeMaskTable() {
	GLOBL(maskTable.Symbol.Name, attr.RODATA|attr.NOPTR)
	for i := range 16 {
		var x U32
		if i < 8 {
			x = 0xffffffff
		}
		DATA(4*i, x)
	}
}

var maskTable = NewDataAddr(NewStaticSymbol("laneMask"), 0)

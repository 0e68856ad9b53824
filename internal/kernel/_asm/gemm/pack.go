package main

import (
	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// packRows writes the function that copies the rows of a panel.
func packRows() {
	TEXT("packRowsAVX2", attr.NOSPLIT, "func(dst, src *float32, rows, cols, width, stride int)")
	Doc(
		"packRowsAVX2 copies rows (at least 1) rows of cols columns, stride floats apart, to rows of",
		"width (8, 16 or 32, not below cols) adjacent floats, of which those beyond cols become zero.",
	)
	Pragma("noescape")
	dst, src, n := RDI, RSI, R8
	cols, width, stride := RDX, R9, R10
	masks := []VecPhysical{Y8, Y9, Y10, Y11}
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("rows"), n)
	Load(Param("cols"), cols)
	Load(Param("width"), width)
	floats("stride", stride)
	LEAQ(maskTable, RAX)
	XORQ(RCX, RCX)
	for i, m := range masks {
		Commentf("%v selects the columns from %d on: min(8, max(0, cols-%d)) of them.", m, 8*i, 8*i)
		LEAQ(Mem{Base: cols, Disp: -8 * i}, RBX)
		CMPQ(RBX, RCX)
		CMOVQLT(RCX, RBX)
		MOVQ(U32(8), R11)
		CMPQ(RBX, R11)
		CMOVQGT(R11, RBX)
		NEGQ(RBX)
		VMOVUPS(Mem{Base: RAX, Index: RBX, Scale: 4, Disp: 32}, m)
	}
	copyRows := func(label string, vecs int, full bool) {
		tmp := []VecPhysical{Y0, Y1, Y2, Y3}
		Label(label)
		for i := range vecs {
			m := Mem{Base: src, Disp: 32 * i}
			if full {
				VMOVUPS(m, tmp[i])
			} else {
				VMASKMOVPS(m, masks[i], tmp[i])
			}
		}
		for i := range vecs {
			VMOVUPS(tmp[i], Mem{Base: dst, Disp: 32 * i})
		}
		ADDQ(stride, src)
		ADDQ(U32(32*vecs), dst)
		DECQ(n)
		JNZ(LabelRef(label))
		VZEROUPPER()
		RET()
	}
	CMPQ(width, Imm(16))
	JEQ(LabelRef("width16"))
	JGT(LabelRef("width32"))
	copyRows("width8", 1, false)
	Label("width16")
	CMPQ(cols, width)
	JEQ(LabelRef("full16"))
	copyRows("part16", 2, false)
	copyRows("full16", 2, true)
	Label("width32")
	CMPQ(cols, width)
	JEQ(LabelRef("full32"))
	copyRows("part32", 4, false)
	copyRows("full32", 4, true)
}

// packColumns writes the function that transposes a panel, 8 by 8 elements at
// a time.
func packColumns() {
	TEXT("packColumnsAVX2", attr.NOSPLIT, "func(dst, src *float32, rows, cols, width, stride int)")
	Doc(
		"packColumnsAVX2 copies rows (at least 1) rows of cols (1 to 8) columns, whose columns lie",
		"stride floats apart and whose rows are adjacent, to 8 floats of rows that lie width floats",
		"apart. The floats beyond cols become copies of the last column.",
	)
	Pragma("noescape")
	dst, n, width := RDI, R14, RDX
	col := []GPPhysical{RSI, RAX, RBX, R8, R9, R10, R11, R12}
	last, stride, ahead := RCX, R13, R13
	Load(Param("dst"), dst)
	Load(Param("src"), col[0])
	floats("stride", stride)
	floats("width", width)
	Comment("The pointer to column j stays at the last column for j >= cols.")
	Load(Param("cols"), last)
	for j := 1; j < 8; j++ {
		LEAQ(Mem{Base: col[j-1], Index: stride, Scale: 1}, col[j])
		CMPQ(last, Imm(uint64(j)))
		CMOVQLE(col[j-1], col[j])
	}
	Load(Param("rows"), n)

	y := []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7}
	t := []VecPhysical{Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15}
	// transpose turns columns in y into rows in y.
	transpose := func() {
		for i := 0; i < 8; i += 2 {
			VUNPCKLPS(y[i+1], y[i], t[i])
			VUNPCKHPS(y[i+1], y[i], t[i+1])
		}
		// t0 = a0 b0 a1 b1, t2 = c0 d0 c1 d1, ...: of each half.
		for i := 0; i < 8; i += 4 {
			VUNPCKLPD(t[i+2], t[i], y[i])
			VUNPCKHPD(t[i+2], t[i], y[i+1])
			VUNPCKLPD(t[i+3], t[i+1], y[i+2])
			VUNPCKHPD(t[i+3], t[i+1], y[i+3])
		}
		for i := range 4 {
			VPERM2F128(Imm(0x20), y[i+4], y[i], t[i])
			VPERM2F128(Imm(0x31), y[i+4], y[i], t[i+4])
		}
	}
	Comment("The next 8 columns begin 8 columns further on. They are fetched along the way.")
	SHLQ(Imm(3), ahead)
	SUBQ(Imm(8), n)
	JL(LabelRef("tail"))
	Label("loop")
	for j := range 8 {
		VMOVUPS(Mem{Base: col[j]}, y[j])
		PREFETCHT0(Mem{Base: col[j], Index: ahead, Scale: 1})
	}
	transpose()
	for i := range 8 {
		VMOVUPS(t[i], Mem{Base: dst})
		ADDQ(width, dst)
	}
	for j := range 8 {
		ADDQ(Imm(32), col[j])
	}
	SUBQ(Imm(8), n)
	JGE(LabelRef("loop"))

	Label("tail")
	ADDQ(Imm(8), n)
	JZ(LabelRef("done"))
	LEAQ(maskTable, R15)
	MOVQ(n, last)
	NEGQ(last)
	VMOVUPS(Mem{Base: R15, Index: last, Scale: 4, Disp: 32}, Y8)
	for j := range 8 {
		VMASKMOVPS(Mem{Base: col[j]}, Y8, y[j])
	}
	transpose()
	for i := range 7 {
		VMOVUPS(t[i], Mem{Base: dst})
		if i < 6 {
			ADDQ(width, dst)
			DECQ(n)
			JZ(LabelRef("done"))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

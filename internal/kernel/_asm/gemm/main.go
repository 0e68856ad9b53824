// Command gemm writes the assembly of the matrix product, gemm_amd64.s, and
// its declarations, gemm_stub_amd64.go. Run it by go generate in
// internal/kernel.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!purego")
	writeMaskTable()
	tile(avx512)
	tile(avx2)
	packRows()
	packColumns()
	Generate()
}

// A set is what the two instruction sets differ in.
type set struct {
	name  string
	rows  int // of the largest tile
	lanes int // floats of a vector
	vec   func(i int) VecPhysical
}

var (
	avx512 = set{"AVX512", 14, 16, func(i int) VecPhysical {
		return [...]VecPhysical{
			Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15, Z16,
			Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26, Z27, Z28, Z29, Z30, Z31,
		}[i]
	}}
	avx2 = set{"AVX2", 6, 8, func(i int) VecPhysical {
		return [...]VecPhysical{
			Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15,
		}[i]
	}}
)

// floats loads the parameter name, a number of floats, as a number of bytes.
func floats(name string, r Register) {
	Load(Param(name), r)
	SHLQ(Imm(2), r)
}

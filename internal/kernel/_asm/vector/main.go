// Command vector writes the assembly of the functions on vectors:
// vector_amd64.s and vector_stub_amd64.go. Run it with "go generate" in
// internal/kernel.
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("amd64,!purego")
	tables()
	elementwise()
	reduce()
	exponential()
	gelu()
	norm()
	dropout()
	adamW()
	fuse()
	Generate()
}

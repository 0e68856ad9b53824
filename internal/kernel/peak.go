package kernel

// Fuse does fused multiply-adds between registers, which nothing delays, and
// returns how many: 12 chains of 8 lanes for every turn with AVX2, and 24 of 16
// with AVX-512. The time they take is the peak of a core, by which that of a
// matrix product can be judged. Plain Go multiplies and adds one number at a time.
//
//	for range turns {
//		for c := range sums {
//			sums[c] += x * x
//		}
//	}
func Fuse(turns int) (fused float64) {
	if turns < 1 {
		return 0
	}
	return float64(turns) * float64(fuse(turns))
}

// fuseGeneric does eight chains in scalars. Its argument x keeps the compiler from
// knowing the sums, and sum from leaving them out.
//
//go:noinline
func fuseGeneric(turns int, x float32) (perTurn int, sum float32) {
	var a, b, c, d, e, f, g, h float32
	for range turns {
		a += x * x
		b += x * x
		c += x * x
		d += x * x
		e += x * x
		f += x * x
		g += x * x
		h += x * x
	}
	return 8, a + b + c + d + e + f + g + h
}

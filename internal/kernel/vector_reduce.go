package kernel

// Sums over a slice run in 4 accumulators of 16 lanes each: element i of every
// full block of 64 belongs to lane i of the 64, and what is left after the
// last block goes to the first accumulator, 16 elements at a time. Then the
// accumulators are added as (0+1)+(2+3), and the lanes of the result in
// halves, i with i+8, i+4, i+2, i+1. [ExpSum], whose exponentials take longer
// than its additions, has one accumulator.

// Dot returns the sum of x[i] * y[i].
func Dot(x, y []float32) float32 { return dot(x, y[:len(x):len(y)]) }

func dotGeneric(x, y []float32) float32 {
	var s float32
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

// Sum returns the sum of x[i].
func Sum(x []float32) float32 { return sum(x) }

func sumGeneric(x []float32) float32 {
	var s float32
	for _, v := range x {
		s += v
	}
	return s
}

// SumSquares returns the sum of x[i]², each square and the running sum held in
// double precision: the global norm of millions of gradients needs it.
func SumSquares(x []float32) float64 { return sumSquares(x) }

func sumSquaresGeneric(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s
}

// Max returns the largest element of x, which must not be empty, or NaN if x
// contains one.
func Max(x []float32) float32 {
	_ = x[0]
	return maximum(x)
}

func maximumGeneric(x []float32) float32 {
	m := x[0]
	for _, v := range x[1:] {
		m = max(m, v)
	}
	return m
}

// ScaleAddMax computes x[i] = scale*x[i] + y[i] and returns the largest of the
// results, or NaN if there is one: the scores of attention with a bias or a
// mask y, ready for [ExpSum]. x must not be empty.
func ScaleAddMax(x []float32, scale float32, y []float32) float32 {
	_ = x[0]
	return scaleAddMax(x, scale, y[:len(x):len(y)])
}

func scaleAddMaxGeneric(x []float32, scale float32, y []float32) float32 {
	for i, v := range y {
		x[i] = scale*x[i] + v
	}
	return maximumGeneric(x)
}

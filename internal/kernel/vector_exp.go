package kernel

import "math"

// ExpSum replaces x[i] by exp(scale*x[i] - shift) and returns the sum of the
// results. Results below 2^-125.5 may be flushed to zero, those above the
// largest float32 are infinite, and an argument of negative infinity gives
// zero. A softmax passes scale times the maximum of x as shift, which must not
// be negative infinity: a row without any finite x has no softmax.
func ExpSum(x []float32, scale, shift float32) float32 { return expSum(x, scale, shift) }

func expSumGeneric(x []float32, scale, shift float32) float32 {
	var s float32
	for i, v := range x {
		e := float32(math.Exp(float64(scale*v - shift)))
		x[i] = e
		s += e
	}
	return s
}

// SoftmaxBack computes ds[i] = p[i] * (dp[i] - d) * scale, the gradient of a
// softmax with probabilities p; d is the dot product of p and dp.
func SoftmaxBack(ds, p, dp []float32, d, scale float32) {
	softmaxBack(ds, p[:len(ds):len(p)], dp[:len(ds):len(dp)], d, scale)
}

func softmaxBackGeneric(ds, p, dp []float32, d, scale float32) {
	for i, v := range p {
		ds[i] = v * (dp[i] - d) * scale
	}
}

// Sigmoid computes y[i] = 1 / (1 + exp(-x[i])).
func Sigmoid(y, x []float32) { sigmoid(y, x[:len(y):len(x)]) }

func sigmoidGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = float32(1 / (1 + math.Exp(-float64(v))))
	}
}

// SigmoidBack adds dy[i] * y[i] * (1 - y[i]) to dx[i], for y the output of
// [Sigmoid].
func SigmoidBack(dx, dy, y []float32) { sigmoidBack(dx, dy[:len(dx):len(dy)], y[:len(dx):len(y)]) }

func sigmoidBackGeneric(dx, dy, y []float32) {
	for i, v := range y {
		dx[i] += dy[i] * (v - v*v)
	}
}

// Tanh computes y[i] = tanh(x[i]).
func Tanh(y, x []float32) { tanh(y, x[:len(y):len(x)]) }

func tanhGeneric(y, x []float32) {
	for i, v := range x {
		y[i] = float32(math.Tanh(float64(v)))
	}
}

// TanhBack adds dy[i] * (1 - y[i]²) to dx[i], for y the output of [Tanh].
func TanhBack(dx, dy, y []float32) { tanhBack(dx, dy[:len(dx):len(dy)], y[:len(dx):len(y)]) }

func tanhBackGeneric(dx, dy, y []float32) {
	for i, v := range y {
		dx[i] += dy[i] * (1 - v*v)
	}
}

// GELU computes y[i] = x[i] * Φ(x[i]), with Φ the exact normal distribution
// function, ½(1 + erf(x/√2)); Hendrycks & Gimpel 2016.
func GELU(y, x []float32) { gelu(y, x[:len(y):len(x)]) }

func geluGeneric(y, x []float32) {
	for i, v := range x {
		// x·Φ(x) of negative infinity is 0, not infinity times zero.
		f := max(float64(v), -40)
		y[i] = float32(0.5 * f * math.Erfc(-f/math.Sqrt2))
	}
}

// GELUBack computes dx[i] = dy[i] * (Φ(x) + x·φ(x)) for x = x[i], or adds it
// to dx[i] if add is set; φ is the normal density.
func GELUBack(dx, dy, x []float32, add bool) {
	dy, x = dy[:len(dx):len(dy)], x[:len(dx):len(x)]
	if add {
		geluBackAdd(dx, dy, x)
	} else {
		geluBack(dx, dy, x)
	}
}

func geluBackGeneric(dx, dy, x []float32) {
	for i, v := range x {
		dx[i] = float32(float64(dy[i]) * geluSlope(float64(v)))
	}
}

func geluBackAddGeneric(dx, dy, x []float32) {
	for i, v := range x {
		dx[i] += float32(float64(dy[i]) * geluSlope(float64(v)))
	}
}

func geluSlope(x float64) float64 {
	x = max(-40, min(x, 40))
	return 0.5*math.Erfc(-x/math.Sqrt2) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

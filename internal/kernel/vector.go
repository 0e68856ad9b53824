package kernel

import "math"

// Add computes dst[i] += x[i].
func Add(dst, x []float32) { addGeneric(dst, x[:len(dst)]) }

func addGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}

// Sum2 computes dst[i] = x[i] + y[i].
func Sum2(dst, x, y []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] = v + y[i]
	}
}

// Axpy computes dst[i] += a * x[i].
func Axpy(dst []float32, a float32, x []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] += a * v
	}
}

// Scale computes dst[i] *= a.
func Scale(dst []float32, a float32) {
	for i := range dst {
		dst[i] *= a
	}
}

// MulAdd computes dst[i] += x[i] * y[i].
func MulAdd(dst, x, y []float32) {
	for i, v := range x[:len(dst)] {
		dst[i] += v * y[i]
	}
}

// Dot returns the sum of x[i] * y[i].
func Dot(x, y []float32) float32 {
	var s float32
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

// SumSquares returns the sum of x[i]², each square and the running sum held in
// double precision: the global norm of millions of gradients needs it.
func SumSquares(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s
}

// AddRows adds every row of x (rows, len(dst)) to dst: the gradient of a bias.
//
//	for r := range rows {
//		for j := range dst {
//			dst[j] += x[r*len(dst)+j]
//		}
//	}
func AddRows(dst, x []float32, rows int) {
	n := len(dst)
	for r := range rows {
		Add(dst, x[r*n:(r+1)*n])
	}
}

// Max returns the largest element of x, which must not be empty.
func Max(x []float32) float32 {
	m := x[0]
	for _, v := range x[1:] {
		m = max(m, v)
	}
	return m
}

// ExpSum replaces x[i] by exp(scale*x[i] - shift) and returns the sum of the
// results. An x[i] of negative infinity gives zero.
func ExpSum(x []float32, scale, shift float32) float32 {
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
	for i, v := range p[:len(ds)] {
		ds[i] = v * (dp[i] - d) * scale
	}
}

// GELU computes y[i] = x[i] * Φ(x[i]), with Φ the exact normal distribution
// function, ½(1 + erf(x/√2)); Hendrycks & Gimpel 2016.
func GELU(y, x []float32) {
	for i, v := range x[:len(y)] {
		y[i] = float32(0.5 * float64(v) * math.Erfc(-float64(v)/math.Sqrt2))
	}
}

// GELUBack computes dx[i] = dy[i] * (Φ(x) + x·φ(x)) for x = x[i], or adds it
// to dx[i] if add is set; φ is the normal density.
func GELUBack(dx, dy, x []float32, add bool) {
	for i, v := range x[:len(dx)] {
		f := float64(v)
		g := 0.5*math.Erfc(-f/math.Sqrt2) + f*math.Exp(-f*f/2)/math.Sqrt(2*math.Pi)
		if add {
			dx[i] += float32(float64(dy[i]) * g)
		} else {
			dx[i] = float32(float64(dy[i]) * g)
		}
	}
}

// LayerNorm normalises each row of x (rows, n) to mean 0 and variance 1, then
// scales and shifts: y = (x - mean) * rstd * gamma + beta, rstd =
// 1/sqrt(var + eps), with n = len(gamma) and the variance of the population.
// It stores the rows' mean and rstd for [LayerNormBack]. Ba et al. 2016.
func LayerNorm(y, x, gamma, beta, mean, rstd []float32, eps float32) {
	n := len(gamma)
	for r := range mean {
		row, out := x[r*n:(r+1)*n], y[r*n:(r+1)*n]
		var m, v float32
		for _, a := range row {
			m += a
		}
		m /= float32(n)
		for _, a := range row {
			v += (a - m) * (a - m)
		}
		s := float32(1 / math.Sqrt(float64(v/float32(n)+eps)))
		for i, a := range row {
			out[i] = (a-m)*s*gamma[i] + beta[i]
		}
		mean[r], rstd[r] = m, s
	}
}

// LayerNormBack adds the gradients of [LayerNorm] to dgamma and dbeta, which
// may both be nil, and writes dx, or adds to it if add is set; dx may be nil.
// With x̂ = (x - mean)·rstd and g = dy·gamma:
//
//	dgamma += dy·x̂
//	dbeta  += dy
//	dx      = rstd·(g - average(g) - x̂·average(g·x̂))
func LayerNormBack(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []float32, add bool) {
	n := len(gamma)
	for r := range mean {
		row, d := x[r*n:(r+1)*n], dy[r*n:(r+1)*n]
		m, s := mean[r], rstd[r]
		var sg, sgx float32
		for i, a := range row {
			h := (a - m) * s
			g := d[i] * gamma[i]
			sg += g
			sgx += g * h
			if dgamma != nil {
				dgamma[i] += d[i] * h
				dbeta[i] += d[i]
			}
		}
		if dx == nil {
			continue
		}
		out := dx[r*n : (r+1)*n]
		sg /= float32(n)
		sgx /= float32(n)
		for i, a := range row {
			g := s * (d[i]*gamma[i] - sg - (a-m)*s*sgx)
			if add {
				g += out[i]
			}
			out[i] = g
		}
	}
}

// Dropout computes y[i] = x[i] * factor where element i is kept and 0
// elsewhere, or adds that to y[i] if add is set. Element i is kept if
// [Hash](key, i) >= threshold, so forward and backward draw the same mask from
// the same key without storing it, and the mask depends on nothing else.
func Dropout(y, x []float32, key uint64, threshold uint32, factor float32, add bool) {
	for i, v := range x[:len(y)] {
		if Hash(key, uint32(i)) < threshold {
			v = 0
		}
		v *= factor
		if add {
			v += y[i]
		}
		y[i] = v
	}
}

// Hash returns 32 well-mixed bits of (key, i): the multiply-xorshift finaliser
// of MurmurHash3, keyed at both ends.
func Hash(key uint64, i uint32) uint32 {
	h := (i ^ uint32(key)) * 0x9e3779b1
	h ^= h >> 16
	h *= 0x85ebca6b
	h ^= h >> 13
	h += uint32(key >> 32)
	h *= 0xc2b2ae35
	h ^= h >> 16
	return h
}

// AdamW makes one step of Adam with decoupled weight decay on the parameters p
// with gradient g and moments m and v (Loshchilov & Hutter 2019, algorithm 2).
// correct1 and correct2 are 1/(1-β1^t) and 1/(1-β2^t); gscale multiplies the
// gradient first (clipping by the global norm).
//
//	g   = gscale * g[i]
//	m[i] = β1*m[i] + (1-β1)*g
//	v[i] = β2*v[i] + (1-β2)*g*g
//	p[i] -= lr*decay*p[i] + lr * m[i]*correct1 / (sqrt(v[i]*correct2) + eps)
func AdamW(p, g, m, v []float32, lr, beta1, beta2, eps, decay, correct1, correct2, gscale float32) {
	for i := range p {
		d := gscale * g[i]
		m[i] = beta1*m[i] + (1-beta1)*d
		v[i] = beta2*v[i] + (1-beta2)*d*d
		p[i] -= lr*decay*p[i] + lr*(m[i]*correct1)/(float32(math.Sqrt(float64(v[i]*correct2)))+eps)
	}
}

// ReLU computes y[i] = max(x[i], 0).
func ReLU(y, x []float32) {
	for i, v := range x[:len(y)] {
		y[i] = max(v, 0)
	}
}

// ReLUBack adds dy[i] to dx[i] where y[i], the output of [ReLU], is positive.
func ReLUBack(dx, dy, y []float32) {
	for i, v := range y[:len(dx)] {
		if v > 0 {
			dx[i] += dy[i]
		}
	}
}

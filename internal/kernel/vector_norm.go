package kernel

import "math"

// LayerNorm normalises each row of x (rows, n) to mean 0 and variance 1, then
// scales and shifts: y = (x - mean) * rstd * gamma + beta, rstd =
// 1/sqrt(var + eps), with rows = len(mean), n = len(gamma) and the variance of
// the population, computed from the differences to the mean. It stores the
// rows' mean and rstd for [LayerNormBack]. Ba et al. 2016.
func LayerNorm(y, x, gamma, beta, mean, rstd []float32, eps float32) {
	n, rows := len(gamma), len(mean)
	y, x = y[:rows*n:len(y)], x[:rows*n:len(x)]
	beta, rstd = beta[:n:len(beta)], rstd[:rows:len(rstd)]
	for r := range rows {
		mean[r], rstd[r] = layerNormRow(y[r*n:(r+1)*n], x[r*n:(r+1)*n], gamma, beta, eps)
	}
}

func layerNormRowGeneric(y, x, gamma, beta []float32, eps float32) (mean, rstd float32) {
	var m, v float32
	for _, a := range x {
		m += a
	}
	m /= float32(len(x))
	for _, a := range x {
		v += (a - m) * (a - m)
	}
	s := float32(1 / math.Sqrt(float64(v/float32(len(x))+eps)))
	for i, a := range x {
		y[i] = (a-m)*s*gamma[i] + beta[i]
	}
	return m, s
}

// LayerNormBack adds the gradients of [LayerNorm] to dgamma and dbeta, which
// may both be nil, and writes dx, or adds to it if add is set; dx may be nil.
// With x̂ = (x - mean)·rstd and g = dy·gamma:
//
//	dgamma += dy·x̂
//	dbeta  += dy
//	dx      = rstd·(g - average(g) - x̂·average(g·x̂))
func LayerNormBack(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []float32, add bool) {
	n, rows := len(gamma), len(mean)
	dy, x, rstd = dy[:rows*n:len(dy)], x[:rows*n:len(x)], rstd[:rows:len(rstd)]
	if dgamma != nil {
		dgamma, dbeta = dgamma[:n:len(dgamma)], dbeta[:n:len(dbeta)]
	}
	if dx != nil {
		dx = dx[: rows*n : len(dx)]
	}
	for r, m := range mean {
		row, d, s := x[r*n:(r+1)*n], dy[r*n:(r+1)*n], rstd[r]
		if dgamma != nil {
			layerNormBackParams(dgamma, dbeta, d, row, m, s)
		}
		if dx == nil {
			continue
		}
		g, gx := layerNormBackSums(d, row, gamma, m, s)
		if out := dx[r*n : (r+1)*n]; add {
			layerNormBackRowAdd(out, d, row, gamma, m, s, g, gx)
		} else {
			layerNormBackRow(out, d, row, gamma, m, s, g, gx)
		}
	}
}

func layerNormBackParamsGeneric(dgamma, dbeta, dy, x []float32, mean, rstd float32) {
	for i, a := range x {
		dgamma[i] += dy[i] * ((a - mean) * rstd)
		dbeta[i] += dy[i]
	}
}

func layerNormBackSumsGeneric(dy, x, gamma []float32, mean, rstd float32) (g, gx float32) {
	for i, a := range x {
		d := dy[i] * gamma[i]
		g += d
		gx += d * ((a - mean) * rstd)
	}
	return g / float32(len(x)), gx / float32(len(x))
}

func layerNormBackRowGeneric(dx, dy, x, gamma []float32, mean, rstd, g, gx float32) {
	for i, a := range x {
		dx[i] = rstd * (dy[i]*gamma[i] - g - (a-mean)*rstd*gx)
	}
}

func layerNormBackRowAddGeneric(dx, dy, x, gamma []float32, mean, rstd, g, gx float32) {
	for i, a := range x {
		dx[i] += rstd * (dy[i]*gamma[i] - g - (a-mean)*rstd*gx)
	}
}

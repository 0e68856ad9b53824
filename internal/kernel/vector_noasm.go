//go:build !amd64 || purego

package kernel

func add(dst []float32, x []float32) { addGeneric(dst, x) }

func sum2(dst []float32, x []float32, y []float32) { sum2Generic(dst, x, y) }

func axpy(dst []float32, a float32, x []float32) { axpyGeneric(dst, a, x) }

func scale(dst []float32, a float32) { scaleGeneric(dst, a) }

func mulAdd(dst []float32, x []float32, y []float32) { mulAddGeneric(dst, x, y) }

func relu(y []float32, x []float32) { reluGeneric(y, x) }

func reluBack(dx []float32, dy []float32, y []float32) { reluBackGeneric(dx, dy, y) }

func softmaxBack(ds []float32, p []float32, dp []float32, d float32, scale float32) {
	softmaxBackGeneric(ds, p, dp, d, scale)
}

func sigmoidBack(dx []float32, dy []float32, y []float32) { sigmoidBackGeneric(dx, dy, y) }

func tanhBack(dx []float32, dy []float32, y []float32) { tanhBackGeneric(dx, dy, y) }

func dot(x []float32, y []float32) float32 {
	return dotGeneric(x, y)
}

func sum(x []float32) float32 {
	return sumGeneric(x)
}

func maximum(x []float32) float32 {
	return maximumGeneric(x)
}

func scaleAddMax(x []float32, scale float32, y []float32) float32 {
	return scaleAddMaxGeneric(x, scale, y)
}

func sumSquares(x []float32) float64 {
	return sumSquaresGeneric(x)
}

func expSum(x []float32, scale float32, shift float32) float32 {
	return expSumGeneric(x, scale, shift)
}

func sigmoid(y []float32, x []float32) { sigmoidGeneric(y, x) }

func tanh(y []float32, x []float32) { tanhGeneric(y, x) }

func gelu(y []float32, x []float32) { geluGeneric(y, x) }

func geluBack(dx []float32, dy []float32, x []float32) { geluBackGeneric(dx, dy, x) }

func geluBackAdd(dx []float32, dy []float32, x []float32) { geluBackAddGeneric(dx, dy, x) }

func layerNormRow(y []float32, x []float32, gamma []float32, beta []float32, eps float32) (mean float32, rstd float32) {
	return layerNormRowGeneric(y, x, gamma, beta, eps)
}

func layerNormBackSums(dy []float32, x []float32, gamma []float32, mean float32, rstd float32) (avg float32, avgX float32) {
	return layerNormBackSumsGeneric(dy, x, gamma, mean, rstd)
}

func layerNormBackParams(dgamma []float32, dbeta []float32, dy []float32, x []float32, mean float32, rstd float32) {
	layerNormBackParamsGeneric(dgamma, dbeta, dy, x, mean, rstd)
}

func layerNormBackRow(dx []float32, dy []float32, x []float32, gamma []float32, mean float32, rstd float32, avg float32, avgX float32) {
	layerNormBackRowGeneric(dx, dy, x, gamma, mean, rstd, avg, avgX)
}

func layerNormBackRowAdd(dx []float32, dy []float32, x []float32, gamma []float32, mean float32, rstd float32, avg float32, avgX float32) {
	layerNormBackRowAddGeneric(dx, dy, x, gamma, mean, rstd, avg, avgX)
}

func dropout(y []float32, x []float32, keyLow uint32, keyHigh uint32, threshold uint32, factor float32) {
	dropoutGeneric(y, x, keyLow, keyHigh, threshold, factor)
}

func dropoutAdd(y []float32, x []float32, keyLow uint32, keyHigh uint32, threshold uint32, factor float32) {
	dropoutAddGeneric(y, x, keyLow, keyHigh, threshold, factor)
}

func adamW(p []float32, g []float32, m []float32, v []float32, a *[9]float32) {
	adamWGeneric(p, g, m, v, a)
}

func fuse(turns int) (perTurn int) {
	perTurn, _ = fuseGeneric(turns, 1)
	return perTurn
}

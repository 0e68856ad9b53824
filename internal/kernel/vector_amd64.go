//go:build amd64 && !purego

package kernel

//go:generate sh -c "cd _asm && go run ./vector -out ../vector_amd64.s -stubs ../vector_stub_amd64.go -pkg kernel"

func add(dst []float32, x []float32) {
	switch active {
	case AVX512:
		addAVX512(dst, x)
	case AVX2:
		addAVX2(dst, x)
	default:
		addGeneric(dst, x)
	}
}

func sum2(dst []float32, x []float32, y []float32) {
	switch active {
	case AVX512:
		sum2AVX512(dst, x, y)
	case AVX2:
		sum2AVX2(dst, x, y)
	default:
		sum2Generic(dst, x, y)
	}
}

func axpy(dst []float32, a float32, x []float32) {
	switch active {
	case AVX512:
		axpyAVX512(dst, a, x)
	case AVX2:
		axpyAVX2(dst, a, x)
	default:
		axpyGeneric(dst, a, x)
	}
}

func scale(dst []float32, a float32) {
	switch active {
	case AVX512:
		scaleAVX512(dst, a)
	case AVX2:
		scaleAVX2(dst, a)
	default:
		scaleGeneric(dst, a)
	}
}

func mulAdd(dst []float32, x []float32, y []float32) {
	switch active {
	case AVX512:
		mulAddAVX512(dst, x, y)
	case AVX2:
		mulAddAVX2(dst, x, y)
	default:
		mulAddGeneric(dst, x, y)
	}
}

func relu(y []float32, x []float32) {
	switch active {
	case AVX512:
		reluAVX512(y, x)
	case AVX2:
		reluAVX2(y, x)
	default:
		reluGeneric(y, x)
	}
}

func reluBack(dx []float32, dy []float32, y []float32) {
	switch active {
	case AVX512:
		reluBackAVX512(dx, dy, y)
	case AVX2:
		reluBackAVX2(dx, dy, y)
	default:
		reluBackGeneric(dx, dy, y)
	}
}

func softmaxBack(ds []float32, p []float32, dp []float32, d float32, scale float32) {
	switch active {
	case AVX512:
		softmaxBackAVX512(ds, p, dp, d, scale)
	case AVX2:
		softmaxBackAVX2(ds, p, dp, d, scale)
	default:
		softmaxBackGeneric(ds, p, dp, d, scale)
	}
}

func sigmoidBack(dx []float32, dy []float32, y []float32) {
	switch active {
	case AVX512:
		sigmoidBackAVX512(dx, dy, y)
	case AVX2:
		sigmoidBackAVX2(dx, dy, y)
	default:
		sigmoidBackGeneric(dx, dy, y)
	}
}

func tanhBack(dx []float32, dy []float32, y []float32) {
	switch active {
	case AVX512:
		tanhBackAVX512(dx, dy, y)
	case AVX2:
		tanhBackAVX2(dx, dy, y)
	default:
		tanhBackGeneric(dx, dy, y)
	}
}

func dot(x []float32, y []float32) float32 {
	switch active {
	case AVX512:
		return dotAVX512(x, y)
	case AVX2:
		return dotAVX2(x, y)
	}
	return dotGeneric(x, y)
}

func sum(x []float32) float32 {
	switch active {
	case AVX512:
		return sumAVX512(x)
	case AVX2:
		return sumAVX2(x)
	}
	return sumGeneric(x)
}

func maximum(x []float32) float32 {
	switch active {
	case AVX512:
		return maximumAVX512(x)
	case AVX2:
		return maximumAVX2(x)
	}
	return maximumGeneric(x)
}

func scaleAddMax(x []float32, scale float32, y []float32) float32 {
	switch active {
	case AVX512:
		return scaleAddMaxAVX512(x, scale, y)
	case AVX2:
		return scaleAddMaxAVX2(x, scale, y)
	}
	return scaleAddMaxGeneric(x, scale, y)
}

func sumSquares(x []float32) float64 {
	switch active {
	case AVX512:
		return sumSquaresAVX512(x)
	case AVX2:
		return sumSquaresAVX2(x)
	}
	return sumSquaresGeneric(x)
}

func expSum(x []float32, scale float32, shift float32) float32 {
	switch active {
	case AVX512:
		return expSumAVX512(x, scale, shift)
	case AVX2:
		return expSumAVX2(x, scale, shift)
	}
	return expSumGeneric(x, scale, shift)
}

func sigmoid(y []float32, x []float32) {
	switch active {
	case AVX512:
		sigmoidAVX512(y, x)
	case AVX2:
		sigmoidAVX2(y, x)
	default:
		sigmoidGeneric(y, x)
	}
}

func tanh(y []float32, x []float32) {
	switch active {
	case AVX512:
		tanhAVX512(y, x)
	case AVX2:
		tanhAVX2(y, x)
	default:
		tanhGeneric(y, x)
	}
}

func gelu(y []float32, x []float32) {
	switch active {
	case AVX512:
		geluAVX512(y, x)
	case AVX2:
		geluAVX2(y, x)
	default:
		geluGeneric(y, x)
	}
}

func geluBack(dx []float32, dy []float32, x []float32) {
	switch active {
	case AVX512:
		geluBackAVX512(dx, dy, x)
	case AVX2:
		geluBackAVX2(dx, dy, x)
	default:
		geluBackGeneric(dx, dy, x)
	}
}

func geluBackAdd(dx []float32, dy []float32, x []float32) {
	switch active {
	case AVX512:
		geluBackAddAVX512(dx, dy, x)
	case AVX2:
		geluBackAddAVX2(dx, dy, x)
	default:
		geluBackAddGeneric(dx, dy, x)
	}
}

func layerNormRow(y []float32, x []float32, gamma []float32, beta []float32, eps float32) (mean float32, rstd float32) {
	switch active {
	case AVX512:
		return layerNormRowAVX512(y, x, gamma, beta, eps)
	case AVX2:
		return layerNormRowAVX2(y, x, gamma, beta, eps)
	}
	return layerNormRowGeneric(y, x, gamma, beta, eps)
}

func layerNormBackSums(dy []float32, x []float32, gamma []float32, mean float32, rstd float32) (avg float32, avgX float32) {
	switch active {
	case AVX512:
		return layerNormBackSumsAVX512(dy, x, gamma, mean, rstd)
	case AVX2:
		return layerNormBackSumsAVX2(dy, x, gamma, mean, rstd)
	}
	return layerNormBackSumsGeneric(dy, x, gamma, mean, rstd)
}

func layerNormBackParams(dgamma []float32, dbeta []float32, dy []float32, x []float32, mean float32, rstd float32) {
	switch active {
	case AVX512:
		layerNormBackParamsAVX512(dgamma, dbeta, dy, x, mean, rstd)
	case AVX2:
		layerNormBackParamsAVX2(dgamma, dbeta, dy, x, mean, rstd)
	default:
		layerNormBackParamsGeneric(dgamma, dbeta, dy, x, mean, rstd)
	}
}

func layerNormBackRow(dx []float32, dy []float32, x []float32, gamma []float32, mean float32, rstd float32, avg float32, avgX float32) {
	switch active {
	case AVX512:
		layerNormBackRowAVX512(dx, dy, x, gamma, mean, rstd, avg, avgX)
	case AVX2:
		layerNormBackRowAVX2(dx, dy, x, gamma, mean, rstd, avg, avgX)
	default:
		layerNormBackRowGeneric(dx, dy, x, gamma, mean, rstd, avg, avgX)
	}
}

func layerNormBackRowAdd(dx []float32, dy []float32, x []float32, gamma []float32, mean float32, rstd float32, avg float32, avgX float32) {
	switch active {
	case AVX512:
		layerNormBackRowAddAVX512(dx, dy, x, gamma, mean, rstd, avg, avgX)
	case AVX2:
		layerNormBackRowAddAVX2(dx, dy, x, gamma, mean, rstd, avg, avgX)
	default:
		layerNormBackRowAddGeneric(dx, dy, x, gamma, mean, rstd, avg, avgX)
	}
}

func dropout(y []float32, x []float32, keyLow uint32, keyHigh uint32, threshold uint32, factor float32) {
	switch active {
	case AVX512:
		dropoutAVX512(y, x, keyLow, keyHigh, threshold, factor)
	case AVX2:
		dropoutAVX2(y, x, keyLow, keyHigh, threshold, factor)
	default:
		dropoutGeneric(y, x, keyLow, keyHigh, threshold, factor)
	}
}

func dropoutAdd(y []float32, x []float32, keyLow uint32, keyHigh uint32, threshold uint32, factor float32) {
	switch active {
	case AVX512:
		dropoutAddAVX512(y, x, keyLow, keyHigh, threshold, factor)
	case AVX2:
		dropoutAddAVX2(y, x, keyLow, keyHigh, threshold, factor)
	default:
		dropoutAddGeneric(y, x, keyLow, keyHigh, threshold, factor)
	}
}

func adamW(p []float32, g []float32, m []float32, v []float32, a *[9]float32) {
	switch active {
	case AVX512:
		adamWAVX512(p, g, m, v, a)
	case AVX2:
		adamWAVX2(p, g, m, v, a)
	default:
		adamWGeneric(p, g, m, v, a)
	}
}

func fuse(turns int) (perTurn int) {
	switch active {
	case AVX512:
		fuseAVX512(turns)
		return 24 * 16
	case AVX2:
		fuseAVX2(turns)
		return 12 * 8
	}
	perTurn, _ = fuseGeneric(turns, 1)
	return perTurn
}

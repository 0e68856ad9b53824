package explain

import (
	"fmt"
	"math"
	"slices"

	"heed/tensor"
)

// A Fusion says how the heads of a layer become one matrix.
type Fusion int

const (
	Mean Fusion = iota
	Max
	Min
)

// String returns the name of f in lower case.
func (f Fusion) String() string {
	switch f {
	case Mean:
		return "mean"
	case Max:
		return "max"
	case Min:
		return "min"
	}
	return fmt.Sprintf("Fusion(%d)", int(f))
}

// Uniform is the uniformity above which a rollout tells next to nothing.
const Uniform = 0.98

// Rollout returns row query of the attention rollout (Abnar & Zuidema 2020,
// §3): how much of each input position (L) could have flowed to position query
// of the last layer, which is 0 for a [CLS] token that leads. With the heads
// of layer l fused to Ā_l (L, L) and half of each position kept by the residual
// connection,
//
//	W_l = (Ā_l + I) / row sums        R = W_n · ... · W_1
//
// which for mean fusion is W = A/2 + I/2. The result is never negative and sums
// to 1 for every fusion.
//
// What a rollout cannot show: it is the same for every class and has no sign;
// it knows nothing of values, of the output projection, of the feed-forward
// layers and of the norms; it takes the residual for one half whatever its real
// share is; a position that only collects weight, a sink, comes out first; and
// it turns uniform with depth (see [Uniformity]).
func Rollout(layers []Layer, query int, fusion Fusion) []float64 {
	if len(layers) == 0 {
		panic("explain: rollout without layers")
	}
	readout := make([]float64, layers[0].Length)
	readout[query] = 1
	return RolloutFrom(layers, readout, fusion)
}

// RolloutFrom is Rollout for a model that reads more than one position of the
// last layer, by the weights of readout (L): 1/L each if it takes the mean.
//
// What is wanted is a row vector times one matrix after another, from the last
// layer to the first:
//
//	v = readout; for l = n..1: v[j] = Σ_i v[i]·W_l[i, j]
//
// O(nHL²) time and O(L) memory, where the product of the matrices needs O(nL³)
// and O(L²).
func RolloutFrom(layers []Layer, readout []float64, fusion Fusion) []float64 {
	length := len(readout)
	v, next := slices.Clone(readout), make([]float64, length)
	row := make([]float64, length)
	for l := len(layers) - 1; l >= 0; l-- {
		a := &layers[l]
		tensor.Check("explain.Rollout", []int{a.Length, len(a.Weights)}, length, a.Heads*length*length)
		clear(next)
		for i, mass := range v {
			if mass == 0 {
				continue // one row is enough for the first step from [CLS]
			}
			sum := fuse(row, a, i, fusion) + 1
			next[i] += mass / sum
			for j, w := range row {
				next[j] += mass * w / sum
			}
		}
		v, next = next, v
	}
	return v
}

// fuse writes row i of the fused weights (L) and returns its sum. The sum is 1
// for mean fusion and for no other.
func fuse(row []float64, a *Layer, i int, fusion Fusion) (sum float64) {
	for j := range row {
		w := float64(a.Weights[i*a.Length+j])
		for h := 1; h < a.Heads; h++ {
			x := float64(a.Weights[(h*a.Length+i)*a.Length+j])
			switch fusion {
			case Max:
				w = max(w, x)
			case Min:
				w = min(w, x)
			default:
				w += x
			}
		}
		if fusion == Mean {
			w /= float64(a.Heads)
		}
		row[j] = w
		sum += w
	}
	return sum
}

// Uniformity returns the entropy of weights (L), which are not negative, as a
// share of the largest possible, log L: 0 if one position has everything, 1 if
// all have the same. Rollouts approach 1 with depth, whatever the model has
// learned; above [Uniform], say so beside the figure. It is NaN without
// weights.
func Uniformity(weights []float64) float64 {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	if !(total > 0) {
		return math.NaN()
	}
	if len(weights) == 1 {
		return 0
	}
	entropy := 0.0
	for _, w := range weights {
		if p := w / total; p > 0 {
			entropy -= p * math.Log(p)
		}
	}
	return entropy / math.Log(float64(len(weights)))
}

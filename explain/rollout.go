package explain

import (
	"math"

	"heed/tensor"
)

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
// to 1 for every fusion. [Fuse] and [Roll] do the same in two steps, with
// more choices.
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
	return RolloutFrom(layers, ReadRow(layers[0].Length, query), fusion)
}

// RolloutFrom is Rollout for a model that reads more than one position of the
// last layer, by the weights of readout (L): 1/L each if it takes the mean.
// O(nHL²) time, most of which goes into the fusion of the heads.
func RolloutFrom(layers []Layer, readout []float64, fusion Fusion) []float64 {
	return Roll(Fuse(layers, FuseSpec{Fusion: fusion}), readout)
}

// Roll carries the weights of a readout (L) from the last layer to the input. A
// row vector passes through one matrix after another, first the last layer's:
//
//	v = readout; for l = n..1: v[j] ← Σ_i v[i]·W_l[i, j]
//
// O(nL²) time and O(L) memory, where the product of the matrices takes O(nL³)
// and O(L²): it is row query of [FullRollout] if the readout is [ReadRow]. The
// result sums to 1 if the readout and all rows do. The matrices may be fused
// attention, and as well those of [Encoder.Norms], [Encoder.ALTI] or
// [Encoder.ValueZeroing]: the caveat of what made them holds, and the result
// turns uniform with depth all the same (see [Uniformity]).
func Roll(layers []Mixing, readout []float64) []float64 {
	v := append([]float64(nil), readout...)
	for l := len(layers) - 1; l >= 0; l-- {
		tensor.Check("explain.Roll: "+layers[l].Name, []int{layers[l].Length, len(layers[l].Weights)}, len(v), len(v)*len(v))
		v = layers[l].back(v)
	}
	return v
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

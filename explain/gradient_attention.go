package explain

import (
	"fmt"

	"heed/tensor"
)

// A Part says what is kept of gradient x attention, a product that is positive
// where more attention would raise the score.
type Part int

const (
	// Positive keeps what speaks for the score, max(x, 0): the method of the
	// paper. Suppressors are invisible in it.
	Positive Part = iota
	// Negative keeps what speaks against the score, max(-x, 0): what Positive
	// would be for the score with the opposite sign.
	Negative
	// Signed keeps x. It is meant for one layer: over several, the product of
	// two negative values is positive, so that the two classes of a contrast do
	// not get opposite values. Positive less Negative does that at any depth.
	Signed
)

// String returns the name of p in lower case.
func (p Part) String() string {
	switch p {
	case Positive:
		return "positive"
	case Negative:
		return "negative"
	case Signed:
		return "signed"
	}
	return fmt.Sprintf("Part(%d)", int(p))
}

func (p Part) of(x float64) float64 {
	switch p {
	case Positive:
		return max(x, 0)
	case Negative:
		return max(-x, 0)
	}
	return x
}

// GradientAttention returns the relevance (L) of the input positions to a score
// that reads the last layer by the weights of readout (L), after Chefer, Gur &
// Wolf 2021 (ICCV, "Generic attention-model explainability", eq. 5 and 6), for
// layers of self-attention that [AttentionGradient] made:
//
//	Ā_l = mean over heads of (∂f/∂A_l ∘ A_l)⁺
//	R = I, then R ← R + Ā_l·R for l = 1..n
//	r = readout·(R - I)
//
// The identity is left out of r: it gives what is read to itself and says
// nothing. One layer gives Ā's rows as they are. Only a row vector is ever
// multiplied, from the last layer to the first: O(nHL²) time and O(L) memory
// beyond the layers, which cost one forward and one backward pass.
//
// Unlike a rollout it depends on the class. It is no decomposition: its sum
// means nothing, values of two inputs do not compare, (·)⁺ hides suppressors
// (see [Part]), and the paths through feed-forward layers, values and norms
// count by the gradient alone.
//
// The paper's earlier relatives that need layer-wise relevance propagation are
// left out of Heed on purpose: see docs/maths/gradients.md.
func GradientAttention(layers []Layer, readout []float64, part Part) []float64 {
	length := len(readout)
	r, v, row := make([]float64, length), make([]float64, length), make([]float64, length)
	for l := len(layers) - 1; l >= 0; l-- {
		a := &layers[l]
		a.checkGrad(length)
		for i := range v {
			v[i] = readout[i] + r[i] // before r changes
		}
		for i, mass := range v {
			if mass == 0 {
				continue // one row is enough for the last layer of a [CLS] model
			}
			weighRow(row, a.Weights, a.Grad, a.Heads, length, i, part)
			for j, w := range row {
				r[j] += mass * w
			}
		}
	}
	return r
}

// GradientAttentionMatrix returns all of R (L, L), the identity included: row i
// is the relevance of the input positions to position i of the last layer.
// O(nL³) time; [GradientAttention] is what a score needs.
func GradientAttentionMatrix(layers []Layer, part Part) []float64 {
	if len(layers) == 0 {
		panic("explain: gradient x attention without layers")
	}
	length := layers[0].Length
	r := identity(length)
	for l := range layers {
		a := &layers[l]
		a.checkGrad(length)
		r = plus(r, product(WeighHeads(a.Weights, a.Grad, a.Heads, length, length, part), r, length, length, length))
	}
	return r
}

// WeighHeads returns Ā (queries, keys), gradient x attention of one layer
// averaged over its heads, of weights and gradients (H, queries, keys). Weights
// of cross-attention, from which no [Layer] can be made, become the steps of a
// [Relevance] by it.
func WeighHeads(weights, grad []float32, heads, queries, keys int, part Part) []float64 {
	tensor.Check("explain: gradient x attention", []int{len(weights), len(grad)}, heads*queries*keys, heads*queries*keys)
	out := make([]float64, queries*keys)
	for i := range queries {
		weighRow(out[i*keys:(i+1)*keys], weights, grad, heads, queries, i, part)
	}
	return out
}

// weighRow writes row i of Ā.
func weighRow(row []float64, weights, grad []float32, heads, queries, i int, part Part) {
	clear(row)
	for h := range heads {
		at := (h*queries + i) * len(row)
		for j, w := range weights[at : at+len(row)] {
			row[j] += part.of(float64(w) * float64(grad[at+j]))
		}
	}
	for j := range row {
		row[j] /= float64(heads)
	}
}

// AttentionGradCAM returns the relevance (L) of the positions that one layer,
// usually the last, attends to: Grad-CAM (Selvaraju et al. 2017) with heads for
// channels, as Chefer et al. 2021 use it as a baseline. Each head counts by its
// mean gradient:
//
//	g_h = mean over i, j of ∂f/∂A[h, i, j]
//	r[j] = Σ_i readout[i] · ( mean over heads of g_h·A[h, i, j] )⁺
//
// It knows nothing of the layers below, so r is about what their outputs at a
// position hold, not about the input there; and a head whose gradients cancel
// counts for nothing.
func AttentionGradCAM(layer *Layer, readout []float64) []float64 {
	length := len(readout)
	layer.checkGrad(length)
	gains := make([]float64, layer.Heads)
	for h := range gains {
		for _, g := range layer.Grad[h*length*length : (h+1)*length*length] {
			gains[h] += float64(g)
		}
		gains[h] /= float64(length * length)
	}
	out := make([]float64, length)
	for i, mass := range readout {
		if mass == 0 {
			continue
		}
		for j := range out {
			sum := 0.0
			for h, g := range gains {
				sum += g * float64(layer.Weights[(h*length+i)*length+j])
			}
			out[j] += mass * max(sum/float64(layer.Heads), 0)
		}
	}
	return out
}

func (a *Layer) checkGrad(length int) {
	if a.Grad == nil {
		panic(fmt.Sprintf("explain: layer %q has no gradient", a.Name))
	}
	tensor.Check("explain: gradient x attention", []int{a.Length, len(a.Weights), len(a.Grad)},
		length, a.Heads*length*length, a.Heads*length*length)
}

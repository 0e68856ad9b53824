package explain

import (
	"strings"

	"heed/autograd"
	"heed/tensor"
)

// A Layer holds the attention weights of one layer for one sequence.
type Layer struct {
	Name    string    // as the probe saw it, such as "layers.0.attention.weights"
	Heads   int       // H
	Length  int       // L
	Weights []float32 // (H, L, L): what each query (row) gives to each key (column)
}

// Attention runs a model on one sequence and returns the weights of all its
// self-attention layers, in the order in which they ran. run receives a tape
// that computes no gradients and applies no dropout, and makes one forward
// pass; memory is n·H·L² values for n layers, against O(L) of a pass that
// nobody watches.
func Attention(run func(t *autograd.Tape)) []Layer {
	var layers []Layer
	run(&autograd.Tape{
		NoGrad: true,
		Probe: func(name string, v *autograd.Var) {
			if !strings.HasSuffix(name, ".weights") {
				return
			}
			length := v.Dim(-1)
			tensor.Check("explain.Attention of one sequence", v.Shape, 1, -1, length, length)
			// The Var's memory is the tape's.
			layers = append(layers, Layer{name, v.Shape[1], length, append([]float32(nil), v.Data...)})
		},
	})
	return layers
}

package explain

import (
	"slices"
	"strings"

	"heed/autograd"
	"heed/tensor"
)

// A Layer holds the attention weights of one layer for one input.
type Layer struct {
	Name    string    // as the probe saw it, such as "layers.0.attention.weights"
	Heads   int       // H
	Length  int       // L
	Weights []float32 // (H, L, L): what each query (row) gives to each key (column)
	// Grad (H, L, L) is the derivative of the score with respect to Weights; nil
	// unless [AttentionGradient] made the layer.
	Grad []float32
}

const weightsSuffix = ".weights"

// Attention runs a case once and returns the weights of all its self-attention
// layers, in the order in which they ran: raw attention, without gradients.
// Memory is n·H·L² values for n layers, against O(L) of a pass that nobody
// watches.
//
// Raw weights say where information could flow in one layer. They say nothing
// of values (a position may have weight and carry nothing), of other layers, or
// of the class.
func Attention(c *Case) []Layer {
	var layers []Layer
	c.run(&autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		if strings.HasSuffix(name, weightsSuffix) {
			layers = append(layers, newLayer(name, v, c.Rows))
		}
	}}, 1)
	return layers
}

// AttentionGradient is [Attention] with the gradient of the score with respect
// to every weight: one forward and one backward pass, 2·n·H·L² values.
func AttentionGradient(c *Case) []Layer {
	var layers []Layer
	var vars []*autograd.Var
	t := &autograd.Tape{Frozen: true, Probe: func(name string, v *autograd.Var) {
		if strings.HasSuffix(name, weightsSuffix) {
			layers = append(layers, newLayer(name, v, c.Rows))
			vars = append(vars, v)
		}
	}}
	y := c.run(t, 1)
	if len(layers) == 0 {
		return nil
	}
	t.Backward(y)
	for i, v := range vars {
		layers[i].Grad = make([]float32, len(v.Data))
		copy(layers[i].Grad, v.Grad) // nil where the score does not depend on it
	}
	return layers
}

// newLayer copies the weights of a pass over one copy: the Var's memory is the
// tape's.
func newLayer(name string, v *autograd.Var, rows int) Layer {
	tensor.Check("explain: attention of one input", v.Shape, 1, -1, rows, rows)
	return Layer{Name: name, Heads: v.Shape[1], Length: rows, Weights: slices.Clone(v.Data)}
}

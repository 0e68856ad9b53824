package volume

import (
	"heed/autograd"
	"heed/nn"
)

// A Plan is the memory that training needs, in bytes, before it is taken.
type Plan struct {
	Weights     int64 // parameters, and their gradients on every leaf
	Optimiser   int64 // two moments of every parameter
	Activations int64 // of all leaves, with gradients and the volumes themselves
	Prediction  int64 // of one core that predicts
}

// Total returns what training takes while cores predict for validation: leaves keep
// their buffers from step to step.
func (p Plan) Total(cores int) int64 {
	return p.Weights + p.Optimiser + p.Activations + int64(cores)*p.Prediction
}

// NewPlan counts the buffers that the operations of a training step take, for a batch
// that is cut into leaves, and those of predicting one volume at a time.
func NewPlan(c Config, batch, leaves int) Plan {
	leaves = max(1, min(leaves, batch))
	params := int64(nn.Count(New(c, nil)))
	perLeaf := (batch + leaves - 1) / leaves
	return Plan{
		Weights:     4 * params * int64(2+leaves),
		Optimiser:   8 * params,
		Activations: 4 * int64(leaves) * (buffers(c, perLeaf, true) + int64((perLeaf+1)*voxels(c.Size)*c.Channels)),
		Prediction:  4 * (buffers(c, 1, false) + int64(2*voxels(c.Size)*c.Channels)),
	}
}

// buffers counts the floats of the buffers of one tape for some volumes at once.
func buffers(c Config, volumes int, gradients bool) int64 {
	var stages, largest, outputs int64
	for i, width := range c.Stem {
		n := int64(autograd.BufferSize(volumes * voxels(c.gridAfter(i+1)) * width))
		// Convolution, norm, activation, and for each block two of each and a sum.
		own := n * int64(3+7*c.Blocks)
		stages, largest, outputs = stages+own, max(largest, own), outputs+n
	}
	rows := volumes * (c.Tokens() + 1)
	row, hidden := int64(autograd.BufferSize(rows*c.Dim())), int64(autograd.BufferSize(rows*c.FFN))
	// Two norms, query, key, value, heads, out, two sums, dropout; up, gelu.
	layer := 11*row + 2*hidden
	const windows = 3 << 16  // of convolutions
	total := 5*row + windows // position, [CLS], dropout, last norm, pooling
	if c.Recompute && c.Layers > 0 {
		total += layer
	} else {
		total += int64(c.Layers) * layer
	}
	if c.Recompute {
		total += largest + outputs
	} else {
		total += stages
	}
	if gradients { // they live from the first operation that needs them to the one that makes them
		total += 3*outputs + 5*row + 2*hidden
		if c.Recompute {
			total += outputs
		}
	}
	return total
}

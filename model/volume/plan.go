package volume

import (
	"fmt"

	"heed/nn"
)

// A Plan is the memory that training needs, in bytes, before it is taken.
type Plan struct {
	Weights     int64 // parameters, and their gradients on every leaf
	Optimiser   int64 // two moments of every parameter
	Activations int64 // of all leaves, with the largest gradients
}

// Total returns the sum.
func (p Plan) Total() int64 { return p.Weights + p.Optimiser + p.Activations }

// String says it in MiB.
func (p Plan) String() string {
	mib := func(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
	return fmt.Sprintf("%s (activations %s, weights %s, optimiser %s)", mib(p.Total()), mib(p.Activations), mib(p.Weights), mib(p.Optimiser))
}

// NewPlan counts what the operations of a training step store, for a batch that
// is cut into leaves. Buffers are
// rounded up by at most a quarter; the plan takes that for granted.
func NewPlan(c Config, batch, leaves int) Plan {
	leaves = max(1, min(leaves, batch))
	params := int64(nn.Count(New(c, nil)))
	perLeaf := int64((batch + leaves - 1) / leaves)
	var stored, largest, kept int64 // floats of one volume: of all parts, of one part, between parts
	part := func(n, out int64) {
		stored += n
		largest, kept = max(largest, n), kept+out
	}
	input := int64(voxels(c.Size) * c.Channels)
	for i, width := range c.Stem {
		n := int64(voxels(c.gridAfter(i+1)) * width)
		// Convolution, norm, activation, and for each block two of each and a sum.
		part(n*int64(3+7*c.Blocks), n)
	}
	rows, d := int64(c.Tokens()+1), int64(c.Dim())
	for range c.Layers {
		// Two norms, query, key, value, heads, out, two sums, dropout; up, gelu.
		part(rows*(11*d+2*int64(c.FFN)), rows*d)
	}
	tail := 4 * rows * d // position, [CLS], dropout, last norm
	activations := stored + tail
	if c.Recompute {
		activations = kept + largest + tail
	}
	// Gradients live from the first operation that needs them to the one that
	// makes them: about four of the largest at a time, and buffers of windows.
	gradients := int64(0)
	for i, width := range c.Stem {
		gradients = max(gradients, 4*int64(voxels(c.gridAfter(i+1))*width))
	}
	perVolume := (activations+gradients)*5/4 + 2*input
	const windows = 3 << 16 // floats, of each leaf
	return Plan{
		Weights:     4 * params * int64(2+leaves),
		Optimiser:   8 * params,
		Activations: 4 * (perVolume*perLeaf + windows) * int64(leaves), // every leaf keeps its buffers for the next step
	}
}

package explain_test

import (
	"fmt"

	"heed/explain"
)

// One layer without its residual connection, and the rows of all positions.
func ExampleFuse() {
	layers := []explain.Layer{{Heads: 1, Length: 3, Weights: []float32{
		0, 0.25, 0.75,
		0, 1, 0,
		0, 0, 1,
	}}}
	fused := explain.Fuse(layers, explain.FuseSpec{NoResidual: true})
	fmt.Println(explain.Roll(fused, explain.ReadRow(3, 0)))
	full := explain.FullRollout(fused)
	fmt.Println(full.Row(0), full.Row(1), full.Row(2))
	// Output:
	// [0 0.25 0.75]
	// [0 0.25 0.75] [0 1 0] [0 0 1]
}

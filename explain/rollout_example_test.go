package explain_test

import (
	"context"
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

// Two of three tokens are reached through a wide and a narrow edge.
func ExampleAttentionFlow() {
	layers := explain.Fuse([]explain.Layer{{Heads: 1, Length: 3, Weights: []float32{
		0, 0.75, 0.25,
		0, 1, 0,
		0, 0, 1,
	}}}, explain.FuseSpec{})
	f, err := explain.AttentionFlow(context.Background(), layers, explain.ReadRow(3, 0), explain.FlowLength)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Max)
	fmt.Printf("variation %.2f, informative: %v\n", f.CV, f.Informative())
	// Output:
	// [0.5 0.375 0.125]
	// variation 0.47, informative: true
}

// Two sequences of two columns. The first cell of the first sequence looks at
// the second column, and the second column of the first sequence at the second
// sequence.
func ExampleAxialRollout() {
	block := explain.AxialBlock{
		Heads:   1,
		Row:     []float32{0, 1, 0, 1},             // tied
		Columns: []float32{1, 0, 0, 1, 0, 1, 0, 1}, // of each column
	}
	v := explain.AxialRollout([]explain.AxialBlock{block, block}, 2, 2, explain.ReadRow(4, 0), explain.FuseSpec{})
	fmt.Println(v[:2], v[2:])
	// Output:
	// [0.25 0.5] [0 0.25]
}

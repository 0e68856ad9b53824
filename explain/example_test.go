package explain_test

import (
	"bytes"
	"context"
	"fmt"

	"heed/explain"
)

// The score counts one motif, so only the motif matters, and each of its
// letters by itself.
func ExampleMutagenesis() {
	score := func(seqs [][]byte) []float64 {
		out := make([]float64, len(seqs))
		for i, s := range seqs {
			out[i] = float64(bytes.Count(s, []byte("TATAAT")))
		}
		return out
	}
	effects, err := explain.Mutagenesis(context.Background(), []byte("GCTATAATGC"), []byte("ACGT"), 64, score)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(effects.Importance())
	// Output: [0 0 1 1 1 1 1 1 0 0]
}

// One layer in which the first of three tokens attends to the last.
func ExampleRollout() {
	layer := explain.Layer{Heads: 1, Length: 3, Weights: []float32{
		0, 0, 1,
		0, 1, 0,
		0, 0, 1,
	}}
	row := explain.Rollout([]explain.Layer{layer}, 0, explain.Mean)
	fmt.Println(row)
	fmt.Printf("uniformity %.2f\n", explain.Uniformity(row))
	// Output:
	// [0.5 0 0.5]
	// uniformity 0.63
}

package nn_test

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"heed/autograd"
	"heed/nn"
)

// Two sequences are packed end to end. Each attends to itself alone, so the
// second has the same values in any company, without padding.
func ExampleMultiHeadAttention() {
	r := rand.New(rand.NewPCG(1, 2))
	const dim, heads = 8, 2
	attention := nn.NewMultiHeadAttention(dim, heads, r)
	attention.Name = "attention"

	x := make([]float32, 5*dim) // 3 rows of one sequence, 2 of another
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	tape := &autograd.Tape{Probe: func(name string, v *autograd.Var) {
		fmt.Println(name, v.Shape) // (segments, heads, queries, keys), padded to the longest
	}}
	y := attention.Mix(tape, autograd.Input(x, 5, dim), autograd.Packed(3, 2))
	fmt.Println(y.Shape)

	alone := attention.Mix(&autograd.Tape{}, autograd.Input(x[3*dim:], 2, dim), autograd.Packed(2))
	packed := attention.Mix(&autograd.Tape{}, autograd.Input(x, 5, dim), autograd.Packed(3, 2))
	fmt.Println(slices.Equal(alone.Data, packed.Data[3*dim:]))
	// Output:
	// attention.query [5 8]
	// attention.key [5 8]
	// attention.weights [2 2 3 3]
	// attention.heads [5 8]
	// [5 8]
	// true
}

// Visit is all that a checkpoint or an optimiser knows of a module. A
// parameter is frozen by its Trainable.
func ExampleModule() {
	layer := nn.NewLinear(3, 2, nil)
	layer.Bias.Trainable = false
	layer.Visit("classifier", func(name string, p *autograd.Var) {
		fmt.Println(name, p.Shape, p.Trainable)
	})
	fmt.Println(nn.Count(layer), "trainable values")
	// Output:
	// classifier.weight [2 3] true
	// classifier.bias [2] false
	// 6 trainable values
}

// Positions are added to what is embedded; Positions tells the row of the table
// for every row of the batch.
func ExampleSinusoidal() {
	segments := autograd.Packed(3, 2)
	positions := nn.Positions(segments, 5)
	fmt.Println(positions)

	t := &autograd.Tape{}
	embed := nn.NewEmbedding(4, 8, 0.5, rand.New(rand.NewPCG(1, 2)))
	x := embed.Forward(t, []int32{0, 3, 1, 2, 2})
	x = autograd.Add(t, x, autograd.Rows(t, nn.Sinusoidal(100, 8), positions))
	fmt.Println(x.Shape)
	// Output:
	// [0 1 2 0 1]
	// [5 8]
}

package autograd_test

import (
	"fmt"

	"heed/autograd"
	"heed/tensor"
)

// The gradient of a loss with respect to a weight.
func Example() {
	w := &autograd.Var{Tensor: *tensor.Of([]float32{1, 2, 3, 4}, 2, 2), Trainable: true}
	x := autograd.Input([]float32{10, 1}, 1, 2)

	t := &autograd.Tape{}
	y := autograd.Linear(t, x, w, nil) // x·wᵀ
	t.Backward(autograd.Sum(t, y))
	autograd.Gather([]*autograd.Var{w}, t)

	fmt.Println(y.Data, w.Grad)
	// Output: [12 34] [10 1 10 1]
}

// Two sequences of two and three rows lie end to end. Neither sees the other:
// equal keys give equal weights, so each row becomes the mean of its sequence.
func ExampleAttention() {
	q := autograd.Input(make([]float32, 5), 5, 1)
	v := autograd.Input([]float32{1, 3, 10, 20, 60}, 5, 1)

	t := &autograd.Tape{NoGrad: true}
	segments := autograd.Packed(2, 3)
	y := autograd.Attention(t, q, q, v, autograd.AttentionSpec{Heads: 1, Query: segments})
	fmt.Println(y.Data)

	// The same rows, where the last one of each sequence is padding.
	mask := []bool{true, false, true, true, false}
	y = autograd.Attention(t, q, q, v, autograd.AttentionSpec{Heads: 1, Query: segments, KeyMask: mask})
	fmt.Println(y.Data)
	// Output:
	// [2 2 30 30 30]
	// [1 1 15 15 15]
}

// A probe sees the weights of a named attention, shape (segments, heads,
// queries, keys), and after Backward their gradient.
func ExampleTape_probe() {
	q := autograd.Input(make([]float32, 2), 2, 1)
	v := autograd.Input([]float32{1, 3}, 2, 1)

	var weights *autograd.Var
	t := &autograd.Tape{Probe: func(name string, w *autograd.Var) {
		fmt.Println(name, w.Shape, w.Data)
		weights = w
	}}
	y := autograd.Attention(t, q, q, v, autograd.AttentionSpec{Name: "layers.0", Heads: 1, Query: autograd.Packed(2)})
	t.Backward(autograd.Sum(t, y))
	fmt.Println(weights.Grad)
	// Output:
	// layers.0.weights [1 1 2 2] [0.5 0.5 0.5 0.5]
	// [1 3 1 3]
}

// A batch cut into two tapes has the gradient of the whole, and the same bits
// on any number of cores.
func ExampleGather() {
	w := autograd.Param(1, 2)
	params := []*autograd.Var{w}
	tapes := make([]*autograd.Tape, 2)
	for i, x := range [][]float32{{1, 2}, {3, 4}} {
		tapes[i] = &autograd.Tape{}
		y := autograd.Linear(tapes[i], autograd.Input(x, 1, 2), w, nil)
		tapes[i].Backward(autograd.Sum(tapes[i], y))
	}
	autograd.Gather(params, tapes...)
	fmt.Println(w.Grad)
	// Output: [4 6]
}

package explain_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"heed/autograd"
	"heed/explain"
	"heed/model/sequence"
	"heed/tensor"
)

// both returns a case of two numbers, a = 1 and b = 1, whose score is
// relu(a + b - 1): it needs both.
func both() *explain.Case {
	table := autograd.Input([]float32{1, 1}, 2, 1)
	return &explain.Case{Rows: 2, Readout: explain.ReadMean(2, 0), Run: func(t *autograd.Tape, n int) *autograd.Var {
		x := autograd.Embedding(t, table, slices.Repeat([]int32{0, 1}, n))
		t.Watch(explain.Embedding, x)
		sum := autograd.Input([]float32{1, 1}, 1, 2)
		return autograd.ReLU(t, autograd.Linear(t, autograd.Reshape(t, x, n, 2), sum, autograd.Input([]float32{-1}, 1)))
	}}
}

// Gradient x input gives each of two inputs that are needed together the whole.
func ExampleGradient() {
	s := explain.Gradient(both())
	fmt.Println(s.Score, s.TimesInput())
	// Output: 1 [1 1]
}

// Integrated gradients share the score.
func ExampleIntegratedGradients() {
	nothing := []float32{0, 0}
	g, err := explain.IntegratedGradients(context.Background(), both(), 16, nothing)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("from %v to %v: %.3f, met %v after %d points\n", g.Baseline, g.Score, g.Values, g.Met(), g.Paths[0].Steps)
	// Output: from 0 to 1: [0.500 0.500], met true after 8 points
}

// A case has the embedding of its input, which another case of the same length
// may take for its baseline.
func ExampleCase_Embedded() {
	fmt.Println(both().Embedded().Data)
	// Output: [1 1]
}

// What the gradient of a position says of the letters A and T, less what it
// says of all of them.
func ExampleLetterGradient() {
	letters := tensor.Of([]float32{1, 0, 0, 1}, 2, 2)
	grad := tensor.Of([]float32{5, 1}, 1, 2)
	fmt.Println(explain.LetterGradient(grad, letters))
	// Output: [[2 -2]]
}

// Three positions: the first attends most to a sink that carries nothing. The
// second pulls the score up, the third down.
func ExampleGradientAttention() {
	layers := []explain.Layer{{Heads: 1, Length: 3,
		Weights: []float32{0.5, 0.25, 0.25, 1, 0, 0, 1, 0, 0},
		Grad:    []float32{0, 2, -2, 0, 0, 0, 0, 0, 0},
	}}
	cls := explain.ReadRow(3, 0)
	fmt.Println("rollout ", explain.RolloutFrom(layers, cls, explain.Mean))
	fmt.Println("for     ", explain.GradientAttention(layers, cls, explain.Positive))
	fmt.Println("against ", explain.GradientAttention(layers, cls, explain.Negative))
	fmt.Println("Grad-CAM", explain.AttentionGradCAM(&layers[0], cls))
	// Output:
	// rollout  [0.75 0.125 0.125]
	// for      [0 0.5 0]
	// against  [0 0 0.5]
	// Grad-CAM [0 0 0]
}

func ExampleGradientAttentionMatrix() {
	layer := explain.Layer{Heads: 1, Length: 2, Weights: []float32{0.5, 0.5, 0, 1}, Grad: []float32{0, 2, 0, -1}}
	fmt.Println(explain.GradientAttentionMatrix([]explain.Layer{layer}, explain.Positive))
	// Output: [1 1 0 1]
}

// A question of one token attends to an image of two regions.
func ExampleRelevance() {
	weights, grad := []float32{0.75, 0.25}, []float32{-1, 4}
	r := explain.NewRelevance(1, 2)
	r.Cross(0, explain.WeighHeads(weights, grad, 1, 1, 2, explain.Positive))
	fmt.Println(r.Maps[0][1])
	// Output: [0 1]
}

// An untrained model: the parts of its score add up whatever it has learned.
func ExampleDecompose() {
	c, e := untrained()
	d, err := explain.Decompose(context.Background(), c, e, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	sum := d.Bias
	for _, v := range d.Values {
		sum += v
	}
	fmt.Printf("%d rows and the bias; off by less than 1e-4: %v\n", len(d.Values), sum-d.Score < 1e-4 && d.Score-sum < 1e-4)
	// Output: 6 rows and the bias; off by less than 1e-4: true
}

func ExampleDirectLogitAttribution() {
	c, e := untrained()
	d, err := explain.DirectLogitAttribution(c, e)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d layers of %d heads and a feed-forward layer; off by less than 1e-4: %v\n",
		len(d.Heads), len(d.Heads[0]), d.Sum()-d.Score < 1e-4 && d.Score-d.Sum() < 1e-4)
	// Output: 2 layers of 2 heads and a feed-forward layer; off by less than 1e-4: true
}

// untrained returns a model's encoder and the case of five letters.
func untrained() (*explain.Case, *explain.Encoder) {
	m := sequence.New(sequence.Config{
		Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: 8, Layers: 2, Dim: 8, Heads: 2, FFN: 16,
		Position: "learned", Pooling: "cls", Classes: 2,
	}, rand.New(rand.NewPCG(1, 2)))
	ids := m.Config.Tokenizer.Encode([]byte("TATAA"))
	c := &explain.Case{Rows: 1 + len(ids), Readout: explain.ReadRow(1+len(ids), 0),
		Run: func(t *autograd.Tape, n int) *autograd.Var {
			return explain.Contrast(t, m.Logits(t, m.Pack(slices.Repeat([][]int32{ids}, n)...)), 1)
		}}
	return c, &explain.Encoder{Layers: m.Layers, Norm: m.Norm, Classifier: m.Classifier, Class: explain.ContrastWeights(2, 1)}
}

package nn_test

import (
	"fmt"
	"math/rand/v2"

	"heed/autograd"
	"heed/nn"
)

// A classifier of sequences over four letters, from layers. Its fields are its
// parameters in the order in which data meets them.
type classifier struct {
	Embed *nn.Embedding    // (4, D)
	Layer *nn.EncoderLayer // attention and feed-forward
	Norm  *nn.LayerNorm
	Out   *nn.Linear // (2, D)
}

func newClassifier(r *rand.Rand) *classifier {
	const dim, heads, ffn, letters, classes = 12, 2, 24, 4, 2
	attention := nn.NewMultiHeadAttention(dim, heads, r)
	attention.Rotary = autograd.RotaryFrequencies(dim/heads, 10000) // positions
	return &classifier{
		Embed: nn.NewEmbedding(letters, dim, 0.5, r),
		Layer: nn.NewEncoderLayer(attention, dim, ffn, r),
		Norm:  nn.NewLayerNorm(dim),
		Out:   nn.NewLinear(dim, classes, r),
	}
}

// Visit makes the classifier an nn.Module: optimiser, checkpoint and training
// loop find the parameters here.
func (c *classifier) Visit(prefix string, f nn.Visitor) {
	c.Embed.Visit(nn.Join(prefix, "embed"), f)
	c.Layer.Visit(nn.Join(prefix, "layer"), f)
	c.Norm.Visit(nn.Join(prefix, "norm"), f)
	c.Out.Visit(nn.Join(prefix, "out"), f)
}

// Logits returns (len(seqs), 2). The sequences, of any lengths, are packed end
// to end; segments keep them apart.
func (c *classifier) Logits(t *autograd.Tape, seqs [][]int32) *autograd.Var {
	var tokens []int32
	var lengths []int
	for _, s := range seqs {
		tokens, lengths = append(tokens, s...), append(lengths, len(s))
	}
	segments := autograd.Packed(lengths...)
	x := c.Embed.Forward(t, tokens)       // (T, D)
	x = c.Layer.Forward(t, x, segments)   // (T, D)
	x = c.Norm.Forward(t, x)              // (T, D)
	x = autograd.MeanPool(t, x, segments) // (len(seqs), D)
	return c.Out.Forward(t, x)
}

// A classifier from layers, trained by plain gradient descent to tell whether a
// 2 is directly followed by a 1. Packages optim and train do this better.
func Example() {
	r := rand.New(rand.NewPCG(1, 2))
	var seqs [][]int32
	var labels []int32
	for range 48 {
		s := make([]int32, 6+r.IntN(7))
		for i := range s {
			s[i] = r.Int32N(4)
		}
		label := int32(0)
		if r.IntN(2) == 1 {
			i := r.IntN(len(s) - 1)
			s[i], s[i+1] = 2, 1
		}
		for i := range len(s) - 1 {
			if s[i] == 2 && s[i+1] == 1 {
				label = 1
			}
		}
		seqs, labels = append(seqs, s), append(labels, label)
	}

	model := newClassifier(r)
	params := nn.Params(model)
	fmt.Println(nn.Count(model), "trainable values")
	tape := &autograd.Tape{}
	var first, last float32
	for step := range 200 {
		tape.Reset() // forgets the last pass and reuses its memory
		loss := autograd.CrossEntropy(tape, model.Logits(tape, seqs), labels, float32(len(seqs)))
		if last = loss.Data[0]; step == 0 {
			first = last
		}
		tape.Backward(loss)
		autograd.Gather(params, tape) // into the Grad of every parameter
		for _, p := range params {
			for i, g := range p.Grad {
				p.Data[i] -= 0.15 * g
			}
		}
	}
	fmt.Println("the loss fell:", last < first/4)

	unseen := [][]int32{{0, 3, 2, 1, 0, 3}, {0, 3, 1, 2, 0, 3}}
	logits := model.Logits(&autograd.Tape{NoGrad: true}, unseen)
	for i, s := range unseen {
		p := autograd.Softmax(logits.Data[2*i : 2*i+2])
		fmt.Println(s, p[1] > 0.5)
	}
	// Output:
	// 1382 trainable values
	// the loss fell: true
	// [0 3 2 1 0 3] true
	// [0 3 1 2 0 3] false
}

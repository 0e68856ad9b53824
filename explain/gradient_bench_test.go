package explain

import (
	"context"
	"math/rand/v2"
	"testing"

	"heed/model/sequence"
)

// BenchmarkGradients: a model of four layers of width 128 and 300 rows. The
// cost of a method is its ratio to "forward".
func BenchmarkGradients(b *testing.B) {
	m := sequence.New(sequence.Config{
		Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: 299, Layers: 4, Dim: 128, Heads: 4, FFN: 512,
		Position: "learned", Pooling: "cls", Classes: 2,
	}, rand.New(rand.NewPCG(1, 2)))
	ids := make([]int32, 299)
	for i := range ids {
		ids[i] = int32(3 + i*i%4)
	}
	c, e, ctx := caseOf(m, ids, 1), encoderOf(m, 1), context.Background()
	zero := make([]float32, c.Rows*128)
	layers := AttentionGradient(c)
	for name, f := range map[string]func(){
		"forward":                     func() { c.Score() },
		"gradient":                    func() { Gradient(c) },
		"attention and its gradients": func() { AttentionGradient(c) },
		"gradient x attention":        func() { GradientAttention(layers, c.Readout, Positive) },
		"matrix":                      func() { GradientAttentionMatrix(layers, Positive) },
		"direct":                      func() { DirectLogitAttribution(c, e) },
		"decompose":                   func() { Decompose(ctx, c, e, 0) },
		"integrate 16 points": func() {
			(&integrator{c, c.Embedded(), 8}).meanGradient(ctx, zero, 16)
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
		})
	}
}

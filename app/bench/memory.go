package bench

import (
	"math/rand/v2"
	"runtime"

	"heed/autograd"
	"heed/model/sequence"
)

// Memory is what a pass over one sequence holds, without the weights of the model.
type Memory struct {
	Tokens    int   `json:"tokens"`
	Inference int64 `json:"inference"` // bytes
	Training  int64 `json:"training"`  // bytes
	// Matrices is what the attention weights of all layers and heads alone would
	// take in a program that keeps them for the gradient.
	Matrices int64 `json:"matrices"`
}

// lengths are those whose memory is measured.
func lengths(most int) (out []int) {
	for n := 512; n <= most; n *= 2 {
		out = append(out, n)
	}
	return out
}

// The model whose memory is measured.
const memoryLayers, memoryDim, memoryHeads = 2, 64, 4

// memoryWork is half of the operations that memory takes: of a pass forward, and one forward and back.
func memoryWork(tokens int) float64 {
	f := encoder(memoryLayers, memoryDim, 4*memoryDim, 1, tokens, false)
	return (f.total() + f.trained()) / 2
}

// memory measures what the tapes of one pass hold.
func memory(tokens int) Memory {
	r := rand.New(rand.NewPCG(1, 6))
	m := sequence.New(sequence.Config{Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: tokens - 1, Layers: memoryLayers, Dim: memoryDim, Heads: memoryHeads, FFN: 4 * memoryDim,
		Position: "sinusoidal", Pooling: "mean", Classes: 2}, r)
	text := make([]byte, tokens-1)
	for i := range text {
		text[i] = "ACGT"[r.IntN(4)]
	}
	batch := m.Pack(m.Config.Tokenizer.Encode(text))
	held := func(t *autograd.Tape, pass func()) int64 {
		before := heap()
		pass()
		after := heap()
		runtime.KeepAlive(t)
		return max(0, after-before)
	}
	out := Memory{Tokens: tokens, Matrices: 4 * memoryLayers * memoryHeads * int64(tokens) * int64(tokens)}
	a := &autograd.Tape{NoGrad: true}
	out.Inference = held(a, func() { m.Logits(a, batch) })
	b := &autograd.Tape{}
	out.Training = held(b, func() { b.Backward(autograd.CrossEntropy(b, m.Logits(b, batch), []int32{1}, 1)) })
	runtime.KeepAlive(m)
	runtime.KeepAlive(batch)
	return out
}

// heap returns the bytes in use. What a tape has once needed it keeps until it is
// dropped, so that this is the largest it has had.
func heap() int64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

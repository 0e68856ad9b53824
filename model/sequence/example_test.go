package sequence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/autograd"
	"heed/format/fasta"
	"heed/model/sequence"
)

// newModel returns a small model with random weights. Package train says how to
// train it.
func newModel() *sequence.Model {
	cfg := sequence.Config{
		Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: 100, Layers: 2, Dim: 32, Heads: 4, FFN: 64,
		Stem: []int{7}, Position: "learned", Pooling: "cls", Classes: 2,
	}
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	return sequence.New(cfg, rand.New(rand.NewPCG(1, 2)))
}

// Sequences of a FASTA file go through the model in one batch; the [CLS] row of
// each gives its class.
func ExampleModel_Logits() {
	file := ">a\nACGTTTATAATGCC\n>b\nGGCCGC\n"
	model := newModel()

	var names []string
	var seqs [][]int32
	for rec, err := range fasta.Records("two.fa", strings.NewReader(file)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		names = append(names, rec.ID)
		seqs = append(seqs, model.Config.Tokenizer.Encode(rec.Seq))
	}
	batch := model.Pack(seqs...) // no padding: 15 rows, then 7
	logits := model.Logits(&autograd.Tape{NoGrad: true}, batch)
	fmt.Println(len(batch.Tokens), "rows, logits", logits.Shape)
	for i, name := range names {
		p := autograd.Softmax(logits.Data[2*i : 2*i+2])
		fmt.Printf("%s: the probabilities of %d classes sum to %.2f\n", name, len(p), p[0]+p[1])
	}
	// Output:
	// 22 rows, logits [2 2]
	// a: the probabilities of 2 classes sum to 1.00
	// b: the probabilities of 2 classes sum to 1.00
}

// A probe sees the attention weights of each layer, (segments, heads, queries,
// keys); row 0 of a head is what [CLS] attends to.
func ExampleModel_Encode() {
	model := newModel()
	tape := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		if strings.HasSuffix(name, ".weights") {
			cls := v.Data[:v.Dim(3)] // of head 0
			sum := float32(0)
			for _, w := range cls {
				sum += w
			}
			fmt.Printf("%s %v: [CLS] spreads %.2f over %d tokens\n", name, v.Shape, sum, len(cls))
		}
	}}
	seq := model.Config.Tokenizer.Encode([]byte("TATAAT"))
	hidden := model.Encode(tape, model.Pack(seq))
	fmt.Println("hidden states", hidden.Shape)
	// Output:
	// layers.0.attention.weights [1 4 7 7]: [CLS] spreads 1.00 over 7 tokens
	// layers.1.attention.weights [1 4 7 7]: [CLS] spreads 1.00 over 7 tokens
	// hidden states [7 32]
}

// Masked-token training: the model is to tell the letters that Corrupt hid.
func ExampleModel_MaskedLogits() {
	model := newModel()
	r := rand.New(rand.NewPCG(3, 4))
	seq := model.Config.Tokenizer.Encode([]byte("ACGTTGCATATAATGCCGTA"))
	corrupted, at, truth := sequence.Corrupt(model.Config.Tokenizer, seq, 0.15, r)
	batch := model.Pack(corrupted)
	var rows []int32
	for _, p := range at {
		rows = append(rows, batch.Cls[0]+1+int32(p))
	}
	tape := &autograd.Tape{Rand: r}
	logits := model.MaskedLogits(tape, batch, rows)
	loss := autograd.CrossEntropy(tape, logits, truth, float32(len(truth)))
	tape.Backward(loss)
	fmt.Println(logits.Dim(0) == len(at), logits.Dim(1), loss.Data[0] > 0)
	// Output: true 8 true
}

func ExampleTokenizer() {
	for _, z := range []sequence.Tokenizer{{K: 1}, {K: 3}} {
		ids := z.Encode([]byte("acgun"))
		var names []string
		for _, id := range ids {
			names = append(names, z.Name(id))
		}
		fmt.Println(z.Vocab(), ids, names)
	}
	z := sequence.Tokenizer{K: 1}
	forward, reverse := z.Encode([]byte("AACGT")), z.Encode([]byte("ACGTT"))
	fmt.Println(slices.Equal(z.ReverseComplement(forward), reverse))
	// Output:
	// 8 [3 4 5 6 7] [A C G T N]
	// 68 [9 30 67] [ACG CGT NNN]
	// true
}

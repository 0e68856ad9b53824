package baseline_test

import (
	"fmt"
	"math/rand/v2"

	"heed/autograd"
	"heed/model/baseline"
	"heed/nn"
)

// Four made-up promoters, rich in A and T, and four other sequences.
var (
	exampleSeqs = [][]byte{
		[]byte("TATAATGCTTAA"), []byte("GGCGCATCGGCC"), []byte("ATTTAACGATAT"), []byte("CGATCGGCGTGC"),
		[]byte("TTGACATATAAT"), []byte("GCCGTACGGCAC"), []byte("AATTGTATCATT"), []byte("CCGGTGCACGGC"),
	}
	exampleLabels = []int{1, 0, 1, 0, 1, 0, 1, 0}
)

func ExampleGC() {
	var m baseline.GC
	if err := m.Fit(exampleSeqs, exampleLabels, 2, nil); err != nil {
		fmt.Println(err)
		return
	}
	p := m.Predict([][]byte{[]byte("TTTTAACAAATG"), []byte("NNNNNNNNNNNN")})
	fmt.Printf("promoters have less than %.0f %% GC\n", 100*m.Threshold)
	fmt.Printf("probability %.2f, and %.2f where nothing is known\n", p[0][1], p[1][1])
	// Output:
	// promoters have less than 46 % GC
	// probability 1.00, and 0.50 where nothing is known
}

// All classifiers are used alike.
func ExampleClassifier() {
	unseen := [][]byte{[]byte("ttgacatatatt"), []byte("gcgccgtcaggc")}
	for _, m := range []baseline.Classifier{&baseline.GC{}, &baseline.KmerLogistic{}, &baseline.PositionLogistic{}} {
		if err := m.Fit(exampleSeqs, exampleLabels, 2, rand.New(rand.NewPCG(1, 1))); err != nil {
			fmt.Println(err)
			return
		}
		p := m.Predict(unseen)
		fmt.Println(p[0][1] > 0.5, p[1][1] > 0.5)
	}
	// Output:
	// true false
	// true false
	// true false
}

func ExampleKmerLogistic_Kmers() {
	r := rand.New(rand.NewPCG(1, 1))
	seqs := make([][]byte, 200)
	labels := make([]int, len(seqs))
	for i := range seqs {
		seqs[i] = make([]byte, 50)
		for p := range seqs[i] {
			seqs[i][p] = "ACGT"[r.IntN(4)]
		}
		labels[i] = i % 2
		if labels[i] == 1 { // the site of the restriction enzyme MboI, twice
			copy(seqs[i][r.IntN(20):], "GATC")
			copy(seqs[i][25+r.IntN(20):], "GATC")
		}
	}
	var m baseline.KmerLogistic
	if err := m.Fit(seqs, labels, 2, r); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Kmers(1)[0].Word)
	// Output: GATC
}

// A CNN is a model of layers: its parameters are those that Visit names, and a
// loss of its logits trains it.
func ExampleCNN() {
	cfg := baseline.DefaultCNNConfig(12, 2)
	if err := cfg.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	m := baseline.NewCNN(cfg, rand.New(rand.NewPCG(1, 1)))
	t := &autograd.Tape{}
	logits := m.Logits(t, baseline.Pack(exampleSeqs[:2]...))
	loss := autograd.CrossEntropy(t, logits, []int32{1, 0}, 2)
	t.Backward(loss)
	fmt.Println(logits.Shape, nn.Count(m), loss.Data[0] > 0)
	// Output: [2 2] 80086 true
}

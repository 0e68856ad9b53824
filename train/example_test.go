package train_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"

	"heed/autograd"
	"heed/checkpoint"
	"heed/model/sequence"
	"heed/nn"
	"heed/train"
)

// tataBoxes returns sequences of random letters; every second one holds TATAAT
// somewhere.
func tataBoxes(n int, z sequence.Tokenizer, r *rand.Rand) (seqs [][]int32, labels []int32) {
	for i := range n {
		s := make([]byte, 20+r.IntN(10))
		for j := range s {
			s[j] = "ACGT"[r.IntN(4)]
		}
		if i%2 == 1 {
			copy(s[r.IntN(len(s)-5):], "TATAAT")
		}
		seqs, labels = append(seqs, z.Encode(s)), append(labels, int32(i%2))
	}
	return seqs, labels
}

// A whole training: data, model, loss, loop, evaluation, early stopping.
func Example() {
	r := rand.New(rand.NewPCG(1, 2))
	cfg := sequence.Config{
		Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: 30, Layers: 1, Dim: 16, Heads: 2, FFN: 32,
		Stem: []int{7}, Position: "learned", Pooling: "cls", Classes: 2, Dropout: 0.1,
	}
	if err := cfg.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	model := sequence.New(cfg, r)
	seqs, labels := tataBoxes(200, cfg.Tokenizer, r)
	valid, truth := tataBoxes(100, cfg.Tokenizer, r)

	lengths := make([]int, len(seqs))
	for i, s := range seqs {
		lengths[i] = 1 + len(s) // rows: [CLS] and the letters
	}
	run, err := train.New(train.Config{Epochs: 10, Batch: 20, Rate: 1e-2, Warmup: 0.1, Seed: 1}, train.Problem{
		Model:   model,
		Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			var batch [][]int32
			var want []int32
			for _, e := range examples {
				batch, want = append(batch, seqs[e]), append(want, labels[e])
			}
			return autograd.CrossEntropy(t, model.Logits(t, model.Pack(batch...)), want, norm)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	accuracy := func() float64 {
		logits := model.Logits(&autograd.Tape{NoGrad: true}, model.Pack(valid...))
		right := 0
		for i, want := range truth {
			if logits.Data[2*i+1] > logits.Data[2*i] == (want == 1) {
				right++
			}
		}
		return float64(right) / float64(len(truth))
	}
	best := train.Best{Patience: 5}
	var first, last float64
	for step, err := range run.Steps(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if last = step.Loss; step.N == 1 {
			first = last
		}
		if step.EpochEnds {
			if _, stop := best.See(model, step.N, accuracy()); stop {
				break
			}
		}
	}
	best.Load(model)
	fmt.Println("steps of the whole run:", run.Total())
	fmt.Println("the loss fell:", last < first)
	fmt.Println("more than 9 of 10 unseen sequences right:", accuracy() > 0.9)
	// Output:
	// steps of the whole run: 100
	// the loss fell: true
	// more than 9 of 10 unseen sequences right: true
}

// A run that is stopped, saved and resumed continues with the same bits.
func ExampleRun_Entries() {
	// The least model: a line through points of y = 3x.
	start := func() (*train.Run, error) {
		line := nn.NewLinear(1, 1, rand.New(rand.NewPCG(1, 2)))
		return train.New(train.Config{Epochs: 10, Batch: 4, Seed: 1}, train.Problem{
			Model:   line,
			Lengths: []int{1, 1, 1, 1, 1, 1, 1, 1},
			Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
				var xs, ys []float32
				for _, e := range examples {
					xs, ys = append(xs, float32(e)), append(ys, -3*float32(e))
				}
				miss := autograd.Add(t, line.Forward(t, autograd.Input(xs, len(xs), 1)), autograd.Input(ys, len(ys), 1))
				return autograd.Scale(t, autograd.Sum(t, autograd.Mul(t, miss, miss)), 1/norm)
			},
		})
	}
	file, err := os.CreateTemp("", "run-*.safetensors")
	if err != nil {
		fmt.Println(err)
		return
	}
	file.Close()
	defer os.Remove(file.Name())

	run, err := start()
	if err != nil {
		fmt.Println(err)
		return
	}
	for step, err := range run.Steps(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if step.N == 7 { // say, after Ctrl-C
			break
		}
	}
	if err := checkpoint.Save(file.Name(), nil, run.Entries()); err != nil {
		fmt.Println(err)
		return
	}

	run, err = start() // later, in another process
	if err != nil {
		fmt.Println(err)
		return
	}
	saved, err := checkpoint.Load(file.Name())
	if err == nil {
		err = run.Restore(saved)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	for step, err := range run.Steps(context.Background()) {
		fmt.Println("resumed at step", step.N, "of", step.Steps, err)
		break
	}
	// Output: resumed at step 8 of 20 <nil>
}

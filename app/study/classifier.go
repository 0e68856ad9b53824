package study

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"heed/autograd"
	"heed/explain"
	"heed/internal/par"
	"heed/metric"
	"heed/model/sequence"
	"heed/train"
)

// letters is the alphabet of the sequences that studies make.
const letters = "ACGT"

// A sample is a sequence that a study made, with what it planted.
type sample struct {
	seq    []byte
	label  int    // 0 or 1
	signal []bool // (L) where what decides the label stands
}

// randomLetters returns n letters of the given share of G and C.
func randomLetters(n int, gc float64, r *rand.Rand) []byte {
	s := make([]byte, n)
	for i := range s {
		if r.Float64() < gc {
			s[i] = "GC"[r.IntN(2)]
		} else {
			s[i] = "AT"[r.IntN(2)]
		}
	}
	return s
}

// plant writes a word at a place and marks it.
func (s *sample) plant(at int, word string, signal bool) {
	copy(s.seq[at:], word)
	for i := range word {
		s.signal[at+i] = signal
	}
}

// A classifier is a transformer of two classes trained on samples.
type classifier struct {
	model *sequence.Model
	cores int
}

// reach is the width of the convolution before the encoder: a row of it holds so
// many letters.
const reach = 7

// fit trains a classifier: the default architecture of "heed dna train" at a
// smaller width. The epoch of the best AUROC on valid is kept.
func fit(ctx context.Context, l *Lab, samples, valid []sample, epochs int, seed uint64) (*classifier, error) {
	c := sequence.Config{
		Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: len(samples[0].seq), Layers: 2, Dim: 32, Heads: 4, FFN: 64, Stem: []int{reach},
		Position: "learned", Pooling: "cls", Classes: 2, Dropout: 0.1,
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	out := &classifier{model: sequence.New(c, rand.New(rand.NewPCG(seed, 1))), cores: l.Cores}
	lengths := make([]int, len(samples))
	for i, s := range samples {
		lengths[i] = 1 + len(s.seq)
	}
	run, err := train.New(train.Config{Epochs: epochs, Batch: 32, Rate: 3e-3, Warmup: 0.1, Decay: 0.01, Seed: seed, Cores: l.Cores}, train.Problem{
		Model:   out.model,
		Lengths: lengths,
		Loss: func(t *autograd.Tape, examples []int, norm float32) *autograd.Var {
			ids, want := make([][]int32, len(examples)), make([]int32, len(examples))
			for i, e := range examples {
				ids[i], want[i] = c.Tokenizer.Encode(samples[e].seq), int32(samples[e].label)
			}
			return autograd.CrossEntropy(t, out.model.Logits(t, out.model.Pack(ids...)), want, norm)
		},
	})
	if err != nil {
		return nil, err
	}
	best := &train.Best{}
	for step, err := range run.Steps(ctx) {
		if err != nil {
			return nil, err
		}
		if step.EpochEnds {
			best.See(out.model, step.N, out.auroc(valid))
			l.tell("seed %d: epoch %d of %d, loss %.3f, AUROC %.3f", seed, step.Epoch, epochs, step.Loss, out.auroc(valid))
		}
	}
	best.Load(out.model)
	return out, nil
}

// scores returns the log-odds of class 1 of each sequence, the same bits for
// any number of cores.
func (c *classifier) scores(seqs [][]byte) []float64 {
	const together = 16
	out := make([]float64, len(seqs))
	par.Do((len(seqs)+together-1)/together, cmp.Or(c.cores, par.Cores()), func(_, k int) {
		part := seqs[k*together : min((k+1)*together, len(seqs))]
		ids := make([][]int32, len(part))
		for i, s := range part {
			ids[i] = c.model.Config.Tokenizer.Encode(s)
		}
		logits := c.model.Logits(&autograd.Tape{NoGrad: true}, c.model.Pack(ids...)).Data
		for i := range part {
			out[k*together+i] = float64(logits[2*i+1] - logits[2*i])
		}
	})
	return out
}

func (c *classifier) auroc(samples []sample) float64 {
	seqs, positive := make([][]byte, len(samples)), make([]bool, len(samples))
	for i, s := range samples {
		seqs[i], positive[i] = s.seq, s.label == 1
	}
	b, err := metric.NewBinary(c.scores(seqs), positive)
	if err != nil {
		panic(fmt.Sprintf("study: %v", err)) // a diverged training ends before
	}
	return b.AUROC()
}

// explained returns the case of a sequence, explained for class 1; row 0 is
// [CLS].
func (c *classifier) explained(seq []byte) *explain.Case {
	ids := c.model.Config.Tokenizer.Encode(seq)
	return &explain.Case{
		Rows:    1 + len(ids),
		Readout: explain.ReadRow(1+len(ids), 0),
		Run: func(t *autograd.Tape, n int) *autograd.Var {
			return explain.Contrast(t, c.model.Logits(t, c.model.Pack(slices.Repeat([][]int32{ids}, n)...)), 1)
		},
	}
}

// encoder returns what decompositions look into, for class 1.
func (c *classifier) encoder() *explain.Encoder {
	return &explain.Encoder{Layers: c.model.Layers, Norm: c.model.Norm, Classifier: c.model.Classifier, Class: explain.ContrastWeights(2, 1)}
}

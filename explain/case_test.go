package explain

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/autograd"
	"heed/model/sequence"
)

// smallCase returns an untrained model of two layers with a stem and a case of
// nine letters, whose weights are large enough for the layers to matter.
func smallCase(t *testing.T, pooling string) (*sequence.Model, *Case) {
	t.Helper()
	m := smallModel(t, pooling)
	return m, caseOf(m, []int32{3, 4, 6, 5, 3, 3, 6, 4, 5}, 1)
}

func smallModel(t *testing.T, pooling string) *sequence.Model {
	t.Helper()
	c := sequence.Config{
		Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: 16, Layers: 2, Dim: 8, Heads: 2, FFN: 12, Stem: []int{3},
		Position: "learned", PositionScale: 0.5, Pooling: pooling, Classes: 2,
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	m := sequence.New(c, r)
	m.Visit("", func(_ string, p *autograd.Var) { // biases too
		for i := range p.Data {
			p.Data[i] += float32(0.2 * r.NormFloat64())
		}
	})
	return m
}

// caseOf returns the case of token ids, [CLS] leading, explained for a class.
func caseOf(m *sequence.Model, ids []int32, class int) *Case {
	c := &Case{Rows: 1 + len(ids), Readout: ReadRow(1+len(ids), 0)}
	if m.Config.Pooling == "mean" {
		c.Readout = ReadMean(c.Rows, 1)
	}
	c.Run = func(t *autograd.Tape, n int) *autograd.Var {
		return Contrast(t, m.Logits(t, m.Pack(slices.Repeat([][]int32{ids}, n)...)), class)
	}
	return c
}

// encoderOf returns the encoder of a model, explained for a class.
func encoderOf(m *sequence.Model, class int) *Encoder {
	return &Encoder{m.Layers, m.Norm, m.Classifier, ContrastWeights(m.Config.Classes, class)}
}

func TestCase(t *testing.T) {
	m, c := smallCase(t, "cls")
	logits := m.Logits(&autograd.Tape{NoGrad: true}, m.Pack([]int32{3, 4, 6, 5, 3, 3, 6, 4, 5})).Data
	if want := float64(logits[1] - logits[0]); math.Abs(c.Score()-want) > 1e-6 {
		t.Errorf("score %v, want %v", c.Score(), want)
	}
	for i, y := range c.Run(&autograd.Tape{NoGrad: true}, 3).Data {
		if float64(y) != c.Score() {
			t.Errorf("copy %d scores %v, alone %v", i, y, c.Score())
		}
	}
	if err := encoderOf(m, 1).Check(); err != nil {
		t.Error(err)
	}
	if got := encoderOf(m, 1).trace(c); len(got) != 2 || len(got[1].weights) != 2*10*10 || !slices.Equal(got[0].output, got[1].input) {
		t.Errorf("%d layers in the trace", len(got))
	}
	m.Layers[1].Name = ""
	if err := encoderOf(m, 1).Check(); err == nil || err.Error() != "layer 1 has no name for a probe" {
		t.Errorf("error %v", err)
	}
}

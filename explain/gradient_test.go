package explain

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"heed/autograd"
	"heed/model/sequence"
	"heed/nn"
	"heed/tensor"
)

// pairCase returns the case of a function of two numbers: its embedding is
// (2, 1), and f maps (n, 2) to (n, 1).
func pairCase(a, b float32, f func(t *autograd.Tape, x *autograd.Var) *autograd.Var) *Case {
	table := autograd.Input([]float32{a, b}, 2, 1)
	return &Case{Rows: 2, Readout: ReadMean(2, 0), Run: func(t *autograd.Tape, n int) *autograd.Var {
		x := autograd.Embedding(t, table, slices.Repeat([]int32{0, 1}, n))
		t.Watch(Embedding, x)
		return f(t, autograd.Reshape(t, x, n, 2))
	}}
}

// weigh returns wa·a + wb·b + bias of x (n, 2).
func weigh(t *autograd.Tape, x *autograd.Var, wa, wb, bias float32) *autograd.Var {
	return autograd.Linear(t, x, autograd.Input([]float32{wa, wb}, 1, 2), autograd.Input([]float32{bias}, 1))
}

// pairTruths are the functions of two inputs whose attributions are known, from the
// point (1, 1) and the baseline (0, 0).
var pairTruths = []struct {
	name                 string
	f                    func(t *autograd.Tape, x *autograd.Var) *autograd.Var
	timesInput, integral [2]float64
}{
	{"AND", func(t *autograd.Tape, x *autograd.Var) *autograd.Var { // relu(a + b - 1)
		return autograd.ReLU(t, weigh(t, x, 1, 1, -1))
	}, [2]float64{1, 1}, [2]float64{0.5, 0.5}},
	{"OR", func(t *autograd.Tape, x *autograd.Var) *autograd.Var { // min(a + b, 1) = 1 - relu(1 - a - b)
		y := autograd.ReLU(t, weigh(t, x, -1, -1, 1))
		return autograd.Linear(t, y, autograd.Input([]float32{-1}, 1, 1), autograd.Input([]float32{1}, 1))
	}, [2]float64{0, 0}, [2]float64{0.5, 0.5}},
	{"product", func(t *autograd.Tape, x *autograd.Var) *autograd.Var {
		return autograd.Mul(t, weigh(t, x, 1, 0, 0), weigh(t, x, 0, 1, 0))
	}, [2]float64{1, 1}, [2]float64{0.5, 0.5}},
	{"one", func(t *autograd.Tape, x *autograd.Var) *autograd.Var { return weigh(t, x, 1, 0, 0) },
		[2]float64{1, 0}, [2]float64{1, 0}},
}

func TestGradientOfPlantedTruths(t *testing.T) {
	for _, p := range pairTruths {
		s := Gradient(pairCase(1, 1, p.f))
		if s.Score != 1 {
			t.Errorf("%s: score %v, want 1", p.name, s.Score)
		}
		if got := s.TimesInput(); !slices.Equal(got, p.timesInput[:]) {
			t.Errorf("%s: gradient x input %v, want %v", p.name, got, p.timesInput)
		}
	}
}

// TestGradient compares with difference quotients: the probe writes the changed
// embedding.
func TestGradient(t *testing.T) {
	for _, pooling := range []string{"cls", "mean"} {
		_, c := smallCase(t, pooling)
		s := Gradient(c)
		if math.Abs(s.Score-c.Score()) > 1e-5 {
			t.Errorf("score %v, want %v", s.Score, c.Score())
		}
		tensor.Check("input", s.Input.Shape, 10, 8)
		tensor.Check("gradient", s.Grad.Shape, 10, 8)
		if !slices.Equal(s.Input.Data, c.Embedded().Data) {
			t.Error("the input is not the embedding")
		}
		const step = 1e-2
		for i := range s.Grad.Data {
			score := func(by float32) float64 {
				y, _, _ := c.passEmbedding(&autograd.Tape{NoGrad: true}, 1, func(x []float32) { x[i] += by })
				return float64(y[0])
			}
			want := (score(step) - score(-step)) / (2 * step)
			if got := float64(s.Grad.Data[i]); math.Abs(got-want) > 2e-3*(1+math.Abs(want)) {
				t.Fatalf("%s: derivative by value %d is %v, difference quotient %v", pooling, i, got, want)
			}
		}
	}
}

func TestGradientWithoutEmbedding(t *testing.T) {
	defer func() {
		const want = `explain: the case never showed "embedding" to the probe`
		if err := recover(); err != want {
			t.Errorf("panic %v, want %q", err, want)
		}
	}()
	Gradient(&Case{Rows: 1, Run: func(*autograd.Tape, int) *autograd.Var { return autograd.Input([]float32{0}, 1, 1) }})
}

// TestLetterGradient: of a score that is linear in the embedding, the
// projection is what the substitution of a letter does, less the mean.
func TestLetterGradient(t *testing.T) {
	letters := tensor.Of([]float32{1, 0, 0, 2, -1, 1}, 3, 2)
	grad := tensor.Of([]float32{1, 3, -2, 0.5}, 2, 2)
	// products: row 0: 1, 6, 2, mean 3; row 1: -2, 1, 2.5, mean 0.5
	want := [][]float64{{-2, 3, -1}, {-2.5, 0.5, 2}}
	for i, row := range LetterGradient(grad, letters) {
		for k, v := range row {
			if math.Abs(v-want[i][k]) > 1e-12 {
				t.Errorf("position %d, letter %d: %v, want %v", i, k, v, want[i][k])
			}
		}
	}
}

// unplacedModel returns an untrained model that knows no positions, and whose
// biases are not zero.
func unplacedModel(t *testing.T, layers int, pooling string) *sequence.Model {
	t.Helper()
	c := sequence.Config{
		Tokenizer: sequence.Tokenizer{K: 1}, MaxLen: 16, Layers: layers, Dim: 8, Heads: 2, FFN: 12,
		Position: "relative", Pooling: pooling, Classes: 2,
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, uint64(layers)))
	m := sequence.New(c, r)
	m.Visit("", func(_ string, p *autograd.Var) {
		for i := range p.Data {
			p.Data[i] += float32(0.3 * r.NormFloat64())
		}
	})
	for _, l := range m.Layers {
		clear(l.Mixer.(*nn.MultiHeadAttention).Relative.Data)
	}
	return m
}

func closeTo(t *testing.T, what string, got, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= bound) {
			t.Errorf("%s: value %d is %v, want %v", what, i, got[i], want[i])
			return
		}
	}
}

func addUp(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum
}

package explain_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"heed/autograd"
	"heed/explain"
	"heed/nn"
)

// wired returns a layer of one head whose attention and values are set by hand.
// Row 0, [CLS], reads itself with weight .10, a sink with .60 that has the value 0,
// a signal with .15 that adds 2·.15 to the score and a suppressor with .15 that
// takes as much away. The score is dimension 0 of row 0.
func wired() (*explain.Encoder, *explain.Case) {
	const width = 8
	tokens := [][]float32{ // mean 0, variance 1, orthogonal: norm 1 leaves them as they are
		{1, 1, 1, 1, -1, -1, -1, -1},
		{1, -1, 1, -1, 1, -1, 1, -1},
		{1, 1, -1, -1, 1, 1, -1, -1},
		{1, -1, -1, 1, 1, -1, -1, 1},
	}
	a := nn.NewMultiHeadAttention(width, 1, nil)
	a.Name = "layer.attention"
	a.Relative = autograd.Param(1, 7)
	for offset, weight := range []float64{.10, .60, .15, .15} {
		a.Relative.Data[3+offset] = float32(math.Log(weight))
	}
	for c := range width {
		a.Value.Weight.Data[c] = (2*tokens[2][c] - 2*tokens[3][c]) / width
	}
	a.Out.Weight.Data[0] = 1
	l := nn.NewEncoderLayer(a, width, 1, nil)
	l.Name, l.Norm1.Eps = "layer", 0
	e := &explain.Encoder{Layers: []*nn.EncoderLayer{l}, Norm: nn.NewLayerNorm(width)}

	c := &explain.Case{Rows: 4, Readout: explain.ReadRow(4, 0)}
	c.Run = func(t *autograd.Tape, n int) *autograd.Var {
		var x []float32
		var lengths []int
		var first []int32
		for k := range n {
			for _, token := range tokens {
				x = append(x, token...)
			}
			lengths, first = append(lengths, 4), append(first, int32(4*k))
		}
		h := l.Forward(t, autograd.Input(x, 4*n, width), autograd.Packed(lengths...))
		score := make([]float32, width)
		score[0] = 1
		return autograd.Linear(t, autograd.Rows(t, h, first), autograd.Input(score, 1, width), nil)
	}
	return e, c
}

// without returns how much the score falls when [CLS] cannot read a source.
func without(c *explain.Case, source int) float64 {
	t := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		if name == "layer.attention.weights" {
			v.Data[source] = 0
		}
	}}
	return c.Score() - float64(c.Run(t, 1).Data[0])
}

func check(t *testing.T, what string, got, want []float64) {
	t.Helper()
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-6 {
			t.Errorf("%s: %.4f, want %.4f", what, got, want)
			return
		}
	}
}

func wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// TestWired is the truth in closed form. The rollout is wrong by design here, and
// must stay so: the sink, which does nothing, ranks first of the sources, and the
// suppressor equals the signal.
func TestWired(t *testing.T) {
	e, c := wired()
	layers := explain.Attention(c)
	check(t, "effects", []float64{without(c, 1), without(c, 2), without(c, 3)}, []float64{0, .3, -.3})
	check(t, "attention", wide(layers[0].Weights[:4]), []float64{.10, .60, .15, .15})
	check(t, "rollout", explain.Rollout(layers, 0, explain.Mean), []float64{.55, .300, .075, .075})

	norms, err := e.Norms(c)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "norms", wide(norms[0].Attention.Row(0)), []float64{0, 0, .300, .300})
	head := norms[0].Head(0)
	check(t, "norms of the head", wide(head.Row(0)), []float64{0, 0, .300, .300})
	check(t, "with residual", wide(norms[0].Residual.Row(0)), []float64{math.Sqrt(8), 0, .300, .300})
	// The two vectors cancel: nothing is mixed into [CLS].
	check(t, "mixing ratio", norms[0].Ratio[:1], []float64{0})

	// y is the token (1, 1, ...): the signal's vector (.3, 0, ...) points along it,
	// the suppressor's against it. ‖y‖₁ 8, ‖y - T‖₁ 0 for itself, 7.7 and 8.3.
	alti, err := e.ALTI(c)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "ALTI", wide(alti[0].Row(0)), []float64{8 / 8.3, 0, .3 / 8.3, 0})
	// ‖y‖ √8, ‖y - T‖ 0 and √(8 - .6 + .09).
	near := math.Sqrt(8) - math.Sqrt(7.49)
	alti, err = e.ALTI2(c)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "ALTI, Euclidean", wide(alti[0].Row(0)), []float64{math.Sqrt(8) / (math.Sqrt(8) + near), 0, near / (math.Sqrt(8) + near), 0})

	// Without the signal dimension 0 is .7, without the suppressor 1.3; [CLS] and
	// the sink have the value 0.
	zeroing, err := e.ValueZeroing(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	change := func(x float64) float64 { return 1 - (7+x)/math.Sqrt(8*(7+x*x)) }
	check(t, "value zeroing", wide(zeroing[0].Row(0)), []float64{0, 0, change(.7), change(1.3)})
}

// TestWiredWithoutOutput has an output projection of zero: attention moves
// nothing. The rollout does not know.
func TestWiredWithoutOutput(t *testing.T) {
	e, c := wired()
	a := e.Layers[0].Mixer.(*nn.MultiHeadAttention)
	a.Out.Weight.Data[0] = 0
	a.Out.Bias.Data[3] = 0.37
	check(t, "effects", []float64{without(c, 1), without(c, 2), without(c, 3)}, []float64{0, 0, 0})
	check(t, "rollout", explain.Rollout(explain.Attention(c), 0, explain.Mean), []float64{.55, .300, .075, .075})
	norms, err := e.Norms(c)
	if err != nil {
		t.Fatal(err)
	}
	zeroing, err := e.ValueZeroing(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 16 {
		if norms[0].Attention.Weights[i] != 0 || zeroing[0].Weights[i] != 0 || norms[0].Ratio[i/4] > 1e-6 {
			t.Fatalf("norms %v, mixing %v, value zeroing %v, want 0", norms[0].Attention.Weights, norms[0].Ratio, zeroing[0].Weights)
		}
	}
	alti, err := e.ALTI(c)
	if err != nil {
		t.Fatal(err)
	}
	final, err := e.FinalNorms(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []explain.Mixing{alti[0], zeroing[0].Normalized(), norms[0].Residual.Normalized(), final.Residual.Normalized()} {
		for i := range 4 {
			check(t, m.Name, wide(m.Row(i)), explain.ReadRow(4, i))
		}
	}
}

// The layer is wired by hand. A sink takes most of the attention and has the value
// 0; a signal raises the score by 0.3, a suppressor lowers it by as much.
func ExampleEncoder_Norms() {
	encoder, c := wired()
	norms, err := encoder.Norms(c)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("                    [CLS] sink  signal suppressor")
	fmt.Printf("attention           %.3f\n", explain.Attention(c)[0].Weights[:4])
	fmt.Printf("rollout             %.3f\n", explain.Rollout(explain.Attention(c), 0, explain.Mean))
	fmt.Printf("norms               %.3f\n", norms[0].Attention.Row(0))
	fmt.Printf("effect on the score [0.000 %.3f %.3f %.3f]\n", without(c, 1), without(c, 2), without(c, 3))
	// Output:
	//                     [CLS] sink  signal suppressor
	// attention           [0.100 0.600 0.150 0.150]
	// rollout             [0.550 0.300 0.075 0.075]
	// norms               [0.000 0.000 0.300 0.300]
	// effect on the score [0.000 0.000 0.300 -0.300]
}

// The layer of the example of Encoder.Norms, after the norm that ends the stack.
func ExampleEncoder_FinalNorms() {
	encoder, c := wired()
	norms, err := encoder.FinalNorms(c)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f\n", norms.Attention.Row(0))
	// Output:
	// [0.000 0.000 0.281 0.281]
}

// The layer of the example of Encoder.Norms: what opposes the output of [CLS] has
// no contribution.
func ExampleEncoder_ALTI() {
	encoder, c := wired()
	l1, err := encoder.ALTI(c)
	if err != nil {
		fmt.Println(err)
		return
	}
	l2, err := encoder.ALTI2(c)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f\n", explain.Roll(l1, c.Readout))
	fmt.Printf("%.3f\n", explain.Roll(l2, c.Readout))
	// Output:
	// [0.964 0.000 0.036 0.000]
	// [0.969 0.000 0.031 0.000]
}

// The layer of the example of Encoder.Norms: only the signal and the suppressor
// change [CLS].
func ExampleEncoder_ValueZeroing() {
	encoder, c := wired()
	change, err := encoder.ValueZeroing(context.Background(), c)
	if err != nil {
		fmt.Println(err)
		return
	}
	normalized := change[0].Normalized()
	fmt.Printf("%.4f\n", change[0].Row(0))
	fmt.Printf("%.2f\n", normalized.Row(0))
	// Output:
	// [0.0000 0.0000 0.0053 0.0045]
	// [0.00 0.00 0.54 0.46]
}

// The first head looks at the token before; the second spreads its weight.
func ExampleHeads() {
	layer := explain.Layer{Name: "layers.0", Heads: 2, Length: 3, Weights: []float32{
		1, 0, 0, 1, 0, 0, 0, 1, 0,
		.3, .4, .3, .3, .4, .3, .3, .3, .4,
	}}
	layers := []explain.Layer{layer}
	var average explain.HeadAverage
	for range 2 { // two inputs, which happen to be the same
		heads := explain.Heads(layers, explain.HeadSpec{
			Distance: func(i, j int) float64 { return 6 * float64(max(i-j, j-i)) }, // bp of one token
		})
		average.Add(heads)
	}
	for _, h := range average.Summary() {
		fmt.Printf("head %d reads %.1f tokens, %.1f bp away, offset %+d in %.0f %% of rows\n",
			h.Head, h.Perplexity.Estimate, h.Distance.Estimate, h.Offset, 100*h.OffsetShare)
	}
	fmt.Printf("distance of the heads %.2f\n", explain.HeadDistances(layers, explain.HeadSpec{})[0][1])
	// Output:
	// head 0 reads 1.0 tokens, 4.0 bp away, offset -1 in 67 % of rows
	// head 1 reads 3.0 tokens, 5.0 bp away, offset +0 in 67 % of rows
	// distance of the heads 0.70
}

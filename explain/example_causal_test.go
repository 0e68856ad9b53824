package explain_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"heed/autograd"
	"heed/explain"
	"heed/nn"
)

// Either of two features would do: occlusion sees neither, Shapley values share
// the effect, and the pair says what is going on.
func ExampleTable() {
	either := func(keep [][]bool) []float64 {
		out := make([]float64, len(keep))
		for s, k := range keep {
			if k[0] || k[1] {
				out[s] = 1
			}
		}
		return out
	}
	g := &explain.Game{Features: 3, Value: either}
	ctx := context.Background()
	occlusion, err := g.Occlusion(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := g.Table(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("occlusion  ", occlusion.Effect)
	fmt.Println("Shapley    ", table.Shapley())
	fmt.Println("interaction", table.Interaction()[0])
	// Output:
	// occlusion   [0 0 0]
	// Shapley     [0.5 0.5 0]
	// interaction [0 -1 0]
}

// Five visits of one patient are grouped from nine events; the values of groups
// are exact.
func ExampleGame_Groups() {
	risk := func(keep [][]bool) []float64 {
		out := make([]float64, len(keep))
		for s, k := range keep {
			if k[2] { // a drug at the second visit,
				out[s] += 0.5
			}
			if k[2] && k[8] { // and a laboratory value at the last
				out[s]++
			}
		}
		return out
	}
	g := &explain.Game{Features: 9, Value: risk}
	visits, err := g.Groups([][]int{{0, 1}, {2, 3}, {4}, {5, 6, 7}, {8}})
	if err != nil {
		fmt.Println(err)
		return
	}
	table, err := visits.Table(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(table.Values), "evaluations")
	fmt.Printf("%.2f\n", table.Shapley())
	// Output:
	// 32 evaluations
	// [0.00 1.00 0.00 0.00 0.50]
}

func ExampleHeadScores_Order() {
	s := &explain.HeadScores{Layers: []string{"layers.0.attention"}, Values: [][]float64{{0.4, 0.1, 0.2}}}
	for _, h := range s.Order() {
		fmt.Println(s.Layers[h.Layer], "head", h.Head)
	}
	// Output:
	// layers.0.attention head 1
	// layers.0.attention head 2
	// layers.0.attention head 0
}

// A score that counts A, and two maps of it, on ten inputs.
func ExampleReferee_Verify() {
	count := func(seqs [][]byte) []float64 {
		out := make([]float64, len(seqs))
		for i, s := range seqs {
			out[i] = float64(strings.Count(string(s), "A"))
		}
		return out
	}
	r := rand.New(rand.NewPCG(1, 2))
	var examples []explain.Example
	for range 10 {
		x, good, bad := make([]byte, 30), make([]float64, 30), make([]float64, 30)
		for i := range x {
			x[i] = "ACGT"[r.IntN(4)]
			if x[i] == 'A' {
				good[i] = 1
			}
			bad[i] = r.Float64()
		}
		game := explain.ReplaceGame(x, [][]byte{[]byte(strings.Repeat("N", 30))}, count)
		examples = append(examples, explain.Example{game, [][]float64{good, bad}})
	}
	methods := []explain.Method{{Name: "gradient"}, {Name: "rollout", Unsigned: true}}
	v, err := explain.Referee{Replacement: "N"}.Verify(context.Background(), r, methods, examples)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range v.Methods {
		fmt.Printf("%s: faithful %t, %v\n", f.Name, f.Faithful(), f.Signs)
	}
	// Output:
	// gradient: faithful true, 0 of 30 signs wrong: 0 (0 to 0.114)
	// rollout: faithful false, no sign
}

// A map that is made of the input alone survives random parameters.
func ExampleParameterTest() {
	model := nn.NewLinear(20, 1, rand.New(rand.NewPCG(1, 2)))
	x := make([]float64, 20)
	for i := range x {
		x[i] = float64(i % 7)
	}
	input := func() ([][]float64, error) { return [][]float64{x}, nil }
	test := explain.ParameterTest{Module: model}
	r, err := test.Run(context.Background(), rand.New(rand.NewPCG(3, 4)), input)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Sentence)
	// Output:
	// fail: with random parameters the map keeps a rank correlation of 1.00 in size (unrelated maps: 0.18; 1 examples)
}

// One head copies the first of two tokens to the second, where the score is
// read.
func ExamplePatchPositions() {
	weights := autograd.Input([]float32{1, 0, 1, 0}, 1, 1, 2, 2)
	input := func(token float32) *explain.Case {
		return &explain.Case{Rows: 2, Run: func(t *autograd.Tape, n int) *autograd.Var {
			x := autograd.Input(slices.Repeat([]float32{token, 7}, n), 2*n, 1)
			t.Watch("layers.0.input", x)
			var second []int32
			zero := autograd.Input(make([]float32, 2*n), 2*n, 1)
			y := autograd.Attention(t, zero, zero, x, autograd.AttentionSpec{
				Heads: 1, Query: autograd.Packed(slices.Repeat([]int{2}, n)...), Bias: masked(weights),
			})
			for i := range n {
				second = append(second, int32(2*i+1))
			}
			return autograd.Rows(t, y, second)
		}}
	}
	p, err := explain.PatchPositions(context.Background(), input(1), input(-1), explain.LayerInput, 8)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Layers, p.Effect)
	// Output: [layers.0] [[1 0]]
}

// masked turns weights of 0 and 1 into a bias of the scores.
func masked(weights *autograd.Var) *autograd.Var {
	bias := make([]float32, len(weights.Data))
	for i, w := range weights.Data {
		bias[i] = 1e4 * (w - 1)
	}
	return autograd.Input(bias, 1, 2, 2)
}

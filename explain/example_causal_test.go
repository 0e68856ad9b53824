package explain_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"heed/explain"
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

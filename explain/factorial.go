package explain

import (
	"slices"
	"strings"

	"heed/autograd"
	"heed/tensor"
)

// A Factorial runs one input in four variants, with each of two things or without
// it, and asks where the model makes of the two together what neither brings alone.
type Factorial struct {
	// Scores of the four: with both, with the first alone, with the second alone, with
	// neither.
	Both, First, Second, Neither float64

	both *Case
	seen [4]map[string][]float32
}

// NewFactorial runs the four, which have the same rows: row i of one stands for row i
// of the others.
func NewFactorial(both, first, second, neither *Case) *Factorial {
	f := &Factorial{both: both}
	scores := [4]*float64{&f.Both, &f.First, &f.Second, &f.Neither}
	for i, c := range []*Case{both, first, second, neither} {
		if c.Rows != both.Rows {
			panic(&tensor.ShapeError{Op: "explain: variants", Got: []int{c.Rows}, Want: []int{both.Rows}})
		}
		seen := map[string][]float32{}
		t := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
			for _, at := range []Residual{LayerInput, LayerMiddle, LayerOutput} {
				if strings.HasSuffix(name, string(at)) {
					seen[name] = slices.Clone(v.Data)
				}
			}
		}}
		*scores[i], f.seen[i] = float64(c.Run(t, 1).Data[0]), seen
	}
	return f
}

// Interaction is what the two bring together beyond what each brings,
//
//	f(both) - f(first) - f(second) + f(neither).
func (f *Factorial) Interaction() float64 { return f.Both - f.First - f.Second + f.Neither }

// Added returns the score of both if one part of a layer adds up what it makes of each
// of the two at one row, in place of what it makes of both,
//
//	part(both) := part(first) + part(second) - part(neither).
//
// At [LayerMiddle] the part is the attention of the layer, at [LayerOutput] its feed-forward.
// What the score loses is made there or only passes through: a part that
// copies what an earlier one made loses it too.
func (f *Factorial) Added(layer string, part Residual, row int) float64 {
	from, to := layer+string(LayerInput), layer+string(LayerMiddle)
	if part == LayerOutput {
		from, to = to, layer+string(LayerOutput)
	}
	t := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
		if name != to {
			return
		}
		d := v.Dim(-1)
		for j := row * d; j < (row+1)*d; j++ {
			for i, sign := range []float32{1, -1, -1, 1} {
				v.Data[j] -= sign * (f.seen[i][to][j] - f.seen[i][from][j])
			}
		}
	}}
	return float64(f.both.Run(t, 1).Data[0])
}

package explain

import (
	"math"
	"testing"

	"heed/autograd"
)

// multiplier is a model of one row (a, b, 0) whose attention adds 2a to the third column
// and whose feed-forward part adds a·b; the score is the third column.
func multiplier(a, b float32) *Case {
	return &Case{Rows: 1, Readout: ReadRow(1, 0), Run: func(t *autograd.Tape, n int) *autograd.Var {
		x := autograd.Input([]float32{a, b, 0}, 1, 3)
		t.Watch("l.input", x)
		y := autograd.Input([]float32{x.Data[0], x.Data[1], x.Data[2] + 2*x.Data[0]}, 1, 3)
		t.Watch("l.middle", y)
		z := autograd.Input([]float32{y.Data[0], y.Data[1], y.Data[2] + y.Data[0]*y.Data[1]}, 1, 3)
		t.Watch("l.output", z)
		return autograd.Input(z.Data[2:], 1, 1)
	}}
}

func TestFactorial(t *testing.T) {
	f := NewFactorial(multiplier(3, 5), multiplier(3, 1), multiplier(1, 5), multiplier(1, 1))
	if f.Both != 21 || f.First != 9 || f.Second != 7 || f.Neither != 3 {
		t.Fatalf("scores %v, %v, %v, %v", f.Both, f.First, f.Second, f.Neither)
	}
	if x := f.Interaction(); x != 8 {
		t.Errorf("interaction %v, want 8", x)
	}
	if x := f.Added("l", LayerMiddle, 0); x != f.Both {
		t.Errorf("attention, which adds up already: %v, want %v", x, f.Both)
	}
	if x := f.Added("l", LayerOutput, 0); x != f.Both-f.Interaction() {
		t.Errorf("feed-forward: %v, want %v", x, f.Both-f.Interaction())
	}
}

// In a model the parts of all rows of all layers are found, and no intervention changes
// the four scores.
func TestFactorialModel(t *testing.T) {
	m := smallModel(t, "cls")
	variant := func(i, j int32) *Case { return caseOf(m, []int32{3, 4, i, 3, 6, j, 6, 6, 5}, 1) }
	f := NewFactorial(variant(4, 5), variant(4, 3), variant(6, 5), variant(6, 3))
	changed := false
	for _, layer := range []string{"layers.0", "layers.1"} {
		for _, part := range []Residual{LayerMiddle, LayerOutput} {
			for row := range 10 {
				x := f.Added(layer, part, row)
				if math.IsNaN(x) {
					t.Errorf("%s%s, row %d: %v", layer, part, row, x)
				}
				changed = changed || math.Abs(x-f.Both) > 1e-6
			}
		}
	}
	if !changed {
		t.Error("nothing makes an interaction")
	}
}

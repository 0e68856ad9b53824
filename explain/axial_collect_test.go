package explain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"heed/autograd"
	"heed/nn"
)

// A collector has the weights of every layer in the order of the pass, and the
// rollout over them is the product of the dense matrices. Fused, it gives the same.
func TestAxialCollector(t *testing.T) {
	const n, l, dim, heads = 3, 5, 8, 2
	for _, tied := range []bool{false, true} {
		r := rand.New(rand.NewPCG(1, 2))
		var layers []*nn.AxialLayer
		for i := range 2 {
			layers = append(layers, nn.NewAxialLayer(fmt.Sprintf("layers.%d", i), dim, heads, 12, tied, r))
		}
		in := make([]float32, n*l*dim)
		for i := range in {
			in[i] = float32(3 * r.NormFloat64())
		}
		full, fused := &AxialCollector{}, &AxialCollector{Fused: true}
		var seen [][]float32
		tape := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
			full.Probe(name, v)
			fused.Probe(name, v)
			if len(v.Shape) == 4 {
				seen = append(seen, append([]float32(nil), v.Data...))
			}
		}}
		x := autograd.Input(in, n*l, dim)
		for _, layer := range layers {
			x = layer.Forward(tape, x, nn.Grid{Rows: n, Columns: l}, nil)
		}
		if len(full.Blocks) != 2 || len(fused.Blocks) != 2 || len(seen) != 4 {
			t.Fatalf("%d and %d blocks of %d maps", len(full.Blocks), len(fused.Blocks), len(seen))
		}
		var matrices []Mixing
		for k, b := range full.Blocks {
			if b.Name != layers[k].Name || b.Heads != heads || fused.Blocks[k].Heads != 1 {
				t.Errorf("block %d is %q of %d heads, fused %d", k, b.Name, b.Heads, fused.Blocks[k].Heads)
			}
			for i, w := range [][]float32{b.Row, b.Columns} {
				for j := range w {
					if w[j] != seen[2*k+i][j] {
						t.Fatalf("block %d: weight %d is not what the probe saw", k, j)
					}
				}
			}
			matrices = append(matrices, dense(b, n, l, FuseSpec{})...)
		}
		want := Roll(matrices, ReadRow(n*l, 7))
		a := AxialRollout(full.Blocks, n, l, ReadRow(n*l, 7), FuseSpec{})
		b := AxialRollout(fused.Blocks, n, l, ReadRow(n*l, 7), FuseSpec{})
		for i := range want {
			if math.Abs(a[i]-want[i]) > 1e-6 || math.Abs(b[i]-want[i]) > 1e-6 {
				t.Errorf("tied %v: cell %d has %v, fused %v, dense %v", tied, i, a[i], b[i], want[i])
			}
		}
	}
}

// Layers of one axis, and columns that come first, are blocks of their own.
func TestAxialCollectorOrder(t *testing.T) {
	c := &AxialCollector{}
	w := autograd.Input(make([]float32, 8), 1, 2, 2, 2)
	for _, name := range []string{"a.row.weights", "b.row.weights", "b.row.heads", "c.column.weights", "c.row.weights", "c.column.weights", "attention.weights"} {
		c.Probe(name, w)
	}
	got := ""
	for _, b := range c.Blocks {
		got += fmt.Sprintf("%s %v %v, ", b.Name, b.Row != nil, b.Columns != nil)
	}
	if want := "a true false, b true false, c false true, c true true, "; got != want {
		t.Errorf("blocks %q, want %q", got, want)
	}
}

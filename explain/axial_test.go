package explain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// randomAxial returns blocks of random weights over an (n, l) grid.
func randomAxial(r *rand.Rand, blocks, heads, n, l int, tied bool) []AxialBlock {
	rows := n
	if tied {
		rows = 1
	}
	out := make([]AxialBlock, blocks)
	for b := range out {
		out[b].Name, out[b].Heads = fmt.Sprintf("block %d", b), heads
		for range rows {
			out[b].Row = append(out[b].Row, randomLayers(r, 1, heads, l, 2)[0].Weights...)
		}
		for range l {
			out[b].Columns = append(out[b].Columns, randomLayers(r, 1, heads, n, 2)[0].Weights...)
		}
	}
	return out
}

// dense writes the (n·l)² matrices of a block out, normalised entry by entry:
// rows, then columns, in the order in which they run.
func dense(b AxialBlock, n, l int, spec FuseSpec) []Mixing {
	cells := n * l
	on := func(c int) bool { return spec.Mask == nil || spec.Mask[c] }
	fused := func(w []float32, size, i, j int) float64 {
		total, high, low := 0.0, math.Inf(-1), math.Inf(1)
		for h := range b.Heads {
			x := float64(w[(h*size+i)*size+j])
			total, high, low = total+x, max(high, x), min(low, x)
		}
		return map[Fusion]float64{Mean: total / float64(b.Heads), Max: high, Min: low}[spec.Fusion]
	}
	build := func(weight func(p, q int) (float64, bool)) Mixing {
		m := Mixing{"dense", cells, make([]float32, cells*cells)}
		for p := range cells {
			if !on(p) {
				continue
			}
			row, sum := make([]float64, cells), 0.0
			for q := range cells {
				if w, joined := weight(p, q); joined && on(q) {
					row[q] = w
				}
				if p == q && !spec.NoResidual {
					row[q]++
				}
				sum += row[q]
			}
			for q, w := range row {
				m.Weights[p*cells+q] = float32(w / sum)
			}
		}
		return m
	}
	return []Mixing{
		build(func(p, q int) (float64, bool) {
			w := b.Row
			if len(w) > b.Heads*l*l {
				w = w[p/l*b.Heads*l*l:]
			}
			return fused(w, l, p%l, q%l), p/l == q/l
		}),
		build(func(p, q int) (float64, bool) {
			return fused(b.Columns[p%l*b.Heads*n*n:], n, p/l, q/l), p%l == q%l
		}),
	}
}

func TestAxialRolloutIsDense(t *testing.T) {
	const n, l = 4, 6
	r := rand.New(rand.NewPCG(31, 32))
	mask := make([]bool, n*l)
	for c := range mask {
		mask[c] = c%7 != 2 && c/l != 3 // gaps, and one row of padding
	}
	for _, tied := range []bool{false, true} {
		blocks := randomAxial(r, 3, 2, n, l, tied)
		for _, spec := range []FuseSpec{{}, {Fusion: Max}, {Fusion: Min, NoResidual: true}, {Mask: mask}, {Fusion: Max, Mask: mask, NoResidual: true}} {
			var matrices []Mixing
			for _, b := range blocks {
				matrices = append(matrices, dense(b, n, l, spec)...)
			}
			for _, readout := range [][]float64{ReadRow(n*l, 0), ReadRow(n*l, l+1), ReadMean(n*l, 0)} {
				want := Roll(matrices, readout)
				sum, read := 0.0, 0.0
				for c, v := range AxialRollout(blocks, n, l, readout, spec) {
					sum += v
					if spec.Mask == nil || mask[c] {
						read += readout[c]
					}
					if math.Abs(v-want[c]) > 1e-6 {
						t.Fatalf("tied %v, %+v: cell %d has %v, dense %v", tied, spec, c, v, want[c])
					}
				}
				if math.Abs(sum-read) > 1e-6 {
					t.Errorf("tied %v, %+v: sums to %v, want %v", tied, spec, sum, read)
				}
			}
		}
	}
}

// TestAxialOneAxis has blocks of one axis: a grid of one row, or of one column,
// is a sequence.
func TestAxialOneAxis(t *testing.T) {
	layers := randomLayers(rand.New(rand.NewPCG(33, 34)), 2, 2, 9, 2)
	var rows, columns []AxialBlock
	for _, l := range layers {
		rows = append(rows, AxialBlock{Heads: 2, Row: l.Weights})
		columns = append(columns, AxialBlock{Heads: 2, Columns: l.Weights})
	}
	for _, spec := range []FuseSpec{{}, {Fusion: Max, Discard: 0.5}} {
		want := Roll(Fuse(layers, spec), ReadRow(9, 4))
		a := AxialRollout(rows, 1, 9, ReadRow(9, 4), spec)
		b := AxialRollout(columns, 9, 1, ReadRow(9, 4), spec)
		for i := range want {
			if a[i] != want[i] || b[i] != want[i] {
				t.Errorf("%+v: position %d has %v along a row, %v along a column, want %v", spec, i, a[i], b[i], want[i])
			}
		}
	}
}

// BenchmarkAxialRollout reports a grid of 64 sequences of 128 columns, whose
// dense matrices would have 67 million entries each.
func BenchmarkAxialRollout(b *testing.B) {
	const n, l = 64, 128
	for _, tied := range []bool{false, true} {
		blocks := randomAxial(rand.New(rand.NewPCG(1, 2)), 6, 4, n, l, tied)
		b.Run(fmt.Sprintf("tied=%v", tied), func(b *testing.B) {
			for b.Loop() {
				AxialRollout(blocks, n, l, ReadRow(n*l, 0), FuseSpec{})
			}
		})
	}
}

package autograd

import (
	"math"
	"slices"

	"heed/tensor"
)

// RotaryFrequencies returns the d/2 frequencies base^(-2i/d) of Su et al.
// 2021, for a head of width d; base is usually 10,000.
func RotaryFrequencies(d int, base float64) []float32 {
	f := make([]float32, d/2)
	for i := range f {
		f[i] = float32(math.Pow(base, -2*float64(i)/float64(d)))
	}
	return f
}

// Rotary turns queries or keys x (T, H·d) by angles that grow with their
// position (RoFormer, Su et al. 2021), so that the dot product of a query and a
// key depends on their distance. Coordinates i and i+d/2 of each head make a
// pair (the layout of GPT-NeoX and ESM-2), which is turned by
// positions[row]·frequencies[i]; d is twice the number of frequencies. Positions and
// frequencies must not change before the tape is reset.
func Rotary(t *Tape, x *Var, heads int, positions []int32, frequencies []float32) *Var {
	half := len(frequencies)
	tensor.Check("Rotary", x.Shape, len(positions), heads*2*half)
	y := t.out(x.Shape...)
	angles := t.turnedBy(positions, frequencies)
	turn := func(dst, src []float32, sign float32, add bool, lo, hi int) {
		for r := lo; r < hi; r++ {
			cos, sin := angles[r*2*half:][:half], angles[(r*2+1)*half:][:half]
			for h := range heads {
				at := (r*heads + h) * 2 * half
				a, b := src[at:][:half], src[at+half:][:half]
				u, v := dst[at:][:half], dst[at+half:][:half]
				if add {
					for i := range half {
						c, s := cos[i], sign*sin[i]
						u[i], v[i] = a[i]*c-b[i]*s+u[i], b[i]*c+a[i]*s+v[i]
					}
					continue
				}
				for i := range half {
					c, s := cos[i], sign*sin[i]
					u[i], v[i] = a[i]*c-b[i]*s, b[i]*c+a[i]*s
				}
			}
		}
	}
	t.eachRange(len(positions), func(_, lo, hi int) { turn(y.Data, x.Data, 1, false, lo, hi) })
	if t.wantsAny(x) {
		t.record(y, func() {
			dx, add := t.gradient(x)
			turn(dx, y.Grad, -1, add, 0, len(positions))
		})
	}
	return y
}

// An angleTable is the cosines and then the sines of each position's angles.
type angleTable struct {
	positions   []int32
	frequencies []float32
	table       []float32 // (positions, 2, frequencies)
}

// turnedBy returns the cosines and sines, which are the same for all heads. Queries
// and keys of all layers usually have the same positions; so the tape keeps the last
// table until Reset, unless it belongs to one call of Recompute.
func (t *Tape) turnedBy(positions []int32, frequencies []float32) []float32 {
	last := &t.angles
	if last.table != nil && slices.Equal(last.positions, positions) && slices.Equal(last.frequencies, frequencies) {
		return last.table
	}
	half := len(frequencies)
	table := t.scratch(len(positions) * 2 * half)
	t.eachRange(len(positions), func(_, lo, hi int) {
		for r := lo; r < hi; r++ {
			row := table[r*2*half:]
			for i, f := range frequencies {
				sin, cos := math.Sincos(float64(positions[r]) * float64(f))
				row[i], row[half+i] = float32(cos), float32(sin)
			}
		}
	})
	if t.scope == 0 {
		*last = angleTable{positions, frequencies, table}
	}
	return table
}

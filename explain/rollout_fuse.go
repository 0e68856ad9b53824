package explain

import (
	"fmt"
	"math"

	"heed/internal/par"
	"heed/tensor"
)

// A Fusion says how the heads of a layer become one matrix.
type Fusion int

const (
	Mean Fusion = iota
	Max
	Min
)

// String returns the name of f in lower case.
func (f Fusion) String() string {
	switch f {
	case Mean:
		return "mean"
	case Max:
		return "max"
	case Min:
		return "min"
	}
	return fmt.Sprintf("Fusion(%d)", int(f))
}

// A FuseSpec says how the weights of a layer's heads become the matrix of a
// rollout. The zero FuseSpec is the rollout of Abnar & Zuidema 2020.
type FuseSpec struct {
	Fusion Fusion
	// Discard, in [0, 1), is the share r of the smallest entries that become 0
	// before the residual is added: up to floor(r·L²) of the whole fused matrix
	// (not of each row), as in the maps of vision transformers that made it known.
	//
	// The weight of a position to itself is never discarded. Peers spare only that
	// of [CLS], element (0, 0), so that a map depends on where [CLS] stands and
	// on which row is read; sparing all of them treats positions alike, keeps
	// each row of [FullRollout] what [Roll] gives for it, and keeps rows from
	// running empty. Nothing else is spared: the row of [CLS] may lose all else
	// in a layer, and then passes through it unchanged. Of entries that are
	// equal all stay or all go, so that equal tokens keep equal shares; where that
	// would exceed the number, they stay.
	Discard float64
	// NoResidual leaves out the identity: what the attention sublayer moves. A
	// row without weights keeps its position.
	NoResidual bool
	// Mask (L) is true where a position takes part; nil means everywhere. The
	// rows and columns of the others, padding, are zero before the rows are
	// normalised and do not count in L² of Discard: without this, padding
	// soaks up mass.
	Mask []bool
}

// Fuse returns the matrices W_l of some layers, (L, L) each:
//
//	Ā = mean, max or min over the heads       (H, L, L) → (L, L)
//	Ā ← Ā without padding and without the smallest entries
//	W = (Ā + I) / row sums                    or Ā / row sums
//
// Each row is divided by its own sum, which is 1 at once only for mean fusion
// without a mask; rows that take part sum to 1 for every spec. O(nHL²) time;
// memory is that of the weights of one head, n·L².
func Fuse(layers []Layer, spec FuseSpec) []Mixing {
	out := make([]Mixing, len(layers))
	for i := range layers {
		l := &layers[i]
		tensor.Check("explain.Fuse: "+l.Name, []int{len(l.Weights)}, l.Heads*l.Length*l.Length)
		out[i] = spec.fuse(l.Name, l.Heads, l.Length, l.Weights)
		spec.prepare(&out[i], &out[i], spec.Mask)
	}
	return out
}

// fuse returns Ā of weights (H, L, L).
func (s *FuseSpec) fuse(name string, heads, n int, weights []float32) Mixing {
	if heads < 1 {
		panic(fmt.Sprintf("explain: %s has %d heads", name, heads))
	}
	m := Mixing{name, n, make([]float32, n*n)}
	par.Ranges(n*n, 4*par.Cores(), 1024, coresFor(heads*n*n), func(_, lo, hi int) {
		dst := m.Weights[lo:hi]
		copy(dst, weights[lo:hi])
		for h := 1; h < heads; h++ {
			w := weights[h*n*n+lo : h*n*n+hi]
			switch s.Fusion {
			case Max:
				for j, x := range w {
					dst[j] = max(dst[j], x)
				}
			case Min:
				for j, x := range w {
					dst[j] = min(dst[j], x)
				}
			default:
				for j, x := range w {
					dst[j] += x
				}
			}
		}
		if s.Fusion == Mean {
			for j := range dst {
				dst[j] /= float32(heads)
			}
		}
	})
	return m
}

// prepare writes W of the fused weights in src, which may be dst: padding and
// the smallest entries dropped, the residual added, the rows normalised. mask is
// nil or that of src's positions.
func (s *FuseSpec) prepare(dst, src *Mixing, mask []bool) {
	n := src.Length
	if mask != nil {
		tensor.Check("explain: mask", []int{len(mask)}, n)
	}
	limit := s.limit(src, mask)
	par.Ranges(n, 4*par.Cores(), 1, coresFor(n*n), func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := dst.Row(i)
			if mask != nil && !mask[i] {
				clear(row)
				continue
			}
			for j, w := range src.Row(i) {
				if w < limit && i != j || mask != nil && !mask[j] {
					w = 0
				}
				row[j] = w
			}
			if !s.NoResidual {
				row[i]++
			}
			normalize(row, row, i)
		}
	})
}

// limit returns the value below which entries are discarded.
func (s *FuseSpec) limit(m *Mixing, mask []bool) float32 {
	if !(s.Discard >= 0 && s.Discard < 1) {
		panic(fmt.Sprintf("explain: discard ratio %v is not in [0, 1)", s.Discard))
	}
	if s.Discard == 0 {
		return 0
	}
	values := make([]float32, 0, m.Length*m.Length)
	positions := 0
	for i := range m.Length {
		if mask != nil && !mask[i] {
			continue
		}
		positions++
		for j, w := range m.Row(i) {
			if i != j && (mask == nil || mask[j]) {
				values = append(values, w)
			}
		}
	}
	k := int(s.Discard * float64(positions*positions))
	if k >= len(values) {
		return float32(math.Inf(1)) // only what is never discarded is left
	}
	return smallest(values, k)
}

// smallest returns the value that has k smaller or equal ones before it in the
// order of values, which are not negative. The bits of such numbers are ordered
// as they are: two counts over 16 bits each find it without sorting.
func smallest(values []float32, k int) float32 {
	high := 0
	for _, shift := range []int{16, 0} {
		count := make([]int, 1<<16)
		for _, v := range values {
			b := int(math.Float32bits(max(v, 0)))
			if shift == 0 && b>>16 != high {
				continue
			}
			count[b>>shift&0xffff]++
		}
		digit := 0
		for k >= count[digit] {
			k -= count[digit]
			digit++
		}
		high = high<<16 | digit
	}
	return math.Float32frombits(uint32(high))
}

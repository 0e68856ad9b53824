package explain

import (
	"slices"

	"heed/internal/par"
	"heed/tensor"
)

// An AxialBlock holds the attention weights of one block over an (N, L) grid,
// such as N aligned sequences of L columns: attention along each row, then
// attention along each column, each with its residual connection (the axial
// transformer of Ho et al. 2019, the MSA Transformer of Rao et al. 2021). Without
// one of the two weights the block has only the other: where columns come
// first, a block is two.
type AxialBlock struct {
	Name    string
	Heads   int
	Row     []float32 // (N, H, L, L), or (1, H, L, L) if the rows are tied
	Columns []float32 // (L, H, N, N)
}

// AxialRollout returns the attention rollout over an (n, l) grid: how much of
// each cell (n·l, row by row) could have flowed to the readout (n·l) of the last
// block. It is [Roll] through the (n·l)² matrices
//
//	W_row[(a, i), (a, j)] = W^a_row[i, j]     W_column[(a, i), (b, i)] = W^i_column[a, b]
//
// of every block, the columns' first, which are zero elsewhere and are never
// made: with v kept as a grid, each row of v is multiplied by its own (l, l)
// matrix, and each column by its own (n, n) matrix. O(n·l·(n+l)) time for each
// block and head, in place of O((n·l)²). The spec is that of [Fuse], applied to
// each matrix by itself; its mask is (n·l), a gap or padding where false. Rows that
// are tied share their weights, and under a mask each is normalised by itself.
//
// The caveats are those of [Rollout]. The grid mixes along one axis at a time,
// so that the map of a shallow model shows crosses: a cell reaches another row and
// column only in two steps.
func AxialRollout(blocks []AxialBlock, n, l int, readout []float64, spec FuseSpec) []float64 {
	tensor.Check("explain.AxialRollout: readout", []int{len(readout)}, n*l)
	if spec.Mask != nil {
		tensor.Check("explain.AxialRollout: mask", []int{len(spec.Mask)}, n*l)
	}
	v := slices.Clone(readout)
	for k := len(blocks) - 1; k >= 0; k-- {
		b := &blocks[k]
		if b.Columns != nil {
			tensor.Check("explain.AxialRollout: columns of "+b.Name, []int{len(b.Columns)}, l*b.Heads*n*n)
			spec.alongAxis(v, b, b.Columns, l, l, n, l)
		}
		if b.Row != nil {
			matrices := n
			if len(b.Row) == b.Heads*l*l {
				matrices = 1
			}
			tensor.Check("explain.AxialRollout: rows of "+b.Name, []int{len(b.Row)}, matrices*b.Heads*l*l)
			spec.alongAxis(v, b, b.Row, matrices, n, l, 1)
		}
	}
	return v
}

// alongAxis multiplies each of the lines of v, of some length and stride, by its
// matrix, of which there are as many as lines, or one for all.
func (s *FuseSpec) alongAxis(v []float64, b *AxialBlock, weights []float32, matrices, lines, length, stride int) {
	size := b.Heads * length * length
	var shared Mixing // of tied lines
	if matrices == 1 {
		shared = s.fuse(b.Name, b.Heads, length, weights)
		if s.Mask == nil {
			s.prepare(&shared, &shared, nil)
		}
	}
	par.Do(lines, coresFor(lines*size), func(_, line int) {
		start := line
		if stride == 1 {
			start = line * length
		}
		x := make([]float64, length)
		nothing := true
		for i := range x {
			x[i] = v[start+i*stride]
			nothing = nothing && x[i] == 0
		}
		if nothing {
			return
		}
		m := shared
		if matrices > 1 {
			m = s.fuse(b.Name, b.Heads, length, weights[line*size:(line+1)*size])
		}
		if matrices > 1 || s.Mask != nil {
			own := Mixing{m.Name, length, make([]float32, length*length)}
			s.prepare(&own, &m, s.line(start, length, stride))
			m = own
		}
		for i, y := range m.back(x) {
			v[start+i*stride] = y
		}
	})
}

// line returns the mask of one line, or nil.
func (s *FuseSpec) line(start, length, stride int) []bool {
	if s.Mask == nil {
		return nil
	}
	mask := make([]bool, length)
	for i := range mask {
		mask[i] = s.Mask[start+i*stride]
	}
	return mask
}

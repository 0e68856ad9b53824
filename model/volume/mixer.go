package volume

import (
	"math/rand/v2"

	"heed/autograd"
	"heed/nn"
)

// The mixers below know the grid on which the rows of a sample lie, depth by
// height by width; segments, one for each sample, say nothing more.

// axial attends along the three lines of the grid that pass through a voxel,
// with one set of projections: (T, D) to (T, D). Its parameters are those of
// full attention, and of n³ voxels it compares 3·n⁴ pairs, not n⁶.
type axial struct {
	*nn.MultiHeadAttention
	grid [3]int
}

func (a *axial) Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	q, k, v := a.Query.Forward(t, x), a.Key.Forward(t, x), a.Value.Forward(t, x)
	var sum *autograd.Var
	for axis, name := range []string{"depth", "height", "width"} {
		spec := autograd.AttentionSpec{Heads: a.Heads, Query: axisLines(s, a.grid, axis), Dropout: a.Dropout}
		if a.Name != "" {
			spec.Name = a.Name + "." + name
		}
		if o := autograd.Attention(t, q, k, v, spec); sum == nil {
			sum = o
		} else {
			sum = autograd.Add(t, sum, o)
		}
	}
	if t.Probe != nil && a.Name != "" {
		t.Watch(a.Name+".heads", sum)
	}
	return a.Out.Forward(t, sum)
}

// axisLines returns all lines of the samples' grids along one axis.
func axisLines(samples []autograd.Segment, g [3]int, axis int) []autograd.Segment {
	stride := [3]int{g[1] * g[2], g[2], 1}
	other := [2]int{(axis + 1) % 3, (axis + 2) % 3}
	var lines []autograd.Segment
	for _, s := range samples {
		for i := range g[other[0]] {
			for j := range g[other[1]] {
				lines = append(lines, autograd.Segment{Start: s.Start + i*stride[other[0]] + j*stride[other[1]], Count: g[axis], Stride: stride[axis]})
			}
		}
	}
	return lines
}

// bottleneck is a 3³ convolution between two of 1³: (T, D) to (T, D).
type bottleneck struct {
	Down  *nn.Linear // (R, D)
	Cube  *nn.Conv3D // (3, 3, 3, R, R)
	Up    *nn.Linear // (D, R)
	width int
	grid  [3]int
}

// newBottleneck makes R so large that the parameters come nearest to those of
// attention, 4·D·(D+1).
func newBottleneck(dim int, grid [3]int, r *rand.Rand) *bottleneck {
	w := nearest(4*dim*(dim+1), func(w int) int { return 2*dim*w + w + dim + 27*w*w + w })
	return &bottleneck{nn.NewLinear(dim, w, r), nn.NewConv3D(w, w, 3, 1, r), nn.NewLinear(w, dim, r), w, grid}
}

func (b *bottleneck) Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	h := autograd.GELU(t, b.Down.Forward(t, x))
	h = autograd.GELU(t, b.Cube.Forward(t, onGrid(t, h, len(s), b.grid)))
	return b.Up.Forward(t, autograd.Reshape(t, h, x.Dim(0), b.width))
}

func (b *bottleneck) Visit(prefix string, f nn.Visitor) {
	b.Down.Visit(nn.Join(prefix, "down"), f)
	b.Cube.Visit(nn.Join(prefix, "cube"), f)
	b.Up.Visit(nn.Join(prefix, "up"), f)
}

// inception is a module with parallel branches of several widths, side by side
// before a last projection: (T, D) to (T, D). Szegedy et al. 2015, in 3-D.
type inception struct {
	Point  *nn.Linear // (A, D), 1³
	Reduce *nn.Linear // (A + A/2, D), before the two below
	Cube3  *nn.Conv3D // (3, 3, 3, A, A)
	Cube5  *nn.Conv3D // (5, 5, 5, A/2, A/2)
	Pooled *nn.Linear // (A, D), after a mean over 3³
	Out    *nn.Linear // (D, 3A + A/2)
	a, b   int
	grid   [3]int
}

func newInception(dim int, grid [3]int, r *rand.Rand) *inception {
	a := nearest(4*dim*(dim+1), func(a int) int {
		b := max(1, a/2)
		return (dim+1)*(3*a+b) + 27*a*a + a + 125*b*b + b + (3*a+b+1)*dim
	})
	b := max(1, a/2)
	return &inception{
		nn.NewLinear(dim, a, r), nn.NewLinear(dim, a+b, r), nn.NewConv3D(a, a, 3, 1, r), nn.NewConv3D(b, b, 5, 1, r),
		nn.NewLinear(dim, a, r), nn.NewLinear(3*a+b, dim, r), a, b, grid,
	}
}

func (m *inception) Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	rows := x.Dim(0)
	flat := func(x *autograd.Var) *autograd.Var { return autograd.Reshape(t, x, rows, x.Dim(-1)) }
	reduced := autograd.GELU(t, m.Reduce.Forward(t, x))
	three := m.Cube3.Forward(t, onGrid(t, autograd.Columns(t, reduced, 0, m.a), len(s), m.grid))
	five := m.Cube5.Forward(t, onGrid(t, autograd.Columns(t, reduced, m.a, m.a+m.b), len(s), m.grid))
	pooled := autograd.AvgPool3D(t, onGrid(t, x, len(s), m.grid), [3]int{3, 3, 3}, autograd.Cube(1, 1))
	all := autograd.Concat(t, m.Point.Forward(t, x), flat(three), flat(five), m.Pooled.Forward(t, flat(pooled)))
	return m.Out.Forward(t, autograd.GELU(t, all))
}

func (m *inception) Visit(prefix string, f nn.Visitor) {
	m.Point.Visit(nn.Join(prefix, "point"), f)
	m.Reduce.Visit(nn.Join(prefix, "reduce"), f)
	m.Cube3.Visit(nn.Join(prefix, "cube3"), f)
	m.Cube5.Visit(nn.Join(prefix, "cube5"), f)
	m.Pooled.Visit(nn.Join(prefix, "pooled"), f)
	m.Out.Visit(nn.Join(prefix, "out"), f)
}

// sliceReader reads the grid slice after slice, each voxel in the light of those
// above and below it, by an LSTM in both directions: (T, D) to (T, D).
type sliceReader struct {
	*nn.RecurrentMixer
	grid [3]int
}

func newSlices(dim int, grid [3]int, r *rand.Rand) *sliceReader {
	h := nearest(4*dim*(dim+1), func(h int) int { return 2*4*h*(dim+1+h+1) + dim*(2*h+1) })
	return &sliceReader{&nn.RecurrentMixer{Reader: nn.NewBiLSTM(dim, h, r), Out: nn.NewLinear(2*h, dim, r)}, grid}
}

func (m *sliceReader) Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	return m.RecurrentMixer.Mix(t, x, axisLines(s, m.grid, 0))
}

// onGrid gives rows (B·D·H·W, C) their places, (B, D, H, W, C).
func onGrid(t *autograd.Tape, x *autograd.Var, batch int, g [3]int) *autograd.Var {
	return autograd.Reshape(t, x, batch, g[0], g[1], g[2], x.Dim(-1))
}

// nearest returns the width from 1 on whose number of parameters, which grows
// with it, is nearest to the target.
func nearest(target int, params func(width int) int) int {
	w := 1
	for params(w+1) <= target {
		w++
	}
	if params(w+1)-target < target-params(w) {
		w++
	}
	return w
}

// Package volume classifies volumes, such as CT, by convolutions below and a
// mixer of choice above.
//
// Voxels flow in; class logits flow out. In the order of the data:
//
//	voxels → stem: stages of convolutions, each halves the size → feature map
//	       → + position in mm → [CLS] → layers: mixer and feed-forward → norm
//	       → [CLS] row, or mean over the map → classifier
//
// The mixer is attention over the voxels of the map, or one of the alternatives
// at equal parameters that it has to be compared with (see [Mixers]). Attention
// over the raw voxels is refused: [TooManyTokensError] has the arithmetic.
package volume

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/nn"
)

// A Model is the network, in the order of the data.
type Model struct {
	Config     Config
	Stem       []*Stage
	Position   *autograd.Var // (tokens, D); nil for none
	Cls        *autograd.Var // (1, D); nil unless pooled by [CLS]
	Layers     []*nn.EncoderLayer
	Norm       *nn.LayerNorm
	Classifier *nn.Linear // (classes, D), or 2D with mean and maximum
}

// A Stage halves the size of a volume: a strided convolution and residual
// blocks.
type Stage struct {
	Down   *nn.Conv3D // 3³, stride 2
	Norm   *nn.GroupNorm
	Blocks []*Block
}

// A Block is x + Conv(gelu(Norm(Conv(gelu(Norm(x)))))), with pre-activation
// after He et al. 2016.
type Block struct {
	Norm1 *nn.GroupNorm
	Conv1 *nn.Conv3D
	Norm2 *nn.GroupNorm
	Conv2 *nn.Conv3D
}

// groups is the number of groups of channels that are normalised together.
const groups = 4

// New returns a model with weights drawn from r, or with zeros if r is nil. The
// configuration must be valid.
func New(c Config, r *rand.Rand) *Model {
	m := &Model{Config: c}
	in := c.Channels
	for _, out := range c.Stem {
		s := &Stage{Down: nn.NewConv3D(in, out, 3, 2, r), Norm: nn.NewGroupNorm(out, groups)}
		for range c.Blocks {
			b := &Block{
				nn.NewGroupNorm(out, groups), nn.NewConv3D(out, out, 3, 1, r),
				nn.NewGroupNorm(out, groups), nn.NewConv3D(out, out, 3, 1, r),
			}
			for i := range b.Conv2.Weight.Data { // begins near the identity
				b.Conv2.Weight.Data[i] *= 0.3
			}
			s.Blocks = append(s.Blocks, b)
		}
		m.Stem = append(m.Stem, s)
		in = out
	}
	d, grid := c.Dim(), c.Grid()
	switch c.Position {
	case "sinusoidal":
		m.Position = Positions(grid, c.gridSpacing(), d)
	case "learned":
		m.Position = nn.NewEmbedding(voxels(grid), d, 0.1, r).Weight
	}
	if c.Pooling == "cls" {
		m.Cls = nn.NewEmbedding(1, d, 0.1, r).Weight
	}
	for i := range c.Layers {
		l := nn.NewEncoderLayer(m.mixer(i, grid, r), d, c.FFN, r)
		l.Name = fmt.Sprintf("layers.%d", i)
		l.Dropout = c.Dropout
		m.Layers = append(m.Layers, l)
	}
	m.Norm = nn.NewLayerNorm(d)
	pooled := d
	if c.Pooling == "meanmax" {
		pooled = 2 * d
	}
	m.Classifier = nn.NewLinear(pooled, c.Classes, r)
	return m
}

func (m *Model) mixer(layer int, grid [3]int, r *rand.Rand) nn.Mixer {
	d := m.Config.Dim()
	switch m.Config.Mixer {
	case Conv:
		return newBottleneck(d, grid, r)
	case Inception:
		return newInception(d, grid, r)
	case LSTM:
		return newSlices(d, grid, r)
	}
	a := nn.NewMultiHeadAttention(d, m.Config.Heads, r)
	a.Name = fmt.Sprintf("layers.%d.attention", layer)
	a.Dropout = m.Config.Dropout
	if m.Config.Mixer == Axial {
		return &axial{a, grid}
	}
	return a
}

// gridSpacing returns the mm from voxel to voxel of the feature map.
func (c *Config) gridSpacing() [3]float64 {
	s := c.Spacing
	for a := range s {
		s[a] *= float64(int(1) << len(c.Stem))
	}
	return s
}

// Positions returns a constant table (tokens, dim) of where the voxels of a
// grid lie, in mm from its corner: a third of the columns for each axis, in
// pairs of a sine and a cosine whose wavelengths go from 8 mm to 1 m in equal
// ratios. Columns left over are zero. Volumes of different spacing therefore
// have equal codes at equal places.
func Positions(grid [3]int, spacing [3]float64, dim int) *autograd.Var {
	const shortest, longest = 8, 1000
	v := autograd.Input(make([]float32, voxels(grid)*dim), voxels(grid), dim)
	pairs := dim / 6
	for i := range voxels(grid) {
		at := [3]int{i / (grid[1] * grid[2]), i / grid[2] % grid[1], i % grid[2]}
		for axis := range 3 {
			mm := float64(at[axis]) * spacing[axis]
			for p := range pairs {
				wave := shortest * math.Pow(longest/shortest, float64(p)/float64(max(1, pairs-1)))
				sin, cos := math.Sincos(2 * math.Pi * mm / wave)
				row := v.Data[i*dim+2*(axis*pairs+p):]
				row[0], row[1] = float32(sin), float32(cos)
			}
		}
	}
	return v
}

// Visit names all parameters.
func (m *Model) Visit(prefix string, f nn.Visitor) {
	for i, s := range m.Stem {
		s.Visit(nn.Join(prefix, fmt.Sprintf("stem.%d", i)), f)
	}
	if m.Position != nil && m.Position.Trainable {
		f(nn.Join(prefix, "position.weight"), m.Position)
	}
	if m.Cls != nil {
		f(nn.Join(prefix, "cls.weight"), m.Cls)
	}
	for i, l := range m.Layers {
		l.Visit(nn.Join(prefix, fmt.Sprintf("layers.%d", i)), f)
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Classifier.Visit(nn.Join(prefix, "classifier"), f)
}

// Visit names down, norm and blocks.
func (s *Stage) Visit(prefix string, f nn.Visitor) {
	s.Down.Visit(nn.Join(prefix, "down"), f)
	s.Norm.Visit(nn.Join(prefix, "norm"), f)
	for i, b := range s.Blocks {
		p := nn.Join(prefix, fmt.Sprintf("blocks.%d", i))
		b.Norm1.Visit(nn.Join(p, "norm1"), f)
		b.Conv1.Visit(nn.Join(p, "conv1"), f)
		b.Norm2.Visit(nn.Join(p, "norm2"), f)
		b.Conv2.Visit(nn.Join(p, "conv2"), f)
	}
}

// Forward maps x (B, D, H, W, C) to a volume of half the size.
func (s *Stage) Forward(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	x = s.Norm.Forward(t, s.Down.Forward(t, x))
	for _, b := range s.Blocks {
		h := b.Conv1.Forward(t, autograd.GELU(t, b.Norm1.Forward(t, x)))
		h = b.Conv2.Forward(t, autograd.GELU(t, b.Norm2.Forward(t, h)))
		x = autograd.Add(t, x, h)
	}
	return autograd.GELU(t, x)
}

// Map returns the feature map (B, D', H', W', D) of volumes x (B, D, H, W, C).
// A probe sees it as "map" and the output of stage i as "stem.i".
func (m *Model) Map(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	for i, s := range m.Stem {
		x = m.run(t, s.Forward, x)
		if i < len(m.Stem)-1 {
			t.Watch(fmt.Sprintf("stem.%d", i), x)
		}
	}
	t.Watch("map", x)
	return x
}

// run is f(t, x), which is recomputed if the configuration says so.
func (m *Model) run(t *autograd.Tape, f func(*autograd.Tape, *autograd.Var) *autograd.Var, x *autograd.Var) *autograd.Var {
	if m.Config.Recompute {
		return autograd.Recompute(t, f, x)
	}
	return f(t, x)
}

// Logits returns class logits (B, classes) of volumes x (B, D, H, W, C) of the
// configured size. Those of a volume do not depend on the others in its batch.
func (m *Model) Logits(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	c := &m.Config
	batch, n, d := x.Dim(0), c.Tokens(), c.Dim()
	x = autograd.Reshape(t, m.Map(t, x), batch, n*d)
	if m.Position != nil {
		x = autograd.AddRow(t, x, autograd.Reshape(t, m.Position, n*d))
	}
	if m.Cls != nil { // one more row before those of each volume
		x = autograd.Concat(t, autograd.Embedding(t, m.Cls, make([]int32, batch)), x)
		n++
	}
	x = autograd.Dropout(t, autograd.Reshape(t, x, batch*n, d), c.Dropout)
	segments := make([]autograd.Segment, batch)
	for i := range segments {
		segments[i] = autograd.Segment{Start: i * n, Count: n, Stride: 1}
	}
	for i, l := range m.Layers {
		if m.Cls != nil && i == len(m.Layers)-1 && t.Probe == nil && t.NoGrad {
			x = m.Norm.Forward(t, l.First(t, x, segments))
			return m.Classifier.Forward(t, x)
		}
		x = m.run(t, func(t *autograd.Tape, x *autograd.Var) *autograd.Var { return l.Forward(t, x, segments) }, x)
	}
	x = m.Norm.Forward(t, x)
	switch c.Pooling {
	case "cls":
		rows := make([]int32, batch)
		for i := range rows {
			rows[i] = int32(i * n)
		}
		x = autograd.Rows(t, x, rows)
	case "mean":
		x = autograd.MeanPool(t, x, segments)
	case "meanmax":
		top, _ := autograd.MaxPool1D(t, x, n, segments)
		x = autograd.Concat(t, autograd.MeanPool(t, x, segments), top)
	}
	return m.Classifier.Forward(t, autograd.Dropout(t, x, c.Dropout))
}

package study

import (
	"fmt"
	"math"
	"math/rand/v2"

	"heed/autograd"
	"heed/nn"
)

// A lensGrid is the grid of tokens into which a picture is cut.
type lensGrid struct{ rows, columns, in int } // in values of a token

func (g lensGrid) tokens() int { return g.rows * g.columns }

// A lens is a classifier of pictures: tokens, positions, two layers that mix by
// attention or by Inception, the mean of all tokens, one linear layer. Whatever
// depends on two tokens that no layer has brought together is lost in the mean.
type lens struct {
	grid     lensGrid
	In       *nn.Linear
	Position *autograd.Var // (tokens, D)
	Layers   []*nn.EncoderLayer
	Norm     *nn.LayerNorm
	Out      *nn.Linear
}

const (
	lensDim    = 32
	lensLayers = 2
	lensReach  = 2 * lensLayers // tokens that Inception sees to each side
)

// newLens returns a model that mixes by "attention" or "inception", both with the
// same number of parameters.
func newLens(kind string, g lensGrid, classes int, r *rand.Rand) (*lens, error) {
	const heads, ffn = 4, 64
	m := &lens{grid: g, In: nn.NewLinear(g.in, lensDim, r), Position: nn.NewEmbedding(g.tokens(), lensDim, 0.1, r).Weight}
	width, err := nn.EqualWidth(nn.Count(nn.NewMultiHeadAttention(lensDim, heads, nil)), func(w int) int { return nn.Count(newPlanar(g, w, nil)) })
	if err != nil {
		return nil, err
	}
	for i := range lensLayers {
		var mixer nn.Mixer = newPlanar(g, width, r)
		if kind == "attention" {
			a := nn.NewMultiHeadAttention(lensDim, heads, r)
			a.Name = fmt.Sprintf("layers.%d", i)
			mixer = a
		}
		m.Layers = append(m.Layers, nn.NewEncoderLayer(mixer, lensDim, ffn, r))
	}
	m.Norm, m.Out = nn.NewLayerNorm(lensDim), nn.NewLinear(lensDim, classes, r)
	return m, nil
}

// Visit names in, position, layers, norm and out.
func (m *lens) Visit(prefix string, f nn.Visitor) {
	m.In.Visit(nn.Join(prefix, "in"), f)
	f(nn.Join(prefix, "position"), m.Position)
	for i, l := range m.Layers {
		l.Visit(nn.Join(prefix, fmt.Sprintf("layers.%d", i)), f)
	}
	m.Norm.Visit(nn.Join(prefix, "norm"), f)
	m.Out.Visit(nn.Join(prefix, "out"), f)
}

// encode maps the tokens x (n·T, in) of n pictures to (n·T, D). embedded, if not
// nil, is called with the rows before the layers.
func (m *lens) encode(t *autograd.Tape, x []float32, embedded func(*autograd.Var)) (*autograd.Var, []autograd.Segment) {
	tokens := m.grid.tokens()
	n := len(x) / (tokens * m.grid.in)
	h := m.In.Forward(t, autograd.Input(x, n*tokens, m.grid.in))
	if embedded != nil {
		embedded(h)
	}
	h = autograd.AddRow(t, autograd.Reshape(t, h, n, tokens*lensDim), autograd.Reshape(t, m.Position, tokens*lensDim))
	h = autograd.Reshape(t, h, n*tokens, lensDim)
	lengths := make([]int, n)
	for i := range lengths {
		lengths[i] = tokens
	}
	s := autograd.Packed(lengths...)
	for _, l := range m.Layers {
		h = l.Forward(t, h, s)
	}
	return m.Norm.Forward(t, h), s
}

// logits maps the tokens of n pictures to (n, classes).
func (m *lens) logits(t *autograd.Tape, x []float32) *autograd.Var {
	h, s := m.encode(t, x, nil)
	// A token alone is one of many: the sum over √T keeps its voice.
	return m.Out.Forward(t, autograd.Scale(t, autograd.MeanPool(t, h, s), float32(math.Sqrt(float64(m.grid.tokens())))))
}

// receptive returns, for every token j of one picture, the root mean square of the
// derivative of the last layer's token i with respect to the embedded token j,
// over draws random directions.
func (m *lens) receptive(x []float32, i, draws int, r *rand.Rand) []float64 {
	out := make([]float64, m.grid.tokens())
	for range draws {
		t := &autograd.Tape{Frozen: true}
		var e *autograd.Var
		h, _ := m.encode(t, x, func(v *autograd.Var) { e = v; t.Keep(v) })
		seed := make([]float32, len(h.Data))
		for d := range lensDim {
			seed[i*lensDim+d] = float32(r.NormFloat64())
		}
		t.BackwardFrom(h, seed)
		for k, g := range t.Grad(e) {
			out[k/lensDim] += float64(g) * float64(g) / float64(draws*lensDim)
		}
	}
	for j := range out {
		out[j] = math.Sqrt(out[j])
	}
	return out
}

// planar is an Inception module over the grid of a picture (Szegedy et al. 2015,
// figure 2b): convolutions of 1, 3 x 3 and 5 x 5 tokens and the maximum of 3 x 3, side by
// side, the wider ones behind a reduction.
type planar struct {
	grid                      lensGrid
	One, Into3, Into5, Pooled *nn.Linear
	Three, Five               *autograd.Var // (1, K, K, W, W)
	ThreeBias, FiveBias       *autograd.Var // (W)
	Out                       *nn.Linear
}

func newPlanar(g lensGrid, width int, r *rand.Rand) *planar {
	window := func(k int) *autograd.Var {
		v := autograd.Param(1, k, k, width, width)
		if r != nil {
			for i := range v.Data {
				v.Data[i] = float32(r.NormFloat64() * math.Sqrt(2/float64(k*k*width)))
			}
		}
		return v
	}
	return &planar{
		grid: g, One: nn.NewLinear(lensDim, width, r), Into3: nn.NewLinear(lensDim, width, r), Into5: nn.NewLinear(lensDim, width, r),
		Pooled: nn.NewLinear(lensDim, width, r), Three: window(3), Five: window(5),
		ThreeBias: autograd.Param(width), FiveBias: autograd.Param(width), Out: nn.NewLinear(4*width, lensDim, r),
	}
}

// Mix maps x (n·T, D) to (n·T, D); a token sees two tokens to each side.
func (p *planar) Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	on := func(x *autograd.Var) *autograd.Var {
		return autograd.Reshape(t, x, len(s), 1, p.grid.rows, p.grid.columns, x.Dim(-1))
	}
	flat := func(x *autograd.Var) *autograd.Var { return autograd.Reshape(t, x, len(s)*p.grid.tokens(), x.Dim(-1)) }
	flatPad := func(pad int) autograd.Window3D { return autograd.Window3D{Pad: [3]int{0, pad, pad}} }
	three := autograd.Conv3D(t, on(autograd.ReLU(t, p.Into3.Forward(t, x))), p.Three, p.ThreeBias, flatPad(1))
	five := autograd.Conv3D(t, on(autograd.ReLU(t, p.Into5.Forward(t, x))), p.Five, p.FiveBias, flatPad(2))
	pooled := autograd.MaxPool3D(t, on(x), [3]int{1, 3, 3}, flatPad(1))
	all := autograd.Concat(t, p.One.Forward(t, x), flat(three), flat(five), p.Pooled.Forward(t, flat(pooled)))
	return p.Out.Forward(t, autograd.ReLU(t, all))
}

// Visit names one, into3, three, into5, five, pooled and out.
func (p *planar) Visit(prefix string, f nn.Visitor) {
	p.One.Visit(nn.Join(prefix, "one"), f)
	p.Into3.Visit(nn.Join(prefix, "into3"), f)
	f(nn.Join(prefix, "three.weight"), p.Three)
	f(nn.Join(prefix, "three.bias"), p.ThreeBias)
	p.Into5.Visit(nn.Join(prefix, "into5"), f)
	f(nn.Join(prefix, "five.weight"), p.Five)
	f(nn.Join(prefix, "five.bias"), p.FiveBias)
	p.Pooled.Visit(nn.Join(prefix, "pooled"), f)
	p.Out.Visit(nn.Join(prefix, "out"), f)
}

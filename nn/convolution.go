package nn

import (
	"fmt"
	"math/rand/v2"

	"heed/autograd"
)

// Inception mixes a row with its neighbours at several scales at once (Szegedy et
// al. 2015, figure 2b, along one axis): convolutions of 1, 3 and 5 rows and the
// maximum of 3 rows, side by side. The wider ones begin with a convolution of one
// row to the width of a branch.
type Inception struct {
	One          *Conv1D // (W, 1, D)
	Into3, Three *Conv1D // (W, 1, D), (W, 3, W)
	Into5, Five  *Conv1D // (W, 1, D), (W, 5, W)
	Pooled       *Conv1D // (W, 1, D), after the maximum
	Out          *Linear // (D, 4W)
}

// NewInception returns an inception block for width dim, of branches of the given
// width.
func NewInception(dim, width int, r *rand.Rand) *Inception {
	return &Inception{
		One:   NewConv1D(dim, width, 1, r),
		Into3: NewConv1D(dim, width, 1, r), Three: NewConv1D(width, width, 3, r),
		Into5: NewConv1D(dim, width, 1, r), Five: NewConv1D(width, width, 5, r),
		Pooled: NewConv1D(dim, width, 1, r),
		Out:    NewLinear(4*width, dim, r),
	}
}

// Mix maps x (T, D) to (T, D); a row sees two rows to each side.
func (m *Inception) Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	three := m.Three.Forward(t, autograd.ReLU(t, m.Into3.Forward(t, x, s)), s)
	five := m.Five.Forward(t, autograd.ReLU(t, m.Into5.Forward(t, x, s)), s)
	pooled := m.Pooled.Forward(t, autograd.MaxNear1D(t, x, 3, s), s)
	all := autograd.Concat(t, m.One.Forward(t, x, s), three, five, pooled)
	return m.Out.Forward(t, autograd.ReLU(t, all))
}

// Visit names one, into3, three, into5, five, pooled and out.
func (m *Inception) Visit(prefix string, f Visitor) {
	m.One.Visit(Join(prefix, "one"), f)
	m.Into3.Visit(Join(prefix, "into3"), f)
	m.Three.Visit(Join(prefix, "three"), f)
	m.Into5.Visit(Join(prefix, "into5"), f)
	m.Five.Visit(Join(prefix, "five"), f)
	m.Pooled.Visit(Join(prefix, "pooled"), f)
	m.Out.Visit(Join(prefix, "out"), f)
}

// DilatedCNN is a stack of residual convolutions of three rows, each of which
// skips farther than the one before (Yu & Koltun 2016): dilations 1, 2, 4 and 8
// see 15 rows to each side.
type DilatedCNN struct {
	In    *Linear   // (W, D)
	Convs []*Conv1D // (W, 3, W)
	Out   *Linear   // (D, W)

	Dilations []int // of Convs
}

// NewDilatedCNN returns a stack for width dim, of the given width, with one
// convolution for each dilation.
func NewDilatedCNN(dim, width int, dilations []int, r *rand.Rand) *DilatedCNN {
	m := &DilatedCNN{In: NewLinear(dim, width, r), Dilations: dilations}
	for range dilations {
		m.Convs = append(m.Convs, NewConv1D(width, width, 3, r))
	}
	m.Out = NewLinear(width, dim, r)
	return m
}

// Mix maps x (T, D) to (T, D).
func (m *DilatedCNN) Mix(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	x = m.In.Forward(t, x)
	for i, c := range m.Convs {
		x = autograd.Add(t, x, autograd.ReLU(t, c.Forward(t, x, autograd.Dilated(s, m.Dilations[i]))))
	}
	return m.Out.Forward(t, x)
}

// Visit names in, convs and out.
func (m *DilatedCNN) Visit(prefix string, f Visitor) {
	m.In.Visit(Join(prefix, "in"), f)
	for i, c := range m.Convs {
		c.Visit(Join(prefix, fmt.Sprintf("convs.%d", i)), f)
	}
	m.Out.Visit(Join(prefix, "out"), f)
}

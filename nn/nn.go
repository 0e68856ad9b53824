// Package nn holds layers: structs of parameters with a Forward method.
//
// Into a layer flow a tape and Vars; out of it flows a Var on the same tape.
//
//	layer := nn.NewLinear(8, 2, rand.New(rand.NewPCG(1, 2)))
//	y := layer.Forward(tape, x) // x (T, 8), y (T, 2)
//
// The fields of a layer are its parameters and sub-layers in the order in which
// data meets them. A model is a struct of layers, a method of yours that calls
// their Forward methods, and Visit, which names all parameters explicitly: that
// makes it a [Module]. The optimiser, the checkpoint, freezing and counting use
// nothing else. The example of the package is a whole classifier; package
// model/sequence is one for DNA, and package train trains any Module.
//
// Sequences are packed end to end, (T, D) for T tokens in all, with segments
// ([autograd.Packed]) that say where each one lies, so that padding does not
// exist. Only layers that mix positions ([Mixer], [Conv1D]) look at segments;
// the others work on each row alone.
package nn

import (
	"math"
	"math/rand/v2"

	"heed/autograd"
)

// A Visitor is called with each parameter and its dotted name, as in
// "layers.3.attention.query.weight".
type Visitor func(name string, p *autograd.Var)

// A Module is anything with parameters.
type Module interface {
	// Visit calls f for every parameter, in a fixed order; names begin with
	// prefix.
	Visit(prefix string, f Visitor)
}

// Params returns the parameters of a module in the order of Visit.
func Params(m Module) []*autograd.Var {
	var ps []*autograd.Var
	m.Visit("", func(_ string, p *autograd.Var) { ps = append(ps, p) })
	return ps
}

// Count returns the number of trainable values of a module.
func Count(m Module) int {
	n := 0
	m.Visit("", func(_ string, p *autograd.Var) {
		if p.Trainable {
			n += len(p.Data)
		}
	})
	return n
}

// Join appends a name to a prefix, with a dot between them.
func Join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// Linear is y = x·wᵀ + b.
type Linear struct {
	Weight *autograd.Var // (out, in)
	Bias   *autograd.Var // (out)
}

// NewLinear returns a layer from in to out values. Weights are uniform with the
// variance of Glorot & Bengio 2010, 2/(in+out); the bias is zero. A nil r
// leaves zeros, for weights that will be loaded.
func NewLinear(in, out int, r *rand.Rand) *Linear {
	l := &Linear{autograd.Param(out, in), autograd.Param(out)}
	uniform(l.Weight, math.Sqrt(6/float64(in+out)), r)
	return l
}

// Forward maps x (..., in) to (..., out).
func (l *Linear) Forward(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	return autograd.Linear(t, x, l.Weight, l.Bias)
}

// Visit names weight and bias.
func (l *Linear) Visit(prefix string, f Visitor) {
	f(Join(prefix, "weight"), l.Weight)
	f(Join(prefix, "bias"), l.Bias)
}

func uniform(p *autograd.Var, bound float64, r *rand.Rand) {
	if r == nil {
		return
	}
	for i := range p.Data {
		p.Data[i] = float32((2*r.Float64() - 1) * bound)
	}
}

func gaussian(p *autograd.Var, sigma float64, r *rand.Rand) {
	if r == nil {
		return
	}
	for i := range p.Data {
		p.Data[i] = float32(sigma * r.NormFloat64())
	}
}

// LayerNorm normalises rows; Ba et al. 2016.
type LayerNorm struct {
	Weight, Bias *autograd.Var // (D)
	Eps          float32
}

// NewLayerNorm returns the identity scale and shift for width dim, eps 1e-5.
func NewLayerNorm(dim int) *LayerNorm {
	n := &LayerNorm{autograd.Param(dim), autograd.Param(dim), 1e-5}
	for i := range n.Weight.Data {
		n.Weight.Data[i] = 1
	}
	return n
}

// Forward normalises the rows of x (..., D).
func (n *LayerNorm) Forward(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	return autograd.LayerNorm(t, x, n.Weight, n.Bias, n.Eps)
}

// Visit names weight and bias.
func (n *LayerNorm) Visit(prefix string, f Visitor) {
	f(Join(prefix, "weight"), n.Weight)
	f(Join(prefix, "bias"), n.Bias)
}

// Embedding is a table of vectors.
type Embedding struct {
	Weight *autograd.Var // (V, D)
}

// NewEmbedding returns a table of rows drawn from a normal distribution of
// standard deviation sigma.
func NewEmbedding(rows, dim int, sigma float64, r *rand.Rand) *Embedding {
	e := &Embedding{autograd.Param(rows, dim)}
	gaussian(e.Weight, sigma, r)
	return e
}

// Forward gathers rows; the result is (len(ids), D).
func (e *Embedding) Forward(t *autograd.Tape, ids []int32) *autograd.Var {
	return autograd.Embedding(t, e.Weight, ids)
}

// Visit names the weight.
func (e *Embedding) Visit(prefix string, f Visitor) { f(Join(prefix, "weight"), e.Weight) }

// Conv1D is a convolution along each segment that keeps its length.
type Conv1D struct {
	Weight *autograd.Var // (out, kernel, in)
	Bias   *autograd.Var // (out)
}

// NewConv1D returns a convolution of the given kernel width from in to out
// channels, initialised after He et al. 2015.
func NewConv1D(in, out, kernel int, r *rand.Rand) *Conv1D {
	c := &Conv1D{autograd.Param(out, kernel, in), autograd.Param(out)}
	gaussian(c.Weight, math.Sqrt(2/float64(in*kernel)), r)
	return c
}

// Forward maps x (T, in) to (T, out).
func (c *Conv1D) Forward(t *autograd.Tape, x *autograd.Var, s []autograd.Segment) *autograd.Var {
	return autograd.Conv1D(t, x, c.Weight, c.Bias, s)
}

// Visit names weight and bias.
func (c *Conv1D) Visit(prefix string, f Visitor) {
	f(Join(prefix, "weight"), c.Weight)
	f(Join(prefix, "bias"), c.Bias)
}

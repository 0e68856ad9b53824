package explain

import (
	"errors"
	"math"

	"heed/internal/kernel"
)

// Norms says how long the vectors are that the positions of one layer send to
// one another: [Encoder.Norms].
type Norms struct {
	Name    string
	Heads   int       // H
	Length  int       // L
	Weights []float32 // (H, L, L) α
	Value   []float32 // (H, L) ‖f_h(x_j)‖, in FinalNorms before the division
	// Attention (L, L) is ‖Σ_h α_ij^h·f_h(x_j)‖, and Residual that with x_i added
	// to the vector that a position sends to itself.
	Attention, Residual Mixing
	// Ratio (L) is the mixing ratio of each position: ‖mix‖ / (‖mix‖ + ‖keep‖), with
	// keep the vector to itself with its residual, and mix the sum of all
	// others. 0 says that attention moves nothing.
	Ratio []float64

	scale []float64 // (L) of each receiver's norm, or nil
}

// Head returns ‖α_ij^h·f_h(x_j)‖ (L, L) of one head.
func (n *Norms) Head(h int) Mixing {
	m := Mixing{n.Name, n.Length, make([]float32, n.Length*n.Length)}
	value := n.Value[h*n.Length : (h+1)*n.Length]
	for i := range n.Length {
		row := m.Row(i)
		for j, a := range n.Weights[(h*n.Length+i)*n.Length : (h*n.Length+i+1)*n.Length] {
			row[j] = a * value[j]
		}
		if n.scale != nil {
			kernel.Scale(row, float32(n.scale[i]))
		}
	}
	return m
}

// Norms runs a case once and returns the norm-based analysis of its layers
// (Kobayashi et al. 2020; with the residual, 2021). In a pre-norm layer what
// attention adds is a sum over sources, so with α the weights of head h, and W_V,
// b_V, W_O those rows and columns of the projections that belong to it,
//
//	f_h(x_j) = (Norm1(x_j)·W_V^h + b_V^h)·W_O^h
//	T_i(x_j) = Σ_h α_ij^h·f_h(x_j) + δ_ij·x_i
//	middle_i = x_i + attention_i = Σ_j T_i(x_j) + b_O
//
// The first norm acts on the source alone, before the values, with the source's
// own statistics: nothing is frozen or approximated. (In the post-norm layers of
// the papers a norm follows the sum, and takes the statistics of the receiver:
// [Encoder.FinalNorms] does that for the norm that ends the stack.) That the vectors
// sum to the layer's output is checked; if they do not, it is an error.
//
// Vectors of all pairs and heads, (H, L, L, D), are never made. For each source
// the products of its H vectors, G_j[h, k] = f_h·f_k, suffice:
//
//	‖Σ_h α_ij^h·f_h(x_j)‖² = Σ_hk α_ij^h·G_j[h, k]·α_ij^k
//
// O(LD² + LH²D + L²H²) time for each layer, and O(LHD) memory at most, against
// O(L²HD) of both. Where the heads cancel to less than a tenth of their summed
// lengths, where rounding would show, that one vector is made after all.
//
// Compared to weights, norms know that a position may have much weight and send
// nothing. What they cannot tell: a norm has no sign and no class; vectors of
// several sources may cancel; the feed-forward layers are left out; and a long
// vector may point where nobody reads.
func (e *Encoder) Norms(c *Case) ([]Norms, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	var out []Norms
	for _, s := range e.trace(c) {
		v, err := e.sources(&s)
		if err != nil {
			return nil, err
		}
		out = append(out, v.norms())
	}
	return out, nil
}

// FinalNorms is [Encoder.Norms] of the last layer through the norm that ends the
// stack, with its real statistics (Kobayashi et al. 2021): every vector v to
// position i becomes
//
//	γ·(v - mean(v)) / sqrt(var(output_i) + ε)
//
// With those of the output bias and of the feed-forward layer, and β, they sum to
// what the classifier reads. The norm counts where it favours some of the
// dimensions.
func (e *Encoder) FinalNorms(c *Case) (*Norms, error) {
	if err := e.Check(); err != nil {
		return nil, err
	}
	if len(e.Layers) == 0 {
		return nil, errors.New("the encoder has no layers")
	}
	all := e.trace(c)
	s := &all[len(all)-1]
	v, err := e.sources(s)
	if err != nil {
		return nil, err
	}
	v.through(e.Norm, s.output)
	n := v.norms()
	return &n, nil
}

// sourceBlock is the number of sources whose products stay in the first-level
// cache while the receivers pass, up to 12 heads.
const sourceBlock = 64

func (v *sources) norms() Norms {
	n := v.length
	name := v.layer.Name
	out := Norms{
		Name: name, Heads: v.count, Length: n, Weights: v.weights, Value: make([]float32, v.count*n),
		Attention: Mixing{name, n, make([]float32, n*n)}, Residual: Mixing{name, n, make([]float32, n*n)},
		Ratio: make([]float64, n), scale: v.scale,
	}
	v.eachBlock(sourceBlock, func(_ *kernel.Work, f []float32, lo, hi int) {
		for h := range v.count {
			for j := lo; j < hi; j++ {
				out.Value[h*n+j] = float32(math.Sqrt(kernel.SumSquares(v.vector(f, j-lo, h))))
			}
		}
		g := v.products(f, hi-lo)
		for i := range n {
			v.gramRow(out.Attention.Row(i)[lo:hi], g, f, out.Value, i, lo)
		}
		for i := range n {
			copy(out.Residual.Row(i)[lo:hi], out.Attention.Row(i)[lo:hi])
		}
		for j := lo; j < hi; j++ {
			own := f[(j-lo)*v.count*v.width : (j-lo+1)*v.count*v.width]
			out.Attention.Row(j)[j], out.Residual.Row(j)[j], out.Ratio[j] = v.self(own, j)
		}
	})
	for i, s := range v.scale { // the receiver's own statistics
		for _, m := range []*Mixing{&out.Attention, &out.Residual} {
			kernel.Scale(m.Row(i), float32(s))
		}
	}
	return out
}

// vector returns f_h of the source at place b of a block.
func (v *sources) vector(f []float32, b, h int) []float32 {
	at := (b*v.count + h) * v.width
	return f[at : at+v.width]
}

// products returns G_j[h, k] (H·H, block) of a block of sources, doubled for
// h < k and absent for h > k: the product of a source is one column.
func (v *sources) products(f []float32, block int) []float32 {
	g := make([]float32, v.count*v.count*block)
	for b := range block {
		for h := range v.count {
			x := v.vector(f, b, h)
			g[(h*v.count+h)*block+b] = float32(kernel.SumSquares(x))
			for k := h + 1; k < v.count; k++ {
				g[(h*v.count+k)*block+b] = 2 * kernel.Dot(x, v.vector(f, b, k))
			}
		}
	}
	return g
}

// gramRow writes the norms of what a block of sources sends to receiver i.
func (v *sources) gramRow(dst, g, f, value []float32, i, lo int) {
	block := len(dst)
	var buf [3][sourceBlock]float32
	squares, bound, inner := buf[0][:block], buf[1][:block], buf[2][:block]
	weights := func(h int) []float32 {
		at := (h*v.length+i)*v.length + lo
		return v.weights[at : at+block]
	}
	for h := range v.count {
		clear(inner)
		for k := h; k < v.count; k++ {
			at := (h*v.count + k) * block
			kernel.MulAdd(inner, g[at:at+block], weights(k))
		}
		kernel.MulAdd(squares, inner, weights(h))
		kernel.MulAdd(bound, value[h*v.length+lo:h*v.length+lo+block], weights(h))
	}
	for b, q := range squares {
		if q < 0.01*bound[b]*bound[b] { // heads cancel: too few digits are left
			x := make([]float32, v.width)
			v.to(x, f[b*v.count*v.width:(b+1)*v.count*v.width], i, lo+b)
			q = float32(kernel.SumSquares(x))
		}
		dst[b] = float32(math.Sqrt(float64(q)))
	}
}

// self returns the norms of what position i sends to itself, without and with
// the residual, and its mixing ratio; f are its vectors (H, D).
func (v *sources) self(f []float32, i int) (attention, residual float32, ratio float64) {
	x := append([]float32(nil), v.input[i*v.width:(i+1)*v.width]...)
	v.pass(x)
	keep := make([]float32, v.width)
	v.to(keep, f, i, i)
	attention = float32(math.Sqrt(kernel.SumSquares(keep)))
	kernel.Add(keep, x)
	k := math.Sqrt(kernel.SumSquares(keep))

	mix := append([]float32(nil), v.middle[i*v.width:(i+1)*v.width]...)
	kernel.Axpy(mix, -1, v.attention.Out.Bias.Data)
	v.pass(mix)
	kernel.Axpy(mix, -1, keep)
	if m := math.Sqrt(kernel.SumSquares(mix)); m > 0 {
		ratio = m / (m + k)
	}
	return attention, float32(k), ratio
}

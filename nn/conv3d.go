package nn

import (
	"math"
	"math/rand/v2"

	"heed/autograd"
)

// Conv3D is a convolution of volumes (B, D, H, W, in).
type Conv3D struct {
	Weight *autograd.Var // (K, K, K, in, out)
	Bias   *autograd.Var // (out)
	Window autograd.Window3D
}

// NewConv3D returns a convolution with a cubic window of the given edge,
// initialised after He et al. 2015. Its padding, (kernel-1)/2, keeps the size
// of a volume if stride is 1 and kernel odd.
func NewConv3D(in, out, kernel, stride int, r *rand.Rand) *Conv3D {
	c := &Conv3D{autograd.Param(kernel, kernel, kernel, in, out), autograd.Param(out), autograd.Cube(stride, (kernel-1)/2)}
	gaussian(c.Weight, math.Sqrt(2/float64(in*kernel*kernel*kernel)), r)
	return c
}

// Forward maps x (B, D, H, W, in) to (B, D', H', W', out).
func (c *Conv3D) Forward(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	return autograd.Conv3D(t, x, c.Weight, c.Bias, c.Window)
}

// Visit names weight and bias.
func (c *Conv3D) Visit(prefix string, f Visitor) {
	f(Join(prefix, "weight"), c.Weight)
	f(Join(prefix, "bias"), c.Bias)
}

// GroupNorm normalises each sample over all positions and groups of channels;
// Wu & He 2018.
type GroupNorm struct {
	Weight, Bias *autograd.Var // (C)
	Groups       int
	Eps          float32
}

// NewGroupNorm returns the identity scale and shift, eps 1e-5. Groups must
// divide channels.
func NewGroupNorm(channels, groups int) *GroupNorm {
	n := NewLayerNorm(channels)
	return &GroupNorm{n.Weight, n.Bias, groups, n.Eps}
}

// Forward normalises x (B, ..., C).
func (n *GroupNorm) Forward(t *autograd.Tape, x *autograd.Var) *autograd.Var {
	return autograd.GroupNorm(t, x, n.Groups, n.Weight, n.Bias, n.Eps)
}

// Visit names weight and bias.
func (n *GroupNorm) Visit(prefix string, f Visitor) {
	f(Join(prefix, "weight"), n.Weight)
	f(Join(prefix, "bias"), n.Bias)
}

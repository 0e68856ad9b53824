package explain

import (
	"fmt"
	"slices"
	"strings"

	"heed/autograd"
	"heed/tensor"
)

// An AxialCollector makes the blocks of [AxialRollout] from what a probe sees of the
// layers [nn.AxialLayer]: Probe is to be a tape's probe, or part of one, for a pass
// over one grid without padding. The maps of columns, L·H·N² values in each layer,
// are most of its memory; Fused keeps the mean over the heads in place of all of
// them, which is what a rollout with mean fusion needs.
type AxialCollector struct {
	Fused  bool
	Blocks []AxialBlock
}

// The ends of the names of the weights of rows and of columns.
const (
	rowWeights    = ".row" + weightsSuffix
	columnWeights = ".column" + weightsSuffix
)

// Probe keeps the weights of the attention of rows and columns, and passes over
// everything else.
func (c *AxialCollector) Probe(name string, v *autograd.Var) {
	prefix, rows := strings.CutSuffix(name, rowWeights)
	if !rows {
		var columns bool
		if prefix, columns = strings.CutSuffix(name, columnWeights); !columns {
			return
		}
	}
	tensor.Check("explain.AxialCollector: "+name, v.Shape, -1, -1, -1, v.Dim(-1))
	if k := len(c.Blocks) - 1; k < 0 || c.Blocks[k].Name != prefix || rows || c.Blocks[k].Columns != nil {
		c.Blocks = append(c.Blocks, AxialBlock{Name: prefix, Heads: v.Dim(1)})
		if c.Fused {
			c.Blocks[k+1].Heads = 1
		}
	}
	b := &c.Blocks[len(c.Blocks)-1]
	weights := c.keep(v)
	switch {
	case rows:
		b.Row = weights
	case b.Row != nil && !c.Fused && b.Heads != v.Dim(1):
		panic(fmt.Sprintf("explain.AxialCollector: %s has %d heads, its rows have %d", name, v.Dim(1), b.Heads))
	default:
		b.Columns = weights
	}
}

// keep copies weights (S, H, n, n), or their means over the heads (S, 1, n, n): the
// memory of the Var is the tape's.
func (c *AxialCollector) keep(v *autograd.Var) []float32 {
	if !c.Fused {
		return slices.Clone(v.Data)
	}
	heads, size := v.Dim(1), v.Dim(2)*v.Dim(3)
	out := make([]float32, v.Dim(0)*size)
	for s := range v.Dim(0) {
		into := out[s*size : (s+1)*size]
		for h := range heads {
			for i, w := range v.Data[(s*heads+h)*size : (s*heads+h+1)*size] {
				into[i] += w / float32(heads)
			}
		}
	}
	return out
}

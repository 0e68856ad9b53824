package explain

import (
	"context"
	"slices"
	"strings"

	"heed/autograd"
	"heed/internal/par"
)

// A write changes v, which a pass over some copies shows under a name, for one
// copy, as variant asks.
type write func(name string, v *autograd.Var, copies, copy, variant int)

// variants returns the scores of n variants of a case, each an intervention,
// up to batch copies in one pass. Passes run on all cores; a variant's score
// depends neither on them nor on the batch.
func (c *Case) variants(ctx context.Context, n, batch int, w write) ([]float64, error) {
	batch = max(1, batch)
	passes := (n + batch - 1) / batch
	out := make([]float64, n)
	par.Do(passes, par.Cores(), func(_, pass int) {
		if ctx.Err() != nil {
			return
		}
		lo := pass * batch
		copies := min(batch, n-lo)
		t := &autograd.Tape{NoGrad: true, Probe: func(name string, v *autograd.Var) {
			for k := range copies {
				w(name, v, copies, k, lo+k)
			}
		}}
		for k, y := range c.run(t, copies).Data {
			out[lo+k] = float64(y)
		}
	})
	return out, ctx.Err()
}

// A place is one intermediate value that a case shows, in a pass over one copy.
type place struct {
	name  string
	shape []int
	data  []float32
	grad  []float32 // nil where the score does not depend on it, or nobody asked
}

// places runs a case once and returns what it shows under names with a suffix,
// in the order in which it ran, and the score; with gradients if the tape makes
// them.
func (c *Case) places(t *autograd.Tape, suffix string) ([]place, float64) {
	var out []place
	var vars []*autograd.Var
	t.Probe = func(name string, v *autograd.Var) {
		if strings.HasSuffix(name, suffix) && !slices.ContainsFunc(out, func(p place) bool { return p.name == name }) {
			out = append(out, place{name: name, shape: slices.Clone(v.Shape), data: slices.Clone(v.Data)})
			vars = append(vars, v)
		}
	}
	y := c.run(t, 1)
	score := float64(y.Data[0])
	if !t.NoGrad && len(out) > 0 {
		t.Backward(y)
		for i, v := range vars {
			out[i].grad = slices.Clone(v.Grad)
		}
	}
	return out, score
}

package autograd

import "heed/internal/kernel"

// AvgPool3D averages windows over volumes x (B, D, H, W, C): (B, D', H', W', C).
// What lies beyond the borders does not count, neither as a zero nor as a
// voxel. The mean of a whole volume is [MeanPool] over a segment for each.
func AvgPool3D(t *Tape, x *Var, window [3]int, s Window3D) *Var {
	c := newWindows3D("AvgPool3D", x, window, s)
	y := t.out(c.batch, c.out[0], c.out[1], c.out[2], c.channels)
	clear(y.Data)
	ch := c.channels
	c.voxels(func(row int, voxels []int) {
		for _, v := range voxels {
			kernel.Axpy(y.Data[row*ch:(row+1)*ch], 1/float32(len(voxels)), x.Data[v*ch:(v+1)*ch])
		}
	})
	if t.wantsAny(x) {
		t.record(y, func() {
			dx := t.grad(x)
			c.voxels(func(row int, voxels []int) {
				for _, v := range voxels {
					kernel.Axpy(dx[v*ch:(v+1)*ch], 1/float32(len(voxels)), y.Grad[row*ch:(row+1)*ch])
				}
			})
		})
	}
	return y
}

// MaxPool3D takes the maximum of windows over volumes x (B, D, H, W, C):
// (B, D', H', W', C). What lies beyond the borders does not count; of equal
// values the first one has the gradient. The maximum over a whole volume is
// [MaxPool1D] over a segment for each.
func MaxPool3D(t *Tape, x *Var, window [3]int, s Window3D) *Var {
	c := newWindows3D("MaxPool3D", x, window, s)
	y := t.out(c.batch, c.out[0], c.out[1], c.out[2], c.channels)
	ch := c.channels
	// each calls f with the index in y and in x of every maximum. Backward finds
	// them again rather than store them.
	each := func(f func(to, from int)) {
		c.voxels(func(row int, voxels []int) {
			for j := range ch {
				best := voxels[0]*ch + j
				for _, v := range voxels[1:] {
					if x.Data[v*ch+j] > x.Data[best] {
						best = v*ch + j
					}
				}
				f(row*ch+j, best)
			}
		})
	}
	each(func(to, from int) { y.Data[to] = x.Data[from] })
	if t.wantsAny(x) {
		t.record(y, func() {
			dx := t.grad(x)
			each(func(to, from int) { dx[from] += y.Grad[to] })
		})
	}
	return y
}

// voxels calls f for every window with the voxels in it that lie inside the
// volume, ascending. Padding must be less than the window, so that there is
// one.
func (c *windows3D) voxels(f func(row int, voxels []int)) {
	for a := range 3 {
		if c.pad[a] >= c.window[a] {
			panic("autograd: pooling with windows that lie in the padding alone")
		}
	}
	var buf []int
	row := 0
	for n := range c.batch {
		for oz := range c.out[0] {
			for oy := range c.out[1] {
				for ox := range c.out[2] {
					buf = buf[:0]
					for z := range c.span(0, oz) {
						for y := range c.span(1, oy) {
							for x := range c.span(2, ox) {
								buf = append(buf, ((n*c.size[0]+z)*c.size[1]+y)*c.size[2]+x)
							}
						}
					}
					f(row, buf)
					row++
				}
			}
		}
	}
}

// span yields the indices along an axis that window o covers.
func (c *windows3D) span(axis, o int) func(func(int) bool) {
	first := o*c.stride[axis] - c.pad[axis]
	return func(yield func(int) bool) {
		for i := max(first, 0); i < min(first+c.window[axis], c.size[axis]); i++ {
			if !yield(i) {
				return
			}
		}
	}
}

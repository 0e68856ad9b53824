package autograd

import (
	"fmt"

	"heed/internal/kernel"
	"heed/tensor"
)

// A Window3D says how a window moves over a volume, axis by axis in the order
// of the shape: depth, height, width.
type Window3D struct {
	Stride [3]int // 0 means 1
	Pad    [3]int // zeros on either side of the volume
}

// Cube is a Window3D of one stride and one padding for all axes.
func Cube(stride, pad int) Window3D {
	return Window3D{[3]int{stride, stride, stride}, [3]int{pad, pad, pad}}
}

// Out returns the shape of what windows of some size find in a volume, and
// whether there is at least one of them along each axis:
// (size + 2·pad - window)/stride + 1, rounded down.
func (s Window3D) Out(size, window [3]int) (out [3]int, ok bool) {
	ok = true
	for a := range out {
		room := size[a] + 2*s.Pad[a] - window[a]
		out[a] = room/max(1, s.Stride[a]) + 1
		ok = ok && room >= 0 && window[a] > 0 && s.Stride[a] >= 0 && s.Pad[a] >= 0
	}
	return out, ok
}

// windows3D is the geometry of windows over volumes (B, D, H, W, C). Written
// out, windows would be the rows of a matrix (B·D'·H'·W', KD·KH·KW·C); it is
// made in pieces and is never whole.
type windows3D struct {
	batch, channels   int
	size, window, out [3]int
	stride, pad       [3]int
}

func newWindows3D(op string, x *Var, window [3]int, s Window3D) *windows3D {
	tensor.Check(op, x.Shape, -1, -1, -1, -1, -1)
	c := &windows3D{batch: x.Dim(0), channels: x.Dim(4), size: [3]int{x.Dim(1), x.Dim(2), x.Dim(3)},
		window: window, stride: s.Stride, pad: s.Pad}
	for a := range c.stride {
		if c.stride[a] == 0 {
			c.stride[a] = 1
		}
	}
	var ok bool
	if c.out, ok = s.Out(c.size, window); !ok {
		panic(fmt.Sprintf("%s: windows of %v, stride %v, padding %v in a volume of %v", op, window, s.Stride, s.Pad, c.size))
	}
	return c
}

// k is the number of values in a window.
func (c *windows3D) k() int { return c.window[0] * c.window[1] * c.window[2] * c.channels }

// rows is the number of windows.
func (c *windows3D) rows() int { return c.batch * c.out[0] * c.out[1] * c.out[2] }

// tileFloats is how much of the second cache windows may take.
const tileFloats = 1 << 16

// tileRows is the number of windows that are copied at a time.
func (c *windows3D) tileRows() int {
	return min(c.rows(), max(56, tileFloats/max(1, c.k())))
}

// A line is what windows that lie side by side share: one line of the volume
// along its width.
type line struct {
	row, count int // the first window and how many
	col        int // the place of the first window in the line of windows
	cell       int // which (i, j) of the window's KD·KH lines this is
	base       int // index of the line's first voxel, -1 outside of the volume
}

// lines calls f for every line of windows lo to hi.
func (c *windows3D) lines(lo, hi int, f func(line)) {
	for r := lo; r < hi; {
		col := r % c.out[2]
		count := min(c.out[2]-col, hi-r)
		rest := r / c.out[2]
		y0 := rest%c.out[1]*c.stride[1] - c.pad[1]
		rest /= c.out[1]
		z0, n := rest%c.out[0]*c.stride[0]-c.pad[0], rest/c.out[0]
		for i := range c.window[0] {
			for j := range c.window[1] {
				z, y, base := z0+i, y0+j, -1
				if z >= 0 && z < c.size[0] && y >= 0 && y < c.size[1] {
					base = ((n*c.size[0]+z)*c.size[1] + y) * c.size[2]
				}
				f(line{r, count, col, i*c.window[1] + j, base})
			}
		}
		r += count
	}
}

// inside returns the voxels of a line of the volume that window q of l covers:
// those from a to b, and the first one if there were no border.
func (c *windows3D) inside(l line, q int) (first, a, b int) {
	first = (l.col+q)*c.stride[2] - c.pad[2]
	return first, max(first, 0), min(first+c.window[2], c.size[2])
}

// gather copies windows lo to hi of x to the rows of dst (hi-lo, K), with zeros
// beyond the borders.
//
//	dst[r, i, j, k, c] = x[n, z·sz+i-pz, y·sy+j-py, x·sx+k-px, c]
func (c *windows3D) gather(dst, x []float32, lo, hi int) {
	ch, k, width := c.channels, c.k(), c.window[2]*c.channels
	c.lines(lo, hi, func(l line) {
		to := (l.row-lo)*k + l.cell*width
		for q := range l.count {
			out := dst[to : to+width]
			to += k
			first, a, b := c.inside(l, q)
			switch {
			case l.base < 0 || a >= b:
				clear(out)
			case b-a == c.window[2]:
				from := (l.base + a) * ch
				if width < 8 { // shorter than a call of copy is worth
					for i, v := range x[from : from+width] {
						out[i] = v
					}
				} else {
					copy(out, x[from:from+width])
				}
			default:
				clear(out[:(a-first)*ch])
				n := copy(out[(a-first)*ch:], x[(l.base+a)*ch:(l.base+b)*ch])
				clear(out[(a-first)*ch+n:])
			}
		}
	})
}

// scatter adds the rows of src (hi-lo, K) to where gather took them: its
// transpose.
func (c *windows3D) scatter(x, src []float32, lo, hi int) {
	ch, k, width := c.channels, c.k(), c.window[2]*c.channels
	c.lines(lo, hi, func(l line) {
		if l.base < 0 {
			return
		}
		at := (l.row-lo)*k + l.cell*width
		for q := range l.count {
			if first, a, b := c.inside(l, q); a < b {
				kernel.Add(x[(l.base+a)*ch:(l.base+b)*ch], src[at+(a-first)*ch:at+(b-first)*ch])
			}
			at += k
		}
	})
}

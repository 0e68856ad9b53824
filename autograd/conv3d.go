package autograd

import (
	"heed/internal/kernel"
	"heed/tensor"
)

// Conv3D convolves volumes x (B, D, H, W, C) with w (KD, KH, KW, C, O) and
// adds b (O), which may be nil; the result is (B, D', H', W', O). Channels are
// the last axis, so that what a window holds of one line of a volume is one run
// of memory:
//
//	y[n, z, y, x, o] = b[o] + Σ_ijkc w[i, j, k, c, o] · x[n, z·sz+i-pz, y·sy+j-py, x·sx+k-px, c]
//
// It is a matrix product of windows and weights, made for a few windows at a
// time: those are copied to a buffer that stays in the cache, and never exist
// all at once. Backward copies them again. (PyTorch stores the weight as
// (O, C, KD, KH, KW).)
//
//	dw += Σ windowsᵀ·dy    dx += dy·wᵀ, each window added where it was taken
func Conv3D(t *Tape, x, w, b *Var, s Window3D) *Var {
	tensor.Check("Conv3D", x.Shape, -1, -1, -1, -1, -1)
	tensor.Check("Conv3D weight", w.Shape, -1, -1, -1, x.Dim(4), -1)
	c := newWindows3D("Conv3D", x, [3]int{w.Dim(0), w.Dim(1), w.Dim(2)}, s)
	var bias []float32
	if b != nil {
		tensor.Check("Conv3D bias", b.Shape, w.Dim(4))
		bias = b.Data
	}
	k, o := c.k(), w.Dim(4)
	weight := kernel.Matrix(w.Data, k, o)
	y := t.out(x.Dim(0), c.out[0], c.out[1], c.out[2], o)
	rows := c.tileRows()
	works := t.work()
	tiles := (c.rows() + rows - 1) / rows
	buffers := make([][]float32, min(t.cores(), tiles))
	for i := range buffers {
		buffers[i] = t.scratch(rows * k)
	}
	t.do(tiles, func(worker, i int) {
		lo, hi := i*rows, min((i+1)*rows, c.rows())
		c.gather(buffers[worker], x.Data, lo, hi)
		kernel.MulBias(&works[worker], kernel.Matrix(y.Data[lo*o:hi*o], hi-lo, o), kernel.Matrix(buffers[worker], hi-lo, k), weight, bias)
	})
	for _, b := range buffers {
		t.free(b)
	}
	if t.wantsAny(x, w, b) {
		t.record(y, func() {
			if t.Wants(b) {
				kernel.AddRows(t.grad(b), y.Grad, c.rows())
			}
			if t.Wants(w) {
				c.backWeight(t, x, w, y)
			}
			switch {
			case !t.Wants(x):
			case c.stride == [3]int{1, 1, 1} && c.fitsFlipped():
				c.backInputFlipped(t, x, w, y)
			default:
				c.backInput(t, x, w, y)
			}
		})
	}
	return y
}

// backWeight adds the gradient of the weights: dw += windowsᵀ·dy.
func (c *windows3D) backWeight(t *Tape, x, w, y *Var) {
	dw, add := t.gradient(w)
	k, o, rows := c.k(), w.Dim(4), c.tileRows()
	buffer := t.scratch(rows * k)
	for lo := 0; lo < c.rows(); lo += rows {
		hi := min(lo+rows, c.rows())
		c.gather(buffer, x.Data, lo, hi)
		kernel.Mul(&t.work()[0], kernel.Matrix(dw, k, o), kernel.Matrix(buffer, hi-lo, k).T(), kernel.Matrix(y.Grad[lo*o:hi*o], hi-lo, o), add)
		add = true
	}
	t.free(buffer)
}

// backInput adds the gradient of the volumes: windows of dy·wᵀ go back to where
// they were taken.
func (c *windows3D) backInput(t *Tape, x, w, y *Var) {
	dx := t.grad(x)
	k, o, rows := c.k(), w.Dim(4), c.tileRows()
	buffer := t.scratch(rows * k)
	weight := kernel.Matrix(w.Data, k, o).T()
	for lo := 0; lo < c.rows(); lo += rows {
		hi := min(lo+rows, c.rows())
		kernel.Mul(&t.work()[0], kernel.Matrix(buffer, hi-lo, k), kernel.Matrix(y.Grad[lo*o:hi*o], hi-lo, o), weight, false)
		c.scatter(dx, buffer, lo, hi)
	}
	t.free(buffer)
}

// fitsFlipped reports whether the gradient of the volumes is itself a
// convolution that pads: with stride 1 the padding of the one and of the other
// add up to the window less one.
func (c *windows3D) fitsFlipped() bool {
	for a := range 3 {
		if c.pad[a] > c.window[a]-1 {
			return false
		}
	}
	return true
}

// backInputFlipped is backInput for stride 1: the convolution of dy with the
// weights reversed along every axis of the window, which adds nothing twice.
// flipped[KD-1-i, KH-1-j, KW-1-k, o, c] = w[i, j, k, c, o].
func (c *windows3D) backInputFlipped(t *Tape, x, w, y *Var) {
	in, o := c.channels, w.Dim(4)
	cells := c.window[0] * c.window[1] * c.window[2]
	flipped := t.scratch(cells * in * o)
	for i := range cells {
		from, to := w.Data[i*in*o:(i+1)*in*o], flipped[(cells-1-i)*in*o:]
		for ch := range in {
			for j := range o {
				to[j*in+ch] = from[ch*o+j]
			}
		}
	}
	back := windows3D{batch: c.batch, size: c.out, channels: o, window: c.window, stride: c.stride, out: c.size}
	for a := range 3 {
		back.pad[a] = c.window[a] - 1 - c.pad[a]
	}
	dx, add := t.gradient(x)
	k, rows := back.k(), back.tileRows()
	buffer := t.scratch(rows * k)
	weight := kernel.Matrix(flipped, k, in)
	for lo := 0; lo < back.rows(); lo += rows {
		hi := min(lo+rows, back.rows())
		back.gather(buffer, y.Grad, lo, hi)
		kernel.Mul(&t.work()[0], kernel.Matrix(dx[lo*in:hi*in], hi-lo, in), kernel.Matrix(buffer, hi-lo, k), weight, add)
	}
	t.free(buffer)
	t.free(flipped)
}

//go:build amd64 && !purego

package kernel

import "heed/internal/par"

// The product is cut as in BLIS (Van Zee and van de Geijn, ACM Transactions on
// Mathematical Software 41(3), 2015), with sizes found by measurement. A panel
// of B, kcMax rows of one tile's width, stays in the first cache while the
// tiles of a block of rows pass by; the block's rows of A stay in the second;
// the panels of ncMax columns in the third.
//
// None of these numbers can change a result. A tile starts from C where an
// earlier block of k has left it, so that every sum remains one chain.
const (
	kcMax = 256
	mcMax = 280
	ncMax = 4096
)

// A product is one call of Mul.
type product struct {
	c, a, b View
	bias    []float32 // of which row the sums start unless add is set; nil: 0
	add     bool

	impl   Impl
	mr, nr int // the largest tile
}

// zeros is what sums without a bias start from.
var zeros [32]float32

func mulTiled(w *Work, works []Work, c, a, b View, bias []float32, add bool) {
	if b.Cols == 1 {
		b.ColStride = 1
	}
	p := product{c: c, a: a, b: b, bias: bias, add: add, impl: active}
	p.mr, p.nr = tileSize(p.impl)
	k, n := a.Cols, c.Cols
	kParts := parts(k, kcMax)
	for j := 0; j < n; j += ncMax {
		cols := min(ncMax, n-j)
		for t := range kParts {
			lo, hi := t*k/kParts, (t+1)*k/kParts
			if works == nil {
				p.strip(w, j, cols, lo, hi-lo)
			} else {
				stripParallel(p, works, j, cols, lo, hi-lo)
			}
		}
	}
}

// parts returns the number of pieces of at most size that n is cut into.
func parts(n, size int) int { return (n + size - 1) / size }

// strip adds the products of k0 to k0+k to the columns j0 to j0+cols.
func (p *product) strip(w *Work, j0, cols, k0, k int) {
	var packed []float32
	if p.wantPackB() {
		packed = grow(&w.packB, parts(cols, p.nr)*p.nr*k)
		for j := 0; j < cols; j += p.nr {
			p.packB(packed[j*k:], j0+j, min(p.nr, cols-j), k0, k)
		}
	}
	m := p.c.Rows
	blocks := parts(m, mcMax)
	for t := range blocks {
		p.block(w, packed, t*m/blocks, (t+1)*m/blocks, j0, cols, k0, k)
	}
}

// stripParallel is strip on several cores: they pack B together and then share
// the blocks of C.
func stripParallel(p product, works []Work, j0, cols, k0, k int) {
	panels := parts(cols, p.nr)
	var packed []float32
	if p.wantPackB() {
		packed = grow(&works[0].packB, panels*p.nr*k)
		par.Ranges(cols, len(works), p.nr, len(works), func(_, lo, hi int) {
			for j := lo; j < hi; j += p.nr {
				p.packB(packed[j*k:], j0+j, min(p.nr, cols-j), k0, k)
			}
		})
	}
	m := p.c.Rows
	tiles, tasks := parts(m, p.mr), 4*len(works)
	rowTasks := max(parts(m, mcMax), min(tasks, tiles))
	colTasks := min(parts(tasks, rowTasks), panels)
	par.Do(rowTasks*colTasks, len(works), func(worker, task int) {
		i, j := task/colTasks, task%colTasks
		lo := j * panels / colTasks * p.nr
		hi := min((j+1)*panels/colTasks*p.nr, cols)
		b := packed
		if b != nil {
			b = b[lo*k:]
		}
		p.block(&works[worker], b, i*m/rowTasks, (i+1)*m/rowTasks, j0+lo, hi-lo, k0, k)
	})
}

// packB copies k rows and cols columns of B to a panel of p.nr columns.
func (p *product) packB(dst []float32, j, cols, k0, k int) {
	v := p.b
	v.Data = v.Data[k0*v.RowStride+j*v.ColStride:]
	v.Rows, v.Cols = k, cols
	packPanel(dst, v, p.nr)
}

func (p *product) wantPackB() bool {
	if p.b.ColStride != 1 {
		return true
	}
	return p.c.Rows > 4*p.mr && p.b.RowStride != p.nr
}

// block adds the products of k0 to k0+k to rows lo to hi and columns j0 to
// j0+cols of C. The panels of B are packed, or lie in B if packed is nil.
func (p *product) block(w *Work, packed []float32, lo, hi, j0, cols, k0, k int) {
	tiles := parts(hi-lo, p.mr)
	if tiles == 0 {
		return
	}
	a, aStride, aStep := p.a.Data[lo*p.a.RowStride+k0*p.a.ColStride:], p.a.RowStride, p.a.ColStride
	aTile := 0 // floats from tile to tile if A is packed
	if p.wantPackA(hi-lo, cols) {
		a, aStride, aStep, aTile = p.packA(w, lo, hi, k0, k)
	}
	for j := 0; j < cols; j += p.nr {
		b, bStep := packed, p.nr
		if packed != nil {
			b = b[j*k:]
		} else {
			b, bStep = p.b.Data[k0*p.b.RowStride+j0+j:], p.b.RowStride
		}
		n := min(p.nr, cols-j)
		for t := range tiles {
			i, end := lo+t*(hi-lo)/tiles, lo+(t+1)*(hi-lo)/tiles
			c := &p.c.Data[i*p.c.RowStride+j0+j]
			start, startStride := c, p.c.RowStride
			if k0 == 0 && !p.add {
				start, startStride = &zeros[0], 0
				if p.bias != nil {
					start = &p.bias[j0+j]
				}
			}
			var at int
			if aTile > 0 {
				at = t * aTile
			} else {
				at = (i - lo) * aStride
			}
			tile(p.impl, c, start, &a[at], &b[0], end-i, n, k, p.c.RowStride, startStride, aStride, aStep, bStep)
		}
	}
}

func (p *product) wantPackA(rows, cols int) bool {
	return cols > 4*p.nr
}

// packA copies rows lo to hi and columns k0 to k0+k of A. Rows of adjacent
// elements stay rows; other tiles become panels of k rows.
func (p *product) packA(w *Work, lo, hi, k0, k int) (a []float32, stride, step, tile int) {
	src := p.a.Data[lo*p.a.RowStride+k0*p.a.ColStride:]
	tiles := parts(hi-lo, p.mr)
	if p.a.ColStride == 1 {
		stride = k + 16
		a = grow(&w.packA, (hi-lo)*stride)
		for i := range hi - lo {
			copy(a[i*stride:i*stride+k], src[i*p.a.RowStride:])
		}
		return a, stride, 1, 0
	}
	width := p.nr / 2
	tile = k * width
	a = grow(&w.packA, tiles*tile)
	for t := range tiles {
		i, end := t*(hi-lo)/tiles, (t+1)*(hi-lo)/tiles
		panel := View{src[i*p.a.RowStride:], k, end - i, p.a.ColStride, p.a.RowStride}
		packPanel(a[t*tile:(t+1)*tile], panel, width)
	}
	return a, 1, width, tile
}

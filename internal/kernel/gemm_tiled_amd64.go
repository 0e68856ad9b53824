//go:build amd64 && !purego

package kernel

import (
	"sync/atomic"

	"heed/internal/par"
)

// The product is cut as in BLIS (Van Zee and van de Geijn, ACM Transactions on
// Mathematical Software 41(3), 2015): a panel of B, kcMax rows of one tile's
// width, serves all tiles of a block of mcMax rows, whose part of A is read
// from the second cache; the panels of ncMax columns come from the third. The
// sizes were the fastest of a grid on an EPYC of the Zen 5 generation. Larger
// ones than the first cache would suggest win there, as each further strip of k
// reads and writes all of C once more.
//
// None of these numbers can change a result. A tile starts from C where an
// earlier strip of k has left it, so that every sum remains one chain.
const (
	kcMax = 512
	mcMax = 560
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

func mulTiled(one *Work, w *Workers, c, a, b View, bias []float32, add bool) {
	if b.Cols == 1 {
		b.ColStride = 1
	}
	p := product{c: c, a: a, b: b, bias: bias, add: add, impl: active}
	p.mr, p.nr = tileSize(p.impl)
	if w != nil {
		mulShared(p, w)
		return
	}
	m := c.Rows
	blocks := parts(m, mcMax)
	for t := range p.strips() {
		s := p.strip(t)
		packed := p.newPackedB(one, s)
		if packed != nil {
			p.packB(packed, s, 0, s.cols)
		}
		for i := range blocks {
			p.block(one, packed, s, i*m/blocks, (i+1)*m/blocks, 0, s.cols)
		}
	}
}

// A strip is a step of a product: it adds the products of k to the columns
// from col on.
type strip struct {
	col, cols int
	k0, k     int
}

// strips returns the number of steps of the product. A later step of the same
// columns continues their sums.
func (p *product) strips() int { return parts(p.b.Cols, ncMax) * parts(p.b.Rows, kcMax) }

func (p *product) strip(t int) strip {
	k, kParts := p.b.Rows, parts(p.b.Rows, kcMax)
	col := t / kParts * ncMax
	t %= kParts
	lo, hi := t*k/kParts, (t+1)*k/kParts
	return strip{col, min(ncMax, p.b.Cols-col), lo, hi - lo}
}

// mulShared computes p on several cores, which pack each strip of B together
// and then share the blocks of C. Cores that come late find less to do.
func mulShared(p product, w *Workers) {
	type stage struct{ pack, mul tasks }
	stages := make([]stage, p.strips())
	var packed []float32
	for t := range stages {
		s := p.strip(t)
		if x := p.newPackedB(&w.works[0], s); len(x) > len(packed) {
			packed = x
		}
	}
	m := p.c.Rows
	tiles, want := parts(m, p.mr), 4*len(w.works)
	rowTasks := max(parts(m, mcMax), min(want, tiles))
	var broken atomic.Bool // a worker has panicked
	w.pool.Do(len(w.works), len(w.works), func(worker, _ int) {
		whole := false
		defer func() {
			if !whole {
				broken.Store(true)
			}
		}()
		for t := range stages {
			s := p.strip(t)
			panels := parts(s.cols, p.nr)
			if packed != nil {
				n := min(panels, want)
				stages[t].pack.share(n, &broken, func(i int) {
					p.packB(packed, s, i*panels/n*p.nr, min((i+1)*panels/n*p.nr, s.cols))
				})
			}
			colTasks := min(parts(want, rowTasks), panels)
			stages[t].mul.share(rowTasks*colTasks, &broken, func(i int) {
				i, j := i/colTasks, i%colTasks
				// Whole tiles, of the sizes that they would have alone.
				lo, hi := i*tiles/rowTasks*m/tiles, (i+1)*tiles/rowTasks*m/tiles
				p.block(&w.works[worker], packed, s, lo, hi, j*panels/colTasks*p.nr, min((j+1)*panels/colTasks*p.nr, s.cols))
			})
			if broken.Load() {
				break
			}
		}
		whole = true
	})
}

// tasks is a list of tasks that several goroutines work off.
type tasks struct{ next, done atomic.Int64 }

// share runs f for those of n tasks that no other goroutine has taken, and
// returns when all n are done, or another goroutine has broken off.
func (t *tasks) share(n int, broken *atomic.Bool, f func(i int)) {
	for !broken.Load() {
		i := int(t.next.Add(1)) - 1
		if i >= n {
			break
		}
		f(i)
		t.done.Add(1)
	}
	par.Await(func() bool { return int(t.done.Load()) >= n || broken.Load() })
}

// newPackedB returns room for a strip of B in panels of p.nr columns, or nil
// if the tiles shall read B where it lies.
func (p *product) newPackedB(w *Work, s strip) []float32 {
	if !p.wantPackB() {
		return nil
	}
	return grow(&w.packB, parts(s.cols, p.nr)*p.nr*s.k)
}

// packB copies the columns lo to hi of a strip of B to their panels.
func (p *product) packB(dst []float32, s strip, lo, hi int) {
	v := p.b
	v.Rows = s.k
	for j := lo; j < hi; j += p.nr {
		v.Data = p.b.Data[s.k0*v.RowStride+(s.col+j)*v.ColStride:]
		v.Cols = min(p.nr, hi-j)
		packPanel(dst[j*s.k:], v, p.nr)
	}
}

// wantPackB tells whether enough rows read B to make up for copying it. Tiles
// cannot read columns that are not adjacent, and need no copy of a B that looks
// like a panel.
func (p *product) wantPackB() bool {
	if p.b.ColStride != 1 {
		return true
	}
	return p.c.Rows > 8*p.mr && p.b.RowStride != p.nr
}

// block adds the products of a strip to rows lo to hi of C and to the strip's
// columns jLo to jHi. The panels of B are packed, or lie in B if packed is nil.
func (p *product) block(w *Work, packed []float32, s strip, lo, hi, jLo, jHi int) {
	if hi == lo {
		return
	}
	a := p.rowsOfA(w, s, lo, hi, p.wantPackA(jHi-jLo))
	for j := jLo; j < jHi; j += p.nr {
		b, bStep := packed, p.nr
		if packed != nil {
			b = b[j*s.k:]
		} else {
			b, bStep = p.b.Data[s.k0*p.b.RowStride+s.col+j:], p.b.RowStride
		}
		// The next panel is still in the third cache or beyond. The tiles of
		// this one share the work of fetching it.
		var next []float32
		if packed != nil && j+p.nr < jHi {
			next = packed[(j+p.nr)*s.k:][:s.k*p.nr]
		}
		p.panel(s, &a, lo, hi, j, min(p.nr, jHi-j), b, bStep, next)
	}
}

// panel adds the products of a strip to rows lo to hi of C and to the n columns,
// of one tile, from column j of the strip on. Its tiles fetch the floats of next.
func (p *product) panel(s strip, a *blockOfA, lo, hi, j, n int, b []float32, bStep int, next []float32) {
	tiles := parts(hi-lo, p.mr)
	for t := range tiles {
		i, end := lo+t*(hi-lo)/tiles, lo+(t+1)*(hi-lo)/tiles
		c := &p.c.Data[i*p.c.RowStride+s.col+j]
		start, startStride := c, p.c.RowStride
		if s.k0 == 0 && !p.add {
			start, startStride = &zeros[0], 0
			if p.bias != nil {
				start = &p.bias[s.col+j]
			}
		}
		var at int
		if a.tile > 0 {
			at = t * a.tile
		} else {
			at = (i - lo) * a.stride
		}
		ahead, aheadLen := &zeros[0], 0
		if len(next) > 0 {
			lo, hi := t*len(next)/tiles&^15, (t+1)*len(next)/tiles&^15
			ahead, aheadLen = &next[lo], hi-lo
		}
		tile(p.impl, c, start, &a.data[at], &b[0], end-i, n, s.k, p.c.RowStride, startStride, a.stride, a.step, bStep, ahead, aheadLen)
	}
}

// A blockOfA is some rows of a strip's columns of A, where they lie or copied.
type blockOfA struct {
	data         []float32
	stride, step int // of rows and of k
	tile         int // floats from tile to tile, if each is a panel of its own
}

// rowsOfA returns rows lo to hi of A, copied if pack is set.
func (p *product) rowsOfA(w *Work, s strip, lo, hi int, pack bool) blockOfA {
	if pack {
		data, stride, step, tile := p.packA(w, s, lo, hi)
		return blockOfA{data, stride, step, tile}
	}
	return blockOfA{p.a.Data[lo*p.a.RowStride+s.k0*p.a.ColStride:], p.a.RowStride, p.a.ColStride, 0}
}

// wantPackA tells whether enough panels of B meet a block of A to make up for
// copying it.
func (p *product) wantPackA(cols int) bool {
	return cols > 4*p.nr
}

// packRun is how many k are packed for one tile before the next has its turn:
// few, so that a row of a transposed A is read while its page is at hand.
const packRun = 128

// packA copies the rows lo to hi of a strip's columns of A. Rows of adjacent
// elements stay rows, other tiles become panels, tile floats apart. The strides
// spread them over the sets of a cache.
func (p *product) packA(w *Work, s strip, lo, hi int) (a []float32, stride, step, tile int) {
	src := p.a.Data[lo*p.a.RowStride+s.k0*p.a.ColStride:]
	if p.a.ColStride == 1 {
		stride = s.k + 16
		a = grow(&w.packA, (hi-lo)*stride)
		for i := range hi - lo {
			copy(a[i*stride:i*stride+s.k], src[i*p.a.RowStride:])
		}
		return a, stride, 1, 0
	}
	tiles := parts(hi-lo, p.mr)
	width := p.nr / 2
	tile = s.k*width + 32
	a = grow(&w.packA, tiles*tile)
	for k := 0; k < s.k; k += packRun {
		for t := range tiles {
			i, end := t*(hi-lo)/tiles, (t+1)*(hi-lo)/tiles
			v := View{src[k*p.a.ColStride+i*p.a.RowStride:], min(packRun, s.k-k), end - i, p.a.ColStride, p.a.RowStride}
			packPanel(a[t*tile+k*width:], v, width)
		}
	}
	return a, 1, width, tile
}

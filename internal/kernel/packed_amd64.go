//go:build amd64 && !purego

package kernel

import (
	"sync/atomic"

	"heed/internal/par"
)

// A packedProduct is one call of MulPacked. Each worker begins with a block of rows
// of its own, whose part of A it copies at most once for all panels of B, and helps with
// the blocks of others when that is done: so all end at about the same time, even
// if one has come late. A task is one panel of a block in one strip of k.
type packedProduct struct {
	targets []Target
	a       View
	strips  int // of k
	panels  int // of all targets
	blocks  []packedBlock
	broken  atomic.Bool // a worker has panicked
}

type packedBlock struct {
	lo, hi int            // rows
	next   atomic.Int64   // task
	done   []atomic.Int32 // strips of each panel
}

func mulPackedTiled(w *Workers, a View, targets []Target, panels, workers int) {
	p := packedProduct{targets: targets, a: a, strips: parts(a.Cols, kcMax), panels: panels}
	mr, _ := tileSize(active)
	tiles := parts(a.Rows, mr)
	n := min(tiles, parts(parts(a.Rows, mcMax), workers)*workers)
	p.blocks = make([]packedBlock, n)
	for i := range p.blocks {
		b := &p.blocks[i]
		// Whole tiles, of the sizes that they would have alone.
		b.lo, b.hi = i*tiles/n*a.Rows/tiles, (i+1)*tiles/n*a.Rows/tiles
		b.done = make([]atomic.Int32, panels)
	}
	if workers == 1 {
		p.work(&w.works[0], 0)
		return
	}
	w.pool.Do(workers, workers, func(worker, i int) {
		whole := false
		defer func() {
			if !whole {
				p.broken.Store(true)
			}
		}()
		p.work(&w.works[worker], i*n/workers)
		whole = true
	})
}

// work works off the tasks of all blocks, those of block first before the others.
func (p *packedProduct) work(w *Work, first int) {
	for i := range p.blocks {
		p.block(w, &p.blocks[(first+i)%len(p.blocks)])
	}
}

// block works off those tasks of a block that nobody else has taken.
func (p *packedProduct) block(w *Work, b *packedBlock) {
	_, nr := tileSize(active)
	var a blockOfA
	copied := -1 // strip of a
	for !p.broken.Load() {
		i := int(b.next.Add(1)) - 1
		t, panel := i/p.panels, i%p.panels
		if t >= p.strips {
			return
		}
		k := p.a.Cols
		s := strip{0, 0, t * k / p.strips, (t+1)*k/p.strips - t*k/p.strips}
		par.Await(func() bool { return int(b.done[panel].Load()) >= t || p.broken.Load() })
		of, j := p.target(panel)
		one := product{c: of.C, a: p.a, bias: of.Bias, impl: active}
		one.mr, one.nr = tileSize(active)
		if copied != t {
			a = one.rowsOfA(w, s, b.lo, b.hi, p.panels > 4 && p.wantPackA())
			copied = t
		}
		data := of.B.data[j*k+s.k0*packWidth:][:s.k*packWidth]
		var next []float32
		if panel+1 < p.panels {
			of, j := p.target(panel + 1)
			next = of.B.data[j*k+s.k0*packWidth:][:s.k*packWidth]
		}
		for at := j; at < min(j+packWidth, of.C.Cols); at += nr {
			one.panel(s, &a, b.lo, b.hi, at, min(nr, of.C.Cols-at), data[at-j:], packWidth, next)
			next = nil
		}
		b.done[panel].Add(1)
	}
}

// wantPackA tells whether tiles read A too slowly where it lies: its columns are not
// adjacent, or the rows of a tile fall into the same set of the first cache.
func (p *packedProduct) wantPackA() bool { return p.a.ColStride != 1 || p.a.RowStride%1024 == 0 }

// target returns the target of a panel, and the panel's first column in it.
func (p *packedProduct) target(panel int) (t *Target, col int) {
	for i := range p.targets {
		t = &p.targets[i]
		n := parts(t.C.Cols, packWidth)
		if panel < n {
			break
		}
		panel -= n
	}
	return t, panel * packWidth
}

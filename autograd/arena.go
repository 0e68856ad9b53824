package autograd

import "math/bits"

// An arena recycles float32 buffers from one pass to the next. Lengths are
// rounded up to a quarter of a power of two, so that batches of varying length
// share buffers and at most a quarter of the memory is idle.
type arena struct {
	free [256][][]float32
	used []held // every buffer handed out since the last reset and not put back
	slot map[*float32]int
}

// held is a buffer in use. Its scope is the depth of the call of Recompute that
// it ends with.
type held struct {
	buf   []float32
	scope int
}

// class returns the size class of n and the capacity of its buffers.
func class(n int) (c, size int) {
	const least = 64
	if n <= least {
		return 0, least
	}
	e := bits.Len(uint(n-1)) - 1 // 2^e < n <= 2^(e+1)
	quarter := 1 << (e - 2)
	q := (n - 1 - 1<<e) / quarter // 0..3
	return 4*(e-5) + q, 1<<e + (q+1)*quarter
}

// BufferSize returns how many float32s the buffer of a Var of n elements has: plans of
// memory count with it.
func BufferSize(n int) int {
	_, size := class(n)
	return size
}

func (a *arena) get(n, scope int) []float32 {
	if n == 0 {
		return []float32{}
	}
	c, size := class(n)
	var b []float32
	from := c
	if scope > 0 { // what Recompute gives back soon may lie in a larger buffer that is idle
		for from < len(a.free)-1 && len(a.free[from]) == 0 {
			from++
		}
	}
	if l := len(a.free[from]); l > 0 {
		b = a.free[from][l-1]
		a.free[from] = a.free[from][:l-1]
	} else {
		b = make([]float32, size)
	}
	if a.slot == nil {
		a.slot = map[*float32]int{}
	}
	a.slot[&b[0]] = len(a.used)
	a.used = append(a.used, held{b, scope})
	return b[:n]
}

// put gives a buffer back. The caller must not use it again.
func (a *arena) put(b []float32) {
	if len(b) == 0 {
		return
	}
	i, ok := a.slot[&b[0]]
	if !ok {
		panic("autograd: a buffer was freed twice or is not the arena's")
	}
	last := len(a.used) - 1
	full := a.used[i].buf
	a.used[i] = a.used[last]
	a.slot[&a.used[i].buf[0]] = i
	delete(a.slot, &full[0])
	a.used = a.used[:last]
	c, _ := class(cap(full))
	a.free[c] = append(a.free[c], full)
}

func (a *arena) reset() {
	for _, h := range a.used {
		c, _ := class(cap(h.buf))
		a.free[c] = append(a.free[c], h.buf)
	}
	a.used = a.used[:0]
	clear(a.slot)
}

// release gives back the buffers of a scope and of those inside it.
func (a *arena) release(scope int) {
	for i := len(a.used) - 1; i >= 0; i-- {
		if a.used[i].scope >= scope {
			a.put(a.used[i].buf)
		}
	}
}

// A slab hands out Vars and takes all of them back at once.
type slab struct {
	chunks [][]Var
	n      int
}

const slabChunk = 128

func (s *slab) get(shape []int) *Var {
	if s.n == len(s.chunks)*slabChunk {
		s.chunks = append(s.chunks, make([]Var, slabChunk))
	}
	v := &s.chunks[s.n/slabChunk][s.n%slabChunk]
	s.n++
	own := v.Shape[:0]
	*v = Var{}
	v.Shape = append(own, shape...)
	return v
}

func (s *slab) reset() { s.n = 0 }

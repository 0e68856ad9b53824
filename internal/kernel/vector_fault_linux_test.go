package kernel

import (
	"syscall"
	"testing"
	"unsafe"
)

// TestNoFault runs every function on vectors that touch the start and the end
// of a page between two pages without access: a read or write outside of a
// slice, even one without effect, ends the test with a fault.
func TestNoFault(t *testing.T) {
	page := syscall.Getpagesize()
	pages := make([][]float32, 4)
	for i := range pages {
		mem, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			t.Skip(err)
		}
		defer syscall.Munmap(mem)
		for _, outer := range [][]byte{mem[:page], mem[2*page:]} {
			if err := syscall.Mprotect(outer, syscall.PROT_NONE); err != nil {
				t.Skip(err)
			}
		}
		pages[i] = unsafe.Slice((*float32)(unsafe.Pointer(&mem[page])), page/4)
	}
	forEach(t, func(t *testing.T) {
		for n := 1; n < 80; n++ {
			start, end := make([][]float32, 4), make([][]float32, 4)
			for i, p := range pages {
				start[i], end[i] = p[:n], p[len(p)-n:]
			}
			for _, v := range [][][]float32{start, end} {
				for _, c := range vectorCases {
					for i := range v {
						clear(v[i])
					}
					c.run(v[:c.vectors])
				}
				stats := [2][1]float32{}
				LayerNorm(v[0], v[1], v[2], v[3], stats[0][:], stats[1][:], 1e-5)
				LayerNormBack(v[0], v[1], v[2], v[3], v[0], v[1], stats[0][:], stats[1][:], true)
				LayerNormBack(v[0], nil, nil, v[3], v[0], v[1], stats[0][:], stats[1][:], false)
			}
		}
	})
}

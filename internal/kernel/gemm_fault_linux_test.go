package kernel

import (
	"math/rand/v2"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// beforePage returns n floats that end where an unreadable page begins.
func beforePage(t *testing.T, n int) []float32 {
	page := os.Getpagesize()
	size := (4*n + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	if err := unix.Mprotect(mem[size:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[size-4*n])), n)
}

// A product must not so much as read beyond its matrices: a fault would end
// the test.
func TestMulReadsNothingBeyond(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, impl := range Available() {
		restore := Force(impl)
		for _, s := range [][3]int{{1, 1, 1}, {5, 7, 3}, {6, 16, 8}, {14, 32, 5}, {15, 33, 17}, {67, 41, 30}, {130, 140, 9}} {
			m, n, k := s[0], s[1], s[2]
			x, y, z := beforePage(t, m*k), beforePage(t, k*n), beforePage(t, m*n)
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			for i := range y {
				y[i] = float32(r.NormFloat64())
			}
			for _, a := range []View{Matrix(x, m, k), Matrix(x, k, m).T()} {
				for _, b := range []View{Matrix(y, k, n), Matrix(y, n, k).T()} {
					c, want := Matrix(z, m, n), Matrix(make([]float32, m*n), m, n)
					Mul(new(Work), c, a, b, false)
					mulFMA(want, a, b, nil, false)
					checkProduct(t, impl, c, want, want, a, b, nil, false)
				}
			}
		}
		restore()
	}
}

package kernel

import (
	"encoding/binary"
	"math"
	"testing"
)

// FuzzVectors runs a function on arbitrary bits: the sets of assembly must
// agree with each other to the last bit, and must be NaN where plain Go is, as
// long as no intermediate result overflows.
func FuzzVectors(f *testing.F) {
	f.Add(uint8(0), []byte{0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f})
	for i := range vectorCases {
		f.Add(uint8(i), make([]byte, 4*4*17))
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		c := vectorCases[int(which)%len(vectorCases)]
		n := len(data) / 4 / c.vectors
		in := make([][]float32, c.vectors)
		tame := true
		for k := range in {
			for i := range n {
				x := math.Float32frombits(binary.LittleEndian.Uint32(data[4*(k*n+i):]))
				in[k] = append(in[k], x)
				tame = tame && !(math.Abs(float64(x)) > 1e6)
			}
		}
		sameBits(t, c, in)
		if !tame {
			return
		}
		plain, fast := make([][]float32, c.vectors), make([][]float32, c.vectors)
		for k := range in {
			plain[k] = append(plain[k], in[k]...)
			fast[k] = append(fast[k], in[k]...)
		}
		restore := Force(Generic)
		want := c.run(plain)
		restore()
		got := c.run(fast)
		for k := range plain {
			for i, x := range plain[k] {
				if (x == x) != (fast[k][i] == fast[k][i]) {
					t.Fatalf("%s: vector %d[%d] of %v is %v, plain Go has %v", c.name, k, i, in, fast[k][i], x)
				}
			}
		}
		for k := range want {
			if (want[k] == want[k]) != (got[k] == got[k]) {
				t.Fatalf("%s: result of %v is %v, plain Go has %v", c.name, in, got[k], want[k])
			}
		}
	})
}

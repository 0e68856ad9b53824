package autograd

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A convolution of many tiles equals the plain loops, on any number of cores. As
// it is linear in x and in w, dy·y = dx·x = dw·w, whichever way dx was computed.
func TestConv3DInManyTiles(t *testing.T) {
	for _, s := range []Window3D{Cube(1, 1), Cube(2, 1), {Stride: [3]int{1, 1, 1}, Pad: [3]int{0, 3, 1}}} {
		const d, h, w, c, k, o = 18, 17, 16, 2, 3, 3
		x, f := Param(1, d, h, w, c), Param(k, k, k, c, o)
		r := rand.New(rand.NewPCG(1, 2))
		for _, v := range []*Var{x, f} {
			for i := range v.Data {
				v.Data[i] = float32(r.NormFloat64())
			}
		}
		tape := &Tape{}
		y := Conv3D(tape, x, f, nil, s)
		if g := newWindows3D("test", x, [3]int{k, k, k}, s); s.Stride[0] == 1 && g.rows() <= g.tileRows() {
			t.Fatalf("%d windows are one tile", g.rows())
		}
		at := 0
		for z := range y.Dim(1) {
			for v := range y.Dim(2) {
				for u := range y.Dim(3) {
					for out := range o {
						sum := 0.0
						for i := range k {
							for j := range k {
								for l := range k {
									p, q, m := z*s.Stride[0]+i-s.Pad[0], v*s.Stride[1]+j-s.Pad[1], u*s.Stride[2]+l-s.Pad[2]
									if p < 0 || q < 0 || m < 0 || p >= d || q >= h || m >= w {
										continue
									}
									for ch := range c {
										sum += float64(x.Data[((p*h+q)*w+m)*c+ch]) * float64(f.Data[(((i*k+j)*k+l)*c+ch)*o+out])
									}
								}
							}
						}
						if math.Abs(sum-float64(y.Data[at])) > 1e-4 {
							t.Fatalf("%v: element %d is %v, want %v", s, at, y.Data[at], sum)
						}
						at++
					}
				}
			}
		}
		if z := Conv3D(&Tape{Cores: 3}, x, f, nil, s); !sameBits(z.Data, y.Data) {
			t.Errorf("%v: three cores give other bits", s)
		}
		dy := cotangent(len(y.Data))
		dot := func(a, b []float32) (sum float64) {
			for i := range a {
				sum += float64(a[i]) * float64(b[i])
			}
			return sum
		}
		want := dot(dy, y.Data)
		tape.BackwardFrom(y, dy)
		for name, got := range map[string]float64{"dx": dot(tape.Grad(x), x.Data), "dw": dot(tape.Grad(f), f.Data)} {
			if math.Abs(got-want) > 1e-4*math.Sqrt(dot(dy, dy)*dot(y.Data, y.Data)) {
				t.Errorf("%v: %s gives %v, want %v", s, name, got, want)
			}
		}
	}
}

package cost

import (
	"context"
	"math"
	"testing"

	"heed/autograd"
)

func TestExponent(t *testing.T) {
	b, half := Exponent([]float64{1, 2, 4, 8}, []float64{3, 12, 48, 192})
	if math.Abs(b-2) > 1e-12 || half > 1e-6 {
		t.Errorf("exponent %v ± %v of a square", b, half)
	}
	if b, half = Exponent([]float64{1, 2, 4}, []float64{1, 3, 4}); b < 0.9 || b > 1.1 || half < 0.5 {
		t.Errorf("exponent %v ± %v of three points off the line", b, half)
	}
}

// The formulas of multiply-adds, which a test of package nn compares with plain
// loops, agree at a size where both kinds of attention are the same.
func TestAxial(t *testing.T) {
	layers := Axial(8, 2, 4)
	times, err := (&Race{Width: 8, Rounds: 2, Cores: 1}).Times(context.Background(), layers, []int{1, 4, 8})
	if err != nil {
		t.Fatal(err)
	}
	if len(times) != 2*6+4 {
		t.Fatalf("%d times, want those of 6 layers at 1 and 4 and of 4 at 8", len(times))
	}
	for _, x := range times {
		if x.Best <= 0 || x.Median < x.Best {
			t.Errorf("%s at %d: best %v, median %v", x.Layer, x.N, x.Best, x.Median)
		}
	}
	if axial, full := layers[1].MultiplyAdds(4), layers[2].MultiplyAdds(4); axial != full/2 { // 2n³·2d against 2n⁴·d
		t.Errorf("axial attention has %v products and full attention %v", axial, full)
	}
	n, best := Series(times, "full layer")
	if len(n) != 2 || len(best) != 2 || n[1] != 4 {
		t.Errorf("series %v, %v", n, best)
	}
}

var sink []byte

func TestBytes(t *testing.T) {
	if b := Bytes(func() { sink = make([]byte, 1<<20) }); b < 1<<20 || b > 1<<21 {
		t.Errorf("%v bytes of a MiB", b)
	}
	if x := Input(3, 2, 1); x.Dim(0) != 3 || x.Dim(1) != 2 || x.Data[0] == x.Data[1] {
		t.Errorf("input %v", autograd.Softmax(x.Data))
	}
}

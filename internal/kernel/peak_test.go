package kernel

import "testing"

// Fuse says how much it did, and twice as many turns are twice as much.
func TestFuse(t *testing.T) {
	want := map[Impl]float64{Generic: 8, AVX2: 12 * 8, AVX512: 24 * 16}
	for _, m := range Available() {
		restore := Force(m)
		if got := Fuse(1000); got != 1000*want[m] {
			t.Errorf("%v: %v multiply-adds in 1000 turns, want %v", m, got, 1000*want[m])
		}
		if got := Fuse(0); got != 0 {
			t.Errorf("%v: %v multiply-adds in no turn", m, got)
		}
		restore()
	}
}

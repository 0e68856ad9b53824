package clock

import "testing"

func TestTimeGoesOn(t *testing.T) {
	for _, cores := range []int{1, 2} {
		now, name := New(cores)
		if name == "" {
			t.Error("a clock without a name")
		}
		start, x := now(), 0.0
		for now() == start {
			x++
		}
		if now() < start {
			t.Errorf("%s runs backwards after %v looks", name, x)
		}
	}
}

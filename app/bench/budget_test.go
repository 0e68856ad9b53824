package bench

import (
	"math"
	"strings"
	"testing"
)

// A fakeClock advances when work is done.
type fakeClock struct{ wall, counted float64 }

func (c *fakeClock) budget(each, total float64, left int, processor bool) *budget {
	return &budget{watch: watch{func() float64 { return c.wall }, func() float64 { return c.counted }}, processor: processor, each: each, total: total, left: left}
}

// work takes so many seconds on the clock and of processor time.
func (c *fakeClock) work(wall, counted float64) func() {
	return func() { c.wall, c.counted = c.wall+wall, c.counted+counted }
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Abs(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// On an idle machine a measurement has all its rounds and lasts about as long as it should.
func TestMeasureIdle(t *testing.T) {
	c := &fakeClock{}
	b := c.budget(1, 100, 30, false)
	x := b.measure(b.part(), 1, 1e6, c.work(0.001, 0.001))
	if len(x.seconds) != rounds || x.calls != 128 {
		t.Errorf("%d rounds of %d calls", len(x.seconds), x.calls)
	}
	near(t, "seconds", x.best(), 0.001)
	near(t, "rate", b.done/b.took, 1e9)
	if c.wall > 1.5 {
		t.Errorf("it took %v s, want about 1", c.wall)
	}
}

// On a machine that does something else nine tenths of the time, processor time counts what
// was done, and the clock decides when to stop.
func TestMeasureBusy(t *testing.T) {
	c := &fakeClock{}
	b := c.budget(1, 10, 5, true)
	x := b.measure(b.part(), 2, 1e6, c.work(0.5, 0.1))
	near(t, "seconds", x.best(), 0.05)
	if len(x.seconds) != 3 || c.wall != 2 {
		t.Errorf("%d rounds in %v s, want 3 in 2", len(x.seconds), c.wall)
	}
}

// One call that takes more than its part is measured once after the warm-up, and what is as
// slow is skipped then, with the reason.
func TestBudgetSkips(t *testing.T) {
	c := &fakeClock{}
	b := c.budget(1, 20, 4, false)
	part, ok := b.begin("first", 1e9)
	if !ok || part != 5 {
		t.Fatalf("part %v, %v", part, ok)
	}
	x := b.measure(part, 1, 1e9, c.work(4, 4)) // 0.25 GFLOP/s
	if len(x.seconds) != 1 || c.wall != 8 {
		t.Errorf("%d rounds in %v s", len(x.seconds), c.wall)
	}
	if _, ok := b.begin("as large", 1e9); ok { // 8 s where 4 are left for each
		t.Error("a measurement began that does not fit")
	}
	if _, ok := b.begin("smaller", 1e8); !ok {
		t.Error("a measurement that fits was skipped")
	}
	c.work(20, 20)()
	if _, ok := b.begin("late", 1); ok {
		t.Error("a measurement began after the time was up")
	}
	if len(b.skipped) != 2 || b.skipped[0] != (Skip{"as large", "it would take some 8 s of 12 s that were left"}) || b.skipped[1] != (Skip{"late", "the time was up"}) {
		t.Errorf("skipped %+v", b.skipped)
	}
}

// However slow a machine is, all measurements together end in the time there is, but for
// one round of the last.
func TestBudgetHolds(t *testing.T) {
	for _, slow := range []float64{1e-3, 1, 30, 1000, 1e5} {
		c := &fakeClock{}
		const n, total = 30, 100.0
		b := c.budget(1, total, n, false)
		longest := 0.0
		for i := range n {
			operations := float64(1 + i%7)
			call := operations * slow / 10
			if part, ok := b.begin("x", operations); ok {
				b.measure(part, 1, operations, c.work(call, call))
				longest = max(longest, call)
			}
		}
		if c.wall > total+2*longest {
			t.Errorf("%v times as slow: %v s, want %v", slow, c.wall, total)
		}
		if slow <= 1 && len(b.skipped) > 0 {
			t.Errorf("%v times as slow: skipped %v", slow, b.skipped)
		}
		if slow >= 1000 && !strings.Contains(b.skipped[0].Reason, "s") {
			t.Errorf("skipped %v", b.skipped)
		}
	}
}

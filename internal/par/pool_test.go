package par

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// twoCores makes sure that a pool has a second worker.
func twoCores(t *testing.T) {
	n := runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	t.Cleanup(func() { runtime.GOMAXPROCS(n) })
}

func TestPoolRunsEachTaskOnce(t *testing.T) {
	twoCores(t)
	var p Pool
	for round := range 200 {
		for _, workers := range []int{0, 1, 2, 7} {
			tasks := round % 50
			count := make([]atomic.Int32, tasks)
			busy := make([]atomic.Bool, max(workers, 1))
			p.Do(tasks, workers, func(worker, i int) {
				if !busy[worker].CompareAndSwap(false, true) {
					t.Error("two tasks ran on one worker at once")
				}
				count[i].Add(1)
				busy[worker].Store(false)
			})
			for i := range count {
				if n := count[i].Load(); n != 1 {
					t.Errorf("workers %d: task %d of %d ran %d times", workers, i, tasks, n)
				}
			}
		}
		if round%50 == 0 {
			time.Sleep(2 * lookout) // the goroutines end, and the next call starts others
		}
	}
}

// Each task waits for the other: only two workers at once can end the call.
func TestPoolHasHelp(t *testing.T) {
	twoCores(t)
	var p Pool
	for range 3 {
		var here atomic.Int32
		p.Do(2, 2, func(_, _ int) {
			here.Add(1)
			Await(func() bool { return here.Load() == 2 })
		})
	}
}

func TestPoolRaisesThePanicOfATask(t *testing.T) {
	twoCores(t)
	var p Pool
	for task := range 20 {
		func() {
			defer func() {
				if e := recover(); e != "broken" {
					t.Errorf("recovered %v, want broken", e)
				}
			}()
			p.Do(20, 2, func(_, i int) {
				if i == task {
					panic("broken")
				}
			})
			t.Error("Do returned")
		}()
		var n atomic.Int32
		p.Do(9, 2, func(_, _ int) { n.Add(1) })
		if n.Load() != 9 {
			t.Errorf("after a panic, %d tasks of 9 ran", n.Load())
		}
	}
}

func TestPoolWithinItsOwnCall(t *testing.T) {
	twoCores(t)
	var p Pool
	var n atomic.Int32
	p.Do(3, 2, func(_, _ int) {
		p.Do(5, 2, func(_, _ int) { n.Add(1) })
	})
	if n.Load() != 15 {
		t.Errorf("%d inner tasks ran, want 15", n.Load())
	}
}

func TestPoolLeavesNoGoroutine(t *testing.T) {
	twoCores(t)
	before := runtime.NumGoroutine()
	var p Pool
	for range 5 {
		p.Do(4, 2, func(_, _ int) { time.Sleep(time.Microsecond) })
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before the calls", runtime.NumGoroutine(), before)
}

func BenchmarkPool(b *testing.B) {
	var p Pool
	for b.Loop() {
		p.Do(2, 2, func(_, _ int) {})
	}
}

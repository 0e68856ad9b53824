package par

import (
	"sync/atomic"
	"testing"
)

func TestDoRunsEachTaskOnce(t *testing.T) {
	for _, workers := range []int{0, 1, 2, 7, 100} {
		for _, tasks := range []int{0, 1, 2, 50} {
			count := make([]atomic.Int32, tasks)
			busy := make([]atomic.Bool, max(workers, 1))
			Do(tasks, workers, func(worker, i int) {
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
	}
}

func TestDoRaisesThePanicOfATask(t *testing.T) {
	for _, workers := range []int{1, 3} {
		func() {
			defer func() {
				if p := recover(); p != "broken" {
					t.Errorf("workers %d: recovered %v, want broken", workers, p)
				}
			}()
			Do(9, workers, func(_, i int) {
				if i == 4 {
					panic("broken")
				}
			})
			t.Errorf("workers %d: Do returned", workers)
		}()
	}
}

func TestRangesCoverEverythingOnce(t *testing.T) {
	for _, n := range []int{0, 1, 13, 14, 15, 100} {
		for _, parts := range []int{1, 2, 3, 200} {
			seen := make([]atomic.Int32, n)
			Ranges(n, parts, 14, 2, func(_, lo, hi int) {
				if lo%14 != 0 || (hi != n && hi%14 != 0) {
					t.Errorf("n %d: range [%d, %d) is not aligned", n, lo, hi)
				}
				for i := lo; i < hi; i++ {
					seen[i].Add(1)
				}
			})
			for i := range seen {
				if seen[i].Load() != 1 {
					t.Errorf("n %d parts %d: index %d seen %d times", n, parts, i, seen[i].Load())
				}
			}
		}
	}
}

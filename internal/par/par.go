// Package par splits work over the cores. It is the only place in the library
// that starts goroutines, and nothing in it can change a result: every task
// owns its outputs, and which worker runs a task is left to chance.
package par

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Cores returns the number of workers that can run at once.
func Cores() int { return runtime.GOMAXPROCS(0) }

// Do calls f(worker, task) for every task in [0, tasks), on up to workers
// goroutines. A worker is a number in [0, workers) that no two running calls
// share, so that it can index scratch space. With one worker, or one task, f
// runs on the caller's goroutine, in order. A panic of f is raised again in
// the caller once all workers have stopped.
func Do(tasks, workers int, f func(worker, task int)) {
	workers = min(workers, tasks)
	if workers <= 1 {
		for i := range tasks {
			f(0, i)
		}
		return
	}
	var (
		next   atomic.Int64
		failed atomic.Pointer[any]
		wg     sync.WaitGroup
	)
	run := func(worker int) {
		defer func() {
			if p := recover(); p != nil {
				failed.CompareAndSwap(nil, &p)
			}
		}()
		for failed.Load() == nil {
			i := int(next.Add(1)) - 1
			if i >= tasks {
				return
			}
			f(worker, i)
		}
	}
	wg.Add(workers - 1)
	for w := 1; w < workers; w++ {
		go func() {
			defer wg.Done()
			run(w)
		}()
	}
	run(0)
	wg.Wait()
	if p := failed.Load(); p != nil {
		panic(*p)
	}
}

// Ranges calls f(worker, lo, hi) for parts pieces that cut [0, n) into ranges
// whose lengths are multiples of align but for the last one.
func Ranges(n, parts, align, workers int, f func(worker, lo, hi int)) {
	if n <= 0 {
		return
	}
	units := (n + align - 1) / align
	parts = max(1, min(parts, units))
	Do(parts, workers, func(worker, i int) {
		lo := i * units / parts * align
		hi := min(n, (i+1)*units/parts*align)
		if lo < hi {
			f(worker, lo, hi)
		}
	})
}

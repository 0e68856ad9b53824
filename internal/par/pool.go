package par

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A Pool runs tasks like [Do] for callers that have many short calls to make,
// one soon after the other. To wake a sleeping thread takes longer than such a
// call, so the goroutines that help with one call look out for the next for
// some 100 microseconds before they end by themselves. A caller never waits for
// a goroutine that has not begun to help.
//
// The zero Pool is ready to use. A Pool must not be copied.
type Pool struct {
	calls   sync.Mutex
	job     atomic.Pointer[job] // the call that looks for help
	helpers atomic.Int32        // goroutines
}

// lookout is how long a goroutine without work looks out for it.
const lookout = 200 * time.Microsecond

// patience is how long a caller lets those that it has started begin.
const patience = 100 * time.Microsecond

// A job is one call of Do. Its goroutines, the caller's included, leave when
// no task is left.
type job struct {
	tasks, workers int
	f              func(worker, task int)

	next   atomic.Int64 // the next task
	joined atomic.Int64 // workers so far, beside the caller
	inside atomic.Int64 // workers at work; once it is 0, nobody can join
	failed atomic.Pointer[any]
}

// Do calls f(worker, task) for every task as the function [Do] does. On a Pool
// that is in a call already, be it of the same goroutine, it is that function.
func (p *Pool) Do(tasks, workers int, f func(worker, task int)) {
	workers = min(workers, tasks, Cores())
	if workers <= 1 || !p.calls.TryLock() {
		Do(tasks, workers, f)
		return
	}
	defer p.calls.Unlock()
	j := &job{tasks: tasks, workers: workers, f: f}
	j.inside.Store(1)
	p.job.Store(j)
	if missing := workers - 1 - int(p.helpers.Load()); missing > 0 {
		p.start(missing)
	}
	j.run(0)
	p.job.Store(nil)
	j.leave()
	Await(func() bool { return j.inside.Load() == 0 })
	if e := j.failed.Load(); e != nil {
		panic(*e)
	}
}

// start starts n goroutines that help. They begin on the caller's core if the
// system has no better idea, and leave it: so the caller lets them.
func (p *Pool) start(n int) {
	p.helpers.Add(int32(n))
	here := core()
	var begun atomic.Int32
	for range n {
		go func() {
			begun.Add(1)
			leave(here)
			p.help()
		}()
	}
	for begin := time.Now(); int(begun.Load()) < n && time.Since(begin) < patience; {
		yieldCore() // and not runtime.Gosched, after which the caller might be on another core
	}
}

// help works for the pool's calls until there has been none for a while.
func (p *Pool) help() {
	var j, seen *job
	called := func() bool {
		j = p.job.Load()
		return j != nil && j != seen
	}
	for {
		for start := time.Now(); !spin(called); {
			if time.Since(start) < lookout {
				continue
			}
			p.helpers.Add(-1)
			if !called() {
				return
			}
			// The call may have counted on this goroutine.
			p.helpers.Add(1)
			break
		}
		seen = j
		if worker := j.join(); worker > 0 {
			j.run(worker)
			j.leave()
		}
	}
}

// join returns the number of a new worker, or 0 if there is no room for one.
func (j *job) join() int {
	worker := int(j.joined.Add(1))
	if worker >= j.workers {
		return 0
	}
	for {
		n := j.inside.Load()
		if n == 0 {
			return 0
		}
		if j.inside.CompareAndSwap(n, n+1) {
			return worker
		}
	}
}

// run works off tasks until there are none, or one of them has panicked.
func (j *job) run(worker int) {
	defer func() {
		if e := recover(); e != nil {
			j.failed.CompareAndSwap(nil, &e)
		}
	}()
	for j.failed.Load() == nil {
		i := int(j.next.Add(1)) - 1
		if i >= j.tasks {
			return
		}
		j.f(worker, i)
	}
}

// leave ends the work of a worker.
func (j *job) leave() { j.inside.Add(-1) }

// Await returns when ready returns true, which another goroutine is about to
// bring about. Until then it keeps its core busy unless anything else wants it.
func Await(ready func() bool) {
	for !spin(ready) {
	}
}

// spin tells whether ready returns true within about a microsecond, after
// which others have had their turn.
func spin(ready func() bool) bool {
	for range 500 {
		if ready() {
			return true
		}
	}
	runtime.Gosched() // other goroutines
	yieldCore()       // and other threads: one may be what the caller waits for
	return false
}

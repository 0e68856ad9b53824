package par

import (
	"runtime"
	"syscall"
)

// yield lets other goroutines run, and other threads: one of them may be what
// the caller waits for, without a core of its own on a busy machine.
func yield() {
	runtime.Gosched()
	syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
}

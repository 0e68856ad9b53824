package par

import "syscall"

// yieldCore lets other threads run, which may have no core of their own on a busy
// machine.
func yieldCore() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }

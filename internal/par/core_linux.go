package par

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// core returns the number of the core on which the caller runs at this moment,
// or -1 if the system does not say.
func core() int {
	var n uint32
	if _, _, e := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&n)), 0, 0); e != 0 {
		return -1
	}
	return int(n)
}

// leave moves the thread of the calling goroutine to another core if it runs on
// core n. A system that wakes a thread on the core of its waker may need
// milliseconds to see that another core is free, most of all in a virtual
// machine, whose sleeping cores look busy. To be forbidden a core moves a thread
// at once; it is allowed again before leave returns.
func leave(n int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all unix.CPUSet
	if n < 0 || core() != n || unix.SchedGetaffinity(0, &all) != nil || all.Count() < 2 {
		return
	}
	others := all
	others.Clear(n)
	if unix.SchedSetaffinity(0, &others) == nil {
		unix.SchedSetaffinity(0, &all)
	}
}

package par

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLeave(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil || before.Count() < 2 {
		t.Skipf("%d cores, %v", before.Count(), err)
	}
	moved := false
	for range 100 { // the system may move the thread back at any moment
		n := core()
		leave(n)
		if moved = core() != n; moved {
			break
		}
	}
	if !moved {
		t.Error("the thread stays on its core")
	}
	if unix.SchedGetaffinity(0, &after); after != before {
		t.Errorf("the thread may use cores %v, before %v", after, before)
	}
	if n := core(); n < 0 || !before.IsSet(n) {
		t.Errorf("core %d is none of %v", n, before)
	}
}

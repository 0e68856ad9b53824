package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// An Impl is one implementation of the functions of this package.
type Impl int

// The implementations, in rising order of speed.
const (
	Generic Impl = iota // plain Go, everywhere
	AVX2                // amd64 with AVX2 and FMA
	AVX512              // amd64 with AVX-512 F, DQ, BW and VL
)

var implNames = [...]string{"generic", "avx2", "avx512"}

// String returns the name by which the environment variable HEED_KERNEL knows
// the implementation.
func (i Impl) String() string {
	if i < 0 || int(i) >= len(implNames) {
		return fmt.Sprintf("Impl(%d)", int(i))
	}
	return implNames[i]
}

// active is what every function of this package dispatches on. Only Force
// changes it after the start of the program.
var active, errImpl = chooseImpl(os.Getenv("HEED_KERNEL"), available())

// Active returns the implementation in use: the fastest one of this machine,
// or the one that HEED_KERNEL names.
func Active() Impl { return active }

// Available returns the implementations that run on this machine, in rising
// order of speed. The first one is [Generic].
func Available() []Impl { return available() }

// Check returns an error if HEED_KERNEL names an implementation that does not
// exist or does not run on this machine. The package then uses the fastest
// one, so a program that wants to honour the variable calls Check at its start.
func Check() error { return errImpl }

// Force makes i the implementation in use until restore is called. It exists
// for tests and benchmarks, and must not run beside other calls. It panics if
// i is not available.
func Force(i Impl) (restore func()) {
	if !slices.Contains(available(), i) {
		panic(fmt.Sprintf("kernel.Force: %v is not available on this machine", i))
	}
	before := active
	active = i
	return func() { active = before }
}

// chooseImpl returns the implementation for a value of HEED_KERNEL.
func chooseImpl(name string, avail []Impl) (Impl, error) {
	best := avail[len(avail)-1]
	if name == "" {
		return best, nil
	}
	for i, known := range implNames {
		if name != known {
			continue
		}
		if !slices.Contains(avail, Impl(i)) {
			return best, fmt.Errorf("HEED_KERNEL=%s: this machine has %s only", name, join(avail))
		}
		return Impl(i), nil
	}
	return best, fmt.Errorf("HEED_KERNEL=%s: want one of %s", name, strings.Join(implNames[:], ", "))
}

func join(impls []Impl) string {
	names := make([]string, len(impls))
	for i, m := range impls {
		names[i] = m.String()
	}
	return strings.Join(names, ", ")
}

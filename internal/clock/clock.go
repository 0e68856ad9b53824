// Package clock tells the time that measurements are taken by.
package clock

import "time"

// New returns what times of code on a number of cores are taken by, in seconds
// since some beginning, and its name: the processor's time for one core, if the
// system tells it, and otherwise the clock on the wall.
func New(cores int) (now func() float64, name string) {
	if _, ok := Processor(); ok && cores == 1 {
		return func() float64 { s, _ := Processor(); return s }, "processor time"
	}
	start := time.Now()
	return func() float64 { return time.Since(start).Seconds() }, "wall time"
}

//go:build !unix

package clock

// Processor is not known here.
func Processor() (float64, bool) { return 0, false }

// Package npy reads and writes arrays of numbers in the format of NumPy: .npy
// files of one array, and .npz archives of several by name.
//
// Values are float64 in Go, whatever the file holds: little- or big-endian
// floats of 2, 4 and 8 bytes, integers of 1 to 8 bytes with and without sign
// (beyond 2^53 rounded) and booleans, in the order of C or of Fortran, which is
// turned into that of C. Arrays of objects are pickles, programs in disguise: they
// are refused. [Write] writes float32, which every reader takes.
package npy

// An Array is values in row-major order, the last axis fastest.
type Array struct {
	Shape []int
	Data  []float64
}

// MaxValues is the most values of one array that are read.
const MaxValues = 1 << 28

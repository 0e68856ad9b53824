// Package npy reads and writes NumPy's arrays: .npy files, which hold one, and
// .npz files, which are zip archives of them.
//
//	a, err := npy.Read("x.npy", r)       // an Array
//	f, err := npy.Open("data.npz")       // an Archive
//	images, err := f.Read("train_images")
//
// # What is read
//
// Versions 1 to 3 of the format; float16, float32, float64, int8 to int64, uint8
// to uint64 and bool, of any shape, in either byte order; C and Fortran order,
// the latter turned into C order; stored and deflated archives. Float16 becomes
// float32.
//
// Arrays of Python objects are refused: they are pickles, that is, programs.
// Complex numbers, text, dates and records are refused as not supported. So is a
// file that goes on after its array.
//
// Source: NEP 1 (numpy.org/neps/nep-0001-npy-format.html) and the description of
// numpy.lib.format.
package npy

import (
	"fmt"
	"math"
)

// An Array is a block of numbers of one type and any shape.
type Array struct {
	// Shape holds the size of each dimension. An empty one is that of a single
	// number.
	Shape []int
	// Data holds the numbers in C order, the last dimension the fastest, as a
	// []float32, []float64, []int8, []int16, []int32, []int64, []uint8, []uint16,
	// []uint32, []uint64 or []bool.
	Data any
}

// maxDims is the greatest number of dimensions, that of NumPy 2.
const maxDims = 64

// Len returns the number of elements in Data, -1 if Data has a type that no array
// has.
func (a Array) Len() int {
	switch d := a.Data.(type) {
	case []float32:
		return len(d)
	case []float64:
		return len(d)
	case []int8:
		return len(d)
	case []int16:
		return len(d)
	case []int32:
		return len(d)
	case []int64:
		return len(d)
	case []uint8:
		return len(d)
	case []uint16:
		return len(d)
	case []uint32:
		return len(d)
	case []uint64:
		return len(d)
	case []bool:
		return len(d)
	}
	return -1
}

// Float32s returns the numbers as float32, rounded where they have more digits;
// true is 1. A []float32 is returned as it is, not copied.
func (a Array) Float32s() []float32 {
	switch d := a.Data.(type) {
	case []float32:
		return d
	case []float64:
		return convert[float32](d)
	case []int8:
		return convert[float32](d)
	case []int16:
		return convert[float32](d)
	case []int32:
		return convert[float32](d)
	case []int64:
		return convert[float32](d)
	case []uint8:
		return convert[float32](d)
	case []uint16:
		return convert[float32](d)
	case []uint32:
		return convert[float32](d)
	case []uint64:
		return convert[float32](d)
	case []bool:
		return convert[float32](bits(d))
	}
	return nil
}

// Ints returns the numbers as int. Those that are no integers, or too great for
// one, are an error.
func (a Array) Ints() ([]int, error) {
	switch d := a.Data.(type) {
	case []float32:
		return whole(d)
	case []float64:
		return whole(d)
	case []int8:
		return convert[int](d), nil
	case []int16:
		return convert[int](d), nil
	case []int32:
		return convert[int](d), nil
	case []int64:
		return convert[int](d), nil
	case []uint8:
		return convert[int](d), nil
	case []uint16:
		return convert[int](d), nil
	case []uint32:
		return convert[int](d), nil
	case []uint64:
		for i, v := range d {
			if v > math.MaxInt64 {
				return nil, fmt.Errorf("npy: element %d is %d, too great for an integer", i, v)
			}
		}
		return convert[int](d), nil
	case []bool:
		return convert[int](bits(d)), nil
	}
	return nil, fmt.Errorf("npy: array of type %T", a.Data)
}

type number interface {
	~float32 | ~float64 | ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

func convert[To, From number](from []From) []To {
	to := make([]To, len(from))
	for i, v := range from {
		to[i] = To(v)
	}
	return to
}

func whole[T float32 | float64](from []T) ([]int, error) {
	to := make([]int, len(from))
	for i, v := range from {
		if to[i] = int(v); math.Abs(float64(v)) >= 1<<63 || T(to[i]) != v {
			return nil, fmt.Errorf("npy: element %d is %v, not an integer", i, v)
		}
	}
	return to, nil
}

func bits(from []bool) []uint8 {
	to := make([]uint8, len(from))
	for i, v := range from {
		if v {
			to[i] = 1
		}
	}
	return to
}

// count returns the number of elements of a shape.
func count(shape []int, limit uint64) (int, error) {
	if len(shape) > maxDims {
		return 0, fmt.Errorf("%d dimensions; the limit is %d", len(shape), maxDims)
	}
	n := uint64(1)
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative size", shape)
		}
		if d == 0 {
			return 0, nil
		}
		if n > limit/uint64(d) {
			return 0, fmt.Errorf("shape %v has more than %d elements", shape, limit)
		}
		n *= uint64(d)
	}
	return int(n), nil
}

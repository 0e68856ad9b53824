// Package tensor holds the one array type of Heed: dense float32 values in
// row-major order, with a shape.
//
// There are no strides and no other element types. Readers widen float16 and
// bfloat16 on load; windows, heads and axes are index arithmetic inside the
// operations that need them.
package tensor

import (
	"fmt"
	"slices"
	"strings"
)

// A Tensor is a dense array: element (i, j, k) of shape (I, J, K) is
// Data[(i*J+j)*K+k]. A Tensor without a shape is a scalar and has one element.
type Tensor struct {
	Shape []int
	Data  []float32
}

// New returns a tensor of zeros.
func New(shape ...int) *Tensor {
	return &Tensor{Shape: slices.Clone(shape), Data: make([]float32, Size(shape))}
}

// Of returns a tensor of the given shape over data, which it does not copy.
// It panics with a *ShapeError if the sizes differ.
func Of(data []float32, shape ...int) *Tensor {
	if Size(shape) != len(data) {
		panic(&ShapeError{Op: "tensor.Of", Got: []int{len(data)}, Want: slices.Clone(shape)})
	}
	return &Tensor{Shape: slices.Clone(shape), Data: data}
}

// Size returns the number of elements of a shape.
func Size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Dim returns the length of axis i; negative axes count from the last.
func (t *Tensor) Dim(i int) int {
	if i < 0 {
		i += len(t.Shape)
	}
	return t.Shape[i]
}

// Rows returns the product of all axes but the last, so that a tensor of any
// rank can be read as a matrix (Rows, Dim(-1)).
func (t *Tensor) Rows() int {
	if len(t.Shape) == 0 {
		return 1
	}
	return Size(t.Shape[:len(t.Shape)-1])
}

// String describes the shape, as in "tensor (2, 3)".
func (t *Tensor) String() string { return "tensor " + shapeString(t.Shape) }

// A ShapeError reports that an operation met a shape that it cannot work with.
// It is a bug in the calling code, never a property of a file, and is
// therefore the value of a panic: whatever comes from a file or a flag is
// checked before any mathematics starts.
type ShapeError struct {
	Op        string // the operation, as in "Linear"
	Got, Want []int  // -1 in Want stands for any length
}

func (e *ShapeError) Error() string {
	return fmt.Sprintf("%s: shape %s, want %s", e.Op, shapeString(e.Got), shapeString(e.Want))
}

// Check panics with a *ShapeError unless got equals want, in which -1 stands
// for any length.
func Check(op string, got []int, want ...int) {
	ok := len(got) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = want[i] == -1 || want[i] == got[i]
	}
	if !ok {
		panic(&ShapeError{Op: op, Got: slices.Clone(got), Want: slices.Clone(want)})
	}
}

func shapeString(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
		if d == -1 {
			parts[i] = "*"
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// Package checkpoint stores named arrays in safetensors files, with a record
// of where they come from.
//
// Into it flow the parameters of a model and the state of a training run as a
// list of entries, and an Info: architecture, configuration, seed, versions,
// hash of the data, metrics. Out of it flows one file, whole or not at all, and
// later the same entries, bit for bit. The list that was saved is also the list
// to restore into:
//
//	err := checkpoint.Save(path, meta, entries)
//	…
//	f, err := checkpoint.Load(path)
//	info, err := f.Info("sequence") // refuses a model of another architecture
//	err = f.Restore(entries)        // checks everything, then copies
//
// The format is described at
// https://github.com/huggingface/safetensors#format: the length of the header
// (8 bytes, little-endian), the header (JSON) and the values (little-endian,
// without gaps). Nothing in such a file is executable. Files of other programs
// are read as well: F16, BF16 and F64 values become float32.
//
// A file is input like any other: whatever is wrong with it is reported as a
// *format.Error with one of the kinds of package format, before memory is
// taken for more than the file holds.
package checkpoint

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"heed/format"
	"heed/tensor"
)

// A DType is the name that safetensors gives to a type of value.
type DType = format.DType

// The types that this package reads. It writes all but F64, F16 and BF16.
const (
	F64  = format.F64
	F32  = format.F32
	F16  = format.F16
	BF16 = format.BF16
	I64  = format.I64
	I32  = format.I32
	I16  = format.I16
	I8   = format.I8
	U64  = format.U64
	U32  = format.U32
	U16  = format.U16
	U8   = format.U8
	Bool = format.Bool
)

// An Entry is one named array, row-major. Entries of type F32 have their values
// in Float, all others in Raw as little-endian bytes.
type Entry struct {
	Name  string
	DType DType
	Shape []int
	Float []float32
	Raw   []byte
}

// Tensor returns an F32 entry over the values of t, which it does not copy.
func Tensor(name string, t *tensor.Tensor) Entry {
	return Entry{Name: name, DType: F32, Shape: slices.Clone(t.Shape), Float: t.Data}
}

// Bytes returns a U8 entry of shape (len(b)) over b, which it does not copy.
// The state of a random number generator is such an entry.
func Bytes(name string, b []byte) Entry {
	return Entry{Name: name, DType: U8, Shape: []int{len(b)}, Raw: b}
}

// Uint64s returns a U64 entry of shape (len(v)). Counters are such entries, and
// float64 values whose bits must survive (math.Float64bits).
func Uint64s(name string, v ...uint64) Entry {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return Entry{Name: name, DType: U64, Shape: []int{len(v)}, Raw: b}
}

// Int64s returns an I64 entry of shape (len(v)).
func Int64s(name string, v ...int64) Entry {
	e := Entry{Name: name, DType: I64, Shape: []int{len(v)}, Raw: make([]byte, 0, 8*len(v))}
	for _, x := range v {
		e.Raw = binary.LittleEndian.AppendUint64(e.Raw, uint64(x))
	}
	return e
}

// check reports whether the values of e fit its type and shape. It guards
// against mistakes of the caller, not of a file.
func (e Entry) check() error {
	n := 1
	for _, d := range e.Shape {
		if d < 0 {
			return fmt.Errorf("tensor %q: shape %s", e.Name, shapeString(e.Shape))
		}
		n *= d
	}
	have, size := len(e.Raw), e.DType.Size()
	switch {
	case e.DType == F32 && e.Raw == nil:
		have, size = len(e.Float), 1
	case e.DType.Float() || size == 0 || e.Float != nil:
		return fmt.Errorf("tensor %q: cannot write values of type %s", e.Name, e.DType)
	}
	if have != n*size {
		return fmt.Errorf("tensor %q: shape %s of %s does not fit %d values", e.Name, shapeString(e.Shape), e.DType, have/size)
	}
	return nil
}

func shapeString(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

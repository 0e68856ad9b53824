package npy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// Write writes a .npy file of version 1, which every NumPy reads, in C order and
// little-endian. Data is a slice of one of the types of [Array.Data]; the product
// of the shape must be its length.
func Write(w io.Writer, data any, shape ...int) error {
	a := Array{shape, data}
	descr := a.descr()
	n, err := count(a.Shape, math.MaxInt64)
	switch {
	case descr == "":
		return fmt.Errorf("npy: cannot write data of type %T", a.Data)
	case err != nil:
		return fmt.Errorf("npy: %w", err)
	case n != a.Len():
		return fmt.Errorf("npy: shape %v has %d elements, but the data %d", a.Shape, n, a.Len())
	}
	b := bufio.NewWriterSize(w, 64<<10)
	b.WriteString(formatHeader(descr, a.Shape))
	le := binary.LittleEndian
	switch d := a.Data.(type) {
	case []float32:
		put(b, d, func(o []byte, v float32) []byte { return le.AppendUint32(o, math.Float32bits(v)) })
	case []float64:
		put(b, d, func(o []byte, v float64) []byte { return le.AppendUint64(o, math.Float64bits(v)) })
	case []int8:
		put(b, d, func(o []byte, v int8) []byte { return append(o, byte(v)) })
	case []int16:
		put(b, d, func(o []byte, v int16) []byte { return le.AppendUint16(o, uint16(v)) })
	case []int32:
		put(b, d, func(o []byte, v int32) []byte { return le.AppendUint32(o, uint32(v)) })
	case []int64:
		put(b, d, func(o []byte, v int64) []byte { return le.AppendUint64(o, uint64(v)) })
	case []uint8:
		b.Write(d)
	case []uint16:
		put(b, d, func(o []byte, v uint16) []byte { return le.AppendUint16(o, v) })
	case []uint32:
		put(b, d, func(o []byte, v uint32) []byte { return le.AppendUint32(o, v) })
	case []uint64:
		put(b, d, func(o []byte, v uint64) []byte { return le.AppendUint64(o, v) })
	case []bool:
		b.Write(bits(d))
	}
	return b.Flush() // the first error of all
}

// descr returns NumPy's name of the type of Data, "" if there is none.
func (a Array) descr() string {
	switch a.Data.(type) {
	case []float32:
		return "<f4"
	case []float64:
		return "<f8"
	case []int8:
		return "|i1"
	case []int16:
		return "<i2"
	case []int32:
		return "<i4"
	case []int64:
		return "<i8"
	case []uint8:
		return "|u1"
	case []uint16:
		return "<u2"
	case []uint32:
		return "<u4"
	case []uint64:
		return "<u8"
	case []bool:
		return "|b1"
	}
	return ""
}

// formatHeader returns all that stands before the data, a multiple of 64 bytes.
func formatHeader(descr string, shape []int) string {
	var s strings.Builder
	for i, d := range shape {
		if i > 0 {
			s.WriteByte(' ')
		}
		fmt.Fprintf(&s, "%d,", d)
	}
	sizes := s.String()
	if len(shape) > 1 {
		sizes = strings.TrimSuffix(sizes, ",")
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, sizes)
	const before = len(magic) + 4
	blanks := 63 - (before+len(dict))%64
	size := len(dict) + blanks + 1
	return magic + "\x01\x00" + string([]byte{byte(size), byte(size >> 8)}) + dict + strings.Repeat(" ", blanks) + "\n"
}

func put[T any](w *bufio.Writer, data []T, app func([]byte, T) []byte) {
	var buf [8]byte
	for _, v := range data {
		w.Write(app(buf[:0], v))
	}
}

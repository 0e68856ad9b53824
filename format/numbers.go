package format

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// A NumberType is a type of numbers in a file of voxels.
type NumberType uint8

// The types that NIfTI, NRRD and DICOM have in common.
const (
	Unknown NumberType = iota
	Uint8
	Int8
	Int16
	Uint16
	Int32
	Uint32
	Int64
	Uint64
	Float32
	Float64
)

// String returns the name as Go and NumPy have it: "int16".
func (t NumberType) String() string {
	return [...]string{"unknown", "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"}[t]
}

// Size returns the number of bytes of a number.
func (t NumberType) Size() int { return [...]int{0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8}[t] }

// number decodes one number; exact is false for an integer that float64 cannot hold.
func (t NumberType) number(b []byte, order binary.ByteOrder) (v float64, exact bool) {
	switch t {
	case Uint8:
		return float64(b[0]), true
	case Int8:
		return float64(int8(b[0])), true
	case Int16:
		return float64(int16(order.Uint16(b))), true
	case Uint16:
		return float64(order.Uint16(b)), true
	case Int32:
		return float64(int32(order.Uint32(b))), true
	case Uint32:
		return float64(order.Uint32(b)), true
	case Int64:
		i := int64(order.Uint64(b))
		v = float64(i)
		return v, v < 1<<63 && int64(v) == i
	case Uint64:
		i := order.Uint64(b)
		v = float64(i)
		return v, v < 1<<64 && uint64(v) == i
	case Float32:
		return float64(math.Float32frombits(order.Uint32(b))), true
	}
	return math.Float64frombits(order.Uint64(b)), true
}

// ReadVoxels reads n numbers and returns slope*number + intercept as float32, and
// how many integers had to be rounded. Memory is taken as the numbers come, not as
// a header says. Errors have the offset, counted from at.
func ReadVoxels(name string, at int64, r io.Reader, n int, t NumberType, order binary.ByteOrder, slope, intercept float64) (data []float32, rounded int, err error) {
	size := t.Size()
	buf := make([]byte, min(64<<10, n*size))
	data = make([]float32, 0, min(n, 1<<20))
	for len(data) < n {
		k := min(len(buf)/size, n-len(data))
		got, err := io.ReadFull(r, buf[:k*size])
		at += int64(got)
		if err != nil {
			return nil, 0, CutOff(name, at, err)
		}
		if cap(data)-len(data) < k {
			grown := make([]float32, len(data), min(n, 2*cap(data)))
			copy(grown, data)
			data = grown
		}
		for i := range k {
			v, exact := t.number(buf[i*size:(i+1)*size], order)
			v = v*slope + intercept
			f := float32(v)
			if t < Float32 && slope == 1 && intercept == 0 && (!exact || float64(f) != v) {
				rounded++
			}
			data = append(data, f)
		}
	}
	return data, rounded, nil
}

// CutOff returns the error of a binary file that ends too early; other errors of
// a reader get the offset.
func CutOff(name string, at int64, err error) error {
	var placed *Error
	switch {
	case errors.As(err, &placed):
		return err
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return InvalidAt(name, at, "file is cut off")
	}
	return &Error{Name: name, Offset: at, Err: err}
}

// holds says whether the type has the value exactly.
func (t NumberType) holds(v float32) bool {
	if t >= Float32 {
		return true
	}
	f := float64(v)
	if f != math.Trunc(f) { // NaN too
		return false
	}
	switch t {
	case Uint8:
		return 0 <= f && f <= math.MaxUint8
	case Int8:
		return math.MinInt8 <= f && f <= math.MaxInt8
	case Int16:
		return math.MinInt16 <= f && f <= math.MaxInt16
	case Uint16:
		return 0 <= f && f <= math.MaxUint16
	case Int32:
		return math.MinInt32 <= f && f < 1<<31
	case Uint32:
		return 0 <= f && f < 1<<32
	case Int64:
		return -1<<63 <= f && f < 1<<63
	case Uint64:
		return 0 <= f && f < 1<<64
	}
	return false
}

// Fit returns the type in which the voxels are written without loss: the one they
// were stored in, or the first of int16, int32 and float32 that holds them all.
func (v *Volume) Fit() NumberType {
	for _, t := range []NumberType{v.Stored, Int16, Int32} {
		if t == Unknown || t == Float64 {
			continue
		}
		fits := true
		for _, x := range v.Data {
			if !t.holds(x) {
				fits = false
				break
			}
		}
		if fits {
			return t
		}
	}
	return Float32
}

// WriteVoxels writes numbers, little-endian. The type must hold them: see Fit.
func WriteVoxels(w io.Writer, data []float32, t NumberType) error {
	size := t.Size()
	buf := make([]byte, 0, 64<<10)
	le := binary.LittleEndian
	for _, v := range data {
		switch t {
		case Uint8:
			buf = append(buf, uint8(v))
		case Int8:
			buf = append(buf, byte(int8(v)))
		case Int16:
			buf = le.AppendUint16(buf, uint16(int16(v)))
		case Uint16:
			buf = le.AppendUint16(buf, uint16(v))
		case Int32:
			buf = le.AppendUint32(buf, uint32(int32(v)))
		case Uint32:
			buf = le.AppendUint32(buf, uint32(v))
		case Int64:
			buf = le.AppendUint64(buf, uint64(int64(v)))
		case Uint64:
			buf = le.AppendUint64(buf, uint64(v))
		case Float32:
			buf = le.AppendUint32(buf, math.Float32bits(v))
		default:
			buf = le.AppendUint64(buf, math.Float64bits(float64(v)))
		}
		if len(buf)+size > cap(buf) {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := w.Write(buf)
	return err
}

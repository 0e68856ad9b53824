package npy

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strings"

	"heed/format"
)

const magic = "\x93NUMPY"

// maxHeader is the greatest length of a header that is read. NumPy's own limit is
// 10,000 letters.
const maxHeader = 1<<16 - 1

// A Reader says how much to read. The zero value reads arrays of up to
// [format.MaxArray] bytes.
type Reader struct {
	MaxBytes int64 // greatest size of an array; 0 means format.MaxArray
}

// Read reads one array, as [Reader.Read] of the zero Reader does.
func Read(name string, r io.Reader) (Array, error) { return Reader{}.Read(name, r) }

// Read reads a .npy file. Errors have name and offset.
func (d Reader) Read(name string, r io.Reader) (Array, error) {
	if d.MaxBytes <= 0 {
		d.MaxBytes = format.MaxArray
	}
	s := source{name: name, r: r}
	h, err := s.header()
	if err != nil {
		return Array{}, err
	}
	kind, order, err := s.kind(h.descr)
	if err != nil {
		return Array{}, err
	}
	n, err := count(h.shape, uint64(d.MaxBytes)/uint64(kind.size))
	if err != nil {
		return Array{}, format.TooLargeAt(name, s.offset, "%w", err)
	}
	a := Array{Shape: h.shape}
	if a.Data, err = kind.read(&s, n, order); err != nil {
		return Array{}, err
	}
	var more [1]byte
	if _, err := io.ReadFull(r, more[:]); err == nil {
		return Array{}, format.InvalidAt(name, s.offset, "file goes on after the array")
	} else if err != io.EOF {
		return Array{}, s.failed(err)
	}
	if h.fortran {
		a = kind.toC(a)
	}
	return a, nil
}

// A source counts the bytes it has read.
type source struct {
	name   string
	r      io.Reader
	offset int64
}

func (s *source) fill(b []byte) error {
	n, err := io.ReadFull(s.r, b)
	s.offset += int64(n)
	if err != nil {
		return s.failed(err)
	}
	return nil
}

func (s *source) failed(err error) error {
	var placed *format.Error
	switch {
	case errors.As(err, &placed):
		return err
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return format.InvalidAt(s.name, s.offset, "file is cut off")
	}
	return &format.Error{Name: s.name, Offset: s.offset, Err: err}
}

func (s *source) header() (header, error) {
	b := make([]byte, 8)
	if n, err := io.ReadFull(s.r, b); string(b[:min(n, 6)]) != magic {
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return header{}, s.failed(err)
		}
		if n > 0 && b[0] == 0x80 {
			return header{}, format.UnsupportedAt(s.name, 0, "this is a pickle, which is a program; save numbers with numpy.save(..., allow_pickle=False)")
		}
		if string(b[:min(n, 2)]) == "PK" {
			return header{}, format.InvalidAt(s.name, 0, "this is an archive, .npz, not a single array")
		}
		return header{}, format.InvalidAt(s.name, 0, "not npy: first bytes are %s, want %q", show(string(b[:n])), magic)
	} else if err != nil {
		return header{}, s.failed(err)
	}
	s.offset = 8
	var size uint32
	switch version := b[6]; version {
	case 1:
		b := make([]byte, 2)
		if err := s.fill(b); err != nil {
			return header{}, err
		}
		size = uint32(binary.LittleEndian.Uint16(b))
	case 2, 3: // 3 has a header in UTF-8, for the names of records
		b := make([]byte, 4)
		if err := s.fill(b); err != nil {
			return header{}, err
		}
		size = binary.LittleEndian.Uint32(b)
	default:
		return header{}, format.UnsupportedAt(s.name, 6, "npy version %d; versions 1 to 3 are read", version)
	}
	if size > maxHeader {
		return header{}, format.TooLargeAt(s.name, 8, "header of %d bytes; the limit is %d", size, maxHeader)
	}
	at := s.offset
	text := make([]byte, size)
	if err := s.fill(text); err != nil {
		return header{}, err
	}
	h, err := parseHeader(string(text))
	if err == errRecords {
		return h, format.UnsupportedAt(s.name, at, "%w; save each column as an array of its own", err)
	}
	if err != nil {
		return h, format.InvalidAt(s.name, at, "%w", err)
	}
	return h, nil
}

// A kind is a type of numbers: how it is read and written.
type kind struct {
	descr string // without the byte order
	size  int    // bytes of a number
	read  func(s *source, n int, order binary.ByteOrder) (any, error)
	toC   func(a Array) Array
}

// kinds are all types there are. They are never written to. The order of bool
// and the types of one byte is '|'.
var kinds = []kind{
	kindOf("f4", 4, func(o binary.ByteOrder, b []byte) float32 { return math.Float32frombits(o.Uint32(b)) }),
	kindOf("f8", 8, func(o binary.ByteOrder, b []byte) float64 { return math.Float64frombits(o.Uint64(b)) }),
	kindOf("f2", 2, func(o binary.ByteOrder, b []byte) float32 { return half(o.Uint16(b)) }),
	kindOf("i1", 1, func(o binary.ByteOrder, b []byte) int8 { return int8(b[0]) }),
	kindOf("i2", 2, func(o binary.ByteOrder, b []byte) int16 { return int16(o.Uint16(b)) }),
	kindOf("i4", 4, func(o binary.ByteOrder, b []byte) int32 { return int32(o.Uint32(b)) }),
	kindOf("i8", 8, func(o binary.ByteOrder, b []byte) int64 { return int64(o.Uint64(b)) }),
	kindOf("u1", 1, func(o binary.ByteOrder, b []byte) uint8 { return b[0] }),
	kindOf("u2", 2, func(o binary.ByteOrder, b []byte) uint16 { return o.Uint16(b) }),
	kindOf("u4", 4, func(o binary.ByteOrder, b []byte) uint32 { return o.Uint32(b) }),
	kindOf("u8", 8, func(o binary.ByteOrder, b []byte) uint64 { return o.Uint64(b) }),
	kindOf("b1", 1, func(o binary.ByteOrder, b []byte) bool { return b[0] != 0 }),
}

func kindOf[T any](descr string, size int, get func(binary.ByteOrder, []byte) T) kind {
	return kind{descr, size,
		func(s *source, n int, order binary.ByteOrder) (any, error) {
			return readNumbers(s, n, size, func(b []byte) T { return get(order, b) })
		},
		func(a Array) Array { return Array{a.Shape, toC(a.Shape, a.Data.([]T))} },
	}
}

// kind finds the type that a descr such as "<f4" names.
func (s *source) kind(descr string) (kind, binary.ByteOrder, error) {
	var order binary.ByteOrder = binary.LittleEndian
	base := strings.TrimLeft(descr, "<>|=")
	if strings.HasPrefix(descr, ">") {
		order = binary.BigEndian
	}
	for _, k := range kinds {
		if k.descr == base && len(descr) == len(base)+1 && (k.size == 1 || strings.ContainsAny(descr[:1], "<>")) {
			return k, order, nil
		}
	}
	reason := "numbers of type %s"
	switch {
	case strings.HasPrefix(base, "O"):
		reason = "array of Python objects (type %s): it is a pickle, which is a program; save numbers with numpy.save(..., allow_pickle=False)"
	case strings.HasPrefix(base, "c"):
		reason = "complex numbers (type %s)"
	case strings.HasPrefix(base, "U"), strings.HasPrefix(base, "S"), strings.HasPrefix(base, "a"):
		reason = "text (type %s)"
	case strings.HasPrefix(base, "M"), strings.HasPrefix(base, "m"):
		reason = "dates (type %s)"
	}
	return kind{}, nil, format.UnsupportedAt(s.name, s.offset, reason, show(descr))
}

// readNumbers reads n numbers. It takes memory as the numbers come, not as the
// header says: a file that is cut off does not cost what it promised.
func readNumbers[T any](s *source, n, size int, get func([]byte) T) ([]T, error) {
	const chunk = 64 << 10 // bytes
	buf := make([]byte, min(chunk, n*size))
	out := make([]T, 0, min(n, 1<<20))
	for len(out) < n {
		k := min(len(buf)/size, n-len(out))
		if err := s.fill(buf[:k*size]); err != nil {
			return nil, err
		}
		if cap(out)-len(out) < k {
			grown := make([]T, len(out), min(n, 2*cap(out)))
			copy(grown, out)
			out = grown
		}
		for i := range k {
			out = append(out, get(buf[i*size:(i+1)*size]))
		}
	}
	return out, nil
}

// toC turns data whose first dimension is the fastest into C order.
func toC[T any](shape []int, data []T) []T {
	if len(data) == 0 || len(shape) < 2 {
		return data
	}
	out := make([]T, len(data))
	stride := make([]int, len(shape)) // in data
	for i, s := 0, 1; i < len(shape); i++ {
		stride[i] = s
		s *= shape[i]
	}
	index := make([]int, len(shape))
	last := len(shape) - 1
	from := 0
	for to := range out {
		out[to] = data[from]
		// Count up, the last dimension first.
		for d := last; d >= 0; d-- {
			index[d]++
			from += stride[d]
			if index[d] < shape[d] {
				break
			}
			from -= stride[d] * shape[d]
			index[d] = 0
		}
	}
	return out
}

// half widens a float16.
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exponent {
	case 0: // zero and subnormal: fraction times 2^-24
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31: // infinity and NaN
		return math.Float32frombits(sign | 255<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

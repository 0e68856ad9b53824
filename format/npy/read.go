package npy

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"

	"heed/format"
)

// maxHeader is the longest header that is read, far above that of any array of
// numbers.
const maxHeader = 1 << 16

// Read reads the array of a .npy file. Errors name the file and are those of
// package format.
func Read(name string, r io.Reader) (*Array, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	head := make([]byte, len(magic)+2)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, short(name, 0, err, "ends within its first %d bytes", len(head))
	}
	if string(head[:len(magic)]) != magic {
		return nil, format.InvalidAt(name, 0, "not a NumPy array: it does not begin with \\x93NUMPY")
	}
	at := int64(len(head))
	var size int
	switch version := head[len(magic)]; version {
	case 1:
		var n [2]byte
		if _, err := io.ReadFull(in, n[:]); err != nil {
			return nil, short(name, at, err, "ends before the size of its header")
		}
		size, at = int(binary.LittleEndian.Uint16(n[:])), at+2
	case 2, 3:
		var n [4]byte
		if _, err := io.ReadFull(in, n[:]); err != nil {
			return nil, short(name, at, err, "ends before the size of its header")
		}
		long := binary.LittleEndian.Uint32(n[:])
		if long > maxHeader {
			return nil, format.TooLargeAt(name, at, "a header of %d bytes, limit %d", long, maxHeader)
		}
		size, at = int(long), at+4
	default:
		return nil, format.UnsupportedAt(name, at-2, "version %d of the format", version)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(in, text); err != nil {
		return nil, short(name, at, err, "ends within its header")
	}
	h, err := parseHeader(name, at, string(text))
	if err != nil {
		return nil, err
	}
	at += int64(size)
	a := &Array{Shape: h.shape}
	// Memory grows with what is there, not with what the header says.
	buf := make([]byte, h.size*4096)
	for left := h.values; left > 0; {
		n := min(left, 4096)
		b := buf[:n*h.size]
		if _, err := io.ReadFull(in, b); err != nil {
			return nil, short(name, at+int64(len(a.Data)*h.size), err, "ends after %d of %d values", len(a.Data), h.values)
		}
		for ; len(b) > 0; b = b[h.size:] {
			a.Data = append(a.Data, h.value(b))
		}
		left -= n
	}
	if h.fortran {
		a.Data = rowMajor(a.Data, a.Shape)
	}
	return a, nil
}

// short reports an error of reading: an early end is a fault of the file.
func short(name string, at int64, err error, text string, args ...any) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return format.InvalidAt(name, at, text, args...)
	}
	return err
}

// A header says what the values are.
type header struct {
	shape   []int
	values  int
	fortran bool
	size    int // bytes of a value
	value   func(b []byte) float64
}

// parseHeader reads the dictionary of a header, a literal of Python of which the
// format fixes all but the order of its keys.
func parseHeader(name string, at int64, text string) (*header, error) {
	h := &header{values: 1}
	body, ok := strings.CutPrefix(strings.TrimSpace(text), "{")
	if body, ok = strings.CutSuffix(body, "}"); !ok {
		return nil, format.InvalidAt(name, at, "the header is no dictionary")
	}
	seen := map[string]bool{}
	for strings.Trim(body, " ,") != "" {
		key, rest, ok := quoted(strings.TrimLeft(body, " ,"))
		rest, colon := strings.CutPrefix(strings.TrimLeft(rest, " "), ":")
		if !ok || !colon {
			return nil, format.InvalidAt(name, at, "the header is no dictionary")
		}
		rest = strings.TrimLeft(rest, " ")
		seen[key] = true
		switch key {
		case "descr":
			if strings.HasPrefix(rest, "[") {
				return nil, format.UnsupportedAt(name, at, "an array of records")
			}
			kind, after, ok := quoted(rest)
			if !ok {
				return nil, format.InvalidAt(name, at, "the type of the values is no string")
			}
			if err := h.kind(name, at, kind); err != nil {
				return nil, err
			}
			body = after
		case "fortran_order":
			switch {
			case strings.HasPrefix(rest, "True"):
				h.fortran, body = true, rest[4:]
			case strings.HasPrefix(rest, "False"):
				body = rest[5:]
			default:
				return nil, format.InvalidAt(name, at, "fortran_order is neither True nor False")
			}
		case "shape":
			list, after, ok := strings.Cut(strings.TrimPrefix(rest, "("), ")")
			if !ok || !strings.HasPrefix(rest, "(") {
				return nil, format.InvalidAt(name, at, "the shape is no tuple")
			}
			for _, part := range strings.Split(list, ",") {
				if part = strings.TrimSpace(part); part == "" {
					continue
				}
				n, err := strconv.Atoi(strings.TrimSuffix(part, "L")) // an L: of Python 2
				if err != nil || n < 0 {
					return nil, format.InvalidAt(name, at, "axis of length %.20q", part)
				}
				if len(h.shape) == 32 {
					return nil, format.TooLargeAt(name, at, "more than 32 axes")
				}
				if n > 0 && h.values > MaxValues/n {
					return nil, format.TooLargeAt(name, at, "shape (%.60s): limit %d values", list, MaxValues)
				}
				h.values *= n
				h.shape = append(h.shape, n)
			}
			body = after
		default:
			return nil, format.InvalidAt(name, at, "the header has a key %.20q", key)
		}
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return nil, format.InvalidAt(name, at, "the header lacks %q", key)
		}
	}
	return h, nil
}

// quoted cuts a quoted string off the beginning of s.
func quoted(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '\'' && s[0] != '"' {
		return "", s, false
	}
	return strings.Cut(s[1:], s[:1])
}

// kind sets how a value is read.
func (h *header) kind(name string, at int64, kind string) error {
	if strings.Contains(kind, "O") {
		return format.UnsupportedAt(name, at, "an array of Python objects, which only running a pickle could read")
	}
	var order binary.ByteOrder = binary.LittleEndian
	plain := kind
	switch {
	case strings.HasPrefix(kind, ">"):
		order, plain = binary.BigEndian, kind[1:]
	case strings.HasPrefix(kind, "<"), strings.HasPrefix(kind, "|"), strings.HasPrefix(kind, "="):
		plain = kind[1:]
	}
	switch plain {
	case "f8":
		h.size, h.value = 8, func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) }
	case "f4":
		h.size, h.value = 4, func(b []byte) float64 { return float64(math.Float32frombits(order.Uint32(b))) }
	case "f2":
		h.size, h.value = 2, func(b []byte) float64 { return half(order.Uint16(b)) }
	case "i8":
		h.size, h.value = 8, func(b []byte) float64 { return float64(int64(order.Uint64(b))) }
	case "i4":
		h.size, h.value = 4, func(b []byte) float64 { return float64(int32(order.Uint32(b))) }
	case "i2":
		h.size, h.value = 2, func(b []byte) float64 { return float64(int16(order.Uint16(b))) }
	case "i1":
		h.size, h.value = 1, func(b []byte) float64 { return float64(int8(b[0])) }
	case "u8":
		h.size, h.value = 8, func(b []byte) float64 { return float64(order.Uint64(b)) }
	case "u4":
		h.size, h.value = 4, func(b []byte) float64 { return float64(order.Uint32(b)) }
	case "u2":
		h.size, h.value = 2, func(b []byte) float64 { return float64(order.Uint16(b)) }
	case "u1":
		h.size, h.value = 1, func(b []byte) float64 { return float64(b[0]) }
	case "b1":
		h.size, h.value = 1, func(b []byte) float64 {
			if b[0] != 0 {
				return 1
			}
			return 0
		}
	default:
		return format.UnsupportedAt(name, at, "values of type %.20q", kind)
	}
	return nil
}

// half widens an IEEE half-precision float.
func half(b uint16) float64 {
	sign, exp, frac := float64(1), int(b>>10&31), float64(b&1023)
	if b>>15 == 1 {
		sign = -1
	}
	switch exp {
	case 0:
		return sign * math.Ldexp(frac, -24)
	case 31:
		if frac != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

// rowMajor turns values whose first axis is fastest.
func rowMajor(data []float64, shape []int) []float64 {
	out := make([]float64, len(data))
	index := make([]int, len(shape))
	for i := range out {
		at, step := 0, 1
		for k, n := range shape {
			at += index[k] * step
			step *= n
		}
		out[i] = data[at]
		for k := len(shape) - 1; k >= 0; k-- {
			if index[k]++; index[k] < shape[k] {
				break
			}
			index[k] = 0
		}
	}
	return out
}

// ReadArchive reads the arrays of an .npz file of the given size, in the order of
// the archive: f is called with each name, without .npy, and array, until it
// returns an error.
func ReadArchive(name string, r io.ReaderAt, size int64, f func(key string, a *Array) error) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return format.InvalidAt(name, 0, "not an archive of arrays: %w", err)
	}
	for _, file := range z.File {
		key, ok := strings.CutSuffix(file.Name, ".npy")
		if !ok {
			return format.InvalidAt(name, 0, "%.60q in the archive is no array", file.Name)
		}
		in, err := file.Open()
		if err != nil {
			return format.InvalidAt(name, 0, "%.60s: %w", file.Name, err)
		}
		a, err := Read(name+":"+file.Name, in)
		in.Close()
		if err != nil {
			var known *format.Error
			if !errors.As(err, &known) { // the archive's own complaints, such as a checksum
				err = format.InvalidAt(name, 0, "%.60s: %w", file.Name, err)
			}
			return err
		}
		if err := f(key, a); err != nil {
			return err
		}
	}
	return nil
}

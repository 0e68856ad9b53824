package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"heed/format"
)

// Limits of what is read. The first is that of the format's own reference
// implementation; the largest published models have a few thousand tensors.
const (
	MaxHeader  = 100_000_000 // bytes
	MaxTensors = 1 << 17     // and as many keys of metadata
	MaxRank    = 16
)

// metaKey is the one name in a header that is not a tensor.
const metaKey = "__metadata__"

// A Header is what a file says about itself: everything but the values.
type Header struct {
	Name   string            // of the file, for messages
	Meta   map[string]string // free text by key; nil if the file has none
	Arrays []Array           // in the order of their values in the file
}

// An Array describes one tensor of a file.
type Array struct {
	Name   string
	DType  DType
	Shape  []int
	Offset int64 // of its first value, from the beginning of the file
	Bytes  int64 // of all its values
}

// ReadHeader reads and checks the header of a file of the given size, and no
// values. The name is for messages.
//
// The tensors must fill the file without gaps, overlaps and trailing bytes, as
// the format demands. Errors are of type *format.Error, except for those of r.
func ReadHeader(name string, r io.ReaderAt, size int64) (*Header, error) {
	if size < 8 {
		return nil, format.InvalidAt(name, 0, "%d bytes, a safetensors file has at least 8", size)
	}
	var prefix [8]byte
	if err := readAt(name, r, prefix[:], 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	switch {
	case length > MaxHeader && length <= uint64(size-8):
		return nil, format.TooLargeAt(name, 0, "header of %d bytes, limit %d", length, MaxHeader)
	case length > uint64(size-8):
		return nil, format.InvalidAt(name, 0, "header of %d bytes, the file has only %d more", length, size-8)
	case length == 0:
		return nil, format.InvalidAt(name, 0, "header of 0 bytes")
	}
	text := make([]byte, length)
	if err := readAt(name, r, text, 8); err != nil {
		return nil, err
	}
	h := &Header{Name: name}
	if err := h.parse(text); err != nil {
		return nil, err
	}
	if err := h.layOut(8+int64(length), size); err != nil {
		return nil, err
	}
	return h, nil
}

// readAt fills b. A file that ends early has shrunk since its size was taken.
func readAt(name string, r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return format.InvalidAt(name, offset+int64(n), "the file ends early")
	}
	return err
}

// parser walks over the tokens of a header. It never descends further than the
// format does, so that nesting cannot exhaust the stack.
type parser struct {
	*json.Decoder
	name string // of the file
}

// at returns where in the file the parser is.
func (p parser) at() int64 { return 8 + p.InputOffset() }

func (p parser) invalid(reason string, args ...any) error {
	return format.InvalidAt(p.name, p.at(), reason, args...)
}

// parse fills h from the text of a header. The offsets of the arrays remain
// relative to the first value.
func (h *Header) parse(text []byte) error {
	if text[0] != '{' {
		return format.InvalidAt(h.Name, 8, "the header is not a JSON object")
	}
	if !utf8.Valid(text) {
		return format.InvalidAt(h.Name, 8, "the header is not UTF-8")
	}
	// The decoder of tokens is lenient about commas, so look at the whole first.
	if err := json.Unmarshal(text, &struct{}{}); err != nil {
		at := int64(0)
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at = max(0, syntax.Offset-1) // it counts the offending byte
		}
		return format.InvalidAt(h.Name, 8+at, "the header is not JSON: %v", err)
	}
	p := parser{json.NewDecoder(bytes.NewReader(text)), h.Name}
	p.UseNumber()
	return p.object("the header", func(key string) error {
		switch {
		case key == metaKey:
			h.Meta = map[string]string{}
			return p.object(metaKey, func(key string) error {
				if len(h.Meta) == MaxTensors {
					return format.TooLargeAt(p.name, p.at(), "%s has more than %d keys", metaKey, MaxTensors)
				}
				v, ok := p.next().(string)
				if !ok {
					return p.invalid("%s: the value of %q is not a string", metaKey, key)
				}
				h.Meta[key] = v
				return nil
			})
		case len(h.Arrays) == MaxTensors:
			return format.TooLargeAt(p.name, p.at(), "more than %d tensors", MaxTensors)
		}
		a, err := p.array(key)
		h.Arrays = append(h.Arrays, a)
		return err
	})
}

// next returns the next token, or nil at the end.
func (p parser) next() json.Token {
	t, err := p.Token()
	if err != nil {
		return nil
	}
	return t
}

// object reads an object and calls field for each key, to read its value. What
// names the object in messages.
func (p parser) object(what string, field func(key string) error) error {
	if p.next() != json.Delim('{') {
		return p.invalid("%s is not an object", what)
	}
	seen := map[string]bool{}
	for p.More() {
		key, _ := p.next().(string)
		if seen[key] {
			return p.invalid("%s has %q twice", what, key)
		}
		seen[key] = true
		if err := field(key); err != nil {
			return err
		}
	}
	p.next() // the brace
	return nil
}

// array reads the description of one tensor and checks its size.
func (p parser) array(name string) (Array, error) {
	a := Array{Name: name}
	var shape, offsets []int
	err := p.object(fmt.Sprintf("tensor %q", name), func(key string) (err error) {
		switch key {
		case "dtype":
			s, ok := p.next().(string)
			if !ok {
				return p.invalid("tensor %q: dtype is not a string", name)
			}
			if a.DType = DType(s); a.DType.Size() == 0 {
				return format.UnsupportedAt(p.name, p.at(), "tensor %q: dtype %q", name, s)
			}
		case "shape":
			shape, err = p.ints(name, key, MaxRank)
		case "data_offsets":
			offsets, err = p.ints(name, key, 2)
		default:
			return p.invalid("tensor %q has the unknown key %q", name, key)
		}
		return err
	})
	switch {
	case err != nil:
		return a, err
	case a.DType == "":
		return a, p.invalid("tensor %q has no dtype", name)
	case shape == nil:
		return a, p.invalid("tensor %q has no shape", name)
	case len(offsets) != 2:
		return a, p.invalid("tensor %q: data_offsets has %d values, want 2", name, len(offsets))
	case offsets[0] > offsets[1]:
		return a, p.invalid("tensor %q: data_offsets %d and %d are out of order", name, offsets[0], offsets[1])
	}
	want := int64(a.DType.Size())
	for _, d := range shape {
		if d > 0 && want > math.MaxInt64/int64(d) {
			return a, p.invalid("tensor %q: shape %s overflows", name, shapeString(shape))
		}
		want *= int64(d)
	}
	a.Shape, a.Offset, a.Bytes = shape, int64(offsets[0]), int64(offsets[1]-offsets[0])
	if want != a.Bytes {
		return a, p.invalid("tensor %q: shape %s of %s takes %d bytes, data_offsets give %d",
			name, shapeString(shape), a.DType, want, a.Bytes)
	}
	return a, nil
}

// ints reads a list of at most limit whole numbers from 0.
func (p parser) ints(name, key string, limit int) ([]int, error) {
	if p.next() != json.Delim('[') {
		return nil, p.invalid("tensor %q: %s is not a list", name, key)
	}
	list := []int{}
	for p.More() {
		if len(list) == limit {
			return nil, format.UnsupportedAt(p.name, p.at(), "tensor %q: %s has more than %d values", name, key, limit)
		}
		number, _ := p.next().(json.Number)
		v, err := strconv.Atoi(number.String())
		if err != nil || v < 0 {
			return nil, p.invalid("tensor %q: value %d of %s is not a whole number from 0 to %d", name, len(list), key, math.MaxInt)
		}
		list = append(list, v)
	}
	p.next() // the bracket
	return list, nil
}

// layOut orders the arrays as the file does, checks that they fill it from
// start to size, and makes their offsets those of the file.
func (h *Header) layOut(start, size int64) error {
	slices.SortStableFunc(h.Arrays, func(a, b Array) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Bytes, b.Bytes))
	})
	at := start // where the next array must begin
	for i := range h.Arrays {
		a := &h.Arrays[i]
		if have := size - start; a.Offset+a.Bytes > have { // at most MaxInt64: both are data_offsets
			return format.InvalidAt(h.Name, start, "tensor %q ends at byte %d of the values, the file has %d", a.Name, a.Offset+a.Bytes, have)
		}
		a.Offset += start
		switch {
		case a.Offset < at:
			return format.InvalidAt(h.Name, a.Offset, "tensor %q overlaps tensor %q", a.Name, h.Arrays[i-1].Name)
		case a.Offset > at:
			return format.InvalidAt(h.Name, at, "%d bytes before tensor %q belong to no tensor", a.Offset-at, a.Name)
		}
		at += a.Bytes
	}
	if at < size {
		return format.InvalidAt(h.Name, at, "%d bytes after the last tensor", size-at)
	}
	return nil
}

package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"heed/format"
)

// file returns a safetensors file of the given header and n bytes of values.
func file(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, n)...)
}

// one returns a header with one tensor a, given by what follows its name.
func one(text string) string { return `{"a":{` + text + `}}` }

// length returns a file that consists of the length of its header and n bytes.
func length(header uint64, n int) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, header), make([]byte, n)...)
}

func TestHostileHeaders(t *testing.T) {
	const f8 = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	for _, test := range []struct {
		name string
		in   []byte
		kind error
		want string // without the name of the file
	}{
		{"empty file", nil, format.ErrInvalid, `invalid: 0 bytes, a safetensors file has at least 8`},
		{"short file", make([]byte, 7), format.ErrInvalid, `invalid: 7 bytes, a safetensors file has at least 8`},
		{"header length 0", length(0, 0), format.ErrInvalid, `invalid: header of 0 bytes`},
		{"header beyond the end", length(11, 10), format.ErrInvalid, `invalid: header of 11 bytes, the file has only 10 more`},
		{"header of 2^64-1 bytes", length(1<<64-1, 10), format.ErrInvalid, `invalid: header of 18446744073709551615 bytes, the file has only 10 more`},
		{"a pickle", []byte("PK\x03\x04\x00\x00\x08\x08 archive"), format.ErrInvalid, `invalid: header of 578712552184433488 bytes, the file has only 8 more`},

		{"not an object", file(`[]`, 0), format.ErrInvalid, `offset 8: invalid: the header is not a JSON object`},
		{"space before it", file(` {}`, 0), format.ErrInvalid, `offset 8: invalid: the header is not a JSON object`},
		{"not JSON", file(`{"a":{,}}`, 0), format.ErrInvalid, `offset 14: invalid: the header is not JSON: invalid character ',' looking for beginning of object key string`},
		{"cut JSON", file(`{"a":`, 0), format.ErrInvalid, `offset 12: invalid: the header is not JSON: unexpected end of JSON input`},
		{"text after it", file(`{}x`, 0), format.ErrInvalid, `offset 10: invalid: the header is not JSON: invalid character 'x' after top-level value`},
		{"NUL after it", file("{}\x00", 0), format.ErrInvalid, `offset 10: invalid: the header is not JSON: invalid character '\x00' after top-level value`},
		{"trailing comma", file(`{`+f8+`,}`, 8), format.ErrInvalid, `offset 62: invalid: the header is not JSON: invalid character '}' looking for beginning of object key string`},
		{"not UTF-8", file("{\"\xff\":1}", 0), format.ErrInvalid, `offset 8: invalid: the header is not UTF-8`},
		{"nested too deep", file(`{"a":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+`}`, 0), format.ErrInvalid, `offset 10012: invalid: the header is not JSON: invalid character '[' exceeded max depth`},
		{"nested", file(`{"a":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`, 0), format.ErrInvalid, `offset 14: invalid: tensor "a" is not an object`},
		{"nested shape", file(one(`"shape":[[1]]`), 0), format.ErrInvalid, `offset 24: invalid: tensor "a": value 0 of shape is not a whole number from 0 to 9223372036854775807`},

		{"tensor twice", file(`{`+f8+`,`+f8+`}`, 8), format.ErrInvalid, `offset 65: invalid: the header has "a" twice`},
		{"tensor twice by an escape", file(`{`+f8+`,"\u0061":{}}`, 8), format.ErrInvalid, `offset 70: invalid: the header has "a" twice`},
		{"dtype twice", file(one(`"dtype":"F32","dtype":"F32"`), 0), format.ErrInvalid, `offset 35: invalid: tensor "a" has "dtype" twice`},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0), format.ErrInvalid, `offset 41: invalid: the header has "__metadata__" twice`},
		{"metadata key twice", file(`{"__metadata__":{"k":"","k":""}}`, 0), format.ErrInvalid, `offset 35: invalid: __metadata__ has "k" twice`},
		{"metadata is a list", file(`{"__metadata__":[]}`, 0), format.ErrInvalid, `offset 25: invalid: __metadata__ is not an object`},
		{"metadata holds a number", file(`{"__metadata__":{"k":1}}`, 0), format.ErrInvalid, `offset 30: invalid: __metadata__: the value of "k" is not a string`},

		{"tensor is a number", file(`{"a":1}`, 0), format.ErrInvalid, `offset 14: invalid: tensor "a" is not an object`},
		{"unknown key", file(one(`"stride":[1]`), 0), format.ErrInvalid, `offset 22: invalid: tensor "a" has the unknown key "stride"`},
		{"no dtype", file(one(`"shape":[2],"data_offsets":[0,8]`), 8), format.ErrInvalid, `offset 47: invalid: tensor "a" has no dtype`},
		{"no shape", file(one(`"dtype":"F32","data_offsets":[0,8]`), 8), format.ErrInvalid, `offset 49: invalid: tensor "a" has no shape`},
		{"no offsets", file(one(`"dtype":"F32","shape":[2]`), 8), format.ErrInvalid, `offset 40: invalid: tensor "a": data_offsets has 0 values, want 2`},
		{"one offset", file(one(`"dtype":"F32","shape":[2],"data_offsets":[8]`), 8), format.ErrInvalid, `offset 59: invalid: tensor "a": data_offsets has 1 values, want 2`},
		{"three offsets", file(one(`"dtype":"F32","shape":[2],"data_offsets":[0,4,8]`), 8), format.ErrUnsupported, `offset 59: not supported: tensor "a": data_offsets has more than 2 values`},
		{"dtype is a number", file(one(`"dtype":32`), 0), format.ErrInvalid, `offset 24: invalid: tensor "a": dtype is not a string`},
		{"8-bit float", file(one(`"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]`), 2), format.ErrUnsupported, `offset 31: not supported: tensor "a": dtype "F8_E4M3"`},
		{"empty dtype", file(one(`"dtype":""`), 0), format.ErrUnsupported, `offset 24: not supported: tensor "a": dtype ""`},
		{"shape is null", file(one(`"shape":null`), 0), format.ErrInvalid, `offset 26: invalid: tensor "a": shape is not a list`},
		{"rank 17", file(one(`"shape":[1`+strings.Repeat(",1", 16)+`]`), 0), format.ErrUnsupported, `offset 54: not supported: tensor "a": shape has more than 16 values`},

		{"negative shape", file(one(`"dtype":"F32","shape":[3,-1]`), 0), format.ErrInvalid, `offset 41: invalid: tensor "a": value 1 of shape is not a whole number from 0 to 9223372036854775807`},
		{"fraction", file(one(`"dtype":"F32","shape":[1.0]`), 0), format.ErrInvalid, `offset 40: invalid: tensor "a": value 0 of shape is not a whole number from 0 to 9223372036854775807`},
		{"shape of 2^63", file(one(`"shape":[9223372036854775808]`), 0), format.ErrInvalid, `offset 42: invalid: tensor "a": value 0 of shape is not a whole number from 0 to 9223372036854775807`},
		{"shape of 2^64 values", file(one(`"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]`), 0), format.ErrInvalid, `offset 80: invalid: tensor "a": shape (4294967296, 4294967296) overflows`},
		{"shape of 2^63 bytes", file(one(`"dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,0]`), 0), format.ErrInvalid, `offset 79: invalid: tensor "a": shape (1152921504606846976) overflows`},
		{"negative offset", file(one(`"data_offsets":[-8,0]`), 0), format.ErrInvalid, `offset 32: invalid: tensor "a": value 0 of data_offsets is not a whole number from 0 to 9223372036854775807`},
		{"offsets out of order", file(one(`"dtype":"F32","shape":[2],"data_offsets":[8,0]`), 8), format.ErrInvalid, `offset 61: invalid: tensor "a": data_offsets 8 and 0 are out of order`},
		{"shape against size", file(one(`"dtype":"F32","shape":[2,3],"data_offsets":[0,20]`), 20), format.ErrInvalid, `offset 64: invalid: tensor "a": shape (2, 3) of F32 takes 24 bytes, data_offsets give 20`},

		{"beyond the end", file(`{`+f8+`}`, 7), format.ErrInvalid, `offset 62: invalid: tensor "a" ends at byte 8 of the values, the file has 7`},
		{"far beyond the end", file(one(`"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]`), 8), format.ErrInvalid, `offset 97: invalid: tensor "a" ends at byte 9223372036854775807 of the values, the file has 8`},
		{"empty and far beyond the end", file(one(`"dtype":"U8","shape":[0],"data_offsets":[9223372036854775807,9223372036854775807]`), 8), format.ErrInvalid, `offset 97: invalid: tensor "a" ends at byte 9223372036854775807 of the values, the file has 8`},
		{"overlap", file(`{`+f8+`,"b":{"dtype":"U8","shape":[4],"data_offsets":[7,11]}}`, 11), format.ErrInvalid, `offset 122: invalid: tensor "b" overlaps tensor "a"`},
		{"the same bytes", file(`{`+f8+`,"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), format.ErrInvalid, `offset 115: invalid: tensor "b" overlaps tensor "a"`},
		{"hole", file(`{`+f8+`,"b":{"dtype":"U8","shape":[4],"data_offsets":[9,13]}}`, 13), format.ErrInvalid, `offset 123: invalid: 1 bytes before tensor "b" belong to no tensor`},
		{"hole at the beginning", file(one(`"dtype":"U8","shape":[4],"data_offsets":[4,8]`), 8), format.ErrInvalid, `offset 61: invalid: 4 bytes before tensor "a" belong to no tensor`},
		{"trailing bytes", file(`{`+f8+`}`, 11), format.ErrInvalid, `offset 70: invalid: 3 bytes after the last tensor`},
		{"bytes without a tensor", file(`{}`, 1), format.ErrInvalid, `offset 10: invalid: 1 bytes after the last tensor`},

		{"too many tensors", file(`{`+many(MaxTensors+1, `"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},`)+`}`, 0), format.ErrTooLarge, `offset 7360011: too large: more than 131072 tensors`},
		{"too much metadata", file(`{"__metadata__":{`+many(MaxTensors+1, `"%d":"",`)+`}}`, 0), format.ErrTooLarge, `offset 1461787: too large: __metadata__ has more than 131072 keys`},
	} {
		_, err := Read("m.safetensors", bytes.NewReader(test.in), int64(len(test.in)))
		if err == nil {
			t.Errorf("%s: no error, want %s", test.name, test.want)
			continue
		}
		var e *format.Error
		if got := err.Error(); got != "m.safetensors: "+test.want || !errors.Is(err, test.kind) || !errors.As(err, &e) {
			t.Errorf("%s: got error\n\t%s, want\n\tm.safetensors: %s", test.name, got, test.want)
		}
	}
}

// zeros is a file of any size that takes no room.
type zeros struct{ prefix []byte }

func (z zeros) ReadAt(b []byte, offset int64) (int, error) {
	clear(b)
	if offset < int64(len(z.prefix)) {
		copy(b, z.prefix[offset:])
	}
	return len(b), nil
}

func TestHeaderLimit(t *testing.T) {
	prefix := length(MaxHeader+1, 0)
	_, err := ReadHeader("m.safetensors", zeros{prefix}, 1<<40)
	if want := "m.safetensors: too large: header of 100000001 bytes, limit 100000000"; err == nil || err.Error() != want || !errors.Is(err, format.ErrTooLarge) {
		t.Errorf("got error %v, want %s", err, want)
	}
}

// A header promises a tensor of 1 TB. To read the header must not cost more
// than the header.
func TestReadHeaderReadsNoValues(t *testing.T) {
	prefix := file(one(`"dtype":"F32","shape":[250000,1000000],"data_offsets":[0,1000000000000]`), 0)
	r := zeros{prefix}
	size := int64(len(prefix)) + 1_000_000_000_000

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h, err := ReadHeader("m.safetensors", r, size)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<16 {
		t.Errorf("%d bytes were allocated", got)
	}
	if a := h.Arrays[0]; a.Bytes != 1_000_000_000_000 || a.Offset != int64(len(prefix)) || a.DType != F32 {
		t.Errorf("got %+v", a)
	}
}

// failing is a disk that returns an error after n bytes.
type failing struct {
	io.ReaderAt
	n   int64
	err error
}

func (f failing) ReadAt(b []byte, offset int64) (int, error) {
	if offset+int64(len(b)) > f.n {
		return 0, f.err
	}
	return f.ReaderAt.ReadAt(b, offset)
}

func TestReadErrors(t *testing.T) {
	b := file(one(`"dtype":"F32","shape":[2],"data_offsets":[0,8]`), 8)
	broken := errors.New("disk on fire")
	for n := range int64(len(b)) {
		if _, err := Read("m", failing{bytes.NewReader(b), n, broken}, int64(len(b))); !errors.Is(err, broken) {
			t.Errorf("after %d bytes: got error %v", n, err)
		}
	}
	// The file shrinks between stat and read.
	for n := range len(b) {
		_, err := Read("m", bytes.NewReader(b[:n]), int64(len(b)))
		if want := fmt.Sprintf("offset %d: invalid: the file ends early", n); err == nil || !errors.Is(err, format.ErrInvalid) || n > 0 && err.Error() != "m: "+want {
			t.Errorf("got error %v, want m: %s", err, want)
		}
	}
}

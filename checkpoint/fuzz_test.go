package checkpoint

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"
	"testing"
)

// FuzzRead reads any bytes, made of a header, values, and an error in the length
// of the header, so that mutations of the header are not all caught by its
// length. It must not panic and not take memory beyond a small multiple of the
// input; and what it accepts, it must be able to write and to read again with
// the same values, the second time byte for byte.
func FuzzRead(f *testing.F) {
	for _, path := range []string{"testdata/peer.safetensors", "testdata/types.safetensors"} {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		n := 8 + binary.LittleEndian.Uint64(b)
		f.Add(string(b[8:n]), b[n:], uint64(0))
	}
	f.Add("", []byte{}, uint64(0))
	f.Add("{}", []byte{}, uint64(1<<63))
	f.Add(`{"__metadata__":{"a":"\u2028"},"":{"dtype":"U8","shape":[1,0,2],"data_offsets":[0,0]}}`, []byte{}, uint64(0))
	f.Add(`{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,8]}}`, make([]byte, 8), uint64(0))
	f.Add(`{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,8]}}`, make([]byte, 8), uint64(0))
	f.Fuzz(func(t *testing.T, header string, values []byte, skew uint64) {
		in := binary.LittleEndian.AppendUint64(nil, uint64(len(header))+skew)
		in = append(append(in, header...), values...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		one, err := Read("m", bytes.NewReader(in), int64(len(in)))
		runtime.ReadMemStats(&after)
		// The factor is that of a header of many tiny tensors, the constant
		// that of the decoder and of whatever else runs in the process.
		if got := after.TotalAlloc - before.TotalAlloc; got > 100*uint64(len(in))+1<<20 {
			t.Errorf("%d bytes of input took %d bytes of memory", len(in), got)
		}
		if err != nil {
			return
		}
		var b, c bytes.Buffer
		if err := Write(&b, one.Meta, one.Entries); err != nil {
			t.Fatal(err)
		}
		two, err := Read("m", bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if err := Write(&c, two.Meta, two.Entries); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), c.Bytes()) {
			t.Errorf("written twice:\n%q\n%q", b.Bytes(), c.Bytes())
		}
		h1, err1 := Hash(one.Entries)
		h2, err2 := Hash(two.Entries)
		if h1 != h2 || err1 != nil || err2 != nil {
			t.Errorf("hashes %s and %s, %v, %v", h1, h2, err1, err2)
		}
	})
}

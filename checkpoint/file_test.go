package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"heed/format"
	"heed/tensor"
)

func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		sign, exp, frac := 1-2*float64(h>>15), h>>10&31, float64(h&1023)
		want := sign * math.Ldexp(1+frac/1024, exp-15)
		switch {
		case exp == 0:
			want = sign * math.Ldexp(frac, -24)
		case exp == 31 && frac == 0:
			want = math.Inf(int(sign))
		case exp == 31:
			want = math.NaN()
		}
		got := float64(format.FromF16(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (h>>15 == 1) {
			t.Fatalf("FromF16(%#04x) = %g, want %g", h, got, want)
		}
	}
	for _, test := range []struct {
		h    uint16
		want float32
	}{{0x3f80, 1}, {0xc049, -3.140625}, {0x0001, 0x1p-133}, {0x7f7f, 0x1.fep127}} {
		if got := format.FromBF16(test.h); got != test.want {
			t.Errorf("FromBF16(%#04x) = %g, want %g", test.h, got, test.want)
		}
	}
}

// want is an entry that a file must hold: float32 values or bytes.
type want struct {
	name   string
	dtype  DType // in the file
	shape  []int
	values any
}

func compare(t *testing.T, f *File, wants []want) {
	t.Helper()
	if len(f.Entries) != len(wants) || len(f.Arrays) != len(wants) {
		t.Fatalf("%d entries and %d arrays, want %d", len(f.Entries), len(f.Arrays), len(wants))
	}
	for i, w := range wants {
		e, a := f.Entries[i], f.Arrays[i]
		var got any = e.Raw
		if e.DType == F32 {
			got = e.Float
		}
		if e.Name != w.name || a.Name != w.name || a.DType != w.dtype || !reflect.DeepEqual(e.Shape, w.shape) || !reflect.DeepEqual(got, w.values) {
			t.Errorf("entry %d: got %+v of %s, want %+v", i, e, a.DType, w)
		}
	}
}

// peer.safetensors was written by another implementation; see testdata/README.md.
func TestPeer(t *testing.T) {
	f, err := Load("testdata/peer.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	compare(t, f, []want{
		{"step", I64, []int{1}, []byte{254, 255, 255, 255, 255, 255, 255, 255}},
		{"double", F64, []int{1}, []float32{0.5}},
		{"empty", F32, []int{0, 4}, []float32{}},
		{"weight", F32, []int{1, 2}, []float32{1, -2}},
		{"brain", BF16, []int{2, 1}, []float32{1, -3.140625}},
		{"half", F16, []int{3}, []float32{1, 0x1p-24, -65504}},
		{"mask", Bool, []int{3}, []byte{1, 0, 1}},
	})
	if want := map[string]string{"format": "pt", `"q"`: "é"}; !reflect.DeepEqual(f.Meta, want) {
		t.Errorf("metadata: got %q, want %q", f.Meta, want)
	}
	if v, err := f.Int64s("step"); err != nil || v[0] != -2 {
		t.Errorf("Int64s(step) = %v, %v", v, err)
	}
}

func TestTypes(t *testing.T) {
	f, err := Load("testdata/types.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	compare(t, f, []want{
		{"f64", F64, []int{2}, []float32{0.1, float32(math.Inf(-1))}},
		{"f32", F32, []int{2, 2}, []float32{1.5, float32(math.Copysign(0, -1)), 3e38, 1e-45}},
		{"f16", F16, []int{4}, []float32{1.5, -0x1p-24, 65504, float32(math.Inf(1))}},
		{"bf16", BF16, []int{2}, []float32{1.5, -0x1p100}},
		{"i64", I64, []int{2}, []byte{0, 0, 0, 0, 0, 0, 0, 128, 255, 255, 255, 255, 255, 255, 255, 127}},
		{"u64", U64, []int{2}, []byte{0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255}},
		{"i32", I32, []int{1}, []byte{251, 255, 255, 255}},
		{"u32", U32, []int{1}, []byte{255, 255, 255, 255}},
		{"i16", I16, []int{1}, []byte{250, 255}},
		{"u16", U16, []int{1}, []byte{255, 255}},
		{"i8", I8, []int{1}, []byte{249}},
		{"u8", U8, []int{3}, []byte{0, 127, 255}},
		{"bool", Bool, []int{}, []byte{1}},
		{"none", F32, []int{3, 0}, []float32{}},
	})
	if v, err := f.Uint64s("u64"); err != nil || !reflect.DeepEqual(v, []uint64{0, math.MaxUint64}) {
		t.Errorf("Uint64s = %v, %v", v, err)
	}
	if v, err := f.Int64s("i64"); err != nil || !reflect.DeepEqual(v, []int64{math.MinInt64, math.MaxInt64}) {
		t.Errorf("Int64s = %v, %v", v, err)
	}
	for want, get := range map[string]func() error{
		`testdata/types.safetensors: offset 1000: invalid: tensor "f64" is F64, want U8`: func() error { _, err := f.Bytes("f64"); return err },
		`testdata/types.safetensors: invalid: tensor "x" is missing`:                     func() error { _, err := f.Tensor("x"); return err },
	} {
		want = strings.Replace(want, "offset 1000", fmt.Sprint("offset ", f.Arrays[0].Offset), 1)
		if err := get(); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// Files of whole models that another program wrote.
func TestPublished(t *testing.T) {
	for _, test := range []struct {
		path    string
		tensors int
		name    string
		shape   []int
	}{
		{"esm2_tiny.safetensors", 45, "embed_tokens.weight", []int{33, 32}},
		{"msa_tiny.safetensors", 67, "msa_position_embedding", []int{1, 1024, 1, 32}},
	} {
		path := filepath.Join("..", "..", "shared", "golden", "esm", test.path)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Skipf("no published weights here: %v", err)
		}
		f, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Entries) != test.tensors || f.Entries[0].Name != test.name || !reflect.DeepEqual(f.Entries[0].Shape, test.shape) {
			t.Errorf("%s: %d tensors, first %s %v", test.path, len(f.Entries), f.Entries[0].Name, f.Entries[0].Shape)
		}
		// The same header read by encoding/json, the values straight from the bytes.
		n := 8 + binary.LittleEndian.Uint64(raw)
		var header map[string]struct {
			Shape   []int
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw[8:n], &header); err != nil {
			t.Fatal(err)
		}
		for _, e := range f.Entries {
			values := raw[int(n)+header[e.Name].Offsets[0]:]
			for i, v := range e.Float {
				if math.Float32bits(v) != binary.LittleEndian.Uint32(values[4*i:]) {
					t.Fatalf("%s: %s: value %d is %g", test.path, e.Name, i, v)
				}
			}
		}
		// Written again, the values are the same bytes.
		var b bytes.Buffer
		if err := Write(&b, f.Meta, f.Entries); err != nil {
			t.Fatal(err)
		}
		if values := raw[n:]; !bytes.Equal(b.Bytes()[b.Len()-len(values):], values) {
			t.Errorf("%s: the values changed in a round trip", test.path)
		}
	}
}

func entries() []Entry {
	return []Entry{
		Tensor("model.weight", tensor.Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)),
		Tensor("model.bias", tensor.Of([]float32{-1, 0, 1}, 3)),
		Bytes("rng", []byte{7, 8, 9}),
		Uint64s("step", 1<<63+1, 5),
		Int64s("order", -1, 2),
		{Name: "nan \"<\u2028>\"", DType: F32, Float: []float32{math.Float32frombits(0x7fc12345)}},
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	meta := map[string]string{"b": "2", "a": `"\`}
	if err := Save(path, meta, entries()); err != nil {
		t.Fatal(err)
	}
	f, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Meta, meta) {
		t.Errorf("metadata: got %q", f.Meta)
	}
	for i, want := range entries() {
		got := f.Entries[i]
		if got.Name != want.Name || got.DType != want.DType || len(got.Shape) != len(want.Shape) || !bytes.Equal(got.Raw, want.Raw) {
			t.Errorf("entry %d: got %+v, want %+v", i, got, want)
		}
		for j := range want.Float {
			if math.Float32bits(got.Float[j]) != math.Float32bits(want.Float[j]) {
				t.Errorf("%s: value %d: got %g, want %g", want.Name, j, got.Float[j], want.Float[j])
			}
		}
	}
	if off := f.Arrays[0].Offset; off%8 != 0 {
		t.Errorf("the values begin at byte %d, which is no multiple of 8", off)
	}
	if v, err := f.Uint64s("step"); err != nil || !reflect.DeepEqual(v, []uint64{1<<63 + 1, 5}) {
		t.Errorf("Uint64s(step) = %v, %v", v, err)
	}
	if v, err := f.Bytes("rng"); err != nil || !bytes.Equal(v, []byte{7, 8, 9}) {
		t.Errorf("Bytes(rng) = %v, %v", v, err)
	}
	h, err := LoadHeader(path)
	if err != nil || !reflect.DeepEqual(*h, f.Header) {
		t.Errorf("LoadHeader = %+v, %v", h, err)
	}
}

// A tensor of several chunks, in each width, with a size that no chunk divides.
func TestChunks(t *testing.T) {
	const n = 3*chunk/4 + 5
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i)
	}
	var b bytes.Buffer
	if err := Write(&b, nil, []Entry{Tensor("x", tensor.Of(x, n))}); err != nil {
		t.Fatal(err)
	}
	f, err := Read("m", bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Entries[0].Float, x) {
		t.Error("the values changed")
	}
	half := file(fmt.Sprintf(`{"a":{"dtype":"BF16","shape":[%d],"data_offsets":[0,%d]}}`, n, 2*n), 2*n)
	for i := range n {
		binary.LittleEndian.PutUint16(half[len(half)-2*n+2*i:], uint16(i)&0x7f7f)
	}
	if f, err = Read("m", bytes.NewReader(half), int64(len(half))); err != nil {
		t.Fatal(err)
	}
	for i, v := range f.Entries[0].Float {
		if v != format.FromBF16(uint16(i)&0x7f7f) {
			t.Fatalf("value %d of BF16 is %g", i, v)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	f := []float32{1, 2}
	many := make(map[string]string)
	for i := range MaxTensors + 1 {
		many[fmt.Sprint(i)] = ""
	}
	for _, test := range []struct {
		meta    map[string]string
		entries []Entry
		want    string
	}{
		{nil, []Entry{Bytes("a", nil), Bytes("a", nil)}, `checkpoint: tensor "a": the name is taken`},
		{nil, []Entry{Bytes("__metadata__", nil)}, `checkpoint: tensor "__metadata__": the name is taken`},
		{nil, []Entry{{Name: "a", DType: F32, Shape: []int{3}, Float: f}}, `checkpoint: tensor "a": shape (3) of F32 does not fit 2 values`},
		{nil, []Entry{{Name: "a", DType: U64, Shape: []int{1}, Raw: make([]byte, 16)}}, `checkpoint: tensor "a": shape (1) of U64 does not fit 2 values`},
		{nil, []Entry{{Name: "a", DType: F32, Shape: []int{-1, -2}, Float: f}}, `checkpoint: tensor "a": shape (-1, -2)`},
		{nil, []Entry{{Name: "a", DType: F16, Shape: []int{2}, Raw: make([]byte, 4)}}, `checkpoint: tensor "a": cannot write values of type F16`},
		{nil, []Entry{{Name: "a", DType: "U4", Shape: []int{2}, Raw: make([]byte, 1)}}, `checkpoint: tensor "a": cannot write values of type U4`},
		{nil, []Entry{Bytes("\xff", nil)}, `checkpoint: "\xff" is not UTF-8`},
		{map[string]string{"k": "\xff"}, nil, `checkpoint: "\xff" is not UTF-8`},
		{many, nil, `checkpoint: 0 tensors, 131073 keys: limit 131072`},
	} {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if err := Save(path, test.meta, test.entries); err == nil || err.Error() != test.want {
			t.Errorf("got error %v, want %s", err, test.want)
		}
		if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
			t.Errorf("%s: a file was left behind: %v", test.want, left)
		}
	}
}

// full is a disk with room for n bytes.
type full struct{ n int }

var errFull = errors.New("no space left")

func (w *full) Write(b []byte) (int, error) {
	if len(b) > w.n {
		return 0, errFull
	}
	w.n -= len(b)
	return len(b), nil
}

func TestWriteToFullDisk(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, nil, entries()); err != nil {
		t.Fatal(err)
	}
	for n := range b.Len() {
		if err := Write(&full{n}, nil, entries()); err != errFull {
			t.Fatalf("room for %d bytes of %d: got error %v", n, b.Len(), err)
		}
	}
	if err := Write(&full{b.Len()}, nil, entries()); err != nil {
		t.Error(err)
	}
}

func TestHash(t *testing.T) {
	hash := func(e []Entry) string {
		h, err := Hash(e)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	e := entries()
	base := hash(e)
	e[0], e[3] = e[3], e[0]
	if got := hash(e); got != base {
		t.Errorf("the order of the entries changed the hash: %s, %s", got, base)
	}
	for what, change := range map[string]func(e []Entry){
		"one bit":  func(e []Entry) { e[0].Float[5] = math.Nextafter32(e[0].Float[5], 0) },
		"a zero":   func(e []Entry) { e[1].Float[1] = float32(math.Copysign(0, -1)) },
		"a shape":  func(e []Entry) { e[0].Shape = []int{3, 2} },
		"a name":   func(e []Entry) { e[2].Name = "rnh" },
		"a byte":   func(e []Entry) { e[2].Raw[0]++ },
		"its type": func(e []Entry) { e[4].DType = U64 },
	} {
		e := entries()
		change(e)
		if hash(e) == base {
			t.Errorf("%s did not change the hash", what)
		}
	}
	// By hand, from the description of the format.
	text := `{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   `
	want := fmt.Sprintf("%x", sha256.Sum256([]byte("\x38\x00\x00\x00\x00\x00\x00\x00"+text+"\x05")))
	if got := hash([]Entry{Bytes("b", []byte{5})}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "absent"), t.TempDir()} {
		if _, err := Load(path); err == nil || strings.Count(err.Error(), path) != 1 {
			t.Errorf("got error %v, want one that names the path once", err)
		}
		if _, err := LoadHeader(path); err == nil {
			t.Error("LoadHeader: no error")
		}
	}
}

package npy

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"heed/format"
)

func sample(t *testing.T, name string) *Array {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := Read(name, f)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestNumPy reads what NumPy wrote.
func TestNumPy(t *testing.T) {
	count := func(value func(i int) float64) (out []float64) {
		for i := range 24 {
			out = append(out, value(i))
		}
		return out
	}
	for name, want := range map[string]Array{
		"f4.npy":         {[]int{2, 3, 4}, count(func(i int) float64 { return float64(i) / 8 })},
		"f8_fortran.npy": {[]int{2, 3, 4}, count(func(i int) float64 { return float64(i) / 8 })},
		"i2_big.npy":     {[]int{2, 3, 4}, count(func(i int) float64 { return float64(i) - 12 })},
		"f2.npy":         {[]int{6}, []float64{0, 1, -2, 0.333251953125, 65504, math.Inf(1)}},
		"b1.npy":         {[]int{3}, []float64{1, 0, 1}},
		"scalar.npy":     {nil, []float64{7}},
	} {
		if a := sample(t, name); !slices.Equal(a.Shape, want.Shape) || !slices.Equal(a.Data, want.Data) {
			t.Errorf("%s: %v", name, a)
		}
	}
	text, err := os.ReadFile("testdata/two.npz")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := ReadArchive("two.npz", bytes.NewReader(text), int64(len(text)), func(key string, a *Array) error {
		got = append(got, fmt.Sprint(key, a.Shape, len(a.Data), a.Data[len(a.Data)-1]))
		return nil
	}); err != nil || !slices.Equal(got, []string{"first[2 3 4] 24 23", "second[1] 1 -1.5"}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWrite(t *testing.T) {
	for _, shape := range [][]int{{}, {0}, {5}, {2, 3}, {3, 1, 2}} {
		size := 1
		for _, n := range shape {
			size *= n
		}
		data := make([]float32, size)
		for i := range data {
			data[i] = float32(i) - 0.5
		}
		var b bytes.Buffer
		if err := Write(&b, data, shape...); err != nil {
			t.Fatal(err)
		}
		if (b.Len()-4*size)%64 != 0 {
			t.Errorf("shape %v: the data does not begin at a multiple of 64", shape)
		}
		a, err := Read("x", &b)
		if err != nil || !slices.Equal(a.Shape, shape) || len(a.Data) != size {
			t.Fatalf("shape %v: %v, %v", shape, a, err)
		}
		for i, v := range a.Data {
			if v != float64(data[i]) {
				t.Errorf("value %d is %v, want %v", i, v, data[i])
			}
		}
	}
	if err := Write(&bytes.Buffer{}, make([]float32, 5), 2, 3); err == nil || err.Error() != "npy: 5 values for shape [2 3]" {
		t.Errorf("error %v", err)
	}
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := errors.Join(w.Add("a", []float32{1, 2}, 2), w.Add("b", []float32{3}, 1, 1), w.Close()); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	if err := ReadArchive("x", bytes.NewReader(b.Bytes()), int64(b.Len()), func(_ string, a *Array) error {
		for _, v := range a.Data {
			sum += v
		}
		return nil
	}); err != nil || sum != 6 {
		t.Errorf("sum %v, %v", sum, err)
	}
}

// array makes a file of version 1 with a header and some bytes.
func array(header, data string) string {
	return magic + "\x01\x00" + string([]byte{byte(len(header)), byte(len(header) >> 8)}) + header + data
}

func TestBadInput(t *testing.T) {
	objects, err := os.ReadFile("testdata/objects.npy")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in, want string
		kind     error
	}{
		{"", "x: invalid: ends within its first 8 bytes", format.ErrInvalid},
		{"PK\x03\x04....", "x: invalid: not a NumPy array: it does not begin with \\x93NUMPY", format.ErrInvalid},
		{magic + "\x09\x00", "x: offset 6: not supported: version 9 of the format", format.ErrUnsupported},
		{magic + "\x01\x00\x05", "x: offset 8: invalid: ends before the size of its header", format.ErrInvalid},
		{magic + "\x02\x00\xff\xff\xff\xff", "x: offset 8: too large: a header of 4294967295 bytes, limit 65536", format.ErrTooLarge},
		{magic + "\x01\x00\x20\x00{", "x: offset 10: invalid: ends within its header", format.ErrInvalid},
		{array("[]", ""), "x: offset 10: invalid: the header is no dictionary", format.ErrInvalid},
		{array("{'descr' '<f4'}", ""), "x: offset 10: invalid: the header is no dictionary", format.ErrInvalid},
		{array("{'descr': 4}", ""), "x: offset 10: invalid: the type of the values is no string", format.ErrInvalid},
		{array("{'descr': [('a', '<f4')]}", ""), "x: offset 10: not supported: an array of records", format.ErrUnsupported},
		{array("{'descr': '<c16'}", ""), `x: offset 10: not supported: values of type "<c16"`, format.ErrUnsupported},
		{array("{'fortran_order': 1}", ""), "x: offset 10: invalid: fortran_order is neither True nor False", format.ErrInvalid},
		{array("{'shape': 3}", ""), "x: offset 10: invalid: the shape is no tuple", format.ErrInvalid},
		{array("{'shape': (-3,)}", ""), `x: offset 10: invalid: axis of length "-3"`, format.ErrInvalid},
		{array("{'shape': (100000, 100000)}", ""), "x: offset 10: too large: shape (100000, 100000): limit 268435456 values", format.ErrTooLarge},
		{array("{'shape': ("+strings.Repeat("1,", 33)+")}", ""), "x: offset 10: too large: more than 32 axes", format.ErrTooLarge},
		{array("{'size': 3}", ""), `x: offset 10: invalid: the header has a key "size"`, format.ErrInvalid},
		{array("{'shape': ()}", ""), `x: offset 10: invalid: the header lacks "descr"`, format.ErrInvalid},
		{array("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "1234567"), "x: offset 65: invalid: ends after 0 of 3 values", format.ErrInvalid},
		{string(objects), "x: offset 10: not supported: an array of Python objects, which only running a pickle could read", format.ErrUnsupported},
	} {
		if _, err := Read("x", strings.NewReader(c.in)); err == nil || err.Error() != c.want || !errors.Is(err, c.kind) {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
	if err := ReadArchive("x", strings.NewReader("nothing"), 7, nil); err == nil || err.Error() != "x: invalid: not an archive of arrays: zip: not a valid zip file" {
		t.Errorf("error %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"f4.npy", "f8_fortran.npy", "i2_big.npy", "scalar.npy", "objects.npy"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := Read("x", bytes.NewReader(in))
		if err != nil {
			var known *format.Error
			if !errors.As(err, &known) {
				t.Fatalf("error %v is none of package format", err)
			}
			return
		}
		size := 1
		for _, n := range a.Shape {
			size *= n
		}
		if size != len(a.Data) {
			t.Fatalf("shape %v with %d values", a.Shape, len(a.Data))
		}
	})
}

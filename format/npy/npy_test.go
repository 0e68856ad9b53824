package npy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heed/format"
)

// The shapes and values of testdata/check.py.
var shapes = [][]int{{}, {0}, {5}, {2, 3}, {3, 0, 2}, {2, 3, 4}, {2, 1, 3, 2}}

func values(kind string, shape []int) Array {
	n, _ := count(shape, 1000)
	rule := make([]int, n)
	for k := range rule {
		rule[k] = 7*k - 20
	}
	eighths := make([]float64, n)
	for k, v := range rule {
		eighths[k] = float64(v) / 8
	}
	a := Array{Shape: shape}
	switch kind {
	case "f2", "f4":
		a.Data = convert[float32](eighths)
	case "f8":
		a.Data = eighths
	case "i1":
		a.Data = convert[int8](rule)
	case "i2":
		a.Data = convert[int16](rule)
	case "i4":
		a.Data = convert[int32](rule)
	case "i8":
		a.Data = convert[int64](rule)
	case "u1":
		a.Data = convert[uint8](rule)
	case "u2":
		a.Data = convert[uint16](rule)
	case "u4":
		a.Data = convert[uint32](rule)
	case "u8":
		a.Data = convert[uint64](rule)
	case "b1":
		odd := make([]bool, n)
		for k, v := range rule {
			odd[k] = v%2 != 0
		}
		a.Data = odd
	}
	return a
}

// TestNumPy reads what NumPy wrote: every type, shape, order of bytes and order
// of dimensions.
func TestNumPy(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "numpy.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := 0
	for _, k := range kinds {
		for i, shape := range shapes {
			for _, suffix := range []string{"", "_fortran", "_big"} {
				name := fmt.Sprintf("%s_%d%s", k.descr, i, suffix)
				got, err := f.Read(name)
				if err != nil {
					t.Error(err)
					continue
				}
				if diff := cmp.Diff(values(k.descr, shape), got); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
				read++
			}
		}
	}
	if read != len(f.Names()) {
		t.Errorf("read %d arrays of %d", read, len(f.Names()))
	}
	for _, version := range []int{1, 2, 3} {
		name := fmt.Sprintf("version%d.npy", version)
		r, err := os.Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got, err := Read(name, iotest.OneByteReader(r))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(values("f8", []int{2, 3}), got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	f, err = Open(filepath.Join("testdata", "stored.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.Read("y")
	if diff := cmp.Diff(values("i8", []int{5}), got); err != nil || diff != "" {
		t.Errorf("%v, %s", err, diff)
	}
}

func TestWrite(t *testing.T) {
	for _, stored := range []bool{false, true} {
		var b bytes.Buffer
		w := NewWriter(&b)
		w.Stored = stored
		for _, k := range kinds {
			for i, shape := range shapes {
				if err := w.Add(fmt.Sprintf("%s_%d", k.descr, i), values(k.descr, shape).Data, shape...); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		a, err := NewArchive("p", bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kinds {
			for i, shape := range shapes {
				got, err := a.Read(fmt.Sprintf("%s_%d", k.descr, i))
				if diff := cmp.Diff(values(k.descr, shape), got); err != nil || diff != "" {
					t.Errorf("%s %v: %v, %s", k.descr, shape, err, diff)
				}
			}
		}
	}
	var b bytes.Buffer
	if err := Write(&b, []uint8("ab"), 2); err != nil {
		t.Fatal(err)
	}
	want := "\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }" + strings.Repeat(" ", 60) + "\nab"
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
	for _, test := range []struct {
		a    Array
		want string
	}{
		{Array{}, "npy: cannot write data of type <nil>"},
		{Array{[]int{1}, []int{1}}, "npy: cannot write data of type []int"},
		{Array{[]int{2, 2}, []int8{1}}, "npy: shape [2 2] has 4 elements, but the data 1"},
		{Array{[]int{-1, -1}, []int8{1}}, "npy: shape [-1 -1] has a negative size"},
		{Array{nil, []int8{}}, "npy: shape [] has 1 elements, but the data 0"},
	} {
		if err := Write(io.Discard, test.a.Data, test.a.Shape...); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
	w := NewWriter(io.Discard)
	for _, test := range []struct{ name, want string }{
		{"x", "<nil>"}, {"x", `npy: two arrays are called "x"`}, {"", `npy: "" is no name for an array`}, {"a/../x", `npy: "a/../x" is no name for an array`},
		{"/x", `npy: "/x" is no name for an array`}, {"a\nb", `npy: "a\nb" is no name for an array`}, {"sp|P1/1-9", "<nil>"},
	} {
		if got := fmt.Sprint(w.Add(test.name, []int8{1})); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestConversions(t *testing.T) {
	for _, k := range kinds {
		a := values(k.descr, []int{3})
		f := a.Float32s()
		if len(f) != 3 || a.Len() != 3 {
			t.Errorf("%s: %v", k.descr, f)
		}
		n, err := a.Ints()
		if k.descr[0] == 'f' {
			if want := "npy: element 0 is -2.5, not an integer"; err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", k.descr, err, want)
			}
			continue
		}
		if k.descr == "u8" {
			if want := "npy: element 0 is 18446744073709551596, too great for an integer"; err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", k.descr, err, want)
			}
			continue
		}
		for i := range n {
			if err != nil || float32(n[i]) != f[i] {
				t.Errorf("%s: %v, %v and %v", k.descr, err, n, f)
			}
		}
	}
	for _, v := range []float64{math.NaN(), math.Inf(1), 1 << 63, -1 << 70} {
		if n, err := (Array{nil, []float64{v}}).Ints(); err == nil {
			t.Errorf("%v is the integer %v", v, n)
		}
	}
	if n, err := (Array{nil, []float32{-3}}).Ints(); err != nil || n[0] != -3 {
		t.Errorf("got %v, %v", n, err)
	}
	if _, err := (Array{nil, "x"}).Ints(); err == nil || (Array{nil, "x"}).Float32s() != nil || (Array{nil, "x"}).Len() != -1 {
		t.Error("text is taken for numbers")
	}
	// All float16, by the definition of the format.
	for h := range 1 << 16 {
		e, f := h>>10&31, float64(h&1023)
		want := math.Ldexp(f, -24)
		switch {
		case e == 31 && f == 0:
			want = math.Inf(1)
		case e == 31:
			want = math.NaN()
		case e > 0:
			want = math.Ldexp(1024+f, e-25)
		}
		if h>>15 == 1 {
			want = -want
		}
		got := float64(half(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != math.Signbit(want) && !math.IsNaN(want) {
			t.Fatalf("%#04x is %v, want %v", h, got, want)
		}
	}
}

// FuzzRead checks that no input makes the reader panic, that every error says
// which file, and that arrays read the same after they were written.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }\n", "abcdefgh"),
		file("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }\n", "\x00\x07"),
		file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (), }\n", "abcd"),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := Reader{MaxBytes: 1 << 20}.Read("p", bytes.NewReader(data))
		if err != nil {
			var e *format.Error
			if !errors.As(err, &e) || e.Name != "p" {
				t.Fatalf("%v is not an error of p", err)
			}
			return
		}
		var b bytes.Buffer
		if err := Write(&b, first.Data, first.Shape...); err != nil {
			t.Fatal(err)
		}
		second, err := Read("p", &b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second, cmpopts.EquateNaNs()); diff != "" {
			t.Fatal(diff)
		}
	})
}

package npy

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"heed/format"
)

// file makes a file of version 1 from a header and data.
func file(head, data string) string {
	return magic + "\x01\x00" + string([]byte{byte(len(head)), byte(len(head) >> 8)}) + head + data
}

func TestHeaders(t *testing.T) {
	for _, test := range []struct{ head, want string }{
		{"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", "[2] [97 98] <nil>"},
		{"{\"shape\":(1,2),\t'descr' : \"<u1\" ,\n 'fortran_order':True}\n", "[1 2] [97 98] <nil>"},
		{"{'descr': '>u2', 'fortran_order': False, 'shape': ()}", "[] [24930] <nil>"},
		{"{'descr': '<i2', 'fortran_order': False, 'shape': (1L, 1L)}", "[1 1] [25185] <nil>"},
		{"", "p: offset 10: invalid: header does not begin with '{'"},
		{"{", `p: offset 10: invalid: header has "", want a key`},
		{"{'descr'}", `p: offset 10: invalid: header has "}", want a key`},
		{"{'descr': <f4}", `p: offset 10: invalid: header has "<f4}", want the type`},
		{"{'descr': '<f4}", `p: offset 10: invalid: header has "<f4}", want the type`},
		{"{'descr': '|u1' 'x'}", `p: offset 10: invalid: header has "'x'}", want ',' or '}'`},
		{"{'descr': '|u1', 'descr': '|u1'}", `p: offset 10: invalid: header has "descr" twice`},
		{"{'descr': '|u1', 'order': 'C'}", `p: offset 10: invalid: header has the key "order"`},
		{"{'fortran_order': 0}", `p: offset 10: invalid: header has "0}", want True or False`},
		{"{'shape': 3}", `p: offset 10: invalid: header has "3}", want the shape`},
		{"{'shape': (3)}", `p: offset 10: invalid: header has ")}", want ',' or ')'`},
		{"{'shape': (3,-1)}", `p: offset 10: invalid: header has "-1)}", want a size`},
		{"{'shape': (99999999999999999999,)}", `p: offset 10: invalid: header has "99999999999999999999,)}", want a size`},
		{"{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} x", `p: offset 10: invalid: header has "x", want the end`},
		{"{'descr': '|u1', 'shape': (2,)}", `p: offset 10: invalid: header has no key "fortran_order"`},
		{"{'descr': 'u1', 'fortran_order': False, 'shape': (2,)}", `p: offset 64: not supported: numbers of type "u1"`},
		{"{'descr': '|u2', 'fortran_order': False, 'shape': (2,)}", `p: offset 65: not supported: numbers of type "|u2"`},
		{"{'descr': '<f16', 'fortran_order': False, 'shape': (2,)}", `p: offset 66: not supported: numbers of type "<f16"`},
		{"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", "p: offset 66: invalid: file goes on after the array"},
		{"{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}", "p: offset 67: invalid: file is cut off"},
		{"{'descr': '<f8', 'fortran_order': False, 'shape': (126,)}", "p: offset 67: too large: shape [126] has more than 125 elements"},
		{"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4294967296)}", "p: offset 97: too large: shape [4294967296 4294967296 4294967296] has more than 1000 elements"},
		{"{'descr': '|u1', 'fortran_order': False, 'shape': (" + strings.Repeat("1,", 65) + ")}", "p: offset 193: too large: 65 dimensions; the limit is 64"},
	} {
		a, err := Reader{MaxBytes: 1000}.Read("p", strings.NewReader(file(test.head, "ab")))
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(a.Shape, a.Data, err)
		}
		if got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.head, got, test.want)
		}
	}
}

func TestBadFiles(t *testing.T) {
	for _, test := range []struct {
		text, want string
		kind       error
	}{
		{"", `p: invalid: not npy: first bytes are "", want "\x93NUMPY"`, format.ErrInvalid},
		{"\x93NUM", `p: invalid: not npy: first bytes are "\x93NUM", want "\x93NUMPY"`, format.ErrInvalid},
		{"1 2 3\n", `p: invalid: not npy: first bytes are "1 2 3\n", want "\x93NUMPY"`, format.ErrInvalid},
		{"PK\x03\x04....", "p: invalid: this is an archive, .npz, not a single array", format.ErrInvalid},
		{"\x80\x02.", "p: not supported: this is a pickle, which is a program; save numbers with numpy.save(..., allow_pickle=False)", format.ErrUnsupported},
		{magic, "p: invalid: file is cut off", format.ErrInvalid},
		{magic + "\x04\x00", "p: offset 6: not supported: npy version 4; versions 1 to 3 are read", format.ErrUnsupported},
		{magic + "\x01\x00\x01", "p: offset 9: invalid: file is cut off", format.ErrInvalid},
		{magic + "\x02\x00\xff\xff\xff\xff", "p: offset 8: too large: header of 4294967295 bytes; the limit is 65535", format.ErrTooLarge},
		{magic + "\x01\x00\xff\xff{", "p: offset 11: invalid: file is cut off", format.ErrInvalid},
	} {
		_, err := Read("p", strings.NewReader(test.text))
		if err == nil || err.Error() != test.want || !errors.Is(err, test.kind) {
			t.Errorf("%q:\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
	for _, text := range []string{"", magic + "\x01", file("{'descr': '|u1', 'fortran_order': False, 'shape': (9,)}", "ab")} {
		r := io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("cable cut")))
		if _, err := Read("p", r); err == nil || !strings.HasSuffix(err.Error(), ": cable cut") || errors.Is(err, format.ErrInvalid) {
			t.Error(err)
		}
	}
}

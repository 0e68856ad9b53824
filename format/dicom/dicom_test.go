package dicom

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/format"
)

// planted is in names, identifiers and comments of the phantom. No message or
// report may hold it.
const planted = "PLANTED"

func errString(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}

func raw(t testing.TB, name string) []int32 {
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var out []int32
	if name != "phantom.raw" {
		for _, v := range b {
			out = append(out, int32(v))
		}
		return out
	}
	for ; len(b) > 0; b = b[2:] {
		out = append(out, int32(int16(binary.LittleEndian.Uint16(b))))
	}
	return out
}

// TestSyntaxes decodes one image in all transfer syntaxes, as dcmtk wrote them.
func TestSyntaxes(t *testing.T) {
	for name, want := range map[string]string{
		"phantom": "phantom.raw", "implicit": "phantom.raw", "big": "phantom.raw", "deflated": "phantom.raw", "bare": "phantom.raw", "rle": "phantom.raw",
		"lossless": "phantom.raw", "lossless2": "phantom.raw", "lossless3": "phantom.raw", "lossless4": "phantom.raw", "lossless5": "phantom.raw",
		"lossless6": "phantom.raw", "lossless7": "phantom.raw", "eight": "eight.raw", "lossless-eight": "eight.raw", "jpeg": "jpeg.raw",
	} {
		f, err := Open("testdata/" + name + ".dcm")
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := f.Pixels(0)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// Decoders of JPEG may differ by the rounding of the cosine transform.
		near := func(a, b int32) bool { return a == b || name == "jpeg" && max(a-b, b-a) <= 2 }
		if !slices.EqualFunc(got, raw(t, want), near) {
			t.Errorf("%s: other pixels: %v", name, got[:20])
		}
		if f.Text(tagModality) != "CT" || len(f.Find(0x00400275).Items) != 1 {
			t.Errorf("%s: elements are missing", name)
		}
	}
	f, err := Open("testdata/jpegls.dcm")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Pixels(0)
	if want := "not supported: pixels compressed by JPEG-LS Lossless; convert the file to a syntax without compression or to JPEG Lossless"; !strings.HasSuffix(errString(err), want) || !errors.Is(err, format.ErrUnsupported) {
		t.Error(err)
	}
}

func TestLookup(t *testing.T) {
	for tag, want := range map[Tag]string{0x00100010: "PN PatientName", 0x00020000: "UL FileMetaInformationGroupLength", 0xFFFCFFFC: "OB DataSetTrailingPadding", 0x00091001: " ", 0: " "} {
		vr, keyword := Lookup(tag)
		if got := vr + " " + keyword; got != want {
			t.Errorf("%s: %q, want %q", tag, got, want)
		}
	}
	n := 0
	for line := range strings.Lines(dictionary) {
		n++
		var tag uint32
		for _, c := range []byte(line[:8]) {
			tag = tag<<4 | uint32(strings.IndexByte("0123456789ABCDEF", c))
		}
		if vr, keyword := Lookup(Tag(tag)); vr == "" || !strings.HasSuffix(strings.TrimSpace(line), keyword) {
			t.Errorf("%s is not found", line)
		}
	}
	if n < 4000 {
		t.Errorf("%d attributes", n)
	}
}

func TestBad(t *testing.T) {
	good, err := os.ReadFile("testdata/phantom.dcm")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) int { return bytes.Index(good, []byte(s)) }
	set := func(at int, s string) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[at:], s); return b }
	}
	rows := at("\x28\x00\x10\x00US")
	pixels := at("\xe0\x7f\x10\x00OW")
	allocated := at("\x28\x00\x00\x01US")
	for _, test := range []struct {
		title  string
		damage func([]byte) []byte
		want   string
		kind   error
	}{
		{"none", func(b []byte) []byte { return b }, "<nil>", nil},
		{"empty", func(b []byte) []byte { return nil }, "t.dcm: invalid: not DICOM: no DICM at offset 128, and no group 2 or 8 at the start", format.ErrInvalid},
		{"text", func(b []byte) []byte { return bytes.Repeat([]byte("text"), 99) }, "t.dcm: invalid: not DICOM: no DICM at offset 128, and no group 2 or 8 at the start", format.ErrInvalid},
		{"cut", func(b []byte) []byte { return b[:len(b)-1] }, "t.dcm: offset PIXELS: invalid: (7FE0,0010) has 960 bytes, but 959 are left: file is cut off or damaged", format.ErrInvalid},
		{"cut in an element", func(b []byte) []byte { return b[:rows+5] }, "t.dcm: offset ROWS: invalid: file is cut off within an element", format.ErrInvalid},
		{"vr", set(rows+4, "U\x01"), "t.dcm: offset ROWS: invalid: (0028,0010) has no value representation", format.ErrInvalid},
		{"huge", set(pixels+8, "\xfe\xff\xff\x7f"), "t.dcm: offset PIXELS: invalid: (7FE0,0010) has 2147483646 bytes, but 960 are left: file is cut off or damaged", format.ErrInvalid},
		{"twice", set(rows+2, "\x11"), "t.dcm: offset COLUMNS: invalid: (0028,0011) for the second time", format.ErrInvalid},
		{"large", set(rows+8, "\xff\xff\x28\x00\x11\x00US\x02\x00\xff\xff"), "t.dcm: too large: 65535 x 65535 x 1 voxels; the limit is 1073741824", format.ErrTooLarge},
		{"short pixels", set(rows+8, "\x19"), "t.dcm: offset PIXELS: invalid: pixels have 960 bytes, want 1000", format.ErrInvalid},
		{"no rows", set(rows+8, "\x00\x00"), "t.dcm: too large: size of axis 2 is 0, want 1 or more", format.ErrTooLarge},
		{"bits", set(allocated+8, "\x0c"), "t.dcm: not supported: 12 bits per pixel; 8, 16 and 32 are read", format.ErrUnsupported},
		{"stored", set(allocated+18, "\x13"), "t.dcm: invalid: bits -3 to 15 of 16 hold the pixel", format.ErrInvalid},
		{"syntax", set(at("1.2.840.10008.1.2.1\x00"), "1.2.840.10008.1.2.7"), "t.dcm: offset PIXELS: not supported: pixels compressed by 1.2.840.10008.1.2.7; convert the file to a syntax without compression or to JPEG Lossless", format.ErrUnsupported},
	} {
		want := strings.NewReplacer("PIXELS", itoa(pixels), "ROWS", itoa(rows), "COLUMNS", itoa(rows+10)).Replace(test.want)
		f, err := Reader{}.Read("t.dcm", bytes.NewReader(test.damage(bytes.Clone(good))))
		if err == nil {
			_, err = f.Pixels(0)
		}
		if got := errString(err); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.title, got, want)
		}
		if !errors.Is(err, test.kind) {
			t.Errorf("%s: not %v", test.title, test.kind)
		}
	}
	if _, err := (Reader{MaxBytes: 1000}).Read("t.dcm", bytes.NewReader(good)); errString(err) != "t.dcm: too large: more than 1000 bytes" {
		t.Error(err)
	}
}

func itoa(n int) string {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// TestReal reads the files of pydicom's tests: one image in four syntaxes must be
// the same.
func TestReal(t *testing.T) {
	dir := "../../../shared/data/imaging/pydicom"
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skip("no files of other programs: shared/data/imaging/pydicom is absent")
	}
	var first []int32
	for _, name := range []string{"MR_small", "MR_small_implicit", "MR_small_bigendian", "MR_small_RLE"} {
		f, err := Open(filepath.Join(dir, name+".dcm"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.Pixels(0)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = p
		}
		if len(p) != 64*64 || !slices.Equal(p, first) {
			t.Errorf("%s: other pixels", name)
		}
	}
	for name, want := range map[string]string{
		"image_dfl": "<nil>", "CT_small": "<nil>",
		"JPEG2000": "not supported: pixels compressed by JPEG 2000; convert the file to a syntax without compression or to JPEG Lossless",
		"liver":    "not supported: 1 bits per pixel; 8, 16 and 32 are read",
	} {
		f, err := Open(filepath.Join(dir, name+".dcm"))
		if err == nil {
			_, err = f.Pixels(0)
		}
		if got := errString(err); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.dcm")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Reader{MaxBytes: 1 << 20}.Read("f.dcm", bytes.NewReader(b))
		if err != nil {
			if strings.Contains(err.Error(), planted) {
				t.Fatal(err)
			}
			return
		}
		if p, err := file.Pixels(0); err == nil && len(p) == 0 {
			t.Fatal("no pixels and no error")
		}
	})
}

package nrrd

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

func read(s string) (*Image, error) { return Reader{}.Read("t.nrrd", strings.NewReader(s)) }

func sample() *format.Volume {
	v := &format.Volume{Shape: [3]int{3, 2, 2}, Stored: format.Int16,
		Affine: format.Affine{{-.5, 0, 0, 10}, {0, .75, .1, -20}, {0, 0, 2, 30}}}
	for i := range 12 {
		v.Data = append(v.Data, float32(100*i-1000))
	}
	return v
}

func TestRoundTrip(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, sample()); err != nil {
		t.Fatal(err)
	}
	im, err := read(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*sample(), im.Volume); diff != "" || !im.Placed || im.Encoding != "gzip" {
		t.Error(diff)
	}
	if _, err := read(b.String()[:b.Len()-3]); errString(err) != "t.nrrd: invalid: gzip stream is cut off" {
		t.Error(err)
	}
}

const head = "NRRD0004\ntype: short\ndimension: 3\nspace: RAS\nsizes: 2 1 1\nspace directions: (1,0,0) (0,1,0) (0,0,2)\nspace origin: (4,5,6)\nencoding: raw\nendian: big\n"

func TestVariants(t *testing.T) {
	ras := format.Affine{{1, 0, 0, 4}, {0, 1, 0, 5}, {0, 0, 2, 6}}
	for name, s := range map[string]string{
		"big":     head + "\n\x00\x07\xff\xfe",
		"little":  strings.Replace(head, "big", "little", 1) + "\n\x07\x00\xfe\xff",
		"text":    strings.Replace(head, "raw", "ascii", 1) + "\n7\n -2 ",
		"key":     head + "PatientName:=DOE^JANE\ncontent: DOE^JANE\n# DOE^JANE\n\n\x00\x07\xff\xfe",
		"skip":    head + "byte skip: 3\nline skip: 1\n\nline\nxxx\x00\x07\xff\xfe",
		"four":    strings.NewReplacer("dimension: 3", "dimension: 4", "2 1 1", "1 2 1 1", "(1,0,0) ", "none (1,0,0) ").Replace(head) + "\n\x00\x07\xff\xfe",
		"lps":     strings.NewReplacer("RAS", "left-posterior-superior", "(1,0,0) (0,1,0)", "(-1,0,0) (0,-1,0)", "(4,5,6)", "(-4,-5,6)").Replace(head) + "\n\x00\x07\xff\xfe",
		"las":     strings.NewReplacer("RAS", "LAS", "(1,0,0)", "(-1,0,0)", "(4,5,6)", "(-4,5,6)").Replace(head) + "\n\x00\x07\xff\xfe",
		"cm":      strings.NewReplacer("(1,0,0) (0,1,0) (0,0,2)", "(.1,0,0) (0,.1,0) (0,0,.2)", "(4,5,6)", "(.4,.5,.6)").Replace(head) + "space units: \"cm\" \"cm\" \"cm\"\n\n\x00\x07\xff\xfe",
		"crlf":    strings.ReplaceAll(head+"\n", "\n", "\r\n") + "\x00\x07\xff\xfe",
		"comment": head + "# a comment\nunknown: field\n\n\x00\x07\xff\xfe",
	} {
		im, err := read(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := im.Affine.Distance(ras, im.Shape); d > 1e-9 || !cmp.Equal(im.Data, []float32{7, -2}) || !im.Placed {
			t.Errorf("%s: %v %v", name, im.Affine, im.Data)
		}
	}
	im, err := read("NRRD0001\ntype: float\ndimension: 3\nsizes: 1 1 1\nspacings: 1 2 3\nencoding: text\n\n.5")
	if err != nil || im.Placed || im.Affine.Spacing() != [3]float64{1, 2, 3} || im.Affine.Orientation() != "LPS" || im.Data[0] != .5 {
		t.Error(im, err)
	}
}

func TestDetached(t *testing.T) {
	dir := t.TempDir()
	write := func(name, s string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(s), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("v.raw", "\x00\x07\xff\xfe")
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte("\x00\x07\xff\xfe"))
	w.Close()
	write("v.raw.gz", z.String())
	for _, s := range []string{head + "data file: v.raw\n", strings.Replace(head, "raw", "gz", 1) + "datafile: v.raw.gz\n\n"} {
		im, err := Open(write("v.nhdr", s))
		if err != nil || !im.Detached || !cmp.Equal(im.Data, []float32{7, -2}) {
			t.Errorf("%v %v", im, err)
		}
	}
	for _, test := range []struct{ line, want string }{
		{"data file: ../v.raw\n", "v.nhdr:10: invalid: data file lies outside the folder of the header"},
		{"data file: /etc/passwd\n", "v.nhdr:10: invalid: data file lies outside the folder of the header"},
		{"data file: DOE_JANE.raw\n", "v.nhdr (data file): no such file"},
		{"data file: LIST\na.raw\n", "v.nhdr:11: invalid: line of the header is neither a field nor a comment"},
		{"data file: a%d.raw 1 2 1\n", "v.nhdr:10: not supported: voxels in several files"},
	} {
		_, err := Open(write("v.nhdr", head+test.line))
		if got := strings.TrimPrefix(errString(err), dir+"/"); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
	if _, err := read(head + "data file: v.raw\n"); errString(err) != "t.nrrd:10: not supported: voxels in a file of their own" {
		t.Error(err)
	}
}

func errString(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}

func TestBad(t *testing.T) {
	for _, test := range []struct {
		old, new string
		want     string
		kind     error
	}{
		{"NRRD", "NERD", "t.nrrd: invalid: not NRRD: it does not begin with NRRD000", format.ErrInvalid},
		{"NRRD0004", "NRRD0009", "t.nrrd:1: not supported: this version of NRRD; versions 1 to 5 are read", format.ErrUnsupported},
		{"type: short\n", "", `t.nrrd: invalid: no field "type"`, format.ErrInvalid},
		{"type: short", "type: block", "t.nrrd:2: not supported: this type of numbers; integers of 1 to 8 bytes, float and double are read", format.ErrUnsupported},
		{"dimension: 3", "dimension: 99", "t.nrrd:3: invalid: dimension: want 1 to 16", format.ErrInvalid},
		{"dimension: 3", "dimension: 2", "t.nrrd:5: invalid: sizes: 3 numbers for 2 dimensions", format.ErrInvalid},
		{"sizes: 2 1 1", "sizes: 2 -1 1", "t.nrrd:5: invalid: sizes: axis 2: want 1 or more", format.ErrInvalid},
		{"sizes: 2 1 1", "sizes: 99999 99999 99999", "t.nrrd:5: too large: 99999 x 99999 x 99999 voxels; the limit is 1073741824", format.ErrTooLarge},
		{"sizes: 2 1 1", "sizes: 99999999999999999999 1 1", "t.nrrd:5: invalid: sizes: axis 1: want 1 or more", format.ErrInvalid},
		{"(1,0,0)", "none", "t.nrrd:5: not supported: axis 1 of size 2 is not one of space: one volume of three axes is read", format.ErrUnsupported},
		{"(0,0,2)", "", "t.nrrd:6: invalid: space directions: 2 vectors for 3 dimensions", format.ErrInvalid},
		{"(0,0,2)", "(0,0)", "t.nrrd:6: invalid: space directions: want vectors as (x,y,z), or none", format.ErrInvalid},
		{"(0,0,2)", "(0,0,nan)", "t.nrrd:6: invalid: space directions: affine holds NaN", format.ErrInvalid},
		{"(0,0,2)", "(0,1,0)", "t.nrrd:6: invalid: space directions: axes of the voxels lie in a plane", format.ErrInvalid},
		{"(4,5,6)", "4,5,6", "t.nrrd:7: invalid: space origin: want a vector as (x,y,z)", format.ErrInvalid},
		{"encoding: raw", "encoding: bzip2", "t.nrrd:8: not supported: encoding bzip2; raw, gzip and ascii are read", format.ErrUnsupported},
		{"encoding: raw", "encoding: zip", "t.nrrd:8: invalid: encoding: want raw, gzip or ascii", format.ErrInvalid},
		{"encoding: raw", "encoding: gzip", "t.nrrd: invalid: gzip stream is cut off", format.ErrInvalid},
		{"endian: big\n", "", `t.nrrd: invalid: no field "endian", which numbers of 2 bytes need`, format.ErrInvalid},
		{"endian: big", "endian: middle", "t.nrrd:9: invalid: endian: want little or big", format.ErrInvalid},
		{"space: RAS", "space: scanner-xyz", "t.nrrd:4: not supported: this space; LPS, RAS and LAS are read", format.ErrUnsupported},
		{"space: RAS", "type: short", `t.nrrd:4: invalid: field "type" for the second time`, format.ErrInvalid},
		{"space: RAS", "DOE JANE", "t.nrrd:4: invalid: line of the header is neither a field nor a comment", format.ErrInvalid},
		{"space directions: (1,0,0) (0,1,0) (0,0,2)", "spacings: 1 -2 1", "t.nrrd:6: invalid: spacings: axis 2: spacing is -2, want a positive number", format.ErrInvalid},
		{"space directions: (1,0,0) (0,1,0) (0,0,2)", "spacings: 1 NaN 1", "t.nrrd:6: invalid: spacings: axis 2: spacing is NaN, want a positive number", format.ErrInvalid},
		{"space: RAS", `space units: "furlong" "mm" "mm"`, "t.nrrd:4: not supported: this unit of space; mm, cm, m and um are read", format.ErrUnsupported},
		{"\n\n\x00\x07\xff\xfe", "\n", "t.nrrd:10: invalid: header is cut off", format.ErrInvalid},
		{"\xff\xfe", "", "t.nrrd: offset 151: invalid: file is cut off", format.ErrInvalid},
		{"encoding: raw", "encoding: ascii", "t.nrrd: invalid: voxel 1 is no number", format.ErrInvalid},
		{"NRRD0004\n", "NRRD0004\n#" + strings.Repeat("x", 70000), "t.nrrd:2: too large: header of more than 65545 bytes", format.ErrTooLarge},
	} {
		good := head + "\n\x00\x07\xff\xfe"
		if !strings.Contains(good, test.old) {
			t.Fatalf("%q is not in the header", test.old)
		}
		_, err := read(strings.Replace(good, test.old, test.new, 1))
		if got := errString(err); got != test.want {
			t.Errorf("%q:\ngot  %s\nwant %s", test.new[:min(len(test.new), 60)], got, test.want)
		}
		if !errors.Is(err, test.kind) {
			t.Errorf("%q: not %v", test.new, test.kind)
		}
	}
}

// TestReal compares the volumes of pyradiomics with the hashes and spacings that
// its authors published with them.
func TestReal(t *testing.T) {
	dir := "../../../shared/data/imaging/pyradiomics/data"
	f, err := os.Open(filepath.Join(dir, "baseline", "baseline_shape.csv"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no real volumes: shared/data/imaging/pyradiomics is absent")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for column, name := range rows[0] {
		im, err := Open(filepath.Join(dir, name+"_image.nrrd"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		var voxels bytes.Buffer
		if err := format.WriteVoxels(&voxels, im.Data, im.Stored); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			switch row[0] {
			case "diagnostics_Image-original_Hash": // SHA-1 of the voxels
				if got := fmt.Sprintf("%x", sha1.Sum(voxels.Bytes())); got != row[column] {
					t.Errorf("%s: hash of the voxels is %s, want %s", name, got, row[column])
				}
				found++
			case "diagnostics_Image-original_Spacing":
				var a, b, c float64
				fmt.Sscanf(row[column], "(%f, %f, %f)", &a, &b, &c)
				if s := im.Affine.Spacing(); math.Abs(s[0]-a)+math.Abs(s[1]-b)+math.Abs(s[2]-c) > 1e-9 {
					t.Errorf("%s: spacing %v, want %s", name, s, row[column])
				}
				found++
			}
		}
	}
	if found < 6 {
		t.Errorf("%d comparisons", found)
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(head + "\n\x00\x07\xff\xfe"))
	f.Add([]byte("NRRD0001\ntype: float\ndimension: 3\nsizes: 1 1 1\nspacings: 1 2 3\nencoding: text\nspace units: \"um\"\n\n.5"))
	f.Fuzz(func(t *testing.T, b []byte) {
		im, err := Reader{MaxVoxels: 1 << 16}.Read("f.nrrd", bytes.NewReader(b))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := Write(&out, &im.Volume); err != nil {
			t.Fatal(err)
		}
		again, err := Reader{}.Read("f.nrrd", &out)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range again.Data {
			if x != im.Data[i] && x == x {
				t.Fatalf("voxel %d is %v, want %v", i, x, im.Data[i])
			}
		}
		if again.Affine != im.Affine {
			t.Fatalf("affine %v, want %v", again.Affine, im.Affine)
		}
	})
}

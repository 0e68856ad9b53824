package npy

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

func TestRefused(t *testing.T) {
	file := filepath.Join("testdata", "refused.npz")
	f, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string]string{
		"objects": `array of Python objects (type "|O"): it is a pickle, which is a program; save numbers with numpy.save(..., allow_pickle=False)`,
		"complex": `complex numbers (type "<c8")`,
		"text":    `text (type "<U1")`,
		"bytes":   `text (type "|S1")`,
		"dates":   `dates (type "<M8[s]")`,
		"records": `array of records; save each column as an array of its own`,
	} {
		at := 128
		if name == "records" {
			at = 10
		}
		want = fmt.Sprintf("%s(%s.npy): offset %d: not supported: %s", file, name, at, want)
		if _, err := f.Read(name); err == nil || err.Error() != want || !errors.Is(err, format.ErrUnsupported) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestArchives(t *testing.T) {
	pack := func(edit func(*zip.FileHeader), names ...string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, n := range names {
			h := zip.FileHeader{Name: n, Method: zip.Deflate}
			w, err := z.CreateHeader(&h)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, file("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}", "ab"))
			edit(&h)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	keep := func(*zip.FileHeader) {}
	good := pack(keep, "x.npy", "README", "y.npy")
	for _, test := range []struct {
		title, want string
		data        []byte
		kind        error
	}{
		{"good", "[x y] {[2] [97 98]}", good, nil},
		{"empty", "p: invalid: not npz: zip: not a valid zip file", nil, format.ErrInvalid},
		{"cut", "p: invalid: not npz: zip: not a valid zip file", good[:len(good)-30], format.ErrInvalid},
		{"twice", `p: invalid: two arrays are called "x"`, pack(keep, "x.npy", "x.npy"), format.ErrInvalid},
		{"control", `p: invalid: control character in the name "x\x1b.npy"`, pack(keep, "x\x1b.npy"), format.ErrInvalid},
		{"none", `p: invalid: no array "x"; there are none`, pack(keep, "y"), format.ErrInvalid},
		{"damaged", "p(x.npy): invalid: archive is damaged: flate: corrupt input before offset 1",
			bytes.Replace(good, good[35:37], []byte{0xff, 0xff}, 1), format.ErrInvalid},
		{"encrypted", "p(x.npy): not supported: array is encrypted", bytes.ReplaceAll(good, []byte("\x14\x00\x08\x00\x08\x00"), []byte("\x14\x00\x09\x00\x08\x00")), format.ErrUnsupported},
		{"method", "p(x.npy): not supported: compression method 9; stored and deflated archives are read", bytes.ReplaceAll(good, []byte("\x14\x00\x08\x00\x08\x00"), []byte("\x14\x00\x08\x00\x09\x00")), format.ErrUnsupported},
	} {
		got := ""
		a, err := NewArchive("p", bytes.NewReader(test.data), int64(len(test.data)))
		if err == nil {
			var x Array
			x, err = a.Read("x")
			got = fmt.Sprint(a.Names(), x)
		}
		if err != nil {
			got = err.Error()
		}
		if got != test.want || !errors.Is(err, test.kind) {
			t.Errorf("%s:\ngot  %s\nwant %s", test.title, got, test.want)
		}
	}
	// The sum at the end is checked: a damaged stored array is not read.
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Stored = true
	if err := w.Add("x", []uint8("ABCD"), 4); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data := bytes.Replace(b.Bytes(), []byte("ABCD"), []byte("ABBD"), 1)
	a, err := NewArchive("p", bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read("x"); err == nil || err.Error() != "p(x.npy): invalid: archive is damaged: zip: checksum error" {
		t.Error(err)
	}

	t.Chdir(t.TempDir())
	if _, err := Open("p.npz"); err == nil || err.Error() != "p.npz: no such file" {
		t.Error(err)
	}
	if _, err := Open("."); err == nil || err.Error() != ".: invalid: is not a regular file" {
		t.Error(err)
	}
}

// FuzzArchive is FuzzRead for archives.
func FuzzArchive(f *testing.F) {
	var b bytes.Buffer
	w := NewWriter(&b)
	w.Add("x", []uint8("abcd"), 2, 2)
	w.Add("y", []float64{1})
	w.Close()
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := NewArchive("p", bytes.NewReader(data), int64(len(data)))
		if err == nil {
			a.MaxBytes = 1 << 20
			for _, name := range a.Names() {
				if _, err = a.Read(name); err != nil {
					break
				}
			}
		}
		var e *format.Error
		if err != nil && (!errors.As(err, &e) || !strings.HasPrefix(e.Name, "p")) {
			t.Fatalf("%v is not an error of p", err)
		}
	})
}

// TestPeer leaves files for testdata/check.py, which reads them with NumPy.
func TestPeer(t *testing.T) {
	dir := os.Getenv("HEED_NPY_OUT")
	if dir == "" {
		t.Skip("HEED_NPY_OUT is not set; see testdata/check.py")
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, stored := range map[string]bool{"stored.npz": true, "deflated.npz": false} {
		err := format.WriteFile(filepath.Join(dir, name), func(o io.Writer) error {
			w := NewWriter(o)
			w.Stored = stored
			for _, k := range kinds {
				for i, shape := range shapes {
					if k.descr == "f2" {
						continue
					}
					if err := w.Add(fmt.Sprintf("%s_%d", k.descr, i), values(k.descr, shape).Data, shape...); err != nil {
						return err
					}
				}
			}
			return w.Close()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err := format.WriteFile(filepath.Join(dir, "one.npy"), func(w io.Writer) error { return Write(w, values("f4", []int{2, 3}).Data, 2, 3) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestMedMNIST reads archives that others made, and compares with the numbers of
// images that their makers publish.
func TestMedMNIST(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "imaging", "adrenalmnist3d")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no data at " + dir)
	}
	f, err := Open(filepath.Join(dir, "adrenalmnist3d.npz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, n := range map[string]int{"train": 1188, "val": 98, "test": 298} {
		images, err := f.Read(name + "_images")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{n, 28, 28, 28}, images.Shape); diff != "" || images.Len() != n*28*28*28 {
			t.Errorf("%s: %s", name, diff)
		}
		labels, err := f.Read(name + "_labels")
		if err != nil {
			t.Fatal(err)
		}
		ints, err := labels.Ints()
		if err != nil || len(ints) != n {
			t.Errorf("%s: %d labels, %v", name, len(ints), err)
		}
	}
}

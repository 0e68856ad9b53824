package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
)

func TestError(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind error
		want string
	}{
		{Invalidf("p.fa", 7, "letter %q", 0), ErrInvalid, `p.fa:7: invalid: letter '\x00'`},
		{Invalidf("p.fa", 0, "no sequences"), ErrInvalid, "p.fa: invalid: no sequences"},
		{InvalidAt("p.nii", 40, "%d dimensions", 9), ErrInvalid, "p.nii: offset 40: invalid: 9 dimensions"},
		{InvalidAt("p.nii", 0, "not NIfTI"), ErrInvalid, "p.nii: invalid: not NIfTI"},
		{Unsupportedf("p.csv", 2, "x"), ErrUnsupported, "p.csv:2: not supported: x"},
		{UnsupportedAt("p.nii", 2, "x"), ErrUnsupported, "p.nii: offset 2: not supported: x"},
		{TooLargef("p.csv", 2, "x"), ErrTooLarge, "p.csv:2: too large: x"},
		{TooLargeAt("p.nii", 2, "x"), ErrTooLarge, "p.nii: offset 2: too large: x"},
		{ReadError("p.fa", 3, io.ErrClosedPipe), io.ErrClosedPipe, "p.fa:3: io: read/write on closed pipe"},
		{ReadError("p.fa", 3, Invalidf("q.fa", 1, "x")), ErrInvalid, "q.fa:1: invalid: x"},
		{Invalidf("p.fa", 1, "a: %w", io.ErrNoProgress), io.ErrNoProgress, "p.fa:1: invalid: a: " + io.ErrNoProgress.Error()},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
		if !errors.Is(test.err, test.kind) {
			t.Errorf("%v is not %v", test.err, test.kind)
		}
		var e *Error
		if !errors.As(test.err, &e) {
			t.Errorf("%v is not an *Error", test.err)
		}
	}
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOpen(t *testing.T) {
	text := strings.Repeat("the same text\n", 10000)
	gz := zipped(t, text)
	damaged := bytes.Clone(gz)
	damaged[len(damaged)-5] ^= 1 // in the checksum
	for _, test := range []struct {
		name string
		data []byte
		want string // of the content, or of the error
		kind error
	}{
		{"plain", []byte(text), text, nil},
		{"empty", nil, "", nil},
		{"one", []byte("\x1f"), "\x1f", nil},
		{"named.gz", []byte(text), text, nil},
		{"gzip", gz, text, nil},
		{"members", append(bytes.Clone(gz), gz...), text + text, nil},
		{"cut", gz[:len(gz)/2], "NAME: invalid: gzip stream is cut off", ErrInvalid},
		{"cutmagic", gz[:2], "NAME: invalid: gzip stream is cut off", ErrInvalid},
		{"cuttail", gz[:len(gz)-4], "NAME: invalid: gzip stream is cut off", ErrInvalid},
		{"damaged", damaged, "NAME: invalid: gzip stream is damaged: gzip: invalid checksum", ErrInvalid},
		{"bz2", []byte("BZh91AY&SY123"), "NAME: not supported: bzip2 compression; decompress it or use gzip", ErrUnsupported},
		{"xz", []byte("\xfd7zXZ\x00\x00\x04"), "NAME: not supported: xz compression; decompress it or use gzip", ErrUnsupported},
		{"zst", []byte("\x28\xb5\x2f\xfd\x24"), "NAME: not supported: zstd compression; decompress it or use gzip", ErrUnsupported},
		{"zip", []byte("PK\x03\x04\x14\x00"), "NAME: not supported: zip compression; decompress it or use gzip", ErrUnsupported},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), test.name)
			if err := os.WriteFile(path, test.data, 0o666); err != nil {
				t.Fatal(err)
			}
			got, err := readAll(path)
			if test.kind != nil {
				want := strings.Replace(test.want, "NAME", path, 1)
				if err == nil || err.Error() != want || !errors.Is(err, test.kind) {
					t.Fatalf("got  %v\nwant %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %d bytes, want %d", len(got), len(test.want))
			}
		})
	}
}

func readAll(path string) (string, error) {
	r, err := Open(path)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}

func TestOpenPath(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("d.fa", 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := Open("p.fa")
	if err == nil || err.Error() != "p.fa: no such file" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	_, err = Open("d.fa")
	if err == nil || err.Error() != "d.fa: is a directory" || !errors.Is(err, ErrInvalid) {
		t.Errorf("directory: %v", err)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func TestNewReaderError(t *testing.T) {
	_, err := NewReader("-", broken{&fs.PathError{Op: "read", Path: "/dev/stdin", Err: errors.New("input/output error")}})
	if err == nil || err.Error() != "-: input/output error" {
		t.Errorf("at once: %v", err)
	}
	later := io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<17)), broken{errors.New("input/output error")})
	r, err := NewReader("-", later)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = io.ReadAll(r); err == nil || err.Error() != "-: input/output error" {
		t.Errorf("later: %v", err)
	}
}

func TestWriteFile(t *testing.T) {
	t.Chdir(t.TempDir())
	say := func(text string) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}
	}
	want := func(path, text string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("%s holds %q, %v; want %q", path, got, err, text)
		}
	}
	noTemp := func() {
		t.Helper()
		if left, _ := filepath.Glob(".heed-*"); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}

	if err := WriteFile("out", say("one")); err != nil {
		t.Fatal(err)
	}
	want("out", "one")

	// Permissions are those of the umask, then those of the file replaced.
	plain, err := os.Create("plain")
	if err != nil {
		t.Fatal(err)
	}
	plain.Close()
	if mode("plain") != mode("out") {
		t.Errorf("mode of a new file is %v, want %v", mode("out"), mode("plain"))
	}
	if err := os.Chmod("out", 0o600); err != nil {
		t.Fatal(err)
	}
	private := mode("out")
	if err := WriteFile("out", say("two")); err != nil {
		t.Fatal(err)
	}
	want("out", "two")
	if mode("out") != private {
		t.Errorf("mode of a replaced file is %v, want %v", mode("out"), private)
	}

	// A failure keeps the old file, whether little or much was written.
	stop := errors.New("stop")
	for _, n := range []int{1, 1 << 20} {
		err := WriteFile("out", func(w io.Writer) error {
			if _, err := w.Write(make([]byte, n)); err != nil {
				return err
			}
			return stop
		})
		if err != stop {
			t.Errorf("got error %v, want %v", err, stop)
		}
		want("out", "two")
		noTemp()
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		WriteFile("out", func(io.Writer) error { panic("bug") })
	}()
	want("out", "two")
	noTemp()

	// A name that is taken, as by a run that was killed, is passed over.
	stale := fmt.Sprintf(".heed-%d-0.tmp", os.Getpid())
	if err := os.WriteFile(stale, []byte("stale"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile("out", say("three")); err != nil {
		t.Fatal(err)
	}
	want("out", "three")
	want(stale, "stale")
	if err := os.Remove(stale); err != nil {
		t.Fatal(err)
	}
	noTemp()

	if err := WriteFile("no/out", say("x")); err == nil || !errors.Is(err, fs.ErrNotExist) ||
		!strings.HasPrefix(err.Error(), "no/out: ") {
		t.Errorf("missing folder: %v", err)
	}
	if err := WriteFile("out/out", say("x")); err == nil || !strings.HasPrefix(err.Error(), "out/out: ") {
		t.Errorf("file as folder: %v", err)
	}
	if err := os.Mkdir("dir", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile("dir", say("x")); err == nil || err.Error() != "dir: is a directory" {
		t.Errorf("directory: %v", err)
	}

	if err := os.Symlink("out", "link"); err != nil {
		t.Skip("no symbolic links here")
	}
	if err := WriteFile("link", say("four")); err != nil {
		t.Fatal(err)
	}
	want("out", "four")
	if info, err := os.Lstat("link"); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
}

func TestWriteFileAt(t *testing.T) {
	t.Chdir(t.TempDir())
	backwards := func(f ReadWriterAt) error {
		if _, err := f.WriteAt([]byte("two"), 3); err != nil {
			return err
		}
		b := make([]byte, 3)
		if _, err := f.ReadAt(b, 3); err != nil {
			return err
		}
		_, err := f.WriteAt([]byte("one"), 0)
		return err
	}
	want := func(text string) {
		t.Helper()
		if got, err := os.ReadFile("out"); err != nil || string(got) != text {
			t.Errorf("out holds %q, %v; want %q", got, err, text)
		}
	}
	if err := WriteFileAt("out", backwards); err != nil {
		t.Fatal(err)
	}
	want("onetwo")
	stop := errors.New("stop")
	err := WriteFileAt("out", func(f ReadWriterAt) error {
		f.WriteAt([]byte("three"), 0)
		return stop
	})
	if err != stop {
		t.Errorf("got error %v, want %v", err, stop)
	}
	want("onetwo")
	// The system's reason wins over what write makes of it, and reading to the
	// end is none.
	err = WriteFileAt("out", func(f ReadWriterAt) error {
		f.WriteAt([]byte("x"), -1)
		return stop
	})
	if err == nil || err == stop || !strings.HasPrefix(err.Error(), "out: ") {
		t.Errorf("got error %v", err)
	}
	err = WriteFileAt("out", func(f ReadWriterAt) error {
		f.ReadAt(make([]byte, 1), 0)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	want("")
	if left, _ := filepath.Glob(".heed-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := WriteFileAt(".", backwards); err == nil || err.Error() != ".: is a directory" {
		t.Errorf("directory: %v", err)
	}
	if _, err := os.Stat("/dev/null"); err == nil {
		err := WriteFileAt("/dev/null", backwards)
		if err == nil || err.Error() != "/dev/null: is not a regular file, and this format needs one" {
			t.Errorf("device: %v", err)
		}
	}
}

func mode(path string) fs.FileMode {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Mode()
}

func TestWriteFileFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	hidden := errors.New("the caller hides the reason")
	for _, n := range []int{1, 1 << 20} {
		err := WriteFile("/dev/full", func(w io.Writer) error {
			if _, err := w.Write(make([]byte, n)); err != nil {
				return hidden
			}
			return nil
		})
		if err == nil || err.Error() != "/dev/full: no space left on device" {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if mode("/dev/full").IsRegular() {
		t.Error("the device was replaced")
	}
}

// Writers of one folder share the names of their temporary files; none may
// remove what another has just created.
func TestWriteFileConcurrently(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 100 {
				path := filepath.Join(dir, fmt.Sprintf("%d-%d", w, i))
				err := WriteFile(path, func(o io.Writer) error { _, err := o.Write([]byte(path)); return err })
				if err != nil {
					t.Error(err)
					return
				}
				if b, err := os.ReadFile(path); err != nil || string(b) != path {
					t.Errorf("%s holds %q, %v", path, b, err)
				}
			}
		}()
	}
	wg.Wait()
	if left, _ := filepath.Glob(filepath.Join(dir, ".heed*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

package npy

import (
	"archive/zip"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"
)

// A Writer writes a .npz file, array by array.
type Writer struct {
	// Stored leaves out the compression, as numpy.savez does; without it files
	// are those of numpy.savez_compressed.
	Stored bool

	zip   *zip.Writer
	names map[string]bool
}

// NewWriter begins an archive on w; [heed/format.WriteFile] gives a w that appears
// whole or not at all.
func NewWriter(w io.Writer) *Writer {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.DefaultCompression)
	})
	return &Writer{zip: z, names: make(map[string]bool)}
}

// Add writes the array of a name, which numpy.load shows as a key; data and shape
// are those of [Write]. Each name comes once. It may have slashes, but must not
// lead out of a folder into which somebody unpacks the archive.
func (w *Writer) Add(name string, data any, shape ...int) error {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	if name == "" || name[0] == '/' || strings.ContainsFunc(name, control) || strings.Contains(name, `\`) || slices.Contains(strings.Split(name, "/"), "..") {
		return fmt.Errorf("npy: %s is no name for an array", show(name))
	}
	if w.names[name] {
		return fmt.Errorf("npy: two arrays are called %s", show(name))
	}
	w.names[name] = true
	h := zip.FileHeader{Name: name + ".npy", Method: zip.Deflate}
	if w.Stored {
		h.Method = zip.Store
	}
	f, err := w.zip.CreateHeader(&h)
	if err != nil {
		return err
	}
	return Write(f, data, shape...)
}

// Close writes the directory. It does not close the underlying writer.
func (w *Writer) Close() error { return w.zip.Close() }

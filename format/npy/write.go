package npy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// magic begins every file.
const magic = "\x93NUMPY"

// Write writes an array of float32 of the given shape, version 1.0, in the order
// of C. The product of the shape must be the number of values.
func Write(w io.Writer, data []float32, shape ...int) error {
	size := 1
	for _, n := range shape {
		size *= n
	}
	if size != len(data) {
		return fmt.Errorf("npy: %d values for shape %v", len(data), shape)
	}
	dims := make([]string, len(shape))
	for i, n := range shape {
		dims[i] = fmt.Sprint(n)
	}
	list := strings.Join(dims, ", ")
	if len(shape) == 1 {
		list += ","
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", list)
	// The data begins at a multiple of 64, and the header ends in a line feed.
	pad := 63 - (len(magic)+4+len(header))%64
	header += strings.Repeat(" ", pad) + "\n"
	var b bytes.Buffer
	b.WriteString(magic + "\x01\x00")
	b.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(header))))
	b.WriteString(header)
	if _, err := w.Write(b.Bytes()); err != nil {
		return err
	}
	const chunk = 1 << 14
	buf := make([]byte, 0, 4*chunk)
	for len(data) > 0 {
		n := min(chunk, len(data))
		buf = buf[:0]
		for _, v := range data[:n] {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// A Writer writes an .npz archive, array by array.
type Writer struct{ zip *zip.Writer }

// NewWriter begins an archive.
func NewWriter(w io.Writer) *Writer { return &Writer{zip.NewWriter(w)} }

// Add writes the array of a name, which numpy.load shows as a key.
func (w *Writer) Add(name string, data []float32, shape ...int) error {
	f, err := w.zip.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Deflate})
	if err != nil {
		return err
	}
	return Write(f, data, shape...)
}

// Close ends the archive.
func (w *Writer) Close() error { return w.zip.Close() }

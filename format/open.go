package format

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/gzip"
)

// Open opens a file for reading from its start to its end and decompresses it
// if its first bytes, not its name, say that it is gzip (bgzip included).
//
// The errors are those a user can act on: "p.fa: no such file" (which is
// [fs.ErrNotExist]), "p.fa: is a directory", "p.fa: permission denied". A
// compression other than gzip is [ErrUnsupported]. A gzip stream that is cut off
// or damaged makes Read fail with [ErrInvalid]. An empty file is no error here:
// what it means is up to the reader of the format.
func Open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, pathError(path, err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, &Error{Name: path, Err: &cause{"is a directory", ErrInvalid}}
	}
	r, err := NewReader(path, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &file{r, f}, nil
}

type file struct {
	io.Reader
	io.Closer
}

// NewReader is [Open] for a stream that is open already, such as the standard
// input; name stands for it in errors. The caller closes r.
func NewReader(name string, r io.Reader) (io.Reader, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	magic, err := br.Peek(10)
	if err != nil && err != io.EOF {
		return nil, pathError(name, err)
	}
	if kind := compression(magic); kind != "" {
		return nil, Unsupportedf(name, 0, "%s compression; decompress it or use gzip", kind)
	}
	if !bytes.HasPrefix(magic, []byte{0x1f, 0x8b}) {
		return &reader{name, br}, nil
	}
	return Gunzip(name, br)
}

// Gunzip decompresses a gzip stream; its errors name what is read.
func Gunzip(name string, r io.Reader) (io.Reader, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, gzipError(name, err)
	}
	return &gzipReader{name, z}, nil
}

// OpenRegular opens a file that is read at places of one's choice, and tells its
// size in bytes. It does not decompress. The caller closes the file.
func OpenRegular(path string) (f *os.File, size int64, err error) {
	f, err = os.Open(path)
	if err != nil {
		return nil, 0, PathError(path, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = InvalidAt(path, 0, "is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// compression names the compression that data begins with, except gzip.
func compression(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("BZh")) && bytes.HasSuffix(data, []byte("1AY&SY")):
		return "bzip2"
	case bytes.HasPrefix(data, []byte("\xfd7zXZ\x00")):
		return "xz"
	case bytes.HasPrefix(data, []byte("\x28\xb5\x2f\xfd")):
		return "zstd"
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return "zip"
	}
	return ""
}

// A reader gives the errors of r the name that the user knows.
type reader struct {
	name string
	r    io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = pathError(r.name, err)
	}
	return n, err
}

// A gzipReader turns the errors of decompression into invalid input.
type gzipReader struct {
	name string
	z    *gzip.Reader
}

func (r *gzipReader) Read(p []byte) (int, error) {
	n, err := r.z.Read(p)
	if err != nil && err != io.EOF {
		err = gzipError(r.name, err)
	}
	return n, err
}

func gzipError(name string, err error) error {
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return pathError(name, err)
	case errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF:
		return Invalidf(name, 0, "gzip stream is cut off")
	}
	return Invalidf(name, 0, "gzip stream is damaged: %w", err)
}

// PathError returns an error of package os in the form of this package, under
// the name that the user gave: "p.fa: no such file".
func PathError(path string, err error) error { return pathError(path, err) }

// pathError puts the path the user gave in the place of the operation and the
// path that package os reports.
func pathError(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = &cause{"no such file", err}
	}
	return &Error{Name: path, Err: err}
}

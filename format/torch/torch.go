// Package torch reads the files that PyTorch's torch.save writes, the form in
// which most published weights lie on disk (".pt", ".pth", ".bin").
//
// Such a file is a pickle, a program for a small stack machine of Python, with
// the values of its tensors beside it. Out of this package flow plain data: a
// [Dict] for a dictionary, a [*Tensor] for a tensor, an [*Object] for an
// instance of any other class, of which nothing is known but its name and the
// parts that it was made of. The machine has no instruction that calls
// anything: nothing in a file can be executed.
//
//	f, err := torch.Open("esm2_t6_8M_UR50D.pt")
//	defer f.Close()
//	weights := f.Root.(*torch.Dict).Get("model").(*torch.Dict)
//	x, err := f.Floats(weights.Get("encoder.lm_head.bias").(*torch.Tensor))
//
// Two layouts exist. Since version 1.6 a file is a zip archive, whose entries
// are stored without compression: NAME/data.pkl, and one entry NAME/data/KEY
// for each storage. Before, it was a stream of five pickles followed by the
// storages. Both are read; the tar layout of versions before 0.1.10 is not, nor
// are TorchScript programs, big-endian files and compressed entries.
//
// Opening reads the pickle alone, so that shapes can be checked before any
// values are read. Errors are of type *format.Error, with the offset of the
// instruction or the tensor that is at fault.
package torch

import (
	"bytes"
	"errors"
	"io"
	"os"

	"heed/format"
)

// Limits of what is read. The largest published models have a few thousand
// tensors, each of which takes some thirty values.
const (
	MaxPickle  = 64 << 20 // bytes of one pickle
	MaxValues  = 1 << 20  // that a pickle puts on its stack
	MaxEntries = 1 << 17  // of the zip archive
	MaxRank    = 16
)

// A File is an open file of PyTorch.
type File struct {
	Name string // for messages
	Root any    // what was saved

	r        io.ReaderAt
	size     int64
	storages map[string]*storage
	closer   io.Closer
}

// Open reads the structure of a file. Close it when the values have been read.
func Open(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, format.PathError(path, err)
	}
	st, err := r.Stat()
	if err != nil {
		r.Close()
		return nil, format.PathError(path, err)
	}
	f, err := Read(path, r, st.Size())
	if err != nil {
		r.Close()
		if st.IsDir() {
			return nil, format.PathError(path, errors.New("is a directory"))
		}
		return nil, err
	}
	f.closer = r
	return f, nil
}

// Read is Open for r, of the given size, which must stay readable while values
// are wanted. Errors are of type *format.Error, except for those of r.
func Read(name string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{Name: name, r: r, size: size, storages: map[string]*storage{}}
	start := make([]byte, min(size, 512))
	if err := f.readAt(start, 0); err != nil {
		return nil, err
	}
	var err error
	switch {
	case bytes.HasPrefix(start, []byte("PK\x03\x04")):
		err = f.readZip()
	case bytes.HasPrefix(start, legacyMagic):
		err = f.readLegacy()
	case len(start) >= 262 && string(start[257:262]) == "ustar":
		err = format.UnsupportedAt(name, 0, "the tar layout of PyTorch before 0.1.10; load it there and save it again")
	default:
		err = format.InvalidAt(name, 0, "not a file of PyTorch: neither a zip archive nor the stream of older versions")
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Close closes the file that Open opened.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// readAt fills b. A file that ends early has shrunk since its size was taken.
func (f *File) readAt(b []byte, offset int64) error {
	n, err := f.r.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return format.InvalidAt(f.Name, offset+int64(n), "the file ends early")
	}
	return err
}

package npy

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/flate"

	"heed/format"
)

// An Archive reads the arrays of a .npz file, each when it is asked for.
type Archive struct {
	Reader // of each array

	name  string
	names []string
	files map[string]*zip.File
	file  *os.File // of Open
}

// Open opens a .npz file. The caller closes the Archive.
func Open(path string) (*Archive, error) {
	f, size, err := format.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	a, err := NewArchive(path, f, size)
	if err != nil {
		f.Close()
		return nil, err
	}
	a.file = f
	return a, nil
}

// NewArchive reads the directory of a .npz file of the given size in bytes; name
// stands for it in errors.
func NewArchive(name string, r io.ReaderAt, size int64) (*Archive, error) {
	z, err := zip.NewReader(r, size)
	if errors.Is(err, zip.ErrFormat) {
		return nil, format.InvalidAt(name, 0, "not npz: %w", err)
	} else if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are never paths here
		return nil, format.ReadError(name, 0, err)
	}
	z.RegisterDecompressor(zip.Deflate, flate.NewReader)
	a := &Archive{name: name, files: make(map[string]*zip.File)}
	for _, f := range z.File {
		short, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			continue
		}
		if strings.ContainsFunc(f.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, format.InvalidAt(name, 0, "control character in the name %s", show(f.Name))
		}
		if a.files[short] != nil {
			return nil, format.InvalidAt(name, 0, "two arrays are called %s", show(short))
		}
		a.files[short] = f
		a.names = append(a.names, short)
	}
	return a, nil
}

// Close closes the file of an Archive that [Open] returned.
func (a *Archive) Close() error {
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}

// Names returns the names of the arrays, without ".npy", in the order of the
// file. Members of the archive that are no arrays are passed over.
func (a *Archive) Names() []string { return a.names }

// Read reads one array. Errors have the name "data.npz(x.npy)".
func (a *Archive) Read(name string) (Array, error) {
	f := a.files[name]
	if f == nil {
		return Array{}, format.InvalidAt(a.name, 0, "no array %s; there are %s", show(name), list(a.names))
	}
	full := fmt.Sprintf("%s(%s)", a.name, f.Name)
	if f.Flags&1 != 0 {
		return Array{}, format.UnsupportedAt(full, 0, "array is encrypted")
	}
	r, err := f.Open()
	if errors.Is(err, zip.ErrAlgorithm) {
		return Array{}, format.UnsupportedAt(full, 0, "compression method %d; stored and deflated archives are read", f.Method)
	}
	if err != nil {
		return Array{}, format.InvalidAt(full, 0, "archive is damaged: %w", err)
	}
	defer r.Close()
	return a.Reader.Read(full, damage{full, r})
}

// damage tells errors of decompression, and of the check of the sum at the end,
// from those of the system.
type damage struct {
	name string
	r    io.Reader
}

func (d damage) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) {
		err = format.InvalidAt(d.name, 0, "archive is damaged: %w", err)
	}
	return n, err
}

// list prints names, as far as a message can bear it.
func list(names []string) string {
	const most = 10
	if len(names) == 0 {
		return "none"
	}
	var b strings.Builder
	for i, n := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(show(n))
	}
	return b.String()
}

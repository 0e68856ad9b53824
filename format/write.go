package format

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile makes path hold what write writes, whole or not at all: the bytes go
// to a temporary file in the same folder, which is flushed to the disk and then
// renamed to path. If anything fails, the temporary file is removed and a file
// that was at path before is as it was. Writes are buffered.
//
// The permissions of a file that is replaced are kept, and a symbolic link is
// followed. A device or a pipe, such as /dev/stdout, cannot be renamed to and is
// written directly.
//
// An error of the system names path, not the temporary file:
// "out.csv: no space left on device". An error of write is returned as it is.
func WriteFile(path string, write func(w io.Writer) error) error {
	target, mode, err := destination(path)
	if err != nil {
		return err
	}
	if !mode.IsRegular() {
		return writeDevice(path, write)
	}
	return replace(path, target, mode, func(f *os.File) error { return writeBuffered(f, path, write) })
}

// A ReadWriterAt is a file that is written in any order, and read again
// meanwhile.
type ReadWriterAt interface {
	io.ReaderAt
	io.WriterAt
}

// WriteFileAt is [WriteFile] for formats that cannot be written from start to
// end, such as bigWig, whose header holds places only known at the end. The file
// is empty when write gets it. Writes are not buffered. A device or a pipe cannot
// be written so.
func WriteFileAt(path string, write func(f ReadWriterAt) error) error {
	target, mode, err := destination(path)
	if err != nil {
		return err
	}
	if !mode.IsRegular() {
		return &Error{Name: path, Err: &cause{"is not a regular file, and this format needs one", fs.ErrInvalid}}
	}
	return replace(path, target, mode, func(f *os.File) error {
		w := &sinkAt{f: f}
		err := write(w)
		if w.err != nil {
			return writeError(path, w.err)
		}
		return err
	})
}

// destination follows links to the file that path will be, and returns its mode,
// 0 for one that does not exist.
func destination(path string) (target string, mode fs.FileMode, err error) {
	target = path
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		target = resolved
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return target, 0, nil
	case info.IsDir():
		return "", 0, &Error{Name: path, Err: &cause{"is a directory", fs.ErrExist}}
	}
	return target, info.Mode(), nil
}

// replace runs write on a temporary file and renames that to target.
func replace(path, target string, mode fs.FileMode, write func(f *os.File) error) error {
	f, err := createTemp(filepath.Dir(target))
	if err != nil {
		return writeError(path, err)
	}
	// On any way out but the last (a panic of write too), clean up. After the
	// rename the temporary name may already be another writer's.
	renamed := false
	defer func() {
		f.Close()
		if !renamed {
			os.Remove(f.Name())
		}
	}()
	if mode != 0 {
		if err := f.Chmod(mode.Perm()); err != nil {
			return writeError(path, err)
		}
	}
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return writeError(path, err)
	}
	if err := f.Close(); err != nil {
		return writeError(path, err)
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return writeError(path, err)
	}
	renamed = true
	return nil
}

// createTemp creates a new file in dir. Unlike os.CreateTemp it leaves the
// permissions to the user's umask, as for any other output file.
func createTemp(dir string) (*os.File, error) {
	for i := 0; ; i++ {
		name := filepath.Join(dir, fmt.Sprintf(".heed-%d-%d.tmp", os.Getpid(), i))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) && i < 10000 {
			continue
		}
		return f, err
	}
}

func writeDevice(path string, write func(w io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return writeError(path, err)
	}
	defer f.Close()
	if err := writeBuffered(f, path, write); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return writeError(path, err)
	}
	return nil
}

// writeBuffered runs write on f. The first error of f wins over what write makes
// of it, because only the former says what happened.
func writeBuffered(f *os.File, path string, write func(w io.Writer) error) error {
	w := &sink{f: f}
	b := bufio.NewWriterSize(w, 64<<10)
	err := write(b)
	if err == nil {
		err = b.Flush()
	}
	if w.err != nil {
		return writeError(path, w.err)
	}
	return err
}

// A sink remembers the first error of a file.
type sink struct {
	f   *os.File
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.f.Write(p)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

// A sinkAt is a sink for WriteFileAt.
type sinkAt struct {
	f   *os.File
	err error
}

func (s *sinkAt) WriteAt(p []byte, offset int64) (int, error) {
	n, err := s.f.WriteAt(p, offset)
	if err != nil && s.err == nil {
		s.err = err
	}
	return n, err
}

func (s *sinkAt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := s.f.ReadAt(p, offset)
	if err != nil && err != io.EOF && s.err == nil {
		s.err = err
	}
	return n, err
}

// writeError puts the path the user gave in the place of the temporary one.
func writeError(path string, err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		err = p.Err
	case errors.As(err, &l):
		err = l.Err
	}
	return &Error{Name: path, Err: err}
}

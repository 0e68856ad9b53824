package ehr

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"heed/format"
	"heed/format/rows"
)

// An input is a file of a source, on the disk or inside a zip.
type input struct {
	name string // below the source, for messages
	path string // on the disk: of the file, or of the zip around it
	open func() (io.ReadCloser, error)
}

// inputs lists the files of a source, which is one file, a folder or a zip, by name.
// What macOS and others leave in folders is passed over.
func inputs(src string) ([]input, error) {
	info, err := os.Stat(src)
	if err != nil {
		return nil, format.PathError(src, err)
	}
	if !info.IsDir() {
		if strings.HasSuffix(strings.ToLower(src), ".zip") {
			return zipped(src)
		}
		return []input{{filepath.Base(src), src, func() (io.ReadCloser, error) { return format.Open(src) }}}, nil
	}
	var out []input
	err = filepath.WalkDir(src, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return format.PathError(path, err)
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if e.IsDir() && path != src && hidden(rel) {
			return filepath.SkipDir
		}
		if !e.IsDir() && !hidden(rel) {
			out = append(out, input{rel, path, func() (io.ReadCloser, error) { return format.Open(path) }})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b input) int { return strings.Compare(a.name, b.name) })
	return out, err
}

func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" {
			return true
		}
	}
	return false
}

func zipped(src string) ([]input, error) {
	z, err := zip.OpenReader(src)
	if err != nil {
		if errors.Is(err, zip.ErrFormat) {
			return nil, format.InvalidAt(src, 0, "zip file is damaged or cut off")
		}
		return nil, format.PathError(src, err)
	}
	defer z.Close()
	var out []input
	for _, f := range z.File {
		if f.FileInfo().IsDir() || hidden(f.Name) {
			continue
		}
		name := f.Name
		out = append(out, input{name, src, func() (io.ReadCloser, error) { return openZipped(src, name) }})
	}
	slices.SortFunc(out, func(a, b input) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// openZipped opens one file of a zip, which is decompressed if it is gzip.
func openZipped(src, name string) (io.ReadCloser, error) {
	z, err := zip.OpenReader(src)
	if err != nil {
		return nil, format.PathError(src, err)
	}
	f, err := z.Open(name)
	if err != nil {
		z.Close()
		return nil, format.InvalidAt(src, 0, "%w", err)
	}
	r, err := format.NewReader(name, f)
	if err != nil {
		z.Close()
		return nil, err
	}
	return &twoClosers{r, f, z}, nil
}

type twoClosers struct {
	io.Reader
	a, b io.Closer
}

func (t *twoClosers) Close() error { return errors.Join(t.a.Close(), t.b.Close()) }

// tableName is the name of a file without its folder and its ends, in lower case:
// "cdm/PERSON.csv.gz" is the table person.
func tableName(name string) (table, kind string) {
	base := strings.ToLower(filepath.Base(name))
	base = strings.TrimSuffix(base, ".gz")
	ext := filepath.Ext(base)
	return strings.TrimSuffix(base, ext), strings.TrimPrefix(ext, ".")
}

// rowsOf opens a table.
func (in input) rowsOf() (rows.Reader, error) {
	if _, kind := tableName(in.name); kind == "parquet" {
		if strings.HasSuffix(strings.ToLower(in.path), ".zip") {
			return nil, format.UnsupportedAt(in.path, 0, "parquet files inside a zip; unpack it")
		}
		return rows.OpenParquet(in.path)
	}
	r, err := in.open()
	if err != nil {
		return nil, err
	}
	return rows.NewCSV(in.name, r)
}

// Package pages looks at a parquet file before parquet-go decodes it. That library
// allocates whatever a file claims: a footer of 4 GB, a list of two thousand million
// elements, a page that says it unpacks to 2 GB, runs of values without end, and it
// doubles its buffer for ever on a damaged page of LZ4. Here every size is held
// against what is there, and against a limit, first.
//
// Bytes flow in through an io.ReaderAt; an error comes out, or a file and its row
// groups that are safe to read. What parquet-go finds by itself (checksums, types,
// indices outside of a dictionary) is not repeated, and its panics are the caller's
// to recover.
package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	pformat "github.com/parquet-go/parquet-go/format"
)

// The kinds of errors other than damage.
var (
	ErrTooLarge    = errors.New("too large")
	ErrUnsupported = errors.New("not supported")
)

// Limits. Writers make pages of about a mebibyte and footers of some kilobytes.
const (
	MaxFooter   = 256 << 20
	MaxElements = 1 << 21  // members of lists in the footer, all together
	MaxColumns  = 16 << 10 // with the groups among them
	MaxDepth    = 32       // of columns in columns
	MaxPage     = 256 << 20
	MaxValues   = 1 << 24 // of a page; a run of one value takes hardly a byte
)

// An Error says what is wrong, and perhaps of which kind it is.
type Error struct {
	Offset int64
	Text   string
	Kind   error // ErrTooLarge, ErrUnsupported, or nil for damage
}

func (e *Error) Error() string { return e.Text }
func (e *Error) Unwrap() error { return e.Kind }

func damaged(at int64, text string, args ...any) error {
	return &Error{at, fmt.Sprintf(text, args...), nil}
}

func tooLarge(at int64, text string, args ...any) error {
	return &Error{at, fmt.Sprintf(text, args...), ErrTooLarge}
}

func unsupported(at int64, text string, args ...any) error {
	return &Error{at, fmt.Sprintf(text, args...), ErrUnsupported}
}

// A File is a parquet file whose footer is safe.
type File struct {
	*parquet.File
	r    io.ReaderAt
	size int64
	meta *pformat.FileMetaData

	buf, out []byte // a page, as it is and unpacked
	decoder  *zstd.Decoder
}

// Open checks the footer and opens the file.
func Open(r io.ReaderAt, size int64, config *parquet.FileConfig) (*File, error) {
	meta, err := footer(r, size)
	if err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(r, size, config)
	if err != nil {
		return nil, err
	}
	return &File{File: file, r: r, size: size, meta: meta}, nil
}

func footer(r io.ReaderAt, size int64) (*pformat.FileMetaData, error) {
	var head [4]byte
	var tail [8]byte
	if size < 12 {
		return nil, damaged(0, "%d bytes are no parquet file", size)
	}
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return nil, err
	}
	switch magic := []byte("PAR1"); {
	case bytes.Equal(head[:], []byte("PARE")), bytes.Equal(tail[4:], []byte("PARE")):
		return nil, unsupported(0, "encrypted parquet")
	case !bytes.Equal(head[:], magic):
		return nil, damaged(0, "no parquet file: it does not begin with PAR1")
	case !bytes.Equal(tail[4:], magic):
		return nil, damaged(size-4, "parquet file is cut off: it does not end with PAR1")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	switch {
	case n > size-12:
		return nil, damaged(size-8, "parquet file is damaged: a footer of %d bytes in a file of %d", n, size)
	case n > MaxFooter:
		return nil, tooLarge(size-8, "a footer of %d bytes, limit %d", n, MaxFooter)
	}
	text := make([]byte, n)
	if _, err := r.ReadAt(text, size-8-n); err != nil {
		return nil, err
	}
	w := walker{b: text}
	if err := w.message(); err != nil {
		if errors.Is(err, errElements) {
			return nil, tooLarge(size-8-n, "a footer of more than %d elements", MaxElements)
		}
		return nil, damaged(size-8-n+int64(w.at), "parquet file is damaged: footer: %v", err)
	}
	meta := new(pformat.FileMetaData)
	if err := thrift.NewDecoder((&thrift.CompactProtocol{}).NewReaderFromBytes(text)).Decode(meta); err != nil {
		return nil, damaged(size-8-n, "parquet file is damaged: footer: %v", err)
	}
	return meta, schema(meta, size-8-n)
}

// schema checks what parquet-go computes with before it looks: the depth of columns,
// the number of their parts, and that each group of rows has them all.
func schema(meta *pformat.FileMetaData, at int64) error {
	if len(meta.Schema) == 0 {
		return damaged(at, "parquet file is damaged: no schema")
	}
	if len(meta.Schema) > MaxColumns {
		return tooLarge(at, "%d columns, limit %d", len(meta.Schema), MaxColumns)
	}
	var open []int32 // children still to come, by depth
	leaves := 0
	for i := range meta.Schema {
		s := &meta.Schema[i]
		if s.Type.Valid {
			leaves++
		}
		if s.TypeLength.Valid && (s.TypeLength.V < 0 || s.TypeLength.V > 1<<16) {
			return tooLarge(at, "a column of values of %d bytes, limit %d", s.TypeLength.V, 1<<16)
		}
		if n := s.NumChildren; n.Valid && n.V > 0 {
			if open = append(open, n.V); len(open) > MaxDepth {
				return tooLarge(at, "columns in columns, more than %d deep", MaxDepth)
			}
			continue
		}
		for len(open) > 0 {
			if open[len(open)-1]--; open[len(open)-1] > 0 {
				break
			}
			open = open[:len(open)-1]
		}
	}
	if meta.NumRows < 0 {
		return damaged(at, "parquet file is damaged: %d rows", meta.NumRows)
	}
	for i := range meta.RowGroups {
		g := &meta.RowGroups[i]
		if len(g.Columns) != leaves {
			return damaged(at, "parquet file is damaged: row group %d has %d columns, the schema %d", i+1, len(g.Columns), leaves)
		}
		if g.NumRows < 0 {
			return damaged(at, "parquet file is damaged: row group %d has %d rows", i+1, g.NumRows)
		}
		for k := range g.Columns {
			if a, b := g.Columns[k].MetaData.Codec, meta.RowGroups[0].Columns[k].MetaData.Codec; a != b {
				return unsupported(at, "a column that is packed by %v in one row group and by %v in another", b, a)
			}
		}
	}
	return nil
}

package rows

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	pformat "github.com/parquet-go/parquet-go/format"

	"heed/format"
	"heed/internal/pages"
)

// A Parquet reads a flat parquet file.
type Parquet struct {
	name    string
	f       *os.File
	columns []string
	kinds   []*pformat.LogicalType
	file    *pages.File
	group   int // the next
	rows    parquet.Rows
	buf     []parquet.Row
	at, n   int
	row     int
	fields  []string
}

// OpenParquet opens a parquet file. Nested columns are left out.
func OpenParquet(path string) (r *Parquet, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, format.PathError(path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	defer damaged(path, &err)
	info, err := f.Stat()
	if err != nil {
		return nil, format.PathError(path, err)
	}
	file, err := pages.Open(f, info.Size(), &parquet.FileConfig{SkipPageIndex: true, SkipBloomFilters: true})
	if err != nil {
		return nil, pageError(path, err)
	}
	leaves := file.Schema().Columns()
	if len(leaves) > MaxFields {
		return nil, format.TooLargeAt(path, 0, "%d columns, limit %d", len(leaves), MaxFields)
	}
	r = &Parquet{name: path, f: f, file: file, buf: make([]parquet.Row, 256)}
	for _, leaf := range leaves {
		name := ""
		c := file.Root().Column(leaf[0])
		if len(leaf) == 1 && c.MaxRepetitionLevel() == 0 {
			name = strings.ToLower(leaf[0])
		}
		r.columns = append(r.columns, name)
		r.kinds = append(r.kinds, nil)
		if name != "" {
			r.kinds[len(r.kinds)-1] = c.Type().LogicalType()
		}
	}
	r.fields = make([]string, len(r.columns))
	return r, nil
}

// pageError gives an error of package pages its place and kind.
func pageError(name string, err error) error {
	var e *pages.Error
	switch {
	case !errors.As(err, &e):
		return format.InvalidAt(name, 0, "parquet file is damaged: %w", err)
	case e.Kind == pages.ErrTooLarge:
		return format.TooLargeAt(name, e.Offset, "%w", err)
	case e.Kind == pages.ErrUnsupported:
		return format.UnsupportedAt(name, e.Offset, "%w", err)
	}
	return format.InvalidAt(name, e.Offset, "%w", err)
}

func damaged(name string, err *error) {
	if x := recover(); x != nil {
		*err = format.InvalidAt(name, 0, "parquet file is damaged: %v", x)
	}
}

// Columns returns the names of the columns in lower case; nested ones have none.
func (r *Parquet) Columns() []string { return r.columns }

// Next returns the next row as text; nulls are empty.
func (r *Parquet) Next() (fields []string, row int, err error) {
	defer damaged(r.name, &err)
	for r.at == r.n {
		if r.rows == nil {
			groups := r.file.RowGroups()
			if r.group == len(groups) {
				return nil, 0, io.EOF
			}
			if err := r.file.CheckGroup(r.group); err != nil {
				return nil, r.row, pageError(r.name, err)
			}
			r.rows = groups[r.group].Rows()
			r.group++
		}
		n, err := r.rows.ReadRows(r.buf)
		r.at, r.n = 0, n
		if n == 0 {
			r.rows.Close()
			r.rows = nil
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, r.row, format.InvalidAt(r.name, 0, "parquet file is damaged after row %d: %w", r.row, err)
			}
		}
	}
	clear(r.fields)
	for _, v := range r.buf[r.at] {
		if i := v.Column(); i >= 0 && i < len(r.columns) && r.columns[i] != "" && !v.IsNull() {
			r.fields[i] = text(v, r.kinds[i])
		}
	}
	r.at++
	r.row++
	return r.fields, r.row, nil
}

// text returns a value as a CSV file would have it.
func text(v parquet.Value, kind *pformat.LogicalType) string {
	switch v.Kind() {
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean())
	case parquet.Int32:
		if kind != nil {
			if _, ok := kind.Value.(*pformat.DateType); ok {
				return time.Unix(int64(v.Int32())*86400, 0).UTC().Format("2006-01-02")
			}
		}
		return strconv.FormatInt(int64(v.Int32()), 10)
	case parquet.Int64:
		if kind != nil {
			if t, ok := kind.Value.(*pformat.TimestampType); ok {
				return stamp(v.Int64(), t)
			}
		}
		return strconv.FormatInt(v.Int64(), 10)
	case parquet.Float:
		return strconv.FormatFloat(float64(v.Float()), 'g', -1, 32)
	case parquet.Double:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return string(v.ByteArray())
	}
	return v.String()
}

func stamp(x int64, t *pformat.TimestampType) string {
	const layout = "2006-01-02 15:04:05.999999"
	switch t.Unit.Value.(type) {
	case *pformat.MilliSeconds:
		return time.UnixMilli(x).UTC().Format(layout)
	case *pformat.NanoSeconds:
		return time.Unix(0, x).UTC().Format(layout)
	}
	return time.UnixMicro(x).UTC().Format(layout)
}

// Close closes the file.
func (r *Parquet) Close() error {
	if r.rows != nil {
		r.rows.Close()
	}
	return r.f.Close()
}

package meds

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/parquet-go/parquet-go"

	"heed/format"
	"heed/internal/pages"
)

// maxColumns is how many a file may have; package pages has the other limits.
const maxColumns = 4096

// A Reader reads the events of one parquet file in the order in which they stand
// there, batch by batch. Memory is that of one page of each column.
type Reader struct {
	name   string
	f      *os.File
	file   *pages.File
	layout layout
	vocab  *Vocabulary
	number func(int64) (string, bool)

	group   int
	left    int64 // rows of the group
	row     int64 // of the file, read so far
	subject cursor[int64]
	time    cursor[int64]
	code    cursor[int32]
	value   cursor[float32]
	text    cursor[string]
	avail   cursor[int64]
}

// Open opens a parquet file of events. Codes get their numbers from v. The columns
// may stand in any order and others may be among them.
//
// A file that is no parquet file, that is cut off, or whose columns are not those of
// events is format.ErrInvalid or format.ErrUnsupported.
func Open(path string, v *Vocabulary) (*Reader, error) {
	f, file, err := openParquet(path)
	if err != nil {
		return nil, err
	}
	l, err := findColumns(path, file.Root())
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Reader{name: path, f: f, file: file, layout: l, vocab: v}, nil
}

// openParquet opens any parquet file and checks what parquet-go takes for granted.
func openParquet(path string) (f *os.File, file *pages.File, err error) {
	f, err = os.Open(path)
	if err != nil {
		return nil, nil, format.PathError(path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	defer damaged(path, &err)
	info, err := f.Stat()
	if err != nil {
		return nil, nil, format.PathError(path, err)
	}
	if info.IsDir() {
		return nil, nil, format.InvalidAt(path, 0, "is a directory")
	}
	file, err = pages.Open(f, info.Size(), &parquet.FileConfig{SkipPageIndex: true, SkipBloomFilters: true, ReadBufferSize: 256 << 10})
	if err != nil {
		return nil, nil, parquetError(path, err)
	}
	if n := len(file.Root().Columns()); n > maxColumns {
		return nil, nil, format.TooLargeAt(path, 0, "%d columns, limit %d", n, maxColumns)
	}
	return f, file, nil
}

// damaged turns a panic of parquet-go on a damaged file into an error. Files that
// break its assumptions deep inside a page are not all found before.
func damaged(name string, err *error) {
	if r := recover(); r != nil {
		*err = format.InvalidAt(name, 0, "parquet file is damaged: %v", r)
	}
}

func parquetError(name string, err error) error {
	var placed *format.Error
	var path *fs.PathError
	var page *pages.Error
	switch {
	case errors.As(err, &page) && page.Kind == pages.ErrTooLarge:
		return format.TooLargeAt(name, page.Offset, "%w", err)
	case errors.As(err, &page) && page.Kind == pages.ErrUnsupported:
		return format.UnsupportedAt(name, page.Offset, "%w", err)
	case errors.As(err, &page):
		return format.InvalidAt(name, page.Offset, "%w", err)
	case errors.As(err, &placed):
		return err
	case errors.As(err, &path):
		return format.PathError(name, err)
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return format.InvalidAt(name, 0, "parquet file is cut off")
	}
	return format.InvalidAt(name, 0, "parquet file is damaged: %w", err)
}

// Close closes the file.
func (r *Reader) Close() error {
	r.closePages()
	return r.f.Close()
}

// Rows returns the number of events in the file.
func (r *Reader) Rows() int64 { return r.file.NumRows() }

// Row returns how many events have been read.
func (r *Reader) Row() int64 { return r.row }

// NumberedCodes says what the numbers of a code column mean that holds numbers
// instead of codes, as MEDS-transforms writes them.
func (r *Reader) NumberedCodes(name func(int64) (string, bool)) { r.number = name }

// Next puts up to most events into c in place of what was there. After the last it
// returns io.EOF.
func (r *Reader) Next(c *Columns, most int) (err error) {
	defer damaged(r.name, &err)
	c.Reset()
	for r.left == 0 {
		groups := r.file.RowGroups()
		if r.group == len(groups) {
			return io.EOF
		}
		r.closePages()
		if err := r.openGroup(groups[r.group]); err != nil {
			return err
		}
		r.group++
	}
	n := int(min(int64(most), r.left))
	if c.Subject, err = r.subject.take(c.Subject, n); err != nil {
		return r.columnError("subject_id", err)
	}
	if c.Time, err = r.time.take(c.Time, n); err != nil {
		return r.columnError("time", err)
	}
	if c.Code, err = r.code.take(c.Code, n); err != nil {
		return r.columnError("code", err)
	}
	if c.Value, err = r.value.take(c.Value, n); err != nil {
		return r.columnError("numeric_value", err)
	}
	if c.Text, err = r.text.take(c.Text, n); err != nil {
		return r.columnError("text_value", err)
	}
	if c.Available, err = r.avail.take(c.Available, n); err != nil {
		return r.columnError("available_time", err)
	}
	r.row += int64(n)
	r.left -= int64(n)
	return nil
}

func (r *Reader) columnError(column string, err error) error {
	var placed *format.Error
	if errors.As(err, &placed) {
		return err
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return format.InvalidAt(r.name, 0, "parquet file is cut off in column %s, after row %d", column, r.row)
	}
	if errors.Is(err, errNull) {
		return format.InvalidAt(r.name, 0, "column %s has a null after row %d", column, r.row)
	}
	return format.InvalidAt(r.name, 0, "parquet file is damaged in column %s, after row %d: %w", column, r.row, err)
}

func (r *Reader) closePages() {
	r.subject.close()
	r.time.close()
	r.code.close()
	r.value.close()
	r.text.close()
	r.avail.close()
}

func (r *Reader) openGroup(g parquet.RowGroup) error {
	r.left = g.NumRows()
	chunks := g.ColumnChunks()
	l := &r.layout
	if err := r.file.CheckGroup(r.group, l.subject, l.time, l.code, l.value, l.text, l.available); err != nil {
		return parquetError(r.name, err)
	}
	pages := func(i int) (parquet.Pages, error) {
		if i < 0 {
			return nil, nil
		}
		if n := chunks[i].NumValues(); n != r.left {
			return nil, format.InvalidAt(r.name, 0, "row group %d has %d rows, but a column of %d values", r.group, r.left, n)
		}
		return chunks[i].Pages(), nil
	}
	var err [6]error
	r.subject.pages, err[0] = pages(l.subject)
	r.time.pages, err[1] = pages(l.time)
	r.code.pages, err[2] = pages(l.code)
	r.value.pages, err[3] = pages(l.value)
	r.text.pages, err[4] = pages(l.text)
	r.avail.pages, err[5] = pages(l.available)
	for _, err := range err {
		if err != nil {
			return err
		}
	}
	micros := func(s scale) func(int64) int64 {
		if s.mul == 1 && s.div == 1 {
			return nil
		}
		return func(t int64) int64 { return floorDiv(t*s.mul, s.div) }
	}
	r.subject.decode = func(dst []int64, p parquet.Page) ([]int64, error) { return integers(dst, p, 0, false, nil) }
	r.time.decode = func(dst []int64, p parquet.Page) ([]int64, error) {
		return integers(dst, p, Static, true, micros(l.scale))
	}
	r.avail.decode = func(dst []int64, p parquet.Page) ([]int64, error) {
		return integers(dst, p, Static, true, micros(l.availableScale))
	}
	var dict parquet.Dictionary
	var ids []int32
	r.code.decode = func(dst []int32, p parquet.Page) ([]int32, error) {
		if l.codeIsNumber {
			return r.numbered(dst, p)
		}
		if d := p.Dictionary(); d != nil && d != dict {
			dict, ids = d, ids[:0]
			data := d.Page().Data()
			b, offsets := data.ByteArray()
			for i := 0; i+1 < len(offsets); i++ {
				ids = append(ids, r.vocab.id(b[offsets[i]:offsets[i+1]]))
			}
		}
		return codes(dst, p, ids, r.vocab)
	}
	r.value.decode = numbers
	if l.value < 0 {
		r.value.decode, r.value.missing = nil, float32(math.NaN())
	}
	r.text.decode = texts
	r.text.omit, r.avail.omit = l.text < 0, l.available < 0
	return nil
}

func (r *Reader) numbered(dst []int32, p parquet.Page) ([]int32, error) {
	raw, err := integers(nil, p, 0, false, nil)
	if err != nil {
		return nil, err
	}
	for _, n := range raw {
		name, ok := "", false
		if r.number != nil {
			name, ok = r.number(n)
		}
		if !ok {
			return nil, format.UnsupportedAt(r.name, 0, "codes are numbers, and metadata/codes.parquet has no code/vocab_index that names all of them")
		}
		dst = append(dst, r.vocab.ID(name))
	}
	return dst, nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

var errNull = errors.New("null")

// A cursor reads one column page by page.
type cursor[T any] struct {
	pages   parquet.Pages
	decode  func(dst []T, p parquet.Page) ([]T, error)
	missing T    // of a column that the file does not have
	omit    bool // give nothing for a column that the file does not have
	page    []T  // decoded, of which at have been taken
	at      int
}

// take appends n values to dst.
func (c *cursor[T]) take(dst []T, n int) ([]T, error) {
	if c.pages == nil {
		if c.omit {
			return dst, nil
		}
		for range n {
			dst = append(dst, c.missing)
		}
		return dst, nil
	}
	for n > 0 {
		if c.at == len(c.page) {
			p, err := c.pages.ReadPage()
			if err != nil {
				return dst, err
			}
			c.page, err = c.decode(c.page[:0], p)
			c.at = 0
			parquet.Release(p)
			if err != nil {
				return dst, err
			}
		}
		k := min(n, len(c.page)-c.at)
		dst = append(dst, c.page[c.at:c.at+k]...)
		c.at += k
		n -= k
	}
	return dst, nil
}

func (c *cursor[T]) close() {
	if c.pages != nil {
		c.pages.Close()
	}
	c.pages, c.page, c.at = nil, c.page[:0], 0
}

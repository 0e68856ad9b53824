package pages

import (
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	pformat "github.com/parquet-go/parquet-go/format"
)

// maxHeader is the size of the head of a page; the smallest and the largest value of
// the page stand there.
const maxHeader = 1 << 20

// CheckGroup goes over all pages of some columns of a row group, or of all columns if
// none are named. It reads and unpacks them once, which costs little beside decoding.
func (f *File) CheckGroup(group int, columns ...int) error {
	g := &f.meta.RowGroups[group]
	leaves := f.leaves()
	if len(leaves) != len(g.Columns) {
		return damaged(0, "parquet file is damaged: %d columns of %d", len(leaves), len(g.Columns))
	}
	if len(columns) == 0 {
		for i := range leaves {
			columns = append(columns, i)
		}
	}
	for _, i := range columns {
		if i < 0 {
			continue
		}
		if err := f.chunk(&g.Columns[i].MetaData, leaves[i]); err != nil {
			return err
		}
	}
	return nil
}

// leaves returns the columns that hold values, in the order of the chunks.
func (f *File) leaves() []*parquet.Column {
	var all []*parquet.Column
	var add func(c *parquet.Column)
	add = func(c *parquet.Column) {
		if c.Leaf() {
			all = append(all, c)
		}
		for _, child := range c.Columns() {
			add(child)
		}
	}
	add(f.Root())
	return all
}

// chunk goes over the pages of one column, those that parquet-go would read.
func (f *File) chunk(m *pformat.ColumnMetaData, c *parquet.Column) error {
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = m.DictionaryPageOffset
	}
	if at < 0 || m.TotalCompressedSize < 0 || at > f.size || m.TotalCompressedSize > f.size-at {
		return damaged(0, "parquet file is damaged: column %s has %d bytes at %d, in a file of %d", c.Name(), m.TotalCompressedSize, at, f.size)
	}
	values := int64(0)
	for end := at + m.TotalCompressedSize; at < end; {
		h, n, err := f.header(at, end)
		if err != nil {
			return err
		}
		fail := func(text string, args ...any) error {
			return damaged(at, "parquet file is damaged: a page of column %s: %s", c.Name(), fmt.Sprintf(text, args...))
		}
		packed, unpacked := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
		v1, v2, dict := &h.DataPageHeader, &h.DataPageHeaderV2, &h.DictionaryPageHeader
		count := int64(max(v1.V.NumValues, v2.V.NumValues, dict.V.NumValues))
		switch {
		case packed < 0 || unpacked < 0 || v1.V.NumValues < 0 || v2.V.NumValues < 0 || dict.V.NumValues < 0:
			return fail("a negative size")
		case packed > end-at-int64(n):
			return fail("%d bytes, of which %d are there", packed, end-at-int64(n))
		case unpacked > MaxPage:
			return tooLarge(at, "a page of column %s that unpacks to %d bytes, limit %d", c.Name(), unpacked, MaxPage)
		case count > MaxValues, c.Type().Kind() == parquet.FixedLenByteArray && count*int64(c.Type().Length()) > MaxPage:
			return tooLarge(at, "a page of column %s with %d values, limit %d", c.Name(), count, MaxValues)
		}
		if v1.Valid || v2.Valid {
			if values += count; values > m.NumValues {
				return fail("more values than the %d of the column", m.NumValues)
			}
		}
		if err := f.page(at+int64(n), h, m.Codec, c, int(count)); err != nil {
			var e *Error
			if errors.As(err, &e) {
				return err
			}
			return fail("%v", err)
		}
		at += int64(n) + packed
	}
	return nil
}

// header reads the head of the page at a place, and returns its length too.
func (f *File) header(at, end int64) (*pformat.PageHeader, int, error) {
	for size := int64(512); ; size *= 8 {
		n := min(size, end-at)
		b, err := f.read(at, int(n))
		if err != nil {
			return nil, 0, err
		}
		w := walker{b: b}
		err = w.message()
		if err == errShort && n < end-at && size < maxHeader {
			continue
		}
		if err != nil {
			return nil, 0, damaged(at, "parquet file is damaged: head of a page: %v", err)
		}
		h := new(pformat.PageHeader)
		if err := thrift.NewDecoder((&thrift.CompactProtocol{}).NewReaderFromBytes(b[:w.at])).Decode(h); err != nil {
			return nil, 0, damaged(at, "parquet file is damaged: head of a page: %v", err)
		}
		return h, w.at, nil
	}
}

// read returns bytes that are valid until the next call.
func (f *File) read(at int64, n int) ([]byte, error) {
	if cap(f.buf) < n {
		f.buf = make([]byte, n)
	}
	b := f.buf[:n]
	if _, err := f.r.ReadAt(b, at); err != nil && !(err == io.EOF && n == 0) {
		return nil, err
	}
	return b, nil
}

// page unpacks one page and holds what its runs would expand to against the number of
// its values.
func (f *File) page(at int64, h *pformat.PageHeader, codec pformat.CompressionCodec, c *parquet.Column, count int) error {
	b, err := f.read(at, int(h.CompressedPageSize))
	if err != nil {
		return err
	}
	unpacked := int(h.UncompressedPageSize)
	switch h.Type {
	case pformat.DictionaryPage:
		if _, err = f.unpack(codec, b, unpacked); err != nil {
			return err
		}
		if e := h.DictionaryPageHeader.V.Encoding; e != pformat.Plain && e != pformat.PlainDictionary {
			return unsupported(at, "a dictionary in the encoding %v", e)
		}
		return nil
	case pformat.DataPage:
		p := &h.DataPageHeader.V
		if b, err = f.unpack(codec, b, unpacked); err != nil {
			return err
		}
		for _, l := range []struct {
			most int
			as   pformat.Encoding
		}{{c.MaxRepetitionLevel(), p.RepetitionLevelEncoding}, {c.MaxDefinitionLevel(), p.DefinitionLevelEncoding}} {
			if l.most == 0 {
				continue
			}
			if l.as != pformat.RLE {
				return unsupported(at, "levels in the encoding %v", l.as)
			}
			var level []byte
			if level, b, err = prefixed(b); err != nil {
				return err
			}
			if err := runs(level, bits.Len(uint(l.most)), count); err != nil {
				return err
			}
		}
		return f.values(at, p.Encoding, b, count)
	case pformat.DataPageV2:
		p := &h.DataPageHeaderV2.V
		for _, l := range []struct{ most, length int }{{c.MaxRepetitionLevel(), int(p.RepetitionLevelsByteLength)}, {c.MaxDefinitionLevel(), int(p.DefinitionLevelsByteLength)}} {
			if l.length < 0 || l.length > len(b) {
				return errShort
			}
			if l.most > 0 {
				if err := runs(b[:l.length], bits.Len(uint(l.most)), count); err != nil {
					return err
				}
			}
			b = b[l.length:]
		}
		if !p.IsCompressed.Valid || p.IsCompressed.V {
			if b, err = f.unpack(codec, b, unpacked); err != nil {
				return err
			}
		}
		return f.values(at, p.Encoding, b, count)
	}
	return unsupported(at, "a page of the type %v", h.Type)
}

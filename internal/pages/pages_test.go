package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	pformat "github.com/parquet-go/parquet-go/format"
)

// write makes a file of 1,000 rows in two pages or more of each column.
func write(t *testing.T, codec compress.Codec, as encoding.Encoding, version int) []byte {
	t.Helper()
	number, text := parquet.Leaf(parquet.Int64Type), parquet.String()
	if as != nil {
		if as.Encoding() != pformat.DeltaByteArray && as.Encoding() != pformat.DeltaLengthByteArray {
			number = parquet.Encoded(number, as)
		}
		if as.Encoding() != pformat.DeltaBinaryPacked {
			text = parquet.Encoded(text, as)
		}
	}
	var b bytes.Buffer
	w := parquet.NewWriter(&b, parquet.NewSchema("t", parquet.Group{"n": number, "o": parquet.Optional(number), "s": text, "r": parquet.Repeated(text), "b": parquet.Leaf(parquet.BooleanType)}),
		parquet.Compression(codec), parquet.DataPageVersion(version), parquet.PageBufferSize(2000))
	for i := range 1000 {
		n, s := parquet.Int64Value(int64(i*i%997-400)), parquet.ByteArrayValue(fmt.Appendf(nil, "text %d of them", i%300))
		row := parquet.Row{parquet.BooleanValue(i%3 == 0).Level(0, 0, 0), n.Level(0, 0, 1), parquet.NullValue().Level(0, 0, 2), s.Level(0, 1, 3), s.Level(1, 1, 3), s.Level(0, 0, 4)}
		if i%5 > 0 {
			row[2] = n.Level(0, 1, 2)
		}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func check(data []byte) error {
	f, err := Open(bytes.NewReader(data), int64(len(data)), &parquet.FileConfig{SkipPageIndex: true, SkipBloomFilters: true})
	if err != nil {
		return err
	}
	for i := range f.RowGroups() {
		if err := f.CheckGroup(i); err != nil {
			return err
		}
	}
	return nil
}

// What parquet-go writes passes, in all its forms.
func TestGood(t *testing.T) {
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd, &parquet.Lz4Raw, &parquet.Brotli} {
		for _, as := range []encoding.Encoding{nil, &parquet.RLEDictionary, &parquet.DeltaBinaryPacked, &parquet.DeltaLengthByteArray, &parquet.DeltaByteArray} {
			for version := 1; version <= 2; version++ {
				if err := check(write(t, codec, as, version)); err != nil {
					t.Errorf("%v, %v, version %d: %v", codec, as, version, err)
				}
			}
		}
	}
}

// refoot changes the footer of a file.
func refoot(t *testing.T, data []byte, change func(m *pformat.FileMetaData)) []byte {
	t.Helper()
	n := int(binary.LittleEndian.Uint32(data[len(data)-8:]))
	start := len(data) - 8 - n
	var m pformat.FileMetaData
	if err := thrift.Unmarshal(&thrift.CompactProtocol{}, data[start:start+n], &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	foot, err := thrift.Marshal(&thrift.CompactProtocol{}, &m)
	if err != nil {
		t.Fatal(err)
	}
	out := append(bytes.Clone(data[:start]), foot...)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(foot))), "PAR1"...)
}

// one makes a file of one column of one page, whose head and content are given.
func one(t *testing.T, codec pformat.CompressionCodec, head pformat.PageHeader, content []byte) []byte {
	t.Helper()
	h, err := thrift.Marshal(&thrift.CompactProtocol{}, &head)
	if err != nil {
		t.Fatal(err)
	}
	out := append([]byte("PAR1"), h...)
	out = append(out, content...)
	var m pformat.FileMetaData
	m.Schema = []pformat.SchemaElement{{Name: "t", NumChildren: thrift.New(int32(1))}, {Name: "n", Type: thrift.New(pformat.Int64), RepetitionType: thrift.New(pformat.Required)}}
	c := pformat.ColumnChunk{MetaData: pformat.ColumnMetaData{Type: pformat.Int64, Codec: codec, NumValues: 1 << 40, TotalCompressedSize: int64(len(out) - 4), DataPageOffset: 4, PathInSchema: []string{"n"}}}
	m.RowGroups = []pformat.RowGroup{{NumRows: 1 << 40, Columns: []pformat.ColumnChunk{c}}}
	foot, err := thrift.Marshal(&thrift.CompactProtocol{}, &m)
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, foot...)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(foot))), "PAR1"...)
}

// Sizes that are not there, or too large: what parquet-go would allocate, or turn for
// ever on (lz4).
func TestHostile(t *testing.T) {
	good := write(t, &parquet.Snappy, nil, 1)
	page := func(packed, unpacked, values int, as pformat.Encoding) pformat.PageHeader {
		h := pformat.PageHeader{Type: pformat.DataPage, UncompressedPageSize: int32(unpacked), CompressedPageSize: int32(packed)}
		h.DataPageHeader = thrift.New(pformat.DataPageHeader{NumValues: int32(values), Encoding: as, DefinitionLevelEncoding: pformat.RLE, RepetitionLevelEncoding: pformat.RLE})
		return h
	}
	run := append([]byte{1}, binary.AppendUvarint(nil, 1<<31)...) // 2^30 times the index that follows
	run = append(run, 0)
	delta := binary.AppendUvarint(binary.AppendUvarint(binary.AppendUvarint(nil, 128), 4), 1<<31-1)
	delta = append(delta, 0)
	list := append([]byte("PAR1"), 0x19+0x10, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0)
	list = append(binary.LittleEndian.AppendUint32(list, 8), "PAR1"...)
	for _, c := range []struct {
		name string
		data []byte
		want string
		kind error
	}{
		{"footer", append(bytes.Clone(good[:len(good)-8]), "\xd6\x02\x00\xfcPAR1"...), "parquet file is damaged: a footer of 4227859158 bytes in a file of", nil},
		{"list", list, "parquet file is damaged: footer: it is cut off", nil},
		{"deep", refoot(t, good, func(m *pformat.FileMetaData) {
			for range 5000 {
				m.Schema = append(m.Schema[:1:1], m.Schema...)
				m.Schema[1] = pformat.SchemaElement{Name: "x", NumChildren: thrift.New(int32(1))}
				if len(m.Schema) > 200 {
					break
				}
			}
		}), "columns in columns, more than 32 deep", ErrTooLarge},
		{"chunk", refoot(t, good, func(m *pformat.FileMetaData) { m.RowGroups[0].Columns[1].MetaData.TotalCompressedSize = 1 << 40 }), "parquet file is damaged: column n has 1099511627776 bytes", nil},
		{"wide values", refoot(t, good, func(m *pformat.FileMetaData) { m.Schema[1].TypeLength = thrift.New(int32(1 << 30)) }), "a column of values of 1073741824 bytes", ErrTooLarge},
		{"packed", one(t, pformat.Uncompressed, page(1<<30, 1<<20, 1, pformat.Plain), make([]byte, 9)), "a page of column n: 1073741824 bytes, of which 9 are there", nil},
		{"unpacked", one(t, pformat.Zstd, page(9, 1<<30, 1, pformat.Plain), make([]byte, 9)), "that unpacks to 1073741824 bytes", ErrTooLarge},
		{"ratio", one(t, pformat.Snappy, page(9, 1<<27, 1, pformat.Plain), make([]byte, 9)), "9 bytes cannot unpack to 134217728", nil},
		{"snappy", one(t, pformat.Snappy, page(6, 100, 1, pformat.Plain), []byte("\xff\xff\xff\xff\x07x")), "more than 100 bytes", nil},
		{"lz4", one(t, pformat.Lz4Raw, page(4, 100, 1, pformat.Plain), []byte{0x10, 'x', 9, 0}), "no block of LZ4", nil},
		{"values", one(t, pformat.Uncompressed, page(3, 3, 1<<31-1, pformat.Plain), make([]byte, 3)), "with 2147483647 values", ErrTooLarge},
		{"run", one(t, pformat.Uncompressed, page(len(run), len(run), 10, pformat.RLEDictionary), run), "runs of more than the 10 values", nil},
		{"delta", one(t, pformat.Uncompressed, page(len(delta), len(delta), 10, pformat.DeltaBinaryPacked), delta), "2147483647 numbers, of 10 values", nil},
		{"encrypted", append(bytes.Clone(good[:len(good)-4]), "PARE"...), "encrypted parquet", ErrUnsupported},
	} {
		err := check(c.data)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || e.Kind != c.kind {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

// A block of LZ4 that is right has its size told without unpacking.
func TestLZ4Size(t *testing.T) {
	for _, n := range []int{0, 1, 20, 5000} {
		text := []byte(strings.Repeat("abcdefg", n) + "end")
		b, err := parquet.Lz4Raw.Encode(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := lz4Size(b, len(text)); err != nil || got != len(text) {
			t.Errorf("%d: %d, %v", len(text), got, err)
		}
	}
}

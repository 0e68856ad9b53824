package bigwig

import (
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"strings"

	"heed/format"
)

// maxBlock is the greatest size of a block, compressed or not, that is read. The
// usual size is 12 to 16 KiB.
const maxBlock = 16 << 20

// A Reader reads one bigWig file. Its methods may be called concurrently if the
// underlying reader allows it, as files do.
type Reader struct {
	name    string
	r       io.ReaderAt
	size    int64
	order   binary.ByteOrder
	buffer  int // greatest size of a block when decompressed; 0 means not compressed
	index   int64
	zooms   []zoomHeader
	chroms  []Chrom // by their numbers
	ids     map[string]uint32
	summary Summary
	version int
	file    *os.File // of Open
}

// Open opens a file for reading. The caller closes the Reader.
func Open(path string) (*Reader, error) {
	f, size, err := format.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(path, f, size)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.file = f
	return r, nil
}

// Close closes the file of a Reader that [Open] returned.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// NewReader reads the header and the names of the chromosomes from r, a file of
// the given size in bytes and of either byte order; name stands for it in errors.
func NewReader(name string, r io.ReaderAt, size int64) (*Reader, error) {
	b := &Reader{name: name, r: r, size: size}
	head := make([]byte, headerSize)
	if size < headerSize {
		return nil, format.InvalidAt(name, 0, "not bigWig: file has %d bytes", size)
	}
	if err := b.readAt(head, 0); err != nil {
		return nil, err
	}
	switch binary.LittleEndian.Uint32(head) {
	case magic:
		b.order = binary.LittleEndian
	case bedMagic:
		return nil, format.UnsupportedAt(name, 0, "this is bigBed, not bigWig")
	default:
		if binary.BigEndian.Uint32(head) != magic {
			return nil, format.InvalidAt(name, 0, "not bigWig: first bytes are % x", head[:4])
		}
		b.order = binary.BigEndian
	}
	b.version = int(b.order.Uint16(head[4:]))
	if b.version < 1 || b.version > version {
		return nil, format.UnsupportedAt(name, 4, "bigWig version %d; versions up to %d are read", b.version, version)
	}
	buffer := b.order.Uint32(head[52:])
	if buffer > maxBlock {
		return nil, format.TooLargeAt(name, 52, "blocks of %d bytes; the limit is %d", buffer, maxBlock)
	}
	b.buffer = int(buffer)
	b.index = int64(b.order.Uint64(head[24:]))
	if err := b.readZoomHeaders(int(b.order.Uint16(head[6:]))); err != nil {
		return nil, err
	}
	if err := b.readSummary(int64(b.order.Uint64(head[44:]))); err != nil {
		return nil, err
	}
	if err := b.readChroms(int64(b.order.Uint64(head[8:]))); err != nil {
		return nil, err
	}
	return b, nil
}

// Version returns the version of the format, 4 for files of today.
func (r *Reader) Version() int { return r.version }

// Chroms returns the chromosomes in the order of their numbers, which is that of
// their data. The slice is the Reader's own.
func (r *Reader) Chroms() []Chrom { return r.chroms }

// Summary returns what the file says of all its values; files before version 2
// say nothing. Its sums were made by whoever wrote the file.
func (r *Reader) Summary() Summary { return r.summary }

// Zooms returns for each zoom level how many base pairs one record covers, in
// ascending order as a rule.
func (r *Reader) Zooms() []int {
	bp := make([]int, len(r.zooms))
	for i, z := range r.zooms {
		bp[i] = int(z.reduction)
	}
	return bp
}

func (r *Reader) readZoomHeaders(n int) error {
	b := make([]byte, n*zoomHeadSize) // of a 16-bit number
	if err := r.readAt(b, headerSize); err != nil {
		return err
	}
	for i := range n {
		z := b[i*zoomHeadSize:]
		h := zoomHeader{r.order.Uint32(z), int64(r.order.Uint64(z[8:])), int64(r.order.Uint64(z[16:]))}
		if h.reduction == 0 {
			return format.InvalidAt(r.name, int64(headerSize+i*zoomHeadSize), "zoom level %d covers 0 bp", i+1)
		}
		r.zooms = append(r.zooms, h)
	}
	return nil
}

func (r *Reader) readSummary(offset int64) error {
	if offset == 0 {
		return nil
	}
	b := make([]byte, summarySize)
	if err := r.readAt(b, offset); err != nil {
		return err
	}
	bases := r.order.Uint64(b)
	if bases > math.MaxInt64 {
		return format.InvalidAt(r.name, offset, "summary counts %d bases", bases)
	}
	r.summary.Bases = int(bases)
	for i, v := range []*float64{&r.summary.Min, &r.summary.Max, &r.summary.Sum, &r.summary.SumSquares} {
		*v = math.Float64frombits(r.order.Uint64(b[8+8*i:]))
	}
	return nil
}

// readChroms reads the B+ tree. Which way it is sorted does not matter here.
func (r *Reader) readChroms(offset int64) error {
	head := make([]byte, treeHeadSize)
	if err := r.readAt(head, offset); err != nil {
		return err
	}
	if m := r.order.Uint32(head); m != treeMagic {
		return format.InvalidAt(r.name, offset, "tree of chromosomes begins with %#08x, want %#08x", m, treeMagic)
	}
	keySize, valueSize, items := int(r.order.Uint32(head[8:])), r.order.Uint32(head[12:]), r.order.Uint64(head[16:])
	switch {
	case keySize > maxName:
		return format.TooLargeAt(r.name, offset+8, "names of chromosomes have %d bytes; the limit is %d", keySize, maxName)
	case keySize == 0 || valueSize != 8:
		return format.InvalidAt(r.name, offset+8, "tree of chromosomes has keys of %d bytes and values of %d", keySize, valueSize)
	case items > uint64(r.size)/uint64(keySize+8):
		return format.InvalidAt(r.name, offset+16, "%d chromosomes do not fit in %d bytes", items, r.size)
	}
	r.chroms = make([]Chrom, items)
	r.ids = make(map[string]uint32)
	walk := walker{Reader: r, itemSize: [2]int{keySize + 8, keySize + 8}, budget: 2*int64(items) + 64}
	err := walk.node(offset+treeHeadSize, 0, func(leaf bool, item []byte) (int64, error) {
		if !leaf {
			return int64(r.order.Uint64(item[keySize:])), nil
		}
		name := strings.TrimRight(string(item[:keySize]), "\x00")
		id, size := r.order.Uint32(item[keySize:]), r.order.Uint32(item[keySize+4:])
		switch _, twice := r.ids[name]; {
		case name == "" || hasControl(name):
			return 0, fmt.Errorf("%s is no name for a chromosome", show(name))
		case twice:
			return 0, fmt.Errorf("two chromosomes are called %s", show(name))
		case uint64(id) >= items || r.chroms[id].Name != "":
			return 0, fmt.Errorf("chromosome %s is number %d of %d", show(name), id, items)
		}
		r.ids[name] = id
		r.chroms[id] = Chrom{name, int(size)}
		return 0, nil
	})
	if err != nil {
		return err
	}
	if len(r.ids) != len(r.chroms) {
		return format.InvalidAt(r.name, offset, "tree holds %d chromosomes, want %d", len(r.ids), len(r.chroms))
	}
	return nil
}

// Intervals yields the intervals that overlap the bases start to end of a
// chromosome, whole, in their order. An error ends the iteration.
func (r *Reader) Intervals(chrom string, start, end int) iter.Seq2[Interval, error] {
	return func(yield func(Interval, error) bool) {
		id, err := r.find(chrom, start, end)
		if err == nil {
			err = r.query(r.index, id, start, end, func(e extent, raw []byte) (bool, error) {
				more := true
				err := r.section(e, raw, func(of uint32, item Interval) bool {
					if of == id && item.Start < end && item.End > start {
						more = yield(item, nil)
					}
					return more
				})
				return more, err
			})
		}
		if err != nil {
			yield(Interval{}, err)
		}
	}
}

// Zoom yields the records of a zoom level, an index of [Reader.Zooms], that
// overlap the bases start to end of a chromosome. An error ends the iteration.
// It panics if there is no such level.
func (r *Reader) Zoom(level int, chrom string, start, end int) iter.Seq2[Zoom, error] {
	index := r.zooms[level].index
	return func(yield func(Zoom, error) bool) {
		id, err := r.find(chrom, start, end)
		if err == nil {
			err = r.query(index, id, start, end, func(e extent, raw []byte) (bool, error) {
				more := true
				err := r.zoomBlock(e, raw, func(of uint32, rec Zoom) bool {
					if of == id && rec.Start < end && rec.End > start {
						more = yield(rec, nil)
					}
					return more
				})
				return more, err
			})
		}
		if err != nil {
			yield(Zoom{}, err)
		}
	}
}

// Values returns the value of each base from start to end of a chromosome, NaN
// where there is none.
func (r *Reader) Values(chrom string, start, end int) ([]float32, error) {
	if _, err := r.find(chrom, start, end); err != nil {
		return nil, err
	}
	if end-start > format.MaxLetters {
		return nil, format.TooLargeAt(r.name, 0, "values of %d bases at a time; the limit is %d", end-start, format.MaxLetters)
	}
	values := make([]float32, end-start)
	for i := range values {
		values[i] = float32(math.NaN())
	}
	for item, err := range r.Intervals(chrom, start, end) {
		if err != nil {
			return nil, err
		}
		for i := max(item.Start, start); i < min(item.End, end); i++ {
			values[i-start] = item.Value
		}
	}
	return values, nil
}

// find returns the number of a chromosome, and checks that the bases exist.
func (r *Reader) find(chrom string, start, end int) (uint32, error) {
	id, ok := r.ids[chrom]
	if !ok {
		return 0, format.InvalidAt(r.name, 0, "no chromosome %s", show(chrom))
	}
	if size := r.chroms[id].Size; start < 0 || end < start || end > size {
		return 0, format.InvalidAt(r.name, 0, "bases %d to %d are not within %s of %d bp", start, end, show(chrom), size)
	}
	return id, nil
}

// readAt fills b from offset.
func (r *Reader) readAt(b []byte, offset int64) error {
	if offset < 0 || offset > r.size || int64(len(b)) > r.size-offset {
		return format.InvalidAt(r.name, r.size, "file ends within %d bytes at offset %d", len(b), uint64(offset))
	}
	if n, err := r.r.ReadAt(b, offset); err != nil && n < len(b) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return &format.Error{Name: r.name, Offset: offset, Err: err}
	}
	return nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// show quotes a name, as much of it as a message can bear.
func show(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

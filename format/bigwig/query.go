package bigwig

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zlib"

	"heed/format"
)

// maxDepth is the greatest height of a tree that is read: nodes of two entries
// would hold 2^32 blocks.
const maxDepth = 32

// A walker visits the nodes of a tree. A damaged file may send it in circles,
// therefore it has a budget of nodes.
type walker struct {
	*Reader
	itemSize [2]int // above, in a leaf
	budget   int64
}

// node visits the entries of the node at offset. visit returns the offset of the
// node below an entry that is not in a leaf, 0 to pass over it.
func (w *walker) node(offset int64, depth int, visit func(leaf bool, item []byte) (int64, error)) error {
	w.budget--
	if w.budget < 0 || depth == maxDepth {
		return format.InvalidAt(w.name, offset, "tree has more nodes than entries")
	}
	head := make([]byte, 4)
	if err := w.readAt(head, offset); err != nil {
		return err
	}
	if head[0] > 1 {
		return format.InvalidAt(w.name, offset, "node of a tree begins with %d, want 0 or 1", head[0])
	}
	size := w.itemSize[head[0]]
	items := make([]byte, int(w.order.Uint16(head[2:]))*size) // at most 64 Ki entries
	if err := w.readAt(items, offset+4); err != nil {
		return err
	}
	for i := 0; i < len(items); i += size {
		child, err := visit(head[0] == 1, items[i:i+size])
		if err == errEnough {
			return err
		}
		if err != nil {
			return w.at(offset+4+int64(i), err)
		}
		if child != 0 {
			if err := w.node(child, depth+1, visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// errEnough ends a walk whose caller wants no more.
var errEnough = fmt.Errorf("enough")

// at gives a place to an error that has none.
func (r *Reader) at(offset int64, err error) error {
	if _, placed := err.(*format.Error); placed {
		return err
	}
	return format.InvalidAt(r.name, offset, "%w", err)
}

// query decompresses the blocks that the R-tree at index knows to overlap the
// bases start to end. take returns false to end it.
func (r *Reader) query(index int64, id uint32, start, end int, take func(e extent, raw []byte) (bool, error)) error {
	head := make([]byte, indexHead)
	if err := r.readAt(head, index); err != nil {
		return err
	}
	if m := r.order.Uint32(head); m != indexMagic {
		return format.InvalidAt(r.name, index, "index begins with %#08x, want %#08x", m, indexMagic)
	}
	items := r.order.Uint64(head[8:])
	if items > uint64(r.size)/leafSize {
		return format.InvalidAt(r.name, index+8, "index of %d blocks does not fit in %d bytes", items, r.size)
	}
	from, to := place{id, uint32(start)}, place{id, uint32(end)}
	block := blockReader{Reader: r}
	walk := walker{Reader: r, itemSize: [2]int{branchSize, leafSize}, budget: 2*int64(items) + 64}
	err := walk.node(index+indexHead, 0, func(leaf bool, item []byte) (int64, error) {
		u := r.order.Uint32
		e := extent{from: place{u(item), u(item[4:])}, to: place{u(item[8:]), u(item[12:])}}
		e.offset = int64(r.order.Uint64(item[16:]))
		if !e.from.before(to) || !from.before(e.to) {
			return 0, nil
		}
		if !leaf {
			if e.offset == 0 {
				return 0, fmt.Errorf("tree points to the start of the file")
			}
			return e.offset, nil
		}
		e.size = int64(r.order.Uint64(item[24:]))
		raw, err := block.read(e)
		if err != nil {
			return 0, err
		}
		more, err := take(e, raw)
		if err == nil && !more {
			err = errEnough
		}
		return 0, err
	})
	if err == errEnough {
		return nil
	}
	return err
}

// A blockReader reads and decompresses blocks one after the other.
type blockReader struct {
	*Reader
	packed []byte
	raw    bytes.Buffer
	z      io.ReadCloser
}

// read returns the content of a block, valid until the next call.
func (b *blockReader) read(e extent) ([]byte, error) {
	if e.size < 0 || e.size > maxBlock {
		return nil, format.TooLargeAt(b.name, e.offset, "block of %d bytes; the limit is %d", uint64(e.size), maxBlock)
	}
	if e.offset < 0 || e.offset > b.size || e.size > b.size-e.offset {
		return nil, format.InvalidAt(b.name, b.size, "file ends within a block of %d bytes at offset %d", e.size, uint64(e.offset))
	}
	if int64(cap(b.packed)) < e.size {
		b.packed = make([]byte, e.size)
	}
	b.packed = b.packed[:e.size]
	if err := b.readAt(b.packed, e.offset); err != nil {
		return nil, err
	}
	if b.buffer == 0 {
		return b.packed, nil
	}
	var err error
	if b.z == nil {
		b.z, err = zlib.NewReader(bytes.NewReader(b.packed))
	} else {
		err = b.z.(zlib.Resetter).Reset(bytes.NewReader(b.packed), nil)
	}
	b.raw.Reset()
	if err == nil {
		_, err = b.raw.ReadFrom(io.LimitReader(b.z, int64(b.buffer)+1))
	}
	if err != nil {
		return nil, format.InvalidAt(b.name, e.offset, "block is damaged: %w", err)
	}
	if b.raw.Len() > b.buffer {
		return nil, format.InvalidAt(b.name, e.offset, "block has more than %d bytes, the size that the header gives", b.buffer)
	}
	return b.raw.Bytes(), nil
}

// section hands on the intervals of a block of data until take returns false.
func (r *Reader) section(e extent, b []byte, take func(id uint32, item Interval) bool) error {
	if len(b) < sectionHead {
		return format.InvalidAt(r.name, e.offset, "section has %d bytes, less than its head", len(b))
	}
	u := r.order.Uint32
	id, start, step, span := u(b), int(u(b[4:])), int(u(b[12:])), int(u(b[16:]))
	kind, n := b[20], int(r.order.Uint16(b[22:]))
	if int64(id) >= int64(len(r.chroms)) {
		return format.InvalidAt(r.name, e.offset, "section is of chromosome %d of %d", id, len(r.chroms))
	}
	size := map[byte]int{bedGraph: 12, variableStep: 8, fixedStep: 4}[kind]
	b = b[sectionHead:]
	switch {
	case size == 0:
		return format.InvalidAt(r.name, e.offset, "section is of kind %d, want 1 to 3", kind)
	case len(b) < n*size:
		return format.InvalidAt(r.name, e.offset, "section of %d intervals has only %d bytes for them", n, len(b))
	}
	for i := range n {
		b := b[i*size:]
		item := Interval{Start: start + i*step, Value: math.Float32frombits(u(b[size-4:]))}
		switch kind {
		case bedGraph:
			item.Start, item.End = int(u(b)), int(u(b[4:]))
		case variableStep:
			item.Start = int(u(b))
			item.End = item.Start + span
		case fixedStep:
			item.End = item.Start + span
		}
		if item.End <= item.Start || item.End > r.chroms[id].Size {
			return format.InvalidAt(r.name, e.offset, "interval %d to %d is not within %s of %d bp",
				item.Start, item.End, show(r.chroms[id].Name), r.chroms[id].Size)
		}
		if !take(id, item) {
			return nil
		}
	}
	return nil
}

// zoomBlock hands on the records of a block of a zoom level until take returns
// false.
func (r *Reader) zoomBlock(e extent, b []byte, take func(id uint32, rec Zoom) bool) error {
	u := r.order.Uint32
	for ; len(b) >= zoomSize; b = b[zoomSize:] {
		value := func(i int) float64 { return float64(math.Float32frombits(u(b[16+4*i:]))) }
		rec := Zoom{int(u(b[4:])), int(u(b[8:])), Summary{int(u(b[12:])), value(0), value(1), value(2), value(3)}}
		if rec.End <= rec.Start {
			return format.InvalidAt(r.name, e.offset, "zoom record of %d to %d is empty", rec.Start, rec.End)
		}
		if !take(u(b), rec) {
			return nil
		}
	}
	return nil
}

package bigwig

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zlib"

	"heed/format"
)

// A Writer writes one bigWig file. Besides fixed buffers it holds the index: 32
// bytes for each section, that is, for 1,024 intervals of a chromosome.
type Writer struct {
	out    output
	chroms []Chrom
	ids    map[string]uint32
	name   string // of the chromosome last added to
	id     uint32
	data   int64      // offset of the number of sections
	items  []Interval // of the section to come, all of that chromosome
	end    int        // of the last
	index  []extent   // of the sections written
	total  Summary
	raw    int64 // bytes of sections before compression
	levels levels
	err    error // of the file; nothing can be written after it
}

// NewWriter begins a file on f, which must be empty; [format.WriteFileAt] gives
// such an f and makes the file appear whole or not at all. Intervals must come in
// the order of chroms.
func NewWriter(f format.ReadWriterAt, chroms []Chrom) (*Writer, error) {
	w := &Writer{chroms: chroms, ids: make(map[string]uint32), items: make([]Interval, 0, perSection)}
	if len(chroms) == 0 {
		return nil, errors.New("bigwig: no chromosomes")
	}
	if uint64(len(chroms)) > math.MaxUint32 {
		return nil, fmt.Errorf("bigwig: %d chromosomes", len(chroms))
	}
	for i, c := range chroms {
		switch _, twice := w.ids[c.Name]; {
		case c.Name == "" || len(c.Name) > maxName || hasControl(c.Name):
			return nil, fmt.Errorf("bigwig: %s is no name for a chromosome", show(c.Name))
		case twice:
			return nil, fmt.Errorf("bigwig: two chromosomes are called %s", show(c.Name))
		case c.Size <= 0 || uint64(c.Size) > math.MaxUint32:
			return nil, fmt.Errorf("bigwig: chromosome %s has %d bp, want 1 to %d", show(c.Name), c.Size, uint32(math.MaxUint32))
		}
		w.ids[c.Name] = uint32(i)
	}
	w.name = chroms[0].Name
	w.out.start(f)
	w.out.write(make([]byte, headerSize+maxZooms*zoomHeadSize+summarySize)) // filled in by Close
	w.out.write(chromTree(chroms, w.out.offset))
	w.data = w.out.offset
	w.out.write(make([]byte, 8)) // the number of sections
	return w, nil
}

// Add appends the value of the bases start to end of a chromosome, 0-based and
// half-open. Intervals come in the order of the chromosomes and of their starts,
// and do not overlap; gaps between them have no value. An interval that is
// refused leaves the Writer as it was.
func (w *Writer) Add(chrom string, start, end int, value float32) error {
	id, begin := w.id, w.end
	if chrom != w.name {
		var ok bool
		if id, ok = w.ids[chrom]; !ok {
			return fmt.Errorf("bigwig: no chromosome %s was declared", show(chrom))
		}
		if id < w.id {
			return fmt.Errorf("bigwig: chromosome %s after %s, but it was declared before", show(chrom), show(w.name))
		}
		begin = 0
	}
	switch {
	case start < 0 || end <= start || end > w.chroms[id].Size:
		return fmt.Errorf("bigwig: interval %d to %d is not within %s of %d bp", start, end, show(chrom), w.chroms[id].Size)
	case start < begin:
		return fmt.Errorf("bigwig: interval %d to %d of %s begins before %d, the end of the one before it", start, end, show(chrom), begin)
	case math.IsNaN(float64(value)) || math.IsInf(float64(value), 0):
		return fmt.Errorf("bigwig: value of %d to %d of %s is %v; leave out what has none", start, end, show(chrom), value)
	}
	if id != w.id || len(w.items) == perSection {
		w.flush()
	}
	if id != w.id {
		w.name, w.id = chrom, id
		w.levels.nextChrom()
	}
	w.items = append(w.items, Interval{start, end, value})
	w.end = end
	w.total.add(of(end-start, value))
	w.levels.count(uint32(start), uint32(end))
	return w.err
}

// Close writes what is left: the index, the zoom levels and the header. It does
// not close the underlying file.
func (w *Writer) Close() error {
	w.flush()
	if w.err != nil {
		return w.err
	}
	h := header{
		tree:    headerSize + maxZooms*zoomHeadSize + summarySize,
		data:    w.data,
		index:   w.out.offset,
		summary: headerSize + maxZooms*zoomHeadSize,
	}
	w.out.writeIndex(w.index, perSection)
	if err := w.writeZooms(&h); err != nil {
		return err
	}
	w.out.write(binary.LittleEndian.AppendUint32(nil, magic))
	h.buffer = w.out.largest
	if err := w.out.flush(); err != nil {
		return err
	}
	if _, err := w.out.f.WriteAt(h.append(nil, w.total), 0); err != nil {
		return err
	}
	_, err := w.out.f.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(len(w.index))), w.data)
	return err
}

// flush writes the section that items make up.
func (w *Writer) flush() {
	if len(w.items) == 0 || w.err != nil {
		w.items = w.items[:0]
		return
	}
	section := appendSection(w.out.scratch(), w.id, w.items)
	w.raw += int64(len(section))
	e := extent{from: place{w.id, uint32(w.items[0].Start)}, to: place{w.id, uint32(w.end)}}
	w.index = append(w.index, w.out.writeBlock(section, e))
	w.items = w.items[:0]
	w.err = w.out.err
}

// appendSection packs intervals in the shortest of the three forms that can hold
// them.
func appendSection(b []byte, id uint32, items []Interval) []byte {
	first, last := items[0], items[len(items)-1]
	span := first.End - first.Start
	step := span
	if len(items) > 1 {
		step = items[1].Start - first.Start
	}
	kind := byte(fixedStep)
	for i, item := range items {
		if item.End-item.Start != span {
			kind = bedGraph
			break
		}
		if item.Start != first.Start+i*step {
			kind = variableStep
		}
	}
	le := binary.LittleEndian
	b = le.AppendUint32(b, id)
	b = le.AppendUint32(b, uint32(first.Start))
	b = le.AppendUint32(b, uint32(last.End))
	switch kind {
	case fixedStep:
		b = le.AppendUint32(b, uint32(step))
		b = le.AppendUint32(b, uint32(span))
	case variableStep:
		b = le.AppendUint32(b, 0)
		b = le.AppendUint32(b, uint32(span))
	default:
		b = le.AppendUint64(b, 0)
	}
	b = append(b, kind, 0)
	b = le.AppendUint16(b, uint16(len(items)))
	for _, item := range items {
		if kind != fixedStep {
			b = le.AppendUint32(b, uint32(item.Start))
		}
		if kind == bedGraph {
			b = le.AppendUint32(b, uint32(item.End))
		}
		b = le.AppendUint32(b, math.Float32bits(item.Value))
	}
	return b
}

// A header is what the first bytes of the file say.
type header struct {
	tree, data, index, summary int64
	buffer                     int // greatest size of a block before compression
	zooms                      []zoomHeader
}

type zoomHeader struct {
	reduction   uint32 // bp of a record
	data, index int64
}

// append appends header, zoom headers and summary.
func (h *header) append(b []byte, total Summary) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, magic)
	b = le.AppendUint16(b, version)
	b = le.AppendUint16(b, uint16(len(h.zooms)))
	b = le.AppendUint64(b, uint64(h.tree))
	b = le.AppendUint64(b, uint64(h.data))
	b = le.AppendUint64(b, uint64(h.index))
	b = le.AppendUint32(b, 0) // fields, of bigBed
	b = le.AppendUint64(b, 0) // their description
	b = le.AppendUint64(b, uint64(h.summary))
	b = le.AppendUint32(b, uint32(h.buffer))
	b = le.AppendUint64(b, 0) // extensions
	for _, z := range h.zooms {
		b = le.AppendUint32(b, z.reduction)
		b = le.AppendUint32(b, 0)
		b = le.AppendUint64(b, uint64(z.data))
		b = le.AppendUint64(b, uint64(z.index))
	}
	b = append(b, make([]byte, (maxZooms-len(h.zooms))*zoomHeadSize)...)
	b = le.AppendUint64(b, uint64(total.Bases))
	for _, v := range []float64{total.Min, total.Max, total.Sum, total.SumSquares} {
		b = le.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// An output appends to a file, and remembers where it is and the first error.
type output struct {
	f       format.ReadWriterAt
	w       *bufio.Writer
	offset  int64
	err     error
	raw     []byte
	packed  bytes.Buffer
	z       *zlib.Writer
	largest int // block before compression
}

func (o *output) start(f format.ReadWriterAt) {
	o.f = f
	o.w = bufio.NewWriterSize(io.NewOffsetWriter(f, 0), 256<<10)
	o.z = zlib.NewWriter(&o.packed)
}

func (o *output) write(b []byte) {
	n, err := o.w.Write(b)
	o.offset += int64(n)
	if err != nil && o.err == nil {
		o.err = err
	}
}

// flush makes what was written readable.
func (o *output) flush() error {
	if err := o.w.Flush(); err != nil && o.err == nil {
		o.err = err
	}
	return o.err
}

// scratch returns an empty buffer for a block, valid until it is written.
func (o *output) scratch() []byte { return o.raw[:0] }

// writeBlock compresses a block and completes e with its place.
func (o *output) writeBlock(raw []byte, e extent) extent {
	o.raw = raw
	o.largest = max(o.largest, len(raw))
	o.packed.Reset()
	o.z.Reset(&o.packed)
	o.z.Write(raw) // to memory: cannot fail
	o.z.Close()
	e.offset, e.size = o.offset, int64(o.packed.Len())
	o.write(o.packed.Bytes())
	return e
}

package bigwig

import (
	"encoding/binary"
	"math"
)

// Zoom levels are built when all data are written. A record of the level of
// reduction r covers bases k*r to (k+1)*r, cut to those that have values. The
// reductions are powers of 4, so that each level is made from the one before it,
// read back from the file: no level is ever in memory.

// candidates is the number of reductions tried: 4, 16, ..., 4^15.
const candidates = 15

func shift(level int) int { return 2 * (level + 1) }

// levels counts the records that each reduction would make.
type levels struct {
	records [candidates]int64
	used    [candidates]uint32 // bins of this chromosome up to the last one counted
}

func (l *levels) nextChrom() { l.used = [candidates]uint32{} }

// count takes note of an interval. If its bins are known at one level, then they
// are at all coarser ones.
func (l *levels) count(start, end uint32) {
	for k := range l.used {
		first, past := max(start>>shift(k), l.used[k]), (end-1)>>shift(k)+1
		if past <= first {
			return
		}
		l.records[k] += int64(past - first)
		l.used[k] = past
	}
}

// choose returns the levels worth writing: the first is at most a quarter of the
// data, and each has fewer records than the one before it.
func (l *levels) choose(raw int64) (chosen []int) {
	last := raw / (4 * zoomSize)
	for k, n := range l.records {
		if n > last || n == 0 || len(chosen) == maxZooms {
			continue
		}
		chosen = append(chosen, k)
		last = n - 1
	}
	return chosen
}

// writeZooms writes the levels chosen and enters them in the header.
func (w *Writer) writeZooms(h *header) error {
	back := Reader{name: "bigwig", r: w.out.f, order: binary.LittleEndian, chroms: w.chroms}
	below := w.index
	for i, k := range w.levels.choose(w.raw) {
		// What was written last is read now.
		if err := w.out.flush(); err != nil {
			return err
		}
		back.size, back.buffer = w.out.offset, w.out.largest
		z := zoomWriter{out: &w.out, shift: shift(k)}
		z.head.data = w.out.offset
		w.out.write(make([]byte, 4)) // the number of records
		block := blockReader{Reader: &back}
		for _, e := range below {
			raw, err := block.read(e)
			if err != nil {
				return err
			}
			if i == 0 {
				err = back.section(e, raw, func(id uint32, item Interval) bool { z.addInterval(id, item); return true })
			} else {
				err = back.zoomBlock(e, raw, func(id uint32, rec Zoom) bool { z.add(id, rec); return true })
			}
			if err != nil {
				return err
			}
		}
		z.flush()
		z.head.reduction, z.head.index = 1<<z.shift, w.out.offset
		w.out.writeIndex(z.index, perZoom)
		if err := w.out.flush(); err != nil {
			return err
		}
		count := binary.LittleEndian.AppendUint32(nil, uint32(z.records))
		if _, err := w.out.f.WriteAt(count, z.head.data); err != nil {
			return err
		}
		h.zooms = append(h.zooms, z.head)
		below = z.index
	}
	return w.out.flush()
}

// A zoomWriter writes the records of one level.
type zoomWriter struct {
	out     *output
	shift   int
	head    zoomHeader
	index   []extent
	records int64

	id    uint32
	rec   Zoom // being added to, if it counts any bases
	block []byte
	n     int // records in block
	from  place
}

// addInterval cuts an interval at the borders of bins.
func (z *zoomWriter) addInterval(id uint32, item Interval) {
	for start := item.Start; start < item.End; {
		end := min(item.End, (start>>z.shift+1)<<z.shift)
		z.add(id, Zoom{start, end, of(end-start, item.Value)})
		start = end
	}
}

// add takes in a record that lies within one bin.
func (z *zoomWriter) add(id uint32, rec Zoom) {
	if z.rec.Bases > 0 && (id != z.id || rec.Start>>z.shift != z.rec.Start>>z.shift) {
		z.put()
	}
	if z.rec.Bases == 0 {
		z.id, z.rec.Start = id, rec.Start
	}
	z.rec.End = rec.End
	z.rec.add(rec.Summary)
}

// put appends the record to its block.
func (z *zoomWriter) put() {
	if z.n == 0 {
		z.block = z.out.scratch()
		z.from = place{z.id, uint32(z.rec.Start)}
	}
	le := binary.LittleEndian
	b := le.AppendUint32(z.block, z.id)
	b = le.AppendUint32(b, uint32(z.rec.Start))
	b = le.AppendUint32(b, uint32(z.rec.End))
	b = le.AppendUint32(b, uint32(z.rec.Bases))
	for _, v := range []float64{z.rec.Min, z.rec.Max, z.rec.Sum, z.rec.SumSquares} {
		b = le.AppendUint32(b, math.Float32bits(narrow(v)))
	}
	z.block = b
	z.n++
	z.records++
	if to := (place{z.id, uint32(z.rec.End)}); z.n == perZoom {
		z.end(to)
	}
	z.rec = Zoom{}
}

// end writes the block, which reaches to the place given.
func (z *zoomWriter) end(to place) {
	z.index = append(z.index, z.out.writeBlock(z.block, extent{from: z.from, to: to}))
	z.n = 0
}

// flush writes what is left.
func (z *zoomWriter) flush() {
	to := place{z.id, uint32(z.rec.End)}
	if z.rec.Bases > 0 {
		z.put()
	}
	if z.n > 0 {
		z.end(to)
	}
}

// narrow is float32 without infinity, which sums of great values would become.
func narrow(v float64) float32 {
	return float32(max(-math.MaxFloat32, min(v, math.MaxFloat32)))
}

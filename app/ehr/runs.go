package ehr

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"heed/format"
	"heed/format/meds"
	"heed/internal/cli"
)

// Events are sorted in runs: as many as the memory holds are sorted and written to a
// file, and in the end all files are merged. Events of one subject and time keep the
// order in which they were read.

// perEvent is the memory in bytes that one event of a run needs while it is sorted.
const perEvent = 96

// blockEvents is how many events of a run are read at one time in the merge.
const blockEvents = 4096

// A sorter keeps its memory from run to run.
type sorter struct {
	keys   []key
	sorted meds.Columns
}

type key struct {
	subject, time int64
	at            int32
}

// sort returns c by subject and time: c itself where it is sorted, or a copy.
func (s *sorter) sort(c *meds.Columns) *meds.Columns {
	if c.Sorted() < 0 {
		return c
	}
	keys, scratch := s.keys[:0], &s.sorted
	for i := range c.Len() {
		keys = append(keys, key{c.Subject[i], c.Time[i], int32(i)})
	}
	s.keys = keys
	slices.SortFunc(keys, func(a, b key) int {
		if d := cmp.Compare(a.subject, b.subject); d != 0 {
			return d
		}
		if d := cmp.Compare(a.time, b.time); d != 0 {
			return d
		}
		return cmp.Compare(a.at, b.at)
	})
	scratch.Reset()
	for lo := 0; lo < len(keys); { // stretches that stay together are copied together
		hi := lo + 1
		for hi < len(keys) && keys[hi].at == keys[hi-1].at+1 {
			hi++
		}
		scratch.Append(c, int(keys[lo].at), int(keys[hi-1].at)+1)
		lo = hi
	}
	return scratch
}

func runFile(dir string, n int) string { return filepath.Join(dir, fmt.Sprintf("run-%05d", n)) }

// writeRun writes sorted events to a file, in blocks of columns.
func writeRun(path string, c *meds.Columns) error {
	return cli.WriteFile(path, func(w io.Writer) error {
		var b []byte
		for lo := 0; lo < c.Len(); lo += blockEvents {
			hi := min(lo+blockEvents, c.Len())
			b = appendBlock(b[:0], c, lo, hi)
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// appendBlock appends: number of events, flags, columns.
func appendBlock(b []byte, c *meds.Columns, lo, hi int) []byte {
	le := binary.LittleEndian
	flags := uint32(0)
	if len(c.Text) > 0 {
		flags |= 1
	}
	if len(c.Available) > 0 {
		flags |= 2
	}
	b = le.AppendUint32(b, uint32(hi-lo))
	b = le.AppendUint32(b, flags)
	for _, x := range c.Subject[lo:hi] {
		b = le.AppendUint64(b, uint64(x))
	}
	for _, x := range c.Time[lo:hi] {
		b = le.AppendUint64(b, uint64(x))
	}
	for _, x := range c.Code[lo:hi] {
		b = le.AppendUint32(b, uint32(x))
	}
	for _, x := range c.Value[lo:hi] {
		b = le.AppendUint32(b, math.Float32bits(x))
	}
	if flags&2 != 0 {
		for _, x := range c.Available[lo:hi] {
			b = le.AppendUint64(b, uint64(x))
		}
	}
	if flags&1 != 0 {
		for _, x := range c.Text[lo:hi] {
			b = le.AppendUint32(b, uint32(len(x)))
		}
		for _, x := range c.Text[lo:hi] {
			b = append(b, x...)
		}
	}
	return b
}

// A runReader reads a run block by block.
type runReader struct {
	f     *os.File
	r     *bufio.Reader
	buf   []byte
	block meds.Columns
	at    int // the next event of the block
}

func openRun(path string) (*runReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cli.SystemError(path, err)
	}
	return &runReader{f: f, r: bufio.NewReaderSize(f, 256<<10)}, nil
}

// fill makes sure that there is an event at r.at; false is the end.
func (r *runReader) fill() (bool, error) {
	if r.at < r.block.Len() {
		return true, nil
	}
	r.block.Reset()
	r.at = 0
	var head [8]byte
	if _, err := io.ReadFull(r.r, head[:]); err == io.EOF {
		return false, nil
	} else if err != nil {
		return false, format.ReadError(r.f.Name(), 0, err)
	}
	le := binary.LittleEndian
	n, flags := int(le.Uint32(head[:])), le.Uint32(head[4:])
	if n < 1 || n > blockEvents {
		return false, format.InvalidAt(r.f.Name(), 0, "damaged: a block of %d events", n)
	}
	b, err := r.read(24 * n)
	if err != nil {
		return false, err
	}
	c := &r.block
	for i := range n {
		c.Subject = append(c.Subject, int64(le.Uint64(b[8*i:])))
		c.Time = append(c.Time, int64(le.Uint64(b[8*(n+i):])))
		c.Code = append(c.Code, int32(le.Uint32(b[16*n+4*i:])))
		c.Value = append(c.Value, math.Float32frombits(le.Uint32(b[20*n+4*i:])))
	}
	if flags&2 != 0 {
		if b, err = r.read(8 * n); err != nil {
			return false, err
		}
		for i := range n {
			c.Available = append(c.Available, int64(le.Uint64(b[8*i:])))
		}
	}
	if flags&1 != 0 {
		if b, err = r.read(4 * n); err != nil {
			return false, err
		}
		lengths, sum := make([]int, n), 0
		for i := range n {
			lengths[i] = int(le.Uint32(b[4*i:]))
			sum += lengths[i]
		}
		if b, err = r.read(sum); err != nil {
			return false, err
		}
		all, from := string(b), 0
		for _, l := range lengths {
			c.Text = append(c.Text, all[from:from+l])
			from += l
		}
	}
	return true, nil
}

func (r *runReader) read(n int) ([]byte, error) {
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	b := r.buf[:n]
	if _, err := io.ReadFull(r.r, b); err != nil {
		return nil, format.InvalidAt(r.f.Name(), 0, "damaged: it is cut off")
	}
	return b, nil
}

// A merger merges runs. Of equal events, those of the earlier run come first.
type merger struct {
	runs []*runReader // with an event at hand
}

func openMerger(dir string, runs int) (*merger, error) {
	m := &merger{}
	for i := range runs {
		r, err := openRun(runFile(dir, i))
		if err != nil {
			m.close()
			return nil, err
		}
		more, err := r.fill()
		if err != nil {
			m.close()
			return nil, err
		}
		if more {
			m.runs = append(m.runs, r)
		} else {
			r.f.Close()
		}
	}
	return m, nil
}

func (m *merger) close() {
	for _, r := range m.runs {
		r.f.Close()
	}
}

// next puts the next events into out, about most of them; none are the end.
func (m *merger) next(out *meds.Columns, most int) error {
	out.Reset()
	for out.Len() < most && len(m.runs) > 0 {
		// The run with the smallest event gives all that comes before the smallest
		// event of the others. A tie goes to the earlier run.
		a, b := 0, -1
		for i := 1; i < len(m.runs); i++ {
			switch {
			case m.less(i, a):
				a, b = i, a
			case b < 0 || m.less(i, b):
				b = i
			}
		}
		r := m.runs[a]
		lo, hi := r.at, r.block.Len()
		if b >= 0 {
			o := m.runs[b]
			subject, time := o.block.Subject[o.at], o.block.Time[o.at]
			hi = lo + 1
			for hi < r.block.Len() {
				s, t := r.block.Subject[hi], r.block.Time[hi]
				if meds.Before(subject, time, s, t) || b < a && s == subject && t == time {
					break
				}
				hi++
			}
		}
		out.Append(&r.block, lo, hi)
		r.at = hi
		more, err := r.fill()
		if err != nil {
			return err
		}
		if !more {
			r.f.Close()
			m.runs = slices.Delete(m.runs, a, a+1)
		}
	}
	return nil
}

func (m *merger) less(i, j int) bool {
	a, b := m.runs[i], m.runs[j]
	return meds.Before(a.block.Subject[a.at], a.block.Time[a.at], b.block.Subject[b.at], b.block.Time[b.at])
}

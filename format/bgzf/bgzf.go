// Package bgzf writes gzip in small independent blocks, the compression that
// tabix and genome browsers expect of .vcf.gz, .bed.gz and .bedgraph.gz. Any
// reader of gzip reads it, [heed/format.Open] too.
//
// Source: the SAM/BAM specification, section 4.1, the BGZF compression format.
package bgzf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

const (
	blockSize  = 0xff00 // bytes of a block: even if they do not shrink, the block is below 64 KiB
	headerSize = 18
)

// header begins every block; its last two bytes are the size of the block less
// one.
var header = [headerSize]byte{0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, 'B', 'C', 2, 0}

// A Writer compresses what is written to it. Close must be called: it writes
// the last block and the mark of the end.
type Writer struct {
	w     io.Writer
	block []byte // to be compressed
	out   bytes.Buffer
	flate *flate.Writer
	err   error
}

// NewWriter returns a Writer to w. The bytes that w gets depend on what is
// written, not on how it is cut.
func NewWriter(w io.Writer) *Writer {
	z, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		panic(err) // of the level, which is right
	}
	return &Writer{w: w, flate: z, block: make([]byte, 0, blockSize)}
}

// Write compresses p as blocks become full.
func (w *Writer) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) && w.err == nil {
		m := min(len(p)-n, blockSize-len(w.block))
		w.block = append(w.block, p[n:n+m]...)
		n += m
		if len(w.block) == blockSize {
			w.flush()
		}
	}
	return n, w.err
}

// Close writes what is left and the empty block that marks the end. It does not
// close the underlying writer.
func (w *Writer) Close() error {
	if len(w.block) > 0 {
		w.flush()
	}
	w.flush()
	err := w.err
	if w.err == nil {
		w.err = errors.New("bgzf: write after close")
	}
	return err
}

// flush writes one block.
func (w *Writer) flush() {
	if w.err != nil {
		return
	}
	w.out.Reset()
	w.out.Write(header[:])
	w.flate.Reset(&w.out)
	w.flate.Write(w.block) // to memory: cannot fail
	w.flate.Close()
	var tail [8]byte
	binary.LittleEndian.PutUint32(tail[:], crc32.ChecksumIEEE(w.block))
	binary.LittleEndian.PutUint32(tail[4:], uint32(len(w.block)))
	w.out.Write(tail[:])
	block := w.out.Bytes()
	if len(w.block) == 0 {
		block = end
	} else {
		binary.LittleEndian.PutUint16(block[headerSize-2:], uint16(len(block)-1))
	}
	_, w.err = w.w.Write(block)
	w.block = w.block[:0]
}

// end is the empty block, in the very bytes by which readers know it.
var end = []byte("\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00")

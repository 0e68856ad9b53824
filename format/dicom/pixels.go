package dicom

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"

	"heed/format"
)

// A layout is how the samples of pixels lie in a file.
type layout struct {
	rows, columns, frames     int
	allocated, stored, high   int // bits
	signed                    bool
	syntax                    syntax
	slope, intercept, padding float64
	hasPadding                bool
}

// layout reads and checks the attributes of the image pixel module.
func (f *File) layout() (layout, error) {
	l := layout{syntax: syntaxOf(f.Syntax)}
	samples, representation := 1, 0
	for _, x := range []struct {
		tag    Tag
		to     *int
		absent int
	}{
		{tagRows, &l.rows, -1}, {tagColumns, &l.columns, -1}, {tagFrames, &l.frames, 1}, {tagSamples, &samples, 1},
		{tagBitsAllocated, &l.allocated, -1}, {tagBitsStored, &l.stored, -2}, {tagHighBit, &l.high, -2}, {tagRepresentation, &representation, 0},
	} {
		v, err := f.integer(x.tag, x.absent)
		if err != nil {
			return l, format.InvalidAt(f.Name, 0, "%w", err)
		}
		if v == -1 {
			return l, format.InvalidAt(f.Name, 0, "no %s", describe(x.tag))
		}
		*x.to = v
	}
	if l.stored == -2 {
		l.stored = l.allocated
	}
	if l.high == -2 {
		l.high = l.stored - 1
	}
	l.signed = representation == 1
	switch photometric := f.Text(tagPhotometric); {
	case samples != 1, photometric != "" && photometric != "MONOCHROME1" && photometric != "MONOCHROME2":
		return l, format.UnsupportedAt(f.Name, 0, "pixels of %d samples; images of one (MONOCHROME) are read", samples)
	case l.allocated != 8 && l.allocated != 16 && l.allocated != 32:
		return l, format.UnsupportedAt(f.Name, 0, "%d bits per pixel; 8, 16 and 32 are read", l.allocated)
	case l.stored < 1 || l.stored > l.allocated || l.high < l.stored-1 || l.high >= l.allocated:
		return l, format.InvalidAt(f.Name, 0, "bits %d to %d of %d hold the pixel", l.high-l.stored+1, l.high, l.allocated)
	}
	if _, err := format.CountVoxels([3]int{l.columns, l.rows, l.frames}, format.MaxVoxels); err != nil {
		return l, format.TooLargeAt(f.Name, 0, "%w", err)
	}
	return l, nil
}

// Pixels returns the stored values of one frame, from 0: rows times columns, each
// row from left to right, before slope and intercept.
func (f *File) Pixels(frame int) ([]int32, error) {
	l, err := f.layout()
	if err != nil {
		return nil, err
	}
	if frame < 0 || frame >= l.frames {
		return nil, format.InvalidAt(f.Name, 0, "no frame %d: the file has %d", frame+1, l.frames)
	}
	e := f.Find(tagPixels)
	switch {
	case e == nil && (f.Find(tagFloatPixels) != nil || f.Find(tagDoublePixels) != nil):
		return nil, format.UnsupportedAt(f.Name, 0, "pixels that are floating-point numbers")
	case e == nil:
		return nil, format.InvalidAt(f.Name, 0, "no %s", describe(tagPixels))
	case l.syntax.pixels == "":
		return nil, format.UnsupportedAt(f.Name, e.at, "pixels compressed by %s; convert the file to a syntax without compression or to JPEG Lossless", l.syntax.name)
	}
	if l.syntax.pixels == "plain" {
		return l.plain(f, e, frame)
	}
	data, err := l.compressed(f, e, frame)
	if err != nil {
		return nil, err
	}
	// The most pixels that a byte can stand for: a file that is cut off must not
	// cost the memory that its header promises.
	most := map[string]int{"rle": 64, "jpeg": 256, "lossless": 8}[l.syntax.pixels]
	if n := l.rows * l.columns; n > most*len(data) {
		return nil, format.InvalidAt(f.Name, e.at, "%d bytes of compressed pixels, too few for %d x %d", len(data), l.columns, l.rows)
	}
	var out []int32
	switch l.syntax.pixels {
	case "rle":
		out, err = l.rle(data)
	case "jpeg":
		out, err = l.jpeg(data)
	case "lossless":
		out, err = l.lossless(data)
	}
	if err != nil {
		return nil, placed(f.Name, e.at, err)
	}
	return l.finish(out), nil
}

// An unsupported error is about an input that may be right.
type unsupported struct{ error }

func placed(name string, at int64, err error) error {
	if u, ok := err.(unsupported); ok {
		return format.UnsupportedAt(name, at, "%w", u.error)
	}
	return format.InvalidAt(name, at, "%w", err)
}

// finish takes the bits that are stored, and their sign.
func (l *layout) finish(out []int32) []int32 {
	left := 31 - l.high
	right := 32 - l.stored
	for i, v := range out {
		if l.signed {
			out[i] = v << left >> right
		} else {
			out[i] = int32(uint32(v) << left >> right)
		}
	}
	return out
}

func (l *layout) plain(f *File, e *Element, frame int) ([]int32, error) {
	if e.Fragments != nil {
		return nil, format.InvalidAt(f.Name, e.at, "pixels in fragments, but the transfer syntax has no compression")
	}
	if l.stored == 32 && !l.signed {
		return nil, format.UnsupportedAt(f.Name, e.at, "pixels of 32 bits without sign")
	}
	n, size := l.rows*l.columns, l.allocated/8
	if want := n * size * l.frames; len(e.Value) < want {
		return nil, format.InvalidAt(f.Name, e.at, "pixels have %d bytes, want %d", len(e.Value), want)
	}
	if size == 1 && e.VR == "OW" && f.order == binary.BigEndian {
		return nil, format.UnsupportedAt(f.Name, e.at, "pixels of 8 bits in big-endian words")
	}
	b := e.Value[frame*n*size:]
	out := make([]int32, n)
	for i := range out {
		switch size {
		case 1:
			out[i] = int32(b[i])
		case 2:
			out[i] = int32(f.order.Uint16(b[2*i:]))
		default:
			out[i] = int32(f.order.Uint32(b[4*i:]))
		}
	}
	return l.finish(out), nil
}

// compressed returns the bytes of one frame: the fragments that belong to it.
func (l *layout) compressed(f *File, e *Element, frame int) ([]byte, error) {
	if len(e.Fragments) < 2 {
		return nil, format.InvalidAt(f.Name, e.at, "no fragments of compressed pixels")
	}
	table, fragments := e.Fragments[0], e.Fragments[1:]
	switch {
	case l.frames == 1:
		return bytes.Join(fragments, nil), nil
	case len(fragments) == l.frames:
		return fragments[frame], nil
	case len(table) != 4*l.frames:
		return nil, format.InvalidAt(f.Name, e.at, "%d fragments for %d frames, and no table of offsets", len(fragments), l.frames)
	}
	from := binary.LittleEndian.Uint32(table[4*frame:])
	to := uint32(undefined)
	if frame+1 < l.frames {
		to = binary.LittleEndian.Uint32(table[4*frame+4:])
	}
	var out []byte
	at := uint32(0)
	for _, b := range fragments {
		if at >= from && at < to {
			out = append(out, b...)
		}
		at += uint32(len(b)) + 8
	}
	return out, nil
}

// jpeg decodes JPEG of 8 bits by the standard library.
func (l *layout) jpeg(data []byte) ([]int32, error) {
	c, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err == nil && (c.Width != l.columns || c.Height != l.rows) {
		return nil, fmt.Errorf("compressed image has %d x %d pixels, want %d x %d", c.Width, c.Height, l.columns, l.rows)
	}
	var im image.Image
	if err == nil {
		im, err = jpeg.Decode(bytes.NewReader(data))
	}
	if _, ok := err.(jpeg.UnsupportedError); ok {
		return nil, unsupported{fmt.Errorf("JPEG of more than 8 bits (%s)", l.syntax.name)}
	}
	if err != nil {
		return nil, fmt.Errorf("JPEG is damaged")
	}
	gray, ok := im.(*image.Gray)
	if !ok {
		return nil, unsupported{fmt.Errorf("JPEG in colours")}
	}
	out := make([]int32, 0, l.rows*l.columns)
	for y := range l.rows {
		for _, v := range gray.Pix[y*gray.Stride : y*gray.Stride+l.columns] {
			out = append(out, int32(v))
		}
	}
	return out, nil
}

// rle decodes RLE Lossless (PS3.5, annex G): one segment for each byte of a pixel,
// the most significant first, in PackBits.
func (l *layout) rle(data []byte) ([]int32, error) {
	const head = 64
	if len(data) < head {
		return nil, fmt.Errorf("RLE: header of %d bytes, want %d", len(data), head)
	}
	segments := int(binary.LittleEndian.Uint32(data))
	if segments != l.allocated/8 {
		return nil, fmt.Errorf("RLE: %d segments for %d bits", segments, l.allocated)
	}
	out := make([]int32, l.rows*l.columns)
	for s := range segments {
		from, to := int(binary.LittleEndian.Uint32(data[4+4*s:])), len(data)
		if s+1 < segments {
			to = int(binary.LittleEndian.Uint32(data[8+4*s:]))
		}
		if from < head || from > to || to > len(data) {
			return nil, fmt.Errorf("RLE: segment %d lies outside", s+1)
		}
		if !unpack(out, data[from:to]) {
			return nil, fmt.Errorf("RLE: segment %d is cut off", s+1)
		}
	}
	return out, nil
}

// unpack shifts each pixel by a byte and adds the bytes of a segment.
func unpack(out []int32, b []byte) bool {
	n := 0
	for n < len(out) {
		if len(b) < 2 {
			return false
		}
		k := int(int8(b[0]))
		switch {
		case k >= 0: // k+1 bytes as they are
			if len(b) < k+2 {
				return false
			}
			for _, v := range b[1 : k+2] {
				if n < len(out) {
					out[n] = out[n]<<8 | int32(v)
					n++
				}
			}
			b = b[k+2:]
		case k > -128: // one byte 1-k times
			for range 1 - k {
				if n < len(out) {
					out[n] = out[n]<<8 | int32(b[1])
					n++
				}
			}
			b = b[2:]
		default:
			b = b[1:]
		}
	}
	return true
}

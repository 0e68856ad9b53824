package dicom

import (
	"errors"
	"fmt"
)

var errLosslessEnd = errors.New("JPEG Lossless: data is cut off")

// lossless decodes JPEG's lossless process with Huffman coding (ITU-T T.81, annex
// H): each pixel is predicted from its neighbours, and the difference is coded by
// the number of its bits and these bits.
func (l *layout) lossless(data []byte) ([]int32, error) {
	d := lossless{b: data, rows: l.rows, columns: l.columns}
	return d.decode()
}

type lossless struct {
	b             []byte
	at            int
	rows, columns int

	precision int
	tables    [4]*huffman
	restart   int // pixels between restart markers, 0 for none

	bits uint64 // the next ones, the first the highest of n
	n    uint
	done bool // a marker was met: no more bits but zeros
	over int  // how many bits were made up
}

// A huffman table is looked up by the next 16 bits in two steps: the first eight
// find most codes.
type huffman struct {
	fast   [256]uint16 // length<<8 | value, 0 for a longer code
	first  [17]int32   // the first code of each length
	last   [17]int32   // one past the last
	offset [17]int32   // of its value, less the first code
	values []byte
}

func (d *lossless) decode() ([]int32, error) {
	if len(d.b) < 2 || d.b[0] != 0xff || d.b[1] != 0xd8 {
		return nil, errors.New("JPEG Lossless: no start of image")
	}
	d.at = 2
	for {
		marker, segment, err := d.segment()
		if err != nil {
			return nil, err
		}
		switch {
		case marker == 0xc3:
			if err := d.frame(segment); err != nil {
				return nil, err
			}
		case marker == 0xc4:
			if err := d.huffman(segment); err != nil {
				return nil, err
			}
		case marker == 0xdd:
			if len(segment) != 2 {
				return nil, errors.New("JPEG Lossless: restart interval is damaged")
			}
			d.restart = int(segment[0])<<8 | int(segment[1])
		case marker == 0xda:
			return d.scan(segment)
		case marker == 0xd9:
			return nil, errors.New("JPEG Lossless: no scan")
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xcc && marker != 0xc8:
			return nil, unsupported{fmt.Errorf("JPEG of another process (marker FF%02X) where the syntax says lossless", marker)}
		}
	}
}

// segment reads a marker and what belongs to it.
func (d *lossless) segment() (marker byte, body []byte, err error) {
	for d.at < len(d.b) && d.b[d.at] == 0xff { // fill bytes too
		d.at++
	}
	if d.at < 1 || d.at >= len(d.b) || d.b[d.at-1] != 0xff {
		return 0, nil, errors.New("JPEG Lossless: no marker where one must be")
	}
	marker = d.b[d.at]
	d.at++
	if marker == 0xd9 || marker == 0x01 || marker >= 0xd0 && marker <= 0xd7 {
		return marker, nil, nil
	}
	if d.at+2 > len(d.b) {
		return 0, nil, errLosslessEnd
	}
	n := int(d.b[d.at])<<8 | int(d.b[d.at+1])
	if n < 2 || d.at+n > len(d.b) {
		return 0, nil, errLosslessEnd
	}
	body = d.b[d.at+2 : d.at+n]
	d.at += n
	return marker, body, nil
}

func (d *lossless) frame(b []byte) error {
	if len(b) < 6 || d.precision != 0 {
		return errors.New("JPEG Lossless: frame is damaged")
	}
	d.precision = int(b[0])
	rows, columns := int(b[1])<<8|int(b[2]), int(b[3])<<8|int(b[4])
	switch {
	case d.precision < 2 || d.precision > 16:
		return fmt.Errorf("JPEG Lossless: precision of %d bits, want 2 to 16", d.precision)
	case b[5] != 1:
		return unsupported{fmt.Errorf("JPEG Lossless of %d components", b[5])}
	case rows != d.rows || columns != d.columns:
		return fmt.Errorf("compressed image has %d x %d pixels, want %d x %d", columns, rows, d.columns, d.rows)
	}
	return nil
}

// huffman reads one table or several.
func (d *lossless) huffman(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 || b[0] > 3 {
			return errors.New("JPEG Lossless: Huffman table is damaged")
		}
		h := &huffman{}
		total, code := 0, int32(0)
		for length := 1; length <= 16; length++ {
			n := int(b[length])
			h.first[length], h.last[length] = code, code+int32(n)
			h.offset[length] = int32(total) - code
			total += n
			code += int32(n)
			if code > 1<<length {
				return errors.New("JPEG Lossless: Huffman table has too many codes")
			}
			code <<= 1
		}
		if len(b) < 17+total {
			return errors.New("JPEG Lossless: Huffman table is damaged")
		}
		h.values = b[17 : 17+total]
		for _, v := range h.values {
			if v > 16 {
				return fmt.Errorf("JPEG Lossless: differences of %d bits, want up to 16", v)
			}
		}
		for length := 1; length <= 8; length++ {
			for c := h.first[length]; c < h.last[length]; c++ {
				entry := uint16(length)<<8 | uint16(h.values[h.offset[length]+c])
				for i := range 1 << (8 - length) {
					h.fast[int(c)<<(8-length)|i] = entry
				}
			}
		}
		d.tables[b[0]] = h
		b = b[17+total:]
	}
	return nil
}

// scan decodes the pixels.
func (d *lossless) scan(b []byte) ([]int32, error) {
	if d.precision == 0 || len(b) != 6 || b[0] != 1 {
		return nil, errors.New("JPEG Lossless: scan is damaged")
	}
	table, predictor, transform := b[2]>>4, b[3], int(b[5]&15)
	if table > 3 || d.tables[table] == nil {
		return nil, errors.New("JPEG Lossless: no Huffman table for the scan")
	}
	if predictor < 1 || predictor > 7 || transform >= d.precision {
		return nil, fmt.Errorf("JPEG Lossless: predictor %d and point transform %d", predictor, transform)
	}
	h := d.tables[table]
	out := make([]int32, d.rows*d.columns)
	w := d.columns
	if d.restart%w != 0 {
		return nil, unsupported{errors.New("JPEG Lossless whose restarts do not fall on lines")}
	}
	start := int32(1) << (d.precision - transform - 1)
	fresh := 0 // the line at whose start the prediction began anew
	for y := range d.rows {
		if d.restart > 0 && y > 0 && y*w%d.restart == 0 {
			if err := d.restartMarker(); err != nil {
				return nil, err
			}
			fresh = y
		}
		line := out[y*w : (y+1)*w]
		for x := range line {
			difference, err := d.difference(h)
			if err != nil {
				return nil, err
			}
			var p int32
			switch {
			case y == fresh && x == 0:
				p = start
			case y == fresh:
				p = line[x-1]
			case x == 0:
				p = out[(y-1)*w]
			default:
				a, b, c := line[x-1], out[(y-1)*w+x], out[(y-1)*w+x-1]
				switch predictor {
				case 1:
					p = a
				case 2:
					p = b
				case 3:
					p = c
				case 4:
					p = a + b - c
				case 5:
					p = a + (b-c)>>1
				case 6:
					p = b + (a-c)>>1
				default:
					p = (a + b) >> 1
				}
			}
			line[x] = (p + difference) & 0xffff // modulo 2^16
		}
	}
	for i := range out {
		out[i] = out[i] << transform & 0xffff
	}
	return out, nil
}

// restartMarker drops what is left of a byte and takes the marker.
func (d *lossless) restartMarker() error {
	d.bits, d.n, d.done, d.over = 0, 0, false, 0
	for d.at+1 < len(d.b) {
		if d.b[d.at] == 0xff && d.b[d.at+1] >= 0xd0 && d.b[d.at+1] <= 0xd7 {
			d.at += 2
			return nil
		}
		d.at++
	}
	return errLosslessEnd
}

// fill brings at least 32 bits. After the end, zeros are made up and counted.
func (d *lossless) fill() {
	for d.n <= 56 {
		v := byte(0)
		switch {
		case d.done:
			d.over += 8
		case d.at >= len(d.b):
			d.done = true
			d.over += 8
		case d.b[d.at] == 0xff && d.at+1 < len(d.b) && d.b[d.at+1] == 0:
			v = 0xff
			d.at += 2
		case d.b[d.at] == 0xff:
			d.done = true
			d.over += 8
		default:
			v = d.b[d.at]
			d.at++
		}
		d.bits = d.bits<<8 | uint64(v)
		d.n += 8
	}
}

// difference decodes one code and the bits that follow it.
func (d *lossless) difference(h *huffman) (int32, error) {
	if d.n < 32 {
		d.fill()
	}
	next := int32(d.bits >> (d.n - 16) & 0xffff)
	length, value := 0, byte(0)
	if entry := h.fast[next>>8]; entry != 0 {
		length, value = int(entry>>8), byte(entry)
	} else {
		for length = 9; ; length++ {
			if length > 16 {
				return 0, errors.New("JPEG Lossless: a code that is in no table")
			}
			if c := next >> (16 - length); c >= h.first[length] && c < h.last[length] {
				value = h.values[h.offset[length]+c]
				break
			}
		}
	}
	d.n -= uint(length)
	if d.n < uint(d.over) && d.done {
		return 0, errLosslessEnd
	}
	switch value {
	case 0:
		return 0, nil
	case 16: // no bits follow
		return 32768, nil
	}
	d.n -= uint(value)
	if d.done && d.n < uint(d.over) {
		return 0, errLosslessEnd
	}
	v := int32(d.bits >> d.n & (1<<value - 1))
	if v < 1<<(value-1) {
		v += -1<<value + 1
	}
	return v, nil
}

package pages

import (
	"encoding/binary"
	"errors"
	"fmt"

	pformat "github.com/parquet-go/parquet-go/format"
)

// values holds what the values of a page expand to against their number.
func (f *File) values(at int64, as pformat.Encoding, b []byte, count int) error {
	switch as {
	case pformat.Plain, pformat.ByteStreamSplit:
		return nil
	case pformat.PlainDictionary, pformat.RLEDictionary:
		if len(b) == 0 {
			return nil
		}
		return runs(b[1:], int(b[0]), count)
	case pformat.RLE: // booleans
		b, _, err := prefixed(b)
		if err != nil {
			return err
		}
		return runs(b, 1, count)
	case pformat.DeltaBinaryPacked:
		_, _, err := f.deltas(b, count, false)
		return err
	case pformat.DeltaLengthByteArray:
		_, _, err := f.deltas(b, count, true)
		return err
	case pformat.DeltaByteArray:
		prefixes, rest, err := f.deltas(b, count, true)
		if err != nil {
			return err
		}
		suffixes, _, err := f.deltas(rest, count, true)
		if err == nil && prefixes+suffixes > MaxPage {
			return tooLarge(at, "a page of more than %d bytes of text", MaxPage)
		}
		return err
	}
	return unsupported(at, "a page in the encoding %v", as)
}

// prefixed cuts off the part whose length stands in front.
func prefixed(b []byte) (part, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errShort
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, errShort
	}
	return b[4 : 4+n], b[4+n:], nil
}

// padding is by how many values the last run may pass the end: writers fill up groups
// of eight, some of 64.
const padding = 64

// runs goes over run lengths and bit-packed groups of a width, and fails if they
// expand to more than count values.
func runs(b []byte, width, count int) error {
	if width > 32 {
		return fmt.Errorf("values of %d bits", width)
	}
	total := uint64(0)
	for len(b) > 0 {
		head, n := binary.Uvarint(b)
		if n <= 0 {
			return errShort
		}
		b = b[n:]
		length, bytes := head>>1, uint64(width+7)/8
		if head&1 != 0 {
			length, bytes = length*8, length*uint64(width)
			if head>>1 > MaxValues {
				return fmt.Errorf("a run of %d values, of %d", head>>1, count)
			}
		}
		if total += length; length > MaxValues+padding || total > uint64(count+padding) {
			return fmt.Errorf("runs of more than the %d values of the page", count)
		}
		if bytes > uint64(len(b)) {
			return errShort
		}
		b = b[bytes:]
	}
	return nil
}

var errDelta = errors.New("no numbers by their differences")

// deltas goes over numbers that are stored by their differences, at most count of
// them. If they are lengths it adds them up, and returns what follows.
func (f *File) deltas(b []byte, count int, lengths bool) (sum int64, rest []byte, err error) {
	number := func() uint64 {
		x, n := binary.Uvarint(b)
		if n <= 0 {
			err, b = errDelta, nil
			return 0
		}
		b = b[n:]
		return x
	}
	block, minis, total := number(), number(), number()
	value := unzigzag(number())
	if err != nil {
		return 0, nil, err
	}
	if total > uint64(count) {
		return 0, nil, fmt.Errorf("%d numbers, of %d values", total, count)
	}
	if block == 0 || block > 1<<16 || minis == 0 || minis > block || block%minis != 0 || block/minis%8 != 0 {
		return 0, nil, errDelta
	}
	add := func(x int64) {
		if x = int64(int32(x)); x < 0 {
			err = errDelta
		}
		sum += x
	}
	if total > 0 && lengths {
		add(value)
	}
	per := block / minis
	for left := int64(total) - 1; left > 0 && err == nil; {
		least := unzigzag(number())
		if err != nil || uint64(len(b)) < minis {
			return 0, nil, errDelta
		}
		widths := b[:minis]
		b = b[minis:]
		for _, width := range widths {
			if left <= 0 {
				break
			}
			bytes := per * uint64(width) / 8
			if width > 64 || bytes > uint64(len(b)) && lengths {
				return 0, nil, errDelta
			}
			mini := b[:min(bytes, uint64(len(b)))] // the last one of numbers may be cut
			b = b[len(mini):]
			n := min(int64(per), left)
			left -= n
			if lengths {
				for i := range n {
					value = int64(int32(value + least + int64(bitsAt(mini, int(i)*int(width), int(width)))))
					add(value)
				}
			}
		}
	}
	if lengths && sum > MaxPage {
		return 0, nil, fmt.Errorf("texts of %d bytes, limit %d", sum, MaxPage)
	}
	return sum, b, err
}

func unzigzag(x uint64) int64 { return int64(x>>1) ^ -int64(x&1) }

// bitsAt returns a number of up to 64 bits, the lowest first.
func bitsAt(b []byte, at, width int) uint64 {
	var x uint64
	for i := 0; i < width; {
		shift := (at + i) % 8
		x |= uint64(b[(at+i)/8]>>shift) << i
		i += 8 - shift
	}
	if width < 64 {
		x &= 1<<width - 1
	}
	return x
}

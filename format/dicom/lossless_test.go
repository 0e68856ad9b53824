package dicom

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// losslessBytes codes an image by JPEG Lossless with the first predictor, with codes
// of five bits for all numbers of bits, and a restart after each so many lines.
func losslessBytes(image []int32, rows, columns, precision, transform, restart int) []byte {
	b := []byte{0xff, 0xd8, 0xff, 0xc3, 0, 11, byte(precision), byte(rows >> 8), byte(rows), byte(columns >> 8), byte(columns), 1, 1, 0x11, 0}
	b = append(b, 0xff, 0xc4, 0, 2+17+17, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for v := range 17 {
		b = append(b, byte(v))
	}
	if restart > 0 {
		n := restart * columns
		b = append(b, 0xff, 0xdd, 0, 4, byte(n>>8), byte(n))
	}
	b = append(b, 0xff, 0xda, 0, 8, 1, 1, 0, 1, 0, byte(transform))
	acc, n := uint64(0), 0
	flush := func(last bool) {
		if last && n%8 != 0 {
			pad := 8 - n%8
			acc, n = acc<<pad|(1<<pad-1), n+pad
		}
		for ; n >= 8; n -= 8 {
			v := byte(acc >> (n - 8))
			if b = append(b, v); v == 0xff {
				b = append(b, 0)
			}
		}
	}
	put := func(v uint64, size int) {
		acc, n = acc<<size|v&(1<<size-1), n+size
		flush(false)
	}
	marker := 0
	for y := range rows {
		fresh := y == 0
		if restart > 0 && y > 0 && y%restart == 0 {
			flush(true)
			b = append(b, 0xff, byte(0xd0+marker%8))
			marker++
			fresh = true
		}
		for x := range columns {
			v := image[y*columns+x] >> transform
			p := int32(1) << (precision - transform - 1)
			if x > 0 {
				p = image[y*columns+x-1] >> transform
			} else if !fresh {
				p = image[(y-1)*columns] >> transform
			}
			d := int32(int16(v - p))
			size := bits.Len32(uint32(max(d, -d)))
			put(uint64(size), 5)
			switch {
			case size == 16: // -32768: no bits
			case d < 0:
				put(uint64(d-1), size)
			default:
				put(uint64(d), size)
			}
		}
	}
	flush(true)
	return append(b, 0xff, 0xd9)
}

// TestLossless takes random images of all precisions there and back, with restarts
// and point transforms, which dcmtk does not make.
func TestLossless(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		rows, columns, precision := 1+r.IntN(20), 1+r.IntN(20), 2+r.IntN(15)
		transform, restart := r.IntN(min(precision, 4)), r.IntN(4)
		image := make([]int32, rows*columns)
		for k := range image {
			image[k] = int32(r.IntN(1<<precision)) >> transform << transform
		}
		data := losslessBytes(image, rows, columns, precision, transform, restart)
		l := layout{rows: rows, columns: columns}
		got, err := l.lossless(data)
		if err != nil || !slices.Equal(got, image) {
			t.Fatalf("%d: %d x %d of %d bits, transform %d, restart %d: %v", i, rows, columns, precision, transform, restart, err)
		}
		// Cut anywhere, it is an error and no panic.
		if cut := r.IntN(len(data) - 2); cut < len(data)-3 {
			if got, err := l.lossless(data[:cut]); err == nil && !slices.Equal(got, image) {
				t.Fatalf("%d: cut at %d of %d is no error", i, cut, len(data))
			}
		}
	}
}

func TestLosslessBad(t *testing.T) {
	image := []int32{1, 2, 3, 4}
	good := losslessBytes(image, 2, 2, 8, 0, 0)
	l := layout{rows: 2, columns: 2}
	for _, test := range []struct {
		at   int
		v    byte
		want string
	}{
		{0, 0, "JPEG Lossless: no start of image"},
		{3, 0xc0, "JPEG of another process (marker FFC0) where the syntax says lossless"},
		{6, 17, "JPEG Lossless: precision of 17 bits, want 2 to 16"},
		{8, 3, "compressed image has 2 x 3 pixels, want 2 x 2"},
		{11, 3, "JPEG Lossless of 3 components"},
		{19, 9, "JPEG Lossless: Huffman table is damaged"},
		{20, 3, "JPEG Lossless: Huffman table has too many codes"},
		{36, 17, "JPEG Lossless: differences of 17 bits, want up to 16"},
		{len(good) - 10, 9, ""},
	} {
		b := slices.Clone(good)
		b[test.at] = test.v
		_, err := l.lossless(b)
		if test.want != "" && fmt.Sprint(err) != test.want {
			t.Errorf("byte %d: got %v, want %s", test.at, err, test.want)
		}
	}
}

package pages

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	pformat "github.com/parquet-go/parquet-go/format"
)

// unpack returns the content of a page that says it has some bytes, valid until the
// next call, and fails before it would make more.
func (f *File) unpack(codec pformat.CompressionCodec, b []byte, size int) ([]byte, error) {
	if codec == pformat.Uncompressed {
		return b, nil
	}
	var err error
	// Nobody packs better than this; a claim beyond it is not worth its memory.
	if most, known := map[pformat.CompressionCodec]int{pformat.Snappy: 64, pformat.Lz4Raw: 256, pformat.Gzip: 1100}[codec]; known && size > most*(len(b)+16) {
		return nil, fmt.Errorf("%d bytes cannot unpack to %d", len(b), size)
	}
	if cap(f.out) < size && codec != pformat.Zstd {
		f.out = make([]byte, 0, size)
	}
	switch codec {
	case pformat.Snappy:
		var n int
		if n, err = snappy.DecodedLen(b); err == nil && n > size {
			return nil, fmt.Errorf("more than %d bytes", size)
		}
		f.out, err = snappy.Decode(f.out[:cap(f.out)], b)
	case pformat.Lz4Raw:
		var n int
		if n, err = lz4Size(b, size); err == nil {
			f.out, err = parquet.LookupCompressionCodec(codec).Decode(f.out[:n], b)
		}
	case pformat.Zstd:
		f.out, err = f.zstd(b)
	case pformat.Gzip:
		var r io.Reader
		if r, err = gzip.NewReader(bytes.NewReader(b)); err == nil {
			f.out, err = readUpTo(f.out[:0], r, size)
		}
	case pformat.Brotli:
		f.out, err = readUpTo(f.out[:0], brotli.NewReader(bytes.NewReader(b)), size)
	default:
		return nil, unsupported(0, "pages packed by %v", codec)
	}
	if err != nil {
		return nil, err
	}
	if len(f.out) > size {
		return nil, fmt.Errorf("more than %d bytes", size)
	}
	return f.out, nil
}

func (f *File) zstd(b []byte) ([]byte, error) {
	if f.decoder == nil {
		var err error
		if f.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxPage)); err != nil {
			return nil, err
		}
	}
	return f.decoder.DecodeAll(b, f.out[:0])
}

// readUpTo appends what r has to dst, and one byte more than size at the most.
func readUpTo(dst []byte, r io.Reader, size int) ([]byte, error) {
	w := bytes.NewBuffer(dst)
	_, err := io.Copy(w, io.LimitReader(r, int64(size)+1))
	return w.Bytes(), err
}

var errLZ4 = errors.New("no block of LZ4")

// lz4Size returns what a block of LZ4 unpacks to, without unpacking it. parquet-go
// takes any error for a buffer that is too small and doubles it for ever, so the block
// must be right in every part.
func lz4Size(b []byte, most int) (int, error) {
	n := 0
	length := func(l int) (int, error) {
		if l < 15 {
			return l, nil
		}
		for {
			if len(b) == 0 || l > most {
				return 0, errLZ4
			}
			x := b[0]
			b = b[1:]
			l += int(x)
			if x != 255 {
				return l, nil
			}
		}
	}
	for len(b) > 0 {
		token := b[0]
		b = b[1:]
		literals, err := length(int(token >> 4))
		if err != nil || literals > len(b) {
			return 0, errLZ4
		}
		b, n = b[literals:], n+literals
		if len(b) == 0 {
			break // the last sequence has no match
		}
		if len(b) < 2 {
			return 0, errLZ4
		}
		back := int(b[0]) | int(b[1])<<8
		b = b[2:]
		match, err := length(int(token & 15))
		if err != nil || back == 0 || back > n {
			return 0, errLZ4
		}
		if n += match + 4; n > most {
			return 0, errLZ4
		}
	}
	if n > most {
		return 0, errLZ4
	}
	return n, nil
}

package nifti

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/klauspost/compress/gzip"

	"heed/format"
)

// notice stands in the description of every file.
const notice = "research use only, not a medical device"

// WriteFile writes a volume as NIfTI-1, gzipped if the name ends in .gz; the file
// appears whole or not at all.
func WriteFile(path string, v *format.Volume) error {
	return format.WriteFile(path, func(w io.Writer) error {
		if !strings.HasSuffix(path, ".gz") {
			return Write(w, v)
		}
		z := gzip.NewWriter(w)
		if err := Write(z, v); err != nil {
			return err
		}
		return z.Close()
	})
}

// Write writes a volume as NIfTI-1, little-endian, in the type that [format.Volume.Fit]
// chooses; a volume with an axis longer than 32,767 as NIfTI-2. Sform and qform are
// both written and say the same, unless the axes are not at right angles: then the
// qform, which cannot say that, is the nearest rotation with a code of 0.
func Write(w io.Writer, v *format.Volume) error {
	if err := v.Check(); err != nil {
		return fmt.Errorf("nifti: %w", err)
	}
	t := v.Fit()
	code := 0
	for c, u := range types {
		if u == t {
			code = c
		}
	}
	version := 1
	for _, n := range v.Shape {
		if n > math.MaxInt16 {
			version = 2
		}
	}
	head := headerV1(v, code, 8*t.Size())
	if version == 2 {
		head = headerV2(v, code, 8*t.Size())
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	return format.WriteVoxels(w, v.Data, t)
}

// qform returns the rotation, and the code it is written with.
func qform(a format.Affine) (q quaternion, size [3]float64, code int) {
	q, size = quaternionOf(a)
	if a.Skew() < 1e-3 {
		code = 1
	}
	return q, size, code
}

func headerV1(v *format.Volume, datatype, bits int) []byte {
	b := make([]byte, 352)
	le := binary.LittleEndian
	f32 := func(at int, x float64) { le.PutUint32(b[at:], math.Float32bits(float32(x))) }
	i16 := func(at, x int) { le.PutUint16(b[at:], uint16(x)) }
	q, size, code := qform(v.Affine)
	le.PutUint32(b, 348)
	b[38] = 'r'
	i16(40, 3)
	f32(76, q.qfac)
	for i := range 7 {
		i16(42+2*i, 1)
		if i < 3 {
			i16(42+2*i, v.Shape[i])
			f32(80+4*i, size[i])
		}
	}
	i16(70, datatype)
	i16(72, bits)
	f32(108, 352)
	f32(112, 1)
	b[123] = 2 // mm
	copy(b[148:228], notice)
	i16(252, code)
	i16(254, 1)
	for i, x := range []float64{q.b, q.c, q.d, v.Affine[0][3], v.Affine[1][3], v.Affine[2][3]} {
		f32(256+4*i, x)
	}
	for i := range 12 {
		f32(280+4*i, v.Affine[i/4][i%4])
	}
	copy(b[344:], "n+1\x00")
	return b
}

func headerV2(v *format.Volume, datatype, bits int) []byte {
	b := make([]byte, 544)
	le := binary.LittleEndian
	f64 := func(at int, x float64) { le.PutUint64(b[at:], math.Float64bits(x)) }
	q, size, code := qform(v.Affine)
	le.PutUint32(b, 540)
	copy(b[4:], "n+2\x00\r\n\x1a\n")
	le.PutUint16(b[12:], uint16(datatype))
	le.PutUint16(b[14:], uint16(bits))
	le.PutUint64(b[16:], 3)
	f64(104, q.qfac)
	for i := range 7 {
		n := 1
		if i < 3 {
			n = v.Shape[i]
			f64(112+8*i, size[i])
		}
		le.PutUint64(b[24+8*i:], uint64(n))
	}
	le.PutUint64(b[168:], 544)
	f64(176, 1)
	copy(b[240:320], notice)
	le.PutUint32(b[344:], uint32(code))
	le.PutUint32(b[348:], 1)
	for i, x := range []float64{q.b, q.c, q.d, v.Affine[0][3], v.Affine[1][3], v.Affine[2][3]} {
		f64(352+8*i, x)
	}
	for i := range 12 {
		f64(400+8*i, v.Affine[i/4][i%4])
	}
	le.PutUint32(b[500:], 2)
	return b
}

package nrrd

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	"heed/format"
)

// names are the names of types as Teem writes them.
var names = map[format.NumberType]string{
	format.Int8: "int8", format.Uint8: "uint8", format.Int16: "int16", format.Uint16: "uint16", format.Int32: "int32",
	format.Uint32: "uint32", format.Int64: "int64", format.Uint64: "uint64", format.Float32: "float", format.Float64: "double",
}

// WriteFile writes a volume; the file appears whole or not at all.
func WriteFile(path string, v *format.Volume) error {
	return format.WriteFile(path, func(w io.Writer) error { return Write(w, v) })
}

// Write writes a volume, gzipped, in the space LPS, in the type that
// [format.Volume.Fit] chooses.
func Write(w io.Writer, v *format.Volume) error {
	if err := v.Check(); err != nil {
		return fmt.Errorf("nrrd: %w", err)
	}
	t := v.Fit()
	a := v.Affine.FlipXY()
	vector := func(axis int) string { c := a.Column(axis); return fmt.Sprintf("(%v,%v,%v)", c[0], c[1], c[2]) }
	if _, err := fmt.Fprintf(w, `NRRD0004
# research use only, not a medical device
type: %s
dimension: 3
space: left-posterior-superior
sizes: %d %d %d
space directions: %s %s %s
kinds: domain domain domain
endian: little
encoding: gzip
space origin: %s

`, names[t], v.Shape[0], v.Shape[1], v.Shape[2], vector(0), vector(1), vector(2), vector(3)); err != nil {
		return err
	}
	z := gzip.NewWriter(w)
	if err := format.WriteVoxels(z, v.Data, t); err != nil {
		return err
	}
	return z.Close()
}

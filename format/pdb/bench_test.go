package pdb

import (
	"bytes"
	"io"
	"testing"

	"heed/format"
)

func BenchmarkRead(b *testing.B) {
	for _, file := range []string{"testdata/1A8O.pdb.gz", "testdata/1A8O.cif.gz"} {
		r, err := format.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		text, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(file[len("testdata/"):], func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(file, bytes.NewReader(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

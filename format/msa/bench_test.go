package msa

import (
	"bytes"
	"fmt"
	"testing"
)

func BenchmarkRead(b *testing.B) {
	var text bytes.Buffer
	row := bytes.Repeat([]byte("ACDE-FGHIKLMNP-QRSTVWY"), 10)
	for i := range 5000 {
		fmt.Fprintf(&text, ">tr|A%06d|A%06d_X OS=Some species\n%sACDEfghACDE\n", i, i, row)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read("p.a3m", bytes.NewReader(text.Bytes())); err != nil {
			b.Fatal(err)
		}
	}
}

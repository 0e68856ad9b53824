package autograd

import (
	"fmt"

	"heed/internal/kernel"
)

// A Segment is a run of rows that attend to one another: Start, Start+Stride,
// ... of Count rows. Packed sequences and the rows of an (N, L) grid have
// stride 1, the columns of that grid stride L: no transpose is ever made.
type Segment struct{ Start, Count, Stride int }

// Packed returns the segments of sequences of the given lengths that lie end
// to end.
func Packed(lengths ...int) []Segment {
	s := make([]Segment, len(lengths))
	at := 0
	for i, n := range lengths {
		s[i] = Segment{at, n, 1}
		at += n
	}
	return s
}

// GridRows returns the rows of an (n, l) grid whose first row is row start.
func GridRows(start, n, l int) []Segment {
	s := make([]Segment, n)
	for i := range s {
		s[i] = Segment{start + i*l, l, 1}
	}
	return s
}

// GridColumns returns the columns of an (n, l) grid whose first row is row
// start.
func GridColumns(start, n, l int) []Segment {
	s := make([]Segment, l)
	for i := range s {
		s[i] = Segment{start + i, n, l}
	}
	return s
}

// Dilated returns the segments that lie interleaved in the given ones, of which
// each has every d-th row: what a convolution of dilation d sees (Yu & Koltun
// 2016).
func Dilated(segments []Segment, d int) []Segment {
	if d < 1 {
		panic(fmt.Sprintf("Dilated: dilation %d", d))
	}
	var out []Segment
	for _, s := range segments {
		for first := range min(d, s.Count) {
			out = append(out, Segment{s.Start + first*s.Stride, (s.Count - first + d - 1) / d, s.Stride * d})
		}
	}
	return out
}

// view is the matrix of a segment's rows of data (T, width).
func (s Segment) view(data []float32, width int) kernel.View {
	if s.Count == 0 {
		return kernel.View{RowStride: width, Cols: width, ColStride: 1}
	}
	return kernel.View{Data: data[s.Start*width:], Rows: s.Count, Cols: width, RowStride: s.Stride * width, ColStride: 1}
}

func checkSegments(op string, segments []Segment, rows int) {
	for _, s := range segments {
		if s.Count < 0 || s.Count > 0 && (s.Start < 0 || s.Stride < 1 || s.Start+(s.Count-1)*s.Stride >= rows) {
			panic(fmt.Sprintf("%s: segment {Start %d, Count %d, Stride %d} of %d rows", op, s.Start, s.Count, s.Stride, rows))
		}
	}
}

// overlap returns a row that lies in two segments, or -1.
func (t *Tape) overlap(segments []Segment, rows int) int {
	seen := t.scratch(rows)
	defer t.free(seen)
	clear(seen)
	for _, s := range segments {
		for i := range s.Count {
			if seen[s.Start+i*s.Stride] != 0 {
				return s.Start + i*s.Stride
			}
			seen[s.Start+i*s.Stride] = 1
		}
	}
	return -1
}

// Package bigwig writes and reads bigWig files: values along chromosomes in an
// indexed binary form that genome browsers show at any magnification.
//
// A [Writer] takes intervals in their order and needs memory for the index only:
//
//	err := format.WriteFileAt("scores.bw", func(f format.ReadWriterAt) error {
//		w, err := bigwig.NewWriter(f, []bigwig.Chrom{{Name: "chr1", Size: 248956422}})
//		if err != nil {
//			return err
//		}
//		for ... {
//			if err := w.Add("chr1", start, end, score); err != nil {
//				return err
//			}
//		}
//		return w.Close()
//	})
//
// A [Reader] gives back intervals, the summaries of the zoom levels, and the
// summary of the whole file.
//
// Positions are in base pairs, 0-based and half-open; values are float32.
//
// # The file
//
// Header, zoom headers, total summary; a B+ tree from the names of chromosomes
// to their numbers; sections of up to 1,024 intervals of one chromosome, each
// compressed by itself; an R-tree over them; then, for each zoom level, blocks of
// summaries and an R-tree. Source: Kent, Zweig, Barber, Hinrichs, Karolchik,
// "BigWig and BigBed: enabling browsing of large distributed datasets",
// Bioinformatics 26 (2010) 2204, and its supplement, which gives every byte.
package bigwig

import "math"

const (
	magic      = 0x888ffc26
	treeMagic  = 0x78ca8c91 // of the B+ tree
	indexMagic = 0x2468ace0 // of an R-tree
	bedMagic   = 0x8789f2eb // of bigBed, a sister format

	version      = 4
	headerSize   = 64
	zoomHeadSize = 24
	summarySize  = 40
	treeHeadSize = 32
	indexHead    = 48
	sectionHead  = 24
	leafSize     = 32 // of an entry in a leaf of an R-tree
	branchSize   = 24 // of an entry above
	zoomSize     = 32 // of one record of a zoom level

	maxZooms   = 10   // levels, as many as UCSC's programs write
	perSection = 1024 // intervals, UCSC's number
	perZoom    = 512  // records in one block
	perNode    = 256  // entries of a tree's node

	// The kinds of sections.
	bedGraph     = 1 // start, end and value of each interval
	variableStep = 2 // start and value; the length is common to all
	fixedStep    = 3 // value; length and distance are common to all
)

// A Chrom is a chromosome, or any other sequence with a name.
type Chrom struct {
	Name string
	Size int // bp
}

// An Interval is a value over a part of a chromosome.
type Interval struct {
	Start, End int // bp, 0-based, half-open
	Value      float32
}

// A Summary says of some part of a file what values it holds, each base of an
// interval counted.
type Summary struct {
	Bases           int // with a value
	Min, Max        float64
	Sum, SumSquares float64
}

// Mean returns the mean value of the bases that have one, NaN if none has.
func (s Summary) Mean() float64 {
	if s.Bases == 0 {
		return math.NaN()
	}
	return s.Sum / float64(s.Bases)
}

// add takes in another part, which is not empty.
func (s *Summary) add(o Summary) {
	if s.Bases == 0 {
		*s = o
		return
	}
	s.Bases += o.Bases
	s.Min = min(s.Min, o.Min)
	s.Max = max(s.Max, o.Max)
	s.Sum += o.Sum
	s.SumSquares += o.SumSquares
}

// of returns the summary of n bases of the same value.
func of(n int, value float32) Summary {
	v := float64(value)
	return Summary{Bases: n, Min: v, Max: v, Sum: float64(n) * v, SumSquares: float64(n) * v * v}
}

// A Zoom is one record of a zoom level.
type Zoom struct {
	Start, End int // bp; within them lie all bases counted
	Summary
}

// An extent is what an R-tree knows of a block: the intervals it covers and
// where it is. From and to are chromosome and base; to is exclusive.
type extent struct {
	from, to     place
	offset, size int64
}

type place struct{ chrom, base uint32 }

func (p place) before(q place) bool {
	return p.chrom < q.chrom || p.chrom == q.chrom && p.base < q.base
}

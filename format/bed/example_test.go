package bed_test

import (
	"fmt"
	"os"
	"strings"

	"heed/format/bed"
)

func ExampleRecords() {
	file := strings.NewReader("track name=hits\nchr1\t100\t170\tTATA\t812\t+\nchr2\t0\t70\tTATA\t640\t-\n")
	for rec, err := range bed.Records("hits.bed", file) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("line %d: %s, %d bp from %d, strand %c, score %v\n", rec.Line, rec.Chrom, rec.End-rec.Start, rec.Start, rec.Strand, rec.Score)
	}
	// Output:
	// line 2: chr1, 70 bp from 100, strand +, score 812
	// line 3: chr2, 70 bp from 0, strand -, score 640
}

func ExampleReader_Records() {
	gene := "chr1\t1000\t5000\tgene\t0\t+\t1200\t4800\t0\t2\t400,900,\t0,3100,\n"
	for rec, err := range (bed.Reader{Fields: 12}).Records("genes.bed", strings.NewReader(gene)) {
		fmt.Println(rec.Blocks, err)
	}
	for _, err := range (bed.Reader{}).Records("genes.bed", strings.NewReader("chr1\t170\t100\n")) {
		fmt.Println(err)
	}
	// Output:
	// [{0 400} {3100 900}] <nil>
	// genes.bed:1: invalid: interval 170 to 100: end is before start
}

func ExampleWrite() {
	rec := bed.Record{Chrom: "chr1", Start: 100, End: 170, Name: "TATA", Score: 812, Strand: '+', Extra: []string{"0.9731"}}
	if err := bed.Write(os.Stdout, rec); err != nil {
		fmt.Println(err)
	}
	// Output:
	// chr1	100	170	TATA	812	+	0.9731
}

func ExampleSignals() {
	file := strings.NewReader("track type=bedGraph\nchr1 0 10 0.25\nchr1 10 30 -1e-3\nchr1 20 40 1\n")
	order := bed.Order{Apart: true}
	for s, err := range bed.Signals("x.bedGraph", file) {
		if err == nil {
			err = order.Check("x.bedGraph", s.Line, s.Chrom, s.Start, s.End)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Start, s.End, s.Value)
	}
	// Output:
	// 0 10 0.25
	// 10 30 -0.001
	// x.bedGraph:4: invalid: interval 20 to 40 overlaps the one that ends at 30 in line 3
}

func ExampleWriteSignal() {
	err := bed.WriteSignal(os.Stdout, bed.Signal{Chrom: "chr1", Start: 0, End: 10, Value: 0.1})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// chr1	0	10	0.1
}

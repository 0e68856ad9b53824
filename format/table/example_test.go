package table_test

import (
	"fmt"
	"strings"

	"heed/format/table"
)

func ExampleRows() {
	file := strings.NewReader("sequence,label\nTATAAT,1\nGCGCGC,0\n")
	for row, err := range table.Rows("p.csv", file) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("line %d: %s is %s\n", row.Line, row.Sequence, row.Label)
	}
	// Output:
	// line 2: TATAAT is 1
	// line 3: GCGCGC is 0
}

func ExampleReader_Rows() {
	// The UCI files have no header, and blanks before the sequence.
	file := strings.NewReader("+,S10,\t\ttactagcaat\n-,1169,\t\tagatctgaca\n")
	uci := table.Reader{Columns: []string{"label", "name", "sequence"}, Name: "name"}
	for row, err := range uci.Rows("promoters.data", file) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(row.Name, row.Label, string(row.Sequence))
	}

	file = strings.NewReader("dna,class\nACGT,1\n")
	for _, err := range table.Rows("p.csv", file) {
		fmt.Println(err)
	}
	// Output:
	// S10 + tactagcaat
	// 1169 - agatctgaca
	// p.csv:1: invalid: no column "sequence"; columns are dna, class
}

package msa_test

import (
	"fmt"
	"os"
	"strings"

	"heed/format/msa"
)

func ExampleRead() {
	file := strings.NewReader(">query\nMKTV\n>hit OS=Homo sapiens\nM-TaeV\n")
	a, err := msa.Read("p.a3m", file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Format, len(a.Rows), a.Columns)
	hit := a.Rows[1]
	fmt.Println(hit.Name, string(hit.Seq), hit.Insertions, hit.Deletions())

	_, err = msa.Read("p.a3m", strings.NewReader(">query\nMKTV\n>hit\nM-T\n"))
	fmt.Println(err)
	// Output:
	// A3M 2 4
	// hit M-TV [{3 AE}] [0 0 0 2 0]
	// p.a3m:3: invalid: row "hit" has 3 columns, but the first row, "query" in line 1, has 4
}

func ExampleAlignment_MatchQuery() {
	file := strings.NewReader("# STOCKHOLM 1.0\nquery MK..TV\nhit   M.AE-V\n//\n")
	a, err := msa.Read("p.sto", file)
	if err != nil {
		fmt.Println(err)
		return
	}
	if a, err = a.MatchQuery(); err != nil {
		fmt.Println(err)
		return
	}
	if err := msa.WriteA3M(os.Stdout, a); err != nil {
		fmt.Println(err)
	}
	// Output:
	// >query
	// MKTV
	// >hit
	// M-ae-V
}

func ExampleAlignment_Select() {
	a, err := msa.Read("p.aln", strings.NewReader("MKTV\nM-TV\nMRTV\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := msa.WriteLines(os.Stdout, a.Select([]int{0, 2})); err != nil {
		fmt.Println(err)
	}
	// Output:
	// MKTV
	// MRTV
}

package fasta_test

import (
	"fmt"
	"os"
	"strings"

	"heed/format/fasta"
)

func ExampleRecords() {
	file := strings.NewReader(">lacZ promoter of E. coli\nTTTACACTTTATGCTTCC\nGGCTCGTATGTTG\n>x\nACGT\n")
	for rec, err := range fasta.Records("p.fa", file) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("line %d: %s (%s), %d letters\n", rec.Line, rec.ID, rec.Description, len(rec.Seq))
	}
	// Output:
	// line 1: lacZ (promoter of E. coli), 31 letters
	// line 4: x (), 4 letters
}

func ExampleReader_Records() {
	file := strings.NewReader(">a\nACGTRYN\n>b\nAC-GT\n")
	nucleotides := fasta.Reader{Alphabet: fasta.DNA, MaxLetters: 1000}
	for rec, err := range nucleotides.Records("p.fa", file) {
		fmt.Println(string(rec.Seq), err)
	}
	// Output:
	// ACGTRYN <nil>
	//  p.fa:4: invalid: sequence "b": letter '-' is not a nucleotide
}

func ExampleWrite() {
	rec := fasta.Record{ID: "a", Description: "both strands", Seq: []byte("TATAAT")}
	rec.Seq = append(rec.Seq, fasta.ReverseComplement(rec.Seq)...)
	if err := fasta.Write(os.Stdout, rec, 8); err != nil {
		fmt.Println(err)
	}
	// Output:
	// >a both strands
	// TATAATAT
	// TATA
}

func ExampleDuplicates() {
	file := strings.NewReader(">a\nACGT\n>b\nGG\n>a\nTT\n")
	var names fasta.Duplicates
	for rec, err := range fasta.Records("p.fa", file) {
		if err != nil {
			fmt.Println(err)
			return
		}
		names.Add(rec)
	}
	fmt.Println(names.Warning("p.fa"))
	// Output: p.fa:5: name "a" occurred in line 1 before
}

func ExampleStandardProtein() {
	file := strings.NewReader(">a\nMKUTVJ*\n>b\nmktv\n")
	var all fasta.Changes
	for rec, err := range (fasta.Reader{Alphabet: fasta.Protein}).Records("p.fa", file) {
		if err != nil {
			fmt.Println(err)
			return
		}
		seq, changes, err := fasta.StandardProtein(rec.Seq)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(seq))
		all.Add(changes)
	}
	fmt.Println(all)
	// Output:
	// MKXTVX
	// MKTV
	// read as X: 1 J, 1 U; taken away: 1 '*' at the end; made upper case: 4
}

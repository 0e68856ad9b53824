package meme_test

import (
	"fmt"
	"os"
	"strings"

	"heed/format/meme"
)

func ExampleRead() {
	file := strings.NewReader(`MEME version 4

ALPHABET= ACGT

MOTIF -10 Pribnow
letter-probability matrix: alength= 4 w= 3 nsites= 298 E= 1e-30
 0.05 0.05 0.05 0.85
 0.89 0.03 0.02 0.06
 0.10 0.10 0.10 0.70
`)
	f, err := meme.Read("motifs.meme", file)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range f.Motifs {
		fmt.Println(m.ID, m.Name, m.Consensus(), m.Sites, m.E)
	}
	_, err = meme.Read("hits.txt", strings.NewReader("MOTIF x\n"))
	fmt.Println(err)
	// Output:
	// -10 Pribnow TAT 298 1e-30
	// hits.txt:1: invalid: not MEME: line "MOTIF x" before "MEME version"
}

func ExampleWrite() {
	f := &meme.File{Motifs: []meme.Motif{{
		ID: "motif1", Probabilities: [][4]float64{{0, 0, 0, 1}, {.5, .25, .25, 0}}, Sites: 20,
	}}}
	if err := meme.Write(os.Stdout, f); err != nil {
		fmt.Println(err)
	}
	// Output:
	// MEME version 5
	//
	// ALPHABET= ACGT
	//
	// strands: + -
	//
	// Background letter frequencies
	// A 0.25000 C 0.25000 G 0.25000 T 0.25000
	//
	// MOTIF motif1
	// letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 0
	//  0.000000 0.000000 0.000000 1.000000
	//  0.500000 0.250000 0.250000 0.000000
}

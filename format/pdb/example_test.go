package pdb_test

import (
	"fmt"

	"heed/format"
	"heed/format/pdb"
)

func Example() {
	r, err := format.Open("testdata/1A8O.cif.gz")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	s, err := pdb.Read("1A8O.cif.gz", r)
	if err != nil {
		fmt.Println(err)
		return
	}
	chain, err := s.Chain("A")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, %.1f Å, %d residues from %s\n", s.ID, s.Resolution, len(chain.Residues), chain.Residues[0].Seq())

	match, err := chain.Align([]byte("GPKEPFRDYVDRFYKTLRAEQASQEVKNWMTETLLVQNANPD"), pdb.Alignment{})
	if err != nil {
		fmt.Println(err)
		return
	}
	d := match.Distances(chain.BetaDistances(pdb.RealBeta))
	fmt.Printf("exact: %v; C-beta of F6 and Y9: %.1f Å\n", match.Exact, d.At(5, 8))

	_, err = s.Chain("B")
	fmt.Println(err)
	// Output:
	// 1A8O, 1.7 Å, 70 residues from 151
	// exact: true; C-beta of F6 and Y9: 5.6 Å
	// pdb: no chain "B"; chains are "A"
}

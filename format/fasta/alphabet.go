package fasta

import "fmt"

// An Alphabet says which letters a sequence may hold. Upper and lower case are
// the same to it.
type Alphabet uint8

const (
	// Any takes every ASCII letter, the gaps '-' and '.', and '*'.
	Any Alphabet = iota
	// DNA takes the nucleotides A C G T U and IUPAC's codes for several of
	// them: R Y S W K M B D H V N (Cornish-Bowden 1985, doi
	// 10.1093/nar/13.9.3021). A gap is refused: it is no part of a molecule.
	DNA
	// Protein takes the 20 amino acids, U (selenocysteine), O (pyrrolysine), the
	// IUPAC codes B Z J X, and '*', with which translations end. A gap is
	// refused.
	Protein
)

const (
	iupacDNA     = "ACGTURYSWKMBDHVN"
	iupacProtein = "ACDEFGHIKLMNPQRSTVWYUOBZJX*"
	ascii        = "ABCDEFGHIJKLMNOPQRSTUVWXYZ*-."
)

// letters is indexed by alphabet and byte. It is never written to.
var letters = [...][256]bool{Any: table(ascii), DNA: table(iupacDNA), Protein: table(iupacProtein)}

func table(upper string) (t [256]bool) {
	for i := range len(upper) {
		c := upper[i]
		t[c] = true
		if 'A' <= c && c <= 'Z' {
			t[c|0x20] = true
		}
	}
	return t
}

// Check returns an error that names the first letter of seq outside the
// alphabet, such as "letter 'E' is not a nucleotide", or nil. It is for sequences
// that did not come through a [Reader], which checks by itself.
func (a Alphabet) Check(seq []byte) error {
	accept := &letters[a]
	for _, c := range seq {
		if !accept[c] {
			return a.refuse(c)
		}
	}
	return nil
}

func (a Alphabet) refuse(c byte) error {
	switch a {
	case DNA:
		return fmt.Errorf("letter %s is not a nucleotide", quote(c))
	case Protein:
		return fmt.Errorf("letter %s is not an amino acid", quote(c))
	}
	return fmt.Errorf("%s is not a letter", quote(c))
}

// Upper changes a to z in seq to upper case, in place.
func Upper(seq []byte) {
	for i, c := range seq {
		if 'a' <= c && c <= 'z' {
			seq[i] = c &^ 0x20
		}
	}
}

// complement is indexed by byte. It is never written to.
var complement = func() (t [256]byte) {
	const from, to = "ACGTURYSWKMBDHVN", "TGCAAYRSWMKVHDBN"
	for i := range t {
		t[i] = byte(i)
	}
	for i := range len(from) {
		t[from[i]] = to[i]
		t[from[i]|0x20] = to[i] | 0x20
	}
	return t
}()

// ReverseComplement returns the other strand of seq, read in its own direction.
// IUPAC codes become the codes of the complements (R, a purine, becomes Y), U
// becomes A and A becomes T, case is kept, and any other byte stays as it is.
func ReverseComplement(seq []byte) []byte {
	rc := make([]byte, len(seq))
	for i, c := range seq {
		rc[len(seq)-1-i] = complement[c]
	}
	return rc
}

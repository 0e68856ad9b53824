// Package meme reads and writes sequence motifs in the minimal motif format of
// the MEME Suite, which Tomtom, FIMO, JASPAR and others take.
//
//	file, err := meme.Read("motifs.meme", r)
//	for _, m := range file.Motifs {
//		fmt.Println(m.ID, m.Consensus())
//	}
//
// # What is read
//
// Files that begin with "MEME version 3" or later: those of the minimal format,
// and the text output of MEME, DREME and STREME, of which the same parts are
// read and the others passed over. These parts are the alphabet, the strands, the
// background, and for each motif its name, its letter-probability matrix and its
// URL. The alphabet is DNA; RNA, protein and alphabets of one's own are refused
// as not supported, and so is a motif that has log-odds only.
//
// What a file leaves out has the value that the MEME Suite assumes: uniform
// background, both strands, 20 sites, E of 0.
//
// Source: the MEME Suite's description of its motif format (meme-suite.org,
// "MEME Motif Format"; Bailey et al., Nucleic Acids Research 43 (2015) W39).
package meme

import (
	"fmt"
	"math"
	"strings"
)

// A File is what one motif file says.
type File struct {
	// Version is what stands behind "MEME version"; for [Write], "" means "5".
	Version string
	// OneStrand says that the motifs were sought on the given strand alone. The
	// reverse complement of a motif is then another motif.
	OneStrand bool
	// Background holds the frequencies of A, C, G and T; for [Write], all zero
	// means uniform.
	Background [4]float64
	Motifs     []Motif
}

// A Motif is a matrix of probabilities with a name.
type Motif struct {
	ID   string // unique in a file
	Name string // a second name, such as that of a gene; may be empty
	// Probabilities holds for each position those of A, C, G and T, shape (w, 4).
	// Each row sums to 1 as well as its digits allow: within 0.01.
	Probabilities [][4]float64
	Sites         float64 // from which the motif was made
	E             float64 // the E-value, 0 if nobody gave one
	URL           string
	Line          int // 1-based, of the word MOTIF
}

// Consensus returns the most probable letter of each position, the first in the
// alphabet of equal ones.
func (m Motif) Consensus() string {
	var b strings.Builder
	for _, row := range m.Probabilities {
		best := 0
		for i, p := range row {
			if p > row[best] {
				best = i
			}
		}
		b.WriteByte(alphabet[best])
	}
	return b.String()
}

const alphabet = "ACGT"

// checkRow says what is wrong with the probabilities of four letters.
func checkRow(what string, row [4]float64) error {
	sum := 0.0
	for _, p := range row {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("%s holds %v, want probabilities", what, p)
		}
		sum += p
	}
	if math.Abs(sum-1) > 0.01 {
		return fmt.Errorf("%s sums to %v, want 1", what, sum)
	}
	return nil
}

// checkName says whether s can be a word of a MOTIF line. No word may be
// "width", because after it MEME's own output goes on with other things.
func checkName(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("motif has no name")
	case s == "width" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("%s is no name for a motif", show(s))
	}
	return nil
}

// show quotes a value of the file, as much of it as a message can bear.
func show(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

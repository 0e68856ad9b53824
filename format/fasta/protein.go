package fasta

import (
	"fmt"
	"strings"
)

// AminoAcids are the letters of the 20 amino acids of the genetic code, in their
// order, and X for any other residue: what [StandardProtein] leaves.
const AminoAcids = "ACDEFGHIKLMNPQRSTVWYX"

// Changes counts what [StandardProtein] changed, so that a command can say so.
// Every letter is counted once, but for case, which is counted besides.
type Changes struct {
	Lower int // a to z made upper case
	// Letters replaced by X: J (I or L), U (selenocysteine), O (pyrrolysine), B
	// (D or N), Z (E or Q).
	J, U, O, B, Z int
	Stops         int // '*' within the sequence, replaced by X
	Ends          int // '*' at the end, taken away
}

// StandardProtein brings a protein to the letters of [AminoAcids], in place, and
// returns what is left of it and what was changed. J U O B Z and a '*' within the
// sequence become X, because to put one amino acid in the place of another would
// be a guess; a '*' at the end, where translations have it, goes; lower case
// becomes upper. A gap '-' stays, so that rows of an alignment can be passed.
//
// Published encoders know some of these letters (ESM has tokens for X B U Z O): a
// model with its own alphabet takes the sequence as it was read. Nothing but ends
// changes the length, so that positions stay what they are.
//
// Any other byte is an error that names it, and leaves seq as it was.
func StandardProtein(seq []byte) ([]byte, Changes, error) {
	for _, c := range seq {
		if c != '-' && !letters[Protein][c] {
			return seq, Changes{}, Protein.refuse(c)
		}
	}
	var n Changes
	for len(seq) > 0 && seq[len(seq)-1] == '*' {
		seq = seq[:len(seq)-1]
		n.Ends++
	}
	for i, c := range seq {
		if 'a' <= c && c <= 'z' {
			n.Lower++
			c &^= 0x20
			seq[i] = c
		}
		var count *int
		switch c {
		case 'J':
			count = &n.J
		case 'U':
			count = &n.U
		case 'O':
			count = &n.O
		case 'B':
			count = &n.B
		case 'Z':
			count = &n.Z
		case '*':
			count = &n.Stops
		default:
			continue
		}
		*count++
		seq[i] = 'X'
	}
	return seq, n, nil
}

// Add adds the counts of another sequence.
func (n *Changes) Add(m Changes) {
	n.Lower += m.Lower
	n.J += m.J
	n.U += m.U
	n.O += m.O
	n.B += m.B
	n.Z += m.Z
	n.Stops += m.Stops
	n.Ends += m.Ends
}

// Replaced returns the number of letters that became X.
func (n Changes) Replaced() int { return n.J + n.U + n.O + n.B + n.Z + n.Stops }

// String returns a line for the user, or "" if nothing was changed:
//
//	read as X: 1 J, 2 U; taken away: 3 '*' at the end; made upper case: 40
func (n Changes) String() string {
	var x, all []string
	for _, c := range []struct {
		count int
		what  string
	}{{n.J, "J"}, {n.U, "U"}, {n.O, "O"}, {n.B, "B"}, {n.Z, "Z"}, {n.Stops, "'*'"}} {
		if c.count > 0 {
			x = append(x, fmt.Sprintf("%d %s", c.count, c.what))
		}
	}
	if len(x) > 0 {
		all = append(all, "read as X: "+strings.Join(x, ", "))
	}
	if n.Ends > 0 {
		all = append(all, fmt.Sprintf("taken away: %d '*' at the end", n.Ends))
	}
	if n.Lower > 0 {
		all = append(all, fmt.Sprintf("made upper case: %d", n.Lower))
	}
	return strings.Join(all, "; ")
}

package esm

import (
	"fmt"
	"strings"
)

// Tokens is the size of the alphabet of ESM-1b, ESM-1v, ESM-2 and ESM-MSA-1b.
const Tokens = 33

// Tokens that are no letters. A sequence lies between Begin and End.
const (
	Begin = 0
	Pad   = 1
	End   = 2
	Any   = 3 // an unknown token; residues that are unknown are X
	Mask  = 32
)

// names are the tokens by id, as the authors number them.
var names = [Tokens]string{"<cls>", "<pad>", "<eos>", "<unk>",
	"L", "A", "G", "V", "S", "E", "R", "T", "I", "D", "P", "K", "Q", "N", "F", "Y", "M", "H", "W", "C",
	"X", "B", "U", "Z", "O", ".", "-", "<null_1>", "<mask>"}

// Name returns the letter of a token, or its name, such as "<mask>".
func Name(id int32) string { return names[id] }

// Changes counts what Encode changed.
type Changes struct {
	Lower int // a to z read as upper case
	J     int // J (I or L) read as X: there is no token for it
	Stops int // '*' at the end, left out
	Inner int // '*' within the sequence, read as X
}

// letters are the tokens of single bytes; -1 where there is none.
var letters = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for id, n := range names {
		if len(n) == 1 {
			t[n[0]] = int8(id)
		}
	}
	return t
}()

// Encode returns the tokens of a protein between Begin and End. Blanks are
// passed over; "<mask>" and the other names in angle brackets are one token
// each. The authors' program fails at J, '*' and lower case; here they are read
// as said at Changes. Any other byte is an error that says where it is.
func Encode(seq string) ([]int32, Changes, error) {
	var n Changes
	out := append(make([]int32, 0, len(seq)+2), Begin)
	text := strings.TrimRight(seq, " \t\r\n")
	for strings.HasSuffix(text, "*") {
		text = text[:len(text)-1]
		n.Stops++
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c == '<':
			id := named(text[i:])
			if id < 0 {
				return nil, n, fmt.Errorf("no token begins with %q at letter %d", text[i:min(i+8, len(text))], i+1)
			}
			out = append(out, int32(id))
			i += len(names[id]) - 1
			continue
		case 'a' <= c && c <= 'z':
			n.Lower++
			c &^= 0x20
		}
		switch c {
		case 'J':
			n.J++
			c = 'X'
		case '*':
			n.Inner++
			c = 'X'
		}
		if letters[c] < 0 {
			return nil, n, fmt.Errorf("%q at letter %d is no amino acid", text[i:i+1], i+1)
		}
		out = append(out, int32(letters[c]))
	}
	return append(out, End), n, nil
}

// named returns the token whose name in angle brackets text begins with, or -1.
func named(text string) int {
	for id, n := range names {
		if len(n) > 1 && strings.HasPrefix(text, n) {
			return id
		}
	}
	return -1
}

package pdb

import (
	"bytes"
	"fmt"
)

// A Scoring says what two letters that stand together are worth.
type Scoring uint8

const (
	// Blosum62 scores by BLOSUM62 (Henikoff & Henikoff 1992) with gaps of 11 to
	// open and 1 to extend, in half bits, as BLAST does.
	Blosum62 Scoring = iota
	// Identity scores 1 for equal letters and -1 for others, gaps of 2 to open
	// and 1 to extend: for sequences that should be equal.
	Identity
)

// An Alignment says how [Chain.Align] compares. The zero value is what fits the
// sequence of an alignment to the structure of the same protein.
type Alignment struct {
	Scoring Scoring
	// MinIdentity is the least fraction of aligned pairs that must be equal; 0
	// means 0.9. Below it, the structure is not of this protein.
	MinIdentity float64
	// MinCoverage is the least fraction of the shorter sequence that must be
	// aligned; 0 means 0.5.
	MinCoverage float64
}

// A Match says which residue of a chain stands at which position of a query.
type Match struct {
	// Residues has, for each position of the query, the index into
	// Chain.Residues, or -1. A residue may be there and missing, without atoms.
	Residues []int
	Exact    bool // one sequence contains the other, letter for letter
	Aligned  int  // pairs; residues whose letter is not known are not counted
	Equal    int  // of them
	// Mismatches are the positions of the query, 0-based, whose letter differs.
	Mismatches []int
}

// Identity returns the fraction of aligned pairs that are equal.
func (m *Match) Identity() float64 {
	if m.Aligned == 0 {
		return 0
	}
	return float64(m.Equal) / float64(m.Aligned)
}

// Distances returns the distances between the positions of the query: NaN where
// the structure has no residue or the residue has no atoms.
func (m *Match) Distances(d *Distances) *Distances {
	q := newDistances(len(m.Residues))
	for i, a := range m.Residues {
		for j, b := range m.Residues {
			if a >= 0 && b >= 0 {
				q.D[i*q.N+j] = d.D[a*d.N+b]
			}
		}
	}
	return q
}

// maxCells bounds the table of an alignment: two sequences of 8,000.
const maxCells = 64 << 20

// Align finds the residues of a chain in a query sequence: at the only place
// where one contains the other, or else by a global alignment (Needleman & Wunsch
// 1970, Gotoh 1982) in which gaps at the ends are free, because constructs and
// domains end anywhere. Case does not matter; X stands for any letter.
//
// It is an error if the two do not match as well as a asks.
func (c *Chain) Align(query []byte, a Alignment) (*Match, error) {
	if a.MinIdentity == 0 {
		a.MinIdentity = 0.9
	}
	if a.MinCoverage == 0 {
		a.MinCoverage = 0.5
	}
	seq, query := c.Sequence(), bytes.ToUpper(query)
	if len(query) == 0 || len(seq) == 0 {
		return nil, fmt.Errorf("pdb: chain %q has %d residues, the query %d", c.ID, len(seq), len(query))
	}
	for i, q := range query {
		if q < 'A' || q > 'Z' {
			return nil, fmt.Errorf("pdb: position %d of the query is %q, not a letter", i+1, q)
		}
	}
	m := &Match{Residues: make([]int, len(query))}
	for i := range m.Residues {
		m.Residues[i] = -1
	}
	if shift, ok := within(seq, query); ok {
		m.Exact = true
		for i := range query {
			if j := i + shift; j >= 0 && j < len(seq) {
				m.Residues[i] = j
			}
		}
	} else if len(seq) > maxCells/len(query) {
		return nil, fmt.Errorf("pdb: chain %q of %d residues and a query of %d are too long to be aligned", c.ID, len(seq), len(query))
	} else {
		needlemanWunsch(query, seq, a.Scoring, m.Residues)
	}
	known := 0
	for _, s := range seq {
		if s != 'X' {
			known++
		}
	}
	for i, j := range m.Residues {
		if j < 0 || query[i] == 'X' || seq[j] == 'X' {
			continue
		}
		m.Aligned++
		if query[i] == seq[j] {
			m.Equal++
		} else {
			m.Mismatches = append(m.Mismatches, i)
		}
	}
	shorter := min(known, len(query))
	switch {
	case float64(m.Aligned) < a.MinCoverage*float64(shorter) || m.Aligned == 0:
		return nil, fmt.Errorf("pdb: chain %q does not match the query: %d of %d residues align", c.ID, m.Aligned, shorter)
	case m.Identity() < a.MinIdentity:
		return nil, fmt.Errorf("pdb: chain %q does not match the query: %d of %d aligned residues are equal (%.0f %%, want %.0f %%)",
			c.ID, m.Equal, m.Aligned, 100*m.Identity(), 100*a.MinIdentity)
	}
	return m, nil
}

// within finds one sequence in the other, at one place only, and returns how
// much further the first letter of the query is in seq.
func within(seq, query []byte) (shift int, ok bool) {
	if i := bytes.Index(seq, query); i >= 0 {
		return i, bytes.LastIndex(seq, query) == i
	}
	if i := bytes.Index(query, seq); i >= 0 {
		return -i, bytes.LastIndex(query, seq) == i
	}
	return 0, false
}

// needlemanWunsch sets at to the index into seq for each letter of query that
// stands with one.
func needlemanWunsch(query, seq []byte, s Scoring, at []int) {
	open, extend := 11, 1
	if s == Identity {
		open, extend = 2, 1
	}
	const never = -1 << 30
	// Three states (Gotoh 1982): a pair, a letter of the query alone, a letter
	// of seq alone. Each cell remembers the state before each, in 2 bits.
	const pair, alone, other = 0, 1, 2
	n, m := len(query), len(seq)
	width := m + 1
	back := make([]uint8, (n+1)*width)
	var row, next [3][]int
	for k := range row {
		row[k], next[k] = make([]int, width), make([]int, width)
	}
	for j := 1; j <= m; j++ { // free at the ends
		row[pair][j], row[alone][j], row[other][j] = never, never, 0
	}
	row[alone][0], row[other][0] = never, never
	for i := 1; i <= n; i++ {
		next[pair][0], next[alone][0], next[other][0] = never, 0, never
		for j := 1; j <= m; j++ {
			b := uint8(0)
			best, from := best3(row[pair][j-1], row[alone][j-1], row[other][j-1])
			next[pair][j] = best + s.score(query[i-1], seq[j-1])
			b |= uint8(from)
			o, e := open, extend
			if j == m {
				o, e = 0, 0
			}
			best, from = best3(row[pair][j]-o, row[alone][j]-e, row[other][j]-o)
			next[alone][j] = best
			b |= uint8(from) << 2
			o, e = open, extend
			if i == n {
				o, e = 0, 0
			}
			best, from = best3(next[pair][j-1]-o, next[alone][j-1]-o, next[other][j-1]-e)
			next[other][j] = best
			b |= uint8(from) << 4
			back[i*width+j] = b
		}
		row, next = next, row
	}
	_, state := best3(row[pair][m], row[alone][m], row[other][m])
	for i, j := n, m; i > 0 && j > 0; {
		from := int(back[i*width+j]>>(2*state)) & 3
		switch state {
		case pair:
			i, j = i-1, j-1
			at[i] = j
		case alone:
			i--
		case other:
			j--
		}
		state = from
	}
}

func best3(a, b, c int) (best, from int) {
	best, from = a, 0
	if b > best {
		best, from = b, 1
	}
	if c > best {
		best, from = c, 2
	}
	return best, from
}

// Substitution returns the entry of BLOSUM62, in half bits, for two letters A to Z.
func Substitution(a, b byte) int { return Blosum62.score(a, b) }

// score returns what two letters are worth. X is worth nothing; other letters
// that BLOSUM62 lacks count as X.
func (s Scoring) score(a, b byte) int {
	if a == 'X' || b == 'X' {
		return 0
	}
	if s == Identity {
		if a == b {
			return 1
		}
		return -1
	}
	i, j := blosumIndex[a-'A'], blosumIndex[b-'A']
	switch {
	case i >= 0 && j >= 0:
		return int(blosum62[i][j])
	case a == b:
		return 4
	}
	return 0
}

package dna

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"iter"
	"os"
	"sort"

	"heed/data"
	"heed/format"
	"heed/format/fasta"
	"heed/internal/cli"
)

// A genome is what a first pass over a FASTA finds out: everything is checked,
// and all lengths are known, before the first window is scored.
type genome struct {
	path    string
	names   []string
	lengths []int
	sha256  string // of the text, decompressed
}

// readGenome makes the first pass.
func readGenome(ctx context.Context, path string) (*genome, error) {
	if info, err := os.Stat(path); err == nil && !info.IsDir() && !info.Mode().IsRegular() {
		return nil, cli.Hint(cli.Usagef("%s: a genome is read twice, give a file", path), "heed dna predict --step scans a stream")
	}
	file, err := format.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	g, sum, lines := &genome{path: path}, sha256.New(), map[string]int{}
	for piece, err := range (fasta.Reader{Alphabet: fasta.DNA}).Pieces(path, io.TeeReader(file, sum)) {
		if err != nil {
			return nil, err
		}
		if piece.Start == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if line, seen := lines[piece.ID]; seen {
				return nil, cli.Hint(format.Invalidf(path, piece.Line, "name %q occurred in line %d before", piece.ID, line),
					"a result says where by the name: each sequence needs one of its own")
			}
			lines[piece.ID] = piece.Line
			g.names, g.lengths = append(g.names, piece.ID), append(g.lengths, 0)
		}
		g.lengths[len(g.lengths)-1] += len(piece.Seq)
	}
	g.sha256 = hex.EncodeToString(sum.Sum(nil))
	return g, nil
}

// A tiling is the windows of a genome: the i-th of a sequence begins at i·step,
// and all of them lie within it.
type tiling struct {
	*genome
	window, step int
	first        []int // (sequences + 1) number of the first window of each; the last is that of all
}

func (g *genome) tile(window, step int) *tiling {
	t := &tiling{g, window, step, []int{0}}
	total := 0
	for _, n := range g.lengths {
		if n >= window {
			total += (n-window)/step + 1
		}
		t.first = append(t.first, total)
	}
	return t
}

// total returns the number of windows.
func (t *tiling) total() int { return t.first[len(t.names)] }

// at returns the sequence and the start of a window. For the number after the
// last it returns the number of sequences.
func (t *tiling) at(window int) (sequence, start int) {
	sequence = sort.SearchInts(t.first, window+1) - 1
	return sequence, (window - t.first[sequence]) * t.step
}

// A stretch is the letters of one window, valid until the next one.
type stretch struct {
	known    bool   // all letters are A, C, G, T or U
	letters  []byte // upper case
	shuffled []byte // those of the control; nil without one
}

// shuffleBlock is how many letters of the genome are shuffled among themselves:
// the composition of a genome varies from place to place, and the control's does
// so too. It must not depend on anything, or a resumed scan would differ.
const shuffleBlock = 1000

// windows yields the stretches of all windows from a number on, with memory for
// a few blocks of the genome. shuffle makes the control of the letters from a
// position on, one block at most; it may be nil.
func (t *tiling) windows(in io.Reader, from int, shuffle func(sequence, at int, letters []byte) []byte) iter.Seq2[stretch, error] {
	return func(yield func(stretch, error) bool) {
		first, start := t.at(from)
		sequence := -1
		s := strip{window: t.window, step: t.step, shuffle: shuffle}
		for piece, err := range (fasta.Reader{Alphabet: fasta.DNA}).Pieces(t.path, in) {
			switch {
			case err != nil:
			case piece.Start == 0 && sequence >= first && !s.end(yield):
				return
			case piece.Start == 0:
				if sequence++; sequence == len(t.names) || t.names[sequence] != piece.ID {
					err = format.Invalidf(t.path, piece.Line, "the file changed while it was read")
				}
				s.begin(sequence, start)
				if sequence >= first {
					start = 0
				}
			}
			if err != nil {
				yield(stretch{}, err)
				return
			}
			if sequence >= first && !s.add(piece.Start, piece.Seq, yield) {
				return
			}
		}
		if sequence >= first {
			s.end(yield)
		}
	}
}

// A strip is the part of a sequence that its next windows lie in.
type strip struct {
	window, step int
	shuffle      func(sequence, at int, letters []byte) []byte

	sequence int
	next     int    // start of the next window
	at       int    // position of letters[0], a multiple of shuffleBlock
	letters  []byte // from there on
	shuffled []byte // as many of them as are complete blocks
	ready    int    // how many those are
	seen     int    // position up to which unknown letters were looked for
	unknown  int    // position of the last of them, or -1
}

// begin starts a sequence at the window that begins at start.
func (s *strip) begin(sequence, start int) {
	s.sequence, s.next, s.at = sequence, start, start/shuffleBlock*shuffleBlock
	s.letters, s.shuffled, s.ready = s.letters[:0], s.shuffled[:0], 0
	s.seen, s.unknown = start, -1
}

// add takes the letters at a position and yields the windows that they complete.
// It returns false if yield does.
func (s *strip) add(at int, letters []byte, yield func(stretch, error) bool) bool {
	if skip := s.at - at; skip > 0 {
		letters = letters[min(skip, len(letters)):]
	}
	s.letters = append(s.letters, letters...)
	if len(s.letters)-s.ready < shuffleBlock {
		return true
	}
	for len(s.letters)-s.ready >= shuffleBlock {
		s.prepare(shuffleBlock)
	}
	return s.windows(yield)
}

// end yields the last windows of a sequence.
func (s *strip) end(yield func(stretch, error) bool) bool {
	s.prepare(len(s.letters) - s.ready)
	return s.windows(yield)
}

// prepare makes the next n letters ready.
func (s *strip) prepare(n int) {
	block := s.letters[s.ready : s.ready+n]
	fasta.Upper(block)
	if s.shuffle != nil {
		s.shuffled = append(s.shuffled, s.shuffle(s.sequence, s.at+s.ready, block)...)
	}
	s.ready += n
}

// windows yields what is ready and drops what no later window needs.
func (s *strip) windows(yield func(stretch, error) bool) bool {
	for ; s.next+s.window <= s.at+s.ready; s.next += s.step {
		for s.seen = max(s.seen, s.next); s.seen < s.next+s.window; s.seen++ {
			if data.Nucleotide(s.letters[s.seen-s.at]) < 0 {
				s.unknown = s.seen
			}
		}
		i := s.next - s.at
		w := stretch{known: s.unknown < s.next, letters: s.letters[i : i+s.window]}
		if s.shuffle != nil {
			w.shuffled = s.shuffled[i : i+s.window]
		}
		if !yield(w, nil) {
			return false
		}
	}
	if drop := min(s.next-s.at, s.ready) / shuffleBlock * shuffleBlock; drop >= 64*shuffleBlock {
		s.letters = s.letters[:copy(s.letters, s.letters[drop:])]
		if s.shuffle != nil {
			s.shuffled = s.shuffled[:copy(s.shuffled, s.shuffled[drop:])]
		}
		s.at, s.ready = s.at+drop, s.ready-drop
	}
	return true
}

package dna

import (
	"fmt"
	"io"
	"iter"
	"os"

	"heed/format"
	"heed/format/fasta"
	"heed/internal/cli"
)

// A reference gives parts of a genome's sequences in upper case.
type reference interface {
	// fetch returns the letters of a sequence from a position up to another,
	// both cut to where the sequence is, and the position of the first. The
	// letters are valid until the next call. A sequence that does not exist is
	// errNoSequence, letters that were passed already errNotSorted.
	fetch(sequence string, from, to int) (letters []byte, at int, err error)
	close() error
}

var (
	errNoSequence = fmt.Errorf("no such sequence")
	errNotSorted  = fmt.Errorf("not sorted")
)

// openReference opens a FASTA. If it is not compressed and has an index, path
// with .fai after it, parts are read in any order; else it is read from start to
// end, and parts are wanted in that order within each sequence.
func openReference(path string) (reference, error) {
	if cli.Exists(path + ".fai") {
		head, err := os.Open(path)
		if err != nil {
			return nil, cli.SystemError(path, err)
		}
		first := make([]byte, 1)
		if _, err := head.ReadAt(first, 0); err == nil && first[0] == '>' {
			index, err := readIndex(path + ".fai")
			if err != nil {
				head.Close()
				return nil, err
			}
			return &indexed{path, head, index}, nil
		}
		head.Close() // compressed: the index counts bytes of the text
	}
	s := &streamed{path: path, seen: map[string]bool{}}
	return s, s.open()
}

func readIndex(path string) (*fasta.Index, error) {
	file, err := format.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return fasta.ReadIndex(path, file)
}

// indexed reads parts of a file by its index.
type indexed struct {
	path  string
	file  *os.File
	index *fasta.Index
}

func (x *indexed) fetch(sequence string, from, to int) ([]byte, int, error) {
	n, ok := x.index.Length(sequence)
	if !ok {
		return nil, 0, errNoSequence
	}
	from = min(max(0, from), n)
	letters, err := x.index.Fetch(x.path, x.file, sequence, from, max(from, min(to, n)))
	fasta.Upper(letters)
	return letters, from, err
}

func (x *indexed) close() error { return x.file.Close() }

// streamed reads a file once for each sequence that is wanted before one that
// came, and holds what lies between two parts.
type streamed struct {
	path string
	file io.ReadCloser
	next func() (fasta.Piece, error, bool)
	stop func()

	sequence string // under way
	at       int    // position of letters[0]
	letters  []byte
	ahead    fasta.Piece // the first of the next sequence; without letters at the end of the file
	end      bool        // letters reach the end of the sequence
	seen     map[string]bool
}

func (s *streamed) open() error {
	file, err := format.Open(s.path)
	if err != nil {
		return err
	}
	s.file = file
	s.next, s.stop = iter.Pull2((fasta.Reader{Alphabet: fasta.DNA}).Pieces(s.path, file))
	s.sequence, s.end = "", true
	s.ahead, err, _ = s.next()
	return err
}

func (s *streamed) close() error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	s.stop = nil
	return s.file.Close()
}

func (s *streamed) fetch(sequence string, from, to int) ([]byte, int, error) {
	from = max(0, from)
	if sequence != s.sequence {
		if s.seen[sequence] {
			return nil, 0, errNotSorted
		}
		if err := s.find(sequence); err != nil {
			return nil, 0, err
		}
		s.seen[sequence] = true
	}
	if from < s.at {
		return nil, 0, errNotSorted
	}
	for !s.end && s.at+len(s.letters) < to {
		s.drop(from)
		if err := s.read(); err != nil {
			return nil, 0, err
		}
	}
	lo := min(from-s.at, len(s.letters))
	hi := max(lo, min(to-s.at, len(s.letters)))
	return s.letters[lo:hi], s.at + lo, nil
}

// drop forgets the letters before a position, once they are many.
func (s *streamed) drop(from int) {
	if n := min(from-s.at, len(s.letters)); n > 1<<16 && n > len(s.letters)/2 {
		s.letters = s.letters[:copy(s.letters, s.letters[n:])]
		s.at += n
	}
}

// read adds a piece, or finds the end of the sequence.
func (s *streamed) read() error {
	piece, err, ok := s.next()
	switch {
	case err != nil:
		return err
	case !ok:
		s.ahead, s.end = fasta.Piece{}, true
	case piece.Start == 0:
		// It is valid until the next call only, which is after begin copied it.
		s.ahead, s.end = piece, true
	default:
		n := len(s.letters)
		s.letters = append(s.letters, piece.Seq...)
		fasta.Upper(s.letters[n:])
	}
	return nil
}

// find begins a sequence, the first of that name. Where it is not ahead the
// file is opened again.
func (s *streamed) find(sequence string) error {
	for round := range 2 {
		for {
			for !s.end {
				s.at, s.letters = s.at+len(s.letters), s.letters[:0]
				if err := s.read(); err != nil {
					return err
				}
			}
			if len(s.ahead.Seq) == 0 {
				break // the end of the file
			}
			s.sequence, s.at, s.end = s.ahead.ID, 0, false
			s.letters = append(s.letters[:0], s.ahead.Seq...)
			fasta.Upper(s.letters)
			if s.sequence == sequence {
				return nil
			}
		}
		if round == 0 {
			s.close()
			if err := s.open(); err != nil {
				return err
			}
		}
	}
	return errNoSequence
}

package fasta

import (
	"io"
	"iter"
)

// A Piece is a run of letters of one record, of one line at most.
type Piece struct {
	ID   string // of the record, as in [Record]
	Line int    // of its header
	// Start is the index of the first letter in the record, from 0: a piece
	// with Start 0 begins a record.
	Start int
	// Seq holds the letters as they are in the file. It is never empty, and
	// valid until the next piece.
	Seq []byte
}

// Pieces yields the letters of r in their order, for sequences that need not
// fit into the memory: a chromosome of any length. Here a MaxLetters of 0 means
// no limit. What is an error for [Reader.Records] is one here, at the line where
// it is met.
func (d Reader) Pieces(name string, r io.Reader) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		p := d.parser(name, r)
		for {
			rec, err := p.begin()
			if err == io.EOF {
				return
			}
			piece := Piece{ID: rec.ID, Line: rec.Line}
			for err == nil {
				if piece.Seq, err = p.run(rec.ID); err != nil || len(piece.Seq) == 0 {
					break
				}
				if d.MaxLetters > 0 && len(piece.Seq) > d.MaxLetters-piece.Start {
					err = p.tooLong(rec)
					break
				}
				if !yield(piece, nil) {
					return
				}
				piece.Start += len(piece.Seq)
			}
			if err == nil && piece.Start == 0 {
				err = p.empty(rec)
			}
			if err != nil {
				yield(Piece{}, err)
				return
			}
		}
	}
}

package fasta

import (
	"fmt"
	"io"
	"strings"
)

// Write writes one record with width letters to a line, all on one line if width
// is 0 or less. It calls w.Write once. A record that [Records] could not read
// back is refused: without a name or with a blank in it, with a line end or
// another control character in the header, without letters or with a byte that
// is none.
func Write(w io.Writer, rec Record, width int) error {
	switch {
	case rec.ID == "":
		return fmt.Errorf("fasta: record has no name")
	case strings.ContainsAny(rec.ID, blanks):
		return fmt.Errorf("fasta: blank in name %q", short(rec.ID))
	case len(rec.Seq) == 0:
		return fmt.Errorf("fasta: sequence %q is empty", short(rec.ID))
	}
	for _, s := range []string{rec.ID, rec.Description} {
		for i := range len(s) {
			if c := s[i]; c < ' ' && c != '\t' && c != 1 {
				return fmt.Errorf("fasta: control character %s in the header of %q", quote(c), short(rec.ID))
			}
		}
	}
	if err := Any.Check(rec.Seq); err != nil {
		return fmt.Errorf("fasta: sequence %q: %w", short(rec.ID), err)
	}
	if width <= 0 {
		width = len(rec.Seq)
	}
	b := make([]byte, 0, len(rec.ID)+len(rec.Description)+len(rec.Seq)+len(rec.Seq)/width+4)
	b = append(b, '>')
	b = append(b, rec.ID...)
	if rec.Description != "" {
		b = append(b, ' ')
		b = append(b, rec.Description...)
	}
	b = append(b, '\n')
	for seq := rec.Seq; len(seq) > 0; {
		n := min(width, len(seq))
		b = append(b, seq[:n]...)
		b = append(b, '\n')
		seq = seq[n:]
	}
	_, err := w.Write(b)
	return err
}

package pdb

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"

	"heed/format"
)

// Write writes the protein chains of s in the PDB format, with a score for each
// residue in the place of the temperature factor, where viewers colour by it.
// Atoms and numbers are those of s; what [Read] left out is not written.
//
// scores has, for each chain, one score for each of its residues; nil keeps the
// temperature factors. The format has two decimals and numbers from -99.99 to
// 999.99, so that weights want a scale of 100; a residue without a score, NaN, gets
// 0.
//
// A structure that the format cannot hold is an error: identifiers of more than a
// letter, more than 99,999 atoms, numbers beyond -999 to 9999.
func Write(w io.Writer, s *Structure, scores [][]float64) error {
	if scores != nil {
		if len(scores) != len(s.Chains) {
			return fmt.Errorf("pdb: scores of %d chains, want %d", len(scores), len(s.Chains))
		}
		for i := range s.Chains {
			if len(scores[i]) != len(s.Chains[i].Residues) {
				return fmt.Errorf("pdb: %d scores of chain %q, want %d", len(scores[i]), s.Chains[i].ID, len(s.Chains[i].Residues))
			}
		}
	}
	var b strings.Builder
	serial := 0
	for i := range s.Chains {
		c := &s.Chains[i]
		if len(c.ID) > 1 {
			return fmt.Errorf("pdb: chain %q has more than a letter, which the PDB format cannot hold", c.ID)
		}
		var last *Residue
		for j := range c.Residues {
			r := &c.Residues[j]
			for k := range r.Atoms {
				a := r.Atoms[k]
				if scores != nil {
					a.B = scores[i][j]
					if a.B != a.B {
						a.B = 0
					}
				}
				if serial++; serial > 99999 {
					return fmt.Errorf("pdb: more than 99999 atoms, which the PDB format cannot hold")
				}
				if err := writeAtom(&b, c, r, &a, serial); err != nil {
					return err
				}
				last = r
			}
		}
		if last != nil && serial < 99999 {
			serial++
			fmt.Fprintf(&b, "TER   %5d      %3s %1s%4d%1s\n", serial, last.Name, c.ID, last.Number, code(last))
		}
	}
	b.WriteString("END\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func code(r *Residue) string {
	if r.Insertion == 0 {
		return " "
	}
	return string(rune(r.Insertion))
}

func writeAtom(b *strings.Builder, c *Chain, r *Residue, a *Atom, serial int) error {
	factor, err := factor(a.B)
	if err != nil {
		return fmt.Errorf("pdb: residue %s of chain %q: %w", r.label(), c.ID, err)
	}
	kind := "ATOM  "
	if r.Het {
		kind = "HETATM"
	}
	// A name begins in the second column, unless the element has two letters or
	// the name four.
	name := a.Name
	if len(name) < 4 && len(a.Element) < 2 {
		name = " " + name
	}
	line := fmt.Sprintf("%s%5d %-4s %3s %1s%4d%s   %8.3f%8.3f%8.3f%6.2f%s          %2s  ",
		kind, serial, name, r.Name, c.ID, r.Number, code(r), a.Position[0], a.Position[1], a.Position[2], a.Occupancy, factor, a.Element)
	if len(line) != 80 {
		return fmt.Errorf("pdb: atom %s of residue %s of chain %q does not fit the columns of the PDB format", a.Name, r.label(), c.ID)
	}
	b.WriteString(line)
	b.WriteByte('\n')
	return nil
}

// factor prints a temperature factor in its six columns.
func factor(f float64) (string, error) {
	text := fmt.Sprintf("%6.2f", f)
	if len(text) != 6 || math.IsNaN(f) || math.IsInf(f, 0) {
		return "", fmt.Errorf("%v does not fit a temperature factor, which goes from -99.99 to 999.99", f)
	}
	return text, nil
}

// Rescore copies a file in the PDB format, of any content, and changes nothing
// but the temperature factors of the atoms that score gives a number: all else,
// ligands, other models and remarks, stays byte for byte. chain and residue are as
// [Chain].ID and [Residue.Seq] have them; false leaves an atom as it is. For mmCIF
// use [Write].
func Rescore(w io.Writer, name string, r io.Reader, score func(chain, residue string) (float64, bool)) error {
	out := bufio.NewWriter(w)
	in := bufio.NewReaderSize(r, maxLine)
	for n, first := 1, true; ; n++ {
		slice, err := in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			return format.TooLargef(name, n, "line has more than %d bytes", maxLine)
		}
		if err != nil && err != io.EOF {
			return format.ReadError(name, n, err)
		}
		line := string(slice)
		text := strings.TrimRight(line, "\r\n")
		if first && strings.TrimSpace(text) != "" {
			if first = false; !isRecord(text) {
				return format.Invalidf(name, n, "not PDB: begins with %q", short(text))
			}
		}
		if kind := columns(text, 1, 6); kind == "ATOM  " || kind == "HETATM" {
			residue := field(text, 23, 26) + strings.TrimSpace(columns(text, 27, 27))
			if f, ok := score(field(text, 22, 22), residue); ok {
				field, err := factor(f)
				if err != nil {
					return format.Invalidf(name, n, "residue %s: %w", residue, err)
				}
				tail := ""
				if len(text) > 66 {
					tail = text[66:]
				}
				line = fmt.Sprintf("%-60s", columns(text, 1, 60)) + field + tail + line[len(text):]
			}
		}
		if _, err := out.WriteString(line); err != nil {
			return err
		}
		if err == io.EOF {
			return out.Flush()
		}
	}
}

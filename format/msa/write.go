package msa

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteA3M writes the alignment as A3M: columns in upper case, insertions in
// lower case, every row on one line. A line of ColabFold goes first if there are
// Chains. Notes of Stockholm are not written.
func WriteA3M(w io.Writer, a *Alignment) error {
	if err := a.check(false); err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	if len(a.Chains) > 0 {
		var lengths, copies []string
		for _, c := range a.Chains {
			lengths = append(lengths, fmt.Sprint(c.Length))
			copies = append(copies, fmt.Sprint(c.Copies))
		}
		fmt.Fprintf(b, "#%s\t%s\n", strings.Join(lengths, ","), strings.Join(copies, ","))
	}
	for i := range a.Rows {
		row := &a.Rows[i]
		writeHeader(b, row)
		at := 0
		for _, in := range row.Insertions {
			b.Write(row.Seq[at:in.Before])
			b.WriteString(strings.ToLower(in.Letters))
			at = in.Before
		}
		b.Write(row.Seq[at:])
		if i == 0 && a.likeFASTA() {
			b.WriteByte('.')
		}
		b.WriteByte('\n')
	}
	return b.Flush()
}

// likeFASTA reports whether rows with insertions in different places would be
// equally long in A3M. A reader may then take them for aligned FASTA; one '.',
// which says nothing in A3M, makes the difference.
func (a *Alignment) likeFASTA() bool {
	first, total := -1, 0
	for i := range a.Rows {
		n := 0
		for _, in := range a.Rows[i].Insertions {
			n += len(in.Letters)
		}
		if first < 0 {
			first = n
		}
		if n != first {
			return false
		}
		total += n
	}
	return total > 0
}

// WriteFASTA writes the columns as aligned FASTA with width letters to a line,
// all on one line if width is 0 or less. The format has no place for insertions:
// they are not written.
func WriteFASTA(w io.Writer, a *Alignment, width int) error {
	if err := a.check(false); err != nil {
		return err
	}
	if width <= 0 {
		width = a.Columns
	}
	b := bufio.NewWriter(w)
	for i := range a.Rows {
		writeHeader(b, &a.Rows[i])
		for seq := a.Rows[i].Seq; len(seq) > 0; {
			n := min(width, len(seq))
			b.Write(seq[:n])
			b.WriteByte('\n')
			seq = seq[n:]
		}
	}
	return b.Flush()
}

// WriteLines writes the columns as PSICOV and CCMpred take them: one row per line
// and nothing else. Names and insertions are not written.
func WriteLines(w io.Writer, a *Alignment) error {
	if err := a.check(false); err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	for i := range a.Rows {
		b.Write(a.Rows[i].Seq)
		b.WriteByte('\n')
	}
	return b.Flush()
}

// WriteStockholm writes the columns as Stockholm 1.0 in one block, with the
// notes. Descriptions become #=GS DE unless the row has such a note. Insertions
// are not written.
func WriteStockholm(w io.Writer, a *Alignment) error {
	if err := a.check(true); err != nil {
		return err
	}
	width := len("#=GC ")
	for _, row := range a.Rows {
		width = max(width, len(row.Name))
	}
	byRow := make([][]Note, len(a.Rows))
	for _, n := range a.Notes.Residues {
		byRow[n.Row] = append(byRow[n.Row], n)
		width = max(width, len("#=GR  ")+len(a.Rows[n.Row].Name)+len(n.Feature))
	}
	for _, n := range a.Notes.Columns {
		width = max(width, len("#=GC ")+len(n.Feature))
	}
	b := bufio.NewWriter(w)
	b.WriteString("# STOCKHOLM 1.0\n")
	for _, n := range a.Notes.File {
		fmt.Fprintf(b, "#=GF %s %s\n", n.Feature, n.Text)
	}
	described := make([]bool, len(a.Rows))
	for _, n := range a.Notes.Rows {
		fmt.Fprintf(b, "#=GS %s %s %s\n", a.Rows[n.Row].Name, n.Feature, n.Text)
		described[n.Row] = described[n.Row] || n.Feature == "DE"
	}
	for i, row := range a.Rows {
		if row.Description != "" && !described[i] {
			fmt.Fprintf(b, "#=GS %s DE %s\n", row.Name, row.Description)
		}
	}
	b.WriteByte('\n')
	for i, row := range a.Rows {
		fmt.Fprintf(b, "%-*s %s\n", width, row.Name, row.Seq)
		for _, n := range byRow[i] {
			fmt.Fprintf(b, "%-*s %s\n", width, "#=GR "+row.Name+" "+n.Feature, n.Text)
		}
	}
	for _, n := range a.Notes.Columns {
		fmt.Fprintf(b, "%-*s %s\n", width, "#=GC "+n.Feature, n.Text)
	}
	b.WriteString("//\n")
	return b.Flush()
}

func writeHeader(b *bufio.Writer, row *Row) {
	b.WriteByte('>')
	b.WriteString(row.Name)
	if row.Description != "" {
		b.WriteByte(' ')
		b.WriteString(row.Description)
	}
	b.WriteByte('\n')
}

// check refuses an alignment that could not be read back. In Stockholm the name
// shares its line with the letters.
func (a *Alignment) check(stockholm bool) error {
	if len(a.Rows) == 0 || a.Columns < 1 {
		return fmt.Errorf("msa: alignment has no rows or no columns")
	}
	for i := range a.Rows {
		row := &a.Rows[i]
		switch {
		case row.Name == "":
			return fmt.Errorf("msa: row %d has no name", i+1)
		case strings.ContainsAny(row.Name, blanks):
			return fmt.Errorf("msa: blank in name %q", short(row.Name))
		case stockholm && (row.Name[0] == '#' || row.Name == "//"):
			return fmt.Errorf("msa: name %q cannot stand in a Stockholm file", short(row.Name))
		case len(row.Seq) != a.Columns:
			return fmt.Errorf("msa: row %q has %s, want %d", short(row.Name), plural(len(row.Seq), "column"), a.Columns)
		}
		for _, s := range []string{row.Name, row.Description} {
			for j := range len(s) {
				if c := s[j]; c < ' ' && c != '\t' && c != 1 {
					return fmt.Errorf("msa: control character %s in the header of %q", quote(c), short(row.Name))
				}
			}
		}
		for _, c := range row.Seq {
			if (c < 'A' || c > 'Z') && c != '-' {
				return fmt.Errorf("msa: row %q: %s is neither an upper-case letter nor '-'", short(row.Name), quote(c))
			}
		}
		at := 0
		for _, in := range row.Insertions {
			if in.Before < at || in.Before > a.Columns || strings.ContainsFunc(in.Letters, func(r rune) bool { return r < 'A' || r > 'Z' }) {
				return fmt.Errorf("msa: row %q: insertions out of order or with other letters", short(row.Name))
			}
			at = in.Before
		}
	}
	return nil
}

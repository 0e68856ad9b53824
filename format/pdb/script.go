package pdb

import (
	"fmt"
	"io"
	"strings"
)

// A Line is drawn between the C-alpha atoms of two residues.
type Line struct {
	ChainA, ChainB string // [Chain].ID
	A, B           *Residue
	// Group collects the lines that are shown and hidden together, such as
	// "right" and "wrong": letters, digits and '_'.
	Group string
	// Color is six hexadecimal digits, as "d62728".
	Color string
}

// WritePyMOL writes a script that opens a structure in PyMOL and draws the lines:
// pymol contacts.pml. file is the path of the structure as the script will find it.
func WritePyMOL(w io.Writer, file string, lines []Line) error {
	if err := checkLines(file, lines); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "load %s, structure\nhide everything\nshow cartoon\ncolor grey80, structure\nset dash_gap, 0\nset dash_width, 3\n", file)
	for _, l := range lines {
		fmt.Fprintf(&b, "distance %s, %s, %s\n", l.Group, pymol(l.ChainA, l.A), pymol(l.ChainB, l.B))
	}
	done := make(map[string]bool)
	for _, l := range lines {
		if !done[l.Group] {
			done[l.Group] = true
			fmt.Fprintf(&b, "hide labels, %s\ncolor 0x%s, %s\n", l.Group, strings.ToLower(l.Color), l.Group)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// pymol selects the C-alpha of a residue. A number below zero wants a backslash,
// because '-' stands for a range.
func pymol(chain string, r *Residue) string {
	seq := r.Seq()
	if r.Number < 0 {
		seq = `\` + seq
	}
	if chain == "" {
		chain = "''"
	}
	return fmt.Sprintf("structure and chain %s and resi %s and name CA", chain, seq)
}

// WriteChimeraX writes a script that opens a structure in ChimeraX and draws the
// lines as pseudobonds: chimerax contacts.cxc. file is the path of the structure
// as the script will find it.
func WriteChimeraX(w io.Writer, file string, lines []Line) error {
	if err := checkLines(file, lines); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "open \"%s\"\nhide atoms\nshow cartoons\ncolor #1 lightgray\n", file)
	for _, l := range lines {
		fmt.Fprintf(&b, "pbond %s %s color #%s radius 0.15 dashes 0 name %s\n", chimerax(l.ChainA, l.A), chimerax(l.ChainB, l.B), strings.ToLower(l.Color), l.Group)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func chimerax(chain string, r *Residue) string {
	if chain != "" {
		chain = "/" + chain
	}
	return fmt.Sprintf("#1%s:%s@CA", chain, r.Seq())
}

// checkLines refuses what would be another command in a script.
func checkLines(file string, lines []Line) error {
	if file == "" || strings.ContainsFunc(file, func(r rune) bool { return r < ' ' || strings.ContainsRune(`",;`, r) }) {
		return fmt.Errorf("pdb: path %q cannot stand in a script", file)
	}
	for _, l := range lines {
		for _, chain := range []string{l.ChainA, l.ChainB} {
			if !isWord(chain) && chain != "" {
				return fmt.Errorf("pdb: chain %q cannot stand in a script", chain)
			}
		}
		for _, r := range []*Residue{l.A, l.B} {
			if r == nil || r.Atom("CA") == nil {
				return fmt.Errorf("pdb: a line ends at a residue without a C-alpha")
			}
			if r.Insertion != 0 && !isWord(string(rune(r.Insertion))) {
				return fmt.Errorf("pdb: residue %q cannot stand in a script", r.Seq())
			}
		}
		if !isWord(l.Group) {
			return fmt.Errorf("pdb: group %q is not letters, digits and '_'", l.Group)
		}
		if len(l.Color) != 6 || strings.Trim(l.Color, "0123456789abcdefABCDEF") != "" {
			return fmt.Errorf("pdb: color %q is not six hexadecimal digits", l.Color)
		}
	}
	return nil
}

// isWord reports whether text is letters, digits and '_', and not empty.
func isWord(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '_'
	})
}

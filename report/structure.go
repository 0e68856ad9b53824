package report

import (
	"fmt"
	"html/template"
	"strconv"
)

// Structure links a contact map with the structure that it is compared with: a pair
// that the reader presses on the map is drawn in the structure, which can be turned.
// It needs WebGL; where a browser has none the map works alone and says so. The
// library, 3Dmol.js, is on pages with this block only.
type Structure struct {
	Name    string
	Alt     string
	Caption string
	// PDB holds the chain as a file of that format, with C-alpha atoms at least.
	PDB []byte
	// Residues (L) are the numbers in that file of the positions of the map; 0
	// where the structure has none. Labels (L) are what readers call them.
	Residues []int
	Labels   []string
	// Predicted is drawn above the diagonal, the strongest first, Contacts, those
	// of the structure, below. Positions count from 0, the first less than the
	// second.
	Predicted []StructurePair
	Contacts  [][2]int
}

// A StructurePair is a predicted pair.
type StructurePair struct {
	I, J     int
	Score    float64
	Verdict  Verdict3D
	Distance float64 // in Å; 0 if it is not known
}

// Verdict3D says what a structure says of a predicted pair.
type Verdict3D int

// The verdicts.
const (
	NotKnown Verdict3D = iota
	InContact
	NotInContact
)

func (v Verdict3D) String() string {
	return [...]string{"not known", "contact", "no contact"}[v]
}

// MaxPositions is the longest protein of a Structure.
const MaxPositions = 4096

type structureMeta struct {
	Name      string   `json:"name"`
	PDB       string   `json:"pdb"`
	Residues  []int    `json:"residues"`
	Labels    []string `json:"labels"`
	Pairs     [][]any  `json:"pairs"` // i, j, score, verdict, distance
	Contacts  [][2]int `json:"contacts"`
	Positions int      `json:"positions"`
}

func (s Structure) render(p *page) (template.HTML, error) {
	if err := named("structure", s.Name, s.Alt); err != nil {
		return "", err
	}
	l := len(s.Residues)
	switch {
	case l < 2 || l > MaxPositions || len(s.Labels) != l:
		return "", fmt.Errorf("structure %q of %d positions and %d labels", s.Name, l, len(s.Labels))
	case len(s.PDB) == 0:
		return "", fmt.Errorf("structure %q has no atoms", s.Name)
	}
	meta := structureMeta{Name: s.Name, PDB: string(s.PDB), Residues: s.Residues, Labels: s.Labels, Contacts: s.Contacts, Positions: l, Pairs: [][]any{}}
	bad := func(i, j int) error {
		if i < 0 || j >= l || i >= j {
			return fmt.Errorf("structure %q of %d positions has the pair %d, %d", s.Name, l, i, j)
		}
		return nil
	}
	table := numbers{Heads: []string{"pair", "separation", "score", "in the structure", "distance (Å)"}}
	for k, x := range s.Predicted {
		if err := bad(x.I, x.J); err != nil {
			return "", err
		}
		meta.Pairs = append(meta.Pairs, []any{x.I, x.J, x.Score, int(x.Verdict), x.Distance})
		if k < shownRows {
			distance := "-"
			if x.Distance > 0 {
				distance = strconv.FormatFloat(x.Distance, 'f', 1, 64)
			}
			table.Rows = append(table.Rows, []string{s.Labels[x.I] + " " + s.Labels[x.J], strconv.Itoa(x.J - x.I), strconv.FormatFloat(x.Score, 'g', 4, 64), x.Verdict.String(), distance})
		}
	}
	if n := len(s.Predicted); n > shownRows {
		table.Note = fmt.Sprintf("The first %d of %d pairs.", shownRows, n)
	}
	for _, x := range s.Contacts {
		if err := bad(x[0], x[1]); err != nil {
			return "", err
		}
	}
	id, err := p.keepJSON(meta)
	if err != nil {
		return "", err
	}
	p.mol = true
	return p.execute("structure", struct {
		Structure
		Meta    string
		Numbers numbers
	}{s, id, table})
}

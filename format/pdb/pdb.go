// Package pdb reads protein structures of the Protein Data Bank, in the PDB
// format or in PDBx/mmCIF, whichever the content says, and measures distances
// between residues.
//
// Bytes flow in, usually from [heed/format.Open], which decompresses gzip; one
// [Structure] of plain structs flows out, and from its chains the matrices that a
// contact map is made of:
//
//	s, err := pdb.Read("1a3a.pdb", r)
//	chain, err := s.Chain("A")
//	match, err := chain.Align(query, pdb.Alignment{})
//	distances := match.Distances(chain.BetaDistances(pdb.RealBeta))
//
// # What is read
//
// The atoms of protein chains of the first model. Of alternative conformations a
// residue keeps the one with the highest occupancy, the first in the file if
// several have it. Modified amino acids in a chain, which the PDB format writes as
// HETATM, belong to it: selenomethionine, MSE, is read as M. Nucleic acids,
// ligands, ions and water are left out and counted ([Structure].Others).
//
// Residues that the experiment did not see are part of a chain, without atoms:
// SEQRES (PDB) and entity_poly_seq (mmCIF) say which they are. In a file without
// these, a step in the numbers over a broken peptide bond stands for as many
// residues X. Everything measured on a missing residue is NaN: no information, not
// "no contact".
//
// Residues have the author's number and insertion code, which papers use; in
// mmCIF also the number in the sequence, label_seq_id, which is continuous. The
// two differ: 52A follows 52, and some proteins begin at -3.
//
// Everything else is an error with file and line: coordinates that are no
// numbers, an atom that occurs twice, atoms that contradict SEQRES.
package pdb

import (
	"fmt"
	"io"
	"math"
	"strings"

	"heed/format"
)

// A Structure is the protein chains of the first model of a file.
type Structure struct {
	ID         string  // of the entry, such as "1A3A", or ""
	Method     string  // such as "X-RAY DIFFRACTION", or ""
	Resolution float64 // in Å; 0 where the method has none or the file does not say
	Models     int     // in the file, of which the first was read
	Chains     []Chain // in the order of the file; at least 1, each with atoms
	Others     int     // atoms of the first model that belong to no protein chain
	Alternates int     // atoms of conformations that were not kept
}

// A Chain is one protein.
type Chain struct {
	// ID is the identifier that the authors gave and that papers and the PDB
	// format use: auth_asym_id in mmCIF. It may be "" in the PDB format.
	ID string
	// Label is label_asym_id in mmCIF, and the ID in the PDB format.
	Label string
	// Residues are in the order of the sequence.
	Residues []Residue
}

// A Residue is one amino acid.
type Residue struct {
	Name      string // in three letters as in the file, such as "MSE"; "" if unknown
	Letter    byte   // A to Z, for MSE 'M'; 'X' if unknown
	Number    int    // the author's; 0 if the residue has no atoms
	Insertion byte   // the author's insertion code, or 0
	Index     int    // in the sequence, from 1: label_seq_id in mmCIF
	Atoms     []Atom // one conformation; empty if the residue is missing
	Het       bool   // its atoms are HETATM
}

// An Atom is one atom. Position is in Å.
type Atom struct {
	Name      string // such as "CA"
	Element   string // such as "C", in upper case
	Position  Point
	Occupancy float64 // 1 if the file does not say
	B         float64 // temperature factor in Å², or what a predictor puts there; 0 if the file does not say
	Line      int     // 1-based
}

// A Point is x, y and z in Å.
type Point [3]float64

// A Reader has limits and choices. The zero value has the limits of the constants.
type Reader struct {
	MaxAtoms    int // of all models; 0 means MaxAtoms
	MaxResidues int // with missing ones; 0 means MaxResidues

	// NoSequence passes over SEQRES and entity_poly_seq, for files in which they
	// contradict the atoms.
	NoSequence bool
}

// Limits of the zero Reader. The largest entries, capsids of viruses, have some
// 3 million atoms.
const (
	MaxAtoms    = 16 << 20
	MaxResidues = 1 << 20
)

// Read reads a file in either format.
func Read(name string, r io.Reader) (*Structure, error) { return Reader{}.Read(name, r) }

// Read is [Read] within the limits of d.
func (d Reader) Read(name string, r io.Reader) (*Structure, error) {
	if d.MaxAtoms <= 0 {
		d.MaxAtoms = MaxAtoms
	}
	if d.MaxResidues <= 0 {
		d.MaxResidues = MaxResidues
	}
	lines := format.NewLineReader(name, r, maxLine)
	for {
		text, err := lines.Next()
		if err == io.EOF {
			return nil, format.Invalidf(name, 0, "no structure")
		}
		if err != nil {
			return nil, err
		}
		line := strings.TrimRight(string(text), " \t")
		lower := strings.ToLower(strings.TrimLeft(line, " \t"))
		switch {
		case lower == "" || lower[0] == '#':
			continue
		case strings.HasPrefix(lower, "data_"):
			return d.readCIF(name, lines, line)
		case isRecord(line):
			return d.readPDB(name, lines, line)
		}
		return nil, format.Invalidf(name, lines.Number(), "neither PDB nor mmCIF: begins with %q", short(line))
	}
}

// maxLine is the greatest length of a line: mmCIF files that are written by
// programs have sequences of 35,000 residues on one.
const maxLine = 1 << 20

// Chain returns the chain with an identifier of the authors; "" finds a chain
// without one, and the only chain of a structure whatever it is called. The error
// of a chain that does not exist names those that do.
func (s *Structure) Chain(id string) (*Chain, error) {
	return s.find(id, func(c *Chain) string { return c.ID })
}

// ChainByLabel is [Structure.Chain] for the identifiers of mmCIF, label_asym_id.
func (s *Structure) ChainByLabel(label string) (*Chain, error) {
	return s.find(label, func(c *Chain) string { return c.Label })
}

func (s *Structure) find(id string, name func(*Chain) string) (*Chain, error) {
	var found *Chain
	var all []string
	for i := range s.Chains {
		c := &s.Chains[i]
		all = append(all, fmt.Sprintf("%q", name(c)))
		if name(c) != id {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("pdb: two chains are called %q; their labels are %q and %q", id, found.Label, c.Label)
		}
		found = c
	}
	if found == nil && id == "" && len(s.Chains) == 1 {
		found = &s.Chains[0]
	}
	if found == nil {
		const most = 20
		if len(all) > most {
			all = append(all[:most], fmt.Sprintf("and %d more", len(s.Chains)-most))
		}
		return nil, fmt.Errorf("pdb: no chain %q; chains are %s", id, strings.Join(all, ", "))
	}
	return found, nil
}

// Sequence returns the letters of all residues, missing ones included.
func (c *Chain) Sequence() []byte {
	seq := make([]byte, len(c.Residues))
	for i := range c.Residues {
		seq[i] = c.Residues[i].Letter
	}
	return seq
}

// Missing returns the number of residues without atoms.
func (c *Chain) Missing() int {
	n := 0
	for i := range c.Residues {
		if len(c.Residues[i].Atoms) == 0 {
			n++
		}
	}
	return n
}

// Atom returns the atom of that name, or nil.
func (r *Residue) Atom(name string) *Atom {
	for i := range r.Atoms {
		if r.Atoms[i].Name == name {
			return &r.Atoms[i]
		}
	}
	return nil
}

// Seq returns the number and the insertion code as papers write them: "52A".
func (r *Residue) Seq() string {
	if r.Insertion == 0 {
		return fmt.Sprint(r.Number)
	}
	return fmt.Sprintf("%d%c", r.Number, r.Insertion)
}

func (p Point) minus(q Point) Point      { return Point{p[0] - q[0], p[1] - q[1], p[2] - q[2]} }
func (p Point) plus(q Point) Point       { return Point{p[0] + q[0], p[1] + q[1], p[2] + q[2]} }
func (p Point) times(f float64) Point    { return Point{p[0] * f, p[1] * f, p[2] * f} }
func (p Point) dot(q Point) float64      { return p[0]*q[0] + p[1]*q[1] + p[2]*q[2] }
func (p Point) distance(q Point) float64 { d := p.minus(q); return math.Sqrt(d.dot(d)) }
func (p Point) cross(q Point) Point {
	return Point{p[1]*q[2] - p[2]*q[1], p[2]*q[0] - p[0]*q[2], p[0]*q[1] - p[1]*q[0]}
}

// unit returns the direction of p; it is false if p has none.
func (p Point) unit() (Point, bool) {
	length := math.Sqrt(p.dot(p))
	if !(length > 1e-9) {
		return Point{}, false
	}
	return p.times(1 / length), true
}

// short cuts text to what a message can bear.
func short(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

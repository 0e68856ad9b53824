package pdb

import (
	"math"
	"strconv"
	"strings"

	"heed/format"
)

// A record is one atom as either format has it.
type record struct {
	chain   string // that groups the atoms: label in mmCIF
	author  string
	residue string // in three letters
	number  int
	code    byte // of insertion, or 0
	index   int  // in the sequence, or 0
	other   bool // belongs to no protein chain whatever its name
	listed  bool // belongs to the sequence of its chain whatever its name
	het     bool
	alt     string // conformation, or ""
	Atom
}

// A builder makes a Structure of atoms in the order of a file.
type builder struct {
	Reader
	name     string
	s        Structure
	chains   []*chain
	byName   map[string]*chain
	atoms    int // of all models
	residues int
	modified map[string]string // names of residues: those they were made from
}

// A chain is in the making.
type chain struct {
	id, label string
	groups    []group
	byKey     map[key]int // index into groups
}

type key struct {
	number, index int
	code          byte
}

// A group is all atoms of one residue, of all its conformations.
type group struct {
	key
	het   bool
	atoms []record
}

func newBuilder(d Reader, name string) *builder {
	return &builder{Reader: d, name: name, byName: make(map[string]*chain), modified: make(map[string]string)}
}

// count takes note of one atom, of any model.
func (b *builder) count(line int) error {
	if b.atoms++; b.atoms > b.MaxAtoms {
		return format.TooLargef(b.name, line, "structure has more than %d atoms", b.MaxAtoms)
	}
	return nil
}

// add takes an atom of the first model.
func (b *builder) add(r record) error {
	if r.other {
		b.s.Others++
		return nil
	}
	c := b.byName[r.chain]
	if c == nil {
		c = &chain{id: r.author, label: r.chain, byKey: make(map[key]int)}
		b.byName[r.chain] = c
		b.chains = append(b.chains, c)
	}
	k := key{r.number, r.index, r.code}
	i, found := c.byKey[k]
	if !found {
		if b.residues++; b.residues > b.MaxResidues {
			return b.tooMany(r.Line)
		}
		i = len(c.groups)
		c.byKey[k] = i
		c.groups = append(c.groups, group{key: k, het: r.het})
	}
	c.groups[i].atoms = append(c.groups[i].atoms, r)
	return nil
}

func (b *builder) tooMany(line int) error {
	return format.TooLargef(b.name, line, "structure has more than %d residues", b.MaxResidues)
}

// A part is a residue of which the sequence of a chain consists.
type part struct {
	name string
	line int
}

// finish makes chains of the atoms; sequence returns the whole sequence of a chain
// if the file has one.
func (b *builder) finish(sequence func(*chain) []part) (*Structure, error) {
	for _, c := range b.chains {
		var residues []Residue
		for i := range c.groups {
			if !b.isAmino(&c.groups[i]) {
				b.s.Others += len(c.groups[i].atoms)
				continue
			}
			r, err := b.residue(c, &c.groups[i])
			if err != nil {
				return nil, err
			}
			residues = append(residues, r)
		}
		if len(residues) == 0 {
			continue
		}
		var parts []part
		if !b.NoSequence {
			parts = sequence(c)
		}
		var err error
		if residues, err = b.complete(c, residues, parts); err != nil {
			return nil, err
		}
		b.s.Chains = append(b.s.Chains, Chain{ID: c.id, Label: c.label, Residues: residues})
	}
	if len(b.s.Chains) == 0 {
		return nil, format.Invalidf(b.name, 0, "no atoms of a protein; %d of others", b.s.Others)
	}
	return &b.s, nil
}

// isAmino reports whether a group is an amino acid. In files without a sequence
// water and ligands may be ATOM too; they have no backbone.
func (b *builder) isAmino(g *group) bool {
	backbone := 0
	for i := range g.atoms {
		a := &g.atoms[i]
		_, known := aminoAcids[a.residue]
		_, explained := aminoAcids[b.modified[a.residue]]
		if known || explained || a.listed {
			return true
		}
		if a.Name == "N" || a.Name == "CA" || a.Name == "C" {
			backbone++
		}
	}
	return backbone >= 3
}

// residue chooses one conformation of a group.
func (b *builder) residue(c *chain, g *group) (Residue, error) {
	// The conformations of one residue may even be different amino acids.
	best, alt, occupancy := "", "", math.Inf(-1)
	for i := range g.atoms {
		if a := &g.atoms[i]; a.Occupancy > occupancy {
			best, alt, occupancy = a.residue, a.alt, a.Occupancy
		}
	}
	// An atom that all conformations share does not tell which one to take.
	if alt == "" {
		occupancy = math.Inf(-1)
		for i := range g.atoms {
			if a := &g.atoms[i]; a.alt != "" && a.Occupancy > occupancy {
				best, alt, occupancy = a.residue, a.alt, a.Occupancy
			}
		}
	}
	r := Residue{Name: best, Letter: letter(best, b.modified), Number: g.number, Insertion: g.code, Index: g.index, Het: g.het}
	at := make(map[string]int, len(g.atoms)) // index into r.Atoms
	from := make([]string, 0, len(g.atoms))  // conformation of each
	for i := range g.atoms {
		a := &g.atoms[i]
		if a.residue != best && a.alt == alt {
			return r, format.Invalidf(b.name, a.Line, "residue %s of chain %q is %s here", r.label(), c.id, short(a.residue))
		}
		if a.residue != best {
			b.s.Alternates++
			continue
		}
		j, found := at[a.Name]
		if !found {
			at[a.Name] = len(r.Atoms)
			r.Atoms = append(r.Atoms, a.Atom)
			from = append(from, a.alt)
			continue
		}
		if from[j] == a.alt {
			return r, format.Invalidf(b.name, a.Line, "atom %s of residue %s of chain %q occurs twice, in line %d before", a.Name, r.label(), c.id, r.Atoms[j].Line)
		}
		b.s.Alternates++
		// An atom that the conformation lacks is taken from the best other.
		if from[j] != alt && (a.alt == alt || a.Occupancy > r.Atoms[j].Occupancy) {
			r.Atoms[j], from[j] = a.Atom, a.alt
		}
	}
	return r, nil
}

// label prints a residue for a message: "MSE 52A".
func (r *Residue) label() string { return r.Name + " " + r.Seq() }

// number reads an integer of n characters at most.
func number(text string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimPrefix(text, "+"))
	return n, err == nil
}

// coordinate reads a number that a position in Å can be.
func coordinate(text string) (float64, bool) {
	f, ok := decimal(text)
	return f, ok && math.Abs(f) < 1e6
}

// decimal reads a finite number in the usual notation: no hexadecimal, no NaN.
func decimal(text string) (float64, bool) {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && !strings.ContainsRune("+-.eE", rune(c)) {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

package protein

import (
	"bytes"
	"fmt"
	"math"

	"heed/format"
	"heed/format/pairs"
	"heed/format/pdb"
	"heed/internal/cli"
	"heed/metric"
)

// A StructureConfig says what the truth is. The zero value of a field means its
// default.
type StructureConfig struct {
	File  string // PDB or mmCIF
	Chain string // of File; "" means the first one that matches the query
	// Distances is a table of distances between positions in place of File.
	Distances string
	Contacts  string  // beta or minimum-atom; "" means beta
	Cutoff    float64 // in Å; 0 means 8
}

// A Truth is what a structure says of the pairs of a query.
type Truth struct {
	File       string
	Definition string         // of a contact
	Touch      []metric.Touch // (Lq, Lq)
	Distances  *pdb.Distances // (Lq, Lq)
	Chain      *pdb.Chain     // nil for a table of distances
	Match      *pdb.Match     // of the chain and the query; nil likewise
	Missing    int            // positions of the query without known distances
}

// Validate fills in the defaults and refuses what makes no sense.
func (c *StructureConfig) Validate() error {
	if c.Contacts == "" && c.File != "" {
		c.Contacts = "beta"
	}
	if c.Cutoff == 0 {
		c.Cutoff = 8
	}
	switch {
	case c.File != "" && c.Distances != "":
		return cli.Usagef("--structure and --distances do not go together")
	case c.File == "" && c.Chain != "":
		return cli.Usagef("--chain needs --structure")
	case c.File == "" && c.Contacts != "":
		return cli.Usagef("--contacts needs --structure")
	case c.File != "" && c.Contacts != "beta" && c.Contacts != "minimum-atom":
		return cli.Usagef("--contacts %q: want beta or minimum-atom", c.Contacts)
	case !(c.Cutoff > 0) || math.IsInf(c.Cutoff, 0):
		return cli.Usagef("--cutoff %v: want a distance in Å", c.Cutoff)
	}
	return nil
}

// Load returns what is known of the pairs of a query, or nil if c names no file.
func (c StructureConfig) Load(query []byte) (*Truth, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var t *Truth
	var err error
	switch {
	case c.File != "":
		t, err = c.structure(query)
	case c.Distances != "":
		t, err = c.table(len(query))
	}
	if t == nil || err != nil {
		return nil, err
	}
	n := len(query)
	t.Touch = make([]metric.Touch, n*n)
	for i := range n {
		known := false
		for j := range n {
			if i == j || !t.Distances.Known(i, j) {
				continue
			}
			known = true
			t.Touch[i*n+j] = metric.Apart
			if t.Distances.Contact(i, j, c.Cutoff) {
				t.Touch[i*n+j] = metric.Contact
			}
		}
		if !known {
			t.Missing++
		}
	}
	return t, nil
}

func (c *StructureConfig) structure(query []byte) (*Truth, error) {
	r, err := format.Open(c.File)
	if err != nil {
		return nil, err
	}
	s, err := pdb.Read(c.File, r)
	r.Close()
	if err != nil {
		return nil, err
	}
	t := &Truth{File: c.File}
	if t.Chain, t.Match, err = c.match(s, query); err != nil {
		return nil, err
	}
	var d *pdb.Distances
	switch c.Contacts {
	case "beta":
		t.Definition = fmt.Sprintf("C-beta atoms (computed where absent) closer than %g Å", c.Cutoff)
		d = t.Chain.BetaDistances(pdb.RealBeta)
	case "minimum-atom":
		t.Definition = fmt.Sprintf("any two atoms but hydrogens closer than %g Å", c.Cutoff)
		d = t.Chain.MinimumDistances()
	}
	t.Distances = t.Match.Distances(d)
	return t, nil
}

// match finds the chain of the query.
func (c *StructureConfig) match(s *pdb.Structure, query []byte) (*pdb.Chain, *pdb.Match, error) {
	if bytes.Count(query, []byte("X")) == len(query) {
		return nil, nil, format.Invalidf(c.File, 0, "the query has no residue to align with")
	}
	mismatch := func(err error) error {
		return cli.Hint(format.Invalidf(c.File, 0, "%w", err), "is it the structure of the query, the first row of the alignment? --query names another row, --chain a chain")
	}
	if c.Chain != "" {
		chain, err := s.Chain(c.Chain)
		if err != nil {
			return nil, nil, format.Invalidf(c.File, 0, "%w", err)
		}
		m, err := chain.Align(query, pdb.Alignment{})
		if err != nil {
			return nil, nil, mismatch(err)
		}
		return chain, m, nil
	}
	var first error
	for i := range s.Chains {
		m, err := s.Chains[i].Align(query, pdb.Alignment{})
		if err == nil {
			return &s.Chains[i], m, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, nil, mismatch(first)
}

// table reads distances of alignment columns. Those absent or 0 are not known.
func (c *StructureConfig) table(n int) (*Truth, error) {
	r, err := format.Open(c.Distances)
	if err != nil {
		return nil, err
	}
	list, err := pairs.Read(c.Distances, r)
	r.Close()
	if err != nil {
		return nil, err
	}
	t := &Truth{File: c.Distances, Definition: fmt.Sprintf("distance in the table less than %g Å", c.Cutoff),
		Distances: &pdb.Distances{N: n, D: make([]float32, n*n)}}
	for i := range t.Distances.D {
		t.Distances.D[i] = float32(math.NaN())
	}
	for _, p := range list {
		switch {
		case p.J > n:
			return nil, cli.Hint(format.Invalidf(c.Distances, p.Line, "position %d of a query of %d", p.J, n), "positions count the columns that are kept: --columns all keeps those in which the query has a gap")
		case p.Value < 0:
			return nil, format.Invalidf(c.Distances, p.Line, "distance of %v", p.Value)
		case p.Value > 0:
			v := float32(p.Value)
			t.Distances.D[(p.I-1)*n+p.J-1], t.Distances.D[(p.J-1)*n+p.I-1] = v, v
		}
	}
	return t, nil
}

// Describe says in a line what the structure is and how well it matches.
func (t *Truth) Describe() string {
	s := t.File
	if t.Chain != nil {
		how := fmt.Sprintf("%d of %d aligned residues equal", t.Match.Equal, t.Match.Aligned)
		if t.Match.Exact {
			how = fmt.Sprintf("%d residues equal", t.Match.Equal)
		}
		s += fmt.Sprintf(", chain %q, %s", t.Chain.ID, how)
	}
	if t.Missing > 0 {
		s += fmt.Sprintf("; %d positions missing", t.Missing)
	}
	return s + "; contact: " + t.Definition
}

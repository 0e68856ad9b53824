package pdb

import (
	"strings"

	"heed/format"
)

// A cifReader makes a structure of the categories of PDBx/mmCIF.
type cifReader struct {
	*builder
	model     string            // of the first atom
	models    map[string]bool   // names of all
	kinds     map[string]string // entity: its type, such as "polypeptide(l)"
	sequences map[string][]part // entity: its residues
	letters   map[string]string // entity: its sequence in one letter
	entities  map[string]string // label of a chain: its entity
	parts     int               // of all sequences
	resolved  int               // which of the sources of a resolution spoke
}

// readCIF reads a file whose first line, which begins with "data_", has been
// read.
func (d Reader) readCIF(name string, lines *format.LineReader, line string) (*Structure, error) {
	p := &cifReader{builder: newBuilder(d, name), models: make(map[string]bool), kinds: make(map[string]string),
		sequences: make(map[string][]part), letters: make(map[string]string), entities: make(map[string]string)}
	c := &cif{name: name, lines: lines, max: 16 << 20}
	_, rest, _ := strings.Cut(strings.TrimLeft(line, " \t"), " ")
	c.rest = []byte(rest)
	resolution := func(source int) rowReader {
		item := "ls_d_res_high"
		switch source {
		case 2:
			item = "resolution"
		case 1:
			item = "d_resolution_high"
		}
		return rowReader{[]string{item}, func(line int, v []value) error { return p.resolution(source, v[0]) }}
	}
	err := c.read(map[string]rowReader{
		"_entry": {[]string{"id"}, func(line int, v []value) error { p.s.ID = v[0].text; return nil }},
		"_exptl": {[]string{"method"}, func(line int, v []value) error {
			if p.s.Method == "" {
				p.s.Method = v[0].text
			}
			return nil
		}},
		"_refine":               resolution(3),
		"_em_3d_reconstruction": resolution(2),
		"_reflns":               resolution(1),
		"_entity_poly": {[]string{"entity_id", "type", "pdbx_seq_one_letter_code_can"}, func(line int, v []value) error {
			p.kinds[v[0].text] = strings.ToLower(v[1].text)
			p.letters[v[0].text] = strings.Join(strings.Fields(v[2].text), "")
			return nil
		}},
		"_entity_poly_seq": {[]string{"entity_id", "num", "mon_id"}, p.sequence},
		"_struct_asym":     {[]string{"id", "entity_id"}, func(line int, v []value) error { p.entities[v[0].text] = v[1].text; return nil }},
		"_atom_site": {[]string{"cartn_x", "cartn_y", "cartn_z", "label_atom_id", "auth_atom_id", "label_comp_id", "auth_comp_id",
			"label_asym_id", "auth_asym_id", "label_seq_id", "auth_seq_id", "pdbx_pdb_ins_code", "label_alt_id", "type_symbol",
			"occupancy", "b_iso_or_equiv", "pdbx_pdb_model_num", "group_pdb", "label_entity_id"}, p.atom},
	})
	if err != nil {
		return nil, err
	}
	p.s.Models = max(1, len(p.models))
	if p.atoms == 0 {
		return nil, format.Invalidf(name, 0, "no _atom_site: not a structure")
	}
	p.sort()
	s, err := p.finish(func(c *chain) []part { return p.sequences[p.entities[c.label]] })
	if err != nil {
		return nil, err
	}
	p.fill(s)
	return s, nil
}

// resolution keeps that of refinement, before that of a map, before that of the
// data.
func (p *cifReader) resolution(source int, v value) error {
	if f, ok := decimal(v.text); ok && f > 0 && source > p.resolved {
		p.s.Resolution, p.resolved = f, source
	}
	return nil
}

// sequence reads a row of _entity_poly_seq. Of several residues at one place the
// first is taken.
func (p *cifReader) sequence(line int, v []value) error {
	id := v[0].text
	n, ok := number(v[1].text)
	have := len(p.sequences[id])
	switch {
	case ok && n == have && n > 0:
		return nil
	case !ok || n != have+1:
		return format.Invalidf(p.name, line, "residue %q of entity %q comes after %d", short(v[1].text), short(id), have)
	}
	if p.parts++; p.parts > p.MaxResidues {
		return p.tooMany(line)
	}
	p.sequences[id] = append(p.sequences[id], part{v[2].text, line})
	return nil
}

// atom reads a row of _atom_site; the indices of v are those of the list in
// readCIF.
func (p *cifReader) atom(line int, v []value) error {
	if err := p.count(line); err != nil {
		return err
	}
	model := v[16].text
	if len(p.models) == 0 {
		p.model = model
	}
	if !p.models[model] {
		p.models[model] = true
	}
	if model != p.model {
		return nil
	}
	or := func(i, j int) string {
		if v[i].null {
			return v[j].text
		}
		return v[i].text
	}
	r := record{chain: or(7, 8), author: or(8, 7), residue: or(5, 6), het: v[17].text == "HETATM", alt: v[12].text}
	r.Name, r.Element, r.Line = or(3, 4), strings.ToUpper(v[13].text), line
	if r.residue == "" || r.Name == "" {
		return format.Invalidf(p.name, line, "atom without a name or residue")
	}
	_, amino := aminoAcids[r.residue]
	_, nucleotide := nucleotides[r.residue]
	entity := v[18].text
	if v[18].null {
		entity = p.entities[r.chain]
	} else {
		p.entities[r.chain] = entity
	}
	kind, known := p.kinds[entity]
	switch {
	case known:
		r.other = !isPeptide(kind)
		r.listed = !r.other
	case len(p.kinds) > 0 && entity != "":
		r.other = true // entities that are no polymer are not listed
	case r.het:
		r.other = !amino
	default:
		r.other = nucleotide
	}
	if r.other {
		return p.add(r)
	}
	var ok bool
	if !v[9].null {
		if r.index, ok = number(v[9].text); !ok || r.index < 1 {
			return format.Invalidf(p.name, line, "label_seq_id is %q", short(v[9].text))
		}
		if r.index > p.MaxResidues {
			return p.tooMany(line)
		}
	}
	if !v[10].null {
		if r.number, ok = number(v[10].text); !ok || r.number < -1e9 || r.number > 1e9 {
			return format.Invalidf(p.name, line, "auth_seq_id is %q", short(v[10].text))
		}
	} else {
		r.number = r.index
	}
	if code := v[11].text; len(code) == 1 {
		r.code = code[0]
	} else if len(code) > 1 {
		return format.Unsupportedf(p.name, line, "insertion code %q of more than a letter", short(code))
	}
	for i := range 3 {
		if r.Position[i], ok = coordinate(v[i].text); !ok || v[i].null {
			return format.Invalidf(p.name, line, "coordinate %c is %q", 'x'+i, short(v[i].text))
		}
	}
	r.Occupancy = 1
	if !v[14].null {
		if r.Occupancy, ok = decimal(v[14].text); !ok {
			return format.Invalidf(p.name, line, "occupancy is %q", short(v[14].text))
		}
	}
	if !v[15].null {
		if r.B, ok = decimal(v[15].text); !ok {
			return format.Invalidf(p.name, line, "temperature factor is %q", short(v[15].text))
		}
	}
	if r.Element == "" {
		r.Element = element("", " "+r.Name)
	}
	return p.add(r)
}

// isPeptide reports whether the type of an entity, such as "polypeptide(l)" or
// "polydeoxyribonucleotide", is a protein.
func isPeptide(kind string) bool {
	return strings.Contains(kind, "peptide") && !strings.Contains(kind, "nucleic")
}

// sort is for files in which _entity_poly follows the atoms: what is no protein
// can be told only now.
func (p *cifReader) sort() {
	kept := p.chains[:0]
	for _, c := range p.chains {
		entity := p.entities[c.label]
		if len(p.kinds) > 0 && entity != "" && !isPeptide(p.kinds[entity]) {
			for _, g := range c.groups {
				p.s.Others += len(g.atoms)
			}
			continue
		}
		kept = append(kept, c)
	}
	p.chains = kept
}

// fill gives modified residues the letter that the entity's sequence has for
// them.
func (p *cifReader) fill(s *Structure) {
	for i := range s.Chains {
		c := &s.Chains[i]
		letters := p.letters[p.entities[c.Label]]
		if len(letters) != len(c.Residues) {
			continue // a residue may have several letters
		}
		for j := range c.Residues {
			if r := &c.Residues[j]; r.Letter == 'X' && letters[j] >= 'A' && letters[j] <= 'Z' {
				r.Letter = letters[j]
			}
		}
	}
}

package pdb

import (
	"io"
	"strings"

	"heed/format"
)

// isRecord reports whether a line may begin a file in the PDB format.
func isRecord(line string) bool {
	switch strings.TrimRight(columns(line, 1, 6), " ") {
	case "HEADER", "OBSLTE", "TITLE", "SPLIT", "CAVEAT", "COMPND", "SOURCE", "KEYWDS", "EXPDTA", "NUMMDL", "MDLTYP", "AUTHOR", "REVDAT",
		"SPRSDE", "JRNL", "REMARK", "DBREF", "DBREF1", "DBREF2", "SEQADV", "SEQRES", "MODRES", "HET", "HETNAM", "HETSYN", "FORMUL", "HELIX",
		"SHEET", "SSBOND", "LINK", "CISPEP", "SITE", "CRYST1", "ORIGX1", "SCALE1", "MTRIX1", "MODEL", "ATOM", "HETATM", "PARENT", "PFRMAT", "TARGET", "USER":
		return true
	}
	return false
}

// columns returns the characters of a line from one column to another, both
// 1-based and included, as far as the line goes, as they are.
func columns(line string, from, to int) string {
	if len(line) < from {
		return ""
	}
	return line[from-1 : min(to, len(line))]
}

// field is columns without blanks.
func field(line string, from, to int) string { return strings.TrimSpace(columns(line, from, to)) }

// A pdbReader reads the lines of the PDB format, version 3.3 of its guide.
type pdbReader struct {
	*builder
	model     int  // models begun
	collect   bool // the atoms of this model
	sequences map[string][]part
	named     map[[2]string]bool // chain and residue that SEQRES has
	ended     map[string]bool    // chains after their TER
	last      string             // chain of the last atom
	parts     int                // of all sequences
}

// readPDB reads a file whose first line has been read.
func (d Reader) readPDB(name string, lines *format.LineReader, line string) (*Structure, error) {
	p := &pdbReader{builder: newBuilder(d, name), collect: true, sequences: make(map[string][]part),
		named: make(map[[2]string]bool), ended: make(map[string]bool)}
	for {
		if err := p.line(line, lines.Number()); err != nil {
			return nil, err
		}
		text, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		line = string(text)
	}
	p.s.Models = max(p.model, 1)
	return p.finish(func(c *chain) []part { return p.sequences[c.id] })
}

func (p *pdbReader) line(line string, n int) error {
	switch kind := strings.TrimRight(columns(line, 1, 6), " "); kind {
	case "ATOM", "HETATM":
		return p.atom(line, n, kind == "HETATM")
	case "TER":
		p.ended[p.last] = true
	case "MODEL":
		if p.model++; p.model > 1 {
			p.collect = false
		}
	case "ENDMDL", "END":
		// Some programs end every model so, without a MODEL before it.
		p.collect = p.collect && p.atoms == 0
	case "HEADER":
		p.s.ID = field(line, 63, 66)
	case "EXPDTA":
		p.s.Method = strings.TrimSpace(p.s.Method + " " + field(line, 11, 79))
	case "REMARK":
		if text, found := strings.CutPrefix(line, "REMARK   2 RESOLUTION."); found {
			if words := strings.Fields(text); len(words) > 0 {
				// "NOT APPLICABLE" and whatever else is no number say nothing.
				if f, ok := decimal(words[0]); ok && f > 0 {
					p.s.Resolution = f
				}
			}
		}
	case "MODRES":
		p.modified[field(line, 13, 15)] = field(line, 25, 27)
	case "SEQRES":
		id := field(line, 12, 12)
		for _, name := range strings.Fields(columns(line, 20, 70)) {
			if p.parts++; p.parts > p.MaxResidues {
				return p.tooMany(n)
			}
			p.sequences[id] = append(p.sequences[id], part{name, n})
			p.named[[2]string{id, name}] = true
		}
	}
	return nil
}

// atom reads an ATOM or HETATM line.
func (p *pdbReader) atom(line string, n int, het bool) error {
	if err := p.count(n); err != nil {
		return err
	}
	if !p.collect {
		if p.model == 0 { // atoms after END or ENDMDL, and no MODEL line
			p.model = 2
		}
		return nil
	}
	p.last = field(line, 22, 22)
	r := record{chain: p.last, author: p.last, residue: field(line, 18, 20), het: het, alt: field(line, 17, 17)}
	r.Name, r.Line = field(line, 13, 16), n
	if r.residue == "" || r.Name == "" {
		return format.Invalidf(p.name, n, "atom without a name or residue")
	}
	_, amino := aminoAcids[r.residue]
	_, explained := aminoAcids[p.modified[r.residue]]
	_, nucleotide := nucleotides[r.residue]
	r.listed = p.named[[2]string{p.last, r.residue}]
	if het {
		r.other = !amino && !explained && !r.listed || p.ended[p.last]
	} else {
		r.other = nucleotide
	}
	if r.other {
		return p.add(r)
	}
	var ok bool
	text := field(line, 23, 26)
	if r.number, ok = number(text); !ok {
		return format.Invalidf(p.name, n, "number of the residue is %q", text)
	}
	if code := columns(line, 27, 27); code != "" && code != " " {
		r.code = code[0]
	}
	if len(line) < 54 { // even a number may be cut off
		return format.Invalidf(p.name, n, "line ends at column %d, before the coordinates do", len(line))
	}
	for i := range 3 {
		text := field(line, 31+8*i, 38+8*i)
		if r.Position[i], ok = coordinate(text); !ok {
			return format.Invalidf(p.name, n, "coordinate %c is %q", 'x'+i, text)
		}
	}
	r.Occupancy = 1
	if text := field(line, 55, 60); text != "" {
		if r.Occupancy, ok = decimal(text); !ok {
			return format.Invalidf(p.name, n, "occupancy is %q", text)
		}
	}
	if text := field(line, 61, 66); text != "" {
		if r.B, ok = decimal(text); !ok {
			return format.Invalidf(p.name, n, "temperature factor is %q", text)
		}
	}
	r.Element = element(field(line, 77, 78), columns(line, 13, 16))
	return p.add(r)
}

// element returns the element that columns 77 and 78 say, or else the name of the
// atom, whose first two characters are the element, set to the right.
func element(text, name string) string {
	text = strings.ToUpper(text)
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0 {
		return text
	}
	if len(name) == 4 && name[0] != ' ' {
		// A hydrogen with a long name begins a column earlier: "HG11", "1HG1".
		if i := strings.IndexAny(name, "HD"); i == 0 || i == 1 && name[0] >= '0' && name[0] <= '9' {
			return name[i : i+1]
		}
	}
	if name = strings.TrimLeft(name, " 0123456789'"); name != "" {
		if strings.HasPrefix(name, "SE") {
			return "SE"
		}
		return strings.ToUpper(name[:1])
	}
	return ""
}

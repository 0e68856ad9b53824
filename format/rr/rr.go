// Package rr reads and writes predicted contacts between residues in the RR
// format of CASP.
//
// Bytes flow in, usually from [heed/format.Open]; one [Prediction] flows out, and
// with [Write] back again. Three kinds of file are read:
//
//	PFRMAT RR            the format of CASP 8 to 13: i j d1 d2 p
//	PFRMAT RR            its older form, kept by EVA: CONTC i j A B d1 d2 p
//	16 40 0 8 29.6       a list without a header, as PSICOV and others write it
//
// Positions count from 1. A pair says that the C-beta atoms (C-alpha of glycine) of
// residues i and j are between d1 and d2 Å apart, with probability p; in a list
// without a header p is any score. The distances of CASP 14 (RMODE) and contacts
// between chains are not supported.
//
// Everything else is an error with file and line: a pair of which i is not less
// than j, a pair twice, a position beyond the sequence, a probability beyond 1, a
// file with a header and without END, which is cut off. CASP wants the pairs by
// falling probability; they are read in any order and written in that.
package rr

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"heed/format"
)

// A Prediction is the contacts of one protein.
type Prediction struct {
	Target   string   // such as "T0950"
	Author   string   // code of the group
	Methods  []string // lines of METHOD
	Remarks  []string // lines of REMARK
	Sequence []byte   // A to Z; nil if the file has none
	Contacts []Contact
	Header   bool // the file has a header: P are probabilities
}

// A Contact is one predicted pair.
type Contact struct {
	I, J     int     // 1-based, I < J
	Min, Max float64 // of the distance in Å: usually 0 and 8
	P        float64 // probability that the distance is between them, or a score
	Line     int     // 1-based; 0 if it was not read
}

// Limits of [Read].
const (
	MaxContacts = 16 << 20
	MaxResidues = 1 << 20
	maxLine     = 1 << 20
)

// pair is a contact without its numbers.
type pair struct{ i, j int }

// A parser holds what is known of the lines so far.
type parser struct {
	name  string
	p     Prediction
	seen  map[pair]int // line
	model bool         // MODEL has been read
	end   bool
	lines *format.LineReader
}

// Read reads a file of any of the kinds.
func Read(name string, r io.Reader) (*Prediction, error) {
	p := parser{name: name, seen: make(map[pair]int), lines: format.NewLineReader(name, r, maxLine)}
	for {
		text, err := p.lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if err := p.line(string(text)); err != nil {
			return nil, err
		}
	}
	switch {
	case p.p.Header && !p.end:
		return nil, format.Invalidf(name, 0, "no END; the file is cut off")
	case len(p.p.Contacts) == 0 && !p.p.Header:
		return nil, format.Invalidf(name, 0, "no contacts")
	}
	for _, c := range p.p.Contacts {
		if p.p.Sequence != nil && c.J > len(p.p.Sequence) {
			return nil, format.Invalidf(name, c.Line, "position %d of a sequence of %d", c.J, len(p.p.Sequence))
		}
	}
	return &p.p, nil
}

func (p *parser) invalid(reason string, args ...any) error {
	return format.Invalidf(p.name, p.lines.Number(), reason, args...)
}

// line reads one line that is not blank.
func (p *parser) line(text string) error {
	if p.end {
		return p.invalid("a line after END")
	}
	words := strings.Fields(text)
	rest := strings.TrimSpace(strings.TrimPrefix(text, words[0]))
	if words[0] != "PFRMAT" && !p.p.Header {
		if c := words[0][0]; c < '0' || c > '9' {
			return p.invalid("neither PFRMAT nor a list of contacts: begins with %q", short(words[0]))
		}
		return p.contact(words)
	}
	switch words[0] {
	case "PFRMAT":
		if p.p.Header || len(p.p.Contacts) > 0 {
			return p.invalid("PFRMAT is not the first line")
		}
		if rest != "RR" {
			return format.Unsupportedf(p.name, p.lines.Number(), "PFRMAT %s; this reads RR", short(rest))
		}
		p.p.Header = true
	case "TARGET":
		p.p.Target = rest
	case "AUTHOR":
		p.p.Author = rest
	case "METHOD":
		p.p.Methods = append(p.p.Methods, rest)
	case "REMARK":
		p.p.Remarks = append(p.p.Remarks, rest)
	case "RMODE":
		return format.Unsupportedf(p.name, p.lines.Number(), "RMODE %s, the distances of CASP 14; this reads contacts", short(rest))
	case "MODEL":
		if p.model {
			return format.Unsupportedf(p.name, p.lines.Number(), "a second model; split the file")
		}
		p.model = true
	case "SEQRES":
		return p.sequence(rest)
	case "CONTC":
		if len(words) != 8 {
			return p.invalid("CONTC has %d values, want i j A B d1 d2 p", len(words)-1)
		}
		if err := p.contact([]string{words[1], words[2], words[5], words[6], words[7]}); err != nil {
			return err
		}
		return p.letters(words[3], words[4])
	case "END":
		p.end = true
	default:
		if c := words[0][0]; c >= '0' && c <= '9' {
			return p.contact(words)
		}
		if len(words) > 1 {
			if len(words[0]) > 1 && words[0][1] >= '0' && words[0][1] <= '9' {
				return format.Unsupportedf(p.name, p.lines.Number(), "contact between chains: %s %s", short(words[0]), short(words[1]))
			}
			return p.invalid("unknown record %q", short(words[0]))
		}
		return p.sequence(text)
	}
	return nil
}

// sequence adds a line of the sequence.
func (p *parser) sequence(text string) error {
	if len(p.p.Contacts) > 0 {
		return p.invalid("sequence after the contacts")
	}
	for i := range len(text) {
		c := text[i]
		if 'a' <= c && c <= 'z' {
			c &^= 0x20
		}
		if c < 'A' || c > 'Z' {
			return p.invalid("%q in the sequence is not a letter", text[i])
		}
		if len(p.p.Sequence) == MaxResidues {
			return format.TooLargef(p.name, p.lines.Number(), "sequence has more than %d letters", MaxResidues)
		}
		p.p.Sequence = append(p.p.Sequence, c)
	}
	return nil
}

// contact reads i j d1 d2 p.
func (p *parser) contact(words []string) error {
	if len(words) != 5 {
		return p.invalid("contact has %d values, want i j d1 d2 p", len(words))
	}
	c := Contact{Line: p.lines.Number()}
	for k, at := range []*int{&c.I, &c.J} {
		n, err := strconv.Atoi(words[k])
		if err != nil || n < 1 || n > MaxResidues {
			return p.invalid("position %q", short(words[k]))
		}
		*at = n
	}
	for k, at := range []*float64{&c.Min, &c.Max, &c.P} {
		f, err := strconv.ParseFloat(words[2+k], 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return p.invalid("%q is not a number", short(words[2+k]))
		}
		*at = f
	}
	if err := c.check(p.p.Header); err != nil {
		return p.invalid("%w", err)
	}
	if line, found := p.seen[pair{c.I, c.J}]; found {
		return p.invalid("pair %d %d occurs in line %d before", c.I, c.J, line)
	}
	if len(p.p.Contacts) == MaxContacts {
		return format.TooLargef(p.name, c.Line, "more than %d contacts", MaxContacts)
	}
	p.seen[pair{c.I, c.J}] = c.Line
	p.p.Contacts = append(p.p.Contacts, c)
	return nil
}

// letters compares the letters of a CONTC line with the sequence.
func (p *parser) letters(a, b string) error {
	c := p.p.Contacts[len(p.p.Contacts)-1]
	for _, x := range []struct {
		at     int
		letter string
	}{{c.I, a}, {c.J, b}} {
		if x.at <= len(p.p.Sequence) && !strings.EqualFold(x.letter, string(rune(p.p.Sequence[x.at-1]))) {
			return p.invalid("residue %d is %s, but %c in the sequence", x.at, short(x.letter), p.p.Sequence[x.at-1])
		}
	}
	return nil
}

// check refuses a contact that the format cannot mean.
func (c *Contact) check(probability bool) error {
	switch {
	case c.I >= c.J || c.I < 1:
		return fmt.Errorf("pair %d %d: want i < j, from 1", c.I, c.J)
	case !(c.Min >= 0 && c.Min < c.Max) || math.IsInf(c.Max, 0):
		return fmt.Errorf("distances from %v to %v Å", c.Min, c.Max)
	case math.IsNaN(c.P) || math.IsInf(c.P, 0) || probability && !(c.P >= 0 && c.P <= 1):
		return fmt.Errorf("probability %v is not from 0 to 1", c.P)
	}
	return nil
}

// short cuts text to what a message can bear.
func short(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// Write writes a prediction in the format of CASP 13: the header, the sequence in
// lines of 50, the pairs by falling probability, those of one probability by their
// positions, with six decimals, and END. What could not be read back is refused: no
// target, a probability beyond 1, a pair twice or beyond the sequence.
func Write(w io.Writer, p *Prediction) error {
	contacts := slices.Clone(p.Contacts)
	slices.SortFunc(contacts, func(a, b Contact) int {
		return cmp.Or(cmp.Compare(b.P, a.P), cmp.Compare(a.I, b.I), cmp.Compare(a.J, b.J))
	})
	if p.Target == "" {
		return fmt.Errorf("rr: prediction has no target")
	}
	texts := append([]string{p.Target, p.Author}, append(p.Methods, p.Remarks...)...)
	for _, s := range texts {
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("rr: control character in %q", short(s))
		}
	}
	for _, c := range p.Sequence {
		if c < 'A' || c > 'Z' {
			return fmt.Errorf("rr: %q in the sequence is not an upper-case letter", c)
		}
	}
	seen := make(map[pair]bool, len(contacts))
	for i := range contacts {
		c := &contacts[i]
		if err := c.check(true); err != nil {
			return fmt.Errorf("rr: %w", err)
		}
		if p.Sequence != nil && c.J > len(p.Sequence) {
			return fmt.Errorf("rr: position %d of a sequence of %d", c.J, len(p.Sequence))
		}
		if seen[pair{c.I, c.J}] {
			return fmt.Errorf("rr: pair %d %d occurs twice", c.I, c.J)
		}
		seen[pair{c.I, c.J}] = true
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "PFRMAT RR\nTARGET %s\n", p.Target)
	line := func(kind, text string) { b.WriteString(strings.TrimRight(kind+" "+text, " ") + "\n") }
	if p.Author != "" {
		line("AUTHOR", p.Author)
	}
	for _, s := range p.Remarks {
		line("REMARK", s)
	}
	for _, s := range p.Methods {
		line("METHOD", s)
	}
	b.WriteString("MODEL 1\n")
	const width = 50
	for seq := p.Sequence; len(seq) > 0; {
		n := min(width, len(seq))
		if s := string(seq[:n]); n == len(seq) && isRecord(s) {
			// A last line such as "END" would be taken for a record.
			fmt.Fprintf(&b, "SEQRES %s\n", s)
		} else {
			fmt.Fprintf(&b, "%s\n", s)
		}
		seq = seq[n:]
	}
	for _, c := range contacts {
		fmt.Fprintf(&b, "%d %d %s %s %.6f\n", c.I, c.J, strconv.FormatFloat(c.Min, 'f', -1, 64), strconv.FormatFloat(c.Max, 'f', -1, 64), c.P)
	}
	b.WriteString("END\n")
	_, err := b.WriteTo(w)
	return err
}

func isRecord(s string) bool {
	return slices.Contains([]string{"END", "MODEL", "PFRMAT", "TARGET", "AUTHOR", "METHOD", "REMARK", "RMODE", "SEQRES", "CONTC"}, s)
}

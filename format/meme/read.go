package meme

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"heed/format"
)

// Read reads a whole file. An error has name and line. A file without motifs is
// no error.
func Read(name string, r io.Reader) (*File, error) {
	p := parser{name: name, ids: make(map[string]int)}
	p.file.Background = [4]float64{.25, .25, .25, .25}
	for line, err := range format.Lines(name, r) {
		if err != nil {
			return nil, err
		}
		p.line = line.Number
		if err := p.take(line.Text); err != nil {
			return nil, err
		}
	}
	if p.file.Version == "" {
		return nil, format.Invalidf(name, 0, "not MEME: no line begins with \"MEME version\"")
	}
	if p.background {
		return nil, format.Invalidf(name, p.line, "file ends within the background")
	}
	if err := p.endMotif(); err != nil {
		return nil, err
	}
	return &p.file, nil
}

// A parser goes from line to line.
type parser struct {
	name string
	line int
	file File
	ids  map[string]int // lines of motifs

	background bool // the frequencies are to come
	open       bool // a motif has begun; it is the last of file.Motifs
	logOdds    bool // and has a matrix of log-odds
	matrix     bool // rows of its matrix are to come
	began      int  // line of the matrix
	width      int  // rows that the matrix should have, -1 if nobody says
}

func (p *parser) take(text string) error {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' })
	switch {
	case p.file.Version == "":
		return p.version(text, words)
	case p.background:
		return p.frequencies(words)
	case p.matrix:
		if len(words) > 0 && (isNumber(words[0]) || len(p.motif().Probabilities) == 0) {
			return p.row(words)
		}
		if err := p.endMatrix(); err != nil {
			return err
		}
	}
	if len(words) == 0 {
		return nil
	}
	switch {
	case words[0] == "ALPHABET=" || words[0] == "ALPHABET":
		return p.alphabet(strings.TrimSpace(text[len(words[0]):]))
	case words[0] == "strands:":
		p.file.OneStrand = !strings.Contains(text, "-")
	case strings.HasPrefix(text, "Background letter frequencies"):
		p.background, p.file.Background = true, [4]float64{}
	case words[0] == "MOTIF":
		return p.beginMotif(words[1:])
	case strings.HasPrefix(text, "letter-probability matrix:"):
		return p.beginMatrix(words[2:])
	case strings.HasPrefix(text, "log-odds matrix:"):
		p.logOdds = true
	case words[0] == "URL" && p.open && len(words) > 1:
		if err := checkName(words[1]); err != nil {
			return p.invalid("URL: %w", err)
		}
		p.motif().URL = words[1]
	}
	return nil
}

func (p *parser) motif() *Motif { return &p.file.Motifs[len(p.file.Motifs)-1] }

func (p *parser) invalid(reason string, args ...any) error {
	return format.Invalidf(p.name, p.line, reason, args...)
}

// version passes over everything before the line that makes a file a MEME file.
func (p *parser) version(text string, words []string) error {
	if len(words) < 3 || words[0] != "MEME" || words[1] != "version" {
		if len(words) > 0 && (words[0] == "MOTIF" || strings.HasPrefix(text, "<")) {
			return p.invalid("not MEME: line %s before \"MEME version\"", show(text))
		}
		return nil
	}
	major, _, _ := strings.Cut(words[2], ".")
	if n, err := strconv.Atoi(major); err != nil || strings.Trim(words[2], "0123456789.") != "" {
		return p.invalid("version %s is not a number", show(words[2]))
	} else if n < 3 {
		return format.Unsupportedf(p.name, p.line, "MEME version %s; 3 and later are read", words[2])
	}
	p.file.Version = words[2]
	return nil
}

func (p *parser) alphabet(text string) error {
	// A definition of the usual letters has their name in quotes.
	if text == alphabet || strings.HasPrefix(text, `"DNA"`) || text == "DNA" {
		return nil
	}
	return format.Unsupportedf(p.name, p.line, "alphabet %s; only DNA, %s, is read", show(text), alphabet)
}

// frequencies reads pairs of a letter and a number, of which there are four.
func (p *parser) frequencies(words []string) error {
	if len(words) == 0 {
		return nil
	}
	if len(words) != 8 {
		return p.invalid("background has %d words, want A, C, G and T with their frequencies", len(words))
	}
	for i := range alphabet {
		if words[2*i] != alphabet[i:i+1] {
			return p.invalid("background: letter %s, want %q", show(words[2*i]), alphabet[i:i+1])
		}
		v, err := number("background", words[2*i+1])
		if err != nil {
			return p.invalid("%w", err)
		}
		p.file.Background[i] = v
	}
	if err := checkRow("background", p.file.Background); err != nil {
		return p.invalid("%w", err)
	}
	p.background = false
	return nil
}

func (p *parser) beginMotif(words []string) error {
	if err := p.endMotif(); err != nil {
		return err
	}
	m := Motif{Line: p.line, Sites: 20}
	for i, w := range words {
		if w == "width" {
			break
		}
		switch i {
		case 0:
			m.ID = w
		case 1:
			m.Name = w
		}
	}
	for i, s := range []string{m.ID, m.Name} {
		if err := checkName(s); err != nil && (i == 0 || s != "") {
			return p.invalid("%w", err)
		}
	}
	if before, twice := p.ids[m.ID]; twice {
		return p.invalid("motif %s occurred in line %d before", show(m.ID), before)
	}
	p.ids[m.ID] = p.line
	p.file.Motifs = append(p.file.Motifs, m)
	p.open, p.logOdds = true, false
	return nil
}

// endMotif checks that the motif before, if any, has what it needs.
func (p *parser) endMotif() error {
	if p.matrix {
		if err := p.endMatrix(); err != nil {
			return err
		}
	}
	if p.open && len(p.motif().Probabilities) == 0 {
		m := p.motif()
		if p.logOdds {
			return format.Unsupportedf(p.name, m.Line, "motif %s has log-odds only", show(m.ID))
		}
		return format.Invalidf(p.name, m.Line, "motif %s has no letter-probability matrix", show(m.ID))
	}
	p.open = false
	return nil
}

// beginMatrix reads "alength= 4 w= 19 nsites= 17 E= 4.1e-009", any of which may
// be missing. MEME writes other pairs as well.
func (p *parser) beginMatrix(words []string) error {
	if !p.open {
		return p.invalid("matrix without a motif")
	}
	m := p.motif()
	if len(m.Probabilities) > 0 {
		return p.invalid("motif %s has a second matrix", show(m.ID))
	}
	p.matrix, p.began, p.width = true, p.line, -1
	// "w=19" is as good as "w= 19".
	words = strings.Fields(strings.ReplaceAll(strings.Join(words, " "), "=", "= "))
	for i := 0; i+1 < len(words); i += 2 {
		key := words[i]
		if key != "alength=" && key != "w=" && key != "nsites=" && key != "E=" {
			continue
		}
		v, err := number(key, words[i+1])
		if err != nil {
			return p.invalid("%w", err)
		}
		switch key {
		case "alength=":
			if v != float64(len(alphabet)) {
				return p.invalid("matrix of %v letters, want %d", v, len(alphabet))
			}
		case "w=":
			if v < 1 || v != float64(int32(v)) {
				return p.invalid("matrix of width %s", show(words[i+1]))
			}
			p.width = int(v)
		case "nsites=":
			m.Sites = v
		case "E=":
			m.E = v
		}
	}
	return nil
}

func (p *parser) row(words []string) error {
	m := p.motif()
	if len(words) != len(alphabet) {
		return p.invalid("row of the matrix has %d numbers, want %d", len(words), len(alphabet))
	}
	var row [4]float64
	for i, w := range words {
		var err error
		if row[i], err = number("row of the matrix", w); err != nil {
			return p.invalid("%w", err)
		}
	}
	if err := checkRow("row of the matrix", row); err != nil {
		return p.invalid("%w", err)
	}
	if p.width >= 0 && len(m.Probabilities) == p.width {
		return p.invalid("matrix has more rows than its width, %d", p.width)
	}
	m.Probabilities = append(m.Probabilities, row)
	return nil
}

func (p *parser) endMatrix() error {
	p.matrix = false
	n := len(p.motif().Probabilities)
	if n == 0 || p.width >= 0 && n != p.width {
		want := "want one or more"
		if p.width >= 0 {
			want = fmt.Sprintf("want %d", p.width)
		}
		return format.Invalidf(p.name, p.began, "matrix of motif %s has %d rows, %s", show(p.motif().ID), n, want)
	}
	return nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// number reads a finite number that is not negative.
func number(what, s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0) || v > 1e308 {
		return 0, fmt.Errorf("%s: %s is not a number of 0 or more", what, show(s))
	}
	return v, nil
}

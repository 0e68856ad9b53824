package msa

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"heed/format"
)

// A parser reads the alignments of one file.
type parser struct {
	Reader
	name  string
	lines *format.LineReader
	rest  []byte // a line read ahead, or nil
}

// line returns the next line that is not blank, without blanks around it. A NUL
// before it, with which MMseqs2 ends an entry of its databases, is reported once.
// The line is valid until the next call.
func (p *parser) line() (text []byte, nul bool, err error) {
	for {
		text := p.rest
		p.rest = nil
		if text == nil {
			if text, err = p.lines.Next(); err != nil {
				return nil, nul, err
			}
		}
		for len(text) > 0 && text[0] == 0 {
			text, nul = text[1:], true
		}
		if text = bytes.Trim(text, blanks); len(text) > 0 {
			return text, nul, nil
		}
	}
}

// next returns the next alignment, or io.EOF.
func (p *parser) next() (*Alignment, error) {
	text, _, err := p.line()
	if err != nil {
		return nil, err
	}
	start := p.lines.Number()
	if bytes.HasPrefix(text, []byte("# STOCKHOLM")) {
		if v := bytes.TrimSpace(text[len("# STOCKHOLM"):]); !bytes.HasPrefix(v, []byte("1.")) {
			return nil, format.Unsupportedf(p.name, start, "Stockholm format %q; this reads 1.0", short(string(v)))
		}
		return p.stockholm()
	}
	a := &Alignment{}
	for text[0] == '#' { // the line of ColabFold, or a comment
		if chains, ok := colabFold(string(text)); ok && a.Chains == nil {
			a.Chains = chains
		}
		if text, _, err = p.line(); err == io.EOF {
			return nil, format.Invalidf(p.name, start, "no rows after the comment")
		} else if err != nil {
			return nil, err
		}
	}
	switch {
	case text[0] == '>':
		err = p.fasta(a, text)
	case bytes.HasPrefix(text, []byte("CLUSTAL")), bytes.HasPrefix(text, []byte("HMMER3/")), bytes.HasPrefix(text, []byte("HHsearch")):
		word, _ := cutWord(string(text))
		err = format.Unsupportedf(p.name, p.lines.Number(), "%s file; convert it to A3M, FASTA or Stockholm", short(word))
	default:
		err = p.plain(a, text)
	}
	if err != nil {
		return nil, err
	}
	if err := checkChains(p.name, start, a); err != nil {
		return nil, err
	}
	return a, nil
}

// colabFold reads "#61,59<tab>2,1": the lengths and the copies of the chains.
func colabFold(line string) ([]Chain, bool) {
	lengths, copies, found := strings.Cut(strings.TrimPrefix(line, "#"), "\t")
	if !found {
		return nil, false
	}
	l, c := strings.Split(lengths, ","), strings.Split(copies, ",")
	if len(l) != len(c) {
		return nil, false
	}
	chains := make([]Chain, len(l))
	for i := range l {
		var err1, err2 error
		chains[i].Length, err1 = strconv.Atoi(strings.Trim(l[i], blanks))
		chains[i].Copies, err2 = strconv.Atoi(strings.Trim(c[i], blanks))
		if err1 != nil || err2 != nil || chains[i].Length < 1 || chains[i].Copies < 1 {
			return nil, false
		}
	}
	return chains, true
}

func checkChains(name string, line int, a *Alignment) error {
	if a.Chains == nil {
		return nil
	}
	sum := 0
	for _, c := range a.Chains {
		if sum += c.Length; sum > a.Columns {
			break // before it overflows
		}
	}
	if sum != a.Columns {
		return format.Invalidf(name, line, "chains are longer or shorter than the rows, which have %s", plural(a.Columns, "column"))
	}
	return nil
}

// fasta reads the rows of A3M, A2M or aligned FASTA; header is the first. Which of
// the three it is, only the last row tells, therefore rows are kept as they are
// in the file until then.
func (p *parser) fasta(a *Alignment, header []byte) error {
	letters, count := 0, 0
	for header != nil {
		count++
		name, description := cutWord(string(header[1:]))
		if name == "" {
			name = "seq" + strconv.Itoa(count)
		}
		row := Row{Name: name, Description: description, Line: p.lines.Number()}
		if err := p.checkHeader(row, header); err != nil {
			return err
		}
		skip := noSequence(row.Name)
		header = nil
		var seq []byte
		if n := len(a.Rows); n > 0 {
			seq = make([]byte, 0, len(a.Rows[n-1].Seq))
		}
		for {
			text, nul, err := p.line()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			if nul {
				p.rest = text
				break
			}
			if text[0] == '>' {
				header = text
				break
			}
			if text[0] == '#' || skip {
				continue
			}
			if len(text) > p.MaxRow-len(seq) {
				return format.TooLargef(p.name, row.Line, "row %q has more than %d letters", short(row.Name), p.MaxRow)
			}
			if err := p.check(len(a.Rows), letters, len(seq)+len(text), row.Line); err != nil {
				return err
			}
			if seq, err = p.append(seq, text, row.Name); err != nil {
				return err
			}
		}
		if skip {
			a.Skipped = append(a.Skipped, row.Name)
			continue
		}
		if len(seq) == 0 {
			return format.Invalidf(p.name, row.Line, "row %q is empty", short(row.Name))
		}
		letters += len(seq)
		row.Seq = seq
		a.Rows = append(a.Rows, row)
	}
	if len(a.Rows) == 0 {
		return format.Invalidf(p.name, 0, "no sequences, only %s", strings.Join(a.Skipped[:min(5, len(a.Skipped))], ", "))
	}
	return p.columns(a)
}

// append adds the letters and gaps of text to seq, without blanks.
func (p *parser) append(seq, text []byte, row string) ([]byte, error) {
	for _, c := range text {
		switch {
		case isLetter(c):
			seq = append(seq, c)
		case c == ' ' || c == '\t':
		default:
			return nil, format.Invalidf(p.name, p.lines.Number(), "row %q: %s is neither a letter nor a gap", short(row), quote(c))
		}
	}
	return seq, nil
}

// isLetter reports whether c may stand in a row.
func isLetter(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '-' || c == '.' || c == '*'
}

func (p *parser) checkHeader(row Row, header []byte) error {
	for _, c := range header {
		if c < ' ' && c != '\t' && c != 1 {
			return format.Invalidf(p.name, row.Line, "control character %s in the header", quote(c))
		}
	}
	return nil
}

// noSequence reports whether HH-suite takes the row for an annotation.
func noSequence(name string) bool {
	for _, prefix := range []string{"ss_pred", "ss_conf", "ss_dssp", "sa_dssp", "sa_pred"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "Consensus" || strings.HasSuffix(name, "_consensus")
}

// plain reads one row per line, with a name before it if the first line has one.
func (p *parser) plain(a *Alignment, text []byte) error {
	first, letters := p.lines.Number(), 0
	// Whatever is nothing else comes here; its first line tells.
	switch words := bytes.Fields(text); len(words) {
	case 1:
		a.Format = Lines
	case 2:
		a.Format = Named
	default:
		return format.Invalidf(p.name, first, "not an alignment: %d words, want a row or a name and a row", len(words))
	}
	for _, c := range text[bytes.LastIndexAny(text, blanks)+1:] {
		if !isLetter(c) {
			return format.Invalidf(p.name, first, "not an alignment: %s is neither a letter nor a gap", quote(c))
		}
	}
	for {
		row := Row{Name: "seq" + strconv.Itoa(len(a.Rows)+1), Line: p.lines.Number()}
		seq := text
		if a.Format == Named {
			words := bytes.Fields(text)
			if len(words) != 2 {
				return format.Invalidf(p.name, row.Line, "%s, want a name and a row as in line %d", plural(len(words), "word"), first)
			}
			row.Name, seq = string(words[0]), words[1]
			if err := p.checkHeader(row, words[0]); err != nil {
				return err
			}
		}
		if bytes.ContainsAny(seq, blanks) {
			return format.Invalidf(p.name, row.Line, "blank within the row")
		}
		if len(seq) > p.MaxRow {
			return format.TooLargef(p.name, row.Line, "row %q has more than %d letters", short(row.Name), p.MaxRow)
		}
		if err := p.check(len(a.Rows), letters, len(seq), row.Line); err != nil {
			return err
		}
		var err error
		if row.Seq, err = p.append(make([]byte, 0, len(seq)), seq, row.Name); err != nil {
			return err
		}
		letters += len(seq)
		a.Rows = append(a.Rows, row)
		if n, want := len(row.Seq), len(a.Rows[0].Seq); n != want {
			return p.ragged(a, row, n, want)
		}
		var nul bool
		if text, nul, err = p.line(); err == io.EOF {
			break
		} else if err != nil {
			return err
		} else if nul {
			p.rest = text
			break
		}
	}
	p.keepAll(a)
	return nil
}

func (p *parser) ragged(a *Alignment, row Row, n, want int) error {
	return format.Invalidf(p.name, row.Line, "row %q has %s, but the first row, %q in line %d, has %d",
		short(row.Name), plural(n, "column"), short(a.Rows[0].Name), a.Rows[0].Line, want)
}

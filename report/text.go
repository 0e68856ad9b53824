package report

import "html/template"

// Text is one or more paragraphs, separated by blank lines. It is plain: markup
// is shown, not obeyed.
type Text string

func (t Text) render(p *page) (template.HTML, error) { return p.execute("text", paragraphs(string(t))) }

// Tile is a number that the reader should see first.
type Tile struct {
	Value string // "4 of 106"
	Label string // "errors in leave-one-out"
	Note  string // "95 % interval 1.5 to 9.3 %"; may be empty
}

// Tiles is a row of headline numbers.
type Tiles []Tile

func (t Tiles) render(p *page) (template.HTML, error) {
	out := make([]Tile, len(t))
	for i, x := range t {
		out[i] = Tile{tight(x.Value), tight(x.Label), tight(x.Note)}
	}
	return p.execute("tiles", out)
}

// Fact is one line of a Provenance.
type Fact struct {
	Key, Value string
}

// Provenance lists where the numbers come from: version, seed, data hash,
// kernel, command.
type Provenance []Fact

func (f Provenance) render(p *page) (template.HTML, error) {
	return p.execute("provenance", []Fact(f))
}

// Notice is a box that the reader must not miss.
type Notice struct {
	Title   string // "Caution" or "Note" when empty, by Warning
	Text    string
	Warning bool
}

func (n Notice) render(p *page) (template.HTML, error) {
	if n.Title == "" {
		n.Title = "Note"
		if n.Warning {
			n.Title = "Caution"
		}
	}
	return p.execute("notice", struct {
		Notice
		Paragraphs []string
	}{n, paragraphs(n.Text)})
}

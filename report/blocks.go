package report

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"strings"
)

// Text is one or more paragraphs, separated by blank lines. It is plain: markup
// is shown, not obeyed.
type Text string

func (t Text) render() (template.HTML, error) { return execute("text", paragraphs(string(t))) }

// Tile is a number that the reader should see first.
type Tile struct {
	Value string // "4 of 106"
	Label string // "errors in leave-one-out"
	Note  string // "95 % interval 1.5 to 9.3 %"; may be empty
}

// Tiles is a row of headline numbers.
type Tiles []Tile

func (t Tiles) render() (template.HTML, error) { return execute("tiles", []Tile(t)) }

// Column is the heading of a table column.
type Column struct {
	Name    string
	Numeric bool // aligned to the right
}

// TableRow is one row: as many cells as the table has columns; the first names
// the row.
type TableRow struct {
	Cells     []string
	Highlight bool // the row that the table is about
}

// Table is a table with an optional caption and footnotes.
type Table struct {
	Caption string
	Columns []Column
	Rows    []TableRow
	Notes   []string
}

func (t Table) render() (template.HTML, error) {
	if len(t.Columns) == 0 {
		return "", errors.New("a table without columns")
	}
	for i, r := range t.Rows {
		if len(r.Cells) != len(t.Columns) {
			return "", fmt.Errorf("row %d of table %q has %d cells for %d columns", i, t.Caption, len(r.Cells), len(t.Columns))
		}
	}
	return execute("table", t)
}

// Figure is a drawing with its caption. The reader can save the drawing, and
// the numbers behind it when Data is set.
type Figure struct {
	Name    string // stem of the file when saved: letters, digits, '-', '_', '.'
	Alt     string // says in words what the figure shows
	Caption string
	SVG     []byte // drawing, as package plot makes it; or
	PNG     []byte // matrix of pixels, shown without smoothing
	Data    []byte // the numbers as TSV, UTF-8; may be nil
}

// figureView is what the template needs.
type figureView struct {
	Figure
	Inline           template.HTML
	Image, SVGFile   template.URL
	PNGFile, DataURL template.URL
}

func (f Figure) view() (figureView, error) {
	v := figureView{Figure: f}
	if f.Name == "" || strings.Trim(f.Name, fileNameLetters) != "" {
		return v, fmt.Errorf("figure name %q is not made of letters, digits, '-', '_' and '.'", f.Name)
	}
	if f.Alt == "" {
		return v, fmt.Errorf("figure %q has no text for those who cannot see it", f.Name)
	}
	switch {
	case f.SVG != nil && f.PNG != nil:
		return v, fmt.Errorf("figure %q is both SVG and PNG", f.Name)
	case f.SVG != nil:
		if err := checkSVG(f.SVG); err != nil {
			return v, fmt.Errorf("figure %q: %w", f.Name, err)
		}
		v.Inline = template.HTML(f.SVG)
		v.SVGFile = dataURL("image/svg+xml", f.SVG)
	case f.PNG != nil:
		v.Image = dataURL("image/png", f.PNG)
	default:
		return v, fmt.Errorf("figure %q has no drawing", f.Name)
	}
	if f.Data != nil {
		v.DataURL = dataURL("text/tab-separated-values", f.Data)
	}
	return v, nil
}

const fileNameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

func dataURL(kind string, b []byte) template.URL {
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(b))
}

func (f Figure) render() (template.HTML, error) {
	v, err := f.view()
	if err != nil {
		return "", err
	}
	return execute("figure", v)
}

// Row shows figures side by side where the page is wide enough, for those with
// a square panel.
type Row []Figure

func (r Row) render() (template.HTML, error) {
	views := make([]figureView, len(r))
	for i, f := range r {
		v, err := f.view()
		if err != nil {
			return "", err
		}
		views[i] = v
	}
	return execute("row", views)
}

// Option is one entry of a Choice.
type Option struct {
	Name   string
	Figure Figure
}

// Choice shows one of several figures, such as the logos of chosen sequences,
// selected by the reader. Without scripts, and on paper, all are shown.
type Choice struct {
	Label   string // of the selector, such as "Sequence"
	Options []Option
}

func (c Choice) render() (template.HTML, error) {
	if len(c.Options) == 0 {
		return "", fmt.Errorf("choice %q has no options", c.Label)
	}
	type option struct {
		Name   string
		Figure figureView
	}
	view := struct {
		Label   string
		Options []option
	}{Label: c.Label}
	for _, o := range c.Options {
		v, err := o.Figure.view()
		if err != nil {
			return "", err
		}
		view.Options = append(view.Options, option{o.Name, v})
	}
	return execute("choice", view)
}

// Fact is one line of a Provenance.
type Fact struct {
	Key, Value string
}

// Provenance lists where the numbers come from: version, seed, data hash,
// kernel, command.
type Provenance []Fact

func (p Provenance) render() (template.HTML, error) { return execute("provenance", []Fact(p)) }

// Notice is a box that the reader must not miss.
type Notice struct {
	Title   string // "Caution" or "Note" when empty, by Warning
	Text    string
	Warning bool
}

func (n Notice) render() (template.HTML, error) {
	if n.Title == "" {
		n.Title = "Note"
		if n.Warning {
			n.Title = "Caution"
		}
	}
	return execute("notice", struct {
		Notice
		Paragraphs []string
	}{n, paragraphs(n.Text)})
}

package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
)

// Figure is a drawing with its caption. The reader can save the drawing, and
// the numbers behind it when Data is set.
type Figure struct {
	Name    string // stem of the file when saved: letters, digits, '-', '_', '.'
	Alt     string // says in words what the figure shows
	Caption string
	SVG     []byte // drawing, as package plot makes it; or
	PNG     []byte // matrix of pixels, shown without smoothing
	Data    []byte // the numbers as TSV with a heading, UTF-8; may be nil
}

// figureView is what the template needs.
type figureView struct {
	Figure
	Inline  template.HTML
	Image   template.URL
	TSV     string // id of the packed numbers
	Numbers *numbers
}

func (f Figure) view(p *page) (figureView, error) {
	v := figureView{Figure: f}
	if err := named("figure", f.Name, f.Alt); err != nil {
		return v, err
	}
	switch {
	case f.SVG != nil && f.PNG != nil:
		return v, fmt.Errorf("figure %q is both SVG and PNG", f.Name)
	case f.SVG != nil:
		if err := checkSVG(f.SVG); err != nil {
			return v, fmt.Errorf("figure %q: %w", f.Name, err)
		}
		v.Inline = template.HTML(f.SVG)
	case f.PNG != nil:
		v.Image = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(f.PNG))
	default:
		return v, fmt.Errorf("figure %q has no drawing", f.Name)
	}
	if f.Data != nil {
		v.TSV = p.keep(f.Data)
		v.Numbers = firstRows(f.Data)
	}
	return v, nil
}

// shownRows is how many rows of a file of numbers stand on the page itself.
const shownRows = 60

// firstRows reads the start of a TSV file with a heading.
func firstRows(tsv []byte) *numbers {
	n := &numbers{}
	rows := 0
	for line := range bytes.Lines(tsv) {
		cells := strings.Split(strings.TrimRight(string(line), "\r\n"), "\t")
		switch {
		case n.Heads == nil:
			n.Heads = cells
			continue
		case rows < shownRows:
			n.Rows = append(n.Rows, cells)
		}
		rows++
	}
	if rows > shownRows {
		n.Note = fmt.Sprintf("The first %d of %d rows; all of them are in the file that can be saved.", shownRows, rows)
	}
	return n
}

func (f Figure) render(p *page) (template.HTML, error) {
	v, err := f.view(p)
	if err != nil {
		return "", err
	}
	return p.execute("figure", v)
}

// Row shows figures side by side where the page is wide enough, for those with
// a square panel.
type Row []Figure

func (r Row) render(p *page) (template.HTML, error) {
	views := make([]figureView, len(r))
	for i, f := range r {
		v, err := f.view(p)
		if err != nil {
			return "", err
		}
		views[i] = v
	}
	return p.execute("row", views)
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

func (c Choice) render(p *page) (template.HTML, error) {
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
		v, err := o.Figure.view(p)
		if err != nil {
			return "", err
		}
		view.Options = append(view.Options, option{o.Name, v})
	}
	return p.execute("choice", view)
}

package report

import (
	"fmt"
	"html/template"
)

// Example is one page inside the page: all there is to say about one sequence,
// patient or scan. It has an address of its own, the file's name followed by
// #example-NAME, where letters that an address cannot hold become '-'.
type Example struct {
	Name   string
	Title  string // heading; Name if empty
	Blocks []Block
}

// Examples shows the blocks of one example at a time. The reader chooses it by
// name, by buttons, or by the keys n (next) and p (previous). Without scripts,
// and on paper, all are shown.
type Examples struct {
	Label string // of the selector, such as "Sequence"
	Pages []Example
}

func (e Examples) render(p *page) (template.HTML, error) {
	if len(e.Pages) == 0 {
		return "", fmt.Errorf("examples %q: there are none", e.Label)
	}
	type example struct {
		ID, Name, Title string
		Blocks          []template.HTML
	}
	view := struct {
		Label string
		Pages []example
	}{Label: e.Label}
	for i, x := range e.Pages {
		if x.Name == "" {
			return "", fmt.Errorf("examples %q: example %d has no name", e.Label, i)
		}
		out := example{ID: p.anchor("example-", x.Name), Name: x.Name, Title: x.Title}
		if out.Title == "" {
			out.Title = x.Name
		}
		var err error
		if out.Blocks, err = p.renderAll(x.Blocks); err != nil {
			return "", fmt.Errorf("example %q: %w", x.Name, err)
		}
		view.Pages = append(view.Pages, out)
	}
	return p.execute("examples", view)
}

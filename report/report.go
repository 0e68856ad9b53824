// Package report builds one HTML file that explains a run and needs nothing
// else: it opens from a disk, without a network, years later.
//
// In flows a Report: a title, a lead and sections of blocks, filled by an
// application with plain strings, numbers and the SVG of package plot. Out flow
// the bytes of the page; writing the file is the caller's.
//
//	Text, Notice, Tiles, Provenance     words and headline numbers
//	Table, Matrix, Verdicts             numbers in rows
//	Figure, Row, Choice                 drawings
//	Curves, Tracks                      lines and bars to zoom into
//	HeatmapSet                          attention of all layers and heads
//	Volume                              a scan in three planes with maps over it
//	Timeline                            one patient's events and what an alert rests on
//	Examples                            blocks of one example at a time
//
// The page carries a content security policy that forbids every request and
// every script and style but its own, which it names by hash. Text is escaped,
// figures are checked to contain drawing and nothing else. Every graphic has a
// text for those who cannot see it and a table of numbers; without scripts,
// text, tables and drawings remain. The same Report gives the same bytes.
package report

import (
	"fmt"
	"html/template"
	"io"
	"strings"

	"heed/format"
)

//go:generate sh -c "cd _web && go run ."

// AttentionCaveat is printed below every attention map.
const AttentionCaveat = "Attention shows where information could flow. It is not evidence of cause."

// Sizes of a page, in bytes.
const (
	// DefaultBudget is what a page keeps to where it can: attention maps at full
	// resolution that nobody has marked are left out beyond it. A page that is
	// larger all the same says so at its top.
	DefaultBudget = 5 << 20
	// MaxBytes is the size above which a page is refused.
	MaxBytes = 20 << 20
)

// Report is the content of a page.
type Report struct {
	Title    string
	Lead     string // what was done and what came out, in two or three sentences
	Sections []Section
	Footer   string // one line, such as the version that wrote the page
	Budget   int    // in bytes; DefaultBudget if 0
}

// Section is a heading with what stands below it.
type Section struct {
	Title  string
	Blocks []Block
}

// Block is one of the types of this package that fill a section.
type Block interface {
	// render returns the block as trusted markup; p takes its data.
	render(p *page) (template.HTML, error)
}

// HTML returns the page. It fails when a block cannot be shown (a table whose
// rows differ in length, a figure that is more than a drawing, attention that is
// not a number) and, with an error that is [format.ErrTooLarge], when the page
// passes MaxBytes.
func (r *Report) HTML() ([]byte, error) {
	if r.Budget < 0 || r.Budget > MaxBytes {
		return nil, fmt.Errorf("report: budget of %d bytes, not 1 to %d", r.Budget, MaxBytes)
	}
	p, err := newPage(r.Budget)
	if err != nil {
		return nil, err
	}
	type section struct {
		ID, Title string
		Blocks    []template.HTML
	}
	view := struct {
		Title, Footer string
		Lead          []string
		Contents      bool
		Sections      []section
		Large         string
		Parts         parts
	}{Title: r.Title, Lead: paragraphs(r.Lead), Footer: r.Footer, Contents: len(r.Sections) > 3}
	size := 0
	for i, s := range r.Sections {
		out := section{ID: fmt.Sprintf("section-%d", i+1), Title: s.Title}
		if out.Blocks, err = p.renderAll(s.Blocks); err != nil {
			return nil, fmt.Errorf("report: section %q: %w", s.Title, err)
		}
		for _, b := range out.Blocks {
			size += len(b)
		}
		view.Sections = append(view.Sections, out)
	}
	view.Parts, size = p.finish(size)
	if size > DefaultBudget {
		view.Large = megabytes(size)
	}
	if size > MaxBytes {
		return nil, tooLarge(size)
	}
	h, err := p.execute("page", view)
	if err == nil && len(h) > MaxBytes {
		err = tooLarge(len(h))
	}
	if err != nil {
		return nil, err
	}
	return []byte(h), nil
}

func tooLarge(size int) error {
	return fmt.Errorf("report: %w: the page would hold %s, the limit is %s", format.ErrTooLarge, megabytes(size), megabytes(MaxBytes))
}

func megabytes(n int) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

// WriteTo writes the page and returns its size in bytes. It writes nothing when
// HTML fails.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	b, err := r.HTML()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return int64(n), err
}

// paragraphs splits a text at blank lines.
func paragraphs(s string) []string {
	var out []string
	for p := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, tight(p))
		}
	}
	return out
}

// tight keeps a number and its percent sign on one line.
func tight(s string) string { return strings.ReplaceAll(s, " %", "\u00a0%") }

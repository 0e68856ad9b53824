// Package report builds one HTML file that explains a run and needs nothing
// else: it opens from a disk, without a network, years later.
//
// In flows a Report: a title, a lead and sections of blocks (Text, Tiles,
// Table, Figure, Row, Choice, HeatmapSet, Provenance, Notice), filled by an
// application with plain strings, numbers and the SVG of package plot. Out
// flow the bytes of the page; writing the file is the caller's.
//
// The page carries a content security policy that forbids every request and
// every script and style but its own two, which it names by hash. Text is
// escaped, figures are checked to contain drawing and nothing else. The same
// Report gives the same bytes.
package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
)

// AttentionCaveat is printed below every attention map.
const AttentionCaveat = "Attention shows where information could flow. It is not evidence of cause."

// Report is the content of a page.
type Report struct {
	Title    string
	Lead     string // what was done and what came out, in two or three sentences
	Sections []Section
	Footer   string // one line, such as the version that wrote the page
}

// Section is a heading with what stands below it.
type Section struct {
	Title  string
	Blocks []Block
}

// Block is one of the types of this package that fill a section.
type Block interface {
	// render returns the block as trusted markup.
	render() (template.HTML, error)
}

//go:embed report.css
var styleSheet string

//go:embed report.js
var script string

//go:embed report.tmpl
var templates string

// HTML returns the page. It fails when a block cannot be shown: a table whose
// rows differ in length, a figure that is more than a drawing, attention that
// is not a number.
func (r *Report) HTML() ([]byte, error) {
	type section struct {
		ID, Title string
		Blocks    []template.HTML
	}
	page := struct {
		Title, Policy, Footer string
		Lead                  []string
		Style, Script         template.HTML
		Contents              bool
		Sections              []section
	}{
		Title: r.Title, Lead: paragraphs(r.Lead), Footer: r.Footer,
		Policy: policy(script, styleSheet),
		// Whole elements, so that the template cannot change a byte between
		// the tags and with it the hash.
		Style:    template.HTML("<style>" + styleSheet + "</style>"),
		Script:   template.HTML("<script>" + script + "</script>"),
		Contents: len(r.Sections) > 3,
	}
	for i, s := range r.Sections {
		out := section{ID: fmt.Sprintf("section-%d", i+1), Title: s.Title}
		for k, b := range s.Blocks {
			if b == nil {
				return nil, fmt.Errorf("report: section %q: block %d is nil", s.Title, k)
			}
			h, err := b.render()
			if err != nil {
				return nil, fmt.Errorf("report: section %q: %w", s.Title, err)
			}
			out.Blocks = append(out.Blocks, h)
		}
		page.Sections = append(page.Sections, out)
	}
	h, err := execute("page", page)
	return []byte(h), err
}

// WriteTo writes the page.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	b, err := r.HTML()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return int64(n), err
}

// policy allows the inline script and style with these texts, images in data
// URLs, and nothing else.
func policy(script, style string) string {
	hash := func(s string) string {
		h := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'"
	}
	return "default-src 'none'; script-src " + hash(script) + "; style-src " + hash(style) +
		"; img-src data:; base-uri 'none'; form-action 'none'"
}

// execute runs one of the named templates of report.tmpl.
func execute(name string, data any) (template.HTML, error) {
	// Parsing takes well under a millisecond and spares a global.
	t, err := template.New("report").Parse(templates)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil
}

// paragraphs splits a text at blank lines. A number and its percent sign stay on
// one line.
func paragraphs(s string) []string {
	lines := strings.NewReplacer("\r\n", "\n", " %", "\u00a0%")
	var out []string
	for p := range strings.SplitSeq(lines.Replace(s), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

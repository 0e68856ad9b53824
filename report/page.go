package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"strings"

	"github.com/klauspost/compress/gzip"

	"heed/plot"
)

//go:embed report.tmpl
var templates string

// What go generate has bundled from web; see _web.
var (
	//go:embed assets/report.css
	styleSheet string
	//go:embed assets/report.js
	script string
	//go:embed assets/uplot.css
	uplotStyle string
	//go:embed assets/uplot.js
	uplotScript string
	//go:embed assets/3dmol.js
	molScript string
)

// A page is what the blocks of one report share while they are rendered.
type page struct {
	templates *template.Template
	budget    int
	data      []datum
	offered   int             // bytes of optional data
	anchors   map[string]bool // ids given away
	uplot     bool            // some block needs the library
	mol       bool            // some block needs 3Dmol
	colors    bool            // some block needs the colour maps
}

// A datum is one packed piece of data, base64 of gzip.
type datum struct {
	id, text string
	optional bool
}

func newPage(budget int) (*page, error) {
	if budget == 0 {
		budget = DefaultBudget
	}
	// Parsing takes about a millisecond and spares a global.
	t, err := template.New("report").Parse(templates)
	return &page{templates: t, budget: budget, anchors: map[string]bool{}}, err
}

// execute runs one of the named templates of report.tmpl.
func (p *page) execute(name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil
}

// renderAll renders the blocks of a section or an example.
func (p *page) renderAll(blocks []Block) ([]template.HTML, error) {
	var out []template.HTML
	for k, b := range blocks {
		if b == nil {
			return nil, fmt.Errorf("block %d is nil", k)
		}
		h, err := b.render(p)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, nil
}

// keep packs data that the page must hold and returns the id by which the script
// finds it.
func (p *page) keep(b []byte) string {
	id := fmt.Sprintf("data-%d", len(p.data)+1)
	p.data = append(p.data, datum{id, pack(b), false})
	return id
}

// offer is keep for data that is left out where the budget is spent.
func (p *page) offer(b []byte) string {
	id := fmt.Sprintf("data-%d", len(p.data)+1)
	d := datum{id: id, optional: true}
	// More than the budget can never be admitted, and need not be packed.
	if p.offered <= p.budget {
		d.text = pack(b)
		p.offered += len(d.text)
	}
	p.data = append(p.data, d)
	return id
}

// keepJSON is keep for what the script reads as JSON.
func (p *page) keepJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return p.keep(b), nil
}

// pack returns base64 of gzip. The module's version fixes the bytes, so they do
// not change with the release of Go.
func pack(b []byte) string {
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is valid
	}
	w.Write(b) // a buffer does not fail
	w.Close()
	return base64.StdEncoding.EncodeToString(z.Bytes())
}

// parts are the trusted elements around the blocks. They are whole elements, so
// that the template cannot change a byte between the tags and with it the hash.
type parts struct {
	Policy                string
	Styles, Data, Scripts []template.HTML
	Colors                map[string]string // name to 256 colours, RRGGBB each
}

// finish decides what optional data fits beside size bytes of blocks. It returns
// the rest of the page and the size of all.
func (p *page) finish(size int) (parts, int) {
	var out parts
	scripts, styles := []string{script}, []string{styleSheet}
	if p.uplot {
		scripts, styles = []string{uplotScript, script}, []string{uplotStyle, styleSheet}
	}
	if p.mol {
		scripts = append([]string{molScript}, scripts...)
	}
	for _, s := range scripts {
		out.Scripts = append(out.Scripts, template.HTML("<script>"+s+"</script>"))
		size += len(s)
	}
	for _, s := range styles {
		out.Styles = append(out.Styles, template.HTML("<style>"+s+"</style>"))
		size += len(s)
	}
	out.Policy = policy(scripts, styles)
	if p.colors {
		out.Colors = map[string]string{"viridis": hexColors(plot.Viridis()), "cividis": hexColors(plot.Cividis()), "diverging": hexColors(plot.Diverging())}
		size += 3 * 6 * 256
	}
	const around = 64 // the tags of one piece of data
	for _, d := range p.data {
		if !d.optional {
			size += len(d.text) + around
		}
	}
	for _, d := range p.data {
		if d.optional {
			if d.text == "" || size+len(d.text)+around > p.budget {
				continue
			}
			size += len(d.text) + around
		}
		out.Data = append(out.Data, template.HTML(`<script type="text/plain" id="`+d.id+`">`+d.text+"</script>\n"))
	}
	return out, size + 4096 // title, lead, contents and footer
}

// policy allows the inline scripts and styles with these texts, images in data
// and blob URLs, and nothing else.
func policy(scripts, styles []string) string {
	hashes := func(texts []string) string {
		var out strings.Builder
		for _, s := range texts {
			h := sha256.Sum256([]byte(s))
			out.WriteString(" 'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'")
		}
		return out.String()
	}
	return "default-src 'none'; script-src" + hashes(scripts) + "; style-src" + hashes(styles) +
		"; img-src data: blob:; base-uri 'none'; form-action 'none'"
}

// hexColors returns the colours of 256 levels, RRGGBB each.
func hexColors(m plot.ColorMap) string {
	var b strings.Builder
	for _, c := range m {
		fmt.Fprintf(&b, "%02x%02x%02x", c.R, c.G, c.B)
	}
	return b.String()
}

// anchor returns an id made from a name, different from all others.
func (p *page) anchor(prefix, name string) string {
	slug := strings.Map(func(r rune) rune {
		if strings.ContainsRune(fileNameLetters, r) {
			return r
		}
		return '-'
	}, name)
	id := prefix + slug
	for k := 2; p.anchors[id]; k++ {
		id = fmt.Sprintf("%s%s-%d", prefix, slug, k)
	}
	p.anchors[id] = true
	return id
}

const fileNameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// named checks what every graphic needs: a name for files, and a text for those
// who cannot see it.
func named(kind, name, alt string) error {
	if name == "" || strings.Trim(name, fileNameLetters) != "" {
		return fmt.Errorf("%s name %q is not made of letters, digits, '-', '_' and '.'", kind, name)
	}
	if alt == "" {
		return fmt.Errorf("%s %q has no text for those who cannot see it", kind, name)
	}
	return nil
}

var errNoColumns = errors.New("a table without columns")

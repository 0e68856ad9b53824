package protein

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"heed/explain"
	"heed/internal/cli"
	"heed/model/esm"
	"heed/plot"
	"heed/report"
	"heed/tensor"
)

// chosenHeads reads --heads: the number of the heads of the largest weights, or
// the heads themselves, layer and head from 0.
func (r *contactsRequest) chosenHeads() (top int, chosen [][2]int, err error) {
	bad := cli.Usagef("--heads %q: want top:N, none, or layers and heads from 1, such as 12.3,33.1", r.heads)
	if r.heads == "none" {
		return 0, nil, nil
	}
	if text, ok := strings.CutPrefix(r.heads, "top:"); ok {
		if top, err = strconv.Atoi(text); err != nil || top < 1 || top > 64 {
			return 0, nil, bad
		}
		return top, nil, nil
	}
	for part := range strings.SplitSeq(r.heads, ",") {
		a, b, _ := strings.Cut(part, ".")
		layer, err1 := strconv.Atoi(a)
		head, err2 := strconv.Atoi(b)
		if err1 != nil || err2 != nil || layer < 1 || head < 1 {
			return 0, nil, bad
		}
		chosen = append(chosen, [2]int{layer - 1, head - 1})
	}
	return 0, chosen, nil
}

func (r *contactsRequest) checkHeads(file *encoderFile) error {
	_, chosen, err := r.chosenHeads()
	layers, heads := file.heads()
	for _, c := range chosen {
		if c[0] >= layers || c[1] >= heads {
			return cli.Usagef("--heads %s: the model has %d layers of %d heads", r.heads, layers, heads)
		}
	}
	if err == nil && r.report != "" && filepath.Ext(r.report) != ".html" {
		err = cli.Usagef("--report %s: want a name that ends in .html", r.report)
	}
	return err
}

// shownHeads is how many heads the report shows.
func (r *contactsRequest) shownHeads(file *encoderFile) int {
	top, chosen, _ := r.chosenHeads()
	layers, heads := file.heads()
	return min(top, layers*heads) + len(chosen)
}

// writeReport writes the page of a protein. The attention of the heads is computed
// by one more pass.
func (r *contactsRequest) writeReport(m *encoderModel, p Protein, x *tensor.Tensor, truth *Truth, w esm.Work) error {
	c := &contactsPage{request: r, protein: p, letters: p.letters(), truth: truth, command: r.command, scores: make([]float64, len(x.Data))}
	for i, v := range x.Data {
		c.scores[i] = float64(v)
	}
	top, chosen, err := r.chosenHeads()
	if err != nil {
		return err
	}
	weights := m.headWeights()
	_, heads := m.file.heads()
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(abs(weights[b]), abs(weights[a])) })
	for _, k := range order[:min(top, len(order))] {
		chosen = append(chosen, [2]int{k / heads, k % heads})
	}
	if len(c.letters) <= report.MaxTokens && len(chosen) > 0 {
		found := map[[2]int][]float32{}
		m.maps(p, w, func(layer, head int, a []float32) {
			if slices.Contains(chosen, [2]int{layer, head}) {
				found[[2]int{layer, head}] = slices.Clone(a)
			}
		})
		for _, h := range chosen {
			c.heads = append(c.heads, shownHead{h[0], h[1], float64(weights[h[0]*heads+h[1]]), found[h]})
		}
	}
	if m.alignment != nil && len(c.letters) <= mostRolled {
		c.grid = m.grid(p, w.Cores)
	}
	page, err := c.page()
	if err != nil {
		return err
	}
	return cli.WriteFile(r.report, func(out io.Writer) error { _, err := page.WriteTo(out); return err })
}

// grid returns the attention over the first rows of an alignment.
func (e *encoderModel) grid(p Protein, cores int) *gridAttention {
	rows := p.Rows[:min(len(p.Rows), shownRows)]
	g := &gridAttention{rows: len(rows), columns: len(rows[0]), collector: explain.AxialCollector{Fused: true}}
	e.alignment.Each(rows, cores, true, g.probe, func(int, []float32) {})
	return g
}

// mostRolled is the longest query whose rollout a page shows: its time grows with the
// cube of the length.
const mostRolled = 512

// rolloutPlan is what the pass of the rollout holds at its largest: the activations of
// one layer and its column attention, and the means over heads of all layers.
func rolloutPlan(c *esm.MSAConfig, rows, columns int) esm.Part {
	n, l := int64(min(rows, shownRows)), int64(columns)
	cell, one, all := 11*int64(c.Dim)+2*int64(c.FFN), int64(c.Heads)*l*(n*n+l), int64(c.Layers)*l*(n*n+l)
	return esm.Part{Name: "rollout of the report", Bytes: 4 * (n*l*cell + 2*one + all),
		How: fmt.Sprintf("(%d rows x %d columns x (11 x %d + 2 x %d) + (2 x %d heads + %d layers) x %d x (%d² + %d)) x 4 bytes", n, l, c.Dim, c.FFN, c.Heads, c.Layers, l, n, l)}
}

func abs(x float32) float32 { return max(x, -x) }

func (e *encoderModel) headWeights() []float32 {
	if e.alignment != nil {
		return e.alignment.Contact.Weight.Data
	}
	return e.sequence.Contact.Weight.Data
}

// contactsPage is the report of heed protein contacts for one protein.
type contactsPage struct {
	request *contactsRequest
	protein Protein
	letters []byte
	scores  []float64 // (L, L)
	truth   *Truth    // nil without a structure
	heads   []shownHead
	grid    *gridAttention // of an alignment; nil for a single sequence
	command []string
}

// A shownHead is the attention of one head among residues.
type shownHead struct {
	layer, head int
	weight      float64 // of the contact head
	a           []float32
}

func (c *contactsPage) page() (*report.Report, error) {
	l := len(c.letters)
	var pairs []rankedPair
	above := plot.PairSet{Name: "predicted", Color: plot.Palette(0)}
	ranked := rankScores(c.scores, l)
	for _, p := range ranked[:min(len(ranked), int(c.request.perResidue*float64(l)))] {
		pairs = append(pairs, p)
		above.Pairs = append(above.Pairs, plot.Pair{I: p.I, J: p.J})
	}
	var blocks []report.Block
	lead := fmt.Sprintf("Contacts of %s, %d residues, predicted by the attention of a published encoder.", c.protein.ID, l)
	shown := false
	var sections []report.Section
	if c.truth != nil {
		rows, err := EvaluateMaps([]Evaluated{{Name: c.protein.ID, Length: l, Scores: c.scores, Truth: c.truth}}, 1)
		if err != nil {
			return nil, err
		}
		lead += " The structure was used for comparison alone."
		if s, ok := c.truth.linked("structure", "Contact map linked with the structure", fmt.Sprintf("The first %d pairs above the diagonal, contacts of the structure (%s) below. A pair that is pressed is drawn between the C-alpha atoms of its residues.", len(pairs), c.truth.Definition), c.letters, pairs); ok {
			blocks, shown = append(blocks, s), true
		}
		table := report.Table{Caption: "Precision of the first pairs", Columns: []report.Column{{Name: "range"}, {Name: "method"}, {Name: "P@L", Numeric: true}, {Name: "P@L/2", Numeric: true}, {Name: "P@L/5", Numeric: true}, {Name: "random order", Numeric: true}},
			Notes: []string{"Contact: " + c.truth.Definition + ". Intervals of 95 % resample positions; nearness in the sequence is the floor."}}
		for _, r := range rows {
			cells := []string{r.Range.Name, r.Method}
			for _, iv := range r.At {
				cells = append(cells, fmt.Sprintf("%s (%s to %s)", decimal(iv.Estimate), decimal(iv.Low), decimal(iv.High)))
			}
			table.Rows = append(table.Rows, report.TableRow{Cells: append(cells, decimal(r.Background)), Highlight: r.Method == "predicted" && r.Range.Name == "long"})
		}
		sections = append(sections, report.Section{Title: "Precision", Blocks: []report.Block{table}})
	}
	if !shown && l >= 2 {
		fig, err := plot.ContactMap{Title: fmt.Sprintf("the first %d pairs", len(pairs)), Positions: l, Above: []plot.PairSet{above}}.Figure()
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, report.Figure{Name: "contacts", Alt: "Contact map", Caption: "The first pairs at a separation of 6 or more.", SVG: fig.SVG()})
	}
	sections = append([]report.Section{{Title: "Contacts", Blocks: blocks}}, sections...)
	if len(c.heads) > 0 {
		sections = append(sections, report.Section{Title: "Heads", Blocks: []report.Block{c.attention()}})
	}
	if c.grid != nil {
		rolled, err := c.rollout()
		if err != nil {
			return nil, err
		}
		sections = append(sections, report.Section{Title: "Rows and columns", Blocks: rolled})
	}
	sections = append(sections, report.Section{Title: "Provenance", Blocks: []report.Block{report.Provenance{{Key: "command", Value: "heed " + strings.Join(c.command, " ")}, {Key: "model", Value: c.request.model}, {Key: "input", Value: c.request.fasta}}}})
	return &report.Report{Title: "Contacts of " + c.protein.ID, Lead: lead, Sections: sections}, nil
}

// attention shows the maps of the heads, those of the largest weight first.
func (c *contactsPage) attention() report.HeatmapSet {
	m := report.AttentionMap{Name: c.protein.ID, Full: make([]bool, len(c.heads))}
	for i, letter := range c.letters {
		m.Tokens, m.Positions = append(m.Tokens, string(letter)), append(m.Positions, i+1)
	}
	for k, h := range c.heads {
		m.Facts = append(m.Facts, fmt.Sprintf("this is layer %d, head %d of the model; weight in the contact head %.3g", h.layer+1, h.head+1, h.weight))
		m.Full[k] = true
	}
	m.Head = func(_, head int) []float32 { return c.heads[head].a }
	return report.HeatmapSet{Name: "attention", Layers: 1, Heads: len(c.heads), Maps: []report.AttentionMap{m},
		Caption: "Attention among residues, before the correction that the contact head makes: each row holds the shares that a residue gives to the others; what goes to the two ends is not shown. The grid counts the heads that were chosen; the line below it says which of the model an enlarged one is."}
}

// rollout shows the column attention of all heads, and the rollout along rows and
// columns.
func (c *contactsPage) rollout() ([]report.Block, error) {
	n, layers := c.grid.rows, len(c.grid.collector.Blocks)
	blocks := []report.Block{report.Text(fmt.Sprintf("The model attends along each row of the alignment and along each column in turn. What follows is of a pass over its first %d of %d rows, the query on top: the contacts above are of all %d.", n, len(c.protein.Rows), len(c.protein.Rows)))}
	if n > 1 {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprint(i+1))
		}
		blocks = append(blocks, report.HeatmapSet{Name: "columns", Layers: layers, Heads: len(c.grid.between) / (layers * n * n),
			Maps:    []report.AttentionMap{{Name: fmt.Sprintf("%d rows", n), Tokens: names, Weights: c.grid.between}},
			Caption: "Column attention of every layer and head between the rows, the mean over the columns: which sequences a sequence is compared with."})
	}
	m := report.AttentionMap{Name: c.protein.ID}
	for i, letter := range c.letters {
		m.Tokens, m.Positions = append(m.Tokens, string(letter)), append(m.Positions, i+1)
	}
	rolled, err := c.grid.rollout(1, m)
	return append(append(blocks, rolled...), report.Notice{Text: report.AttentionCaveat}), err
}

// rankScores returns the pairs at a separation of 6 or more, the best first.
func rankScores(x []float64, l int) []rankedPair {
	var out []rankedPair
	for i := range l {
		for j := i + nearest; j < l; j++ {
			out = append(out, rankedPair{i, j, x[i*l+j]})
		}
	}
	slices.SortStableFunc(out, func(a, b rankedPair) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	return out
}

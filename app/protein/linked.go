package protein

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"heed/format/pdb"
	"heed/metric"
	"heed/plot"
	"heed/report"
)

// A rankedPair is a pair of positions from 0, with what a model says of it.
type rankedPair struct {
	I, J  int
	Score float64
}

// linked shows pairs on a map and in the chain of a structure. It is false for a
// chain that the page cannot hold.
func (t *Truth) linked(name, alt, caption string, letters []byte, pairs []rankedPair) (report.Structure, bool) {
	l := len(letters)
	s := report.Structure{Name: name, Alt: alt, Caption: caption, Residues: make([]int, l), Labels: make([]string, l)}
	// The page has its own numbers, so that insertion codes do not matter.
	chain := pdb.Chain{ID: "A", Residues: slices.Clone(t.Chain.Residues)}
	for k := range chain.Residues {
		chain.Residues[k].Number, chain.Residues[k].Insertion = k+1, 0
	}
	for i := range letters {
		s.Labels[i] = fmt.Sprintf("%c%d", letters[i], i+1)
		k := t.Match.Residues[i]
		if k >= 0 && chain.Residues[k].Atom("CA") != nil {
			s.Residues[i] = k + 1
			if r := t.Chain.Residues[k]; r.Seq() != fmt.Sprint(i+1) {
				s.Labels[i] += " (" + r.Seq() + " in the file)"
			}
		}
	}
	for _, p := range pairs {
		x := report.StructurePair{I: p.I, J: p.J, Score: p.Score, Verdict: report.NotKnown}
		if t.Distances.Known(p.I, p.J) {
			x.Distance = t.Distances.At(p.I, p.J)
			x.Verdict = report.NotInContact
			if t.Touch[p.I*l+p.J] == metric.Contact {
				x.Verdict = report.InContact
			}
		}
		s.Predicted = append(s.Predicted, x)
	}
	for i := range l {
		for j := i + nearest; j < l; j++ {
			if t.Touch[i*l+j] == metric.Contact {
				s.Contacts = append(s.Contacts, [2]int{i, j})
			}
		}
	}
	var b bytes.Buffer
	if l > report.MaxPositions || len(chain.Residues) > 9999 || pdb.Write(&b, &pdb.Structure{Chains: []pdb.Chain{chain}}, nil) != nil {
		return s, false
	}
	s.PDB = b.Bytes()
	return s, true
}

// linkedBlocks links the first L pairs of the first model with the structure.
func (o *Outcome) linkedBlocks() []report.Block {
	if o.Truth == nil || o.Truth.Chain == nil {
		return nil
	}
	m := o.Fit.models()[0]
	var pairs []rankedPair
	top := o.Fit.ranked(o.Family, []*Scores{m}, nearest)
	for _, p := range top[:min(len(o.Family.Query), len(top))] {
		pairs = append(pairs, rankedPair{p.I, p.J, p.APC[0]})
	}
	s, ok := o.Truth.linked("structure-"+m.Method, "Contact map of "+m.Method+" linked with the structure",
		fmt.Sprintf("The first %d pairs of %s above the diagonal, contacts of the structure below. A pair that is pressed is drawn between the C-alpha atoms of its residues.", len(pairs), m.Method), o.Family.Query, pairs)
	if !ok {
		return nil
	}
	return []report.Block{s}
}

// contactsPage is the report of heed protein contacts for one protein.
type contactsPage struct {
	request *contactsRequest
	protein Protein
	letters []byte
	scores  []float64 // (L, L)
	truth   *Truth    // nil without a structure
	heads   []shownHead
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

package report

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
)

// MaxTokens is the longest sequence whose attention a page shows.
const MaxTokens = 1024

// AttentionMap holds the attention of every layer and head for one sequence.
type AttentionMap struct {
	Name   string
	Tokens []string // (L) such as "[CLS]", "A": the queries
	// Positions (L) are the coordinates of the tokens, see plot.Position; 0 for
	// tokens that have none, such as [CLS]. nil numbers the tokens from 1.
	Positions []int
	// Keys (K) and KeyPositions are the tokens attended to where they are others
	// than the queries, as in cross-attention.
	Keys         []string
	KeyPositions []int
	// Weights is (layers, heads, L, K) row-major: a row holds the weights that
	// one query gives to all keys. They are finite, and not negative unless the
	// set is signed. Where all heads together would fill the memory, Head
	// returns one of them, (L, K), instead; it is called once for each head.
	Weights []float32
	Head    func(layer, head int) []float32
	// Facts (layers·heads) is one line about each head, such as "entropy 2.1
	// bits, mean distance 14 bp"; may be nil.
	Facts []string
	// Full (layers·heads) marks the heads that the page must hold at full
	// resolution, those that the text is about. The others follow in order
	// while the budget of the page lasts; beyond it, they are summaries of 64 x
	// 64 blocks. nil marks none.
	Full []bool
}

// HeatmapSet shows attention maps: small ones of all layers and heads, of which
// one is enlarged, for a sequence selected by the reader. Weights are stored with
// 8 bits: the root of a weight over the largest of its map, in steps of 1/255
// (1/127 with a sign). A weight w is right to within √(w·max)/255, and at least
// to max/65000.
type HeatmapSet struct {
	Name          string // stem of saved files; "attention" if empty
	Caption       string
	Layers, Heads int
	Signed        bool // weights may be negative, zero is white: gradient x attention, differences
	Maps          []AttentionMap
}

// mapMeta is what the script reads of one sequence; see web/headgrid.ts.
type mapMeta struct {
	Name           string    `json:"name"`
	Queries        []string  `json:"queries"`
	Keys           []string  `json:"keys"`
	QueryPositions []int     `json:"queryPositions"`
	KeyPositions   []int     `json:"keyPositions"`
	Max            []float32 `json:"max"`
	Facts          []string  `json:"facts"`
	Rows           int       `json:"rows"`
	Cols           int       `json:"cols"`
	Small          string    `json:"small"`
	Full           []string  `json:"full"`
}

type setMeta struct {
	Name      string    `json:"name"`
	Layers    int       `json:"layers"`
	Heads     int       `json:"heads"`
	Signed    bool      `json:"signed"`
	Sequences []mapMeta `json:"sequences"`
}

func (s HeatmapSet) render(p *page) (template.HTML, error) {
	if s.Layers < 1 || s.Heads < 1 || len(s.Maps) == 0 {
		return "", fmt.Errorf("attention of %d layers, %d heads and %d sequences", s.Layers, s.Heads, len(s.Maps))
	}
	if s.Name == "" {
		s.Name = "attention"
	}
	alt := fmt.Sprintf("Attention maps of %d layers and %d heads", s.Layers, s.Heads)
	if err := named("attention", s.Name, alt); err != nil {
		return "", err
	}
	p.colors = true
	meta := setMeta{s.Name, s.Layers, s.Heads, s.Signed, nil}
	view := struct {
		HeatmapSet
		Meta, Caveat string
		Names        []string
		Numbers      []numbers
	}{HeatmapSet: s, Caveat: AttentionCaveat}
	for _, m := range s.Maps {
		mm, strongest, err := m.meta(p, s)
		if err != nil {
			return "", fmt.Errorf("attention of %q: %w", m.Name, err)
		}
		meta.Sequences = append(meta.Sequences, mm)
		view.Names = append(view.Names, m.Name)
		view.Numbers = append(view.Numbers, m.table(mm, s.Heads, strongest))
	}
	var err error
	if view.Meta, err = p.keepJSON(meta); err != nil {
		return "", err
	}
	return p.execute("maps", view)
}

// meta checks a sequence, and hands its maps to the page. It returns also the
// index of the strongest weight of each head.
func (m AttentionMap) meta(p *page, s HeatmapSet) (out mapMeta, strongest []int, err error) {
	heads := s.Layers * s.Heads
	out = mapMeta{Name: m.Name, Queries: m.Tokens, Keys: m.Keys, Facts: m.Facts}
	if out.QueryPositions, err = axis("tokens", "positions", m.Tokens, m.Positions); err != nil {
		return out, nil, err
	}
	rows, cols := len(m.Tokens), len(m.Tokens)
	if m.Keys != nil {
		if out.KeyPositions, err = axis("keys", "key positions", m.Keys, m.KeyPositions); err != nil {
			return out, nil, err
		}
		cols = len(m.Keys)
	}
	switch {
	case m.Facts != nil && len(m.Facts) != heads:
		return out, nil, fmt.Errorf("%d facts for %d heads", len(m.Facts), heads)
	case m.Full != nil && len(m.Full) != heads:
		return out, nil, fmt.Errorf("%d marks of full resolution for %d heads", len(m.Full), heads)
	case m.Head == nil && len(m.Weights) != heads*rows*cols:
		return out, nil, fmt.Errorf("%d weights, not %d maps of %d x %d", len(m.Weights), heads, rows, cols)
	case m.Head != nil && m.Weights != nil:
		return out, nil, fmt.Errorf("both weights and a function that returns them")
	}
	out.Rows, out.Cols = min(rows, smallSide), min(cols, smallSide)
	out.Max, out.Full = make([]float32, heads), make([]string, heads)
	strongest = make([]int, heads)
	var small []byte
	for k := range heads {
		var w []float32
		if m.Head != nil {
			w = m.Head(k/s.Heads, k%s.Heads)
			if len(w) != rows*cols {
				return out, nil, fmt.Errorf("layer %d, head %d has %d weights, not %d x %d", k/s.Heads+1, k%s.Heads+1, len(w), rows, cols)
			}
		} else {
			w = m.Weights[k*rows*cols : (k+1)*rows*cols]
		}
		levels, at, err := quantise(w, s.Signed)
		if err != nil {
			return out, nil, fmt.Errorf("layer %d, head %d: %w", k/s.Heads+1, k%s.Heads+1, err)
		}
		strongest[k], out.Max[k] = at, max(w[at], -w[at])
		small = append(small, shrink(levels, rows, cols, out.Rows, out.Cols, s.Signed)...)
		switch {
		case rows <= smallSide && cols <= smallSide:
		case m.Full != nil && m.Full[k]:
			out.Full[k] = p.keep(levels)
		default:
			out.Full[k] = p.offer(levels)
		}
	}
	out.Small = p.keep(small)
	return out, strongest, nil
}

// axis checks tokens and fills in their positions.
func axis(what, whats string, tokens []string, positions []int) ([]int, error) {
	n := len(tokens)
	if n == 0 || n > MaxTokens {
		return nil, fmt.Errorf("%d %s, not 1 to %d", n, what, MaxTokens)
	}
	if positions == nil {
		return count(n), nil
	}
	if len(positions) != n {
		return nil, fmt.Errorf("%d %s for %d %s", len(positions), whats, n, what)
	}
	return positions, nil
}

// count returns 1 to n.
func count(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i + 1
	}
	return out
}

// table lists the strongest weight of each head.
func (m AttentionMap) table(meta mapMeta, heads int, strongest []int) numbers {
	n := numbers{Caption: "Strongest weight of each head, " + m.Name, Heads: []string{"layer", "head", "weight", "query", "key"}}
	if m.Facts != nil {
		n.Heads = append(n.Heads, "facts")
	}
	keys, keyPositions := meta.Keys, meta.KeyPositions
	if keys == nil {
		keys, keyPositions = meta.Queries, meta.QueryPositions
	}
	for k, at := range strongest {
		q, j := at/len(keys), at%len(keys)
		row := []string{
			strconv.Itoa(k/heads + 1), strconv.Itoa(k%heads + 1), number(float64(meta.Max[k])),
			place(meta.Queries[q], meta.QueryPositions[q], meta.QueryPositions), place(keys[j], keyPositions[j], keyPositions),
		}
		if m.Facts != nil {
			row = append(row, m.Facts[k])
		}
		n.Rows = append(n.Rows, row)
	}
	return n
}

// place names a token with its coordinate; beside negative ones a positive has
// its sign.
func place(token string, position int, positions []int) string {
	if position == 0 {
		return token
	}
	return token + " at " + coordinate(position, positions)
}

func coordinate(position int, positions []int) string {
	s := strconv.Itoa(position)
	if position < 0 {
		return "−" + s[1:]
	}
	if position > 0 && slices.Min(positions) < 0 {
		return "+" + s
	}
	return s
}

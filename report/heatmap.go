package report

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"math"
	"strings"

	"heed/plot"
)

// MaxTokens is the longest sequence whose attention a page shows.
const MaxTokens = 1024

// AttentionMap holds the attention of every layer and head for one sequence.
type AttentionMap struct {
	Name   string
	Tokens []string // (L) such as "[CLS]", "A"
	// Positions (L) are the coordinates of the tokens, see plot.Position; 0 for
	// tokens that have none, such as [CLS]. nil numbers the tokens from 1.
	Positions []int
	// Weights is (layers, heads, L, L) row-major: a row holds the weights that
	// one query gives to all keys. They are finite and not negative.
	Weights []float32
}

// HeatmapSet shows attention maps: small ones of all layers and heads, of which
// one is enlarged, for a sequence selected by the reader. Weights are stored with
// 8 bits, from 0 to the largest weight of each map.
type HeatmapSet struct {
	Caption       string
	Layers, Heads int
	Maps          []AttentionMap // one for each sequence
}

// mapView is what the template needs of one sequence.
type mapView struct {
	Name              string
	Tokens, Positions string // JSON arrays
	Max               string // JSON array (layers·heads), weight of level 255
	Bytes             string // (layers, heads, L, L) levels, base64 for URLs
}

func (s HeatmapSet) render() (template.HTML, error) {
	if s.Layers < 1 || s.Heads < 1 || len(s.Maps) == 0 {
		return "", fmt.Errorf("attention of %d layers, %d heads and %d sequences", s.Layers, s.Heads, len(s.Maps))
	}
	view := struct {
		HeatmapSet
		Colors, Caveat string
		Views          []mapView
	}{HeatmapSet: s, Colors: colors(), Caveat: AttentionCaveat}
	for _, m := range s.Maps {
		v, err := m.view(s.Layers * s.Heads)
		if err != nil {
			return "", fmt.Errorf("attention of %q: %w", m.Name, err)
		}
		view.Views = append(view.Views, v)
	}
	return execute("maps", view)
}

func (m AttentionMap) view(maps int) (mapView, error) {
	v := mapView{Name: m.Name}
	n := len(m.Tokens)
	if n == 0 || n > MaxTokens {
		return v, fmt.Errorf("%d tokens, not 1 to %d", n, MaxTokens)
	}
	if len(m.Weights) != maps*n*n {
		return v, fmt.Errorf("%d weights, not %d maps of %d x %d", len(m.Weights), maps, n, n)
	}
	positions := m.Positions
	if positions == nil {
		positions = make([]int, n)
		for i := range positions {
			positions[i] = i + 1
		}
	}
	if len(positions) != n {
		return v, fmt.Errorf("%d positions for %d tokens", len(positions), n)
	}
	levels, largest, err := quantise(m.Weights, maps)
	if err != nil {
		return v, err
	}
	v.Bytes = base64.RawURLEncoding.EncodeToString(levels)
	for _, f := range []struct {
		into *string
		from any
	}{{&v.Tokens, m.Tokens}, {&v.Positions, positions}, {&v.Max, largest}} {
		b, err := json.Marshal(f.from)
		if err != nil {
			return v, err
		}
		*f.into = string(b)
	}
	return v, nil
}

// quantise turns each of the maps in w to bytes, 255 being its largest weight.
func quantise(w []float32, maps int) (levels []byte, largest []float32, err error) {
	size := len(w) / maps
	levels, largest = make([]byte, len(w)), make([]float32, maps)
	for k := range maps {
		one := w[k*size : (k+1)*size]
		for _, x := range one {
			if !(x >= 0) || math.IsInf(float64(x), 0) {
				return nil, nil, errors.New("a weight is negative or not finite")
			}
			largest[k] = max(largest[k], x)
		}
		if largest[k] == 0 {
			continue
		}
		for i, x := range one {
			levels[k*size+i] = uint8(float64(x)/float64(largest[k])*255 + 0.5)
		}
	}
	return levels, largest, nil
}

// colors returns the colours of 256 levels, RRGGBB each.
func colors() string {
	var b strings.Builder
	for _, c := range plot.Viridis() {
		fmt.Fprintf(&b, "%02x%02x%02x", c.R, c.G, c.B)
	}
	return b.String()
}

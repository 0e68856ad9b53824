package plot

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// MutationLetters are the amino acids in the order of a MutationMap: aliphatic,
// aromatic, special, polar, positive, negative.
const MutationLetters = "AVILMFYWCGPSTNQHKRDE"

// MutationMap shows the effect of each amino acid at each position of a protein as
// a heat map: positions from left to right, broken into rows of 60, amino acids from
// top to bottom. Zero is white; the residue that is there is marked by a dot.
type MutationMap struct {
	Title    string
	Sequence []byte // (L) the wild type
	First    int    // number of the first position
	// Values (L, 20), in the order of MutationLetters; NaN is grey.
	Values []float64
	Label  string  // name and unit of the values
	Limit  float64 // value of the strongest colour; 0 for the largest
}

// mutationsPerRow is how many positions stand in a row.
const mutationsPerRow = 60

// Figure draws the map, up to 2,048 positions.
func (m MutationMap) Figure() (*Figure, error) {
	const kinds = len(MutationLetters)
	n := len(m.Sequence)
	if n < 1 || n > 2048 {
		return nil, fmt.Errorf("plot: mutation map of %d positions, not 1 to 2048", n)
	}
	if len(m.Values) != n*kinds {
		return nil, fmt.Errorf("plot: mutation map of %d positions has %d values", n, len(m.Values))
	}
	limit := m.Limit
	if limit == 0 {
		for _, v := range m.Values {
			if !math.IsNaN(v) {
				limit = max(limit, math.Abs(v))
			}
		}
	}
	if math.IsInf(limit, 0) || limit < 0 {
		return nil, fmt.Errorf("plot: mutation map with a limit of %v", limit)
	}
	if limit == 0 {
		limit = 1
	}
	colors := Diverging()
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	h := header{title: m.Title, width: FigureWidth - 2*margin, keys: []key{
		{text: number(-limit) + " or less", area: colors.At(0)}, {text: "0", area: colors.At(0.5)}, {text: number(limit) + " or more", area: colors.At(1)},
		{text: m.Label + "; dot: the residue that is there"}}}
	const left, axis = 16, 22
	cell := (h.width - left) / mutationsPerRow
	block := cell*vg.Length(kinds) + axis
	rows := (n + mutationsPerRow - 1) / mutationsPerRow
	return &Figure{title: m.Title, w: FigureWidth, h: h.height() + vg.Length(rows)*block + 2*margin, paint: func(c draw.Canvas) {
		c = h.draw(draw.Crop(c, margin, -margin, margin, -margin))
		for r := range rows {
			lo, hi := r*mutationsPerRow, min(n, (r+1)*mutationsPerRow)
			m.row(c, vg.Point{X: c.Min.X + left, Y: c.Max.Y - vg.Length(r)*block}, cell, lo, hi, limit, &colors)
		}
	}}, nil
}

// row paints the positions [lo, hi) with their upper left corner at a point.
func (m MutationMap) row(c draw.Canvas, at vg.Point, cell vg.Length, lo, hi int, limit float64, colors *ColorMap) {
	const kinds = len(MutationLetters)
	small := textStyle(cell*0.85, false, draw.XCenter, draw.YCenter)
	for k := range kinds {
		c.FillText(small, vg.Point{X: at.X - 7, Y: at.Y - (vg.Length(k)+0.5)*cell}, MutationLetters[k:k+1])
	}
	for i := lo; i < hi; i++ {
		x := at.X + vg.Length(i-lo)*cell
		there := strings.IndexByte(MutationLetters, m.Sequence[i])
		for k := range kinds {
			y := at.Y - vg.Length(k)*cell
			v := m.Values[i*kinds+k]
			c.SetColor(colors.At(0.5 + v/limit/2))
			c.Fill(box(x, y-cell, x+cell, y))
			if k == there {
				c.SetColor(ink)
				r := cell * 0.18
				c.Fill(box(x+cell/2-r, y-cell/2-r, x+cell/2+r, y-cell/2+r))
			}
		}
		bottom := at.Y - vg.Length(kinds)*cell
		c.FillText(small, vg.Point{X: x + cell/2, Y: bottom - cell*0.6}, string(m.Sequence[i:i+1]))
		if number := m.First + i; number%10 == 0 {
			c.FillText(textStyle(cell*0.85, false, draw.XCenter, draw.YTop), vg.Point{X: x + cell/2, Y: bottom - cell*1.2}, strconv.Itoa(number))
		}
	}
}

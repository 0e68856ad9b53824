package plot

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Logo draws a sequence as letters whose heights carry a quantity (Schneider
// and Stephens 1990): information content in bits, or the effect of mutating a
// position. Letters of negative height hang below the axis upside down. Long
// sequences are broken into rows of equal scale.
type Logo struct {
	Title   string
	Letters string      // the alphabet (K), upper-case A-Z, such as "ACGT"
	Heights [][]float64 // (L, K) height of each letter at each position
	// Positions (L) labels each position, see Position; nil counts from 1.
	Positions []int
	Marks     []Mark // stretches of positions to shade, in the numbers of Positions
	YLabel    string // name and unit of the height
	PerRow    int    // positions in a row; 0 stands for 60
}

// SequenceHeights returns (L, K) heights with value[i] at the letter of
// sequence[i] and 0 elsewhere, the usual input of Logo for one sequence. Letters
// are compared without case; positions whose letter is not in the alphabet, such
// as N, stay empty.
func SequenceHeights(sequence, letters string, value []float64) ([][]float64, error) {
	if len(sequence) != len(value) {
		return nil, fmt.Errorf("plot: logo: %d letters but %d heights", len(sequence), len(value))
	}
	out := make([][]float64, len(value))
	for i, v := range value {
		out[i] = make([]float64, len(letters))
		for k := range len(letters) {
			if sequence[i]|0x20 == letters[k]|0x20 {
				out[i][k] = v
			}
		}
	}
	return out, nil
}

const (
	logoRow   = 78 // height of the letters of a row, points
	logoTicks = 16 // room under a row
	logoGap   = 10
	logoName  = 12 // room above a row for the names of marks
)

// Figure draws the logo; its height follows the number of rows.
func (l Logo) Figure() (*Figure, error) {
	n := len(l.Heights)
	if n == 0 {
		return nil, fmt.Errorf("plot: logo of no positions")
	}
	if l.Positions != nil && len(l.Positions) != n {
		return nil, fmt.Errorf("plot: logo has %d positions but %d labels", n, len(l.Positions))
	}
	glyphs := make([]vg.Path, len(l.Letters))
	for k := range len(l.Letters) {
		g, err := letterPath(l.Letters[k])
		if err != nil {
			return nil, err
		}
		glyphs[k] = g
	}
	low, high := 0.0, 0.0
	for i, h := range l.Heights {
		if len(h) != len(l.Letters) {
			return nil, fmt.Errorf("plot: logo: position %d has %d heights for %d letters", i, len(h), len(l.Letters))
		}
		if err := finite("logo", fmt.Sprintf("position %d", i), h); err != nil {
			return nil, err
		}
		up, down := 0.0, 0.0
		for _, v := range h {
			up, down = up+max(v, 0), down+min(v, 0)
		}
		low, high = min(low, down), max(high, up)
	}
	if low == high {
		high = 1
	}
	perRow := l.PerRow
	if perRow <= 0 {
		perRow = 60
	}
	perRow = min(perRow, n)
	rows := (n + perRow - 1) / perRow
	// A last row of a few positions looks like an accident: share evenly.
	perRow = (n + rows - 1) / rows
	h := header{title: l.Title, width: FigureWidth - 2*margin}
	gap := vg.Length(logoGap)
	for _, m := range l.Marks {
		if m.Name != "" {
			gap = logoGap + logoName
		}
	}
	height := h.height() + vg.Length(rows)*(logoRow+logoTicks+gap) - logoGap + lineStep + 2*margin
	return &Figure{title: l.Title, w: FigureWidth, h: height, paint: func(c draw.Canvas) {
		c = h.draw(draw.Crop(c, margin, -margin, margin, -margin))
		ticks := yTicks(low, high)
		sty := label(draw.XRight, draw.YCenter)
		left := vg.Length(0)
		for _, t := range ticks {
			left = max(left, sty.Width(t.Label))
		}
		left += lineStep + 8
		// Few positions stay letters, not posters.
		cell := min((c.Max.X-c.Min.X-left-8)/vg.Length(perRow), 24)
		top := c.Max.Y + logoGap - gap
		for r := range rows {
			from, to := r*perRow, min((r+1)*perRow, n)
			pane := c
			pane.Min.X += left
			pane.Max.X = pane.Min.X + cell*vg.Length(to-from)
			pane.Max.Y, pane.Min.Y = top, top-logoRow
			l.row(pane, from, to, low, high, glyphs, ticks)
			top -= logoRow + logoTicks + gap
		}
		turned := label(draw.XCenter, draw.YTop)
		turned.Rotation = quarter
		c.FillText(turned, vg.Point{X: c.Min.X, Y: (c.Max.Y + logoGap + top + logoTicks) / 2}, clean(l.YLabel))
		if l.Positions != nil {
			x := label(draw.XCenter, draw.YTop)
			c.FillText(x, vg.Point{X: c.Min.X + left + cell*vg.Length(perRow)/2, Y: top + gap - 2}, "position relative to TSS (bp)")
		}
	}}, nil
}

// yTicks labels the ends that the letters reach and zero.
func yTicks(low, high float64) []gonum.Tick {
	all := ticks(low, high)
	first, last := all[0], all[len(all)-1]
	var out []gonum.Tick
	if first.Value < 0 {
		out = append(out, first)
	}
	out = append(out, gonum.Tick{Value: 0, Label: "0"})
	if last.Value > 0 {
		out = append(out, last)
	}
	return out
}

// row paints positions [from, to) into c.
func (l Logo) row(c draw.Canvas, from, to int, low, high float64, glyphs []vg.Path, yt []gonum.Tick) {
	y := func(v float64) vg.Length { return c.Min.Y + (c.Max.Y-c.Min.Y)*vg.Length((v-low)/(high-low)) }
	cell := (c.Max.X - c.Min.X) / vg.Length(to-from)
	position := func(i int) int {
		if l.Positions == nil {
			return i + 1
		}
		return l.Positions[i]
	}
	l.shade(c, from, to, cell, position)
	axis := line(frame, 0.6)
	c.StrokeLine2(axis, c.Min.X-3, c.Min.Y, c.Min.X-3, c.Max.Y)
	c.StrokeLine2(axis, c.Min.X-3, y(0), c.Max.X, y(0))
	sty := label(draw.XRight, draw.YCenter)
	for _, t := range yt {
		c.StrokeLine2(axis, c.Min.X-6, y(t.Value), c.Min.X-3, y(t.Value))
		c.FillText(sty, vg.Point{X: c.Min.X - 8, Y: y(t.Value)}, t.Label)
	}
	order := make([]int, len(l.Letters))
	under := label(draw.XCenter, draw.YTop)
	for i := from; i < to; i++ {
		x := c.Min.X + cell*vg.Length(i-from)
		// Small letters lie next to the axis, on both sides. Insertion sort:
		// the alphabet is short and equal heights keep its order.
		h := l.Heights[i]
		for k := range order {
			order[k] = k
			for j := k; j > 0 && math.Abs(h[order[j]]) < math.Abs(h[order[j-1]]); j-- {
				order[j], order[j-1] = order[j-1], order[j]
			}
		}
		up, down := 0.0, 0.0
		for _, k := range order {
			switch v := h[k]; {
			case v > 0:
				stamp(c, glyphs[k], letterColor(l.Letters[k]), x, y(up), x+cell, y(up+v))
				up += v
			case v < 0:
				// From top to bottom: a negative height turns the letter over.
				stamp(c, glyphs[k], letterColor(l.Letters[k]), x, y(down), x+cell, y(down+v))
				down += v
			}
		}
		p := position(i)
		if p%10 == 0 || p == 1 {
			s := strconv.Itoa(p)
			switch {
			case l.Positions != nil && p > 0:
				s = "+" + s
			case p < 0:
				s = "−" + strconv.Itoa(-p)
			}
			c.StrokeLine2(axis, x+cell/2, c.Min.Y-1, x+cell/2, c.Min.Y-4)
			c.FillText(under, vg.Point{X: x + cell/2, Y: c.Min.Y - 5}, s)
		}
	}
}

// shade paints the marks that touch positions [from, to), each as one area, and
// their names where there is room.
func (l Logo) shade(c draw.Canvas, from, to int, cell vg.Length, position func(int) int) {
	sty := label(draw.XCenter, draw.YBottom)
	free := c.Min.X - 30 // names end left of here
	for _, m := range l.Marks {
		first, last := -1, -1
		for i := from; i < to; i++ {
			if p := float64(position(i)); p >= m.From && p <= m.To {
				if first < 0 {
					first = i
				}
				last = i
			}
		}
		if first < 0 {
			continue
		}
		x0, x1 := c.Min.X+cell*vg.Length(first-from), c.Min.X+cell*vg.Length(last-from+1)
		c.SetColor(fade(Palette(4), 0.3))
		c.Fill(box(x0, c.Min.Y, x1, c.Max.Y))
		name := clean(m.Name)
		half := sty.Width(name) / 2
		mid := vg.Length(nameAt(float64(x0+x1)/2, float64(half), float64(c.Min.X), float64(c.Max.X)+8))
		if name != "" && mid-half > free {
			c.FillText(sty, vg.Point{X: mid, Y: c.Max.Y + 1}, name)
			free = mid + half + 4
		}
	}
}

// stamp fills a unit path into the box; y1 below y0 turns it over.
func stamp(c draw.Canvas, unit vg.Path, fill color.Color, x0, y0, x1, y1 vg.Length) {
	gap := (x1 - x0) * 0.04
	x0, x1 = x0+gap, x1-gap
	at := func(p vg.Point) vg.Point { return vg.Point{X: x0 + p.X*(x1-x0), Y: y0 + p.Y*(y1-y0)} }
	path := make(vg.Path, len(unit))
	for i, s := range unit {
		s.Pos = at(s.Pos)
		control := make([]vg.Point, len(s.Control))
		for k, p := range s.Control {
			control[k] = at(p)
		}
		s.Control = control
		path[i] = s
	}
	c.SetColor(fill)
	c.Fill(path)
}

// letterColor follows the convention of logos, A green, C blue, G orange, T
// red, in the shades of Palette.
func letterColor(letter byte) color.RGBA {
	switch letter | 0x20 {
	case 'a':
		return Palette(2)
	case 'c':
		return Palette(0)
	case 'g':
		return Palette(4)
	case 't', 'u':
		return Palette(1)
	}
	return ink
}

// letterPath returns the outline of a bold letter, stretched to the unit
// square, y upwards.
func letterPath(letter byte) (vg.Path, error) {
	upper := letter &^ 0x20
	if upper < 'A' || upper > 'Z' {
		return nil, fmt.Errorf("plot: logo: %q is not a letter", letter)
	}
	face := gonum.DefaultTextHandler.Cache().Lookup(textStyle(12, true, 0, 0).Font, 12).Face
	var buf sfnt.Buffer
	g, err := face.GlyphIndex(&buf, rune(upper))
	if err != nil {
		return nil, fmt.Errorf("plot: logo: %w", err)
	}
	// Any size will do; a large one keeps the rounding of 26.6 numbers small.
	segments, err := face.LoadGlyph(&buf, g, fixed.I(1000), nil)
	if err != nil {
		return nil, fmt.Errorf("plot: logo: %w", err)
	}
	b := segments.Bounds()
	at := func(p fixed.Point26_6) vg.Point {
		return vg.Point{
			X: vg.Length(p.X-b.Min.X) / vg.Length(b.Max.X-b.Min.X),
			Y: vg.Length(b.Max.Y-p.Y) / vg.Length(b.Max.Y-b.Min.Y), // glyphs count downwards
		}
	}
	var path vg.Path
	for i, s := range segments {
		switch s.Op {
		case sfnt.SegmentOpMoveTo:
			if i > 0 {
				path.Close()
			}
			path.Move(at(s.Args[0]))
		case sfnt.SegmentOpLineTo:
			path.Line(at(s.Args[0]))
		case sfnt.SegmentOpQuadTo:
			path.QuadTo(at(s.Args[0]), at(s.Args[1]))
		case sfnt.SegmentOpCubeTo:
			path.CubeTo(at(s.Args[0]), at(s.Args[1]), at(s.Args[2]))
		}
	}
	path.Close()
	return path, nil
}

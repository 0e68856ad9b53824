package plot

import (
	"fmt"
	"image/color"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Confusion shows a confusion matrix as a heat map: rows are true classes,
// columns predicted ones. Each cell prints its count and its share of the row,
// which is also its colour.
type Confusion struct {
	Title   string
	Classes []string // (C)
	Counts  [][]int  // (C, C), true by predicted
}

// Figure draws the matrix, up to 30 classes.
func (m Confusion) Figure() (*Figure, error) {
	n := len(m.Classes)
	if n == 0 || n > 30 {
		return nil, fmt.Errorf("plot: confusion matrix of %d classes, not 1 to 30", n)
	}
	if len(m.Counts) != n {
		return nil, fmt.Errorf("plot: confusion matrix has %d rows for %d classes", len(m.Counts), n)
	}
	for i, row := range m.Counts {
		if len(row) != n {
			return nil, fmt.Errorf("plot: row %d of the confusion matrix has %d columns for %d classes", i, len(row), n)
		}
		for _, k := range row {
			if k < 0 {
				return nil, fmt.Errorf("plot: row %d of the confusion matrix has a count of %d", i, k)
			}
		}
	}
	names := label(draw.XRight, draw.YCenter)
	left := vg.Length(0)
	for _, c := range m.Classes {
		left = max(left, names.Width(clean(c)))
	}
	left = min(left, 90) + 6 + lineStep
	width := vg.Length(squareWidth)
	if n > 4 {
		width = FigureWidth
	}
	cell := min((width-2*margin-left)/vg.Length(n), 84)
	// Square cells; class names under the columns, and the name of the axis.
	bottom := vg.Length(2*lineStep + 4)
	h := header{title: m.Title, width: width - 2*margin}
	height := h.height() + cell*vg.Length(n) + bottom + 2*margin
	return &Figure{title: m.Title, w: width, h: height, paint: func(c draw.Canvas) {
		c = h.draw(draw.Crop(c, margin, -margin, margin, -margin))
		m.cells(c, c.Min.X+left, cell)
	}}, nil
}

// cells paints the matrix with its upper left corner at x0 and the top of c.
func (m Confusion) cells(c draw.Canvas, x0, cell vg.Length) {
	n := vg.Length(len(m.Classes))
	name := label(draw.XRight, draw.YCenter)
	column := label(draw.XCenter, draw.YTop)
	for i, row := range m.Counts {
		total := 0
		for _, k := range row {
			total += k
		}
		y1 := c.Max.Y - vg.Length(i)*cell
		y0 := y1 - cell
		c.FillText(name, vg.Point{X: x0 - 5, Y: (y0 + y1) / 2}, shorten(m.Classes[i], name, 90))
		for j, k := range row {
			share := 0.0
			if total > 0 {
				share = float64(k) / float64(total)
			}
			x := x0 + vg.Length(j)*cell
			// One hue on white: what is empty does not call for attention.
			fill := fade(Palette(0), 0.06+0.9*share)
			if total == 0 {
				fill = faint
			}
			c.SetColor(fill)
			c.Fill(box(x+0.5, y0+0.5, x+cell-0.5, y1-0.5))
			mid := vg.Point{X: x + cell/2, Y: (y0 + y1) / 2}
			if cell < 40 {
				small := textStyle(min(textSize, cell*0.42), false, draw.XCenter, draw.YCenter)
				small.Color = over(fill)
				c.FillText(small, mid, strconv.Itoa(k))
				continue
			}
			big := textStyle(13, true, draw.XCenter, draw.YBottom)
			big.Color = over(fill)
			c.FillText(big, mid, strconv.Itoa(k))
			small := label(draw.XCenter, draw.YTop)
			small.Color = over(fill)
			c.FillText(small, vg.Point{X: mid.X, Y: mid.Y - 1}, fmt.Sprintf("%.1f %%", 100*share))
		}
	}
	bottom := c.Max.Y - n*cell
	for j, s := range m.Classes {
		c.FillText(column, vg.Point{X: x0 + (vg.Length(j)+0.5)*cell, Y: bottom - 3}, shorten(s, column, cell-2))
	}
	c.FillText(column, vg.Point{X: x0 + n*cell/2, Y: bottom - 3 - lineStep}, "predicted class")
	turned := label(draw.XCenter, draw.YTop)
	turned.Rotation = quarter
	c.FillText(turned, vg.Point{X: c.Min.X, Y: c.Max.Y - n*cell/2}, "true class")
}

const quarter = 1.5707963267948966 // of a turn, in radians

// over returns ink or white, whichever is read better on the colour: by the
// relative luminance of WCAG 2 their contrasts are equal near 0.21, which is
// 0.24 with the square in place of the sRGB curve.
func over(c color.RGBA) color.Color {
	square := func(v uint8) float64 { return float64(v) * float64(v) / (255 * 255) }
	if 0.2126*square(c.R)+0.7152*square(c.G)+0.0722*square(c.B) > 0.24 {
		return ink
	}
	return color.White
}

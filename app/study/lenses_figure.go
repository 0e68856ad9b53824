package study

import (
	"bytes"
	"fmt"
	"math"

	"heed/plot"
)

// fieldFigure shows the receptive fields of one mark in two pictures, side by side:
// a square for every token, whose side grows with the root of its share.
func fieldFigure(kind string, g lensGrid, maps [2][]float64, at [2][2]int) Figure {
	const cell, gap, top = 20, 24, 26
	wide := g.columns*cell + gap
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Receptive fields of %s">`, 2*wide, g.rows*cell+top+4, 2*wide, g.rows*cell+top+4, kind)
	fmt.Fprintf(&b, `<rect x="0" y="0" width="%d" height="%d" fill="#ffffff"/>`, 2*wide, g.rows*cell+top+4)
	ink, signal := hexOf(0), hexOf(1)
	for i, m := range maps {
		x0 := i*wide + gap/2
		fmt.Fprintf(&b, `<text x="%d" y="16" font-family="Liberation Sans, Arial, Helvetica, sans-serif" font-size="12" fill="#222222">%s, picture %d</text>`, x0, kind, i+1)
		for j, v := range m {
			x, y := float64(x0+j%g.columns*cell), float64(top+j/g.columns*cell)
			fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%d" height="%d" fill="none" stroke="#dddddd"/>`, x, y, cell, cell)
			if side := float64(cell) * math.Sqrt(math.Sqrt(v)); side >= 0.5 {
				fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, x+(cell-side)/2, y+(cell-side)/2, side, side, ink)
			}
			if j == at[i][0] || j == at[i][1] {
				fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%d" height="%d" fill="none" stroke="%s" stroke-width="2"/>`, x+1, y+1, cell-2, cell-2, signal)
			}
		}
	}
	b.WriteString("</svg>\n")
	return Figure{Name: "field-" + kind, Alt: "Receptive fields of one mark in two pictures, " + kind,
		Caption: "Where the gradient that reaches the first mark comes from, itself left out, in two pictures with the partner at different places (both marks are framed). The area of a square grows with the root of its share, so that little things are seen. " + kind + ", first seed, the last task.", SVG: b.Bytes()}
}

func hexOf(i int) string {
	c := plot.Palette(i)
	return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)
}

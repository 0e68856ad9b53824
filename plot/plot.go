// Package plot draws the figures of a report from plain numbers.
//
// In flow structs of slices (Training, ROC, PR, Reliability, Confusion, Bars, Lines,
// Track, Histogram, Logo, ContactMap), each of which says what its fields mean and in which
// unit; their Figure method checks them and lays the figure out. Out flow a
// Figure, which renders to SVG or PNG, and for matrices too large for vectors
// HeatmapPNG. The package reads no file and computes no statistic.
//
// The same input gives the same bytes. Figures have a white ground, one width
// (FigureWidth, or half of it for square ones) and one type size, and colours
// that colour-blind people can tell apart. An SVG carries no style attribute,
// no script, no reference and no font: it may be placed inside a page with a
// strict content security policy. Its text asks for Liberation Sans, Arial or
// Helvetica, whose letters have equal widths; sequence logos draw their letters
// as paths.
package plot

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// FigureWidth is the width of a figure as wide as the text of a report, in
// points of 1/72 inch (720 CSS pixels).
const FigureWidth = 540

// squareWidth is the width of figures with a square panel, two to a row.
const squareWidth = 262

// Figure is a drawing that has been laid out.
type Figure struct {
	title string
	w, h  vg.Length
	paint func(draw.Canvas)
}

// Size returns width and height in points of 1/72 inch.
func (f *Figure) Size() (w, h float64) { return f.w.Points(), f.h.Points() }

// SVG returns the figure as one SVG element with its title as label.
func (f *Figure) SVG() []byte {
	c := vgsvg.New(f.w, f.h)
	f.render(c)
	var b bytes.Buffer
	c.WriteTo(&b) // a buffer does not fail
	return inline(b.Bytes(), f.title, f.w, f.h)
}

// WritePNG writes the figure as PNG at the given resolution in dots per inch:
// 96 for a screen, 300 for print.
func (f *Figure) WritePNG(w io.Writer, dpi int) error {
	if dpi < 10 || dpi > 2400 {
		return fmt.Errorf("plot: resolution of %d dots per inch is not in [10, 2400]", dpi)
	}
	c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(f.w, f.h), vgimg.UseDPI(dpi))}
	f.render(c)
	_, err := c.WriteTo(w)
	return err
}

func (f *Figure) render(s vg.CanvasSizer) {
	c := draw.New(s)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	f.paint(c)
}

// Position converts an index into a sequence to the coordinate of the promoter
// literature: the base at index tss is +1, the one before it is -1, and there
// is no 0.
func Position(index, tss int) int {
	if index < tss {
		return index - tss
	}
	return index - tss + 1
}

// sameLength checks that y has as many values as x.
func sameLength(figure, name string, x, y []float64) error {
	if len(x) != len(y) {
		return fmt.Errorf("plot: %s: %q has %d x and %d y values", figure, name, len(x), len(y))
	}
	return nil
}

// finite checks that all values can be drawn.
func finite(figure, name string, values ...[]float64) error {
	for _, v := range values {
		for i, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("plot: %s: value %d of %q is %v", figure, i, name, x)
			}
		}
	}
	return nil
}

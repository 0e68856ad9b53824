package plot

import (
	"image/color"
	"math"
	"strconv"

	xfont "golang.org/x/image/font"
	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes of type, in points.
const (
	textSize  = 9.5
	titleSize = 10.5
	lineStep  = 14 // distance of two lines of a legend
)

var (
	ink   = color.RGBA{0x22, 0x22, 0x22, 0xff} // text
	frame = color.RGBA{0x66, 0x66, 0x66, 0xff} // axes
	faint = color.RGBA{0xe4, 0xe4, 0xe4, 0xff} // grid
)

func textStyle(size vg.Length, bold bool, x text.XAlignment, y text.YAlignment) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: ink, Font: f, XAlign: x, YAlign: y, Handler: gonum.DefaultTextHandler}
}

// label is the style of all text but titles.
func label(x text.XAlignment, y text.YAlignment) text.Style { return textStyle(textSize, false, x, y) }

// fade lays a colour thinly over white, as an opaque colour, so that SVG and
// PNG agree.
func fade(c color.RGBA, strength float64) color.RGBA {
	mix := func(v uint8) uint8 { return uint8(255 - (255-float64(v))*strength + 0.5) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 0xff}
}

// translucent is for areas that overlap lines or each other.
func translucent(c color.RGBA, alpha float64) color.NRGBA {
	return color.NRGBA{c.R, c.G, c.B, uint8(alpha*255 + 0.5)}
}

func line(c color.Color, width vg.Length, dashes ...vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width, Dashes: dashes}
}

// dashOf gives each series a pattern of its own beside its colour.
func dashOf(i int) []vg.Length {
	switch i % 4 {
	case 1:
		return []vg.Length{5, 2}
	case 2:
		return []vg.Length{1.5, 1.5}
	case 3:
		return []vg.Length{6, 2, 1.5, 2}
	}
	return nil
}

// newPlot returns an empty panel in the style of the house. Empty labels take
// no room.
func newPlot(xLabel, yLabel string) *gonum.Plot {
	p := gonum.New()
	p.BackgroundColor = nil
	for _, a := range []*gonum.Axis{&p.X, &p.Y} {
		a.LineStyle = line(frame, 0.6)
		a.Tick.LineStyle = line(frame, 0.6)
		a.Tick.Length = 3.5
		a.Tick.Marker = gonum.TickerFunc(ticks)
		a.Padding = 0
		a.Label.Padding = 3
	}
	p.X.Label.Text, p.Y.Label.Text = clean(xLabel), clean(yLabel)
	p.X.Label.TextStyle = label(draw.XCenter, draw.YBottom)
	p.Y.Label.TextStyle = label(draw.XCenter, draw.YBottom)
	p.X.Tick.Label = label(draw.XCenter, draw.YTop)
	p.Y.Tick.Label = label(draw.XRight, draw.YCenter)
	return p
}

// ticks returns 4 to 7 round values, labelled with as few digits as tell them
// apart.
func ticks(low, high float64) []gonum.Tick {
	if !(high > low) || math.IsInf(high-low, 0) {
		return []gonum.Tick{{Value: low, Label: strconv.FormatFloat(low, 'g', 4, 64)}}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, m := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*m) <= 6.5 {
			step *= m
			break
		}
	}
	digits := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	var out []gonum.Tick
	// Multiples of the step, not a running sum, so that 0 is 0.
	for k := math.Ceil(low/step - 1e-9); k*step <= high+step*1e-9; k++ {
		v := k*step + 0 // turns -0 into 0
		s := strconv.FormatFloat(v, 'f', digits, 64)
		if digits > 6 || math.Abs(v) >= 1e7 {
			s = strconv.FormatFloat(v, 'g', 4, 64)
		}
		out = append(out, gonum.Tick{Value: v, Label: s})
	}
	return out
}

// grid draws faint lines at the labelled ticks of both axes, under the data, but
// not along the axes themselves.
type grid struct{ x, y bool }

func (g grid) Plot(c draw.Canvas, p *gonum.Plot) {
	trX, trY := p.Transforms(&c)
	if g.x {
		for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
			if x := trX(t.Value); x > c.Min.X+1 && x <= c.Max.X {
				c.StrokeLine2(line(faint, 0.5), x, c.Min.Y, x, c.Max.Y)
			}
		}
	}
	if g.y {
		for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
			if y := trY(t.Value); y > c.Min.Y+1 && y <= c.Max.Y {
				c.StrokeLine2(line(faint, 0.5), c.Min.X, y, c.Max.X, y)
			}
		}
	}
}

// key is one entry of a legend.
type key struct {
	text  string
	style draw.LineStyle
	area  color.Color // a box instead of a line when not nil
}

const keyWidth = 18

// header is the title and the legend above a figure; it never covers data.
type header struct {
	title string
	keys  []key
	width vg.Length
}

// rows breaks the legend into lines that fit the width.
func (h header) rows() [][]key {
	var rows [][]key
	x := vg.Length(0)
	sty := label(draw.XLeft, draw.YCenter)
	for _, k := range h.keys {
		w := keyWidth + 4 + sty.Width(clean(k.text)) + 14
		if len(rows) == 0 || x+w-14 > h.width {
			rows, x = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], k)
		x += w
	}
	return rows
}

// height returns what draw takes from the top.
func (h header) height() vg.Length {
	out := vg.Length(len(h.rows())) * lineStep
	if h.title != "" {
		out += titleSize + 7
	}
	return out + 4
}

// draw paints title and legend and returns the canvas below.
func (h header) draw(c draw.Canvas) draw.Canvas {
	y := c.Max.Y - 1
	if h.title != "" {
		c.FillText(textStyle(titleSize, true, draw.XLeft, draw.YTop), vg.Point{X: c.Min.X, Y: y}, shorten(h.title, textStyle(titleSize, true, 0, 0), h.width))
		y -= titleSize + 7
	}
	sty := label(draw.XLeft, draw.YCenter)
	for _, row := range h.rows() {
		x, mid := c.Min.X, y-lineStep/2
		for _, k := range row {
			if k.area != nil {
				c.SetColor(k.area)
				c.Fill(box(x, mid-4, x+keyWidth, mid+4))
			}
			if k.style.Width > 0 {
				c.StrokeLine2(k.style, x, mid, x+keyWidth, mid)
			}
			s := shorten(k.text, sty, h.width-keyWidth-4)
			c.FillText(sty, vg.Point{X: x + keyWidth + 4, Y: mid}, s)
			x += keyWidth + 4 + sty.Width(s) + 14
		}
		y -= lineStep
	}
	return draw.Crop(c, 0, 0, 0, -h.height())
}

// box is a rectangle as a path.
func box(x0, y0, x1, y1 vg.Length) vg.Path {
	return vg.Rectangle{Min: vg.Point{X: x0, Y: y0}, Max: vg.Point{X: x1, Y: y1}}.Path()
}

// shorten cuts a text that is too wide and marks the cut.
func shorten(s string, sty text.Style, width vg.Length) string {
	s = clean(s)
	if sty.Width(s) <= width {
		return s
	}
	r := []rune(s)
	for len(r) > 1 && sty.Width(string(r)+"…") > width {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// margin keeps strokes at the edge of a figure from being cut.
const margin = 4

// single lays out one panel under a header.
func single(title string, width, panelHeight vg.Length, keys []key, p *gonum.Plot) *Figure {
	h := header{title: title, keys: keys, width: width - 2*margin}
	return &Figure{title: title, w: width, h: panelHeight + h.height() + 2*margin, paint: func(c draw.Canvas) {
		p.Draw(h.draw(draw.Crop(c, margin, -margin, margin, -margin)))
	}}
}

// stacked lays out panels above one another with aligned data areas; shares
// are their parts of the height.
func stacked(title string, width, height vg.Length, keys []key, shares []float64, panels ...*gonum.Plot) *Figure {
	h := header{title: title, keys: keys, width: width - 2*margin}
	return &Figure{title: title, w: width, h: height + h.height() + 2*margin, paint: func(c draw.Canvas) {
		c = h.draw(draw.Crop(c, margin, -margin, margin, -margin))
		// Panels differ in the width of their tick labels: the widest decides
		// where all data areas begin.
		left, right := c.Min.X, c.Max.X
		for _, p := range panels {
			d := p.DataCanvas(c)
			left, right = max(left, d.Min.X), min(right, d.Max.X)
		}
		total := c.Max.Y - c.Min.Y
		top := c.Max.Y
		for i, p := range panels {
			bottom := top - total*vg.Length(shares[i])
			pane := c
			pane.Max.Y, pane.Min.Y = top-4, bottom
			d := p.DataCanvas(pane)
			pane.Min.X += left - d.Min.X
			pane.Max.X -= d.Max.X - right
			p.Draw(pane)
			top = bottom
		}
	}}
}

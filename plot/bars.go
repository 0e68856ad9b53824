package plot

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Origin says where a score comes from; it decides the colour of a bar.
type Origin int

// The origins.
const (
	Floor     Origin = iota // a trivial method that every score is compared to
	Published               // a number from the literature
	Ours                    // measured here
)

func (o Origin) color() color.RGBA {
	switch o {
	case Ours:
		return Palette(0)
	case Published:
		return Palette(4)
	}
	return color.RGBA{0x8c, 0x8c, 0x8c, 0xff}
}

func (o Origin) String() string {
	switch o {
	case Ours:
		return "measured here"
	case Published:
		return "published"
	}
	return "floor"
}

// Bar is one row of a comparison.
type Bar struct {
	Name      string
	Value     float64
	Low, High float64 // 95 % interval; both NaN or both 0 for none
	Origin    Origin
	Text      string // printed at the right; empty for the value with two or three digits
}

// Bars compares scores as horizontal bars from zero, with intervals, in the
// given order.
type Bars struct {
	Title  string
	XLabel string // name and unit of the values
	Rows   []Bar
	XMax   float64 // right end of the axis; 0 for the largest value
}

// Figure draws the bars. The height follows the number of rows.
func (b Bars) Figure() (*Figure, error) {
	if len(b.Rows) == 0 {
		return nil, fmt.Errorf("plot: bars without a row")
	}
	low, high := 0.0, b.XMax
	name, value := label(draw.XRight, draw.YCenter), label(draw.XLeft, draw.YCenter)
	left, right := vg.Length(0), vg.Length(0)
	texts := make([]string, len(b.Rows))
	seen := map[Origin]bool{}
	for i, r := range b.Rows {
		if err := finite("bars", r.Name, []float64{r.Value}); err != nil {
			return nil, err
		}
		if math.IsInf(r.Low, 0) || math.IsInf(r.High, 0) {
			return nil, fmt.Errorf("plot: bars: the interval of %q is infinite", r.Name)
		}
		low, high = min(low, r.Value), max(high, r.Value)
		if hasInterval(r.Low, r.High) {
			low, high = min(low, r.Low), max(high, r.High)
		}
		texts[i] = clean(r.Text)
		if r.Text == "" {
			texts[i] = fmt.Sprintf("%.3g", r.Value)
			if hasInterval(r.Low, r.High) {
				texts[i] += fmt.Sprintf(" (%.3g–%.3g)", r.Low, r.High)
			}
		}
		left = max(left, name.Width(clean(r.Name)))
		right = max(right, value.Width(texts[i]))
		seen[r.Origin] = true
	}
	if low == high {
		high = 1
	}
	left, right = min(left, 190), min(right, 150)
	var keys []key
	for _, o := range []Origin{Ours, Published, Floor} {
		if seen[o] {
			keys = append(keys, key{text: o.String(), area: o.color()})
		}
	}
	const row = 19
	h := header{title: b.Title, keys: keys, width: FigureWidth - 2*margin}
	height := h.height() + row*vg.Length(len(b.Rows)) + 2*lineStep + 8 + 2*margin
	return &Figure{title: b.Title, w: FigureWidth, h: height, paint: func(c draw.Canvas) {
		c = h.draw(draw.Crop(c, margin, -margin, margin, -margin))
		x0, x1 := c.Min.X+left+8, c.Max.X-right-12
		at := func(v float64) vg.Length { return x0 + (x1-x0)*vg.Length((v-low)/(high-low)) }
		bottom := c.Max.Y - row*vg.Length(len(b.Rows))
		tick := label(draw.XCenter, draw.YTop)
		for _, t := range ticks(low, high) {
			x := at(t.Value)
			c.StrokeLine2(line(faint, 0.5), x, bottom, x, c.Max.Y)
			c.StrokeLine2(line(frame, 0.6), x, bottom, x, bottom-3.5)
			c.FillText(tick, vg.Point{X: x, Y: bottom - 5}, t.Label)
		}
		c.StrokeLine2(line(frame, 0.6), x0, bottom, x1, bottom)
		c.FillText(tick, vg.Point{X: (x0 + x1) / 2, Y: bottom - 6 - lineStep}, clean(b.XLabel))
		for i, r := range b.Rows {
			mid := c.Max.Y - row*(vg.Length(i)+0.5)
			n := name
			if r.Origin == Ours {
				n = textStyle(textSize, true, draw.XRight, draw.YCenter)
			}
			c.FillText(n, vg.Point{X: x0 - 6, Y: mid}, shorten(r.Name, n, left))
			c.SetColor(r.Origin.color())
			c.Fill(box(at(0), mid-6, at(r.Value), mid+6))
			if hasInterval(r.Low, r.High) {
				sty := line(ink, 1)
				l, u := at(r.Low), at(r.High)
				c.StrokeLine2(sty, l, mid, u, mid)
				c.StrokeLine2(sty, l, mid-3, l, mid+3)
				c.StrokeLine2(sty, u, mid-3, u, mid+3)
			}
			c.FillText(value, vg.Point{X: x1 + 10, Y: mid}, shorten(texts[i], value, right))
		}
		c.StrokeLine2(line(frame, 0.6), at(0), bottom, at(0), c.Max.Y)
	}}, nil
}

// hasInterval tells an interval from fields that were left alone.
func hasInterval(low, high float64) bool {
	return !math.IsNaN(low) && !math.IsNaN(high) && (low != 0 || high != 0)
}

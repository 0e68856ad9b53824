package plot

import (
	"fmt"
	"math"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ReliabilityBin compares predicted with observed in one range of scores.
type ReliabilityBin struct {
	Low, High         float64 // range of scores
	N                 int     // examples
	MeanScore         float64 // mean predicted probability
	Fraction          float64 // observed share of positives
	FracLow, FracHigh float64 // interval of Fraction; NaN to leave it out
}

// Reliability shows the observed share of positives against the predicted
// probability, and below it how many examples each bin holds. Bins without
// examples are left out.
type Reliability struct {
	Title      string
	Bins       []ReliabilityBin
	ECE, Brier float64 // printed in the legend; NaN to leave out
}

// Figure draws the diagram.
func (r Reliability) Figure() (*Figure, error) {
	p := unitPlot("", "observed share of positives")
	p.Add(segment{0, 0, 1, 1, line(frame, 0.8, 3, 3)})
	counts := newPlot("predicted probability", "examples")
	counts.X.Min, counts.X.Max = 0, 1
	var bars []histogramBar
	most := 0
	total := 0
	for i, b := range r.Bins {
		if b.N < 0 {
			return nil, fmt.Errorf("plot: reliability: bin %d has %d examples", i, b.N)
		}
		if b.N == 0 {
			continue
		}
		if err := finite("reliability", fmt.Sprintf("bin %d", i), []float64{b.Low, b.High, b.MeanScore, b.Fraction}); err != nil {
			return nil, err
		}
		most = max(most, b.N)
		total += b.N
		bars = append(bars, histogramBar{b.Low, b.High, float64(b.N)})
		p.Add(marker{b.MeanScore, b.Fraction, b.FracLow, b.FracHigh})
	}
	if total == 0 {
		return nil, fmt.Errorf("plot: reliability without examples")
	}
	counts.Y.Min, counts.Y.Max = 0, float64(most)*1.08
	counts.Y.Tick.Marker = gonum.TickerFunc(fewTicks)
	counts.Add(grid{y: true}, histogramBars{bars: bars, fill: fade(Palette(0), 0.55)})
	keys := []key{{text: "perfect calibration", style: line(frame, 0.8, 3, 3)}}
	s := ""
	if !math.IsNaN(r.ECE) {
		s = fmt.Sprintf("ECE %.3f", r.ECE)
	}
	if !math.IsNaN(r.Brier) {
		if s != "" {
			s += ", "
		}
		s += fmt.Sprintf("Brier %.3f", r.Brier)
	}
	if s != "" {
		keys = append(keys, key{text: s, style: line(Palette(0), 1.5)})
	}
	return stacked(r.Title, squareWidth, 306, keys, []float64{0.7, 0.3}, p, counts), nil
}

// fewTicks labels the ends and the middle of a low panel.
func fewTicks(low, high float64) []gonum.Tick {
	all := ticks(low, high)
	if len(all) <= 3 {
		return all
	}
	out := all[:0:0]
	every := (len(all) + 1) / 3
	for i := 0; i < len(all); i += every {
		out = append(out, all[i])
	}
	return out
}

// marker is a point with a vertical interval.
type marker struct{ x, y, low, high float64 }

func (m marker) Plot(c draw.Canvas, p *gonum.Plot) {
	trX, trY := p.Transforms(&c)
	x := trX(m.x)
	if !math.IsNaN(m.low) && !math.IsNaN(m.high) {
		sty := line(Palette(0), 0.9)
		y0, y1 := trY(m.low), trY(m.high)
		c.StrokeLine2(sty, x, y0, x, y1)
		c.StrokeLine2(sty, x-2.5, y0, x+2.5, y0)
		c.StrokeLine2(sty, x-2.5, y1, x+2.5, y1)
	}
	c.DrawGlyphNoClip(draw.GlyphStyle{Color: Palette(0), Radius: 3, Shape: draw.CircleGlyph{}}, vg.Point{X: x, Y: trY(m.y)})
}

type histogramBar struct{ low, high, height float64 }

// histogramBars fills bars from the axis up, and may outline them as one shape.
type histogramBars struct {
	bars    []histogramBar
	fill    interface{ RGBA() (r, g, b, a uint32) }
	outline draw.LineStyle
}

func (h histogramBars) Plot(c draw.Canvas, p *gonum.Plot) {
	trX, trY := p.Transforms(&c)
	base := trY(0)
	c.SetColor(h.fill)
	for _, b := range h.bars {
		if b.height > 0 {
			// A hair of white between bars.
			c.Fill(box(trX(b.low)+0.25, base, trX(b.high)-0.25, trY(b.height)))
		}
	}
	if h.outline.Width > 0 {
		var pts []vg.Point
		for _, b := range h.bars {
			pts = append(pts, vg.Point{X: trX(b.low), Y: trY(b.height)}, vg.Point{X: trX(b.high), Y: trY(b.height)})
		}
		if len(pts) > 0 {
			first, last := pts[0], pts[len(pts)-1]
			pts = append([]vg.Point{{X: first.X, Y: base}}, pts...)
			pts = append(pts, vg.Point{X: last.X, Y: base})
			c.StrokeLines(h.outline, pts)
		}
	}
}

// Sample is a named set of values (n) of any length.
type Sample struct {
	Name   string
	Values []float64
}

// Histogram shows the distribution of one or more samples over common bins of
// equal width.
type Histogram struct {
	Title   string
	Samples []Sample
	Bins    int // 0 stands for 20
	XLabel  string
	Share   bool // heights are shares of each sample, not counts
}

// Figure draws the bars, each sample as outline over a light area.
func (h Histogram) Figure() (*Figure, error) {
	bins := h.Bins
	if bins == 0 {
		bins = 20
	}
	if bins < 1 || bins > 1000 {
		return nil, fmt.Errorf("plot: histogram of %d bins", h.Bins)
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, s := range h.Samples {
		if err := finite("histogram", s.Name, s.Values); err != nil {
			return nil, err
		}
		for _, v := range s.Values {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		return nil, fmt.Errorf("plot: histogram without values")
	}
	if low == high {
		low, high = low-0.5, high+0.5
	}
	p := newPlot(h.XLabel, "count")
	if h.Share {
		p.Y.Label.Text = "share"
	}
	p.Add(grid{y: true})
	p.X.Min, p.X.Max, p.Y.Min = low, high, 0
	var keys []key
	top := 0.0
	for i, s := range h.Samples {
		bars := make([]histogramBar, bins)
		w := (high - low) / float64(bins)
		for k := range bars {
			bars[k].low, bars[k].high = low+w*float64(k), low+w*float64(k+1)
		}
		unit := 1.0
		if h.Share {
			unit = 1 / float64(max(1, len(s.Values)))
		}
		for _, v := range s.Values {
			k := min(int((v-low)/w), bins-1)
			bars[k].height += unit
			top = max(top, bars[k].height)
		}
		sty := seriesLine(i)
		fill := translucent(Palette(i), 0.25)
		p.Add(histogramBars{bars: bars, fill: fill, outline: sty})
		keys = append(keys, key{text: fmt.Sprintf("%s (n = %d)", s.Name, len(s.Values)), style: sty, area: fill})
	}
	p.Y.Max = top * 1.05
	return single(h.Title, FigureWidth, 200, keys, p), nil
}

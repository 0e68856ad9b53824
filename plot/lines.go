package plot

import (
	"fmt"
	"math"
	"strconv"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Line is one quantity measured at some points (n).
type Line struct {
	Name      string
	X, Y      []float64
	Low, High []float64 // shaded interval; nil for none
	Theory    bool      // a law, not a measurement: it has no points
}

// Lines shows quantities against another one, such as an error against a size, on
// linear or logarithmic axes.
type Lines struct {
	Title          string
	XLabel, YLabel string // names and units
	LogX, LogY     bool
	YMin, YMax     float64 // ends of a linear axis; both 0 for those of the data
	Lines          []Line
}

// Figure draws the lines with a dot at every point that was measured.
func (l Lines) Figure() (*Figure, error) {
	const name = "lines"
	if len(l.Lines) == 0 {
		return nil, fmt.Errorf("plot: %s without a line", name)
	}
	p := newPlot(l.XLabel, l.YLabel)
	// Logarithms are taken here and not by the axes, which would leave room for
	// their labels as if these stood at the middle of the values.
	for _, a := range []struct {
		axis *gonum.Axis
		log  bool
	}{{&p.X, l.LogX}, {&p.Y, l.LogY}} {
		if a.log {
			a.axis.Tick.Marker = gonum.TickerFunc(logTicks)
		}
	}
	p.Add(grid{x: true, y: true})
	var keys []key
	for i, s := range l.Lines {
		if err := s.check(l); err != nil {
			return nil, err
		}
		if l.LogX {
			s.X = logs(s.X)
		}
		if l.LogY {
			s.Y, s.Low, s.High = logs(s.Y), logs(s.Low), logs(s.High)
		}
		sty := seriesLine(i)
		k := key{text: s.Name, style: sty}
		if s.Low != nil {
			k.area = translucent(Palette(i), 0.18)
			a, err := (&Band{X: s.X, Low: s.Low, High: s.High}).polygon(k.area)
			if err != nil {
				return nil, err
			}
			p.Add(a)
		}
		c, err := curve(s.X, s.Y, sty, false)
		if err != nil {
			return nil, err
		}
		p.Add(c)
		if !s.Theory {
			p.Add(dots{s.X, s.Y, sty})
		}
		keys = append(keys, k)
	}
	if !l.LogY && l.YMin != l.YMax {
		p.Y.Min, p.Y.Max = l.YMin, l.YMax
	} else {
		widen(&p.Y)
	}
	return single(l.Title, FigureWidth, 230, keys, p), nil
}

// check reports what cannot be drawn.
func (s *Line) check(l Lines) error {
	const name = "lines"
	if len(s.X) == 0 {
		return fmt.Errorf("plot: %s: %q has no points", name, s.Name)
	}
	if err := sameLength(name, s.Name, s.X, s.Y); err != nil {
		return err
	}
	if (s.Low == nil) != (s.High == nil) {
		return fmt.Errorf("plot: %s: %q has one end of an interval", name, s.Name)
	}
	if s.Low != nil {
		if err := (&Band{X: s.X, Low: s.Low, High: s.High}).check(name); err != nil {
			return err
		}
	}
	if err := finite(name, s.Name, s.X, s.Y); err != nil {
		return err
	}
	for _, a := range []struct {
		log    bool
		values [][]float64
	}{{l.LogX, [][]float64{s.X}}, {l.LogY, [][]float64{s.Y, s.Low, s.High}}} {
		for _, values := range a.values {
			for _, v := range values {
				if a.log && v <= 0 {
					return fmt.Errorf("plot: %s: %v of %q on a logarithmic axis", name, v, s.Name)
				}
			}
		}
	}
	return nil
}

// dots marks the points of a line.
type dots struct {
	x, y  []float64
	style draw.LineStyle
}

func (d dots) Plot(c draw.Canvas, p *gonum.Plot) {
	trX, trY := p.Transforms(&c)
	for i := range d.x {
		at := vg.Point{X: trX(d.x[i]), Y: trY(d.y[i])}
		if c.Contains(at) {
			c.DrawGlyph(draw.GlyphStyle{Color: d.style.Color, Radius: 2.2, Shape: draw.CircleGlyph{}}, at)
		}
	}
}

// logs returns the decimal logarithms, nil of nil.
func logs(x []float64) []float64 {
	if x == nil {
		return nil
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Log10(v)
	}
	return out
}

// logTicks labels an axis of decimal logarithms: powers of ten, every second one or
// fewer if there are many, and 2 and 5 between them if there are few.
func logTicks(low, high float64) []gonum.Tick {
	first, last := int(math.Floor(low)), int(math.Ceil(high))
	steps := []float64{1, 2, 5}
	every := 1 + (last-first)/8
	if last-first > 3 {
		steps = steps[:1]
	}
	var out []gonum.Tick
	for e := first; e <= last; e++ {
		if e%every != 0 {
			continue
		}
		for _, m := range steps {
			v, at := m*math.Pow(10, float64(e)), float64(e)+math.Log10(m)
			if at < low-1e-9 || at > high+1e-9 {
				continue
			}
			s := strconv.FormatFloat(v, 'g', 4, 64)
			if v >= 1e4 && v < 1e6 {
				s = strconv.FormatFloat(v, 'f', 0, 64)
			}
			out = append(out, gonum.Tick{Value: at, Label: s})
		}
	}
	return out
}

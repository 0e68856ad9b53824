package plot

import (
	"fmt"
	"math"
	"strings"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Mark is a stretch of positions with a name, such as an expected motif. From
// and To are inclusive.
type Mark struct {
	From, To float64
	Name     string
}

// TrackLine is one quantity along a sequence.
type TrackLine struct {
	Name      string
	Y         []float64 // (L)
	Low, High []float64 // (L) shaded interval; nil for none
}

// Track shows quantities along the positions of a sequence, such as the mean
// effect of mutations, with the positions of known motifs marked.
type Track struct {
	Title  string
	X      []float64 // (L) rising positions in bp relative to the TSS, see Position
	Lines  []TrackLine
	Marks  []Mark
	XLabel string // empty for "position relative to TSS (bp)"
	YLabel string
}

// Figure draws the lines, each with its shaded interval, over the marks. The
// names of marks stand above the panel.
func (t Track) Figure() (*Figure, error) {
	const name = "track"
	if len(t.X) == 0 || len(t.Lines) == 0 {
		return nil, fmt.Errorf("plot: %s of %d positions and %d lines", name, len(t.X), len(t.Lines))
	}
	for i := 1; i < len(t.X); i++ {
		if !(t.X[i] > t.X[i-1]) {
			return nil, fmt.Errorf("plot: %s: position %v follows %v", name, t.X[i], t.X[i-1])
		}
	}
	if err := finite(name, "X", t.X); err != nil {
		return nil, err
	}
	xLabel := t.XLabel
	if xLabel == "" {
		xLabel = "position relative to TSS (bp)"
	}
	p := newPlot(xLabel, t.YLabel)
	p.X.Tick.Marker = gonum.TickerFunc(positionTicks)
	first, last := t.X[0], t.X[len(t.X)-1]
	m, err := t.marks(first, last)
	if err != nil {
		return nil, err
	}
	p.Add(m, grid{x: true, y: true}, zero{})
	var keys []key
	for i, l := range t.Lines {
		if err := sameLength(name, l.Name, t.X, l.Y); err != nil {
			return nil, err
		}
		if err := finite(name, l.Name, l.Y); err != nil {
			return nil, err
		}
		sty := seriesLine(i)
		k := key{text: l.Name, style: sty}
		if l.Low != nil || l.High != nil {
			b := &Band{X: t.X, Low: l.Low, High: l.High}
			if err := b.check(name); err != nil {
				return nil, err
			}
			k.area = translucent(Palette(i), 0.2)
			a, err := b.polygon(k.area)
			if err != nil {
				return nil, err
			}
			p.Add(a)
		}
		c, err := curve(t.X, l.Y, sty, false)
		if err != nil {
			return nil, err
		}
		p.Add(c)
		keys = append(keys, k)
	}
	p.X.Min, p.X.Max = first, last
	widen(&p.Y)
	h := header{title: t.Title, keys: keys, width: FigureWidth - 2*margin}
	above := vg.Length(m.levels) * 12
	return &Figure{title: t.Title, w: FigureWidth, h: 190 + above + h.height() + 2*margin, paint: func(c draw.Canvas) {
		c = h.draw(draw.Crop(c, margin, -margin, margin, -margin))
		p.Draw(draw.Crop(c, 0, 0, 0, -above))
	}}, nil
}

// zero is a line at y = 0 where the panel has it.
type zero struct{}

func (zero) Plot(c draw.Canvas, p *gonum.Plot) {
	_, trY := p.Transforms(&c)
	if y := trY(0); c.ContainsY(y) {
		c.StrokeLine2(line(frame, 0.7), c.Min.X, y, c.Max.X, y)
	}
}

// marks holds the stretches and the line above the panel on which each name is
// printed, so that names do not overlap.
type marks struct {
	marks  []Mark
	level  []int
	levels int
}

// marks gives each name the lowest free level. The width of the data area is
// estimated from that of the figure; it only needs to be no larger.
func (t Track) marks(first, last float64) (marks, error) {
	m := marks{marks: t.Marks, level: make([]int, len(t.Marks))}
	sty := label(draw.XCenter, draw.YBottom)
	unit := (FigureWidth - 70) / (last - first)
	if math.IsInf(unit, 0) {
		unit = 1
	}
	type span struct{ a, b float64 }
	var taken [][]span
	for i, k := range t.Marks {
		if err := finite("track", k.Name, []float64{k.From, k.To}); err != nil {
			return m, err
		}
		if k.To < k.From {
			return m, fmt.Errorf("plot: track: mark %q runs from %v to %v", k.Name, k.From, k.To)
		}
		if k.To < first || k.From > last || k.Name == "" {
			continue
		}
		half := float64(sty.Width(clean(k.Name))) / 2
		mid := nameAt(((k.From+k.To)/2-first)*unit, half, 0, (last-first)*unit)
		s := span{mid - half - 5, mid + half + 5}
		level := 0
	search:
		for ; level < len(taken); level++ {
			for _, o := range taken[level] {
				if s.a < o.b && o.a < s.b {
					continue search
				}
			}
			break
		}
		if level == len(taken) {
			taken = append(taken, nil)
		}
		taken[level] = append(taken[level], s)
		m.level[i] = level
	}
	m.levels = len(taken)
	return m, nil
}

// Plot paints the stretches and, above the panel, their names.
func (m marks) Plot(c draw.Canvas, p *gonum.Plot) {
	trX, _ := p.Transforms(&c)
	for i, k := range m.marks {
		if k.To < p.X.Min || k.From > p.X.Max {
			continue
		}
		// Half a position on each side, so that one base is visible.
		x0 := max(trX(max(k.From-0.5, p.X.Min)), c.Min.X)
		x1 := min(trX(min(k.To+0.5, p.X.Max)), c.Max.X)
		c.SetColor(fade(Palette(4), 0.35))
		c.Fill(box(x0, c.Min.Y, x1, c.Max.Y))
		if k.Name == "" {
			continue
		}
		y := c.Max.Y + 2 + vg.Length(m.level[i])*12
		if m.level[i] > 0 {
			c.StrokeLine2(line(frame, 0.5), (x0+x1)/2, c.Max.Y, (x0+x1)/2, y)
		}
		sty := label(draw.XCenter, draw.YBottom)
		name := clean(k.Name)
		half := float64(sty.Width(name)) / 2
		mid := nameAt(float64(x0+x1)/2, half, float64(c.Min.X), float64(c.Max.X))
		c.FillText(sty, vg.Point{X: vg.Length(mid), Y: y}, name)
	}
}

// nameAt moves the middle of a name so that it stays inside the figure.
func nameAt(mid, half, left, right float64) float64 {
	return min(max(mid, left-20+half), right-half)
}

// positionTicks labels round positions, and +1 in place of the 0 that the
// coordinates of promoters do not have. Downstream positions carry a sign.
func positionTicks(low, high float64) []gonum.Tick {
	out := ticks(low, high)
	for i := range out {
		switch v := out[i].Value; {
		case v == 0:
			out[i] = gonum.Tick{Value: 1, Label: "+1"}
		case v > 0:
			out[i].Label = "+" + out[i].Label
		default:
			out[i].Label = "−" + strings.TrimPrefix(out[i].Label, "-")
		}
	}
	return out
}

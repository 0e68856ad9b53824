package plot

import (
	"fmt"
	"image/color"
	"math"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Series is a named line through points (n).
type Series struct {
	Name string
	X, Y []float64
}

// Band is an area between two lines over the same points (n), such as a 95 %
// interval.
type Band struct {
	X, Low, High []float64
}

func (b *Band) check(figure string) error {
	if b == nil {
		return nil
	}
	if len(b.X) != len(b.Low) || len(b.X) != len(b.High) {
		return fmt.Errorf("plot: %s: a band of %d x, %d low and %d high values", figure, len(b.X), len(b.Low), len(b.High))
	}
	return finite(figure, "band", b.X, b.Low, b.High)
}

// polygon returns the outline of the band as a filled area.
func (b *Band) polygon(c color.Color) (gonum.Plotter, error) {
	n := len(b.X)
	pts := make(plotter.XYs, 0, 2*n)
	for i := range n {
		pts = append(pts, plotter.XY{X: b.X[i], Y: b.High[i]})
	}
	for i := n - 1; i >= 0; i-- {
		pts = append(pts, plotter.XY{X: b.X[i], Y: b.Low[i]})
	}
	p, err := plotter.NewPolygon(pts)
	if err != nil {
		return nil, err
	}
	p.Color, p.LineStyle.Width = c, 0
	return p, nil
}

// curve returns a line, as steps that hold the value of the right point when
// step is set.
func curve(x, y []float64, style draw.LineStyle, step bool) (*plotter.Line, error) {
	pts := make(plotter.XYs, len(x))
	for i := range x {
		pts[i] = plotter.XY{X: x[i], Y: y[i]}
	}
	l, err := plotter.NewLine(pts)
	if err != nil {
		return nil, err
	}
	l.LineStyle = style
	if step {
		l.StepStyle = plotter.PreStep
	}
	return l, nil
}

// segment is a straight line in data coordinates that does not stretch the axes.
type segment struct {
	x0, y0, x1, y1 float64
	style          draw.LineStyle
}

func (s segment) Plot(c draw.Canvas, p *gonum.Plot) {
	trX, trY := p.Transforms(&c)
	c.StrokeLine2(s.style, trX(s.x0), trY(s.y0), trX(s.x1), trY(s.y1))
}

// Training shows the loss, and below it validation metrics, over optimiser
// steps.
type Training struct {
	Title      string
	Loss       []Series // x: step, y: mean loss in nats per example
	Metric     []Series // x: step, y: metric; may be empty
	MetricName string   // label of the lower axis, such as "validation MCC"
	BestStep   float64  // step of the kept checkpoint, marked by a line; 0 or NaN for none
}

// Figure draws the curves.
func (t Training) Figure() (*Figure, error) {
	const name = "training curves"
	if len(t.Loss) == 0 {
		return nil, fmt.Errorf("plot: %s without a loss", name)
	}
	var keys []key
	low, high := math.Inf(1), math.Inf(-1)
	panel := func(series []Series, yLabel string, first int) (*gonum.Plot, error) {
		p := newPlot("", yLabel)
		p.Add(grid{x: true, y: true})
		for i, s := range series {
			if err := sameLength(name, s.Name, s.X, s.Y); err != nil {
				return nil, err
			}
			if err := finite(name, s.Name, s.X, s.Y); err != nil {
				return nil, err
			}
			if len(s.X) == 0 {
				return nil, fmt.Errorf("plot: %s: %q has no points", name, s.Name)
			}
			sty := line(Palette(first+i), 1.4, dashOf(first+i)...)
			l, err := curve(s.X, s.Y, sty, false)
			if err != nil {
				return nil, err
			}
			p.Add(l)
			keys = append(keys, key{text: s.Name, style: sty})
			for _, x := range s.X {
				low, high = min(low, x), max(high, x)
			}
		}
		widen(&p.Y)
		return p, nil
	}
	loss, err := panel(t.Loss, "loss (nats)", 0)
	if err != nil {
		return nil, err
	}
	panels, shares, height := []*gonum.Plot{loss}, []float64{1}, vg.Length(190)
	if len(t.Metric) > 0 {
		m, err := panel(t.Metric, t.MetricName, len(t.Loss))
		if err != nil {
			return nil, err
		}
		panels, shares, height = append(panels, m), []float64{0.47, 0.53}, 300
	}
	panels[len(panels)-1].X.Label.Text = "optimiser step"
	if t.BestStep > 0 {
		sty := line(frame, 0.9, 3, 3)
		keys = append(keys, key{text: fmt.Sprintf("kept checkpoint (step %.0f)", t.BestStep), style: sty})
		for _, p := range panels {
			p.Add(segment{t.BestStep, p.Y.Min, t.BestStep, p.Y.Max, sty})
		}
		low, high = min(low, t.BestStep), max(high, t.BestStep)
	}
	for _, p := range panels {
		p.X.Min, p.X.Max = low, high
	}
	return stacked(t.Title, FigureWidth, height, keys, shares, panels...), nil
}

// widen leaves air above and below the data, and some when all are equal.
func widen(a *gonum.Axis) {
	d := (a.Max - a.Min) * 0.05
	if d == 0 {
		d = max(math.Abs(a.Max)*0.05, 0.01)
	}
	a.Min, a.Max = a.Min-d, a.Max+d
}

// ROCCurve is one model in a ROC figure.
type ROCCurve struct {
	Name      string
	FPR, TPR  []float64 // (n) from (0, 0) to (1, 1)
	AUROC     float64
	Low, High float64 // 95 % interval of AUROC; both NaN or both 0 for none
	Band      *Band   // band around the curve over FPR; nil for none
}

// ROC shows sensitivity against 1 - specificity.
type ROC struct {
	Title  string
	Curves []ROCCurve
}

// Figure draws the curves and the diagonal of a score that knows nothing.
func (r ROC) Figure() (*Figure, error) {
	const name = "ROC"
	if len(r.Curves) == 0 {
		return nil, fmt.Errorf("plot: %s without a curve", name)
	}
	p := unitPlot("1 − specificity (false positive rate)", "sensitivity (true positive rate)")
	p.Add(segment{0, 0, 1, 1, line(frame, 0.8, 3, 3)})
	var keys []key
	for i, c := range r.Curves {
		if err := addCurve(p, name, c.Name, c.FPR, c.TPR, c.Band, i, false); err != nil {
			return nil, err
		}
		k := key{text: fmt.Sprintf("%s: AUROC %s", c.Name, withInterval(c.AUROC, c.Low, c.High)), style: seriesLine(i)}
		if c.Band != nil {
			k.area = translucent(Palette(i), 0.18)
		}
		keys = append(keys, k)
	}
	return single(r.Title, squareWidth, 252, keys, p), nil
}

// PRCurve is one model in a precision-recall figure.
type PRCurve struct {
	Name              string
	Recall, Precision []float64 // (n) by rising recall
	AUPRC             float64   // average precision
	Low, High         float64   // 95 % interval of AUPRC; both NaN or both 0 for none
	Band              *Band     // band around the curve over recall; nil for none
}

// PR shows precision against recall. The curve is drawn in steps, whose area is
// the average precision.
type PR struct {
	Title      string
	Curves     []PRCurve
	Prevalence float64 // share of positives: the precision of a score that knows nothing
}

// Figure draws the curves and the prevalence.
func (r PR) Figure() (*Figure, error) {
	const name = "precision-recall"
	if len(r.Curves) == 0 {
		return nil, fmt.Errorf("plot: %s without a curve", name)
	}
	if !(r.Prevalence >= 0 && r.Prevalence <= 1) {
		return nil, fmt.Errorf("plot: %s: prevalence %v is not in [0, 1]", name, r.Prevalence)
	}
	p := unitPlot("recall (sensitivity)", "precision")
	p.Add(segment{0, r.Prevalence, 1, r.Prevalence, line(frame, 0.8, 3, 3)})
	var keys []key
	for i, c := range r.Curves {
		if err := addCurve(p, name, c.Name, c.Recall, c.Precision, c.Band, i, true); err != nil {
			return nil, err
		}
		k := key{text: fmt.Sprintf("%s: AUPRC %s", c.Name, withInterval(c.AUPRC, c.Low, c.High)), style: seriesLine(i)}
		if c.Band != nil {
			k.area = translucent(Palette(i), 0.18)
		}
		keys = append(keys, k)
	}
	keys = append(keys, key{text: fmt.Sprintf("prevalence %.3f", r.Prevalence), style: line(frame, 0.8, 3, 3)})
	return single(r.Title, squareWidth, 252, keys, p), nil
}

// seriesLine is the style of the i-th curve.
func seriesLine(i int) draw.LineStyle { return line(Palette(i), 1.5, dashOf(i)...) }

// addCurve adds one curve with its band to a panel.
func addCurve(p *gonum.Plot, figure, name string, x, y []float64, band *Band, i int, step bool) error {
	if err := sameLength(figure, name, x, y); err != nil {
		return err
	}
	if len(x) == 0 {
		return fmt.Errorf("plot: %s: %q has no points", figure, name)
	}
	if err := finite(figure, name, x, y); err != nil {
		return err
	}
	if err := band.check(figure); err != nil {
		return err
	}
	if band != nil && len(band.X) > 0 {
		a, err := band.polygon(translucent(Palette(i), 0.18))
		if err != nil {
			return err
		}
		p.Add(a)
	}
	if step && x[0] > 0 { // the first step begins at recall 0
		x, y = append([]float64{0}, x...), append([]float64{y[0]}, y...)
	}
	l, err := curve(x, y, seriesLine(i), step)
	if err != nil {
		return err
	}
	p.Add(l)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	return nil
}

// unitPlot is a panel over the unit square.
func unitPlot(xLabel, yLabel string) *gonum.Plot {
	p := newPlot(xLabel, yLabel)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	p.Add(grid{x: true, y: true})
	return p
}

// withInterval prints 0.953 (0.914–0.985).
func withInterval(v, low, high float64) string {
	s := fmt.Sprintf("%.3f", v)
	if hasInterval(low, high) {
		s += fmt.Sprintf(" (%.3f–%.3f)", low, high)
	}
	return s
}

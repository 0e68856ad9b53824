package report

import (
	"encoding/binary"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
)

// maxPoints is the largest number of points of one block of curves or tracks.
const maxPoints = 1 << 20

// Curve is one line of Curves.
type Curve struct {
	Name string
	X    []float64 // rising
	Y    []float64 // as long as X; NaN interrupts the line
	// Low and High, as long as X, bound a band about the line; both nil for none.
	Low, High []float64
}

// Mark is a vertical line with a name, such as the step that was kept.
type Mark struct {
	X    float64
	Name string
}

// Curves shows named lines over one axis, such as losses over the steps of a
// training, each with points of its own. The reader zooms by dragging, reads
// values under a crosshair, hides lines, and switches to a logarithmic axis. The
// page holds Y with 32 bits.
type Curves struct {
	Name           string // stem of saved files
	Alt            string // says in words what the figure shows
	Caption        string
	XLabel, YLabel string
	Series         []Curve
	Marks          []Mark
	Log            bool // begin with a logarithmic y axis
}

// curvesMeta is what the script reads; see web/curves.ts.
type curvesMeta struct {
	Name    string       `json:"name"`
	XLabel  string       `json:"xLabel"`
	YLabel  string       `json:"yLabel"`
	Log     bool         `json:"log"`
	N       int          `json:"n"`
	Regular bool         `json:"regular"` // x is start + i·step and not stored
	Start   float64      `json:"start"`
	Step    float64      `json:"step"`
	Series  []curveMeta  `json:"series"`
	Marks   []markOnPage `json:"marks"`
	Data    string       `json:"data"`
}

type curveMeta struct {
	Name string `json:"name"`
	Band bool   `json:"band"`
}

type markOnPage struct {
	X    float64 `json:"x"`
	Name string  `json:"name"`
}

func (c Curves) render(p *page) (template.HTML, error) {
	if err := named("curves", c.Name, c.Alt); err != nil {
		return "", err
	}
	if err := c.check(); err != nil {
		return "", fmt.Errorf("curves %q: %w", c.Name, err)
	}
	x := c.grid()
	if len(x) > maxPoints {
		return "", fmt.Errorf("curves %q: %d points, at most %d", c.Name, len(x), maxPoints)
	}
	meta := curvesMeta{Name: c.Name, XLabel: c.XLabel, YLabel: c.YLabel, Log: c.Log, N: len(x)}
	var data []byte
	if meta.Start, meta.Step, meta.Regular = regular(x); !meta.Regular {
		data = float64Planes(data, x)
	}
	for _, s := range c.Series {
		meta.Series = append(meta.Series, curveMeta{s.Name, s.Low != nil})
		for _, column := range [][]float64{s.Y, s.Low, s.High} {
			if column != nil {
				data = float32Planes(data, spread(x, s.X, column))
			}
		}
	}
	for _, m := range c.Marks {
		meta.Marks = append(meta.Marks, markOnPage(m))
	}
	meta.Data = p.keep(data)
	p.uplot = true
	view := struct {
		Curves
		Meta    string
		Numbers numbers
	}{Curves: c, Numbers: c.summary()}
	var err error
	if view.Meta, err = p.keepJSON(meta); err != nil {
		return "", err
	}
	return p.execute("curves", view)
}

func (c Curves) check() error {
	if len(c.Series) == 0 {
		return fmt.Errorf("no series")
	}
	for _, m := range c.Marks {
		if math.IsNaN(m.X) || math.IsInf(m.X, 0) {
			return fmt.Errorf("the mark %q stands at %v", m.Name, m.X)
		}
	}
	for _, s := range c.Series {
		if len(s.X) == 0 {
			return fmt.Errorf("series %q has no points", s.Name)
		}
		if (s.Low == nil) != (s.High == nil) {
			return fmt.Errorf("series %q has one bound of a band", s.Name)
		}
		for i, x := range s.X {
			if math.IsNaN(x) || math.IsInf(x, 0) || i > 0 && x <= s.X[i-1] {
				return fmt.Errorf("x of series %q does not rise at point %d: %v", s.Name, i, x)
			}
		}
		for _, column := range [][]float64{s.Y, s.Low, s.High} {
			if column == nil && s.Y != nil {
				continue
			}
			if len(column) != len(s.X) {
				return fmt.Errorf("series %q has %d x and %d values", s.Name, len(s.X), len(column))
			}
			if err := drawable(column); err != nil {
				return fmt.Errorf("series %q: %w", s.Name, err)
			}
		}
	}
	return nil
}

// drawable checks that values are NaN or fit into 32 bits.
func drawable(values []float64) error {
	for i, v := range values {
		if math.Abs(v) > math.MaxFloat32 {
			return fmt.Errorf("value %d is %v", i, v)
		}
	}
	return nil
}

// grid returns the x of all series, each once.
func (c Curves) grid() []float64 {
	var x []float64
	for _, s := range c.Series {
		x = append(x, s.X...)
	}
	slices.Sort(x)
	return slices.Compact(x)
}

// absent is the value of a series where another one has a point: unlike NaN it
// does not interrupt the line. Series themselves hold no infinity.
var absent = math.Inf(1)

// spread puts the values of a series at its points of the common grid.
func spread(grid, x, values []float64) []float64 {
	out := make([]float64, len(grid))
	k := 0
	for i, g := range grid {
		out[i] = absent
		if k < len(x) && x[k] == g {
			out[i] = values[k]
			k++
		}
	}
	return out
}

// regular tells whether x is start + i·step to the last bit.
func regular(x []float64) (start, step float64, ok bool) {
	if len(x) < 2 {
		return 0, 0, false
	}
	start, step = x[0], x[1]-x[0]
	for i, v := range x {
		// The conversion keeps the product from being fused with the sum, which
		// a browser would not do.
		if v != start+float64(float64(i)*step) {
			return 0, 0, false
		}
	}
	return start, step, true
}

// float32Planes appends the lowest bytes of all values, then the second ones,
// and so on; bytes of one significance resemble each other and pack better.
func float32Planes(to []byte, values []float64) []byte {
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(v)))
	}
	return planes(to, raw, 4)
}

// float64Planes is float32Planes with 64 bits.
func float64Planes(to []byte, values []float64) []byte {
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return planes(to, raw, 8)
}

func planes(to, raw []byte, size int) []byte {
	for p := range size {
		for i := p; i < len(raw); i += size {
			to = append(to, raw[i])
		}
	}
	return to
}

// summary describes each line in words of numbers.
func (c Curves) summary() numbers {
	n := numbers{Caption: "Each line in short", Heads: []string{"line", "points", "first", "last", "lowest", "at", "highest", "at"}}
	for _, s := range c.Series {
		low, high := extremes(s.Y)
		n.Rows = append(n.Rows, []string{
			s.Name, strconv.Itoa(len(s.X)), number(s.Y[0]), number(s.Y[len(s.Y)-1]),
			valueAt(s.Y, low), where(s.X, low), valueAt(s.Y, high), where(s.X, high),
		})
	}
	return n
}

// extremes returns the indices of the lowest and the highest value, -1 if there
// is none.
func extremes(values []float64) (low, high int) {
	low, high = -1, -1
	for i, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if low < 0 || v < values[low] {
			low = i
		}
		if high < 0 || v > values[high] {
			high = i
		}
	}
	return low, high
}

func valueAt(values []float64, i int) string {
	if i < 0 {
		return "–"
	}
	return number(values[i])
}

func where(x []float64, i int) string {
	if i < 0 {
		return "–"
	}
	return strconv.FormatFloat(x[i], 'g', -1, 64)
}

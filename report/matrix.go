package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// Matrix is a small matrix of signed values with names, such as the rank
// correlations between methods. The values stand in the cells; colours only
// repeat them.
type Matrix struct {
	Caption    string
	Rows, Cols []string
	Values     []float64 // (rows, cols) row-major; NaN where there is none
	Digits     int       // after the point
	Full       float64   // magnitude with the strongest colour; the largest one if 0
	Notes      []string
}

// maxCells is the largest number of cells of a matrix.
const maxCells = 4096

// matrixShades is how many shades a sign has; report.css defines them.
const matrixShades = 5

type matrixCell struct{ Text, Class string }

func (m Matrix) render(p *page) (template.HTML, error) {
	n := len(m.Rows) * len(m.Cols)
	switch {
	case n == 0 || n > maxCells:
		return "", fmt.Errorf("matrix %q of %d x %d, not 1 to %d cells", m.Caption, len(m.Rows), len(m.Cols), maxCells)
	case len(m.Values) != n:
		return "", fmt.Errorf("matrix %q of %d x %d has %d values", m.Caption, len(m.Rows), len(m.Cols), len(m.Values))
	case m.Digits < 0 || m.Digits > 6:
		return "", fmt.Errorf("matrix %q with %d digits, not 0 to 6", m.Caption, m.Digits)
	case m.Full < 0 || math.IsNaN(m.Full) || math.IsInf(m.Full, 0):
		return "", fmt.Errorf("matrix %q with the strongest colour at %v", m.Caption, m.Full)
	}
	full := m.Full
	for i, v := range m.Values {
		if math.IsInf(v, 0) {
			return "", fmt.Errorf("value %d of matrix %q is %v", i, m.Caption, v)
		}
		if m.Full == 0 && !math.IsNaN(v) {
			full = max(full, math.Abs(v))
		}
	}
	type row struct {
		Name  string
		Cells []matrixCell
	}
	view := struct {
		Matrix
		Table     []row
		Low, High string
	}{Matrix: m, Low: signed(-full, m.Digits), High: signed(full, m.Digits)}
	for i, name := range m.Rows {
		r := row{Name: name}
		for j := range m.Cols {
			r.Cells = append(r.Cells, shade(m.Values[i*len(m.Cols)+j], full, m.Digits))
		}
		view.Table = append(view.Table, r)
	}
	return p.execute("matrix", view)
}

// shade writes a value and chooses its class: p-1 to p-5 or m-1 to m-5.
func shade(v, full float64, digits int) matrixCell {
	if math.IsNaN(v) {
		return matrixCell{"–", "zero"}
	}
	level := 0
	if full > 0 {
		level = min(int(math.Abs(v)/full*matrixShades+0.5), matrixShades)
	}
	c := matrixCell{signed(v, digits), "zero"}
	switch {
	case level > 0 && v > 0:
		c.Class = fmt.Sprintf("p-%d", level)
	case level > 0:
		c.Class = fmt.Sprintf("m-%d", level)
	}
	return c
}

// signed writes a value with its sign.
func signed(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-") // no sign on what rounds to 0
	}
	if v > 0 {
		return "+" + s
	}
	return strings.Replace(s, "-", "−", 1)
}

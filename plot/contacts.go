package plot

import (
	"fmt"
	"image/color"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Pair is a pair of positions, 0-based.
type Pair struct{ I, J int }

// PairSet is pairs of one kind, in one colour.
type PairSet struct {
	Name  string
	Color color.RGBA
	Pairs []Pair
}

// ContactMap shows pairs of positions of a sequence as a square: what is predicted
// above the diagonal, what a structure says below it.
type ContactMap struct {
	Title        string
	Positions    int       // L
	Above, Below []PairSet // later sets cover earlier ones
}

// maxPositions is the longest sequence of a contact map.
const maxPositions = 1 << 15

// Figure draws the map with the first position at the top left. Position 1 of the
// axes is position 0 of the pairs.
func (m ContactMap) Figure() (*Figure, error) {
	if m.Positions < 2 || m.Positions > maxPositions {
		return nil, fmt.Errorf("plot: contact map of %d positions, not 2 to %d", m.Positions, maxPositions)
	}
	p := newPlot("position", "position")
	p.X.Min, p.X.Max = 0.5, float64(m.Positions)+0.5
	p.Y.Min, p.Y.Max = p.X.Min, p.X.Max
	p.Y.Scale = gonum.InvertedScale{Normalizer: gonum.LinearScale{}}
	p.Add(grid{x: true, y: true}, parting{})
	var keys []key
	for k, sets := range [][]PairSet{m.Below, m.Above} {
		for _, s := range sets {
			c := cells{color: s.Color}
			for _, pair := range s.Pairs {
				i, j := min(pair.I, pair.J), max(pair.I, pair.J)
				if i < 0 || j >= m.Positions || i == j {
					return nil, fmt.Errorf("plot: contact map of %d positions has the pair %d, %d", m.Positions, pair.I, pair.J)
				}
				if k == 0 {
					i, j = j, i
				}
				c.at = append(c.at, [2]int{j + 1, i + 1}) // x, y
			}
			p.Add(c)
			keys = append(keys, key{text: s.Name, area: s.Color})
		}
	}
	const side = 400
	return single(m.Title, FigureWidth*3/4, side, keys, p), nil
}

// cells fills unit squares; small ones are drawn no smaller than can be seen.
type cells struct {
	color color.RGBA
	at    [][2]int // x, y
}

func (s cells) Plot(c draw.Canvas, p *gonum.Plot) {
	trX, trY := p.Transforms(&c)
	const least = 1.6
	c.SetColor(s.color)
	half := vg.Length(max(float64(trX(1.5)-trX(0.5)), least)) / 2
	for _, at := range s.at {
		x, y := trX(float64(at[0])), trY(float64(at[1]))
		c.Fill(box(x-half, y-half, x+half, y+half))
	}
}

// parting parts prediction and truth.
type parting struct{}

func (parting) Plot(c draw.Canvas, p *gonum.Plot) {
	c.StrokeLine2(line(frame, 0.5), c.Min.X, c.Max.Y, c.Max.X, c.Min.Y)
}

package report

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"

	"heed/plot"
)

// A plane is one of the three views: which axes run right and up on the screen.
type plane struct {
	name          string
	across, up    int
	mirrored      bool // the axis across runs to the left
	left, right   string
	bottom, above string
}

// views are drawn from left to right. Radiologists look from the feet and from
// the front, so the patient's right is on the left.
var views = [3]plane{
	{"axial", 0, 1, true, "R", "L", "P", "A"},
	{"coronal", 0, 2, true, "R", "L", "I", "S"},
	{"sagittal", 1, 2, true, "A", "P", "I", "S"},
}

// picture draws the three planes through the start of the cross-hair side by
// side, with the first window and the first map: what stands on the page where
// scripts are switched off.
func (v Volume) picture() ([]byte, error) {
	const height, gap = 220, 6
	var mm [3]float64 // of the box along each axis
	for a := range 3 {
		mm[a] = float64(v.Shape[a]) * math.Sqrt(v.Affine[0][a]*v.Affine[0][a]+v.Affine[1][a]*v.Affine[1][a]+v.Affine[2][a]*v.Affine[2][a])
	}
	perMM := height / max(mm[1], mm[2])
	width := 0
	for _, pl := range views {
		width += max(1, int(mm[pl.across]*perMM)) + gap
	}
	img := image.NewRGBA(image.Rect(0, 0, width-gap, height))
	w := v.Windows[0]
	strongest := float32(0)
	if len(v.Overlays) > 0 {
		for _, x := range v.Overlays[0].Values {
			strongest = max(strongest, x, -x)
		}
	}
	x0 := 0
	for _, pl := range views {
		nx, ny := max(1, int(mm[pl.across]*perMM)), max(1, int(mm[pl.up]*perMM))
		for y := range ny {
			for x := range nx {
				var f [3]float64 // place in the box, 0 to 1
				for a := range 3 {
					f[a] = (float64(v.Start[a]) + 0.5) / float64(v.Shape[a])
				}
				f[pl.across], f[pl.up] = (float64(x)+0.5)/float64(nx), 1-(float64(y)+0.5)/float64(ny)
				if pl.mirrored {
					f[pl.across] = 1 - f[pl.across]
				}
				g := (float64(at(v.Shape, v.Values, f)) - w.Low) / (w.High - w.Low)
				c := color.RGBA{A: 255}
				c.R = uint8(255*min(max(g, 0), 1) + 0.5)
				c.G, c.B = c.R, c.R
				if strongest > 0 {
					c = v.Overlays[0].over(c, f, strongest)
				}
				img.SetRGBA(x0+x, height-ny+y, c)
			}
		}
		x0 += nx + gap
	}
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	err := e.Encode(&b, img)
	return b.Bytes(), err
}

// at returns the value of the cell that holds a place of the box.
func at(shape [3]int, values []float32, f [3]float64) float32 {
	var i [3]int
	for a := range 3 {
		i[a] = min(max(int(f[a]*float64(shape[a])), 0), shape[a]-1)
	}
	return values[(i[2]*shape[1]+i[1])*shape[0]+i[0]]
}

// over lays the map over a pixel; what is weak beside the strongest stays
// transparent.
func (o Overlay) over(c color.RGBA, f [3]float64, strongest float32) color.RGBA {
	x := at(o.Shape, o.Values, f) / strongest
	colors, level := plot.Viridis(), x
	if o.Signed {
		colors, level = plot.Diverging(), (x+1)/2
	}
	m := colors[uint8(min(max(level, 0), 1)*255+0.5)]
	if o.Unfaithful != "" {
		m.R, m.G, m.B = 160, 160, 160
	}
	alpha := 0.6 * float64(max(x, -x))
	mix := func(a, b uint8) uint8 { return uint8(float64(a)*(1-alpha) + float64(b)*alpha + 0.5) }
	return color.RGBA{mix(c.R, m.R), mix(c.G, m.G), mix(c.B, m.B), 255}
}

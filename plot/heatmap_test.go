package plot

import (
	"bytes"
	"image/color"
	"image/png"
	"math"
	"testing"
)

func TestHeatmapPNG(t *testing.T) {
	v := []float32{0, 0.5, 1, -3, 7, float32(math.NaN())}
	m := Viridis()
	b, err := HeatmapPNG(v, 2, 3, 0, 1, m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := HeatmapPNG(v, 2, 3, 0, 1, m)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, again) {
		t.Error("two renderings differ")
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if d := img.Bounds(); d.Dx() != 3 || d.Dy() != 2 {
		t.Fatalf("size %v, want 3 x 2", d)
	}
	for i, want := range []color.RGBA{m[0], m[128], m[255], m[0], m[255], missing} {
		if got := color.RGBAModel.Convert(img.At(i%3, i/3)); got != want {
			t.Errorf("pixel %d is %v, want %v", i, got, want)
		}
	}
	for _, c := range []struct {
		rows, cols int
		low, high  float64
		want       string
	}{
		{0, 6, 0, 1, "plot: heat map of 0 x 6"},
		{1 << 20, 1 << 20, 0, 1, "plot: heat map of 1048576 x 1048576"},
		{2, 2, 0, 1, "plot: heat map of 2 x 2 has 6 values"},
		{2, 3, 1, 1, "plot: heat map from 1 to 1"},
		{2, 3, 0, math.NaN(), "plot: heat map from 0 to NaN"},
	} {
		if _, err := HeatmapPNG(v, c.rows, c.cols, c.low, c.high, m); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// lightness is CIE L* of an sRGB colour.
func lightness(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 116*math.Cbrt(0.2126*linear(c.R)+0.7152*linear(c.G)+0.0722*linear(c.B)) - 16
}

// TestViridisIsUniform checks the property the map is chosen for: lightness
// rises evenly.
func TestViridisIsUniform(t *testing.T) {
	m := Viridis()
	if m[0] != (color.RGBA{0x44, 0x01, 0x54, 0xff}) || m[255] != (color.RGBA{0xfd, 0xe7, 0x25, 0xff}) {
		t.Errorf("ends are %v and %v", m[0], m[255])
	}
	mean := (lightness(m[255]) - lightness(m[0])) / 15
	for i := 0; i+17 < 256; i += 17 {
		if d := lightness(m[i+17]) - lightness(m[i]); d < 0.8*mean || d > 1.2*mean {
			t.Errorf("lightness rises by %.2f at level %d, on average by %.2f", d, i, mean)
		}
	}
}

// TestCividisIsUniform is TestViridisIsUniform for the other map.
func TestCividisIsUniform(t *testing.T) {
	m := Cividis()
	mean := (lightness(m[255]) - lightness(m[0])) / 15
	for i := 0; i+17 < 256; i += 17 {
		if d := lightness(m[i+17]) - lightness(m[i]); d < 0.7*mean || d > 1.3*mean {
			t.Errorf("lightness rises by %.2f at level %d, on average by %.2f", d, i, mean)
		}
	}
}

func TestDiverging(t *testing.T) {
	m := Diverging()
	if m[0] != Palette(0) || m[255] != Palette(1) {
		t.Errorf("ends are %v and %v", m[0], m[255])
	}
	if l := lightness(m[127]); l < 98 {
		t.Errorf("the middle has lightness %.1f, want nearly white", l)
	}
	if got := m.At(math.NaN()); got != missing {
		t.Errorf("NaN is %v", got)
	}
	if m.At(-1) != m[0] || m.At(2) != m[255] {
		t.Error("values outside [0, 1] are not clamped")
	}
}

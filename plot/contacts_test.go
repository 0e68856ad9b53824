package plot

import (
	"bytes"
	"image/color"
	"image/png"
	"strings"
	"testing"
)

func TestContactMap(t *testing.T) {
	m := ContactMap{Title: "Contacts", Positions: 10,
		Above: []PairSet{{"right", Palette(0), []Pair{{1, 8}}}},
		Below: []PairSet{{"contact", color.RGBA{0x99, 0x99, 0x99, 0xff}, []Pair{{1, 8}, {2, 5}}}}}
	f, err := m.Figure()
	if err != nil {
		t.Fatal(err)
	}
	svg := string(f.SVG())
	for _, want := range []string{"right", "contact", "position"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q in the figure", want)
		}
	}
	// The blue cell lies at the upper right, the grey ones at the lower left.
	var b bytes.Buffer
	if err := f.WritePNG(&b, 96); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	var x, y, n int
	for v := 60; v < img.Bounds().Max.Y; v++ { // below the legend
		for u := range img.Bounds().Max.X {
			r, g, bl, _ := img.At(u, v).RGBA()
			if r>>8 == 0 && g>>8 == 0x72 && bl>>8 == 0xb2 {
				x, y, n = x+u, y+v, n+1
			}
		}
	}
	if n == 0 || x/n < img.Bounds().Max.X/2 || y/n > img.Bounds().Max.Y/2 {
		t.Errorf("%d blue pixels around %d, %d of %v", n, x/max(1, n), y/max(1, n), img.Bounds())
	}
}

func TestContactMapErrors(t *testing.T) {
	for want, m := range map[string]ContactMap{
		"plot: contact map of 1 positions, not 2 to 32768":    {Positions: 1},
		"plot: contact map of 3 positions has the pair 0, 3":  {Positions: 3, Above: []PairSet{{Pairs: []Pair{{0, 3}}}}},
		"plot: contact map of 3 positions has the pair 1, 1":  {Positions: 3, Below: []PairSet{{Pairs: []Pair{{1, 1}}}}},
		"plot: contact map of 3 positions has the pair -1, 1": {Positions: 3, Below: []PairSet{{Pairs: []Pair{{-1, 1}}}}},
	} {
		if _, err := m.Figure(); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

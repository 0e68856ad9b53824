package report

import (
	"bytes"
	"encoding/binary"
	"image/png"
	"math"
	"strings"
	"testing"
)

func TestSteps16(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float32
		within float64
	}{
		{"whole numbers are exact", []float32{-1024, -1, 0, 3071}, 0},
		{"fractions are within half a step", []float32{0, 0.1, 0.5, 1}, 0.51 / math.MaxUint16},
		{"a wide range", []float32{-1e6, 0, 1e6}, 0.51 * 2e6 / math.MaxUint16},
		{"a constant", []float32{7, 7}, 0},
		{"a constant fraction", []float32{0.3, 0.3}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, offset, scale, err := steps16(c.values)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.values {
				got := offset + scale*float64(binary.LittleEndian.Uint16(raw[2*i:]))
				if d := math.Abs(got - float64(want)); d > c.within {
					t.Errorf("%v is kept as %v", want, got)
				}
			}
		})
	}
}

func TestVolumeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(*Volume)
	}{
		{"shape", "volume has 105600 values, not 60 x 44 x 41", func(v *Volume) { v.Shape[2] = 41 }},
		{"large", "volume of 4096 x 4096 x 4096, not 1 to 8388608 cells", func(v *Volume) { v.Shape = [3]int{4096, 4096, 4096} }},
		{"empty", "volume of 0 x 44 x 40, not 1 to 8388608 cells", func(v *Volume) { v.Shape[0] = 0 }},
		{"value", "a value is not finite", func(v *Volume) { v.Values[5] = float32(math.NaN()) }},
		{"affine", "axis 1 does not run to the patient's right, front or top", func(v *Volume) { v.Affine[1][1] = -5 }},
		{"nan", "the affine is not finite", func(v *Volume) { v.Affine[2][3] = math.Inf(1) }},
		{"start", "the cross-hair starts at [60 20 24], outside of [60 44 40]", func(v *Volume) { v.Start[0] = 60 }},
		{"no window", "no window", func(v *Volume) { v.Windows = nil }},
		{"window", `window "lung" from 150 to -1350`, func(v *Volume) { v.Windows[0].Low, v.Windows[0].High = 150, -1350 }},
		{"map", "map occlusion has 119 values, not 6 x 5 x 4", func(v *Volume) { v.Overlays[0].Values = v.Overlays[0].Values[:119] }},
		{"negative", `map "rollout": a weight is negative`, func(v *Volume) { v.Overlays[1].Values[3] = -1 }},
		{"attention", `attention "layer 1, head 1" has 14399 weights, not 120 x 120`, func(v *Volume) { v.Attention[0].Weights = v.Attention[0].Weights[1:] }},
		{"cells", "attention layer 1, head 1 of 60 x 5 x 4, not 1 to 1024 cells", func(v *Volume) { v.Attention[0].Shape[0] = 60 }},
		{"name", `volume name "a b" is not made of letters, digits, '-', '_' and '.'`, func(v *Volume) { v.Name = "a b" }},
		{"alt", `volume "phantom" has no text for those who cannot see it`, func(v *Volume) { v.Alt = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := phantom()
			c.change(&v)
			_, err := (&Report{Title: "x", Sections: []Section{{"s", []Block{v}}}}).HTML()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestVolumePicture looks for the nodule in the picture of the three planes: in
// the axial one on the right, where the patient's left is.
func TestVolumePicture(t *testing.T) {
	v := phantom()
	v.Overlays = nil
	b, err := v.picture()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	// The box is 300 x 220 x 240 mm in 220 pixels for 240 mm.
	grey := func(xmm, ymm float64) uint32 {
		r, g, b, _ := img.At(int((150-xmm)*220/240), 220-int((110+ymm)*220/240)).RGBA()
		if r != g || g != b {
			t.Fatal("no map, but colour")
		}
		return r >> 8
	}
	nodule, opposite := grey(-65, -5), grey(65, -5)
	if nodule < 200 || opposite > 120 {
		t.Errorf("grey %d at the nodule, %d in the other lung", nodule, opposite)
	}
	// With the map, the nodule is red or orange, the other lung remains grey.
	if b, err = phantom().picture(); err != nil {
		t.Fatal(err)
	}
	if img, err = png.Decode(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	right, front := -90.0, 5.0 // beside the nodule, in the strongest cell
	r, _, blue, _ := img.At(int((150-right)*220/240), 220-int((110+front)*220/240)).RGBA()
	if r <= blue {
		t.Errorf("red %d, blue %d under the strongest cell of the map", r>>8, blue>>8)
	}
}

func TestVolumePlaces(t *testing.T) {
	v := phantom()
	// The strongest cell of the first map is (1, 2, 2) of 6 x 5 x 4 in a box from
	// -150, -110 and -120 mm.
	n := v.numbers()
	if got := strings.Join(n.Rows[0], " "); got != "occlusion 1.78 logit −75 0 30" {
		t.Errorf("numbers say %q", got)
	}
}

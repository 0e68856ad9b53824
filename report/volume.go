package report

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"html/template"
	"math"
)

// Limits of a volume on a page.
const (
	// MaxVoxels is the largest grid that a page carries: 224 x 224 x 167, as
	// an example. An application thins out larger scans and says so.
	MaxVoxels = 8 << 20
	// maxFeatureCells is the largest feature map whose attention a page carries.
	maxFeatureCells = 1024
)

// Volume shows a scan in three planes with one cross-hair, window presets, maps
// laid over it, and the attention of the place under the cross-hair to all
// others. The axes run to the patient's right, front and top (RAS), x fastest;
// planes are drawn as radiologists see them, the patient's right on the left.
// Where scripts are switched off, a picture of the three planes stands instead.
type Volume struct {
	Name    string // stem of saved files
	Alt     string // says in words what the figure shows
	Caption string
	// Shape is the number of voxels along x, y and z; Values (X·Y·Z) are finite.
	Shape  [3]int
	Values []float32
	Unit   string // "HU"
	// Affine takes voxel indices to mm in the patient's space, row-major (3, 4).
	// Its columns run about along the axes, all with positive diagonal.
	Affine  [3][4]float64
	Windows []VolumeWindow // at least one; the first is shown
	// Start is the voxel under the cross-hair at first.
	Start [3]int
	// Overlays are maps over the same box, each on a grid of its own.
	Overlays []Overlay
	// Attention, if any, belongs to a feature map over the same box.
	Attention []VolumeAttention
}

// VolumeWindow is a range of values that is spread from black to white.
type VolumeWindow struct {
	Name      string // "lung"
	Low, High float64
}

// Overlay is a map whose cells divide the box of the volume evenly.
type Overlay struct {
	Name   string
	Unit   string
	Shape  [3]int
	Values []float32 // (X·Y·Z), x fastest
	Signed bool      // zero is white
	// Unfaithful is what to say of a map that a test of faithfulness has not
	// accepted; it is then drawn in grey.
	Unfaithful string
}

// VolumeAttention holds the weights of one head between the cells of a feature
// map whose cells divide the box of the volume evenly.
type VolumeAttention struct {
	Name    string // "layer 1, head 2"
	Shape   [3]int
	Weights []float32 // (T, T) with T = X·Y·Z: a row holds what one cell gives to all
}

// What the script reads; see web/volume.ts.
type volumeMeta struct {
	Name     string         `json:"name"`
	Unit     string         `json:"unit"`
	Shape    [3]int         `json:"shape"`
	Affine   [3][4]float64  `json:"affine"`
	Offset   float64        `json:"offset"`
	Scale    float64        `json:"scale"`
	Windows  []windowMeta   `json:"windows"`
	Start    [3]int         `json:"start"`
	Values   string         `json:"values"`
	Overlays []overlayMeta  `json:"overlays"`
	Heads    []attendedMeta `json:"heads"`
}

type windowMeta struct {
	Name string  `json:"name"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

type overlayMeta struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Shape    [3]int  `json:"shape"`
	Signed   bool    `json:"signed"`
	Faithful bool    `json:"faithful"`
	Max      float32 `json:"max"`
	Levels   string  `json:"levels"`
}

type attendedMeta struct {
	Name   string  `json:"name"`
	Shape  [3]int  `json:"shape"`
	Max    float32 `json:"max"`
	Levels string  `json:"levels"`
}

func (v Volume) render(p *page) (template.HTML, error) {
	if err := named("volume", v.Name, v.Alt); err != nil {
		return "", err
	}
	meta, err := v.meta(p)
	if err != nil {
		return "", fmt.Errorf("volume %q: %w", v.Name, err)
	}
	picture, err := v.picture()
	if err != nil {
		return "", fmt.Errorf("volume %q: %w", v.Name, err)
	}
	p.colors = true
	view := struct {
		Volume
		Meta    string
		Image   template.URL
		Numbers numbers
		Caveat  string
	}{Volume: v, Image: template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)), Numbers: v.numbers()}
	if len(v.Attention) > 0 {
		view.Caveat = AttentionCaveat
	}
	if view.Meta, err = p.keepJSON(meta); err != nil {
		return "", err
	}
	return p.execute("volume", view)
}

// meta checks the volume, and hands its values and maps to the page.
func (v Volume) meta(p *page) (volumeMeta, error) {
	out := volumeMeta{Name: v.Name, Unit: v.Unit, Shape: v.Shape, Affine: v.Affine, Start: v.Start}
	if err := grid("volume", v.Shape, MaxVoxels, len(v.Values)); err != nil {
		return out, err
	}
	for a := range 3 {
		for _, x := range v.Affine[a] {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return out, errors.New("the affine is not finite")
			}
		}
		if !(v.Affine[a][a] > 0) {
			return out, fmt.Errorf("axis %d does not run to the patient's right, front or top", a)
		}
		if v.Start[a] < 0 || v.Start[a] >= v.Shape[a] {
			return out, fmt.Errorf("the cross-hair starts at %v, outside of %v", v.Start, v.Shape)
		}
	}
	if len(v.Windows) == 0 {
		return out, errors.New("no window")
	}
	for _, w := range v.Windows {
		if !(w.High > w.Low) || math.IsInf(w.High-w.Low, 0) {
			return out, fmt.Errorf("window %q from %v to %v", w.Name, w.Low, w.High)
		}
		out.Windows = append(out.Windows, windowMeta(w))
	}
	raw, offset, scale, err := steps16(v.Values)
	if err != nil {
		return out, err
	}
	out.Offset, out.Scale, out.Values = offset, scale, p.keep(planes(nil, raw, 2))
	for _, o := range v.Overlays {
		if err := grid("map "+o.Name, o.Shape, MaxVoxels, len(o.Values)); err != nil {
			return out, err
		}
		levels, at, err := quantise(o.Values, o.Signed)
		if err != nil {
			return out, fmt.Errorf("map %q: %w", o.Name, err)
		}
		out.Overlays = append(out.Overlays, overlayMeta{o.Name, o.Unit, o.Shape, o.Signed, o.Unfaithful == "", max(o.Values[at], -o.Values[at]), p.keep(levels)})
	}
	for _, h := range v.Attention {
		n := h.Shape[0] * h.Shape[1] * h.Shape[2]
		if err := grid("attention "+h.Name, h.Shape, maxFeatureCells, n); err != nil {
			return out, err
		}
		if len(h.Weights) != n*n {
			return out, fmt.Errorf("attention %q has %d weights, not %d x %d", h.Name, len(h.Weights), n, n)
		}
		levels, at, err := quantise(h.Weights, false)
		if err != nil {
			return out, fmt.Errorf("attention %q: %w", h.Name, err)
		}
		out.Heads = append(out.Heads, attendedMeta{h.Name, h.Shape, h.Weights[at], p.keep(levels)})
	}
	return out, nil
}

// grid checks a shape and the number of its values.
func grid(what string, shape [3]int, limit, n int) error {
	cells := 1
	for _, s := range shape {
		if s < 1 || s > limit/cells {
			return fmt.Errorf("%s of %d x %d x %d, not 1 to %d cells", what, shape[0], shape[1], shape[2], limit)
		}
		cells *= s
	}
	if n != cells {
		return fmt.Errorf("%s has %d values, not %d x %d x %d", what, n, shape[0], shape[1], shape[2])
	}
	return nil
}

// steps16 writes values as 16-bit steps from an offset. Whole numbers, such as
// those of a scanner, are kept exactly.
func steps16(values []float32) (raw []byte, offset, scale float64, err error) {
	low, high, whole := float64(values[0]), float64(values[0]), true
	for _, x := range values {
		f := float64(x)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, 0, 0, errors.New("a value is not finite")
		}
		low, high, whole = min(low, f), max(high, f), whole && f == math.Trunc(f)
	}
	scale = 1
	if !whole || high-low > math.MaxUint16 {
		if scale = (high - low) / math.MaxUint16; scale == 0 {
			scale = 1
		}
	}
	raw = make([]byte, 0, 2*len(values))
	for _, x := range values {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(math.Round((float64(x)-low)/scale)))
	}
	return raw, low, scale, nil
}

// numbers lists the strongest place of each map.
func (v Volume) numbers() numbers {
	n := numbers{Caption: "Strongest place of each map", Heads: []string{"map", "value", "x (mm)", "y (mm)", "z (mm)"},
		Note: "Millimetres to the patient's right, front and top."}
	for _, o := range v.Overlays {
		at := 0
		for i, x := range o.Values {
			if max(x, -x) > max(o.Values[at], -o.Values[at]) {
				at = i
			}
		}
		mm := v.place(o.Shape, at)
		value := number(float64(o.Values[at]))
		if o.Unit != "" {
			value += " " + o.Unit
		}
		n.Rows = append(n.Rows, []string{o.Name, value, number(mm[0]), number(mm[1]), number(mm[2])})
	}
	return n
}

// place returns the middle of a cell in mm.
func (v Volume) place(shape [3]int, cell int) (mm [3]float64) {
	at := [3]int{cell % shape[0], cell / shape[0] % shape[1], cell / shape[0] / shape[1]}
	for r := range 3 {
		mm[r] = v.Affine[r][3]
		for a := range 3 {
			mm[r] += v.Affine[r][a] * ((float64(at[a])+0.5)*float64(v.Shape[a])/float64(shape[a]) - 0.5)
		}
	}
	return mm
}

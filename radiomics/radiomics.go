// Package radiomics measures and prepares volumes of CT without any model: it
// resamples and reorients, finds the lungs by thresholds, and computes densities,
// first-order statistics and shape.
//
// Positions are in mm, RAS, densities in HU, volumes in mL (of organs) or mm³ (of
// features, as in pyradiomics). Nothing here is fit for diagnosis.
package radiomics

import (
	"fmt"

	"heed/format"
	"heed/internal/par"
)

// A Mask says for each voxel of a volume what it belongs to: 0 is nothing.
type Mask struct {
	Shape  [3]int
	Data   []uint8 // x the fastest, as in format.Volume
	Affine format.Affine
}

// NewMask returns a mask of zeros on the voxels of v.
func NewMask(v *format.Volume) *Mask {
	return &Mask{Shape: v.Shape, Affine: v.Affine, Data: make([]uint8, len(v.Data))}
}

// MaskOf returns a volume of whole numbers from 0 to 255 as a mask.
func MaskOf(v *format.Volume) (*Mask, error) {
	m := NewMask(v)
	for i, x := range v.Data {
		m.Data[i] = uint8(x)
		if float32(m.Data[i]) != x {
			return nil, fmt.Errorf("voxel %d of the mask is %v, want a whole number from 0 to 255", i+1, x)
		}
	}
	return m, nil
}

// Volume returns the mask as a volume, to be written.
func (m *Mask) Volume() *format.Volume {
	v := &format.Volume{Shape: m.Shape, Affine: m.Affine, Stored: format.Uint8, Data: make([]float32, len(m.Data))}
	for i, x := range m.Data {
		v.Data[i] = float32(x)
	}
	return v
}

// Count returns the number of voxels of a label.
func (m *Mask) Count(label uint8) int {
	n := 0
	for _, x := range m.Data {
		if x == label {
			n++
		}
	}
	return n
}

// Labels returns the labels that occur, without 0.
func (m *Mask) Labels() []uint8 {
	var seen [256]bool
	for _, x := range m.Data {
		seen[x] = true
	}
	var out []uint8
	for i, is := range seen {
		if is && i > 0 {
			out = append(out, uint8(i))
		}
	}
	return out
}

// A Window is a range of HU, as radiologists set it.
type Window struct {
	Name          string
	Center, Width float64
}

// Windows are the usual ones.
var Windows = []Window{
	{"lung", -600, 1500},
	{"mediastinum", 40, 350},
	{"bone", 400, 1800},
	{"soft", 50, 400},
	{"brain", 40, 80},
	{"wide", -200, 1600},
}

// WindowNamed returns a window by its name.
func WindowNamed(name string) (Window, bool) {
	for _, w := range Windows {
		if w.Name == name {
			return w, true
		}
	}
	return Window{}, false
}

// Apply maps the window to 0 to 1, and what is outside to its ends.
func (w Window) Apply(data []float32) {
	low := float32(w.Center - w.Width/2)
	by := float32(1 / w.Width)
	for i, x := range data {
		data[i] = max(0, min(1, (x-low)*by))
	}
}

// each runs f for all i below n, on all cores.
func each(n int, f func(i int)) { par.Do(n, par.Cores(), func(_, i int) { f(i) }) }

package study

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"heed/format"
	"heed/format/nrrd"
	"heed/radiomics"
)

// The tissues of the study, and how they are derived from a mask of the tumour: by
// the distance from it within the slice. Nobody has drawn the rim.
const (
	tissueCore    = iota // within the mask
	tissueRim            // up to rimTo mm outside of it: oedema, or what looks like it
	tissueHealthy        // brain, healthyFrom mm or more away
	tissues
)

var tissueNames = [tissues]string{"core", "rim", "healthy"} // never written to

const (
	rimTo       = 10. // mm
	healthyFrom = 20. // mm
	patchEdge   = 4   // pixels of a token
	windowEdge  = 12  // tokens of a window
)

// textures are the features of a token, first-order and of neighbouring pixels.
var textures = []string{"mean", "deviation", "skewness", "kurtosis", "10th percentile", "90th percentile", "step along x", "step along y", "autocorrelation x", "autocorrelation y", "entropy"} // never written to

// A tissueVolume is the tokens of the slices of one volume that the tumour touches.
type tissueVolume struct {
	name          string
	slices        int
	rows, columns int       // tokens of a slice
	x             []float32 // (slices, rows, columns, features), standardised over the brain
	label         []int32   // -1 where no tissue fills the token
	brain         []bool    // tokens that lie in the brain
}

// readTissues reads the volumes NAME_image.nrrd with their masks NAME_label.nrrd of a
// folder, those of brains.
func readTissues(folder string) ([]*tissueVolume, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, format.PathError(folder, err)
	}
	var out []*tissueVolume
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), "_image.nrrd")
		if !ok || !strings.HasPrefix(name, "brain") {
			continue
		}
		image, err := nrrd.Open(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		path := filepath.Join(folder, name+"_label.nrrd")
		label, err := nrrd.Open(path)
		if err != nil {
			return nil, err
		}
		if err := image.SameGrid(&label.Volume, 0.01); err != nil {
			return nil, format.InvalidAt(path, 0, "not on the grid of the image: %v", err)
		}
		mask, err := radiomics.MaskOf(&label.Volume)
		if err != nil {
			return nil, format.InvalidAt(path, 0, "%v", err)
		}
		v := newTissueVolume(name, &image.Volume, mask)
		if v == nil {
			return nil, format.InvalidAt(path, 0, "no slice has tokens of all tissues")
		}
		out = append(out, v)
	}
	if len(out) < 2 {
		return nil, format.InvalidAt(folder, 0, "%d pairs of brain*_image.nrrd and brain*_label.nrrd, want 2 or more", len(out))
	}
	return out, nil
}

// madeTissues makes two volumes whose tissues differ in brightness, in grain and in
// noise, and the volumes in contrast: for those who have no brains at hand.
func madeTissues(r *rand.Rand) []*tissueVolume {
	var out []*tissueVolume
	for k := range 2 {
		const nx, ny, nz = 128, 128, 4
		v := &format.Volume{Shape: [3]int{nx, ny, nz}, Data: make([]float32, nx*ny*nz), Affine: format.Affine{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 5, 0}}}
		m := radiomics.NewMask(v)
		cx, cy := 50+r.Float64()*28, 50+r.Float64()*28
		gain := 100 + 60*r.Float64()
		for z := range nz {
			before := make([]float64, nx)
			for y := range ny {
				for x := range nx {
					d := math.Hypot(float64(x)-cx, float64(y)-cy)
					i := v.Index(x, y, z)
					level, grain, noise := 1.0, 0.3, 0.20 // healthy
					switch {
					case d < 20:
						m.Data[i], level, grain, noise = 1, 1.2, 0.85, 0.22
					case d < 20+rimTo:
						level, grain, noise = 1.1, 0.0, 0.28
					}
					before[x] = grain*before[x] + noise*r.NormFloat64()
					if math.Hypot(float64(x)-nx/2, float64(y)-ny/2) < 62 {
						v.Data[i] = float32(gain * (level + before[x]))
					}
				}
			}
		}
		if t := newTissueVolume(fmt.Sprintf("made %d", k+1), v, m); t != nil {
			out = append(out, t)
		}
	}
	return out
}

// newTissueVolume cuts the slices that hold all tissues into tokens; nil if there is
// none.
func newTissueVolume(name string, v *format.Volume, m *radiomics.Mask) *tissueVolume {
	nx, ny := v.Shape[0], v.Shape[1]
	mm := math.Hypot(math.Hypot(v.Affine[0][0], v.Affine[1][0]), v.Affine[2][0])
	sorted := slices.Clone(v.Data)
	slices.Sort(sorted)
	dark := 0.15 * sorted[len(sorted)*99/100] // outside of the head
	out := &tissueVolume{name: name, rows: ny / patchEdge, columns: nx / patchEdge}
	var raw []float64
	for z := range v.Shape[2] {
		far := distances(m.Data[z*nx*ny:(z+1)*nx*ny], nx, ny, mm)
		label, seen := make([]int32, 0, out.rows*out.columns), [tissues]bool{}
		var in []bool
		var x []float64
		for row := range out.rows {
			for column := range out.columns {
				var count [tissues]int
				bright := 0
				pixels := make([]float64, 0, patchEdge*patchEdge)
				for j := range patchEdge {
					for i := range patchEdge {
						at := (row*patchEdge+j)*nx + column*patchEdge + i
						p := v.Data[z*nx*ny+at]
						pixels = append(pixels, float64(p))
						if p > dark {
							bright++
						}
						switch d := far[at]; {
						case d == 0:
							count[tissueCore]++
						case d <= rimTo:
							count[tissueRim]++
						case d >= healthyFrom:
							count[tissueHealthy]++
						}
					}
				}
				l := int32(-1)
				const most = patchEdge * patchEdge * 6 / 10
				for t, n := range count {
					if n >= most && bright >= most {
						l, seen[t] = int32(t), true
					}
				}
				label, in, x = append(label, l), append(in, bright >= most), append(x, texture(pixels)...)
			}
		}
		if seen == [tissues]bool{true, true, true} {
			out.slices++
			out.label, out.brain, raw = append(out.label, label...), append(out.brain, in...), append(raw, x...)
		}
	}
	if out.slices == 0 {
		return nil
	}
	out.x = make([]float32, len(raw))
	for f := range textures {
		sum, squares, n := 0.0, 0.0, 0.0
		for i, in := range out.brain {
			if in {
				v := raw[i*len(textures)+f]
				sum, squares, n = sum+v, squares+v*v, n+1
			}
		}
		mean := sum / n
		sd := math.Sqrt(max(squares/n-mean*mean, 1e-12))
		for i := range out.brain {
			out.x[i*len(textures)+f] = float32(min(max((raw[i*len(textures)+f]-mean)/sd, -4), 4))
		}
	}
	return out
}

// distances returns the distance in mm of every pixel from the mask, within a slice: a
// chamfer with steps 1 and √2, at most 8 % too long.
func distances(mask []uint8, nx, ny int, mm float64) []float64 {
	d := make([]float64, nx*ny)
	for i := range d {
		if mask[i] == 0 {
			d[i] = math.Inf(1)
		}
	}
	relax := func(x, y, dx, dy int) {
		if u, w := x+dx, y+dy; u >= 0 && u < nx && w >= 0 && w < ny {
			d[y*nx+x] = min(d[y*nx+x], d[w*nx+u]+mm*math.Hypot(float64(dx), float64(dy)))
		}
	}
	for y := range ny {
		for x := range nx {
			relax(x, y, -1, 0)
			relax(x, y, -1, -1)
			relax(x, y, 0, -1)
			relax(x, y, 1, -1)
		}
	}
	for y := ny - 1; y >= 0; y-- {
		for x := nx - 1; x >= 0; x-- {
			relax(x, y, 1, 0)
			relax(x, y, 1, 1)
			relax(x, y, 0, 1)
			relax(x, y, -1, 1)
		}
	}
	return d
}

// texture returns the features of the pixels of a token.
func texture(p []float64) []float64 {
	n := float64(len(p))
	mean, m2, m3, m4 := 0.0, 0.0, 0.0, 0.0
	for _, v := range p {
		mean += v / n
	}
	for _, v := range p {
		d := v - mean
		m2, m3, m4 = m2+d*d/n, m3+d*d*d/n, m4+d*d*d*d/n
	}
	sd := math.Sqrt(max(m2, 1e-9))
	sorted := slices.Clone(p)
	slices.Sort(sorted)
	low, high := sorted[len(p)/10], sorted[len(p)*9/10]
	var step, lag [2]float64
	pairs := n - patchEdge
	for i, v := range p {
		for axis, next := range [2]int{1, patchEdge} {
			if axis == 0 && i%patchEdge == patchEdge-1 || axis == 1 && i/patchEdge == patchEdge-1 {
				continue
			}
			step[axis] += math.Abs(p[i+next]-v) / pairs
			lag[axis] += (p[i+next] - mean) * (v - mean) / pairs / (sd * sd)
		}
	}
	const bins = 8
	var count [bins]float64
	for _, v := range p {
		count[min(bins-1, int(bins*(v-sorted[0])/(sorted[len(p)-1]-sorted[0]+1e-9)))]++
	}
	entropy := 0.0
	for _, c := range count {
		if c > 0 {
			entropy -= c / n * math.Log(c/n)
		}
	}
	return []float64{mean, sd, m3 / (sd * sd * sd), m4 / (sd * sd * sd * sd), low, high, step[0], step[1], lag[0], lag[1], entropy}
}

// half returns every second slice, the even ones or the odd ones.
func (v *tissueVolume) half(odd int) *tissueVolume {
	out := &tissueVolume{name: v.name, rows: v.rows, columns: v.columns}
	per := v.rows * v.columns
	for s := odd; s < v.slices; s += 2 {
		out.slices++
		out.x = append(out.x, v.x[s*per*len(textures):(s+1)*per*len(textures)]...)
		out.label, out.brain = append(out.label, v.label[s*per:(s+1)*per]...), append(out.brain, v.brain[s*per:(s+1)*per]...)
	}
	return out
}

// A tissueWindow is a square of tokens of one slice.
type tissueWindow struct {
	x     []float32 // (tokens, features)
	label []int32   // (tokens), -1 for none
}

// window draws a window around a token of a tissue that is drawn first, mirrored at
// random if mirror.
func (v *tissueVolume) window(mirror bool, r *rand.Rand) tissueWindow {
	want := int32(r.IntN(tissues))
	at := r.IntN(len(v.label))
	for v.label[at] != want {
		at = r.IntN(len(v.label))
	}
	per := v.rows * v.columns
	slice, row, column := at/per, at%per/v.columns, at%v.columns
	clamp := func(c, n int) int { return min(max(0, c-r.IntN(windowEdge)), n-windowEdge) }
	top, left := clamp(row, v.rows), clamp(column, v.columns)
	flipX, flipY := mirror && r.IntN(2) == 1, mirror && r.IntN(2) == 1
	var w tissueWindow
	for j := range windowEdge {
		for i := range windowEdge {
			y, x := j, i
			if flipY {
				y = windowEdge - 1 - j
			}
			if flipX {
				x = windowEdge - 1 - i
			}
			k := slice*per + (top+y)*v.columns + left + x
			w.x, w.label = append(w.x, v.x[k*len(textures):(k+1)*len(textures)]...), append(w.label, v.label[k])
		}
	}
	return w
}

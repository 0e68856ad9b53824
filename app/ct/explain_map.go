package ct

import (
	"math"

	"heed/format"
	"heed/format/nifti"
	"heed/radiomics"
)

// onScan spreads the scores of cells over the voxels of the scan: linearly
// between the centres of the cells, or constant within the block around each.
// Voxels that the model does not see get 0.
func (x *explaining) onScan(m *ScanMap) *format.Volume {
	v, c := x.view, x.config()
	out := v.picture.Like()
	out.Stored = format.Float32
	grid, stages := c.Grid(), len(c.Stem)
	for i := range v.x {
		at := v.scanIndex(i, c.Size)
		if at < 0 {
			continue
		}
		p := [3]int{i / (c.Size[1] * c.Size[2]), i / c.Size[2] % c.Size[1], i % c.Size[2]}
		if m.Blocks {
			out.Data[at] = float32(m.Scores[cellOf(grid, stages, p)])
		} else {
			out.Data[at] = float32(between(m.Scores, grid, 1<<stages, p))
		}
	}
	return out
}

// between interpolates linearly between the cells around a voxel; beyond the
// outermost centres lies the value there.
func between(scores []float64, grid [3]int, edge int, p [3]int) float64 {
	var low [3]int
	var part [3]float64
	for a := range 3 {
		f := min(float64(p[a])/float64(edge), float64(grid[a]-1))
		low[a] = min(int(f), max(grid[a]-2, 0))
		part[a] = f - float64(low[a])
	}
	sum := 0.0
	for corner := range 8 {
		w, at := 1.0, 0
		for a := range 3 {
			bit := corner >> a & 1
			if bit == 1 {
				w *= part[a]
			} else {
				w *= 1 - part[a]
			}
			at = at*grid[a] + min(low[a]+bit, grid[a]-1)
		}
		if w != 0 {
			sum += w * scores[at]
		}
	}
	return sum
}

// onScan gives every voxel of a lobe the lobe's value, and all others 0.
func (l *Lobes) onScan(p *Picture, values []float64) *format.Volume {
	out := p.Like()
	out.Stored = format.Float32
	for i, k := range l.labels {
		if k >= 0 {
			out.Data[i] = float32(values[k])
		}
	}
	return out
}

// writeMap writes a map on the affine of its scan.
func writeMap(path string, v *format.Volume) error {
	v.Stored = format.Float32
	return nifti.WriteFile(path, v)
}

// A box is what a page shows: the blocks around all cells of the feature map,
// with axes turned to RAS.
type box struct {
	scan    *format.Volume // values as stored; beyond the scan the low end of the window
	order   []int          // (cells) cell of the feature map at each cell of the box, x fastest
	grid    [3]int         // cells of the box, x, y, z
	thinned int            // only every so many-th voxel is shown
}

// boxOf cuts the box of a feature map out of a scan: cell i of an axis has the
// voxels from (i-1/2)·edge on, so that its cells divide the box evenly.
func (x *explaining) boxOf(limit int) (*box, error) {
	v, c := x.view, x.config()
	edge := 1 << len(c.Stem)
	g := c.Grid()
	thin := 1
	for thin < edge && g[0]*g[1]*g[2]*(edge/thin)*(edge/thin)*(edge/thin) > limit {
		thin *= 2
	}
	step := edge / thin
	out := &format.Volume{Shape: [3]int{g[2] * step, g[1] * step, g[0] * step}, Stored: format.Float32}
	var origin [3]float64 // in voxels of the scan, x, y, z
	for a := range 3 {
		col := v.picture.Affine.Column(a)
		for r := range col {
			col[r] *= float64(thin)
		}
		out.Affine.SetColumn(a, col)
		origin[a] = float64(v.from[2-a]-edge/2) + float64(thin-1)/2
	}
	out.Affine.SetColumn(3, v.picture.Affine.Apply(origin))
	out.Data = make([]float32, out.Shape[0]*out.Shape[1]*out.Shape[2])
	cells := &format.Volume{Shape: out.Shape, Affine: out.Affine, Data: make([]float32, len(out.Data))}
	fill := float32(x.model.Config.Scaling.Low)
	shape := v.picture.Shape
	at := 0
	for z := range out.Shape[2] {
		for y := range out.Shape[1] {
			for w := range out.Shape[0] {
				p := [3]int{z, y, w}
				inside, from := true, 0
				for a := range 3 {
					q := v.from[a] - edge/2 + p[a]*thin + (thin-1)/2
					inside = inside && q >= 0 && q < shape[2-a]
					from = from*shape[2-a] + q
				}
				out.Data[at] = fill
				if inside {
					out.Data[at] = v.picture.Data[from]
				}
				cells.Data[at] = float32((p[0]/step*g[1]+p[1]/step)*g[2] + p[2]/step)
				at++
			}
		}
	}
	b := &box{thinned: thin}
	var err error
	if b.scan, _, _, err = radiomics.Reorient(out, "RAS"); err != nil {
		return nil, err
	}
	if cells, _, _, err = radiomics.Reorient(cells, "RAS"); err != nil {
		return nil, err
	}
	for a := range 3 {
		b.grid[a] = cells.Shape[a] / step
	}
	for z := range b.grid[2] {
		for y := range b.grid[1] {
			for w := range b.grid[0] {
				b.order = append(b.order, int(math.Round(float64(cells.At(w*step, y*step, z*step)))))
			}
		}
	}
	return b, nil
}

// cells returns the scores of cells in the order of the box.
func (b *box) cells(scores []float64) []float32 {
	out := make([]float32, len(b.order))
	for i, c := range b.order {
		out[i] = float32(scores[c])
	}
	return out
}

package radiomics

// A component is a set of voxels that hang together by their faces.
type component struct {
	label  int32
	voxels int
	sum    [3]float64 // of the indices
	sides  bool       // reaches a side of the volume along x or y
}

// components labels the voxels of m that are not 0, from 1, in the order in which
// they are met; labels has 0 elsewhere. Components are joined by faces.
func components(m *Mask) (labels []int32, list []component) {
	labels = make([]int32, len(m.Data))
	nx, ny, nz := m.Shape[0], m.Shape[1], m.Shape[2]
	var queue []int32
	for start, v := range m.Data {
		if v == 0 || labels[start] != 0 {
			continue
		}
		c := component{label: int32(len(list) + 1)}
		labels[start] = c.label
		queue = append(queue[:0], int32(start))
		for len(queue) > 0 {
			i := int(queue[len(queue)-1])
			queue = queue[:len(queue)-1]
			x, y, z := i%nx, i/nx%ny, i/(nx*ny)
			c.voxels++
			c.sum[0], c.sum[1], c.sum[2] = c.sum[0]+float64(x), c.sum[1]+float64(y), c.sum[2]+float64(z)
			c.sides = c.sides || x == 0 || y == 0 || x == nx-1 || y == ny-1
			visit := func(j int) {
				if m.Data[j] != 0 && labels[j] == 0 {
					labels[j] = c.label
					queue = append(queue, int32(j))
				}
			}
			if x > 0 {
				visit(i - 1)
			}
			if x < nx-1 {
				visit(i + 1)
			}
			if y > 0 {
				visit(i - nx)
			}
			if y < ny-1 {
				visit(i + nx)
			}
			if z > 0 {
				visit(i - nx*ny)
			}
			if z < nz-1 {
				visit(i + nx*ny)
			}
		}
		list = append(list, c)
	}
	return labels, list
}

// fillHoles sets, in each slice across z, the voxels that are 0 and cannot be reached
// from the sides of the slice.
func fillHoles(m *Mask) {
	nx, ny := m.Shape[0], m.Shape[1]
	each(m.Shape[2], func(z int) {
		s := m.Data[z*nx*ny:][:nx*ny]
		out := make([]bool, nx*ny)
		var queue []int
		visit := func(i int) {
			if s[i] == 0 && !out[i] {
				out[i] = true
				queue = append(queue, i)
			}
		}
		for x := range nx {
			visit(x)
			visit((ny-1)*nx + x)
		}
		for y := range ny {
			visit(y * nx)
			visit(y*nx + nx - 1)
		}
		for len(queue) > 0 {
			i := queue[len(queue)-1]
			queue = queue[:len(queue)-1]
			if x := i % nx; x > 0 {
				visit(i - 1)
			}
			if i%nx < nx-1 {
				visit(i + 1)
			}
			if i >= nx {
				visit(i - nx)
			}
			if i < nx*(ny-1) {
				visit(i + nx)
			}
		}
		for i := range s {
			if !out[i] {
				s[i] = 1
			}
		}
	})
}

// grow sets the voxels within mm of those that are set, or, with on of 0, clears
// those within mm of what is clear; outside of the volume counts as neither. The
// distance is exact: the squared Euclidean distance transform by lower envelopes of
// parabolas (Felzenszwalb and Huttenlocher, 2012), an axis at a time.
func grow(m *Mask, mm float64, on uint8) {
	d := distances(m, on)
	limit := float32(mm * mm * (1 + 1e-6))
	for i, x := range d {
		if x <= limit {
			m.Data[i] = on
		}
	}
}

// distances returns the squared distance in mm² of each voxel to the nearest one that
// is set (on 1) or clear (on 0).
func distances(m *Mask, on uint8) []float32 {
	const far = 1e12
	d := make([]float32, len(m.Data))
	for i, v := range m.Data {
		if (v != 0) != (on != 0) {
			d[i] = far
		}
	}
	spacing := m.Affine.Spacing()
	stride := [3]int{1, m.Shape[0], m.Shape[0] * m.Shape[1]}
	for axis := range 3 {
		n, st, s2 := m.Shape[axis], stride[axis], spacing[axis]*spacing[axis]
		each(len(d)/n, func(line int) {
			start := line/st*st*n + line%st
			envelope(d[start:], n, st, s2)
		})
	}
	return d
}

// envelope replaces f by min over j of f[j] + s2*(i-j)².
func envelope(f []float32, n, stride int, s2 float64) {
	at := make([]int, n)         // roots of the parabolas of the envelope
	from := make([]float64, n+1) // where each begins to be the lowest
	values := make([]float64, n)
	for i := range n {
		values[i] = float64(f[i*stride])
	}
	k := 0
	from[0], from[1] = -1e30, 1e30
	cross := func(q, p int) float64 {
		return ((values[q] + s2*float64(q*q)) - (values[p] + s2*float64(p*p))) / (2 * s2 * float64(q-p))
	}
	for q := 1; q < n; q++ {
		x := cross(q, at[k])
		for x <= from[k] { // never for k of 0
			k--
			x = cross(q, at[k])
		}
		k++
		at[k], from[k], from[k+1] = q, x, 1e30
	}
	k = 0
	for q := range n {
		for from[k+1] < float64(q) {
			k++
		}
		d := float64(q - at[k])
		f[q*stride] = float32(values[at[k]] + s2*d*d)
	}
}

package alignment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"heed/autograd"
	"heed/data"
	"heed/internal/kernel"
	"heed/internal/par"
)

// An AxialReading is what is read from a trained Axial over some alignments of its
// family.
type AxialReading struct {
	// Maps (layers·H, L, L) are the row attention of each layer and head, the mean
	// over the alignments (and over rows, if they are untied).
	Maps []float32
	// Attention (L, L) is the sum of Maps and their transposes by the number of maps.
	Attention []float64
	// Jacobian (L, L) says how strongly the logits of one column answer to changes of
	// the other: the Frobenius norm of a (20, 20) matrix, [Axial.Read].
	Jacobian []float64
}

// Readings are how Read draws: alignments, and changes of each column in each.
const (
	readAlignments = 6
	readChanges    = 2
)

// Read returns what the model says of the pairs of columns, averaged over alignments
// that are drawn from the family as in training. The Jacobian is categorical (Zhang et
// al. 2024): every residue x of a column j is replaced by others a, in all rows at
// once but each row by its own, and
//
//	J_j[i][a][b] = mean over rows of the change of the logit of b at i when j becomes a
//
// with the means over a and over b taken away, and J_j[i] made symmetric with the
// transpose of J_i[j]. The residue at i is hidden, as it is in training, for the
// prediction of one that is seen is the residue itself: the residues of an alignment
// are dealt to 1/Mask parts, and each part is hidden in turn. It takes
// L·12/Mask passes.
func (m *Axial) Read(ctx context.Context, f *Family, seed uint64, cores int) (*AxialReading, error) {
	r := rand.New(rand.NewPCG(seed, 0x726561)) // "rea"
	l, h := m.Columns, len(m.Layers)*m.Config.Heads
	out := &AxialReading{Maps: make([]float32, h*l*l), Attention: make([]float64, l*l)}
	sums, counts := make([]float32, l*l*pairSize), make([]float32, l*l*Residues)
	for range readAlignments {
		rows, err := draw(f, m.Config.Rows, r)
		if err != nil {
			return nil, err
		}
		states := gather(f, rows)
		m.watch(states, out.Maps, cores)
		part := make([]int, len(states))
		parts := max(2, int(math.Round(1/m.Config.Mask)))
		for i, s := range states {
			if part[i] = r.IntN(parts); s >= Residues {
				part[i] = -1 // gaps are never hidden
			}
		}
		for k := range parts {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			hidden, cells := append([]uint8(nil), states...), []int32{}
			for i, p := range part {
				if p == k {
					hidden[i], cells = Hidden, append(cells, int32(i))
				}
			}
			if len(cells) > 0 {
				m.answers(hidden, cells, sums, counts, r, cores)
			}
		}
	}
	kernel.Scale(out.Maps, 1.0/readAlignments)
	for k := range h {
		a := out.Maps[k*l*l : (k+1)*l*l]
		for i := range l {
			for j := range l {
				out.Attention[i*l+j] += float64(a[i*l+j]+a[j*l+i]) / float64(h)
			}
		}
	}
	out.Jacobian = jacobianNorms(sums, counts, l)
	return out, nil
}

// watch adds the row attention over an alignment to maps.
func (m *Axial) watch(states []uint8, maps []float32, cores int) {
	l, h, layer := m.Columns, m.Config.Heads, 0
	t := &autograd.Tape{NoGrad: true, Cores: cores, Probe: func(name string, v *autograd.Var) {
		if !strings.HasSuffix(name, ".row.weights") {
			return
		}
		into := maps[layer*h*l*l : (layer+1)*h*l*l]
		layer++
		for g := range v.Dim(0) { // 1 if tied
			kernel.Axpy(into, 1/float32(v.Dim(0)), v.Data[g*h*l*l:(g+1)*h*l*l])
		}
	}}
	m.Logits(t, states, []int32{0})
}

// answers adds, for every column j, what changing it does to the logits at some cells,
// in columns i: sums (j, i, a, b), and how often residue a at j did so, counts
// (j, i, a).
func (m *Axial) answers(states []uint8, cells []int32, sums, counts []float32, r *rand.Rand, cores int) {
	l, n := m.Columns, len(states)/m.Columns
	base := append([]float32(nil), m.Logits(&autograd.Tape{NoGrad: true, Cores: cores}, states, cells).Data...)
	shifts := make([]int, l*readChanges*n)
	for i := range shifts {
		shifts[i] = 1 + r.IntN(Residues-1)
	}
	tapes := make([]*autograd.Tape, cores)
	par.Do(l, cores, func(worker, j int) {
		if tapes[worker] == nil {
			tapes[worker] = &autograd.Tape{NoGrad: true}
		}
		t := tapes[worker]
		changed := append([]uint8(nil), states...)
		for k := range readChanges {
			for row := range n {
				if s := states[row*l+j]; s < Residues { // what is no residue stays
					changed[row*l+j] = uint8((int(s) + shifts[(j*readChanges+k)*n+row]) % Residues)
				}
			}
			t.Reset()
			y := m.Logits(t, changed, cells).Data
			for c, cell := range cells {
				i, a := int(cell)%l, int(changed[int(cell)/l*l+j])
				if a >= Residues {
					continue
				}
				counts[(j*l+i)*Residues+a]++
				into := sums[((j*l+i)*Residues+a)*Residues:][:Residues]
				kernel.Add(into, y[c*Residues:(c+1)*Residues])
				kernel.Axpy(into, -1, base[c*Residues:(c+1)*Residues])
			}
		}
	})
}

// jacobianNorms returns the norms (L, L) of the matrices that answers summed up. It
// overwrites the sums.
func jacobianNorms(sums, counts []float32, l int) []float64 {
	out := make([]float64, l*l)
	matrix := func(j, i int) []float32 { return sums[(j*l+i)*pairSize : (j*l+i+1)*pairSize] }
	for j := range l {
		for i := range l {
			x := matrix(j, i)
			for a := range Residues {
				if n := counts[(j*l+i)*Residues+a]; n > 0 {
					kernel.Scale(x[a*Residues:(a+1)*Residues], 1/n)
				}
			}
			center(x)
		}
	}
	for i := range l {
		for j := range i {
			x, y := matrix(j, i), matrix(i, j)
			sum := 0.0
			for a := range Residues {
				for b := range Residues {
					v := float64(x[a*Residues+b]+y[b*Residues+a]) / 2
					sum += v * v
				}
			}
			out[i*l+j] = math.Sqrt(sum)
			out[j*l+i] = out[i*l+j]
		}
	}
	return out
}

// center takes the means of rows and of columns away.
func center(x []float32) {
	var rows, columns [Residues]float32
	total := float32(0)
	for a := range Residues {
		for b := range Residues {
			v := x[a*Residues+b] / Residues
			rows[a] += v
			columns[b] += v
			total += v / Residues
		}
	}
	for a := range Residues {
		for b := range Residues {
			x[a*Residues+b] -= rows[a] + columns[b] - total
		}
	}
}

// Map returns the row attention (L, L) of a head, counted through all layers.
func (x *AxialReading) Map(columns, head int) []float32 {
	return x.Maps[head*columns*columns : (head+1)*columns*columns]
}

// HeadName returns "1.3" for the third head of the first layer.
func (m *Axial) HeadName(head int) string {
	return fmt.Sprintf("%d.%d", head/m.Config.Heads+1, head%m.Config.Heads+1)
}

// Example returns the query and rows that are drawn from a family by their weights, n
// in all or fewer: their indices, and their states (R·L).
func (m *Axial) Example(f *Family, seed uint64, n int) (rows []int, states []uint8, err error) {
	rows, err = data.SampleDistinctRows(f.Weights, n, rand.New(rand.NewPCG(seed, 0x657861))) // "exa"
	return rows, gather(f, rows), err
}

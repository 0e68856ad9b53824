package pdb

import (
	"math"

	"heed/internal/par"
)

// Distances is a symmetric matrix of distances between residues.
type Distances struct {
	N int
	// D is row-major, N×N, in Å. NaN stands for a distance that is not known,
	// because a residue is missing; the diagonal of a residue that is not is 0.
	D []float32
}

// At returns the distance of residues i and j, 0-based, in Å.
func (d *Distances) At(i, j int) float64 { return float64(d.D[i*d.N+j]) }

// Contact reports whether residues i and j are closer than cutoff Å; it is false
// for a distance that is not known, which Known tells apart.
func (d *Distances) Contact(i, j int, cutoff float64) bool { return d.At(i, j) < cutoff }

// Known reports whether the distance of residues i and j is.
func (d *Distances) Known(i, j int) bool { v := d.D[i*d.N+j]; return v == v }

func newDistances(n int) *Distances {
	d := &Distances{N: n, D: make([]float32, n*n)}
	nan := float32(math.NaN())
	for i := range d.D {
		d.D[i] = nan
	}
	return d
}

// BetaDistances returns the distances between the C-beta atoms of all residues,
// under a convention. A contact is usually a distance of less than 8 Å.
func (c *Chain) BetaDistances(b Beta) *Distances {
	n := len(c.Residues)
	d := newDistances(n)
	at := make([]Point, n)
	known := make([]bool, n)
	for i := range c.Residues {
		at[i], known[i] = c.Residues[i].Beta(b)
	}
	d.fill(known, func(i, j int) float64 { return at[i].distance(at[j]) })
	return d
}

// MinimumDistances returns the smallest distances between any two atoms, but
// hydrogens, of all residues. At 8 Å this gives many more contacts than
// C-beta atoms do: scores of the two must not be compared. EVcouplings takes 5 Å.
func (c *Chain) MinimumDistances() *Distances {
	n := len(c.Residues)
	d := newDistances(n)
	heavy := make([][]Point, n)
	known := make([]bool, n)
	for i := range c.Residues {
		for _, a := range c.Residues[i].Atoms {
			if a.Element != "H" && a.Element != "D" {
				heavy[i] = append(heavy[i], a.Position)
			}
		}
		known[i] = len(heavy[i]) > 0
	}
	d.fill(known, func(i, j int) float64 {
		least := math.Inf(1)
		for _, p := range heavy[i] {
			for _, q := range heavy[j] {
				v := p.minus(q)
				least = min(least, v.dot(v))
			}
		}
		return math.Sqrt(least)
	})
	return d
}

// fill sets the distances of the residues that are known.
func (d *Distances) fill(known []bool, distance func(i, j int) float64) {
	par.Do(d.N, par.Cores(), func(_, i int) {
		if !known[i] {
			return
		}
		for j := range i {
			if known[j] {
				v := float32(distance(i, j))
				d.D[i*d.N+j], d.D[j*d.N+i] = v, v
			}
		}
		d.D[i*d.N+i] = 0
	})
}

package alignment

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The difference is that of energies, computed whole.
func TestDifference(t *testing.T) {
	const l = 5
	r := rand.New(rand.NewPCG(1, 2))
	p := &Potts{Columns: l, Field: make([]float32, l*States), Coupling: make([]float32, l*States*l*States)}
	for i := range p.Field {
		p.Field[i] = float32(r.NormFloat64())
	}
	n := l * States
	for i := range n {
		for j := range i {
			if i/States != j/States {
				v := float32(r.NormFloat64())
				p.Coupling[i*n+j], p.Coupling[j*n+i] = v, v
			}
		}
	}
	energy := func(x []uint8) float64 {
		sum := 0.0
		for i, a := range x {
			sum += float64(p.Field[i*States+int(a)])
			for j := range i {
				sum += float64(p.Coupling[(i*States+int(a))*n+j*States+int(x[j])])
			}
		}
		return sum
	}
	x := []uint8{3, 20, 7, 0, 11}
	y := []uint8{3, 1, 7, 5, 2}
	want := energy(y) - energy(x)
	if got := p.Difference(x, []int{4, 1, 3}, []uint8{2, 1, 5}); math.Abs(got-want) > 1e-6 {
		t.Errorf("%v, want %v", got, want)
	}
	if got := p.Difference(x, []int{0}, []uint8{3}); got != 0 {
		t.Errorf("no change: %v", got)
	}
}

func TestFrequencies(t *testing.T) {
	f, _ := Encode([][]byte{[]byte("AC"), []byte("A-"), []byte("RC")})
	f.Weights = []float64{2, 1, 1}
	got := f.Frequencies()
	for _, c := range []struct {
		column int
		letter byte
		want   float64
	}{{0, 'A', 3.05 / 5}, {0, 'R', 1.05 / 5}, {0, 'V', 0.05 / 5}, {1, 'C', 3.05 / 4}, {1, 'A', 0.05 / 4}} {
		if g := math.Exp(got[c.column*Residues+int(State(c.letter))]); math.Abs(g-c.want) > 1e-12 {
			t.Errorf("column %d, %c: %v, want %v", c.column, c.letter, g, c.want)
		}
	}
}

package alignment

import (
	"math"
	"math/rand/v2"
	"testing"

	"heed/nn"
)

// plainResidueLoss is the formula of Loss, for logits of residue b at column j.
func plainResidueLoss(f *Family, logit func(row []uint8, j, b int) float64) float64 {
	loss, weight := 0.0, 0.0
	for n := range f.Sequences {
		row := f.row(n)
		for j, x := range row {
			if x >= Residues {
				continue
			}
			sum := 0.0
			for b := range Residues {
				sum += math.Exp(logit(row, j, b))
			}
			loss += f.Weights[n] * (math.Log(sum) - logit(row, j, int(x)))
			weight += f.Weights[n]
		}
	}
	return loss / weight
}

// TestLoss compares the losses with the formula. A gap is no residue and is asked of
// nobody; for Potts it is a state that other columns answer to.
func TestLoss(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	f := randomFamily(20, 9, r)
	m := NewFactored(9, 3, 5, r)
	for _, p := range nn.Params(m) {
		for i := range p.Data {
			p.Data[i] += float32(0.5 * r.NormFloat64())
		}
	}
	w, width := m.plainCouplings(), 9*Residues
	want := plainResidueLoss(f, func(row []uint8, j, b int) float64 {
		y := float64(m.Field.Data[j*Residues+b])
		for i, a := range row {
			if a < Residues {
				y += w[(i*Residues+int(a))*width+j*Residues+b]
			}
		}
		return y
	})
	one, many := m.Loss(f, 1), m.Loss(f, 3)
	if math.Abs(one-want) > 1e-5 || one != many {
		t.Errorf("factored: %v, on 3 cores %v, want %v", one, many, want)
	}
	p := newPotts(f, 0.01)
	for i := range p.Coupling {
		p.Coupling[i] = float32(0.3 * r.NormFloat64())
	}
	want = plainResidueLoss(f, func(row []uint8, j, b int) float64 {
		y := float64(p.Field[j*States+b])
		for i, a := range row {
			if i != j {
				y += float64(p.Coupling[(i*States+int(a))*9*States+j*States+b])
			}
		}
		return y
	})
	if got := p.Loss(f, 2); math.Abs(got-want) > 1e-5 {
		t.Errorf("potts: %v, want %v", got, want)
	}
	other := randomFamily(30, 9, r)
	freq := Profile(other)
	want = plainResidueLoss(f, func(_ []uint8, j, b int) float64 { return math.Log(freq[j*Residues+b]) })
	if got := ProfileLoss(other, f); math.Abs(got-want) > 1e-5 {
		t.Errorf("profile: %v, want %v", got, want)
	}
}

package alignment

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
)

// TestCouplings: in a planted pair, letter a goes with 3 - a, in both models and
// both directions.
func TestCouplings(t *testing.T) {
	f := plantedFamily(400, rand.New(rand.NewPCG(3, 4)))
	p, err := FitPotts(context.Background(), f, PottsConfig{Steps: 40})
	if err != nil {
		t.Fatal(err)
	}
	m, err := FitFactored(context.Background(), f, FactoredConfig{Heads: 8, Width: 8, Rate: 0.02, Batch: 100, Steps: 150, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	pairs := [][2]int{{1, 9}, {9, 1}, {4, 3}}
	for name, all := range map[string][][]float64{"potts": p.Couplings(pairs), "factored": m.Couplings(pairs)} {
		for k, w := range all {
			for a := range 4 {
				sum := 0.0
				for b := range Residues {
					sum += w[a*Residues+b]
					if b != 3-a && w[a*Residues+b] > w[a*Residues+3-a]/2 {
						t.Errorf("%s, %v: %d and %d couple by %.3f, %d and %d by %.3f", name, pairs[k], a, b, w[a*Residues+b], a, 3-a, w[a*Residues+3-a])
					}
					if math.Abs(w[a*Residues+b]-all[1][b*Residues+a]) > 1e-5 && k == 0 {
						t.Errorf("%s is not symmetric", name)
					}
				}
				if math.Abs(sum) > 1e-5 {
					t.Errorf("%s: a row adds up to %v", name, sum)
				}
			}
		}
	}
}

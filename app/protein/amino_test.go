package protein

import (
	"context"
	"testing"
)

// TestAminoMeans: partners of a planted family are A with E and C with D.
func TestAminoMeans(t *testing.T) {
	family, _ := planted(t, 300)
	j := &Job{Family: FamilyConfig{File: family}, Fit: small()}
	j.Fit.Model = "potts"
	o, err := j.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	pairs := o.Fit.firstColumns(o.Family, o.Fit.Scores[0])
	if len(pairs) != 15 {
		t.Fatalf("%d pairs", len(pairs))
	}
	means := aminoMeans(o.Fit.Potts.Couplings(pairs[:len(partners)]))
	for _, m := range means[:2] {
		if s := string([]byte{m.A, m.B}); s != "AE" && s != "DC" && s != "CD" {
			t.Errorf("favoured: %s %.3f", s, m.Value)
		}
	}
	if len(means) != 210 || means[209].Value >= 0 {
		t.Errorf("%d pairs of amino acids, the last %v", len(means), means[len(means)-1])
	}
}

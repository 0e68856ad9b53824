package protein

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"heed/metric"
	"heed/model/alignment"
)

// TestPublishedFamilies reads families and structures that nobody here made, and
// measures the floors. The models are measured in docs/results/protein.md.
func TestPublishedFamilies(t *testing.T) {
	const dir = "../../../shared/data/protein"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no families in " + dir)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		family    FamilyConfig
		structure StructureConfig
		rows, l   int
		neff      float64
		missing   int
		contacts  [4]int // short, medium, long, all
		floor     float64
	}{
		{FamilyConfig{File: file("esm_examples/1a3a_1_A.a3m.gz")}, StructureConfig{File: file("esm_examples/1a3a.pdb.gz")},
			1024, 145, 1014, 0, [4]int{45, 55, 227, 327}, 25. / 145},
		{FamilyConfig{File: file("1atzA/1atzA.fas.gz"), Query: "seq_2634"}, StructureConfig{File: file("1atzA/1atzA.pdb")},
			3068, 75, 1149.4, 0, [4]int{24, 26, 70, 120}, 20. / 75},
		{FamilyConfig{File: file("toxd/toxd.a3m.gz"), Rows: "first:2000"}, StructureConfig{File: file("toxd/toxd.pdb"), Contacts: "minimum-atom"},
			2000, 59, 0, 1, [4]int{}, 0},
	} {
		f, err := c.family.Load()
		if err != nil {
			t.Error(err)
			continue
		}
		truth, err := c.structure.Load(f.Query)
		if err != nil {
			t.Error(err)
			continue
		}
		if f.Sequences != c.rows || len(f.Query) != c.l || truth.Missing != c.missing || c.neff > 0 && math.Abs(f.Neff-c.neff) > 0.06 {
			t.Errorf("%s: %d rows, %d positions, Neff %v, %d missing", c.family.File, f.Sequences, len(f.Query), f.Neff, truth.Missing)
		}
		if c.floor == 0 {
			continue
		}
		apc := alignment.APC(alignment.MutualInformation(f.Family, alignment.InformationPseudocount, 1), c.l)
		for k, s := range metric.Separations() {
			r, err := metric.RankContacts(apc, truth.Touch, c.l, s)
			if err != nil {
				t.Fatal(err)
			}
			if r.Contacts != c.contacts[k] || r.Unknown != 0 {
				t.Errorf("%s, %s: %d contacts, %d unknown", c.family.File, s.Name, r.Contacts, r.Unknown)
			}
			if s.Name == "long" && math.Abs(r.Precision(1)-c.floor) > 1e-9 {
				t.Errorf("%s: mutual information has a long-range P@L of %.4f, want %.4f", c.family.File, r.Precision(1), c.floor)
			}
		}
	}
}

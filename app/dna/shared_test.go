package dna

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPublishedSets reads published data sets, where they are at hand, and
// compares them with what their authors say of them.
func TestPublishedSets(t *testing.T) {
	const dir = "../../../shared/data/dna"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no data sets in " + dir)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		config         DataConfig
		n, first       int // sequences, and those of the first class
		short, longest int
	}{
		{DataConfig{Files: []string{"promoter=" + file("cnnprom/Ecoli_prom.fa.gz"), "other=" + file("cnnprom/Ecoli_non_prom.fa.gz")}}, 3839, 839, 81, 81},
		{DataConfig{Files: []string{"promoter=" + file("cnnprom/Bacillus_prom.fa.gz"), "other=" + file("cnnprom/Bacillus_non_prom.fa.gz")}}, 1373, 373, 81, 81},
		{DataConfig{Files: []string{"promoter=" + file("cnnprom/Mouse_tata.fa.gz"), "other=" + file("cnnprom/Mouse_nonprom.fa.gz")}}, 4785, 1255, 251, 251},
	} {
		d, err := c.config.Load()
		if err != nil {
			t.Error(err)
			continue
		}
		first := 0
		for _, l := range d.Labels {
			if l == 0 {
				first++
			}
		}
		short, longest := d.Lengths()
		if len(d.Seqs) != c.n || first != c.first || short != c.short || longest != c.longest || d.Positive != 0 {
			t.Errorf("%v: %d sequences of %d to %d letters, %d of class %s, positive %d", c.config.Files, len(d.Seqs), short, longest, first, d.Classes[0], d.Positive)
		}
	}
	d, parts, err := DataConfig{}.LoadParts(file("gue_prom/prom_300_tata/train.csv.gz"), file("gue_prom/prom_300_tata/dev.csv.gz"), file("gue_prom/prom_300_tata/test.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(parts.Train) != 4904 || len(parts.Valid) != 613 || len(parts.Test) != 613 || d.Classes[d.Positive] != "1" {
		t.Errorf("parts of %d, %d and %d", len(parts.Train), len(parts.Valid), len(parts.Test))
	}
	found := false
	for _, w := range d.Warnings {
		found = found || w == "6 of 613 test sequences occur letter for letter in the training set"
	}
	if !found {
		t.Errorf("warnings %q", d.Warnings)
	}
}

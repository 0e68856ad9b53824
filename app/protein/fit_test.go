package protein

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/format/rr"
	"heed/model/alignment"
)

// TestPlanted: the pairs that were planted come out on top, of both models, and
// everything that is written says so.
func TestPlanted(t *testing.T) {
	family, structure := planted(t, 400)
	var tables [2]string
	for k, cores := range []int{1, 2} {
		j := &Job{Family: FamilyConfig{File: family}, Structure: StructureConfig{File: structure}, Fit: small(), Seed: 3}
		j.Fit.Factored.Cores = cores
		o, err := j.Load()
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Run(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		for _, m := range o.Fit.models() {
			for _, p := range o.Fit.ranked(o.Family, []*Scores{m}, 1)[:len(partners)] {
				if !slices.Contains(partners, [2]int{p.I, p.J}) {
					t.Errorf("%s ranks %d, %d among the first", m.Method, p.I, p.J)
				}
			}
			row := o.Comparison.Row(m.Method, "all")
			if row.Contacts != len(partners) || row.At[2].Estimate != 1 || row.At[0].Estimate != 6./30 {
				t.Errorf("%s: %+v", m.Method, row)
			}
		}
		if near := o.Comparison.Row("nearness", "all").At[2].Estimate; near > 0.2 {
			t.Errorf("nearness has a precision of %v", near)
		}
		var b bytes.Buffer
		if err := o.Comparison.WriteTable(&b); err != nil {
			t.Fatal(err)
		}
		tables[k] = b.String()
		if k == 0 {
			checkFolder(t, o)
		}
	}
	if tables[0] != tables[1] {
		t.Errorf("other results on 2 cores:\n%s\n%s", tables[0], tables[1])
	}
}

func checkFolder(t *testing.T, o *Outcome) {
	t.Helper()
	dir := t.TempDir()
	if err := o.Write(dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	lines := strings.Split(strings.TrimSpace(read("contacts.tsv")), "\n")
	if want := "i\tj\tresidue_i\tresidue_j\tseparation\tpotts_raw\tpotts_apc\tfactored_raw\tfactored_apc\tdistance\tcontact"; lines[0] != want || len(lines) != 1+30*29/2 {
		t.Errorf("%d lines, first %q, want %q", len(lines), lines[0], want)
	}
	for _, line := range lines[1 : 1+len(partners)] {
		if !strings.HasSuffix(line, "\t5.00\t1") {
			t.Errorf("line %q is no contact", line)
		}
	}
	for _, name := range []string{"contacts.rr", "contacts.factored.rr"} {
		p, err := rr.Read(name, strings.NewReader(read(name)))
		if err != nil {
			t.Fatal(err)
		}
		if first := p.Contacts[0]; first.P != 1 || !slices.Contains(partners, [2]int{first.I - 1, first.J - 1}) {
			t.Errorf("%s begins with %+v", name, first)
		}
	}
	for name, want := range map[string][]string{
		"contacts.pml": {"first.pdb, structure", "distance right, structure and chain A and resi ", "distance wrong, "},
		"contacts.cxc": {"first.pdb\"", " name right\n"},
		"heads.tsv":    {"head\tstrength\t"},
		"metrics.json": {`"contact": "C-beta atoms (computed where absent) closer than 8 Å"`, `"method": "potts"`},
		"report.html":  {"C-beta atoms (computed where absent) closer than 8 Å", "mutual information (floor)", "BERTology", "seed", "What this cannot tell"},
	} {
		text := read(name)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q", name, w)
			}
		}
	}
}

func TestPlanRefusesTooMuch(t *testing.T) {
	family, _ := planted(t, 20)
	j := &Job{Family: FamilyConfig{File: family}, Fit: FitConfig{Model: "potts", Potts: alignment.PottsConfig{Cores: 1}, MaxMemory: 1 << 20}}
	_, err := j.Load()
	// 3 matrices of (30·21)² and, on one core, (30·21 + 20)·4·21 values of 4 bytes.
	if want := family + ": too large: potts of 30 columns needs 5.0 MB, the limit is 1.0 MB"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestFitStops(t *testing.T) {
	family, _ := planted(t, 20)
	j := &Job{Family: FamilyConfig{File: family}, Fit: small()}
	o, err := j.Load()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := o.Run(ctx, nil); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}

package protein

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"heed/format"
	"heed/internal/cli"
	"heed/metric"
)

func TestLoadStructure(t *testing.T) {
	family, structure := planted(t, 20)
	f, err := FamilyConfig{File: family}.Load()
	if err != nil {
		t.Fatal(err)
	}
	truth, err := StructureConfig{File: structure}.Load(f.Query)
	if err != nil {
		t.Fatal(err)
	}
	contacts := 0
	for _, c := range truth.Touch {
		if c == metric.Contact {
			contacts++
		}
	}
	if contacts != 2*len(partners) || truth.Touch[0*30+27] != metric.Contact || truth.Touch[0*30+1] != metric.Apart || truth.Touch[0] != metric.Unknown || truth.Missing != 0 {
		t.Errorf("%d contacts, %d missing", contacts, truth.Missing)
	}
	if want := `first.pdb, chain "A", 30 residues equal; contact: C-beta atoms (computed where absent) closer than 8 Å`; !strings.HasSuffix(truth.Describe(), want) {
		t.Errorf("%s, want %s", truth.Describe(), want)
	}
	// Atoms at the same distance, another definition.
	truth, err = StructureConfig{File: structure, Contacts: "minimum-atom", Cutoff: 4}.Load(f.Query)
	if err != nil || truth.Definition != "any two atoms but hydrogens closer than 4 Å" || truth.Touch[0*30+27] != metric.Apart {
		t.Errorf("%v, %+v", err, truth)
	}
	// Without the last residues of the file, their pairs are unknown.
	text, _ := os.ReadFile(structure)
	lines := strings.SplitAfter(string(text), "\n")
	short := write(t, "short.pdb", strings.Join(lines[:40], "")+"END\n")
	truth, err = StructureConfig{File: short}.Load(f.Query)
	if err != nil || truth.Missing != 10 || truth.Touch[0*30+27] != metric.Unknown || truth.Touch[2*30+19] != metric.Contact {
		t.Errorf("%v, %+v", err, truth)
	}
	// Another protein.
	other := slices.Clone(f.Query)
	for i := 0; i < len(other); i += 3 {
		other[i] = 'G'
	}
	_, err = StructureConfig{File: structure}.Load(other)
	if want := `chain "A" does not match the query: 20 of 30 aligned residues are equal (67 %, want 90 %)`; err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, format.ErrInvalid) {
		t.Errorf("error %v, want %s", err, want)
	}
	_, err = StructureConfig{File: structure, Chain: "B"}.Load(f.Query)
	if want := `first.pdb: invalid: pdb: no chain "B"; chains are "A"`; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestLoadDistances(t *testing.T) {
	file := write(t, "d.dat", "1 8 7.9\n2 9 x 8\n1 9 0\n")
	truth, err := StructureConfig{Distances: file}.Load([]byte("ACDEFGHIK"))
	if err != nil {
		t.Fatal(err)
	}
	for pair, want := range map[[2]int]metric.Touch{{0, 7}: metric.Contact, {7, 0}: metric.Contact, {1, 8}: metric.Apart, {0, 8}: metric.Unknown, {2, 3}: metric.Unknown} {
		if got := truth.Touch[pair[0]*9+pair[1]]; got != want {
			t.Errorf("%v: %d, want %d", pair, got, want)
		}
	}
	if truth.Definition != "distance in the table less than 8 Å" || truth.Missing != 5 {
		t.Errorf("%+v", truth)
	}
	for text, want := range map[string]string{
		"1 10 5\n": "d.dat:1: invalid: position 10 of a query of 9",
		"1 9 -5\n": "d.dat:1: invalid: distance of -5",
	} {
		_, err := StructureConfig{Distances: write(t, "d.dat", text)}.Load([]byte("ACDEFGHIK"))
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestStructureConfigErrors(t *testing.T) {
	for want, c := range map[string]StructureConfig{
		"--structure and --distances do not go together": {File: "a", Distances: "b"},
		"--chain needs --structure":                      {Chain: "A"},
		"--contacts needs --structure":                   {Contacts: "beta", Distances: "d"},
		`--contacts "gamma": want beta or minimum-atom`:  {File: "a", Contacts: "gamma"},
		"--cutoff -1: want a distance in Å":              {Cutoff: -1},
		"--cutoff NaN: want a distance in Å":             {Cutoff: math.NaN()},
	} {
		var u *cli.UsageError
		if _, err := c.Load(nil); err == nil || err.Error() != want || !errors.As(err, &u) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if truth, err := (StructureConfig{}).Load([]byte("AC")); truth != nil || err != nil {
		t.Errorf("no structure: %v, %v", truth, err)
	}
}

package protein

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heed/autograd"
	"heed/checkpoint"
	"heed/model/esm"
)

// The command gives the contacts that the authors' program computed for an
// alignment.
func TestContactsOfAlignment(t *testing.T) {
	const shared = "../../../shared/golden/esm/"
	text, err := os.ReadFile(shared + "msa_ref.json")
	if err != nil {
		t.Skip("../shared/golden/esm is missing: it holds outputs of the authors' program")
	}
	var ref struct {
		MSA      [][2]string
		Contacts [][][]float64
		Repr     map[string][][][][]float64
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Load(shared + "msa_tiny.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	arrays := map[string]esm.Array{}
	for _, e := range f.Entries {
		arrays[e.Name] = esm.Array{Shape: e.Shape, Values: func() ([]float32, error) { return e.Float, nil }}
	}
	m, _, err := esm.LoadMSA(arrays, 4)
	if err != nil {
		t.Fatal(err)
	}
	var entries []checkpoint.Entry
	m.Visit("", func(name string, v *autograd.Var) { entries = append(entries, checkpoint.Tensor(name, &v.Tensor)) })
	config, err := json.Marshal(m.Config)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := (&checkpoint.Info{Version: checkpoint.Version, Architecture: esm.ArchitectureMSA, Config: config}).Meta()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	model := filepath.Join(dir, "m.safetensors")
	if err := checkpoint.Save(model, meta, entries); err != nil {
		t.Fatal(err)
	}
	a3m := ""
	for _, s := range ref.MSA {
		a3m += ">" + s[0] + "\n" + s[1] + "\n"
	}
	family := filepath.Join(dir, "f.a3m")
	if err := os.WriteFile(family, []byte(a3m), 0o644); err != nil {
		t.Fatal(err)
	}
	npz := filepath.Join(dir, "x.npz")
	table, err := protein("contacts", model, family, "-o", npz)
	if err != nil || !strings.Contains(table, "\nq\t") {
		t.Fatalf("%v: %s", err, table)
	}
	x := archive(t, npz)["q"]
	for i, row := range ref.Contacts[0] {
		for j, v := range row {
			if got := x.Data[i*len(row)+j]; !(math.Abs(got-v) < 1e-4) {
				t.Fatalf("contact (%d, %d) is %g, want %g", i, j, got, v)
			}
		}
	}
	if _, err := protein("contacts", model, family, "--rows", "2"); err != nil {
		t.Error(err)
	}
	for _, test := range []struct{ args, want string }{
		{"--max-len 5", family + ": too large: a query of 12 residues, limit 5"},
		{"--rows 0", "--rows 0: want 1 or more"},
	} {
		if _, err := protein(append([]string{"contacts", model, family}, strings.Fields(test.args)...)...); err == nil || err.Error() != test.want {
			t.Errorf("%s: got error %v, want %s", test.args, err, test.want)
		}
	}
	if _, err := protein("embed", model, family, "-o", npz, "--per-residue"); err != nil {
		t.Fatal(err)
	}
	states := archive(t, npz)["q"]
	for i, row := range ref.Repr["2"][0][0][1:] {
		for j, v := range row {
			if got := states.Data[i*len(row)+j]; !(math.Abs(got-v) < 1e-4) {
				t.Fatalf("state (%d, %d) is %g, want %g", i, j, got, v)
			}
		}
	}
}

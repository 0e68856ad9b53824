package protein

import (
	"encoding/json"
	"io"
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
		Rows     [][][][][]float64   `json:"row_attentions"`
		Columns  [][][][][][]float64 `json:"col_attentions"`
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

	// The page has the rollout over the attention that the authors' program computed.
	loaded, err := LoadMSAEncoder(model)
	if err != nil {
		t.Fatal(err)
	}
	p, err := readAlignment(family, 256, 4096, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	g := (&encoderModel{alignment: loaded}).grid(p, 2)
	wantByColumn, wantByCell := denseRollout(ref.Rows[0], ref.Columns[0])
	byColumn, byCell := g.rolled(1)
	for _, c := range []struct {
		name      string
		got, want []float32
	}{{"columns", byColumn, wantByColumn}, {"cells", byCell, wantByCell}} {
		if len(c.got) != len(c.want) {
			t.Fatalf("%d %s, want %d", len(c.got), c.name, len(c.want))
		}
		for i, v := range c.want {
			if !(math.Abs(float64(c.got[i]-v)) < 1e-5) {
				t.Fatalf("rollout, %s: entry %d is %g, want %g", c.name, i, c.got[i], v)
			}
		}
	}
	mean := 0.0 // of layer 2, head 3, from the second row to the fourth
	for _, a := range ref.Columns[0][1][2] {
		mean += a[1][3] / float64(len(ref.Columns[0][1][2]))
	}
	if got := g.between[((1*4+2)*5+1)*5+3]; !(math.Abs(float64(got)-mean) < 1e-5) {
		t.Errorf("column attention %g, want %g", got, mean)
	}
	page := filepath.Join(dir, "x.html")
	if _, err := protein("contacts", model, family, "--report", page); err != nil {
		t.Fatal(err)
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Rows and columns", "first 5 of 5 rows", "Column attention of every layer", "Axial rollout over the same alignment", "(5 rows, the query on top, by 12 columns)"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	single := filepath.Join(dir, "single.a3m")
	if err := os.WriteFile(single, []byte(">q\nMKTAYIAK\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := protein("contacts", model, single, "--report", page); err != nil {
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

// denseRollout multiplies the matrices of all cells by one another: rows (layers, H,
// L, L) are tied, columns (layers, H, L, N, N). The first column is no residue.
func denseRollout(rows [][][][]float64, columns [][][][][]float64) (byColumn, byCell []float32) {
	l, n := len(rows[0][0]), len(columns[0][0][0])
	cells := n * l
	product := make([][]float64, cells)
	for i := range product {
		product[i] = make([]float64, cells)
		product[i][i] = 1
	}
	times := func(weight func(a, b int) float64) { // half of it is the residual connection
		next := make([][]float64, cells)
		for a := range next {
			next[a] = make([]float64, cells)
			for b := range cells {
				w := weight(a, b) / 2
				if a == b {
					w += 0.5
				}
				if w == 0 {
					continue
				}
				for c := range cells {
					next[a][c] += w * product[b][c]
				}
			}
		}
		product = next
	}
	heads := float64(len(rows[0]))
	for layer := range rows {
		times(func(a, b int) (w float64) {
			if a/l == b/l {
				for _, h := range rows[layer] {
					w += h[a%l][b%l] / heads
				}
			}
			return w
		})
		times(func(a, b int) (w float64) {
			if a%l == b%l {
				for _, h := range columns[layer] {
					w += h[a%l][a/l][b/l] / heads
				}
			}
			return w
		})
	}
	byColumn, byCell = make([]float32, (l-1)*(l-1)), make([]float32, n*(l-1))
	for i := 1; i < l; i++ {
		for c, v := range product[i] {
			if at := c%l - 1; at >= 0 {
				byColumn[(i-1)*(l-1)+at] += float32(v)
				byCell[c/l*(l-1)+at] += float32(v / float64(l-1))
			}
		}
	}
	return byColumn, byCell
}

package protein

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"heed/model/alignment"
)

// partners are the pairs of columns that go together in a planted family, 0-based,
// and the residues that touch in its structure.
var partners = [][2]int{{0, 27}, {2, 19}, {4, 13}, {7, 25}, {9, 16}, {11, 22}}

// planted writes a family of n sequences of 30 columns, and the structure of its
// first, into a folder of the test. Residues stand 20 Å apart, partners 5 Å.
func planted(t *testing.T, n int) (family, structure string) {
	t.Helper()
	const l = 30
	r := rand.New(rand.NewPCG(5, 6))
	letters := []byte("ACDE")
	var a, p bytes.Buffer
	var first []byte
	for k := range n {
		row := make([]byte, l)
		for i := range row {
			row[i] = letters[r.IntN(4)]
		}
		for _, pair := range partners {
			if r.Float64() < 0.85 {
				row[pair[1]] = letters[3-bytes.IndexByte(letters, row[pair[0]])]
			}
		}
		if k == 0 {
			first = row
		}
		fmt.Fprintf(&a, ">row%d\n%s\n", k, row)
	}
	names := map[byte]string{'A': "ALA", 'C': "CYS", 'D': "ASP", 'E': "GLU"}
	for i, c := range first {
		x, y := 20*float64(i), 0.0
		for _, pair := range partners {
			if pair[1] == i {
				x, y = 20*float64(pair[0]), 5
			}
		}
		for k, atom := range []string{"CA", "CB"} {
			fmt.Fprintf(&p, "ATOM  %5d  %-3s %s A%4d    %8.3f%8.3f%8.3f  1.00  0.00           C\n", 2*i+k+1, atom, names[c], i+1, x, y, float64(k))
		}
	}
	p.WriteString("END\n")
	dir := t.TempDir()
	family, structure = filepath.Join(dir, "family.a3m"), filepath.Join(dir, "first.pdb")
	for path, text := range map[string][]byte{family: a.Bytes(), structure: p.Bytes()} {
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return family, structure
}

// small is a fit that takes a second.
func small() FitConfig {
	return FitConfig{Potts: alignment.PottsConfig{Steps: 30}, Factored: alignment.FactoredConfig{Heads: 16, Width: 8, Rate: 0.02, Steps: 150, Batch: 64}}
}

// write makes a file in a folder of the test.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

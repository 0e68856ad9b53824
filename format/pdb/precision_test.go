package pdb

import (
	"bufio"
	"cmp"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"heed/format"
)

// TestPrecision scores the couplings that CCMpred found by the contacts of the
// structures, and compares with the precisions that the README of the data has:
// distances, and the alignment of a structure to a query, end to end.
func TestPrecision(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "protein")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no protein data at " + dir)
	}
	for _, test := range []struct {
		pdb, matrix, query string
		separation         int
		want               [3]float64 // of the first L/5, L/2 and L pairs
	}{
		{"1atzA/1atzA.pdb", "1atzA/1atzA.apc.mat.gz", "", 6, [3]float64{.867, .730, .520}},
		{"1atzA/1atzA.pdb", "1atzA/1atzA.apc.mat.gz", "", 24, [3]float64{.800, .568, .400}},
		{"1atzA/1atzA.pdb", "1atzA/1atzA.noapc.mat.gz", "", 6, [3]float64{.533, .297, .187}},
		{"toxd/toxd.pdb", "toxd/toxd.mat.gz", "QPRRKLCILHRNPGRCYDKIPAFYYNQKKKQCERFDWSGCGGNSNRFKTIEECRRTCIG", 6, [3]float64{1, .828, .576}},
		{"toxd/toxd.pdb", "toxd/toxd.mat.gz", "QPRRKLCILHRNPGRCYDKIPAFYYNQKKKQCERFDWSGCGGNSNRFKTIEECRRTCIG", 24, [3]float64{.818, .586, .373}},
	} {
		c := &open(t, filepath.Join(dir, test.pdb)).Chains[0]
		query := []byte(test.query)
		if len(query) == 0 {
			query = c.Sequence()
		}
		m, err := c.Align(query, Alignment{})
		if err != nil {
			t.Fatal(err)
		}
		d := m.Distances(c.BetaDistances(GlycineAlpha))
		scores := matrix(t, filepath.Join(dir, test.matrix), d.N)
		type pair struct{ i, j int }
		var pairs []pair
		for i := range d.N {
			for j := i + test.separation; j < d.N; j++ {
				pairs = append(pairs, pair{i, j})
			}
		}
		slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(scores[b.i][b.j], scores[a.i][a.j]) })
		for k, part := range []int{5, 2, 1} {
			n, hits := d.N/part, 0
			for _, p := range pairs[:n] {
				if d.Contact(p.i, p.j, 8) {
					hits++
				}
			}
			if got := float64(hits) / float64(n); math.Abs(got-test.want[k]) > 0.0006 {
				t.Errorf("%s, separation %d: precision of L/%d is %.3f, want %.3f", test.matrix, test.separation, part, got, test.want[k])
			}
		}
	}
}

// matrix reads n lines of n numbers.
func matrix(t *testing.T, file string, n int) [][]float64 {
	t.Helper()
	r, err := format.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var m [][]float64
	s := bufio.NewScanner(r)
	for s.Buffer(nil, 1<<20); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue // what CCMgen says of the run
		}
		var row []float64
		for _, word := range strings.Fields(s.Text()) {
			f, err := strconv.ParseFloat(word, 64)
			if err != nil {
				t.Fatal(err)
			}
			row = append(row, f)
		}
		if len(row) != n {
			t.Fatalf("%s: %d columns, want %d", file, len(row), n)
		}
		m = append(m, row)
	}
	if len(m) != n || s.Err() != nil {
		t.Fatalf("%s: %d rows, want %d: %v", file, len(m), n, s.Err())
	}
	return m
}

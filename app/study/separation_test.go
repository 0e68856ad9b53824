package study

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/autograd"
	"heed/metric"
	"heed/model/alignment"
)

// One pair of columns, 8 apart, with letters that determine each other: attention
// finds it before all others, and convolutions that do not reach so far have no
// Jacobian there.
func TestSeparationFindsAPair(t *testing.T) {
	const columns, a, b = 12, 1, 9
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([][]uint8, 400)
	for k := range rows {
		row := make([]uint8, columns)
		for c := range row {
			row[c] = uint8(r.IntN(4))
		}
		row[b] = 3 - row[a]
		rows[k] = row
	}
	l := &Lab{Seed: 1, Tiny: true}
	valid := maskRows(rows[370:], 2, r)
	top := map[string][2]int{}
	for _, c := range []contender{{"attention", "", 1e-2, 40}, {"inception", "inception", 1e-2, 5}} {
		model, _, err := l.fitRow(context.Background(), c, rows[:370], valid, 1)
		if err != nil {
			t.Fatal(err)
		}
		j, err := alignment.CategoricalJacobian(context.Background(), rows[:2], 2, func(rows []uint8) []float32 {
			return model.Logits(&autograd.Tape{NoGrad: true}, rows, nil).Data
		})
		if err != nil {
			t.Fatal(err)
		}
		scores := alignment.JacobianScores(j, columns)
		best := 0
		for i, s := range scores {
			if s > scores[best] {
				best = i
			}
		}
		top[c.name] = [2]int{best / columns, best % columns}
		if far := scores[a*columns+b]; c.mixer == "inception" && far != 0 {
			t.Errorf("inception has a Jacobian of %v between columns %d apart", far, b-a)
		}
	}
	if top["attention"] != [2]int{a, b} {
		t.Errorf("attention puts columns %v first, want %d and %d", top["attention"], a, b)
	}
}

func TestPlantedFamily(t *testing.T) {
	f, err := plantedFamily(60, 400, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]int, 60)
	perRange := map[string]int{}
	for i := range 60 {
		for j := i + 1; j < 60; j++ {
			if f.truth[i*60+j] != metric.Contact {
				continue
			}
			seen[i]++
			seen[j]++
			for _, s := range metric.Separations()[:3] {
				if s.Has(j - i) {
					perRange[s.Name]++
				}
			}
			// What one letter says of the other.
			pairs := map[[2]byte]int{}
			for _, row := range f.rows {
				pairs[[2]byte{row[i], row[j]}]++
			}
			common := 0
			for _, n := range pairs {
				if n > 20 {
					common += n
				}
			}
			if share := float64(common) / float64(len(f.rows)); share < 0.75 {
				t.Errorf("columns %d and %d agree in a share of %.2f", i, j, share)
			}
		}
	}
	if perRange["short"] != 6 || perRange["medium"] != 6 || perRange["long"] != 6 || slices.Max(seen) > 1 {
		t.Errorf("pairs %v, a column in %d", perRange, slices.Max(seen))
	}
	// No test row has a near copy among the training rows.
	f.rows = append(f.rows, f.rows[:50]...)
	parts, clusters, err := f.split(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range parts.Test {
		for _, j := range append(parts.Train, parts.Valid...) {
			if clusters[i] == clusters[j] || bytes.Equal(f.rows[i], f.rows[j]) {
				t.Fatalf("rows %d and %d are alike and on both sides", i, j)
			}
		}
	}
}

func TestReadFamily(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rows := write("rows.fasta", ">q\nACDEFG\n>a\nAC----\n>b\nACDE--\n")
	table := write("table.dat", "1 6 5.5\n2 5 9\n1 2 0\n")
	f, err := readFamily(rows, "", table)
	if err != nil {
		t.Fatal(err)
	}
	if len(f.rows) != 2 || len(f.notes) != 1 || f.truth[5] != metric.Contact || f.truth[30] != metric.Contact || f.truth[1*6+4] != metric.Apart || f.truth[1] != metric.Unknown {
		t.Errorf("%d rows, notes %q, truth %v", len(f.rows), f.notes, f.truth)
	}
	for _, tt := range []struct{ family, structure, distances, want string }{
		{rows, "", "", "--family needs --structure or --distances, and not both"},
		{rows, table, table, "--family needs --structure or --distances, and not both"},
		{rows, "", write("far.dat", "1 7 5\n"), "far.dat:1: invalid: position 7 of 6 columns"},
		{rows, table, "", "table.dat:"},
		{filepath.Join(dir, "none"), "", table, "no such file"},
	} {
		if _, err := readFamily(tt.family, tt.structure, tt.distances); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %s", err, tt.want)
		}
	}
}

package data

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRowClusters(t *testing.T) {
	rows := [][]byte{
		[]byte("ACDEFGHIKL"),
		[]byte("WWWWWWWWWW"),
		[]byte("ACDEFGHIWW"), // 8 of 10 like the first
		[]byte("WWDEFGHIWW"), // 8 of 10 like the one before, 6 like the first
		[]byte("-----GHIK-"), // a fragment of the first
		[]byte("----------"),
		[]byte("YYYYYYYYYY"),
		[]byte("----------"),
	}
	got, err := RowClusters(rows, 0.8)
	if want := []int{0, 1, 0, 0, 0, 2, 3, 4}; err != nil || !slices.Equal(got, want) {
		t.Errorf("clusters %v, %v, want %v", got, err, want)
	}
	for _, identity := range []float64{0, 1.1} {
		if _, err := RowClusters(rows, identity); err == nil {
			t.Errorf("identity %v: no error", identity)
		}
	}
	if _, err := RowClusters(nil, 0.8); err == nil || err.Error() != "data: alignment without rows or columns" {
		t.Errorf("error %v", err)
	}
}

// No two rows of different clusters are alike, by the plain definition.
func TestRowClustersAreApart(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const columns = 70
	var rows [][]byte
	for range 150 {
		row := make([]byte, columns)
		if len(rows) > 0 && r.IntN(3) > 0 {
			copy(row, rows[r.IntN(len(rows))])
			for range r.IntN(25) {
				row[r.IntN(columns)] = "ACDE-"[r.IntN(5)]
			}
		} else {
			for i := range row {
				row[i] = "ACDEFGHIKLMNPQRSTVWY"[r.IntN(20)]
			}
		}
		rows = append(rows, row)
	}
	clusters, err := RowClusters(rows, 0.8)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		for j := range i {
			same, ni, nj := 0, 0, 0
			for c := range columns {
				a, b := rows[i][c] != '-', rows[j][c] != '-'
				if a {
					ni++
				}
				if b {
					nj++
				}
				if a && b && rows[i][c] == rows[j][c] {
					same++
				}
			}
			if clusters[i] != clusters[j] && 5*same >= 4*min(ni, nj) {
				t.Errorf("rows %d and %d have %d equal residues of %d and %d, in clusters %d and %d", i, j, same, ni, nj, clusters[i], clusters[j])
			}
		}
	}
	if n := slices.Max(clusters) + 1; n < 10 || n > 120 {
		t.Errorf("%d clusters", n)
	}
}

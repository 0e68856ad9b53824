package data

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// greedy is DiverseRows by its definition.
func greedy(rows [][]byte, n int) []int {
	picked := []int{0}
	for len(picked) < min(n, len(rows)) {
		best, far := -1, -1
		for i := range rows {
			if slices.Contains(picked, i) {
				continue
			}
			sum := 0
			for _, j := range picked {
				for k := range rows[i] {
					if rows[i][k] != rows[j][k] {
						sum++
					}
				}
			}
			if sum > far {
				best, far = i, sum
			}
		}
		picked = append(picked, best)
	}
	slices.Sort(picked)
	return picked
}

func TestDiverseRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for _, columns := range []int{3, 64, 90} {
		rows := family(60, columns, rng)
		for _, n := range []int{1, 2, 17, 60, 100} {
			got, err := DiverseRows(rows, n)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(greedy(rows, n), got); diff != "" {
				t.Errorf("%d of 60 rows of %d columns: %s", n, columns, diff)
			}
		}
	}
}

func TestFilter(t *testing.T) {
	rows := [][]byte{
		[]byte("ACDEFGHIK-"), // the query
		[]byte("ACDEFGHIW-"), // 8 of 9 equal
		[]byte("ACDEFGHIKL"), // a copy
		[]byte("ACD------L"), // a fragment
		[]byte("WWWWWGHIK-"), // far
		[]byte("ACDEFWWWW-"),
		[]byte("acdefwww--"), // the same without the end, in lower case
	}
	for _, test := range []struct {
		f    RowFilter
		want FilteredRows
	}{
		{RowFilter{}, FilteredRows{Kept: []int{0, 1, 2, 3, 4, 5, 6}}},
		{RowFilter{MinCoverage: 0.75}, FilteredRows{Kept: []int{0, 1, 2, 4, 5, 6}, LowCoverage: []int{3}}},
		{RowFilter{MinQueryIdentity: 0.5}, FilteredRows{Kept: []int{0, 1, 2, 3, 5, 6}, FarFromQuery: []int{4}}},
		// Row 2 has most residues, but the query goes before.
		{RowFilter{MaxIdentity: 0.9}, FilteredRows{Kept: []int{0, 1, 4, 5}, TooSimilar: []int{2, 3, 6}}},
		{RowFilter{MaxIdentity: 0.8}, FilteredRows{Kept: []int{0, 4, 5}, TooSimilar: []int{1, 2, 3, 6}}},
		{RowFilter{MinCoverage: 0.75, MinQueryIdentity: 0.5, MaxIdentity: 0.9}, FilteredRows{[]int{0, 1, 5}, []int{3}, []int{4}, []int{2, 6}}},
	} {
		got, err := test.f.Filter(rows)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v: %s", test.f, diff)
		}
	}
}

// TestFilterBatches checks, over several batches, that no two kept rows are too
// similar, that every dropped one is similar to one kept, and that every row is
// somewhere.
func TestFilterBatches(t *testing.T) {
	rows := family(1500, 40, rand.New(rand.NewPCG(3, 1)))
	p, err := pack(rows)
	if err != nil {
		t.Fatal(err)
	}
	got, err := RowFilter{MinCoverage: 0.5, MaxIdentity: 0.7}.Filter(rows)
	if err != nil {
		t.Fatal(err)
	}
	similar := func(i, j int) bool {
		same, both := p.matches(i, j)
		return 10*same > 7*both
	}
	for k, i := range got.Kept {
		for _, j := range got.Kept[:k] {
			if similar(i, j) {
				t.Fatalf("rows %d and %d were kept", i, j)
			}
		}
	}
	for _, i := range got.TooSimilar {
		if !slices.ContainsFunc(got.Kept, func(j int) bool { return similar(i, j) }) {
			t.Fatalf("row %d was dropped for nothing", i)
		}
	}
	all := slices.Concat(got.Kept, got.LowCoverage, got.FarFromQuery, got.TooSimilar)
	slices.Sort(all)
	if diff := cmp.Diff(upTo(len(rows)), all); diff != "" {
		t.Error(diff)
	}
	if len(got.Kept) < 300 || len(got.TooSimilar) < 300 {
		t.Errorf("%d kept, %d dropped: no test of batches", len(got.Kept), len(got.TooSimilar))
	}
}

func TestSampleRows(t *testing.T) {
	weights := []float64{0, 1, 0, 3, 0}
	got, err := SampleRows(weights, 40000, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]int, len(weights))
	for _, i := range got {
		counts[i]++
	}
	// The standard deviation is 87.
	if counts[0]+counts[2]+counts[4] > 0 || counts[3] < 29500 || counts[3] > 30500 {
		t.Error(counts)
	}
	again, err := SampleRows(weights, 40000, rand.New(rand.NewPCG(1, 1)))
	if err != nil || !slices.Equal(got, again) {
		t.Error("one seed, two results")
	}
}

func TestSampleDistinctRows(t *testing.T) {
	weights := []float64{0.1, 1, 0, 3, 1}
	rng := rand.New(rand.NewPCG(1, 1))
	counts := make([]int, len(weights))
	for range 10000 {
		got, err := SampleDistinctRows(weights, 2, rng)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0] != 0 {
			t.Fatal(got)
		}
		counts[got[1]]++
	}
	if counts[2] > 0 || counts[3] < 5800 || counts[3] > 6200 {
		t.Error(counts)
	}
	for n, want := range map[int][]int{1: {0}, 4: {0, 1, 3, 4}, 9: {0, 1, 2, 3, 4}} {
		if got, err := SampleDistinctRows(weights, n, rng); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d rows: %v, %v", n, got, err)
		}
	}
}

func TestColumnGaps(t *testing.T) {
	got, err := ColumnGaps([][]byte{[]byte("AC-."), []byte("A---"), []byte("aXC-"), []byte("A---")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float64{0, 0.5, 0.75, 1}, got); diff != "" {
		t.Error(diff)
	}
}

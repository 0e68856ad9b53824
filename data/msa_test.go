package data

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// family makes rows that descend from a few ancestors, so that some are close.
func family(rows, columns int, rng *rand.Rand) [][]byte {
	const letters = "ACDEFGHIKLMNPQRSTVWY-"
	random := func() byte { return letters[rng.IntN(len(letters))] }
	all := make([][]byte, rows)
	for i := range all {
		all[i] = make([]byte, columns)
		if i < max(1, rows/20) {
			for j := range all[i] {
				all[i][j] = random()
			}
			continue
		}
		copy(all[i], all[rng.IntN(i)])
		for range rng.IntN(columns/2 + 1) {
			all[i][rng.IntN(columns)] = random()
		}
	}
	return all
}

// plainWeights is the definition of RowWeights.
func plainWeights(rows [][]byte, identity float64, gaps Gaps) []float64 {
	weights := make([]float64, len(rows))
	for i, a := range rows {
		n, residues := 0, 0
		for _, c := range a {
			if c != '-' {
				residues++
			}
		}
		for _, b := range rows {
			same := 0
			for k := range a {
				if a[k] == b[k] && (gaps == GapsCount || a[k] != '-') {
					same++
				}
			}
			of := len(a)
			if gaps == GapsExcluded {
				of = residues
			}
			if of > 0 && float64(same)/float64(of) >= identity {
				n++
			}
		}
		if n > 0 {
			weights[i] = 1 / float64(n)
		}
	}
	return weights
}

func TestRowWeights(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, columns := range []int{1, 5, 63, 64, 65, 100, 130} {
		rows := family(300, columns, rng)
		rows = append(rows, slices.Repeat([]byte{'-'}, columns))
		for _, gaps := range []Gaps{GapsCount, GapsExcluded} {
			for _, identity := range []float64{0.25, 0.8, 1} {
				got, err := RowWeights(rows, identity, gaps)
				if err != nil {
					t.Fatal(err)
				}
				want := plainWeights(rows, identity, gaps)
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("%d columns, identity %v, gaps %v: row %d weighs %v, want %v", columns, identity, gaps, i, got[i], want[i])
					}
				}
			}
		}
	}
	// More rows than a block, on one core and on several.
	rows := family(block+100, 70, rng)
	want := plainWeights(rows, 0.8, GapsCount)
	for _, cores := range []int{1, 3} {
		old := runtime.GOMAXPROCS(cores)
		got, err := RowWeights(rows, 0.8, GapsCount)
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(want, got) {
			t.Fatalf("%d cores: wrong weights", cores)
		}
	}
}

func TestRowWeightsConventions(t *testing.T) {
	rows := [][]byte{[]byte("ACDEFGHIKL"), []byte("ACDEFGHIWW"), []byte("ACDEFGHWWW"), []byte("acde------"), []byte("ACDE......")}
	got, err := RowWeights(rows, 0.8, GapsCount)
	if err != nil {
		t.Fatal(err)
	}
	// 8 of 10 columns are enough; a gap equals a gap, '.' is one, case is none.
	if diff := cmp.Diff([]float64{0.5, 1. / 3, 0.5, 0.5, 0.5}, got); diff != "" {
		t.Error(diff)
	}
	if got, err = RowWeights(rows, 0.8, GapsExcluded); err != nil {
		t.Fatal(err)
	}
	// The fragments are copies of all, and none of them a copy of a fragment.
	if diff := cmp.Diff([]float64{0.5, 1. / 3, 0.5, 0.2, 0.2}, got); diff != "" {
		t.Error(diff)
	}
	if n := Neff(got); math.Abs(n-(0.5+1./3+0.5+0.4)) > 1e-12 {
		t.Error(n)
	}
}

func TestMSAErrors(t *testing.T) {
	good := [][]byte{[]byte("AC")}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, test := range []struct {
		want string
		err  func() error
	}{
		{"data: identity of 0; it must be above 0 and at most 1", func() error { _, err := RowWeights(good, 0, GapsCount); return err }},
		{"data: identity of NaN; it must be above 0 and at most 1", func() error { _, err := RowWeights(good, math.NaN(), GapsCount); return err }},
		{"data: alignment without rows or columns", func() error { _, err := RowWeights(nil, 0.8, GapsCount); return err }},
		{"data: alignment without rows or columns", func() error { _, err := ColumnGaps([][]byte{{}}); return err }},
		{"data: row 2 of the alignment has 1 columns, want 2", func() error { _, err := RowWeights([][]byte{[]byte("AC"), []byte("A")}, 0.8, GapsCount); return err }},
		{"data: row 1 of the alignment has '*' in column 2", func() error { _, err := DiverseRows([][]byte{[]byte("A*")}, 1); return err }},
		{"data: 0 rows of an alignment; at least the query is needed", func() error { _, err := DiverseRows(good, 0); return err }},
		{"data: filter with the fraction 75; it must be from 0 to 1", func() error { _, err := RowFilter{MinCoverage: 75}.Filter(good); return err }},
		{"data: weight of row 2 is -1", func() error { _, err := SampleRows([]float64{1, -1}, 1, rng); return err }},
		{"data: weight of row 1 is NaN", func() error { _, err := SampleDistinctRows([]float64{math.NaN()}, 1, rng); return err }},
		{"data: 2 rows of 1 with weights of 0 together", func() error { _, err := SampleRows([]float64{0}, 2, rng); return err }},
		{"data: 0 rows of an alignment; at least the query is needed", func() error { _, err := SampleDistinctRows([]float64{1}, 0, rng); return err }},
	} {
		if err := test.err(); err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// FuzzRowWeights compares with the definition.
func FuzzRowWeights(f *testing.F) {
	f.Add([]byte("ACDEACDFAC--"), uint8(4), 0.8)
	f.Fuzz(func(t *testing.T, letters []byte, columns uint8, identity float64) {
		if columns == 0 || len(letters) > 1<<12 || !(identity > 0.01 && identity <= 1) {
			return
		}
		identity = math.Round(identity*100) / 100
		for i, c := range letters {
			if letters[i] = 'A' + c%26; c%5 == 0 {
				letters[i] = '-'
			}
		}
		var rows [][]byte
		for row := range slices.Chunk(letters, int(columns)) {
			if len(row) == int(columns) {
				rows = append(rows, row)
			}
		}
		if len(rows) == 0 {
			return
		}
		for _, gaps := range []Gaps{GapsCount, GapsExcluded} {
			got, err := RowWeights(rows, identity, gaps)
			if err != nil {
				t.Fatal(err)
			}
			// A fraction such as 0.55 of 100 may come out a little off; a hair
			// less is asked for in both.
			if diff := cmp.Diff(plainWeights(rows, identity-1e-10, gaps), got); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func BenchmarkRowWeights(b *testing.B) {
	for _, size := range []struct{ rows, columns int }{{5000, 100}, {50000, 100}} {
		rows := family(size.rows, size.columns, rand.New(rand.NewPCG(1, 1)))
		b.Run(fmt.Sprintf("%dx%d", size.rows, size.columns), func(b *testing.B) {
			for b.Loop() {
				if _, err := RowWeights(rows, 0.8, GapsCount); err != nil {
					b.Fatal(err)
				}
			}
			n := float64(size.rows)
			b.ReportMetric(n*(n-1)/2*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpairs/s")
		})
	}
}

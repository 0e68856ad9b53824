package protein

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"heed/model/alignment"
)

// tiny has a query with a gap, an insertion, a fragment, a copy and an X.
const tiny = `>query the first
AC-DE
>copy
ACWDE
>other
DCWaKE
>fragment
--WD-
>odd
WYWXF
`

func TestLoadFamily(t *testing.T) {
	file := write(t, "tiny.a3m", tiny)
	f, err := FamilyConfig{File: file}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if string(f.Query) != "ACDE" || f.Name != "query" || f.Insertions != 1 || f.Sequences != 5 || f.Family.Columns != 4 || f.Unknown != 1 || f.Neff != 4 {
		t.Errorf("%+v", f)
	}
	if want := []string{"too few sequences: the effective number is 4.0, 1.00 for each column, and couplings are said to be reliable from 5 for each; expect wrong pairs", "1 letters are no amino acid and count as gaps"}; !slices.Equal(f.Warnings, want) {
		t.Errorf("warnings %q", f.Warnings)
	}
	f, err = FamilyConfig{File: file, Columns: "all", MinCoverage: 0.5, NoWeights: true}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if string(f.Query) != "ACXDE" || f.Insertions != 0 || f.LowCoverage != 1 || f.Neff != 4 {
		t.Errorf("%+v", f)
	}
	// Column 3 has one gap in 4 rows, and goes; its scores are empty.
	f, err = FamilyConfig{File: file, Columns: "all", MinCoverage: 0.5, NoWeights: true, MaxGaps: 0.2}.Load()
	if err != nil {
		t.Fatal(err)
	}
	if f.Gappy != 1 || !slices.Equal(f.Columns, []int{0, 1, 3, 4}) || len(f.Query) != 5 {
		t.Errorf("%+v", f)
	}
	s := f.spread([]float64{0, 1, 2, 3, 1, 0, 4, 5, 2, 4, 0, 6, 3, 5, 6, 0}, -9)
	if want := []float64{0, 1, -9, 2, 3, 1, 0, -9, 4, 5, -9, -9, -9, -9, -9, 2, 4, -9, 0, 6, 3, 5, -9, 6, 0}; !slices.Equal(s, want) {
		t.Errorf("spread %v", s)
	}
	f, err = FamilyConfig{File: file, Query: "other"}.Load()
	if err != nil || string(f.Query) != "DCWKE" || f.Name != "other" {
		t.Errorf("%v, %+v", err, f)
	}
	for rows, n := range map[string]int{"first:2": 2, "diverse:3": 3, "random:3": 3, "diverse:9": 5} {
		f, err := FamilyConfig{File: file, Rows: rows, Seed: 1}.Load()
		if err != nil && rows != "first:2" {
			t.Error(rows, err)
		}
		if rows == "first:2" { // a row and its copy
			if err == nil || !strings.HasSuffix(err.Error(), "tiny.a3m: invalid: 2 sequences count as 1.0: copies of one another have nothing to couple") {
				t.Errorf("copies: %v", err)
			}
			continue
		}
		if f.Sequences != n || f.NotSelected != 5-n || f.Family.States[0] != 0 {
			t.Errorf("%s: %d sequences, %d not selected", rows, f.Sequences, f.NotSelected)
		}
	}
}

func TestLoadFamilyErrors(t *testing.T) {
	for _, c := range []struct {
		text   string
		config FamilyConfig
		want   string
	}{
		{">a\nACDE\n", FamilyConfig{}, "f.a3m: invalid: one sequence: there is nothing to couple"},
		{">a\nACDE\n>b\n---E\n", FamilyConfig{MinCoverage: 0.5}, "f.a3m: invalid: one of 2 sequences is left: there is nothing to couple"},
		{">a\nA\n>b\nC\n", FamilyConfig{}, "f.a3m: invalid: 1 columns are left: there is nothing to couple"},
		{">a\nACDE\n>b\nAC\n", FamilyConfig{}, "f.a3m:3: invalid: row \"b\" has 2 columns, but the first row, \"a\" in line 1, has 4"},
		{tiny, FamilyConfig{Query: "none"}, `f.a3m: invalid: no row is called "none"`},
		{tiny, FamilyConfig{Rows: "most"}, `--rows "most": want all, first:N, diverse:N or random:N, with 2 rows or more`},
		{tiny, FamilyConfig{Rows: "first:1"}, `--rows "first:1": want all, first:N, diverse:N or random:N, with 2 rows or more`},
		{tiny, FamilyConfig{Columns: "some"}, `--columns "some": want query or all`},
		{tiny, FamilyConfig{Identity: 2}, "--weights 2: want an identity above 0 and up to 1, or none"},
		{tiny, FamilyConfig{MaxGaps: math.NaN()}, "--max-gaps NaN: want a share above 0 and up to 1"},
		{tiny, FamilyConfig{MinCoverage: 2}, "--min-coverage 2: want a share from 0 to 1"},
		{tiny, FamilyConfig{Holdout: 1}, "--holdout 1: want a share from 0 to below 1"},
		{">a\nACDE\n>b\nACDE\n>c\nACDE\n", FamilyConfig{Holdout: 0.5}, "f.a3m: invalid: data: 1 clusters of 3 samples cannot be split into parts of 0.5, 0 and 0.5"},
	} {
		c.config.File = write(t, "f.a3m", c.text)
		_, err := c.config.Load()
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// Rows that are held out are whole clusters, never the query's, and every row is in
// one part.
func TestHoldout(t *testing.T) {
	var text strings.Builder
	for k := range 40 { // 20 pairs of copies
		r := rand.New(rand.NewPCG(7, uint64(k/2)))
		fmt.Fprintf(&text, ">row%d\n", k)
		for range 30 {
			text.WriteByte(alignment.AminoAcids[r.IntN(20)])
		}
		text.WriteByte('\n')
	}
	file := write(t, "f.fasta", text.String())
	for seed := range uint64(20) {
		f, err := FamilyConfig{File: file, Holdout: 0.25, Seed: seed}.Load()
		if err != nil {
			t.Fatal(err)
		}
		if f.Sequences+f.Held.Sequences != 40 || f.Held.Sequences%2 != 0 || f.Held.Sequences < 8 || f.Held.Effective() != float64(f.Held.Sequences)/2 {
			t.Errorf("seed %d: %d rows are fitted and %d held out", seed, f.Sequences, f.Held.Sequences)
		}
		seen := map[string]bool{}
		for i := range f.Sequences {
			seen[string(f.States[i*30:(i+1)*30])] = true
		}
		for i := range f.Held.Sequences {
			if seen[string(f.Held.States[i*30:(i+1)*30])] {
				t.Errorf("seed %d: a row is held out whose copy is fitted", seed)
			}
		}
		if first, _ := alignment.Encode([][]byte{f.Query}); !seen[string(first.States)] {
			t.Errorf("seed %d: the query is held out", seed)
		}
	}
}

// Models that know what was planted predict rows that they did not see better than
// the profile of the columns does, and say so.
func TestHeldOutLoss(t *testing.T) {
	family, _ := planted(t, 400)
	j := &Job{Family: FamilyConfig{File: family, Holdout: 0.2}, Fit: small(), Seed: 3}
	j.Fit.Model = "all"
	j.Fit.Axial = alignment.AxialConfig{Layers: 1, Width: 32, Heads: 4, Rows: 4, Batch: 8, Steps: 200, Rate: 0.01, Pairs: true}
	o, err := j.Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	s := o.Summary()
	profile := *s.Held["profile"]
	for _, name := range []string{"potts", "factored", "axial"} {
		if held := s.Held[name]; held == nil || !(*held < profile-0.1) {
			t.Errorf("%s: held-out loss %v, of the profile %v", name, *held, profile)
		}
	}
	var b bytes.Buffer
	o.describe(&b)
	o.times(&b)
	for _, want := range []string{"rows held out: ", "axial ", fmt.Sprintf("the profile of the columns %.4f\n", profile)} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("what is told lacks %q:\n%s", want, &b)
		}
	}
}

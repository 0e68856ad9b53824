package msa

import (
	"os"
	"path/filepath"
	"testing"

	"heed/format"
)

// TestShared reads real files and compares with the counts of their README.
func TestShared(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "protein")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no protein data at " + dir)
	}
	for _, want := range []struct {
		file          string
		format        Format
		rows, columns int
		insertions    bool
	}{
		{"esm_examples/1a3a_1_A.a3m.gz", FASTA, 1024, 145, false},
		{"esm_examples/5ahw_1_A.a3m.gz", FASTA, 1024, 125, false},
		{"esm_examples/1xcr_1_A.a3m.gz", FASTA, 588, 313, false},
		{"esm_examples/hhblits_uniclust_2017_10_1a3a_1_A.a3m.gz", A3M, 1303, 145, true},
		{"esm_examples/hhblits_uniclust_2017_10_5ahw_1_A.a3m.gz", A3M, 1631, 125, true},
		{"esm_examples/hhblits_uniclust_2017_10_1xcr_1_A.a3m.gz", A3M, 251, 313, true},
		{"toxd/toxd.a3m.gz", A3M, 13448, 59, true},
		{"1atzA/1atzA.aln.gz", Lines, 3068, 75, false},
		{"1atzA/1atzA.fas.gz", FASTA, 3068, 75, false},
		{"attentiondca/PF00014_mgap6.fasta.gz", FASTA, 13600, 53, false},
		{"attentiondca/PF00595_mgap6.fasta.gz", FASTA, 36690, 82, false},
		{"attentiondca/PF00684_full.fasta.gz", FASTA, 17430, 66, false},
		{"attentiondca/PF00763_full.fasta.gz", FASTA, 11418, 116, false},
		{"attentiondca/PF00131.fasta.gz", FASTA, 1846, 65, false},
	} {
		r, err := format.Open(filepath.Join(dir, want.file))
		if err != nil {
			t.Fatal(err)
		}
		a, err := Read(want.file, r)
		r.Close()
		if err != nil {
			t.Error(err)
			continue
		}
		insertions := false
		for _, row := range a.Rows {
			insertions = insertions || len(row.Insertions) > 0
		}
		if a.Format != want.format || len(a.Rows) != want.rows || a.Columns != want.columns || insertions != want.insertions || len(a.Skipped) > 0 {
			t.Errorf("%s: %v, %d rows, %d columns, insertions %v, skipped %q; want %+v",
				want.file, a.Format, len(a.Rows), a.Columns, insertions, a.Skipped, want)
		}
	}
}

// TestHMMER reads the Stockholm files of HMMER's tutorial, which the Debian
// package hmmer-examples installs.
func TestHMMER(t *testing.T) {
	dir := filepath.FromSlash("/usr/share/doc/hmmer/examples")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no examples of HMMER at " + dir)
	}
	for _, want := range []struct {
		file          string
		rows, columns int
	}{
		{"tutorial/globins4.sto", 4, 171}, // in three blocks
		{"tutorial/fn3.sto", 98, 117},
		{"tutorial/Pkinase.sto", 38, 419},
		{"testsuite/Caudal_act.sto.gz", 9, 196},
	} {
		r, err := format.Open(filepath.Join(dir, want.file))
		if err != nil {
			t.Error(err)
			continue
		}
		a, err := Read(want.file, r)
		r.Close()
		if err != nil {
			t.Error(err)
			continue
		}
		if len(a.Rows) != want.rows || a.Columns != want.columns {
			t.Errorf("%s: %d rows, %d columns; want %+v", want.file, len(a.Rows), a.Columns, want)
		}
	}
}

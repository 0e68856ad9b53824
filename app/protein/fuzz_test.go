package protein

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"heed/format"
	"heed/internal/cli"
	"heed/model/alignment"
)

// known reports whether an error is one that a user may cause: of a file, or of a
// flag.
func known(err error) bool {
	var placed *format.Error
	var usage *cli.UsageError
	return errors.As(err, &placed) || errors.As(err, &usage)
}

// FuzzFamily reads any bytes as the alignment of a family, as input of the two
// encoders, and as a structure. It must not panic, every error must say what is
// wrong with which file, and what is read must be whole.
func FuzzFamily(f *testing.F) {
	f.Add([]byte(tiny), 0.0, uint8(0))
	f.Add([]byte(">a\nACDE\n>b\nAC\n"), 0.5, uint8(1))
	f.Add([]byte("# STOCKHOLM 1.0\na ACDE\nb AC-E\nc WWWW\n//\n"), 0.25, uint8(2))
	f.Add([]byte(">q\n----\n>b\nACDE\n"), 0.0, uint8(3))
	f.Add([]byte("ACDEF\nACDEF\nWWWWW\n"), 0.9, uint8(7))
	f.Add([]byte("ATOM      1  CA  ALA A   1       0.000   0.000   0.000  1.00  0.00           C\nEND\n"), 0.0, uint8(0))
	file := filepath.Join(f.TempDir(), "f") // one process runs one input at a time
	f.Fuzz(func(t *testing.T, text []byte, share float64, bits uint8) {
		if len(text) > 1<<12 {
			return // time grows with the square of the rows
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c := FamilyConfig{File: file, Holdout: share, NoWeights: bits&1 > 0}
		if bits&2 > 0 {
			c.Columns = "all"
		}
		if bits&4 > 0 {
			c.MaxGaps, c.Rows = 0.5, "diverse:2"
		}
		fam, err := c.Load()
		switch {
		case err != nil && !known(err):
			t.Errorf("family: %T: %v", err, err)
		case err == nil:
			if len(fam.States) != fam.Sequences*fam.Family.Columns || len(fam.Weights) != fam.Sequences || len(fam.Columns) != fam.Family.Columns || fam.Sequences < 2 {
				t.Errorf("%d states, %d weights of %d sequences and %d columns", len(fam.States), len(fam.Weights), fam.Sequences, fam.Family.Columns)
			}
			if fam.Held != nil && fam.Held.Columns != fam.Family.Columns {
				t.Errorf("%d columns are fitted, %d held out", fam.Family.Columns, fam.Held.Columns)
			}
			for _, x := range alignment.APC(alignment.MutualInformation(fam.Family, alignment.InformationPseudocount, 1), fam.Family.Columns) {
				if math.IsNaN(x) {
					t.Fatal("a score is no number")
				}
			}
		}
		if _, err := readAlignment(file, 3, 100, io.Discard); err != nil && !known(err) {
			t.Errorf("alignment: %T: %v", err, err)
		}
		if _, err := readProteins(file, 100, io.Discard); err != nil && !known(err) {
			t.Errorf("sequences: %T: %v", err, err)
		}
		query := bytes.Repeat([]byte("A"), 1+int(bits))
		for _, s := range []StructureConfig{{File: file}, {File: file, Contacts: "minimum-atom"}, {Distances: file}} {
			truth, err := s.Load(query)
			if err != nil && !known(err) {
				t.Errorf("structure: %T: %v", err, err)
			} else if err == nil && len(truth.Touch) != len(query)*len(query) {
				t.Errorf("%d pairs of %d residues", len(truth.Touch), len(query))
			}
		}
	})
}

package fasta

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStandardProtein(t *testing.T) {
	for _, test := range []struct {
		seq, want string
		changes   Changes
		text      string
	}{
		{"", "", Changes{}, ""},
		{AminoAcids, AminoAcids, Changes{}, ""},
		{"A-C", "A-C", Changes{}, ""},
		{"MKjuUobz*V**", "MKXXXXXXXV", Changes{Lower: 5, J: 1, U: 2, O: 1, B: 1, Z: 1, Stops: 1, Ends: 2},
			"read as X: 1 J, 2 U, 1 O, 1 B, 1 Z, 1 '*'; taken away: 2 '*' at the end; made upper case: 5"},
		{"mk*", "MK", Changes{Lower: 2, Ends: 1}, "taken away: 1 '*' at the end; made upper case: 2"},
		{"***", "", Changes{Ends: 3}, "taken away: 3 '*' at the end"},
	} {
		got, changes, err := StandardProtein([]byte(test.seq))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != test.want {
			t.Errorf("%s: got %s, want %s", test.seq, got, test.want)
		}
		if diff := cmp.Diff(test.changes, changes); diff != "" {
			t.Errorf("%s: %s", test.seq, diff)
		}
		if changes.String() != test.text {
			t.Errorf("%s: got %q, want %q", test.seq, changes.String(), test.text)
		}
	}
	for seq, want := range map[string]string{
		"mk.": "letter '.' is not an amino acid",
		"mK1": "letter '1' is not an amino acid",
		"m\n": `letter '\n' is not an amino acid`,
	} {
		got, _, err := StandardProtein([]byte(seq))
		if err == nil || err.Error() != want || string(got) != seq {
			t.Errorf("%q: got %q and %v, want %s", seq, got, err, want)
		}
	}
	var sum Changes
	sum.Add(Changes{1, 2, 3, 4, 5, 6, 7, 8})
	sum.Add(Changes{1, 1, 1, 1, 1, 1, 1, 1})
	if diff := cmp.Diff(Changes{2, 3, 4, 5, 6, 7, 8, 9}, sum); diff != "" || sum.Replaced() != 33 {
		t.Error(diff, sum.Replaced())
	}
}

// FuzzStandardProtein checks the letters and the sum of the counts.
func FuzzStandardProtein(f *testing.F) {
	f.Add([]byte("MKjuUobz*V**"))
	f.Add([]byte("A-."))
	f.Fuzz(func(t *testing.T, seq []byte) {
		before := string(seq)
		got, n, err := StandardProtein(seq)
		if err != nil {
			if string(got) != before {
				t.Fatalf("%q changed into %q", before, got)
			}
			return
		}
		if len(got)+n.Ends != len(before) {
			t.Fatalf("%q: %q and %+v", before, got, n)
		}
		replaced := strings.Count(string(got), "X") - strings.Count(strings.ToUpper(before), "X")
		if n.Replaced() != replaced {
			t.Fatalf("%q: %d replaced, counted %d", before, replaced, n.Replaced())
		}
		for _, c := range got {
			if c != '-' && strings.IndexByte(AminoAcids, c) < 0 {
				t.Fatalf("%q: letter %q is left", before, c)
			}
		}
	})
}

package meme

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heed/format"
)

const head = "MEME version 4\n\n"

var uniform = [4]float64{.25, .25, .25, .25}

func TestRead(t *testing.T) {
	one := [][4]float64{{1, 0, 0, 0}}
	for _, test := range []struct {
		title, text string
		want        File
	}{
		{"no motifs", head, File{Version: "4", Background: uniform}},
		{"least", "MEME version 5.5.7\nMOTIF a\nletter-probability matrix:\n1 0 0 0", File{Version: "5.5.7", Background: uniform,
			Motifs: []Motif{{ID: "a", Probabilities: one, Sites: 20, Line: 2}}}},
		{"CRLF, tabs, all", "\r\nMEME version 4.4 (of a date)\r\n\r\nALPHABET= ACGT\r\n\r\nstrands: +\r\n\r\nBackground letter frequencies (from x):\r\n\r\n" +
			"A .3 C .2\tG .2 T .3 \r\n\r\nMOTIF a b\r\n\r\nletter-probability matrix: alength=4 w=1 nsites= 1.5 bayes= 7 E=1.1e-022 \r\n\t1.0  0 0\t0 \r\nURL http://x\r\n",
			File{Version: "4.4", OneStrand: true, Background: [4]float64{.3, .2, .2, .3},
				Motifs: []Motif{{ID: "a", Name: "b", Probabilities: one, Sites: 1.5, E: 1.1e-22, URL: "http://x", Line: 12}}}},
		{"MEME's own", "***\nMEME version 5.0.1\nALPHABET \"DNA\" DNA-LIKE\nA \"Adenine\" CC0000 ~ T \"Thymine\" 008000\nEND ALPHABET\n" +
			"MOTIF TATA MEME-1\twidth =   1  sites =  17\n\tMotif TATA MEME-1 Description\nlog-odds matrix: alength= 4 w= 1 n= 7 bayes= 1 E= 2\n  7 -1 -2 3\n" +
			"letter-probability matrix: alength= 4 w= 1 nsites= 17 E= 2\n 1 0 0 0\n----\nMOTIF B\tMEME-2\nletter-probability matrix:\n1 0 0 0\nSUMMARY OF MOTIFS\n",
			File{Version: "5.0.1", Background: uniform, Motifs: []Motif{
				{ID: "TATA", Name: "MEME-1", Probabilities: one, Sites: 17, E: 2, Line: 6},
				{ID: "B", Name: "MEME-2", Probabilities: one, Sites: 20, Line: 13}}}},
	} {
		got, err := Read("p", strings.NewReader(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.title, err)
			continue
		}
		if diff := cmp.Diff(&test.want, got); diff != "" {
			t.Errorf("%s: %s", test.title, diff)
		}
	}
}

func TestBadInput(t *testing.T) {
	matrix := head + "MOTIF a\nletter-probability matrix: "
	for _, test := range []struct {
		text, want string
		kind       error
	}{
		{"", `p: invalid: not MEME: no line begins with "MEME version"`, format.ErrInvalid},
		{"\nMOTIF a\n", `p:2: invalid: not MEME: line "MOTIF a" before "MEME version"`, format.ErrInvalid},
		{"<html>\n", `p:1: invalid: not MEME: line "<html>" before "MEME version"`, format.ErrInvalid},
		{"MEME version x\n", `p:1: invalid: version "x" is not a number`, format.ErrInvalid},
		{"MEME version 5a\n", `p:1: invalid: version "5a" is not a number`, format.ErrInvalid},
		{"MEME version 2.1\n", "p:1: not supported: MEME version 2.1; 3 and later are read", format.ErrUnsupported},
		{head + "ALPHABET= ACDEFGHIKLMNPQRSTVWY\n", `p:3: not supported: alphabet "ACDEFGHIKLMNPQRSTVWY"; only DNA, ACGT, is read`, format.ErrUnsupported},
		{head + "ALPHABET= ACGU\n", `p:3: not supported: alphabet "ACGU"; only DNA, ACGT, is read`, format.ErrUnsupported},
		{head + "ALPHABET \"x\"\n", `p:3: not supported: alphabet "\"x\""; only DNA, ACGT, is read`, format.ErrUnsupported},
		{head + "Background letter frequencies\n", "p:3: invalid: file ends within the background", format.ErrInvalid},
		{head + "Background letter frequencies\nA 1\n", "p:4: invalid: background has 2 words, want A, C, G and T with their frequencies", format.ErrInvalid},
		{head + "Background letter frequencies\nA 1 C 0 G 0 U 0\n", `p:4: invalid: background: letter "U", want "T"`, format.ErrInvalid},
		{head + "Background letter frequencies\nA 1 C 0 G 0 T -0.1\n", `p:4: invalid: background: "-0.1" is not a number of 0 or more`, format.ErrInvalid},
		{head + "Background letter frequencies\nA 1 C 0 G 0 T .1\n", "p:4: invalid: background sums to 1.1, want 1", format.ErrInvalid},
		{head + "MOTIF\n", "p:3: invalid: motif has no name", format.ErrInvalid},
		{head + "MOTIF width = 7\n", "p:3: invalid: motif has no name", format.ErrInvalid},
		{head + "MOTIF a\x1b\n", `p:3: invalid: "a\x1b" is no name for a motif`, format.ErrInvalid},
		{head + "MOTIF a\nMOTIF b\n", `p:3: invalid: motif "a" has no letter-probability matrix`, format.ErrInvalid},
		{head + "MOTIF a\n", `p:3: invalid: motif "a" has no letter-probability matrix`, format.ErrInvalid},
		{head + "MOTIF a\nlog-odds matrix: alength= 4\n1 2 3 4\n", `p:3: not supported: motif "a" has log-odds only`, format.ErrUnsupported},
		{matrix + "\n1 0 0 0\nMOTIF a\n", `p:6: invalid: motif "a" occurred in line 3 before`, format.ErrInvalid},
		{head + "letter-probability matrix:\n", "p:3: invalid: matrix without a motif", format.ErrInvalid},
		{matrix + "\n1 0 0 0\n\nletter-probability matrix:\n", `p:7: invalid: motif "a" has a second matrix`, format.ErrInvalid},
		{matrix + "alength= 20 w= 1\n", "p:4: invalid: matrix of 20 letters, want 4", format.ErrInvalid},
		{matrix + "w= 1.5\n", `p:4: invalid: matrix of width "1.5"`, format.ErrInvalid},
		{matrix + "w= 0\n", `p:4: invalid: matrix of width "0"`, format.ErrInvalid},
		{matrix + "w= 1e300\n", `p:4: invalid: matrix of width "1e300"`, format.ErrInvalid},
		{matrix + "nsites= NaN\n", `p:4: invalid: nsites=: "NaN" is not a number of 0 or more`, format.ErrInvalid},
		{matrix + "E= inf\n", `p:4: invalid: E=: "inf" is not a number of 0 or more`, format.ErrInvalid},
		{matrix + "w= 2\n1 0 0 0\n", `p:4: invalid: matrix of motif "a" has 1 rows, want 2`, format.ErrInvalid},
		{matrix + "w= 1\n1 0 0 0\n1 0 0 0\n", "p:6: invalid: matrix has more rows than its width, 1", format.ErrInvalid},
		{matrix + "\n\n1 0 0 0\n", `p:4: invalid: matrix of motif "a" has 0 rows, want one or more`, format.ErrInvalid},
		{matrix + "\n1 0 0\n", "p:5: invalid: row of the matrix has 3 numbers, want 4", format.ErrInvalid},
		{matrix + "\n1 0 0 x\n", `p:5: invalid: row of the matrix: "x" is not a number of 0 or more`, format.ErrInvalid},
		{matrix + "\n1 0 0 1\n", "p:5: invalid: row of the matrix sums to 2, want 1", format.ErrInvalid},
		{matrix + "\n.9 0 0 0\n", "p:5: invalid: row of the matrix sums to 0.9, want 1", format.ErrInvalid},
		{matrix + "\n1 0 0 0\nURL a\x1bb\n", `p:6: invalid: URL: "a\x1bb" is no name for a motif`, format.ErrInvalid},
		{matrix + "\n0 31 0 0\n", "p:5: invalid: row of the matrix holds 31, want probabilities", format.ErrInvalid},
	} {
		_, err := Read("p", strings.NewReader(test.text))
		if err == nil || err.Error() != test.want || !errors.Is(err, test.kind) {
			t.Errorf("%q:\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
}

func TestWrite(t *testing.T) {
	row := [][4]float64{{1, 0, 0, 0}}
	for _, test := range []struct {
		f    File
		want string
	}{
		{File{Version: "2"}, `meme: version "2" is not 3 or later`},
		{File{Version: "4 x"}, `meme: version "4 x" is not 3 or later`},
		{File{Background: [4]float64{1, 1, 0, 0}}, "meme: background sums to 2, want 1"},
		{File{Motifs: []Motif{{}}}, "meme: motif has no name"},
		{File{Motifs: []Motif{{ID: "a b"}}}, `meme: "a b" is no name for a motif`},
		{File{Motifs: []Motif{{ID: "a", Name: "width"}}}, `meme: motif "a": "width" is no name for a motif`},
		{File{Motifs: []Motif{{ID: "a", URL: "x\ny"}}}, `meme: motif "a": "x\ny" is no name for a motif`},
		{File{Motifs: []Motif{{ID: "a"}}}, `meme: motif "a" has no matrix`},
		{File{Motifs: []Motif{{ID: "a", Probabilities: row}, {ID: "a", Probabilities: row}}}, `meme: two motifs are called "a"`},
		{File{Motifs: []Motif{{ID: "a", Probabilities: row, E: math.Inf(1)}}}, `meme: motif "a" has 0 sites and an E of +Inf`},
		{File{Motifs: []Motif{{ID: "a", Probabilities: [][4]float64{{math.NaN(), 0, 0, 0}}}}}, `meme: motif "a": row 1 holds NaN, want probabilities`},
	} {
		if err := Write(io.Discard, &test.f); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

// FuzzRead checks that no input makes the reader panic, that every error says
// which file, and that motifs read the same after they were written, to the
// digits that writing keeps.
func FuzzRead(f *testing.F) {
	f.Add([]byte(head + "ALPHABET= ACGT\nstrands: +\nBackground letter frequencies\nA .3 C .2 G .2 T .3\nMOTIF a b\nletter-probability matrix: alength= 4 w= 1 nsites= 7 E= 1e-3\n1 0 0 0\nURL x\n"))
	f.Add([]byte("MEME version 5\nMOTIF a width = 1\nlog-odds matrix:\nletter-probability matrix:\n.5 .2 .2 .1\n\nMOTIF b\nletter-probability matrix:\n1 0 0 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := Read("p", bytes.NewReader(data))
		if err != nil {
			var e *format.Error
			if !errors.As(err, &e) || e.Name != "p" {
				t.Fatalf("%v is not an error of p", err)
			}
			return
		}
		var b bytes.Buffer
		if err := Write(&b, first); err != nil {
			t.Fatal(err)
		}
		second, err := Read("p", &b)
		if err != nil {
			// A sum at the edge of the tolerance may leave it by rounding.
			if strings.Contains(err.Error(), "sums to") {
				return
			}
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second, cmpopts.EquateApprox(0, 1e-5), cmpopts.IgnoreFields(Motif{}, "Line"), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestBiopython reads the samples of Biopython's own tests, and compares with
// what those tests say of them.
func TestBiopython(t *testing.T) {
	r, err := format.Open(filepath.Join("testdata", "biopython.meme"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := Read("biopython.meme", r)
	if err != nil {
		t.Fatal(err)
	}
	if f.Version != "4" || f.OneStrand || f.Background != [4]float64{.303, .183, .209, .306} || len(f.Motifs) != 2 {
		t.Errorf("got %+v", f)
	}
	m := f.Motifs[0]
	if m.ID != "KRP" || m.Consensus() != "TGTGATCGAGGTCACACTT" || m.Sites != 17 || m.E != 4.1e-9 || m.Probabilities[18] != [4]float64{.352941, .058824, 0, .588235} {
		t.Errorf("got %+v", m)
	}
	if m := f.Motifs[1]; m.ID != "IFXA" || len(m.Probabilities) != 18 || m.Sites != 14 || m.E != 3.2e-35 {
		t.Errorf("got %+v", m)
	}

	// The text output of MEME 3.5.7, of the Debian package python-biopython-doc.
	file := filepath.FromSlash("/usr/share/doc/python-biopython-doc/Tests/motifs/meme.out.gz")
	if _, err := os.Stat(file); err != nil {
		t.Skip("package python-biopython-doc is not installed: no " + file)
	}
	r, err = format.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err = Read("meme.out", r)
	if err != nil {
		t.Fatal(err)
	}
	if m := f.Motifs[0]; len(f.Motifs) != 1 || f.Version != "3.5.7" || !f.OneStrand || f.Background[2] != .26 ||
		m.ID != "1" || m.Name != "" || m.Consensus() != "CTCAATCGTA" || m.Sites != 10 || m.E != 1.1e-22 {
		t.Errorf("got %+v", f)
	}
}

// TestPeer leaves a file for testdata/check.py, which reads it with Biopython.
func TestPeer(t *testing.T) {
	out := os.Getenv("HEED_MEME_OUT")
	if out == "" {
		t.Skip("HEED_MEME_OUT is not set; see testdata/check.py")
	}
	f := &File{Background: [4]float64{.3, .2, .2, .3}, Motifs: []Motif{
		{ID: "one", Sites: 20, E: 4.1e-9, Probabilities: [][4]float64{{.1, .2, .3, .4}, {0, 0, 1, 0}, {1. / 3, 1. / 3, 1. / 3, 0}}, URL: "http://example.org/one"},
		{ID: "two", Sites: 7, Probabilities: [][4]float64{{.97, .01, .01, .01}}},
	}}
	if err := format.WriteFile(out, func(w io.Writer) error { return Write(w, f) }); err != nil {
		t.Fatal(err)
	}
}

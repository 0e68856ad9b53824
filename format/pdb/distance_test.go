package pdb

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"heed/format"
)

func open(t *testing.T, path string) *Structure {
	t.Helper()
	r, err := format.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := Read(filepath.Base(path), r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Test1A8O reads one entry in both formats, which must say the same.
func Test1A8O(t *testing.T) {
	a, b := open(t, "testdata/1A8O.pdb.gz"), open(t, "testdata/1A8O.cif.gz")
	for _, s := range []*Structure{a, b} {
		if s.ID != "1A8O" || s.Method != "X-RAY DIFFRACTION" || s.Resolution != 1.7 || s.Others != 88 || len(s.Chains) != 1 {
			t.Errorf("%q %q %v %d %d", s.ID, s.Method, s.Resolution, s.Others, len(s.Chains))
		}
		c := s.Chains[0]
		if got, want := string(c.Sequence()), "MDIRQGPKEPFRDYVDRFYKTLRAEQASQEVKNWMTETLLVQNANPDCKTILKALGPGATLEEMMTACQG"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if r := c.Residues[0]; r.Name != "MSE" || r.Seq() != "151" || r.Atom("SE") == nil || r.Atom("SE").Element != "SE" {
			t.Errorf("%+v", r)
		}
	}
	for i := range a.Chains[0].Residues {
		r, q := a.Chains[0].Residues[i], b.Chains[0].Residues[i]
		q.Het = r.Het // this old mmCIF file calls all atoms of the polymer ATOM
		for j := range r.Atoms {
			r.Atoms[j].Line, q.Atoms[j].Line = 0, 0
		}
		if got, want := fmt.Sprintf("%+v", q), fmt.Sprintf("%+v", r); got != want {
			t.Fatalf("mmCIF %s\nPDB   %s", got, want)
		}
	}
}

// TestImpute compares computed C-beta atoms with those of a crystal. The mirror
// image would be 2.4 Å off.
func TestImpute(t *testing.T) {
	c := open(t, "testdata/1A8O.pdb.gz").Chains[0]
	var worst, worstESM float64
	for i := range c.Residues {
		r := &c.Residues[i]
		cb := r.Atom("CB")
		if cb == nil {
			continue
		}
		p := impute(r.Atom("N").Position, r.Atom("CA").Position, r.Atom("C").Position)
		worst = max(worst, p.distance(cb.Position))
		q, ok := r.Beta(ImputedBeta)
		if !ok {
			t.Fatal("no C-beta")
		}
		worstESM = max(worstESM, q.distance(cb.Position))
	}
	if worst > 0.3 || worstESM > 0.3 || worst < 0.001 {
		t.Errorf("C-beta up to %.3f Å and %.3f Å off", worst, worstESM)
	}
}

func TestBeta(t *testing.T) {
	n, ca, c := Point{1.46, 0, 0}, Point{}, Point{-0.55, 1.42, 0}
	atoms := []Atom{{Name: "N", Position: n}, {Name: "CA", Position: ca}, {Name: "C", Position: c}}
	gly := Residue{Letter: 'G', Atoms: atoms}
	ala := Residue{Letter: 'A', Atoms: append(atoms[:3:3], Atom{Name: "CB", Position: Point{9, 9, 9}})}
	imputed := impute(n, ca, c)
	if d := imputed.distance(ca); math.Abs(d-1.53) > 0.02 {
		t.Errorf("C-beta %v Å from C-alpha", d)
	}
	for _, test := range []struct {
		name string
		r    Residue
		beta Beta
		want Point
		ok   bool
	}{
		{"alanine", ala, RealBeta, Point{9, 9, 9}, true},
		{"alanine, CASP", ala, GlycineAlpha, Point{9, 9, 9}, true},
		{"glycine", gly, RealBeta, imputed, true},
		{"glycine, CASP", gly, GlycineAlpha, ca, true},
		{"no C-beta, CASP", Residue{Letter: 'A', Atoms: atoms}, GlycineAlpha, imputed, true},
		{"missing", Residue{Letter: 'A'}, RealBeta, Point{}, false},
		{"glycine without C-alpha", Residue{Letter: 'G', Atoms: atoms[:1]}, GlycineAlpha, Point{}, false},
		{"only C-alpha", Residue{Letter: 'A', Atoms: atoms[1:2]}, ImputedBeta, Point{}, false},
	} {
		if got, ok := test.r.Beta(test.beta); ok != test.ok || got.distance(test.want) > 1e-12 {
			t.Errorf("%s: got %v %v, want %v %v", test.name, got, ok, test.want, test.ok)
		}
	}
	got, ok := ala.Beta(ImputedBeta)
	if !ok || got.distance(imputed) > 0.1 || math.Abs(got.distance(ca)-1.522) > 1e-3 {
		t.Errorf("ESM's C-beta %v, the other %v", got, imputed)
	}
}

func TestDistances(t *testing.T) {
	at := func(letter byte, points ...Point) Residue {
		r := Residue{Letter: letter}
		for i, p := range points {
			r.Atoms = append(r.Atoms, Atom{Name: []string{"CB", "CG", "H"}[i], Element: []string{"C", "C", "H"}[i], Position: p})
		}
		return r
	}
	c := Chain{Residues: []Residue{at('A', Point{0, 0, 0}), at('X'), at('A', Point{3, 4, 0}, Point{0, 3, 0}, Point{0, 1, 0})}}
	d, m := c.BetaDistances(RealBeta), c.MinimumDistances()
	if d.At(0, 2) != 5 || d.At(2, 0) != 5 || m.At(0, 2) != 3 || d.At(0, 0) != 0 || d.Known(0, 1) || d.Known(1, 1) || !d.Known(0, 2) {
		t.Errorf("%v %v", d.D, m.D)
	}
	if !d.Contact(0, 2, 8) || d.Contact(0, 2, 5) || d.Contact(0, 1, 8) {
		t.Error("contacts")
	}
	match := Match{Residues: []int{2, -1, 0, 1}}
	q := match.Distances(d)
	if q.N != 4 || q.At(0, 2) != 5 || q.Known(0, 1) || q.Known(0, 3) {
		t.Errorf("%+v", q)
	}
}

// chainOf is a chain of letters without atoms, which aligning does not need.
func chainOf(seq string) *Chain {
	c := &Chain{ID: "A"}
	for i := range len(seq) {
		c.Residues = append(c.Residues, Residue{Letter: seq[i]})
	}
	return c
}

func TestAlign(t *testing.T) {
	loose := Alignment{MinIdentity: 0.5}
	for _, test := range []struct {
		name, seq, query string
		a                Alignment
		want             string // residue of each position from 'a', '-' for none
		exact            bool
		equal            int
		mismatches       []int
		err              string
	}{
		{"equal", "ACDEF", "acdef", Alignment{}, "abcde", true, 5, nil, ""},
		{"query within", "ACDEFGH", "DEF", Alignment{}, "cde", true, 3, nil, ""},
		{"chain within", "DEF", "ACDEFGH", Alignment{}, "--abc--", true, 3, nil, ""},
		{"missing residues", "ACXXFGH", "ACDEFGH", Alignment{}, "abcdefg", false, 5, nil, ""},
		{"overhang on both sides", "WWACDEFGHIKL", "ACDEFGHIKLMM", Alignment{}, "cdefghijkl--", false, 10, nil, ""},
		{"mutation", "ACDEFGHIKLMNPQ", "ACDEFGWIKLMNPQ", Alignment{}, "abcdefghijklmn", false, 13, []int{6}, ""},
		{"deletion", "ACDEFGHKLMNPQRSTVWYACDEFGHKLM", "ACDEFGHKLMNPQRSRRRTVWYACDEFGHKLM", Alignment{}, "abcdefghijklmno---pqrstuvwxyz{|}", false, 29, nil, ""},
		{"deletion, identity", "ACDEFGHKLM", "ACDEFWWGHKLM", Alignment{Scoring: Identity}, "abcde--fghij", false, 10, nil, ""},
		{"repeat", "ACACAC", "AC", Alignment{}, "", false, 0, nil, `pdb: chain "A" does not match`},
		{"other protein", "ACDEFGHIKL", "WWPPYYNNQQ", loose, "", false, 0, nil, `pdb: chain "A" does not match the query: `},
		{"too different", "ACDEFGHIKL", "ACDEFGHLRV", Alignment{}, "", false, 0, nil, `pdb: chain "A" does not match the query: 7 of 10 aligned residues are equal (70 %, want 90 %)`},
		{"nothing known", "XXX", "ACD", Alignment{}, "", false, 0, nil, `pdb: chain "A" does not match the query: 0 of 0 residues align`},
		{"gap in the query", "ACD", "A-D", Alignment{}, "", false, 0, nil, "pdb: position 2 of the query is '-', not a letter"},
		{"empty", "ACD", "", Alignment{}, "", false, 0, nil, `pdb: chain "A" has 3 residues, the query 0`},
	} {
		m, err := chainOf(test.seq).Align([]byte(test.query), test.a)
		if test.name == "repeat" { // any of the places will do
			if err != nil || m.Exact || m.Equal != 2 {
				t.Errorf("%s: %+v %v", test.name, m, err)
			}
			continue
		}
		if test.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), test.err) {
				t.Errorf("%s: got %v, want %s", test.name, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		got := make([]byte, len(m.Residues))
		for i, j := range m.Residues {
			if got[i] = '-'; j >= 0 {
				got[i] = byte('a' + j)
			}
		}
		if string(got) != test.want || m.Exact != test.exact || m.Equal != test.equal || fmt.Sprint(m.Mismatches) != fmt.Sprint(test.mismatches) {
			t.Errorf("%s: got %s %+v, want %s", test.name, got, m, test.want)
		}
	}
}

// TestNeedlemanWunsch compares the score with that of all alignments of short
// sequences.
func TestNeedlemanWunsch(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	random := func() []byte {
		s := make([]byte, 1+rng.IntN(5))
		for i := range s {
			s[i] = "ACWX"[rng.IntN(4)]
		}
		return s
	}
	for range 2000 {
		q, s := random(), random()
		scoring := Scoring(rng.IntN(2))
		at := make([]int, len(q))
		for i := range at {
			at[i] = -1
		}
		needlemanWunsch(q, s, scoring, at)
		if got, want := worth(q, s, scoring, at), exhaustive(q, s, scoring, nil); got != want {
			t.Fatalf("%s and %s: %v is worth %d, the best %d", q, s, at, got, want)
		}
	}
}

// worth scores pairs with the gaps that they imply, free at the ends.
func worth(q, s []byte, scoring Scoring, at []int) int {
	open, extend := 11, 1
	if scoring == Identity {
		open, extend = 2, 1
	}
	gap := func(n int) int {
		if n == 0 {
			return 0
		}
		return open + (n-1)*extend
	}
	sum, lastI, lastJ := 0, -1, -1
	for i, j := range at {
		if j < 0 {
			continue
		}
		sum += scoring.score(q[i], s[j])
		if lastI >= 0 {
			sum -= gap(i-lastI-1) + gap(j-lastJ-1)
		} else {
			sum -= min(gap(i), gap(j)) // one may hang over, not both
		}
		lastI, lastJ = i, j
	}
	if lastI >= 0 {
		sum -= min(gap(len(q)-lastI-1), gap(len(s)-lastJ-1))
	}
	return sum
}

func exhaustive(q, s []byte, scoring Scoring, at []int) int {
	if len(at) == len(q) {
		return worth(q, s, scoring, at)
	}
	last := -1
	for _, j := range at {
		last = max(last, j)
	}
	best := exhaustive(q, s, scoring, append(at[:len(at):len(at)], -1))
	for j := last + 1; j < len(s); j++ {
		best = max(best, exhaustive(q, s, scoring, append(at[:len(at):len(at)], j)))
	}
	return best
}

// TestBlosum62 checks what a slip of the hand would break.
func TestBlosum62(t *testing.T) {
	for i, row := range blosum62 {
		for j, v := range row {
			if v != blosum62[j][i] {
				t.Errorf("%c %c", blosumLetters[i], blosumLetters[j])
			}
		}
	}
	for pair, want := range map[string]int{"WW": 11, "CC": 9, "AA": 4, "WG": -2, "IV": 3, "DE": 2, "BD": 4, "XA": 0, "UU": 4, "UA": 0} {
		if got := Blosum62.score(pair[0], pair[1]); got != want {
			t.Errorf("%s: got %d, want %d", pair, got, want)
		}
	}
}

// Test1A3A compares with what is known of the protein of ESM's notebook.
func Test1A3A(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "protein")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no protein data at " + dir)
	}
	s := open(t, filepath.Join(dir, "esm_examples", "1a3a.pdb.gz"))
	if len(s.Chains) != 4 {
		t.Errorf("%d chains, want 4", len(s.Chains))
	}
	c, err := s.Chain("A")
	if err != nil {
		t.Fatal(err)
	}
	const query = "LFKLGAENIFLGRKAATKEEAIRFAGEQLVKGGYVEPEYVQAMLDREKLTPTYLGESIAVPHGTVEAKDRVLKTGVVFCQYPEGVRFGEEEDDIARLVIGIAARNNEHIQVITSLTNALDDESVIERLAHTTSVDEVLELLAGRK"
	m, err := c.Align([]byte(query), Alignment{})
	if err != nil || !m.Exact || m.Equal != 145 {
		t.Fatal(m, err)
	}
	count := func(d *Distances, separation int) (n int) {
		for i := range d.N {
			for j := i + separation; j < d.N; j++ {
				if d.Contact(i, j, 8) {
					n++
				}
			}
		}
		return n
	}
	for _, conv := range []Beta{RealBeta, GlycineAlpha, ImputedBeta} {
		t.Logf("convention %d: %d contacts, %d of them long", conv, count(m.Distances(c.BetaDistances(conv)), 6), count(m.Distances(c.BetaDistances(conv)), 24))
	}
	t.Logf("any atom: %d contacts", count(m.Distances(c.MinimumDistances()), 6))

	toxd := open(t, filepath.Join(dir, "toxd", "toxd.pdb"))
	m, err = toxd.Chains[0].Align([]byte("QPRRKLCILHRNPGRCYDKIPAFYYNQKKKQCERFDWSGCGGNSNRFKTIEECRRTCIG"), Alignment{})
	if err != nil || !m.Exact || m.Residues[0] != -1 || m.Residues[1] != 0 || m.Equal != 58 {
		t.Error(m, err)
	}
	model := open(t, filepath.Join(dir, "1atzA", "1atzA.pdb"))
	if c, err = model.Chain(""); err != nil || len(c.Residues) != 75 || c.Missing() != 0 {
		t.Error(len(c.Residues), err)
	}
}

func TestWrite(t *testing.T) {
	s := open(t, "testdata/1A8O.pdb.gz")
	var text bytes.Buffer
	if err := Write(&text, s, nil); err != nil {
		t.Fatal(err)
	}
	// The atoms are those of the file, but for serial numbers and the TER.
	r, err := os.Open("testdata/1A8O.pdb.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	original, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, line := range strings.Split(string(original), "\n") {
		if strings.HasPrefix(line, "ATOM") || strings.HasPrefix(line, "HETATM") && strings.Contains(line, "MSE A") {
			want = append(want, line)
		}
	}
	for i, line := range strings.Split(text.String(), "\n")[:len(want)] {
		if line[11:78] != want[i][11:78] {
			t.Fatalf("got  %s\nwant %s", line, want[i])
		}
	}
	scores := [][]float64{make([]float64, 70)}
	scores[0][0], scores[0][1] = -12.344, math.NaN()
	text.Reset()
	if err := Write(&text, s, scores); err != nil {
		t.Fatal(err)
	}
	again, err := Read("q", &text)
	if err != nil {
		t.Fatal(err)
	}
	if b := again.Chains[0].Residues; b[0].Atoms[3].B != -12.34 || b[1].Atoms[0].B != 0 {
		t.Error(b[0].Atoms[3].B, b[1].Atoms[0].B)
	}
	scores[0][2] = 1000
	for _, test := range []struct {
		s      *Structure
		scores [][]float64
		want   string
	}{
		{s, scores, `pdb: residue ILE 153 of chain "A": 1000 does not fit a temperature factor, which goes from -99.99 to 999.99`},
		{s, [][]float64{}, "pdb: scores of 0 chains, want 1"},
		{s, [][]float64{{1}}, `pdb: 1 scores of chain "A", want 70`},
		{&Structure{Chains: []Chain{{ID: "AA"}}}, nil, `pdb: chain "AA" has more than a letter, which the PDB format cannot hold`},
		{&Structure{Chains: []Chain{{ID: "A", Residues: []Residue{{Number: 10000, Name: "ALA", Atoms: []Atom{{Name: "CA"}}}}}}}, nil,
			`pdb: atom CA of residue ALA 10000 of chain "A" does not fit the columns of the PDB format`},
	} {
		text.Reset()
		if err := Write(&text, test.s, test.scores); err == nil || err.Error() != test.want || text.Len() > 0 {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

func TestRescore(t *testing.T) {
	const text = "HEADER    X\r\nATOM      1  CA  ALA A  52A      1.000   0.000   0.000  1.00  9.00           C\nHETATM    2  O   HOH A  60       1.000   0.000   0.000\nEND"
	const want = "HEADER    X\r\nATOM      1  CA  ALA A  52A      1.000   0.000   0.000  1.00  0.50           C\nHETATM    2  O   HOH A  60       1.000   0.000   0.000\nEND"
	var b strings.Builder
	err := Rescore(&b, "p", strings.NewReader(text), func(chain, residue string) (float64, bool) {
		return 0.5, chain == "A" && residue == "52A"
	})
	if err != nil || b.String() != want {
		t.Errorf("%v, got %q", err, b.String())
	}
	all := func(string, string) (float64, bool) { return 1e6, true }
	if err := Rescore(io.Discard, "p", strings.NewReader(text), all); err == nil || err.Error() != "p:2: invalid: residue 52A: 1e+06 does not fit a temperature factor, which goes from -99.99 to 999.99" {
		t.Error(err)
	}
	if err := Rescore(io.Discard, "p", strings.NewReader("data_x\n"), all); err == nil || err.Error() != `p:1: invalid: not PDB: begins with "data_x"` {
		t.Error(err)
	}
	if err := Rescore(io.Discard, "p", strings.NewReader("ATOM"+strings.Repeat(" ", maxLine)), all); err == nil || err.Error() != "p:1: too large: line has more than 1048576 bytes" {
		t.Error(err)
	}
}

func TestScripts(t *testing.T) {
	atoms := []Atom{{Name: "CA"}}
	a, b := &Residue{Number: -3, Atoms: atoms}, &Residue{Number: 52, Insertion: 'A', Atoms: atoms}
	lines := []Line{{"A", "A", a, b, "right", "2CA02C"}, {"A", "", b, a, "wrong", "d62728"}}
	var pymol, chimerax strings.Builder
	if err := WritePyMOL(&pymol, "p.pdb", lines); err != nil {
		t.Fatal(err)
	}
	if err := WriteChimeraX(&chimerax, "p.pdb", lines); err != nil {
		t.Fatal(err)
	}
	wantPyMOL := `load p.pdb, structure
hide everything
show cartoon
color grey80, structure
set dash_gap, 0
set dash_width, 3
distance right, structure and chain A and resi \-3 and name CA, structure and chain A and resi 52A and name CA
distance wrong, structure and chain A and resi 52A and name CA, structure and chain '' and resi \-3 and name CA
hide labels, right
color 0x2ca02c, right
hide labels, wrong
color 0xd62728, wrong
`
	wantChimeraX := `open "p.pdb"
hide atoms
show cartoons
color #1 lightgray
pbond #1/A:-3@CA #1/A:52A@CA color #2ca02c radius 0.15 dashes 0 name right
pbond #1/A:52A@CA #1:-3@CA color #d62728 radius 0.15 dashes 0 name wrong
`
	if pymol.String() != wantPyMOL {
		t.Errorf("got\n%s", pymol.String())
	}
	if chimerax.String() != wantChimeraX {
		t.Errorf("got\n%s", chimerax.String())
	}
	for _, test := range []struct {
		file string
		line Line
		want string
	}{
		{"p\nquit", lines[0], `pdb: path "p\nquit" cannot stand in a script`},
		{"p", Line{"A;quit", "A", a, b, "g", "000000"}, `pdb: chain "A;quit" cannot stand in a script`},
		{"p", Line{"A", "A", a, &Residue{}, "g", "000000"}, "pdb: a line ends at a residue without a C-alpha"},
		{"p", Line{"A", "A", a, &Residue{Insertion: ';', Atoms: atoms}, "g", "000000"}, `pdb: residue "0;" cannot stand in a script`},
		{"p", Line{"A", "A", a, b, "g h", "000000"}, `pdb: group "g h" is not letters, digits and '_'`},
		{"p", Line{"A", "A", a, b, "g", "red"}, `pdb: color "red" is not six hexadecimal digits`},
	} {
		for _, write := range []func(io.Writer, string, []Line) error{WritePyMOL, WriteChimeraX} {
			if err := write(io.Discard, test.file, []Line{test.line}); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		}
	}
}

package pdb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

// show prints a structure so that a test can say what it wants in a line:
// chain/label, then letter, index, number and atoms@x of each residue.
func show(s *Structure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d models %d others %d alternates", s.Models, s.Others, s.Alternates)
	for i := range s.Chains {
		c := &s.Chains[i]
		fmt.Fprintf(&b, " | %s/%s", c.ID, c.Label)
		for j := range c.Residues {
			r := &c.Residues[j]
			fmt.Fprintf(&b, " %c%d=", r.Letter, r.Index)
			if len(r.Atoms) > 0 {
				b.WriteString(r.Seq())
			}
			for _, a := range r.Atoms {
				fmt.Fprintf(&b, ",%s@%g", a.Name, a.Position[0])
			}
		}
	}
	return b.String()
}

// atom writes a line of the PDB format: "A 52A" is chain and residue with code.
func atom(kind, name, alt, residue, chain string, number int, code string, x, occupancy float64) string {
	return fmt.Sprintf("%-6s%5d  %-3s%1s%3s %1s%4d%1s   %8.3f%8.3f%8.3f%6.2f%6.2f           %s\n", kind, 1, name, alt, residue, chain, number, code, x, 0.0, 0.0, occupancy, 9.0, name[:1])
}

// ca is one C-alpha.
func ca(residue string, number int, x float64) string {
	return atom("ATOM", "CA", "", residue, "A", number, "", x, 1)
}

func TestReadPDB(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"two chains", ca("ALA", 1, 1) + atom("ATOM", "CB", "", "ALA", "A", 1, "", 2, 1) + atom("ATOM", "CA", "", "GLY", "B", 7, "", 3, 1),
			"1 models 0 others 0 alternates | A/A A1=1,CA@1,CB@2 | B/B G1=7,CA@3"},
		{"first model", "MODEL        1\n" + ca("ALA", 1, 1) + "ENDMDL\nMODEL        2\n" + ca("ALA", 1, 2) + "ENDMDL\n",
			"2 models 0 others 0 alternates | A/A A1=1,CA@1"},
		{"models without MODEL", ca("ALA", 1, 1) + "END\n" + ca("ALA", 1, 2) + "END\n",
			"2 models 0 others 0 alternates | A/A A1=1,CA@1"},
		{"insertion codes", ca("ALA", 52, 1) + atom("ATOM", "CA", "", "GLY", "A", 52, "A", 2, 1) + ca("SER", 53, 3),
			"1 models 0 others 0 alternates | A/A A1=52,CA@1 G2=52A,CA@2 S3=53,CA@3"},
		{"conformations", atom("ATOM", "CA", "A", "ALA", "A", 1, "", 1, 0.4) + atom("ATOM", "CA", "B", "ALA", "A", 1, "", 2, 0.6),
			"1 models 0 others 1 alternates | A/A A1=1,CA@2"},
		{"conformations, tie", atom("ATOM", "CA", "A", "ALA", "A", 1, "", 1, 0.5) + atom("ATOM", "CA", "B", "ALA", "A", 1, "", 2, 0.5),
			"1 models 0 others 1 alternates | A/A A1=1,CA@1"},
		{"one conformation throughout", atom("ATOM", "CA", "A", "ALA", "A", 1, "", 1, 0.5) + atom("ATOM", "CA", "B", "ALA", "A", 1, "", 2, 0.5) +
			atom("ATOM", "CB", "A", "ALA", "A", 1, "", 3, 0.4) + atom("ATOM", "CB", "B", "ALA", "A", 1, "", 4, 0.5) + atom("ATOM", "N", "B", "ALA", "A", 1, "", 5, 0.5),
			"1 models 0 others 2 alternates | A/A A1=1,CA@1,CB@3,N@5"},
		{"two amino acids at one place", atom("ATOM", "CA", "A", "SER", "A", 1, "", 1, 0.3) + atom("ATOM", "CA", "B", "THR", "A", 1, "", 2, 0.7) + atom("ATOM", "OG", "A", "SER", "A", 1, "", 3, 0.3),
			"1 models 0 others 2 alternates | A/A T1=1,CA@2"},
		{"selenomethionine, ligand, water", ca("ALA", 1, 1) + atom("HETATM", "CA", "", "MSE", "A", 2, "", 2, 1) + "TER\n" +
			atom("HETATM", "CA", "", "MSE", "A", 3, "", 3, 1) + atom("HETATM", "C1", "", "LIG", "A", 4, "", 4, 1) + atom("HETATM", "O", "", "HOH", "A", 5, "", 5, 1),
			"1 models 3 others 0 alternates | A/A A1=1,CA@1 M2=2,CA@2"},
		{"MODRES", "MODRES 1ABC XYZ A    1  LYS\n" + atom("HETATM", "CA", "", "XYZ", "A", 1, "", 1, 1), "1 models 0 others 0 alternates | A/A K1=1,CA@1"},
		{"nucleic acid and water as ATOM", atom("ATOM", "P", "", "DA", "B", 1, "", 1, 1) + ca("ALA", 1, 1) + atom("ATOM", "O", "", "HOH", "A", 2, "", 5, 1),
			"1 models 2 others 0 alternates | A/A A1=1,CA@1"},
		{"SEQRES", "SEQRES   1 A    5  MSE ALA GLY SER UNK\n" + ca("ALA", 11, 1) + ca("SER", 13, 2),
			"1 models 0 others 0 alternates | A/A M1= A2=11,CA@1 G3= S4=13,CA@2 X5="},
		{"SEQRES with a repeat", "SEQRES   1 A    5  ALA ALA ALA GLY ALA\n" + ca("ALA", 1, 1) + ca("ALA", 2, 2) + atom("ATOM", "CA", "", "ALA", "A", 20, "", 3, 1),
			"1 models 0 others 0 alternates | A/A A1=1,CA@1 A2=2,CA@2 A3=20,CA@3 G4= A5="},
		{"SEQRES with insertion codes", "SEQRES   1 A    4  GLY ALA GLY SER\n" + ca("ALA", 52, 1) + atom("ATOM", "CA", "", "GLY", "A", 52, "A", 2, 1) + ca("SER", 53, 3),
			"1 models 0 others 0 alternates | A/A G1= A2=52,CA@1 G3=52A,CA@2 S4=53,CA@3"},
		{"SEQRES, neighbours stay together", "SEQRES   1 A    5  ALA GLY ALA GLY SER\n" + ca("ALA", 3, 1) + ca("GLY", 4, 2) + atom("ATOM", "CA", "", "SER", "A", 4, "A", 3, 1),
			"1 models 0 others 0 alternates | A/A A1= G2= A3=3,CA@1 G4=4,CA@2 S5=4A,CA@3"},
		{"step over a gap", ca("ALA", 1, 1) + ca("GLY", 4, 20), "1 models 0 others 0 alternates | A/A A1=1,CA@1 X2= X3= G4=4,CA@20"},
		{"step without a gap", ca("ALA", 1, 1) + ca("GLY", 4, 4.8), "1 models 0 others 0 alternates | A/A A1=1,CA@1 G2=4,CA@4.8"},
		{"step over a bond", atom("ATOM", "C", "", "ALA", "A", 1, "", 1, 1) + atom("ATOM", "N", "", "GLY", "A", 4, "", 2.33, 1), "1 models 0 others 0 alternates | A/A A1=1,C@1 G2=4,N@2.33"},
		{"step over a broken bond", atom("ATOM", "C", "", "ALA", "A", 1, "", 1, 1) + atom("ATOM", "N", "", "GLY", "A", 3, "", 3.5, 1), "1 models 0 others 0 alternates | A/A A1=1,C@1 X2= G3=3,N@3.5"},
		{"short line", "ATOM      1  CA  ALA     1       1.000   0.000   0.000\n", "1 models 0 others 0 alternates | / A1=1,CA@1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Read("p.pdb", iotest.HalfReader(strings.NewReader(test.text)))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(s); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestHeader(t *testing.T) {
	text := "HEADER    VIRAL PROTEIN                           27-MAR-98   1A8O\nEXPDTA    X-RAY DIFFRACTION\nREMARK   2\nREMARK   2 RESOLUTION.    1.70 ANGSTROMS.\n" + ca("ALA", 1, 1)
	s, err := Read("p.pdb", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != "1A8O" || s.Method != "X-RAY DIFFRACTION" || s.Resolution != 1.7 {
		t.Errorf("%q %q %v", s.ID, s.Method, s.Resolution)
	}
	a := s.Chains[0].Residues[0].Atoms[0]
	if diff := cmp.Diff(Atom{"CA", "C", Point{1, 0, 0}, 1, 9, 5}, a); diff != "" {
		t.Error(diff)
	}
	s, err = Read("p.pdb", strings.NewReader("REMARK   2 RESOLUTION. NOT APPLICABLE.\n"+ca("ALA", 1, 1)))
	if err != nil || s.Resolution != 0 {
		t.Error(s, err)
	}
}

// mini is a structure in mmCIF with a missing residue, a modified one whose
// letter only the entity knows, a ligand, two models and a DNA chain.
const mini = `data_MINI
# comment
_entry.id MINI
_exptl.method 'SOLUTION NMR'
loop_
_entity_poly.entity_id
_entity_poly.type
_entity_poly.pdbx_seq_one_letter_code_can
1 'polypeptide(L)'
;MAK
K
;
2 polydeoxyribonucleotide
A
loop_
_entity_poly_seq.entity_id
_entity_poly_seq.num
_entity_poly_seq.mon_id
1 1 MSE 1 2 ALA
1 2 GLY 1 3 XYZ
1 4 LYS 2 1 DA
loop_
_struct_asym.id
_struct_asym.entity_id
P 1
Q 2
_em_3d_reconstruction.resolution 3.4
loop_
_atom_site.group_PDB
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.pdbx_PDB_ins_code
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.auth_seq_id
_atom_site.auth_asym_id
_atom_site.pdbx_PDB_model_num
HETATM CA   . MSE P 1 1 ? 1 0 0 1 -1 A 1
ATOM   "CA" A ALA P 1 2 ? 2 0 0 .3 52 A 1
ATOM   CA   B GLY P 1 2 ? 3 0 0 .7 52 A 1
HETATM CA   . XYZ P 1 3 A 4 0 0 ?
52 A 1
ATOM   P    . DA  Q 2 1 ? 4 0 0 1 1 B 1
HETATM O    . HOH W 3 . ? 4 0 0 1 1 A 1
ATOM   CA   . ALA P 1 2 ? 9 0 0 1 52 A 2
#
`

func TestReadCIF(t *testing.T) {
	s, err := Read("p.cif", iotest.HalfReader(strings.NewReader(mini)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(s), "2 models 2 others 1 alternates | A/P M1=-1,CA@1 G2=52,CA@3 K3=52A,CA@4 K4="; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s.ID != "MINI" || s.Method != "SOLUTION NMR" || s.Resolution != 3.4 {
		t.Errorf("%q %q %v", s.ID, s.Method, s.Resolution)
	}
	// Without the sequences the atoms are all there is.
	s, err = Reader{NoSequence: true}.Read("p.cif", strings.NewReader(mini))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(s), "2 models 2 others 1 alternates | A/P M1=-1,CA@1 G2=52,CA@3 X3=52A,CA@4"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// What some programs write: the atoms alone.
	const bare = "\ndata_x\nloop_\n_atom_site.label_atom_id\n_atom_site.auth_comp_id\n_atom_site.auth_asym_id\n_atom_site.auth_seq_id\n_atom_site.Cartn_x\n_atom_site.Cartn_y\n_atom_site.Cartn_z\n" +
		"CA ALA A 1 1 0 0\nCA GLY A 3 40 0 0\nO HOH A 4 0 0 0\n"
	if s, err = Read("p.cif", strings.NewReader(bare)); err != nil {
		t.Fatal(err)
	}
	if got, want := show(s), "1 models 1 others 0 alternates | A/A A1=1,CA@1 X2= G3=3,CA@40"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTokens(t *testing.T) {
	const text = `_a.b 'it's' "a 'b' c" ' ' '' x#y #z
;one
 two;
;'.' . ? "?" LOOP_ Data_x save_ STOP_ global_ loop_x
_T #
;;
;
`
	c := &cif{name: "p", lines: format.NewLineReader("p", strings.NewReader(text), 100), max: 100}
	var got []string
	for {
		kind, v, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if kind == end {
			break
		}
		got = append(got, fmt.Sprintf("%d%q%v", kind, v.text, v.null))
	}
	want := []string{`1"_a.b"false`, `2"it's"false`, `2"a 'b' c"false`, `2" "false`, `2""false`, `2"x#y"false`, `2"one\n two;"false`, `2"."false`, `2""true`, `2""true`,
		`2"?"false`, `3"LOOP_"false`, `4"Data_x"false`, `5"save_"false`, `5"STOP_"false`, `5"global_"false`, `2"loop_x"false`, `1"_T"false`, `2";"false`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	c = &cif{name: "p", lines: format.NewLineReader("p", strings.NewReader(";"+strings.Repeat("a\n", 60)), 100), max: 100}
	if _, _, err := c.next(); err == nil || err.Error() != "p:1: too large: text has more than 100 bytes" {
		t.Error(err)
	}
}

func TestBadInput(t *testing.T) {
	const site = "data_x\nloop_\n_atom_site.label_atom_id\n_atom_site.label_comp_id\n_atom_site.label_asym_id\n_atom_site.label_seq_id\n_atom_site.Cartn_x\n_atom_site.Cartn_y\n_atom_site.Cartn_z\n_atom_site.occupancy\n_atom_site.B_iso_or_equiv\n_atom_site.auth_seq_id\n_atom_site.pdbx_PDB_ins_code\n"
	good := ca("ALA", 1, 1)
	replace := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("no %q in %q", from, good)
		}
		return strings.Replace(good, from, to, 1)
	}
	for _, test := range []struct {
		name   string
		reader Reader
		text   string
		want   string
		kind   error
	}{
		{"empty", Reader{}, "", "p: invalid: no structure", format.ErrInvalid},
		{"blank", Reader{}, "\n# x\n", "p: invalid: no structure", format.ErrInvalid},
		{"FASTA", Reader{}, "\n>a\nACD\n", `p:2: invalid: neither PDB nor mmCIF: begins with ">a"`, format.ErrInvalid},
		{"no atoms", Reader{}, "HEADER    x\n", "p: invalid: no atoms of a protein; 0 of others", format.ErrInvalid},
		{"only water", Reader{}, atom("HETATM", "O", "", "HOH", "A", 1, "", 1, 1), "p: invalid: no atoms of a protein; 1 of others", format.ErrInvalid},
		{"number", Reader{}, good + replace("   1       ", "A000       "), `p:2: invalid: number of the residue is "A000"`, format.ErrInvalid},
		{"coordinate", Reader{}, replace("   1.000", "     nan"), `p:1: invalid: coordinate x is "nan"`, format.ErrInvalid},
		{"coordinate too large", Reader{}, replace("   1.000", "     1e9"), `p:1: invalid: coordinate x is "1e9"`, format.ErrInvalid},
		{"cut line", Reader{}, good[:53], `p:1: invalid: line ends at column 53, before the coordinates do`, format.ErrInvalid},
		{"occupancy", Reader{}, replace("  1.00  9", "  x.00  9"), `p:1: invalid: occupancy is "x.00"`, format.ErrInvalid},
		{"factor", Reader{}, replace("  9.00", "******"), `p:1: invalid: temperature factor is "******"`, format.ErrInvalid},
		{"no name", Reader{}, replace(" CA ", "    "), "p:1: invalid: atom without a name or residue", format.ErrInvalid},
		{"twice", Reader{}, good + good, `p:2: invalid: atom CA of residue ALA 1 of chain "A" occurs twice, in line 1 before`, format.ErrInvalid},
		{"two names", Reader{}, good + ca("GLY", 1, 1), `p:2: invalid: residue ALA 1 of chain "A" is GLY here`, format.ErrInvalid},
		{"SEQRES", Reader{}, "SEQRES   1 A    2  ALA GLY\n" + good + ca("SER", 2, 2), `p:3: invalid: residue SER 2 of chain "A" does not fit SEQRES, in line 1`, format.ErrInvalid},
		{"SEQRES, first", Reader{}, "SEQRES   1 A    2  SER GLY\n" + good, `p:2: invalid: residue ALA 1 of chain "A" does not fit SEQRES, in line 1`, format.ErrInvalid},
		{"atoms", Reader{MaxAtoms: 1}, good + good, "p:2: too large: structure has more than 1 atoms", format.ErrTooLarge},
		{"residues", Reader{MaxResidues: 1}, good + ca("GLY", 2, 1), "p:2: too large: structure has more than 1 residues", format.ErrTooLarge},
		{"residues of SEQRES", Reader{MaxResidues: 2}, "SEQRES   1 A    3  ALA GLY SER\n", "p:1: too large: structure has more than 2 residues", format.ErrTooLarge},
		{"missing residues", Reader{MaxResidues: 5}, good + ca("GLY", 9, 99), "p: too large: structure has more than 5 residues", format.ErrTooLarge},

		{"no _atom_site", Reader{}, "data_x\n_entry.id X\n", "p: invalid: no _atom_site: not a structure", format.ErrInvalid},
		{"second block", Reader{}, "data_x\ndata_y\n", "p:2: not supported: a second block, data_y; split the file", format.ErrUnsupported},
		{"save frame", Reader{}, "data_x\nsave_y\n", "p:2: not supported: save_y in a structure", format.ErrUnsupported},
		{"stray value", Reader{}, "data_x\n1.5\n", `p:2: invalid: value "1.5" without an item`, format.ErrInvalid},
		{"no value", Reader{}, "data_x\n_entry.id\n_a.b 1\n", "p:3: invalid: item _entry.id has no value", format.ErrInvalid},
		{"empty loop", Reader{}, "data_x\nloop_\n1\n", "p:2: invalid: loop without items", format.ErrInvalid},
		{"ragged loop", Reader{}, "data_x\nloop_\n_a.b\n_a.c\n1 2\n3\n", "p:6: invalid: row of loop _a has 1 values, want 2", format.ErrInvalid},
		{"open quote", Reader{}, "data_x\n_a.b 'c\n", `p:2: invalid: no closing quote of 'c`, format.ErrInvalid},
		{"open text", Reader{}, "data_x\n_a.b\n;c\n", "p:3: invalid: text without the ';' that ends it", format.ErrInvalid},
		{"cif index", Reader{}, site + "CA ALA A 0 1 1 1 1 1 1 ?\n", `p:14: invalid: label_seq_id is "0"`, format.ErrInvalid},
		{"cif number", Reader{}, site + "CA ALA A 1 1 1 1 1 1 x ?\n", `p:14: invalid: auth_seq_id is "x"`, format.ErrInvalid},
		{"cif coordinate", Reader{}, site + "CA ALA A 1 1 1 ? 1 1 1 ?\n", `p:14: invalid: coordinate z is ""`, format.ErrInvalid},
		{"cif occupancy", Reader{}, site + "CA ALA A 1 1 1 1 0x1 1 1 ?\n", `p:14: invalid: occupancy is "0x1"`, format.ErrInvalid},
		{"cif factor", Reader{}, site + "CA ALA A 1 1 1 1 1 Inf 1 ?\n", `p:14: invalid: temperature factor is "Inf"`, format.ErrInvalid},
		{"cif code", Reader{}, site + "CA ALA A 1 1 1 1 1 1 1 AB\n", `p:14: not supported: insertion code "AB" of more than a letter`, format.ErrUnsupported},
		{"cif index too large", Reader{}, site + "CA ALA A 2000000 1 1 1 1 1 1 ?\n", "p:14: too large: structure has more than 1048576 residues", format.ErrTooLarge},
		{"cif one index, two residues", Reader{}, site + "CA ALA A 1 1 1 1 1 1 1 ?\nCA GLY A 1 1 1 1 1 1 2 ?\n", `p:15: invalid: residue 1 of chain "A" is both ALA 1 and GLY 2`, format.ErrInvalid},
		{"cif sequence", Reader{}, strings.Replace(mini, "1 4 LYS", "1 5 LYS", 1), `p:21: invalid: residue "5" of entity "1" comes after 3`, format.ErrInvalid},
		{"cif atoms against sequence", Reader{}, strings.Replace(mini, "1 1 MSE", "1 1 LEU", 1), `p:44: invalid: residue MSE -1 of chain "A" is LEU in the sequence of the chain`, format.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.reader.Read("p", strings.NewReader(test.text))
			if err == nil || err.Error() != test.want {
				t.Fatalf("got  %v\nwant %s", err, test.want)
			}
			if !errors.Is(err, test.kind) {
				t.Errorf("%v is not %v", err, test.kind)
			}
		})
	}
	r := io.MultiReader(strings.NewReader(good), iotest.ErrReader(errors.New("cable cut")))
	if _, err := Read("p", r); err == nil || err.Error() != "p:2: cable cut" {
		t.Error(err)
	}
}

func TestChain(t *testing.T) {
	s := &Structure{Chains: []Chain{{ID: "A", Label: "A"}, {ID: "A", Label: "C"}, {ID: "B", Label: "D"}}}
	if c, err := s.Chain("B"); err != nil || c != &s.Chains[2] {
		t.Error(c, err)
	}
	if c, err := s.ChainByLabel("C"); err != nil || c != &s.Chains[1] {
		t.Error(c, err)
	}
	if _, err := s.Chain("A"); err == nil || err.Error() != `pdb: two chains are called "A"; their labels are "A" and "C"` {
		t.Error(err)
	}
	if _, err := s.Chain(""); err == nil || err.Error() != `pdb: no chain ""; chains are "A", "A", "B"` {
		t.Error(err)
	}
	s.Chains = s.Chains[2:]
	if c, err := s.Chain(""); err != nil || c != &s.Chains[0] {
		t.Error(c, err)
	}
}

// FuzzRead checks that no input makes the readers panic, and that what Write
// writes of a structure reads the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte(mini))
	f.Add([]byte("SEQRES   1 A    4  ALA GLY SER MSE\n" + ca("ALA", 1, 1) + ca("SER", 3, 9) + "TER\nEND\n"))
	f.Add([]byte(ca("ALA", 52, 1) + atom("ATOM", "CA", "A", "GLY", "A", 52, "A", 2, 1) + "ENDMDL\n"))
	f.Add([]byte("data_x\n_a.b 'c' loop_ _d.e\n;f\n; # g\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		small := Reader{MaxAtoms: 1000, MaxResidues: 1000}
		s, err := small.Read("p", bytes.NewReader(data))
		if err != nil {
			var e *format.Error
			if !errors.As(err, &e) || e.Name != "p" {
				t.Fatalf("%v is not an error of p", err)
			}
			return
		}
		for i := range s.Chains {
			c := &s.Chains[i]
			for j := range c.Residues {
				if r := &c.Residues[j]; r.Index != j+1 || r.Letter < 'A' || r.Letter > 'Z' {
					t.Fatalf("residue %+v at %d", r, j)
				}
			}
			c.BetaDistances(RealBeta)
			c.MinimumDistances()
			c.Align([]byte("ACDEFGHIKLMNPQRSTVWY"), Alignment{})
		}
		// What the PDB format can hold, in letters that it knows, reads the same.
		for i := range s.Chains {
			for j := range s.Chains[i].Residues {
				r := &s.Chains[i].Residues[j]
				if _, known := aminoAcids[r.Name]; len(r.Atoms) > 0 && (!known || r.Insertion != 0 && (r.Insertion < 'A' || r.Insertion > 'Z')) {
					return
				}
				if r.Het || slices.ContainsFunc(r.Atoms, func(a Atom) bool { return !isWord(a.Name) || len(a.Name) > 3 || len(a.Element) > 1 }) {
					return
				}
			}
		}
		var text bytes.Buffer
		if err := Write(&text, s, nil); err != nil {
			return
		}
		again, err := Read("q", bytes.NewReader(text.Bytes()))
		if err != nil {
			t.Fatalf("%v\n%s", err, text.Bytes())
		}
		if got, want := again.atoms(), s.atoms(); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

// atoms prints what a PDB file can hold of a structure.
func (s *Structure) atoms() string {
	var b strings.Builder
	for _, c := range s.Chains {
		for _, r := range c.Residues {
			for _, a := range r.Atoms {
				fmt.Fprintf(&b, "%s %s %s %s %.3f\n", c.ID, r.Name, r.Seq(), a.Name, a.Position)
			}
		}
	}
	return b.String()
}

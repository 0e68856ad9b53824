package msa

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

// rows prints an alignment so that a test can say what it wants in a line:
// name@line:columns+insertions.
func rows(a *Alignment) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %d", a.Format, a.Columns)
	for _, r := range a.Rows {
		fmt.Fprintf(&b, " %s@%d:%s", r.Name, r.Line, r.Seq)
		for _, in := range r.Insertions {
			fmt.Fprintf(&b, "+%d%s", in.Before, in.Letters)
		}
	}
	return b.String()
}

func TestRead(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"A3M", ">q\nACDE\n>b x\nAcC-rtE\n>c\n-CD-kk\n", "A3M 4 q@1:ACDE b@3:AC-E+1C+3RT c@5:-CD-+4KK"},
		{"A3M, dots and stop", ">q\nACDE*\n>b\na.A.CDE\n>c\nACD-\n", "A3M 4 q@1:ACDE b@3:ACDE+0A c@5:ACD-"},
		{"A3M, insertion in the query", ">q\nAcD\n>b\nAD\n", "A3M 2 q@1:AD+1C b@3:AD"},
		{"A3M, wrapped, CRLF, blank lines", "\r\n>q\r\nAC\r\nD E\r\n\r\n>b\r\nAC\r\nDEf", "A3M 4 q@2:ACDE b@6:ACDE+4F"},
		{"A2M", ">q\nAC..DE\n>b\nACrt-E\n>c\n-C.k-E\n", "A2M 4 q@1:ACDE b@3:AC-E+2RT c@5:-C-E+2K"},
		{"FASTA", ">q\nA-CD\n>b\nAKCX\n", "aligned FASTA 4 q@1:A-CD b@3:AKCX"},
		{"FASTA, dots", ">q\nA.CD\n>b\n.KCX\n", "aligned FASTA 4 q@1:A-CD b@3:-KCX"},
		{"FASTA, dots not equally many", ">q\nA..D\n>b\nAKCX\n", "aligned FASTA 4 q@1:A--D b@3:AKCX"},
		{"FASTA, lower case", ">q\na-cd\n>b\nakc-\n", "aligned FASTA 4 q@1:A-CD b@3:AKC-"},
		{"FASTA, soft masked", ">q\nacCD\n>b\nACcd\n", "aligned FASTA 4 q@1:ACCD b@3:ACCD"},
		{"FASTA, stops", ">q\nACD*\n>b\nACDE\n", "aligned FASTA 4 q@1:ACD- b@3:ACDE"},
		{"one row", ">q\nACDE", "aligned FASTA 4 q@1:ACDE"},
		{"nameless and same names", ">\nAC\n>b\nAC\n>b\nAD\n> \nAE\n", "aligned FASTA 2 seq1@1:AC b@3:AC b@5:AD seq4@7:AE"},
		{"HH-suite", ">ss_pred PSIPRED\nCHHC\n>ss_conf\n9841\n>q_consensus\nxxxx\n>q\nACDE\n>Consensus\nACDE\n>b\nAC-E\n", "aligned FASTA 4 q@7:ACDE b@11:AC-E"},
		{"aln", "ACDE\n-CD.\n\nacdx\n", "aln 4 seq1@1:ACDE seq2@2:-CD- seq3@4:ACDX"},
		{"named aln", "q  ACDE\nb\t-CD-\n", "named aln 4 q@1:ACDE b@2:-CD-"},
		{"Stockholm, one block", "\n# STOCKHOLM 1.0\nq/1-3  AC.D\nb ~A_c\n//\n\n", "Stockholm 4 q/1-3@3:AC-D b@4:-A-C"},
		{"Stockholm, two blocks", "# STOCKHOLM 1.0\n\nb AC\nb -D\n\n\nb E\nb e\n//\n", "Stockholm 3 b@3:ACE b@4:-DE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, slow := range []bool{false, true} {
				var r io.Reader = strings.NewReader(test.text)
				if slow {
					r = iotest.OneByteReader(r)
				}
				a, err := Read("p.msa", r)
				if err != nil {
					t.Fatal(err)
				}
				if got := rows(a); got != test.want {
					t.Errorf("slow %v:\ngot  %s\nwant %s", slow, got, test.want)
				}
			}
		})
	}
}

func TestExtras(t *testing.T) {
	text := "#3,1\t2,1\n>101\t102\nACDE\n>ss_conf\n11\n>b c  d\nA*C.DfE\n"
	a, err := Read("p.a3m", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Chain{{3, 2}, {1, 1}}, a.Chains); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"ss_conf"}, a.Skipped); diff != "" {
		t.Error(diff)
	}
	if a.Stops != 1 || a.Rows[0].Description != "102" || a.Rows[1].Description != "c  d" {
		t.Errorf("%+v", a)
	}
	if diff := cmp.Diff([]int{0, 0, 0, 1, 0}, a.Rows[1].Deletions()); diff != "" {
		t.Error(diff)
	}
	if got := string(bytes.Join(a.Seqs(), []byte(","))); got != "ACDE,ACDE" {
		t.Error(got)
	}
}

func TestAll(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{">q\nAC\n\x00>r\nACD\n>s\nAC-\n\x00", "aligned FASTA 2 q@1:AC|aligned FASTA 3 r@3:ACD s@5:AC-"},
		{"AC\n\x00AD\n", "aln 2 seq1@1:AC|aln 2 seq1@2:AD"},
		{"# STOCKHOLM 1.0\nq AC\n//\n# STOCKHOLM 1.0\nr A\n//\n", "Stockholm 2 q@2:AC|Stockholm 1 r@5:A"},
	} {
		var got []string
		for a, err := range All("p.msa", strings.NewReader(test.text)) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rows(a))
		}
		if strings.Join(got, "|") != test.want {
			t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), test.want)
		}
	}
}

func TestBadInput(t *testing.T) {
	const sto = "# STOCKHOLM 1.0\n"
	long := strings.Repeat("n", 70)
	small := Reader{MaxRows: 2, MaxLetters: 12, MaxRow: 8}
	for _, test := range []struct {
		name   string
		reader Reader
		text   string
		want   string
		kind   error
	}{
		{"empty", Reader{}, "", "p.msa: invalid: no alignment", format.ErrInvalid},
		{"blank", Reader{}, "\n \n\x00", "p.msa: invalid: no alignment", format.ErrInvalid},
		{"comment", Reader{}, "\n#4\t1\n", "p.msa:2: invalid: no rows after the comment", format.ErrInvalid},
		{"table", Reader{}, "sequence,label\n", "p.msa:1: invalid: not an alignment: ',' is neither a letter nor a gap", format.ErrInvalid},
		{"text", Reader{}, "\nthis is text\n", "p.msa:2: invalid: not an alignment: 3 words, want a row or a name and a row", format.ErrInvalid},
		{"gzip", Reader{}, "\x1f\x8b\x08", `p.msa:1: invalid: not an alignment: '\x1f' is neither a letter nor a gap`, format.ErrInvalid},
		{"Clustal", Reader{}, "CLUSTAL W (1.83)\n", "p.msa:1: not supported: CLUSTAL file; convert it to A3M, FASTA or Stockholm", format.ErrUnsupported},
		{"profile", Reader{}, "HMMER3/f [3.1]\n", "p.msa:1: not supported: HMMER3/f file; convert it to A3M, FASTA or Stockholm", format.ErrUnsupported},
		{"ragged A3M", Reader{}, ">q\nACDE\n>b\nACDEf\n>c\nACD\nf\n", `p.msa:5: invalid: row "c" has 3 columns, but the first row, "q" in line 1, has 4`, format.ErrInvalid},
		{"unaligned", Reader{}, ">q\nACDE\n>b\nA\n", `p.msa:3: invalid: row "b" has 1 column, but the first row, "q" in line 1, has 4`, format.ErrInvalid},
		{"ragged aln", Reader{}, "ACDE\nACDE\nACD\n", `p.msa:3: invalid: row "seq3" has 3 columns, but the first row, "seq1" in line 1, has 4`, format.ErrInvalid},
		{"only insertions", Reader{}, ">q\nac.d\n>b\nac\n", `p.msa:1: invalid: row "q" has no column: all its letters are insertions`, format.ErrInvalid},
		{"no letters", Reader{}, ">q\nAC\n>b\n>c\nAC\n", `p.msa:3: invalid: row "b" is empty`, format.ErrInvalid},
		{"no letters at the end", Reader{}, ">q\nAC\n>" + long, `p.msa:3: invalid: row "` + long[:60] + `..." is empty`, format.ErrInvalid},
		{"only annotations", Reader{}, ">ss_pred\nCC\n>ss_conf\n11\n", "p.msa: invalid: no sequences, only ss_pred, ss_conf", format.ErrInvalid},
		{"digit", Reader{}, ">q\nAC\nD1\n", `p.msa:3: invalid: row "q": '1' is neither a letter nor a gap`, format.ErrInvalid},
		{"Latin-1", Reader{}, ">q\nAC\xe9\n", `p.msa:2: invalid: row "q": '\xe9' is neither a letter nor a gap`, format.ErrInvalid},
		{"control character", Reader{}, ">q\nAC\n>b\x1b[1m\nAC", `p.msa:3: invalid: control character '\x1b' in the header`, format.ErrInvalid},
		{"chains", Reader{}, "#3,2\t1,1\n>q\nACDE\n", "p.msa:1: invalid: chains are longer or shorter than the rows, which have 4 columns", format.ErrInvalid},
		{"two words, then one", Reader{}, "q AC\nAC\n", "p.msa:2: invalid: 1 word, want a name and a row as in line 1", format.ErrInvalid},
		{"one word, then two", Reader{}, "AC\nq AC\n", "p.msa:2: invalid: blank within the row", format.ErrInvalid},
		{"second alignment", Reader{}, ">q\nAC\n\x00>r\nAC\n", "p.msa:3: not supported: a second alignment begins here; split the file", format.ErrUnsupported},
		{"Stockholm 2", Reader{}, "# STOCKHOLM 2.0\n", `p.msa:1: not supported: Stockholm format "2.0"; this reads 1.0`, format.ErrUnsupported},
		{"cut off", Reader{}, sto + "q AC\n", `p.msa: invalid: no "//" at the end; the file is cut off`, format.ErrInvalid},
		{"no rows", Reader{}, sto + "#=GF ID x\n//\n", "p.msa:1: invalid: Stockholm alignment without rows", format.ErrInvalid},
		{"only gaps of no width", Reader{}, sto + "q\n//\n", "p.msa:2: invalid: 1 word, want a name and a piece of a row", format.ErrInvalid},
		{"ragged block", Reader{}, sto + "q AC\nb AC\n\nq DEF\nb DE\n//\n", `p.msa:6: invalid: row "b" ends at column 4, but the first row, "q" in line 5, at column 5`, format.ErrInvalid},
		{"other order", Reader{}, sto + "q AC\nb AC\n\nb AC\nq AC\n//\n", `p.msa:5: invalid: row "b" stands where the first block has "q"`, format.ErrInvalid},
		{"one too many", Reader{}, sto + "q AC\n\nq AC\nq AC\n//\n", `p.msa:5: invalid: row "q" is one too many: the first block has 1 row`, format.ErrInvalid},
		{"one too few", Reader{}, sto + "q AC\nb AC\n\nq AC\n//\n", `p.msa:6: invalid: the block ends without row "b"`, format.ErrInvalid},
		{"odd note", Reader{}, sto + "#=GX a b\n", `p.msa:2: invalid: "#=GX" is none of #=GF, #=GS, #=GC and #=GR`, format.ErrInvalid},
		{"short note", Reader{}, sto + "#=GS q\n", "p.msa:2: invalid: #=GS line without a feature", format.ErrInvalid},
		{"note on nothing", Reader{}, sto + "q AC\n#=GS b AC x\n//\n", `p.msa:3: invalid: note on row "b", which does not exist`, format.ErrInvalid},
		{"ragged note", Reader{}, sto + "q AC\n#=GC RF x\n//\n", `p.msa:3: invalid: note "RF" has 1 column, the rows have 2`, format.ErrInvalid},
		{"rows", small, ">q\nAC\n>b\nAC\n>c\nAC\n", "p.msa:5: too large: alignment has more than 2 rows", format.ErrTooLarge},
		{"letters", small, ">q\nACDEFG\n>b\nACDEFGH\n", "p.msa:3: too large: alignment has more than 12 letters", format.ErrTooLarge},
		{"row", small, ">q\nACDE\nFGHIK\n", `p.msa:1: too large: row "q" has more than 8 letters`, format.ErrTooLarge},
		{"rows of aln", small, "AC\nAC\nAC\n", "p.msa:3: too large: alignment has more than 2 rows", format.ErrTooLarge},
		{"letters of aln", small, "ACDEFG\nACDEFGH\n", "p.msa:2: too large: alignment has more than 12 letters", format.ErrTooLarge},
		{"row of aln", small, "ACDEFGHIK\n", `p.msa:1: too large: row "seq1" has more than 8 letters`, format.ErrTooLarge},
		{"rows of Stockholm", small, sto + "a AC\nb AC\nc AC\n", "p.msa:4: too large: alignment has more than 2 rows", format.ErrTooLarge},
		{"letters of Stockholm", small, sto + "a ACDE\nb ACDE\n\na ACD\nb ACD\n", "p.msa:6: too large: alignment has more than 12 letters", format.ErrTooLarge},
		{"row of Stockholm", small, sto + "a ACDE\n\na ACDEF\n", `p.msa:4: too large: row "a" has more than 8 letters`, format.ErrTooLarge},
		{"notes of Stockholm", small, sto + "#=GF AC PF00014.3\n", "p.msa:2: too large: alignment has more than 12 letters", format.ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := test.reader.Read("p.msa", strings.NewReader(test.text))
			if err == nil || err.Error() != test.want {
				t.Fatalf("got  %v\nwant %s", err, test.want)
			}
			if !errors.Is(err, test.kind) {
				t.Errorf("%v is not %v", err, test.kind)
			}
		})
	}
}

func TestReadError(t *testing.T) {
	for _, text := range []string{"", ">q\nAC", "AC\n", "# STOCKHOLM 1.0\nq AC\n"} {
		r := io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("cable cut")))
		_, err := Read("p.msa", r)
		if err == nil || !strings.HasPrefix(err.Error(), "p.msa:") || !strings.HasSuffix(err.Error(), ": cable cut") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestMatchQuery(t *testing.T) {
	const text = "#3,2,1\t1,1,2\n>q\nA--D-E\n>b\ngAhKiCjDkLlEm\n>c\n-K----\n"
	a, err := Read("p.a3m", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	b, err := a.MatchQuery()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rows(b), "A3M 3 q@2:ADE b@4:ADE+0G+1HKICJ+2KLL+3M c@6:---+1K"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if diff := cmp.Diff([]Chain{{1, 1}, {1, 1}, {1, 2}}, b.Chains); diff != "" {
		t.Error(diff)
	}
	if got, want := rows(a), "A3M 6 q@2:A--D-E b@4:AKCDLE+0G+1H+2I+3J+4K+5L+6M c@6:-K----"; got != want {
		t.Errorf("the alignment itself changed: %s", got)
	}
	if c, err := b.MatchQuery(); c != b || err != nil {
		t.Error("matched twice: ", c, err)
	}
	// No letter is lost.
	letters := func(a *Alignment) (all []string) {
		var text bytes.Buffer
		if err := WriteA3M(&text, a); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(text.String(), "\n") {
			all = append(all, strings.ToUpper(strings.ReplaceAll(line, "-", "")))
		}
		return all[1:]
	}
	if diff := cmp.Diff(letters(a), letters(b)); diff != "" {
		t.Error(diff)
	}
	a, err = Read("p.aln", strings.NewReader("--\nAC\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.MatchQuery(); err == nil || err.Error() != `msa: the query "seq1" has only gaps` {
		t.Error(err)
	}
}

func TestSelect(t *testing.T) {
	a, err := Read("p.sto", strings.NewReader(stockholmSample))
	if err != nil {
		t.Fatal(err)
	}
	b := a.Select([]int{2, 0})
	if got, want := rows(b), "Stockholm 8 b/3-8@11:AC-DLFGH q/1-7@9:ACD-EFGH"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want := Notes{File: a.Notes.File, Columns: a.Notes.Columns, Rows: []Note{{1, "OS", "Homo sapiens"}}, Residues: []Note{{0, "SS", "HHHHEEEE"}}}
	if diff := cmp.Diff(want, b.Notes); diff != "" {
		t.Error(diff)
	}
}

// stockholmSample has two blocks, all kinds of notes, and two rows of one name.
const stockholmSample = `# STOCKHOLM 1.0
#=GF ID   Sample
#=GF CC   first line of a comment
#=GF CC   and second

#=GS q/1-7   OS Homo sapiens
#=GS a       DE not a real protein

q/1-7        ACD.
a            A-De
b/3-8        AC.D
#=GR b/3-8 SS HHHH
#=GC RF      xxxx

# a comment
q/1-7        EFGH
a            kfGH
b/3-8        LFGH
#=GR b/3-8 SS EEEE
#=GC RF      xx.x
//
`

func TestStockholm(t *testing.T) {
	a, err := Read("p.sto", strings.NewReader(stockholmSample))
	if err != nil {
		t.Fatal(err)
	}
	want := Notes{
		File:     []Note{{0, "ID", "Sample"}, {0, "CC", "first line of a comment"}, {0, "CC", "and second"}},
		Rows:     []Note{{0, "OS", "Homo sapiens"}, {1, "DE", "not a real protein"}},
		Columns:  []Note{{0, "RF", "xxxxxx.x"}},
		Residues: []Note{{2, "SS", "HHHHEEEE"}},
	}
	if diff := cmp.Diff(want, a.Notes); diff != "" {
		t.Error(diff)
	}
	b, err := a.MatchQuery()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b.Notes.Columns[0].Text+" "+b.Notes.Residues[0].Text, "xxxxx.x HHHEEEE"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var text bytes.Buffer
	if err := WriteStockholm(&text, a); err != nil {
		t.Fatal(err)
	}
	again, err := Read("p.sto", &text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range again.Rows {
		again.Rows[i].Line = a.Rows[i].Line
	}
	if diff := cmp.Diff(a, again); diff != "" {
		t.Error(diff)
	}
}

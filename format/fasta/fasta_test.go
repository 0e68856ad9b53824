package fasta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

func read(d Reader, r io.Reader) (all []Record, err error) {
	for rec, err := range d.Records("p.fa", r) {
		if err != nil {
			return all, err
		}
		all = append(all, rec)
	}
	return all, nil
}

func TestRecords(t *testing.T) {
	ab := []Record{{"a", "first one", []byte("ACGTAC"), 1}, {"b", "", []byte("gg"), 4}}
	for _, test := range []struct {
		name, text string
		want       []Record
	}{
		{"wrapped", ">a first one\nACGT\nAC\n>b\ngg\n", ab},
		{"no end", ">a first one\nACGT\nAC\n>b\ngg", ab},
		{"CRLF", ">a first one\r\nACGT\r\nAC\r\n>b\r\ngg\r\n", ab},
		{"CR", ">a first one\rACGT\rAC\r>b\rgg\r", ab},
		{"mixed ends", ">a first one\rACGT\r\nAC\n>b\r\ngg\r", ab},
		{"mark", "\xef\xbb\xbf>a first one\nACGT\nAC\n>b\ngg\n", ab},
		{"blanks", "> \ta \t first one \t\n A CGT\t\nAC  \n>b \ngg\n \t\n", ab},
		{"blank lines", "\n \n>a\n\nAC\n\nGT\n\n\n>b\n\ngg\n\n", []Record{{"a", "", []byte("ACGT"), 3}, {"b", "", []byte("gg"), 10}}},
		{"comments", ";first\n>a\n;within > ; \nAC\n;\nGT\n;last", []Record{{"a", "", []byte("ACGT"), 2}}},
		{"nameless", ">\nA\n>x\nC\n> \t\nG\n", []Record{{"seq1", "", []byte("A"), 1}, {"x", "", []byte("C"), 3}, {"seq3", "", []byte("G"), 5}}},
		{"odd names", ">>a;b|c caf\xe9\x01>d\nA\n", []Record{{">a;b|c", "caf\xe9\x01>d", []byte("A"), 1}}},
		{"same names", ">a\nA\n>a\nC\n", []Record{{"a", "", []byte("A"), 1}, {"a", "", []byte("C"), 3}}},
		{"gaps and stop", ">a\nA-C.*\n", []Record{{"a", "", []byte("A-C.*"), 1}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := read(Reader{}, strings.NewReader(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			// The cuts between reads must not matter.
			got, err = read(Reader{}, iotest.OneByteReader(strings.NewReader(test.text)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("byte by byte: %s", diff)
			}
		})
	}
}

func TestLongLines(t *testing.T) {
	// Lines far longer than the buffer, with a line end at every place of it.
	for n := 1<<16 - 4; n < 1<<16+4; n++ {
		seq := bytes.Repeat([]byte("ACGTTGCAN"), 3*n/9+1)[:2*n]
		description := strings.Repeat("x", n)
		text := fmt.Sprintf(";%s\r\n>a %s\r\n%s\r\n>b\r\nA\r\n", description, description, seq)
		got, err := read(Reader{Alphabet: DNA}, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		want := []Record{{"a", description, seq, 2}, {"b", "", []byte("A"), 4}}
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("n = %d: records differ", n)
		}
	}
}

func TestBadInput(t *testing.T) {
	long := strings.Repeat("n", 70)
	for _, test := range []struct {
		name   string
		reader Reader
		text   string
		want   string
		kind   error
	}{
		{"empty", Reader{}, "", "p.fa: invalid: no sequences", format.ErrInvalid},
		{"blank", Reader{}, " \n\r\n\t", "p.fa: invalid: no sequences", format.ErrInvalid},
		{"mark only", Reader{}, "\xef\xbb\xbf", "p.fa: invalid: no sequences", format.ErrInvalid},
		{"comments only", Reader{}, ";a\n;b\n", "p.fa: invalid: no sequences", format.ErrInvalid},
		{"gzip", Reader{}, "\x1f\x8b\x08", `p.fa:1: invalid: not FASTA: first letter is '\x1f', want '>'`, format.ErrInvalid},
		{"binary", Reader{}, "\x00\x01", `p.fa:1: invalid: not FASTA: first letter is '\x00', want '>'`, format.ErrInvalid},
		{"UTF-16", Reader{}, "\xff\xfe>\x00a\x00", `p.fa:1: invalid: not FASTA: first letter is '\xff', want '>'`, format.ErrInvalid},
		{"table", Reader{}, "\n\nsequence,label\n", "p.fa:3: invalid: not FASTA: first letter is 's', want '>'", format.ErrInvalid},
		{"FASTQ", Reader{}, "@a\nACGT\n+\nIIII\n", "p.fa:1: invalid: not FASTA: first letter is '@', want '>'", format.ErrInvalid},
		{"blank before header", Reader{}, " >a\nA\n", "p.fa:1: invalid: blank before '>'", format.ErrInvalid},
		{"no letters", Reader{}, ">a\n>b\nA\n", `p.fa:1: invalid: sequence "a" is empty`, format.ErrInvalid},
		{"no letters at the end", Reader{}, ">a\nA\n>b x\n\n", `p.fa:3: invalid: sequence "b" is empty`, format.ErrInvalid},
		{"no letters, long name", Reader{}, ">" + long, `p.fa:1: invalid: sequence "` + long[:60] + `..." is empty`, format.ErrInvalid},
		{"NUL in letters", Reader{}, ">a\nAC\nG\x00T\n", `p.fa:3: invalid: sequence "a": '\x00' is not a letter`, format.ErrInvalid},
		{"NUL in header", Reader{}, ">a\nA\n>b\x00\nC\n", `p.fa:3: invalid: control character '\x00' in the header`, format.ErrInvalid},
		{"escape in header", Reader{}, ">a\x1b[31m\nA\n", `p.fa:1: invalid: control character '\x1b' in the header`, format.ErrInvalid},
		{"digit", Reader{}, ">a\n1 ACGT\n", `p.fa:2: invalid: sequence "a": '1' is not a letter`, format.ErrInvalid},
		{"Latin-1", Reader{}, ">a\nAC\xe9\n", `p.fa:2: invalid: sequence "a": '\xe9' is not a letter`, format.ErrInvalid},
		{"amino acid in DNA", Reader{Alphabet: DNA}, ">a b\nAC\nGE\n", `p.fa:3: invalid: sequence "a": letter 'E' is not a nucleotide`, format.ErrInvalid},
		{"gap in DNA", Reader{Alphabet: DNA}, ">a\nA-C\n", `p.fa:2: invalid: sequence "a": letter '-' is not a nucleotide`, format.ErrInvalid},
		{"X in DNA", Reader{Alphabet: DNA}, ">a\nACX\n", `p.fa:2: invalid: sequence "a": letter 'X' is not a nucleotide`, format.ErrInvalid},
		{"gap in protein", Reader{Alphabet: Protein}, ">a\nMK\n\nL.\n", `p.fa:4: invalid: sequence "a": letter '.' is not an amino acid`, format.ErrInvalid},
		{"second header in line", Reader{}, ">a\nAC>b\n", `p.fa:2: invalid: sequence "a": '>' is not a letter`, format.ErrInvalid},
		{"too long", Reader{MaxLetters: 5}, ">a\nACGTA\n>b\nACG\nTAC\n", `p.fa:3: too large: sequence "b" has more than 5 letters`, format.ErrTooLarge},
		{"header too long", Reader{}, ">a\nA\n>" + strings.Repeat("x", format.MaxHeader+1<<16), "p.fa:3: too large: header has more than 1048576 bytes", format.ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := read(test.reader, strings.NewReader(test.text))
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
	for _, text := range []string{"", ">a", ">a\nAC\nG"} {
		r := io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("cable cut")))
		_, err := read(Reader{}, r)
		if err == nil || !strings.HasPrefix(err.Error(), "p.fa:") || !strings.HasSuffix(err.Error(), ": cable cut") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestStop(t *testing.T) {
	for rec, err := range Records("p.fa", strings.NewReader(">a\nA\n>b\nC\n")) {
		if err != nil || rec.ID != "a" {
			t.Fatal(rec, err)
		}
		break
	}
}

// endless is a FASTA stream of n records of 1000 letters.
type endless struct {
	n    int
	rest []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.n == 0 {
			return 0, io.EOF
		}
		e.n--
		e.rest = []byte(">a\n" + strings.Repeat("ACGTACGTAC", 100) + "\n")
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func TestConstantMemory(t *testing.T) {
	var before, after runtime.MemStats
	count, letters := 0, 0
	for rec, err := range Records("p.fa", &endless{n: 50000}) {
		if err != nil {
			t.Fatal(err)
		}
		if count++; count == 1 {
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
		letters += len(rec.Seq)
		if count == 50000 {
			runtime.GC()
			runtime.ReadMemStats(&after)
		}
	}
	if count != 50000 || letters != 50e6 {
		t.Errorf("%d records, %d letters", count, letters)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("after 50 MB the heap is %d bytes larger", grown)
	}
}

func TestAlphabet(t *testing.T) {
	for _, test := range []struct {
		alphabet Alphabet
		seq      string
		want     string
	}{
		{DNA, "ACGTUNRYSWKMBDHVacgtunryswkmbdhv", ""},
		{DNA, "ACGTZ", "letter 'Z' is not a nucleotide"},
		{Protein, "ACDEFGHIKLMNPQRSTVWYBZJXUOacdy*", ""},
		{Protein, "AC-", "letter '-' is not an amino acid"},
		{Any, "abcXYZ*-.", ""},
		{Any, "A C", "' ' is not a letter"},
		{Any, "", ""},
	} {
		got := ""
		if err := test.alphabet.Check([]byte(test.seq)); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.seq, got, test.want)
		}
	}
	// Number of bytes accepted, so that no stray one slips in.
	for alphabet, want := range map[Alphabet]int{Any: 55, DNA: 32, Protein: 53} {
		n := 0
		for c := range 256 {
			if alphabet.Check([]byte{byte(c)}) == nil {
				n++
			}
		}
		if n != want {
			t.Errorf("alphabet %d accepts %d bytes, want %d", alphabet, n, want)
		}
	}
}

func TestReverseComplement(t *testing.T) {
	for seq, want := range map[string]string{
		"":                 "",
		"A":                "T",
		"AACGTn":           "nACGTT",
		"aCGu-":            "-aCGt",
		"RYSWKMBDHVN":      "NBDHVKMWSRY",
		"ACGTacgtRYryBVbv": "bvBVryRYacgtACGT",
	} {
		if got := string(ReverseComplement([]byte(seq))); got != want {
			t.Errorf("%s: got %s, want %s", seq, got, want)
		}
	}
	// The complement of a set of bases is the set of their complements.
	sets := map[byte]string{'R': "AG", 'Y': "CT", 'S': "CG", 'W': "AT", 'K': "GT", 'M': "AC",
		'B': "CGT", 'D': "AGT", 'H': "ACT", 'V': "ACG", 'N': "ACGT"}
	for code, bases := range sets {
		got := sets[ReverseComplement([]byte{code})[0]]
		want := ReverseComplement([]byte(bases))
		for _, c := range want {
			if !strings.ContainsRune(got, rune(c)) || len(got) != len(want) {
				t.Errorf("%c: complement stands for %s, want %s", code, got, want)
			}
		}
	}
}

func TestUpper(t *testing.T) {
	seq := []byte("acgtNn-*zA@[`{")
	Upper(seq)
	if string(seq) != "ACGTNN-*ZA@[`{" {
		t.Errorf("got %s", seq)
	}
}

func TestWrite(t *testing.T) {
	for _, test := range []struct {
		rec   Record
		width int
		want  string
	}{
		{Record{ID: "a", Description: "b c", Seq: []byte("ACGTA")}, 2, ">a b c\nAC\nGT\nA\n"},
		{Record{ID: "a", Seq: []byte("ACGT")}, 2, ">a\nAC\nGT\n"},
		{Record{ID: "a", Seq: []byte("ACGT")}, 0, ">a\nACGT\n"},
		{Record{ID: "a", Seq: []byte("ACGT")}, 100, ">a\nACGT\n"},
		{Record{Seq: []byte("A")}, 0, "fasta: record has no name"},
		{Record{ID: "a b", Seq: []byte("A")}, 0, `fasta: blank in name "a b"`},
		{Record{ID: "a\n", Seq: []byte("A")}, 0, `fasta: control character '\n' in the header of "a\n"`},
		{Record{ID: "a", Description: "\r", Seq: []byte("A")}, 0, `fasta: control character '\r' in the header of "a"`},
		{Record{ID: "a"}, 0, `fasta: sequence "a" is empty`},
		{Record{ID: "a", Seq: []byte("A>")}, 0, `fasta: sequence "a": '>' is not a letter`},
	} {
		var b strings.Builder
		got := ""
		if err := Write(&b, test.rec, test.width); err != nil {
			got = err.Error()
			if b.Len() > 0 {
				t.Errorf("%s, but wrote %q", got, b.String())
			}
		} else {
			got = b.String()
		}
		if got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestDuplicates(t *testing.T) {
	var d Duplicates
	if d.Warning("p.fa") != "" || d.Count() != 0 {
		t.Error("a warning before any record")
	}
	for i, id := range []string{"a", "b", "b", "a", "b"} {
		if got, want := d.Add(Record{ID: id, Line: 2*i + 1}), i >= 2; got != want {
			t.Errorf("record %d: duplicate is %v", i, got)
		}
		if i == 2 {
			if got, want := d.Warning("p.fa"), `p.fa:5: name "b" occurred in line 3 before`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
	if got, want := d.Warning("p.fa"), `p.fa:5: name "b" occurred in line 3 before; 3 such records`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzRecords checks that no input makes the reader panic, and that what was
// read reads the same after it was written.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{">a b\nAC\ngt\n", "\xef\xbb\xbf;c\r\n> \r\nAC GT\r>b\n\n*-.", ">a\n>b", "@x", "\x1f\x8b"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, width int) {
		first, err := read(Reader{}, bytes.NewReader(data))
		joined, joinErr := join(Reader{}, bytes.NewReader(data))
		if fmt.Sprint(err) != fmt.Sprint(joinErr) || err == nil && len(joined) != len(first) {
			t.Fatalf("records: %v, pieces: %v", err, joinErr)
		}
		if err != nil {
			var e *format.Error
			if !errors.As(err, &e) || e.Name != "p.fa" {
				t.Fatalf("%v is not an error of p.fa", err)
			}
			return
		}
		var b bytes.Buffer
		for _, rec := range first {
			if err := Write(&b, rec, width%100); err != nil {
				t.Fatal(err)
			}
		}
		second, err := read(Reader{}, &b)
		if err != nil {
			t.Fatal(err)
		}
		for _, all := range [][]Record{first, second} {
			for i := range all {
				all[i].Line = 0
			}
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestCNNProm reads real files and compares with the counts of their README.
func TestCNNProm(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "dna", "cnnprom")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no CNNProm data at " + dir)
	}
	for _, want := range []struct {
		file                     string
		records, unique, letters int
	}{
		{"Arabidopsis_tata.fa.gz", 1497, 1497, 251},
		{"Arabidopsis_non_tata.fa.gz", 5905, 5905, 251},
		{"Arabidopsis_non_prom.fa.gz", 2879, 2878, 251},
		{"Arabidopsis_non_prom_big.fa.gz", 11459, 11452, 251},
		{"Mouse_tata.fa.gz", 1255, 1253, 251},
		{"Mouse_tata_dbtss.fa.gz", 1354, 1334, 251},
		{"Mouse_nonprom.fa.gz", 3530, 3529, 251},
		{"Ecoli_prom.fa.gz", 839, 839, 81},
		{"Ecoli_non_prom.fa.gz", 3000, 3000, 81},
		{"Bacillus_prom.fa.gz", 373, 373, 81},
		{"Bacillus_non_prom.fa.gz", 1000, 1000, 81},
	} {
		r, err := format.Open(filepath.Join(dir, want.file))
		if err != nil {
			t.Fatal(err)
		}
		records, other := 0, 0
		unique := make(map[string]bool)
		for rec, err := range (Reader{Alphabet: DNA}).Records(want.file, r) {
			if err != nil {
				t.Fatal(err)
			}
			records++
			if len(rec.Seq) != want.letters {
				other++
			}
			unique[string(bytes.ToUpper(rec.Seq))] = true
		}
		r.Close()
		if records != want.records || len(unique) != want.unique || other != 0 {
			t.Errorf("%s: %d records, %d unique, %d not of %d letters; want %d, %d, 0",
				want.file, records, len(unique), other, want.letters, want.records, want.unique)
		}
	}
}

func BenchmarkRecords(b *testing.B) {
	var text bytes.Buffer
	seq := bytes.Repeat([]byte("ACGTTGCAAC"), 1000)
	for i := range 100 {
		if err := Write(&text, Record{ID: fmt.Sprint(i), Seq: seq}, 60); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range (Reader{Alphabet: DNA}).Records("p.fa", bytes.NewReader(text.Bytes())) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// Pieces put together are the records, whatever the cuts between reads.
func TestPieces(t *testing.T) {
	text := "\n>a first one\nAC GT\nAC\n;>no\n>a\r\n" + strings.Repeat("ACGTTGCAN", 20000) + "\r\n>\nN\n"
	want, err := read(Reader{}, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{"whole": strings.NewReader(text), "bytes": iotest.OneByteReader(strings.NewReader(text))} {
		got, err := join(Reader{}, r)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i].Description = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for piece, err := range (Reader{}).Pieces("p.fa", strings.NewReader(text)) {
		if err != nil || string(piece.Seq) != "AC" {
			t.Errorf("%+v, %v", piece, err)
		}
		break
	}
	for want, text := range map[string]string{
		`p.fa: invalid: no sequences`:                                   "",
		`p.fa:1: invalid: sequence "a" is empty`:                        ">a\n>b\nA\n",
		`p.fa:4: invalid: sequence "b": letter 'E' is not a nucleotide`: ">a\nA\n>b\nACE\n",
		`p.fa:3: too large: sequence "b" has more than 4 letters`:       ">a\nACGT\n>b\nAC\nGTA\n",
		`p.fa:1: invalid: not FASTA: first letter is 'A', want '>'`:     "ACGT\n",
		`p.fa:1: invalid: control character '\x00' in the header`:       ">a\x00\nA\n",
		"p.fa:2: " + iotest.ErrTimeout.Error():                          "timeout",
	} {
		var r io.Reader = strings.NewReader(text)
		if text == "timeout" {
			r = io.MultiReader(strings.NewReader(">a\nAC"), iotest.ErrReader(iotest.ErrTimeout))
		}
		if _, err := join(Reader{Alphabet: DNA, MaxLetters: 4}, r); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// join puts the pieces of records together.
func join(d Reader, r io.Reader) (all []Record, err error) {
	for p, err := range d.Pieces("p.fa", r) {
		if err != nil {
			return all, err
		}
		if p.Start == 0 {
			all = append(all, Record{ID: p.ID, Line: p.Line})
		}
		last := &all[len(all)-1]
		if p.Start != len(last.Seq) || p.ID != last.ID {
			return all, fmt.Errorf("a piece of %s at %d follows %d letters of %s", p.ID, p.Start, len(last.Seq), last.ID)
		}
		last.Seq = append(last.Seq, p.Seq...)
	}
	return all, nil
}

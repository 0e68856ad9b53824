package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

func read(d Reader, name string, r io.Reader) (all []Row, err error) {
	for row, err := range d.Rows(name, r) {
		if err != nil {
			return all, err
		}
		all = append(all, row)
	}
	return all, nil
}

func TestRows(t *testing.T) {
	want := []Row{{"", "+", []byte("ACGT"), 2}, {"", "-", []byte("gg"), 3}}
	named := []Row{{"x", "+", []byte("ACGT"), 2}, {"y", "-", []byte("gg"), 3}}
	for _, test := range []struct {
		title  string
		reader Reader
		name   string
		text   string
		want   []Row
	}{
		{"comma", Reader{}, "p.csv", "sequence,label\nACGT,+\ngg,-\n", want},
		{"no end", Reader{}, "p.csv", "sequence,label\nACGT,+\ngg,-", want},
		{"CRLF", Reader{}, "p.csv", "sequence,label\r\nACGT,+\r\ngg,-\r\n", want},
		{"tab", Reader{}, "p.tsv", "label\tsequence\n+\tACGT\n-\tgg\n", want},
		{"tab in gzip", Reader{}, "P.TSV.gz", "label\tsequence\n+\tACGT\n-\tgg\n", want},
		{"tab found out", Reader{}, "-", "label\tsequence\n+\tACGT\n-\tgg\n", want},
		{"semicolon found out", Reader{}, "p.csv", "\r\nlabel;sequence\n+;ACGT\n-;gg\n", []Row{{"", "+", []byte("ACGT"), 3}, {"", "-", []byte("gg"), 4}}},
		{"separator given", Reader{Comma: '|'}, "p.tsv", "label|sequence\n+|ACGT\n-|gg\n", want},
		{"mark, quotes, case", Reader{}, "p.csv", "\xef\xbb\xbf\"Sequence\",LABEL\n\"ACGT\",\"+\"\ngg,-\n", want},
		{"blanks", Reader{}, "p.csv", " label ,\t sequence\n+ ,    ACGT  \n -, \"gg\"\n", want},
		{"blanks beside tabs", Reader{}, "p.tsv", " label \t sequence\n+ \t  ACGT \n - \tgg\n", want},
		{"blank lines", Reader{}, "p.csv", "\nlabel,sequence\n\n  \n+,ACGT\n\n", []Row{{"", "+", []byte("ACGT"), 5}}},
		{"other columns", Reader{}, "p.csv", "id,label,length,sequence\nx,+,4,ACGT\ny,-,2,gg\n", want},
		{"named", Reader{Name: "id"}, "p.csv", "id,label,sequence\nx,+,ACGT\ny,-,gg\n", named},
		{"names of columns", Reader{Sequence: "dna", Label: "class", Name: "id"}, "p.csv", "id,class,dna\nx,+,ACGT\ny,-,gg\n", named},
		{"no header", Reader{Columns: []string{"label", "sequence"}}, "p.csv", "+,ACGT\n-,gg\n", []Row{{"", "+", []byte("ACGT"), 1}, {"", "-", []byte("gg"), 2}}},
		{"no label", Reader{Unlabelled: true}, "p.csv", "sequence\nACGT\ngg\n", []Row{{"", "", []byte("ACGT"), 2}, {"", "", []byte("gg"), 3}}},
		{"line ends in quotes", Reader{}, "p.csv", "sequence,label\nACGT,\"a\nb\"\ngg,-\n", []Row{{"", "a\nb", []byte("ACGT"), 2}, {"", "-", []byte("gg"), 4}}},
	} {
		t.Run(test.title, func(t *testing.T) {
			got, err := read(test.reader, test.name, strings.NewReader(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			got, err = read(test.reader, test.name, iotest.OneByteReader(strings.NewReader(test.text)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("byte by byte: %s", diff)
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	refuse := func([]byte) error { return errors.New("letter 'E' is not a nucleotide") }
	many := strings.Repeat("c,", 12) + strings.Repeat("d", 50)
	for _, test := range []struct {
		title  string
		reader Reader
		text   string
		want   string
		kind   error
	}{
		{"empty", Reader{}, "", "p.csv: invalid: no rows", format.ErrInvalid},
		{"blank", Reader{}, " \n\n", "p.csv: invalid: no rows", format.ErrInvalid},
		{"only a header", Reader{}, "sequence,label\n", "p.csv: invalid: no rows after the header", format.ErrInvalid},
		{"no label", Reader{}, "a,sequence,b\n", `p.csv:1: invalid: no column "label"; columns are a, sequence, b`, format.ErrInvalid},
		{"no such label", Reader{Label: "class"}, "\nsequence,label\n", `p.csv:2: invalid: no column "class"; columns are sequence, label`, format.ErrInvalid},
		{"no sequence", Reader{}, "a,b\nA,+\n", `p.csv:1: invalid: no column "sequence"; columns are a, b`, format.ErrInvalid},
		{"no name", Reader{Name: "id"}, "sequence,label\nA,+\n", `p.csv:1: invalid: no column "id"; columns are sequence, label`, format.ErrInvalid},
		{"many columns", Reader{}, many, `p.csv:1: invalid: no column "sequence"; columns are c, c, c, c, c, c, c, c, c, c and 3 more`, format.ErrInvalid},
		{"long column", Reader{}, many[24:], `p.csv:1: invalid: no column "sequence"; columns are ` + strings.Repeat("d", 40) + "...", format.ErrInvalid},
		{"empty column", Reader{}, ",\n", `p.csv:1: invalid: no column "sequence"; columns are "", ""`, format.ErrInvalid},
		{"twice", Reader{}, "sequence,label,Label\n", `p.csv:1: invalid: two columns are called "label"`, format.ErrInvalid},
		{"binary", Reader{}, "\x00\x01\xff\n", `p.csv:1: invalid: no column "sequence"; columns are "\x00\x01\xff"`, format.ErrInvalid},
		{"FASTA", Reader{}, ">a\nACGT\n", `p.csv:1: invalid: no column "sequence"; columns are >a`, format.ErrInvalid},
		{"short row", Reader{}, "sequence,label\nA,+\nC\n", "p.csv:3: invalid: row has 1 column, want 2", format.ErrInvalid},
		{"long row", Reader{}, "sequence,label\n\nA,+,3\n", "p.csv:3: invalid: row has 3 columns, want 2", format.ErrInvalid},
		{"long first row", Reader{Columns: []string{"sequence", "label"}}, "A,+,3\n", "p.csv:1: invalid: row has 3 columns, want 2", format.ErrInvalid},
		{"no column", Reader{Columns: []string{"sequence"}}, "A,+\n", `p.csv:1: invalid: no column "label"; columns are sequence`, format.ErrInvalid},
		{"empty sequence", Reader{}, "sequence,label\nA,+\n ,+\n", `p.csv:3: invalid: column "sequence" is empty`, format.ErrInvalid},
		{"empty label", Reader{}, "sequence,label\nA,\n", `p.csv:2: invalid: column "label" is empty`, format.ErrInvalid},
		{"bare quote", Reader{}, "sequence,label\nA,a\"b\n", `p.csv:2: invalid: misplaced '"'; a value with a quote in it is written "a ""quoted"" word"`, format.ErrInvalid},
		{"open quote", Reader{}, "sequence,label\nA,+\nA,\"b\n\n\n", `p.csv:3: invalid: misplaced '"'; a value with a quote in it is written "a ""quoted"" word"`, format.ErrInvalid},
		{"too long", Reader{MaxRow: 1000}, "sequence,label\nA,+\nA,\"" + strings.Repeat("x,y\n", 10000), `p.csv:3: too large: row has more than 1000 bytes; is a closing '"' missing?`, format.ErrTooLarge},
		{"check", Reader{Check: refuse}, "sequence,label\nE,+\n", `p.csv:2: invalid: column "sequence": letter 'E' is not a nucleotide`, format.ErrInvalid},
	} {
		t.Run(test.title, func(t *testing.T) {
			_, err := read(test.reader, "p.csv", strings.NewReader(test.text))
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
	for text, want := range map[string]string{
		"":                          "p.csv:1: cable cut",
		"sequence,la":               "p.csv:1: cable cut",
		"sequence,label\nA,+\nC,":   "p.csv:3: cable cut",
		"sequence,label\nA,+\nC,\"": "p.csv:3: cable cut",
	} {
		r := io.MultiReader(strings.NewReader(text), iotest.ErrReader(errors.New("cable cut")))
		if _, err := read(Reader{}, "p.csv", r); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

// TestNoWaiting checks that a row is handed on as soon as the pipe brought it.
func TestNoWaiting(t *testing.T) {
	r, w := io.Pipe()
	handed := make(chan bool)
	go func() {
		io.WriteString(w, "sequence,label\n")
		io.WriteString(w, "A,+\n")
		<-handed
		w.Close()
	}()
	for row, err := range Rows("-", r) {
		if err != nil || string(row.Sequence) != "A" {
			t.Fatal(row, err)
		}
		close(handed)
	}
}

// FuzzRows checks that no input makes the reader panic, that every error says
// which file, and that rows read the same after they were written.
func FuzzRows(f *testing.F) {
	for _, s := range []string{"sequence,label\nA,+\n", "label\tsequence\n\n+\t\"A\"\n", "\xef\xbb\xbfsequence;label\r\n A ; \"b\nc\"\n", ">a\nA", ",,\n\""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := read(Reader{}, "p", bytes.NewReader(data))
		if err != nil {
			var e *format.Error
			if !errors.As(err, &e) || e.Name != "p" {
				t.Fatalf("%v is not an error of p", err)
			}
			return
		}
		var b strings.Builder
		b.WriteString("sequence,label\n")
		quoted := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
		for _, row := range first {
			fmt.Fprintf(&b, "%s,%s\n", quoted(string(row.Sequence)), quoted(row.Label))
		}
		second, err := read(Reader{}, "p.csv", strings.NewReader(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		for _, all := range [][]Row{first, second} {
			for i := range all {
				all[i].Line = 0
			}
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestData reads real files and compares with the counts of their READMEs.
func TestData(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no data at " + dir)
	}
	for _, test := range []struct {
		reader Reader
		file   string
		length int
		labels map[string]int
	}{
		{Reader{}, "embeddable/uci_promoters/promoters.tsv", 57, map[string]int{"+": 53, "-": 53}},
		{Reader{Columns: []string{"label", "name", "sequence"}, Name: "name"}, "dna/uci_promoters/promoters.data", 57, map[string]int{"+": 53, "-": 53}},
		{Reader{Name: "instance_name"}, "dna/uci_splice/splice.csv.gz", 60, map[string]int{"EI": 767, "IE": 768, "N": 1655}},
		{Reader{Columns: []string{"label", "sequence"}}, "dna/uci_splice/statlog_dna_order.csv.gz", 60, map[string]int{"ei": 767, "ie": 765, "n": 1654}},
		{Reader{}, "dna/gue_prom/prom_core_tata/train.csv.gz", 70, map[string]int{"0": 2455, "1": 2449}},
		{Reader{}, "dna/gue_prom/prom_core_tata/test.csv.gz", 70, map[string]int{"0": 304, "1": 309}},
		{Reader{}, "dna/gue_prom/prom_300_tata/test.csv.gz", 300, map[string]int{"0": 315, "1": 298}},
	} {
		r, err := format.Open(filepath.Join(dir, filepath.FromSlash(test.file)))
		if err != nil {
			t.Error(err)
			continue
		}
		labels := make(map[string]int)
		other := 0
		for row, err := range test.reader.Rows(test.file, r) {
			if err != nil {
				t.Fatal(err)
			}
			labels[row.Label]++
			if len(row.Sequence) != test.length {
				other++
			}
			if (test.reader.Name != "") != (row.Name != "") {
				t.Fatalf("%s:%d: name is %q", test.file, row.Line, row.Name)
			}
		}
		r.Close()
		if diff := cmp.Diff(test.labels, labels); diff != "" {
			t.Errorf("%s: %s", test.file, diff)
		}
		if other > 0 {
			t.Errorf("%s: %d sequences are not of length %d", test.file, other, test.length)
		}
	}
}

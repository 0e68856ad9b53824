package msa

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"heed/format"
)

func TestWrite(t *testing.T) {
	a := &Alignment{Columns: 3, Chains: []Chain{{2, 1}, {1, 4}}, Rows: []Row{
		{Name: "q", Description: "the query", Seq: []byte("ACD")},
		{Name: "b", Seq: []byte("A-D"), Insertions: []Insertion{{0, "K"}, {2, "RT"}, {3, "L"}}},
	}}
	for _, test := range []struct {
		format string
		write  func(io.Writer) error
		want   string
	}{
		{"A3M", func(w io.Writer) error { return WriteA3M(w, a) }, "#2,1\t1,4\n>q the query\nACD\n>b\nkA-rtDl\n"},
		{"FASTA", func(w io.Writer) error { return WriteFASTA(w, a, 0) }, ">q the query\nACD\n>b\nA-D\n"},
		{"FASTA, wrapped", func(w io.Writer) error { return WriteFASTA(w, a, 2) }, ">q the query\nAC\nD\n>b\nA-\nD\n"},
		{"lines", func(w io.Writer) error { return WriteLines(w, a) }, "ACD\nA-D\n"},
		{"Stockholm", func(w io.Writer) error { return WriteStockholm(w, a) }, "# STOCKHOLM 1.0\n#=GS q DE the query\n\nq     ACD\nb     A-D\n//\n"},
	} {
		var b strings.Builder
		if err := test.write(&b); err != nil {
			t.Fatal(err)
		}
		if b.String() != test.want {
			t.Errorf("%s: got %q, want %q", test.format, b.String(), test.want)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, test := range []struct {
		a    Alignment
		want string
	}{
		{Alignment{}, "msa: alignment has no rows or no columns"},
		{Alignment{Columns: 1, Rows: []Row{{Seq: []byte("A")}}}, "msa: row 1 has no name"},
		{Alignment{Columns: 1, Rows: []Row{{Name: "a b", Seq: []byte("A")}}}, `msa: blank in name "a b"`},
		{Alignment{Columns: 1, Rows: []Row{{Name: "#a", Seq: []byte("A")}}}, `msa: name "#a" cannot stand in a Stockholm file`},
		{Alignment{Columns: 2, Rows: []Row{{Name: "a", Seq: []byte("A")}}}, `msa: row "a" has 1 column, want 2`},
		{Alignment{Columns: 1, Rows: []Row{{Name: "a", Description: "\n", Seq: []byte("A")}}}, `msa: control character '\n' in the header of "a"`},
		{Alignment{Columns: 1, Rows: []Row{{Name: "a", Seq: []byte("a")}}}, `msa: row "a": 'a' is neither an upper-case letter nor '-'`},
		{Alignment{Columns: 1, Rows: []Row{{Name: "a", Seq: []byte("A"), Insertions: []Insertion{{2, "A"}}}}}, `msa: row "a": insertions out of order or with other letters`},
	} {
		var b strings.Builder
		err := WriteStockholm(&b, &test.a)
		if err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
		if b.Len() > 0 {
			t.Errorf("%v, but wrote %q", err, b.String())
		}
	}
}

// FuzzRead checks that no input makes the reader panic, that every row has the
// columns it should, and that what was read reads the same after it was written.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		">q\nACDE\n>b x\nAcC-rtE\n", ">q\nAC..DE\n>b\nACrt-E\n", ">q\na.c\n>b\nA-C*\n", "#2,1\t1,1\n>101\nACD\n\x00",
		"AC-\nA.D\n", "q AC\nb A-\n", stockholmSample, "# STOCKHOLM 1.0\nq A\n//\n# STOCKHOLM 1.0\nr A_\n//", ">ss_pred\nCC\n>q\nAC\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		small := Reader{MaxRows: 1000, MaxLetters: 1 << 20}
		for a, err := range small.All("p.msa", bytes.NewReader(data)) {
			if err != nil {
				var e *format.Error
				if !errors.As(err, &e) || e.Name != "p.msa" {
					t.Fatalf("%v is not an error of p.msa", err)
				}
				return
			}
			roundTrip(t, a)
			if b, err := a.MatchQuery(); err == nil {
				roundTrip(t, b)
				if bytes.IndexByte(b.Rows[0].Seq, '-') >= 0 {
					t.Fatalf("gap in the query %s", b.Rows[0].Seq)
				}
			}
		}
	})
}

func roundTrip(t *testing.T, a *Alignment) {
	for _, r := range a.Rows {
		sum := 0
		for _, n := range r.Deletions() {
			sum += n
		}
		for _, in := range r.Insertions {
			sum -= len(in.Letters)
		}
		if len(r.Seq) != a.Columns || sum != 0 {
			t.Fatalf("row %+v of %d columns", r, a.Columns)
		}
	}
	// A row may be named like an annotation, and then is taken for one. A single
	// row without a letter in its columns is taken for lower case.
	for _, r := range a.Rows {
		if noSequence(r.Name) || len(a.Rows) == 1 && count(r.Seq).upper == 0 {
			return
		}
	}
	var text bytes.Buffer
	if err := WriteA3M(&text, a); err != nil {
		t.Fatal(err)
	}
	again, err := Read("p.a3m", bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatalf("%v\n%s", err, text.Bytes())
	}
	if got, want := plain(again), plain(a); got != want {
		t.Fatalf("got  %s\nwant %s\nfrom %s", got, want, text.Bytes())
	}
	for _, row := range a.Rows {
		if row.Name[0] == '#' || row.Name == "//" {
			return
		}
	}
	text.Reset()
	if err := WriteStockholm(&text, a); err != nil {
		t.Fatal(err)
	}
	if again, err = Read("p.sto", bytes.NewReader(text.Bytes())); err != nil {
		t.Fatalf("%v\n%s", err, text.Bytes())
	}
	for i := range again.Rows {
		if got, want := string(again.Rows[i].Seq), string(a.Rows[i].Seq); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

// plain is rows without what a file does not say.
func plain(a *Alignment) string {
	b := *a
	b.Format = A3M
	b.Rows = append([]Row(nil), a.Rows...)
	for i := range b.Rows {
		b.Rows[i].Line = 0
	}
	return rows(&b)
}

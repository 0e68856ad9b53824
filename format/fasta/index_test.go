package fasta

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"heed/format"
)

// index makes what samtools faidx would for records written with a width.
func index(recs []Record, width int, end string) (fasta, fai string) {
	var f, x strings.Builder
	for _, r := range recs {
		fmt.Fprintf(&f, ">%s %s%s", r.ID, r.Description, end)
		fmt.Fprintf(&x, "%s\t%d\t%d\t%d\t%d\n", r.ID, len(r.Seq), f.Len(), width, width+len(end))
		for seq := r.Seq; len(seq) > 0; seq = seq[min(width, len(seq)):] {
			f.WriteString(string(seq[:min(width, len(seq))]) + end)
		}
	}
	return f.String(), x.String()
}

func TestFetch(t *testing.T) {
	recs := []Record{
		{ID: "a", Description: "first", Seq: []byte("ACGTTGCANNAACCGGTTACG")},
		{ID: "b", Seq: []byte("acg")},
		{ID: "c", Seq: bytes.Repeat([]byte("GATTACA"), 20)},
	}
	for _, end := range []string{"\n", "\r\n"} {
		for _, width := range []int{1, 2, 7, 21, 60} {
			text, fai := index(recs, width, end)
			x, err := ReadIndex("p.fa.fai", strings.NewReader(fai))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range recs {
				if n, ok := x.Length(r.ID); n != len(r.Seq) || !ok {
					t.Errorf("length of %s is %d, %v", r.ID, n, ok)
				}
				for from := range len(r.Seq) {
					for to := from; to <= len(r.Seq); to++ {
						got, err := x.Fetch("p.fa", strings.NewReader(text), r.ID, from, to)
						if err != nil || !bytes.Equal(got, r.Seq[from:to]) {
							t.Fatalf("width %d, %s %d-%d: %q, %v, want %q", width, r.ID, from, to, got, err, r.Seq[from:to])
						}
					}
				}
			}
		}
	}
}

func TestIndexErrors(t *testing.T) {
	for want, text := range map[string]string{
		"p.fai: invalid: index is empty":                                "\n\n",
		"p.fai:2: invalid: line has 3 columns, an index of FASTA has 5": "a\t1\t2\t3\t4\nb\t1\t2\n",
		`p.fai:1: invalid: "x" is not a number`:                         "a\tx\t2\t3\t4",
		`p.fai:1: invalid: "-1" is not a number`:                        "a\t1\t-1\t3\t4",
		"p.fai:1: invalid: lines of 0 letters and 1 bytes":              "a\t1\t3\t0\t1",
		"p.fai:1: invalid: lines of 4 letters and 3 bytes":              "a\t1\t3\t4\t3",
		"p.fai:1: invalid: lines of 4 letters and 9 bytes":              "a\t1\t3\t4\t9",
		"p.fai:1: invalid: offsets are too large":                       "a\t1\t2305843009213693953\t4\t5",
	} {
		_, err := ReadIndex("p.fai", strings.NewReader(text))
		if err == nil || err.Error() != want || !errors.Is(err, format.ErrInvalid) {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	x, err := ReadIndex("p.fai", strings.NewReader("a\t8\t3\t4\t5\nb\t0\t20\t0\t0\na\t99\t3\t4\t5\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := x.Length("c"); ok {
		t.Error("c has a length")
	}
	for want, text := range map[string]string{
		`p.fa: offset 11: invalid: file ends before letter 8 of "a": the index is of another file`: ">a\nACGT\nACG",
		`p.fa: offset 7: invalid: 'A' is not what the index says of "a": it is of another file`:    ">a\nACGTACGT\n",
		`p.fa: offset 6: invalid: '\n' is not what the index says of "a": it is of another file`:   ">a\nACG\nACG\n\n\n",
		`p.fa: offset 3: invalid: '>' is not what the index says of "a": it is of another file`:    ">b\n>aGT\nACGT\n",
	} {
		if _, err := x.Fetch("p.fa", strings.NewReader(text), "a", 0, 8); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// An index that samtools made, as Debian's package bedtools-test installs it.
func TestBedtoolsIndex(t *testing.T) {
	const path = "/usr/share/bedtools/test/intersect/test_ref.fa"
	f, err := os.Open(path)
	if err != nil {
		t.Skip("no files of the package bedtools-test")
	}
	defer f.Close()
	fai, err := os.Open(path + ".fai")
	if err != nil {
		t.Fatal(err)
	}
	defer fai.Close()
	x, err := ReadIndex(path+".fai", fai)
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range Records(path, f) {
		if err != nil {
			t.Fatal(err)
		}
		n, ok := x.Length(rec.ID)
		if !ok || n != len(rec.Seq) {
			t.Fatalf("%s has %d letters, not %d", rec.ID, len(rec.Seq), n)
		}
		for from := 0; from < n; from += 997 {
			to := min(n, from+123)
			if got, err := x.Fetch(path, f, rec.ID, from, to); err != nil || !bytes.Equal(got, rec.Seq[from:to]) {
				t.Errorf("%d to %d: %s, %v", from, to, got, err)
			}
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add("a\t8\t3\t4\t5\n", ">a\nACGT\nACGT\n", 2, 7)
	f.Add("a\t8\t3\t4\t4\r\n", ">a\nACGTACGT", 0, 8)
	f.Fuzz(func(t *testing.T, fai, text string, from, to int) {
		x, err := ReadIndex("p.fai", strings.NewReader(fai))
		if err != nil {
			var e *format.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v has no place", err)
			}
			return
		}
		for id := range x.entries {
			if n, _ := x.Length(id); from >= 0 && to >= from && to <= n && to-from < 1000 {
				if seq, err := x.Fetch("p.fa", strings.NewReader(text), id, from, to); err == nil && len(seq) != to-from {
					t.Fatalf("%d letters, want %d", len(seq), to-from)
				}
			}
		}
	})
}

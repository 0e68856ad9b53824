package dna

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// write puts a file into a folder of the test and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func squeeze(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

func TestLoadForms(t *testing.T) {
	const csv = "id,label,sequence\n1,1,acgt\n2,0,TTGA\n3,1,ACGN\n"
	yes, no := write(t, "yes.fa", ">a\nAC\ngt\n>b x\nACGN\n"), write(t, "no.fa", ">c\nTTGA\n")
	for _, c := range []struct {
		name     string
		config   DataConfig
		classes  []string
		positive int
		labels   []int
		seqs     string
	}{
		{"table", DataConfig{Files: []string{write(t, "a.csv", csv)}}, []string{"0", "1"}, 1, []int{1, 0, 1}, "[ACGT TTGA ACGN]"},
		{"gzip", DataConfig{Files: []string{write(t, "a.csv.gz", squeeze(t, csv))}}, []string{"0", "1"}, 1, []int{1, 0, 1}, "[ACGT TTGA ACGN]"},
		{"positive", DataConfig{Files: []string{write(t, "a.csv", csv)}, Positive: "0"}, []string{"0", "1"}, 0, []int{1, 0, 1}, "[ACGT TTGA ACGN]"},
		{"columns", DataConfig{Files: []string{write(t, "a.tsv", "dna\tkind\nACGT\t+\nAAAA\t-\n")}, Sequence: "dna", Label: "kind"},
			[]string{"+", "-"}, 0, []int{0, 1}, "[ACGT AAAA]"},
		{"FASTA", DataConfig{Files: []string{"yes=" + yes, "no=" + no}}, []string{"yes", "no"}, 0, []int{0, 0, 1}, "[ACGT ACGN TTGA]"},
		{"FASTA turned round", DataConfig{Files: []string{"other=" + no, "promoter=" + yes}}, []string{"other", "promoter"}, 1, []int{0, 1, 1}, "[TTGA ACGT ACGN]"},
		{"two files of a class", DataConfig{Files: []string{"a=" + no, "b=" + yes, "a=" + no}}, []string{"a", "b"}, 0, []int{0, 1, 1, 0}, "[TTGA ACGT ACGN TTGA]"},
	} {
		d, err := c.config.Load()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !reflect.DeepEqual(d.Classes, c.classes) || d.Positive != c.positive || !reflect.DeepEqual(d.Labels, c.labels) || fmt.Sprintf("%s", d.Seqs) != c.seqs {
			t.Errorf("%s: classes %q, positive %d, labels %v, sequences %s", c.name, d.Classes, d.Positive, d.Labels, d.Seqs)
		}
	}
}

func TestHash(t *testing.T) {
	load := func(text string) string {
		d, err := DataConfig{Files: []string{write(t, "a.csv", text)}}.Load()
		if err != nil {
			t.Fatal(err)
		}
		return d.Hash()
	}
	a := load("sequence,label\nACGT,1\nTTGA,0\n")
	// printf '1\tACGT\n0\tTTGA\n' | sha256sum
	if want := "faae8e06a481bd5efc10a0811dff06d824ae687c87f0ccd7d3597c28d7c5613e"; a != want {
		t.Errorf("hash %s, want %s", a, want)
	}
	if b := load("label;other;sequence\r\n1;x;acgt\r\n0;y;ttga\r\n"); b != a {
		t.Error("the form of the table changes the hash")
	}
	for _, other := range []string{"sequence,label\nACGT,0\nTTGA,1\n", "sequence,label\nTTGA,0\nACGT,1\n", "sequence,label\nACGT,1\nTTGC,0\n"} {
		if load(other) == a {
			t.Errorf("%q has the same hash", other)
		}
	}
}

func TestWarnings(t *testing.T) {
	d, err := DataConfig{Files: []string{write(t, "a.csv", "sequence,label\nACGT,1\nacgt,0\nACGT,1\nAAAA,0\n")}}.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"2 of 4 sequences occur more than once, 1 of them with another label; --clusters keeps copies in one fold"}
	if !reflect.DeepEqual(d.Warnings, want) {
		t.Errorf("warnings %q, want %q", d.Warnings, want)
	}
	const long = "ACGTTGCATGCATTTACGGCATCGACTAC"
	train := write(t, "train.csv", "sequence,label\n"+long+",1\nACGG,0\n")
	test := write(t, "test.csv", "sequence,label\nACGG,0\nT"+long+",1\nCCCC,0\n")
	d, parts, err := DataConfig{}.LoadParts(train, "", test)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(parts) != "{[0 1] [] [2 3 4]}" {
		t.Errorf("parts %v", parts)
	}
	for i, want := range []string{
		"1 of 5 sequences occur more than once; --clusters keeps copies in one fold",
		"1 of 3 test sequences occur letter for letter in the training set",
		"1 of 3 test sequences share 25 letters with the training set",
	} {
		if i >= len(d.Warnings) || d.Warnings[i] != want {
			t.Errorf("warnings %q, want %q", d.Warnings, want)
		}
	}
}

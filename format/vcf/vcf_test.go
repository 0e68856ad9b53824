package vcf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

const head = "##fileformat=VCFv4.2\n" + columns + "\n"

func read(r io.Reader) (header []string, all []Record, err error) {
	v, err := NewReader("in.vcf", r)
	if err != nil {
		return nil, nil, err
	}
	for rec, err := range v.Records() {
		if err != nil {
			return v.Header, all, err
		}
		all = append(all, rec)
	}
	return v.Header, all, nil
}

// The example of the specification, in its main parts.
const sample = `##fileformat=VCFv4.3
##INFO=<ID=AF,Number=A,Type=Float,Description="Allele Frequency">
##contig=<ID=20,length=62435964>
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	NA00001	NA00002
20	14370	rs6054257	G	A	29	PASS	NS=3;AF=0.5	GT:GQ	0|0:48	1|0:48
20	1110696	rs6040355	A	G,T	67	PASS	NS=2	GT:GQ	1|2:21	2|1:2

20	1230237	.	T	.	47	PASS	NS=3	GT	0|0	0|0
20	1234567	microsat1	GTC	G,GTCT,*	50	q10;s50	NS=3
20	1	.	n	<DEL>,<*>,n]17:198982],.A,]13:1]T	.	.	.
20	0	x	acgt	ACGTRYKM	.	.	END=5
`

func TestRecords(t *testing.T) {
	want := []Record{
		{"20", 14370, "rs6054257", "G", []string{"A"}, "29", "PASS", "NS=3;AF=0.5", 5},
		{"20", 1110696, "rs6040355", "A", []string{"G", "T"}, "67", "PASS", "NS=2", 6},
		{"20", 1230237, ".", "T", []string{"."}, "47", "PASS", "NS=3", 8},
		{"20", 1234567, "microsat1", "GTC", []string{"G", "GTCT", "*"}, "50", "q10;s50", "NS=3", 9},
		{"20", 1, ".", "n", []string{"<DEL>", "<*>", "n]17:198982]", ".A", "]13:1]T"}, ".", ".", ".", 10},
		{"20", 0, "x", "acgt", []string{"ACGTRYKM"}, ".", ".", "END=5", 11},
	}
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(sample), "bytes": iotest.OneByteReader(strings.NewReader(sample)),
		"CRLF": strings.NewReader(strings.ReplaceAll(sample, "\n", "\r\n")), "no end": strings.NewReader(strings.TrimSpace(sample)),
	} {
		header, got, err := read(r)
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(strings.Split(sample, "\n")[:3], header); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestKindOf(t *testing.T) {
	for alt, want := range map[string]Kind{
		"A": Sequence, "acgtN": Sequence, ".": Missing, "*": Spanning, "<DEL>": Symbolic, "<NON_REF>": Symbolic, "<*>": Symbolic,
		"G]17:198982]": Breakend, "[13:123457[C": Breakend, "C[<ctg1>:1[": Breakend, "G.": Breakend, ".A": Breakend,
	} {
		if got := KindOf(alt); got != want {
			t.Errorf("%s is %v, want %v", alt, got, want)
		}
	}
}

func TestBadInput(t *testing.T) {
	line := "1\t10\t.\tA\tG\t.\t.\t.\n"
	change := func(column int, text string) string {
		f := strings.Split(line, "\t")
		f[column] = text
		return head + line + strings.Join(f, "\t")
	}
	for _, tt := range []struct {
		text, want string
		kind       error
	}{
		{"", "in.vcf: invalid: no header", format.ErrInvalid},
		{"chr1\t1\n", "in.vcf:1: invalid: not VCF: the first line is not ##fileformat=VCFv4", format.ErrInvalid},
		{"\x89PNG\r\n\x1a\n", "in.vcf:1: invalid: not VCF: the first line is not ##fileformat=VCFv4", format.ErrInvalid},
		{"##fileformat=VCFv3.3\n", `in.vcf:1: not supported: VCF version "3.3", want 4`, format.ErrUnsupported},
		{"##fileformat=VCFv4.2\n", "in.vcf: invalid: header has no line #CHROM", format.ErrInvalid},
		{"##fileformat=VCFv4.2\n#CHROM POS ID REF ALT QUAL FILTER INFO\n", "in.vcf:2: invalid: columns are not #CHROM POS ID REF ALT QUAL FILTER INFO, with tabs between", format.ErrInvalid},
		{"##fileformat=VCFv4.2\n" + line, "in.vcf:2: invalid: header ends without a line #CHROM", format.ErrInvalid},
		{"##fileformat=VCFv4.2\n##a\x1b[0m\n", `in.vcf:2: invalid: control character '\x1b'`, format.ErrInvalid},
		{head + "1 10 . A G . . .\n", "in.vcf:3: invalid: line has 1 columns with tabs between, want 8 or more", format.ErrInvalid},
		{head + "1\t10\t.\tA\tG\t.\t.", "in.vcf:3: invalid: line has 7 columns with tabs between, want 8 or more", format.ErrInvalid},
		{change(0, ""), "in.vcf:4: invalid: CHROM is empty", format.ErrInvalid},
		{change(0, "a b"), `in.vcf:4: invalid: CHROM "a b" is no name`, format.ErrInvalid},
		{change(0, "#1"), `in.vcf:4: invalid: CHROM "#1" is no name`, format.ErrInvalid},
		{change(1, "x"), `in.vcf:4: invalid: position "x" is not a number from 0 to 2147483647`, format.ErrInvalid},
		{change(1, "-1"), `in.vcf:4: invalid: position "-1" is not a number from 0 to 2147483647`, format.ErrInvalid},
		{change(1, "2147483648"), `in.vcf:4: invalid: position "2147483648" is not a number from 0 to 2147483647`, format.ErrInvalid},
		{change(2, ""), "in.vcf:4: invalid: ID is empty", format.ErrInvalid},
		{change(3, ""), `in.vcf:4: invalid: REF "" is not nucleotides`, format.ErrInvalid},
		{change(3, "A*"), `in.vcf:4: invalid: REF "A*" is not nucleotides`, format.ErrInvalid},
		{change(3, strings.Repeat("A", 99)+"x"), `in.vcf:4: invalid: REF "` + strings.Repeat("A", 40) + `"... is not nucleotides`, format.ErrInvalid},
		{change(4, ""), `in.vcf:4: invalid: ALT "" is no allele`, format.ErrInvalid},
		{change(4, "G,"), `in.vcf:4: invalid: ALT "" is no allele`, format.ErrInvalid},
		{change(4, "G,E"), `in.vcf:4: invalid: ALT "E" is no allele`, format.ErrInvalid},
		{change(4, "<DEL"), `in.vcf:4: invalid: ALT "<DEL" is no allele`, format.ErrInvalid},
		{change(4, ".."), `in.vcf:4: invalid: ALT ".." is no allele`, format.ErrInvalid},
		{change(2, "a\x00"), `in.vcf:4: invalid: control character '\x00'`, format.ErrInvalid},
		{change(7, "\n"), "in.vcf:4: invalid: INFO is empty", format.ErrInvalid},
		{head + strings.Repeat("A", format.MaxRow+1), "in.vcf:3: too large: line has more than 16777216 bytes", format.ErrTooLarge},
	} {
		_, _, err := read(strings.NewReader(tt.text))
		if err == nil || err.Error() != tt.want || !errors.Is(err, tt.kind) {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
	_, _, err := read(io.MultiReader(strings.NewReader(head+line), iotest.ErrReader(iotest.ErrTimeout)))
	if err == nil || err.Error() != "in.vcf:3: timeout" {
		t.Errorf("read error: %v", err)
	}
}

// Samples are never held: a line may have any number of them.
func TestSamplesTakeNoMemory(t *testing.T) {
	samples := io.LimitReader(repeat("\t0|0:48:1:51,51"), 200<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, all, err := read(io.MultiReader(strings.NewReader(head+"1\t10\t.\tA\tG\t.\t.\tX=1"), samples, strings.NewReader("\n2\t1\t.\tA\tC\t.\t.\t.\n")))
	runtime.ReadMemStats(&after)
	if err != nil || len(all) != 2 || all[0].Info != "X=1" || all[1].Chrom != "2" || all[1].Line != 4 {
		t.Errorf("%+v, %v", all, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes for a line of 200 MiB", used)
	}
}

type repeat string

func (s repeat) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) { // what the cut leaves of a sample does not matter
		n += copy(p[n:], s)
	}
	return n, nil
}

func TestWrite(t *testing.T) {
	header, all, err := read(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteHeader(&b, header); err != nil {
		t.Fatal(err)
	}
	for _, rec := range all {
		if err := Write(&b, rec); err != nil {
			t.Fatal(err)
		}
	}
	_, again, err := read(&b)
	if err != nil {
		t.Fatal(err)
	}
	again[2].Line, again[3].Line, again[4].Line, again[5].Line = 8, 9, 10, 11
	if diff := cmp.Diff(all, again); diff != "" {
		t.Error(diff)
	}
	good := Record{Chrom: "1", Pos: 1, ID: ".", Ref: "A", Alts: []string{"G"}, Qual: ".", Filter: ".", Info: "."}
	for want, change := range map[string]func(r *Record){
		"vcf: ID is empty":                                    func(r *Record) { r.ID = "" },
		`vcf: ALT "" is no allele`:                            func(r *Record) { r.Alts = nil },
		`vcf: "1\t1\t.\tA\tG,C\t.\t.\t." does not read back`:  func(r *Record) { r.Alts = []string{"G,C"} },
		`vcf: "1\t1\t.\tA\tG\t.\t.\t.\t." does not read back`: func(r *Record) { r.Info = ".\t." },
		`vcf: control character '\n'`:                         func(r *Record) { r.Info = "a\nb" },
	} {
		rec := good
		change(&rec)
		if err := Write(io.Discard, rec); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	for want, header := range map[string][]string{
		"vcf: header is empty":                  nil,
		`vcf: "##x" is no line 1 of a header`:   {"##x"},
		`vcf: "#x" is no line 2 of a header`:    {"##fileformat=VCFv4.2", "#x"},
		`vcf: "##x\n" is no line 2 of a header`: {"##fileformat=VCFv4.2", "##x\n"},
	} {
		if err := WriteHeader(io.Discard, header); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	for info, want := range map[string]string{".": "K=1", "A=2;B": "A=2;B;K=1", "K=0;A=2": "A=2;K=1", "KK=3;K": "KK=3;K=1"} {
		if got := SetInfo(info, "K", "1"); got != want {
			t.Errorf("%s: %s, want %s", info, got, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(head + "1\t1\t.\tA\tG,<DEL>,*,A[2:3[\t.\t.\t.\r\n\n"))
	f.Add([]byte("##fileformat=VCFv4.2\n#CHROM"))
	f.Fuzz(func(t *testing.T, data []byte) {
		header, all, err := read(bytes.NewReader(data))
		if err != nil {
			var e *format.Error
			if !errors.As(err, &e) || e.Name != "in.vcf" {
				t.Fatalf("%v is not an error of in.vcf", err)
			}
			return
		}
		var b bytes.Buffer
		if err := WriteHeader(&b, header); err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if err := Write(&b, all[i]); err != nil {
				t.Fatal(err)
			}
			all[i].Line = len(header) + 2 + i
			for _, alt := range all[i].Alts {
				_ = KindOf(alt).String()
			}
		}
		_, again, err := read(&b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

func ExampleReader_Records() {
	r, err := NewReader("in.vcf", strings.NewReader(head+"chr1\t100\trs1\tA\tG,<DEL>\t.\tPASS\t.\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for rec, err := range r.Records() {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, alt := range rec.Alts {
			fmt.Printf("%s:%d %s>%s %v\n", rec.Chrom, rec.Pos, rec.Ref, alt, KindOf(alt))
		}
	}
	// Output:
	// chr1:100 A>G sequence
	// chr1:100 A><DEL> symbolic allele
}

// Files of other programs, as Debian's package bedtools-test installs them
// (GPL-2): the counts are those of grep and awk.
func TestBedtools(t *testing.T) {
	const dir = "/usr/share/bedtools/test/"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no files of the package bedtools-test")
	}
	for _, want := range []struct {
		name                  string
		header, records, alts int
		last                  string
	}{
		{"map/test.vcf", 18, 7, 10, ""},
		{"merge/testA.vcf", 120, 8, 8, ""},
		{"intersect/headerOnly.vcf", 120, 0, 0, ""},
		{"intersect/bug223_e.vcf", 1, 2, 2, ""},
		{"intersect/bug44_a.vcf.gz", 56, 62, 63, "MT 12954 T C"}, // bgzip
	} {
		f, err := format.Open(dir + want.name)
		if err != nil {
			t.Fatal(err)
		}
		header, all, err := read(f)
		f.Close()
		if err != nil {
			t.Fatal(want.name, err)
		}
		alts, last := 0, ""
		for _, rec := range all {
			alts += len(rec.Alts)
			last = fmt.Sprint(rec.Chrom, " ", rec.Pos, " ", rec.Ref, " ", strings.Join(rec.Alts, ","))
		}
		if len(header) != want.header || len(all) != want.records || alts != want.alts || want.last != "" && last != want.last {
			t.Errorf("%s: %d header lines, %d records, %d alleles, last %s", want.name, len(header), len(all), alts, last)
		}
	}
	for name, want := range map[string]string{
		"intersect/b.issue311.vcf": "in.vcf:1: invalid: not VCF: the first line is not ##fileformat=VCFv4",
		"intersect/jim.vcf":        "in.vcf:2: invalid: columns are not #CHROM POS ID REF ALT QUAL FILTER INFO, with tabs between",
		"intersect/bug223_d.vcf":   "in.vcf:2: invalid: header ends without a line #CHROM",
	} {
		f, err := format.Open(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := read(f); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
}

package bed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

func read(d Reader, r io.Reader) (all []Record, err error) {
	for rec, err := range d.Records("p", r) {
		if err != nil {
			return all, err
		}
		all = append(all, rec)
	}
	return all, nil
}

func readSignals(r io.Reader) (all []Signal, err error) {
	for s, err := range Signals("p", r) {
		if err != nil {
			return all, err
		}
		all = append(all, s)
	}
	return all, nil
}

const bed12 = "chr1\t1000\t5000\tg\t960\t-\t1200\t4800\t255,0,7\t2\t400,900\t0,3100,\n"

func TestRecords(t *testing.T) {
	for _, test := range []struct {
		title  string
		reader Reader
		text   string
		want   []Record
	}{
		{"nothing", Reader{}, "", nil},
		{"only comments", Reader{}, "# x\n\n \t\ntrack name=x\nbrowser position chr1:1-2\ntrack\n", nil},
		{"3 columns", Reader{}, "chr1\t0\t10", []Record{{Chrom: "chr1", End: 10, Fields: 3, Line: 1}}},
		{"blanks", Reader{}, " chr1  5   10 \r\n", []Record{{Chrom: "chr1", Start: 5, End: 10, Fields: 3, Line: 1}}},
		{"blanks within tabs", Reader{}, "chr1\t5\t5\tan insertion\n", []Record{{Chrom: "chr1", Start: 5, End: 5, Fields: 4, Name: "an insertion", Line: 1}}},
		{"6 columns", Reader{}, "#x\nchr1\t5\t10\tn\t-1.5e3\t.\n", []Record{{Chrom: "chr1", Start: 5, End: 10, Fields: 6, Name: "n", Score: -1500, Strand: '.', Line: 2}}},
		{"score left out", Reader{}, "chr1\t5\t10\t.\t.\n", []Record{{Chrom: "chr1", Start: 5, End: 10, Fields: 5, Name: ".", Line: 1}}},
		{"extra", Reader{}, "chr1\t5\t10\t\t7\t+\ta b\t\n", []Record{{Chrom: "chr1", Start: 5, End: 10, Fields: 6, Score: 7, Strand: '+', Extra: []string{"a b", ""}, Line: 1}}},
		{"3 columns and extra", Reader{Fields: 3}, "chr1\t5\t10\tx\n", []Record{{Chrom: "chr1", Start: 5, End: 10, Fields: 3, Extra: []string{"x"}, Line: 1}}},
		{"chromosome called track", Reader{}, "track\t5\t10\n", []Record{{Chrom: "track", Start: 5, End: 10, Fields: 3, Line: 1}}},
		{"8 columns", Reader{Fields: 12}, "c\t5\t10\tx\t0\t+\t6\t8\n", []Record{{Chrom: "c", Start: 5, End: 10, Fields: 8, Name: "x", Strand: '+', ThickStart: 6, ThickEnd: 8, Line: 1}}},
		{"9 columns", Reader{Fields: 12}, "c\t5\t10\tx\t0\t+\t5\t5\t0\n", []Record{{Chrom: "c", Start: 5, End: 10, Fields: 9, Name: "x", Strand: '+', ThickStart: 5, ThickEnd: 5, Line: 1}}},
		{"no thick part", Reader{Fields: 12}, "c\t5\t10\tx\t0\t+\t0\t0\n", []Record{{Chrom: "c", Start: 5, End: 10, Fields: 8, Name: "x", Strand: '+', Line: 1}}},
		{"12 columns", Reader{Fields: 12}, bed12, []Record{{Chrom: "chr1", Start: 1000, End: 5000, Fields: 12, Name: "g", Score: 960, Strand: '-',
			ThickStart: 1200, ThickEnd: 4800, RGB: [3]uint8{255, 0, 7}, Blocks: []Block{{0, 400}, {3100, 900}}, Line: 1}}},
	} {
		t.Run(test.title, func(t *testing.T) {
			got, err := read(test.reader, iotest.OneByteReader(strings.NewReader(test.text)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBadRecords(t *testing.T) {
	twelve := func(columns string) string { return "c\t10\t20\tx\t0\t+\t10\t20\t0\t" + columns + "\n" }
	for _, test := range []struct{ text, want string }{
		{"chr1\n", "p:1: invalid: line has 1 column, want chromosome, start and end"},
		{"\nchr1\t1\t2\nchr1\t1\t2\t3\n", "p:3: invalid: line has 4 columns, but line 2 has 3"},
		{"chr1\t1\t2\nchr1\t1\n", "p:2: invalid: line has 2 columns, but line 1 has 3"},
		{"\t1\t2\n", "p:1: invalid: name of the chromosome is empty"},
		{"\xef\xbb\xbf\xef\xbb\xbfc\t1\t2\n", `p:1: invalid: "\ufeffc" is no name for a chromosome`},
		{"chr1\t-1\t2\n", `p:1: invalid: start "-1" is not a position`},
		{"chr1\t1\t2_0\n", `p:1: invalid: end "2_0" is not a position`},
		{"chr1\t1\t+2\n", `p:1: invalid: end "+2" is not a position`},
		{"chr1\t1\t9223372036854775808\n", `p:1: invalid: end "9223372036854775808" is not a position`},
		{"chr1\t" + strings.Repeat("x", 50) + "\t2\n", `p:1: invalid: start "` + strings.Repeat("x", 40) + `"... is not a position`},
		{"chr1\t2\t1\n", "p:1: invalid: interval 2 to 1: end is before start"},
		{"\v", "p:1: invalid: control character in the line"},
		{"chr1\t1\t2\ta\x1b[2Jb\n", "p:1: invalid: control character in the line"},
		{"chr1\t1\t2\tn\tNaN\n", `p:1: invalid: score "NaN" is not a number`},
		{"chr1\t1\t2\tn\t1e400\n", `p:1: invalid: score "1e400" is not a number`},
		{"chr1\t1\t2\tn\t\n", `p:1: invalid: score "" is not a number`},
		{"chr1\t1\t2\tn\t1\tx\n", `p:1: invalid: strand "x" is not '+', '-' or '.'`},
		{"c\t10\t20\tx\t0\t+\ta\t20\n", `p:1: invalid: thickStart "a" is not a position`},
		{"c\t10\t20\tx\t0\t+\t9\t20\n", "p:1: invalid: thick part 9 to 20 is not within 10 to 20"},
		{"c\t10\t20\tx\t0\t+\t10\t21\n", "p:1: invalid: thick part 10 to 21 is not within 10 to 20"},
		{"c\t10\t20\tx\t0\t+\t12\t11\n", "p:1: invalid: thick part 12 to 11 is not within 10 to 20"},
		{"c\t10\t20\tx\t0\t+\t10\t20\tred\n", `p:1: invalid: itemRgb "red" is not three numbers`},
		{"c\t10\t20\tx\t0\t+\t10\t20\t0,0,256\n", `p:1: invalid: itemRgb "0,0,256": want numbers of 0 to 255`},
		{"c\t10\t20\tx\t0\t+\t10\t20\t0\t1\n", "p:1: invalid: line has 10 columns; those of blocks are 12"},
		{twelve("x\t10\t0"), `p:1: invalid: blockCount "x" is not a position`},
		{twelve("99999999999\t10\t0"), "p:1: invalid: blockCount is 99999999999, but there are 1 size and 1 start"},
		{twelve("2\t5,5\t0"), "p:1: invalid: blockCount is 2, but there are 2 sizes and 1 start"},
		{twelve("1\tx\t0"), `p:1: invalid: size of a block "x" is not a position`},
		{twelve("1\t10\t"), `p:1: invalid: start of a block "" is not a position`},
		{twelve("1\t9\t1"), "p:1: invalid: first block starts at 1, want 0"},
		{twelve("2\t5,6\t0,4"), "p:1: invalid: block 2 starts at 4, before the end of the block before it"},
		{twelve("2\t5,6\t0,5"), "p:1: invalid: block 2, 6 bp from 5, passes the end of the record, which has 10 bp"},
		{twelve("2\t5,9223372036854775807\t0,5"), "p:1: invalid: block 2, 9223372036854775807 bp from 5, passes the end of the record, which has 10 bp"},
		{twelve("1\t9\t0"), "p:1: invalid: last block ends at 9, want 10, the end of the record"},
	} {
		_, err := read(Reader{Fields: 12}, strings.NewReader(test.text))
		if err == nil || err.Error() != test.want || !errors.Is(err, format.ErrInvalid) {
			t.Errorf("%q:\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
	r := io.MultiReader(strings.NewReader("c\t1\t2\n"), iotest.ErrReader(errors.New("cable cut")))
	if _, err := read(Reader{}, r); err == nil || err.Error() != "p:2: cable cut" {
		t.Error(err)
	}
	defer func() {
		if got := recover(); got != "bed: Reader.Fields is 10, want 3 to 9 or 12" {
			t.Errorf("panic is %v", got)
		}
	}()
	Reader{Fields: 10}.Records("p", nil)
}

func TestSignals(t *testing.T) {
	got, err := readSignals(strings.NewReader("track type=bedGraph\n#x\nchr1 0 10 -.5\nchr2 1 2 1e-40\n"))
	want := []Signal{{"chr1", 0, 10, -.5, 3}, {"chr2", 1, 2, 1e-40, 4}}
	if err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("%v, %v", got, err)
	}
	for _, test := range []struct {
		text, want string
		kind       error
	}{
		{"chr1\t1\t2\n", "p:1: invalid: line has 3 columns, want chromosome, start, end and value", format.ErrInvalid},
		{"chr1\t1\t2\t3\t4\n", "p:1: invalid: line has 5 columns, want chromosome, start, end and value", format.ErrInvalid},
		{"chr1\tx\t2\t3\n", `p:1: invalid: start "x" is not a position`, format.ErrInvalid},
		{"chr1\t2\t2\t3\n", "p:1: invalid: interval 2 to 2 is empty", format.ErrInvalid},
		{"chr1\t1\t2\tinf\n", `p:1: invalid: value "inf" is not a number`, format.ErrInvalid},
		{"chr1\t1\t2\t1e39\n", `p:1: invalid: value "1e39" is not a number`, format.ErrInvalid},
		{"fixedStep chrom=chr1 start=1 step=10\n1\n", "p:1: not supported: this is wiggle (fixedStep), not bedGraph", format.ErrUnsupported},
		{"track type=wiggle_0\nvariableStep chrom=chr1\n", "p:2: not supported: this is wiggle (variableStep), not bedGraph", format.ErrUnsupported},
	} {
		_, err := readSignals(strings.NewReader(test.text))
		if err == nil || err.Error() != test.want || !errors.Is(err, test.kind) {
			t.Errorf("%q:\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
}

func TestOrder(t *testing.T) {
	type place struct {
		chrom      string
		start, end int
	}
	for _, test := range []struct {
		apart  bool
		places []place
		want   string
	}{
		{false, []place{{"b", 0, 9}, {"b", 0, 5}, {"b", 3, 4}, {"a", 0, 1}}, ""},
		{true, []place{{"b", 0, 9}, {"b", 9, 10}, {"a", 0, 1}}, ""},
		{false, []place{{"b", 5, 9}, {"b", 4, 5}}, "p:2: invalid: not sorted: start 4 is before 5 in line 1"},
		{false, []place{{"b", 5, 9}, {"a", 4, 5}, {"b", 10, 11}}, `p:3: invalid: not sorted: chromosome "b" came before "a" already`},
		{true, []place{{"b", 0, 9}, {"b", 8, 10}}, "p:2: invalid: interval 8 to 10 overlaps the one that ends at 9 in line 1"},
		{true, []place{{"", 0, 9}, {"", 8, 10}}, "p:2: invalid: interval 8 to 10 overlaps the one that ends at 9 in line 1"},
	} {
		o := Order{Apart: test.apart}
		var err error
		for i, p := range test.places {
			if err = o.Check("p", i+1, p.chrom, p.start, p.end); err != nil {
				break
			}
		}
		if fmt.Sprint(err) != test.want && (err != nil || test.want != "") {
			t.Errorf("%v:\ngot  %v\nwant %s", test.places, err, test.want)
		}
	}
}

func TestWrite(t *testing.T) {
	for _, test := range []struct {
		rec  Record
		want string
	}{
		{Record{Chrom: "c", Start: 1, End: 2}, "c\t1\t2\t.\t0\t.\n"},
		{Record{Chrom: "c", Start: 1, End: 2, Fields: 3, Extra: []string{"x", ""}}, "c\t1\t2\tx\t\n"},
		{Record{Chrom: "c", Start: 1, End: 2, Fields: 7, Score: 1e6, Strand: '-', ThickStart: 1}, "c\t1\t2\t.\t1000000\t-\t1\n"},
		{Record{Chrom: "chr1", Start: 1000, End: 5000, Fields: 12, Name: "g", Score: 960, Strand: '-', ThickStart: 1200, ThickEnd: 4800,
			RGB: [3]uint8{255, 0, 7}, Blocks: []Block{{0, 400}, {3100, 900}}}, strings.Replace(bed12, "400,900", "400,900,", 1)},
	} {
		var b strings.Builder
		if err := Write(&b, test.rec); err != nil || b.String() != test.want {
			t.Errorf("got %q, %v; want %q", b.String(), err, test.want)
		}
	}
	for _, test := range []struct {
		rec  Record
		want string
	}{
		{Record{}, "bed: name of the chromosome is empty"},
		{Record{Chrom: "#c"}, `bed: "#c" is no name for a chromosome`},
		{Record{Chrom: "c\td"}, `bed: "c\td" is no name for a chromosome`},
		{Record{Chrom: "c", Start: 2, End: 1}, "bed: interval 2 to 1: end is before start"},
		{Record{Chrom: "c", Start: -1, End: 1}, "bed: interval -1 to 1: start is negative"},
		{Record{Chrom: "c", Name: "a\nb"}, `bed: control character in column "a\nb"`},
		{Record{Chrom: "c", Extra: []string{"a\tb"}}, `bed: control character in column "a\tb"`},
		{Record{Chrom: "c", Score: math.NaN()}, "bed: score NaN is not a number"},
		{Record{Chrom: "c", Strand: '1'}, `bed: strand '1' is not '+', '-' or '.'`},
		{Record{Chrom: "c", ThickEnd: -1}, "bed: thick part 0 to -1 is negative"},
		{Record{Chrom: "c", Fields: 11}, "bed: record of 11 columns, want 3 to 9 or 12"},
		{Record{Chrom: "c", Fields: 12}, "bed: record has no blocks"},
	} {
		if err := Write(io.Discard, test.rec); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
	var b strings.Builder
	if err := WriteSignal(&b, Signal{Chrom: "c", Start: 1, End: 2, Value: 0.123456789}); err != nil || b.String() != "c\t1\t2\t0.12345679\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
	for _, test := range []struct {
		s    Signal
		want string
	}{
		{Signal{End: 1}, "bed: name of the chromosome is empty"},
		{Signal{Chrom: "c"}, "bed: interval 0 to 0 is empty"},
		{Signal{Chrom: "c", End: 1, Value: float32(math.Inf(1))}, "bed: value +Inf is not a number"},
	} {
		if err := WriteSignal(io.Discard, test.s); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

// FuzzRecords checks that no input makes the reader panic, that every error says
// which file, and that records read the same after they were written.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(bed12), byte(12))
	for _, s := range []string{"track x\nchr1\t0\t10\tn\t5\t+\textra\n", "#c\r\nc 1 2\r\n\nd 3 4", "c\t1\t2\t\t.\t.\n"} {
		f.Add([]byte(s), byte(6))
	}
	f.Fuzz(func(t *testing.T, data []byte, fields byte) {
		d := Reader{Fields: int(fields % 13)}
		if d.Fields != 0 && !validFields(d.Fields) {
			d.Fields = 3
		}
		first, err := read(d, bytes.NewReader(data))
		if checkError(t, err) {
			return
		}
		var b bytes.Buffer
		for i := range first {
			if err := Write(&b, first[i]); err != nil {
				t.Fatal(err)
			}
			if first[i].Fields > 3 && first[i].Name == "" {
				first[i].Name = "."
			}
			if first[i].Fields < 6 {
				first[i].Strand = 0
			}
			first[i].Line = i + 1
		}
		second, err := read(d, &b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzSignals is FuzzRecords for bedGraph.
func FuzzSignals(f *testing.F) {
	for _, s := range []string{"track type=bedGraph\nchr1 0 10 .5\n", "c\t1\t2\t-1e-45\r\n", "variableStep chrom=c\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := readSignals(bytes.NewReader(data))
		if checkError(t, err) {
			return
		}
		var b bytes.Buffer
		for i := range first {
			if err := WriteSignal(&b, first[i]); err != nil {
				t.Fatal(err)
			}
			first[i].Line = i + 1
		}
		second, err := readSignals(&b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatal(diff)
		}
	})
}

func checkError(t *testing.T, err error) (failed bool) {
	var e *format.Error
	if err != nil && (!errors.As(err, &e) || e.Name != "p") {
		t.Fatalf("%v is not an error of p", err)
	}
	return err != nil
}

// TestBedtools reads files that Debian's package bedtools-test installs (hg18
// annotation of UCSC), and compares with what bedtools and awk say of them:
//
//	bedtools bed12tobed6 -i knownGene.hg18.chr21.bed | awk '{n++; s+=$3-$2} END {print n, s}'
func TestBedtools(t *testing.T) {
	dir := filepath.FromSlash("/usr/share/bedtools/data")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("package bedtools-test is not installed: no " + dir)
	}
	for _, test := range []struct {
		file                             string
		records, length, blocks, covered int
		sorted                           bool
	}{
		{"knownGene.hg18.chr21.bed", 828, 46123508, 7537, 2071499, true},
		{"refseq.chr1.exons.bed.gz", 43424, 13596083, 0, 0, false},
	} {
		r, err := format.Open(filepath.Join(dir, test.file))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var records, length, blocks, covered int
		var order Order
		var unsorted error
		for rec, err := range (Reader{Fields: 12}).Records(test.file, r) {
			if err != nil {
				t.Fatal(err)
			}
			records++
			length += rec.End - rec.Start
			for _, b := range rec.Blocks {
				blocks++
				covered += b.Size
			}
			if unsorted == nil {
				unsorted = order.Check(test.file, rec.Line, rec.Chrom, rec.Start, rec.End)
			}
		}
		if records != test.records || length != test.length || blocks != test.blocks || covered != test.covered || (unsorted == nil) != test.sorted {
			t.Errorf("%s: %d records of %d bp with %d blocks of %d bp, %v; want %+v", test.file, records, length, blocks, covered, unsorted, test)
		}
	}
}

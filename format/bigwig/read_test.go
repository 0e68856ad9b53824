package bigwig

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

func TestQueries(t *testing.T) {
	tr := tracks()["three"]
	r := tr.read(t)
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		i := []int{0, 2, 3}[rng.IntN(3)]
		start := rng.IntN(tr.chroms[i].Size)
		end := min(start+rng.IntN(2000), tr.chroms[i].Size)
		var want, got []Interval
		values := make([]float32, end-start)
		for i := range values {
			values[i] = float32(math.NaN())
		}
		for _, item := range tr.items[i] {
			if item.Start < end && item.End > start {
				want = append(want, item)
				for at := max(start, item.Start); at < min(end, item.End); at++ {
					values[at-start] = item.Value
				}
			}
		}
		for item, err := range r.Intervals(tr.chroms[i].Name, start, end) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, item)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%d to %d: %s", start, end, diff)
		}
		v, err := r.Values(tr.chroms[i].Name, start, end)
		if err != nil || fmt.Sprint(v) != fmt.Sprint(values) {
			t.Fatalf("%d to %d: got %v, %v", start, end, v, err)
		}
	}
	for range r.Intervals("chr1", 0, 1<<22) {
		break // must not go on
	}
	for _, test := range []struct {
		chrom      string
		start, end int
		want       string
	}{
		{"chrX", 0, 1, `p.bw: invalid: no chromosome "chrX"`},
		{"chr1", 2, 1, `p.bw: invalid: bases 2 to 1 are not within "chr1" of 4194304 bp`},
		{"chr1", -1, 1, `p.bw: invalid: bases -1 to 1 are not within "chr1" of 4194304 bp`},
		{"last", 0, 6, `p.bw: invalid: bases 0 to 6 are not within "last" of 5 bp`},
	} {
		if _, err := r.Values(test.chrom, test.start, test.end); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
		for _, err := range r.Zoom(0, test.chrom, test.start, test.end) {
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		}
	}
}

// small is a small file, with which the fuzzer begins too.
func small(t testing.TB) []byte {
	var m memory
	tr := track{[]Chrom{{"a", 1000}, {"b", 2000}}, [][]Interval{{{0, 10, 1}, {10, 20, 2}}, {{5, 10, 1.5}, {100, 200, -3}, {300, 301, 0}}}}
	for i := range 200 {
		tr.items[1] = append(tr.items[1], Interval{400 + 3*i, 402 + 3*i, float32(i)})
	}
	if err := tr.write(&m); err != nil {
		t.Fatal(err)
	}
	return m.b
}

func TestDamaged(t *testing.T) {
	good := small(t)
	le := binary.LittleEndian
	tree := int(le.Uint64(good[8:]))
	index := int(le.Uint64(good[24:]))
	data := int(le.Uint64(good[16:])) + 8
	first := int(le.Uint64(good[index+indexHead+4+16:]))
	if first != data {
		t.Fatalf("first block is at %d, want %d", first, data)
	}
	set := func(at int, b ...byte) func([]byte) []byte {
		return func(f []byte) []byte { copy(f[at:], b); return f }
	}
	ff := bytes.Repeat([]byte{0xff}, 8)
	for _, test := range []struct {
		title  string
		damage func([]byte) []byte
		want   string
		kind   error
	}{
		{"none", func(f []byte) []byte { return f }, "<nil>", nil},
		{"empty", func(f []byte) []byte { return nil }, "p.bw: invalid: not bigWig: file has 0 bytes", format.ErrInvalid},
		{"text", set(0, []byte("track")...), "p.bw: invalid: not bigWig: first bytes are 74 72 61 63", format.ErrInvalid},
		{"bigBed", set(0, 0xeb, 0xf2, 0x89, 0x87), "p.bw: not supported: this is bigBed, not bigWig", format.ErrUnsupported},
		{"version", set(4, 5, 0), "p.bw: offset 4: not supported: bigWig version 5; versions up to 4 are read", format.ErrUnsupported},
		{"buffer", set(52, ff[:4]...), "p.bw: offset 52: too large: blocks of 4294967295 bytes; the limit is 16777216", format.ErrTooLarge},
		{"zooms", set(6, 0xff, 0xff), fmt.Sprintf("p.bw: offset %d: invalid: file ends within 1572840 bytes at offset 64", len(good)), format.ErrInvalid},
		{"no reduction", set(64, 0, 0, 0, 0), "p.bw: offset 64: invalid: zoom level 1 covers 0 bp", format.ErrInvalid},
		{"cut", func(f []byte) []byte { return f[:tree+10] }, fmt.Sprintf("p.bw: offset %d: invalid: file ends within 32 bytes at offset %d", tree+10, tree), format.ErrInvalid},
		{"summary", set(44, ff...), fmt.Sprintf("p.bw: offset %d: invalid: file ends within 40 bytes at offset 18446744073709551615", len(good)), format.ErrInvalid},
		{"tree", set(tree, 0), fmt.Sprintf("p.bw: offset %d: invalid: tree of chromosomes begins with 0x78ca8c00, want 0x78ca8c91", tree), format.ErrInvalid},
		{"long keys", set(tree+8, 1, 4), fmt.Sprintf("p.bw: offset %d: too large: names of chromosomes have 1025 bytes; the limit is 1024", tree+8), format.ErrTooLarge},
		{"values", set(tree+12, 9), fmt.Sprintf("p.bw: offset %d: invalid: tree of chromosomes has keys of 1 bytes and values of 9", tree+8), format.ErrInvalid},
		{"many", set(tree+16, ff...), fmt.Sprintf("p.bw: offset %d: invalid: 18446744073709551615 chromosomes do not fit in %d bytes", tree+16, len(good)), format.ErrInvalid},
		{"three", set(tree+16, 3), fmt.Sprintf("p.bw: offset %d: invalid: tree holds 2 chromosomes, want 3", tree), format.ErrInvalid},
		{"node", set(tree+32, 2), fmt.Sprintf("p.bw: offset %d: invalid: node of a tree begins with 2, want 0 or 1", tree+32), format.ErrInvalid},
		{"name", set(tree+36, 7), fmt.Sprintf(`p.bw: offset %d: invalid: "\a" is no name for a chromosome`, tree+36), format.ErrInvalid},
		{"twice", set(tree+36, 'b'), fmt.Sprintf(`p.bw: offset %d: invalid: two chromosomes are called "b"`, tree+45), format.ErrInvalid},
		{"number", set(tree+37, 2), fmt.Sprintf(`p.bw: offset %d: invalid: chromosome "a" is number 2 of 2`, tree+36), format.ErrInvalid},
		{"index", set(index, 0), fmt.Sprintf("p.bw: offset %d: invalid: index begins with 0x2468ac00, want 0x2468ace0", index), format.ErrInvalid},
		{"index size", set(index+8, ff...), fmt.Sprintf("p.bw: offset %d: invalid: index of 18446744073709551615 blocks does not fit in %d bytes", index+8, len(good)), format.ErrInvalid},
		{"circle", func(f []byte) []byte {
			node := append([]byte{0, 0, 1, 0}, make([]byte, 24)...)
			copy(node[12:], ff)
			le.PutUint64(node[20:], uint64(index+indexHead))
			copy(f[index+indexHead:], node)
			return f
		}, fmt.Sprintf("p.bw: offset %d: invalid: tree has more nodes than entries", index+indexHead), format.ErrInvalid},
		{"bush", func(f []byte) []byte { // each node twice below the one above it: few bytes, many ways
			at := len(f)
			le.PutUint64(f[index+indexHead+4+16:], uint64(at))
			f[index+indexHead] = 0
			for i := range 20 {
				f = append(f, 0, 0, 2, 0)
				for range 2 {
					f = append(f, make([]byte, 8)...)
					f = append(f, ff...)
					f = le.AppendUint64(f, uint64(at+52*(i+1)))
				}
			}
			return append(f, 1, 0, 0, 0)
		}, fmt.Sprintf("p.bw: offset %d: invalid: tree has more nodes than entries", len(good)+52*20), format.ErrInvalid},
		{"start", func(f []byte) []byte {
			f[index+indexHead] = 0
			clear(f[first-0 : first])
			copy(f[index+indexHead+4+16:], make([]byte, 8))
			return f
		},
			fmt.Sprintf("p.bw: offset %d: invalid: tree points to the start of the file", index+indexHead+4), format.ErrInvalid},
		{"far", set(index+indexHead+4+16, ff...), fmt.Sprintf("p.bw: offset %d: invalid: file ends within a block of %d bytes at offset 18446744073709551615",
			len(good), le.Uint64(good[index+indexHead+4+24:])), format.ErrInvalid},
		{"great", set(index+indexHead+4+24, ff...), fmt.Sprintf("p.bw: offset %d: too large: block of 18446744073709551615 bytes; the limit is 16777216", first), format.ErrTooLarge},
		{"block", set(first, 1), fmt.Sprintf("p.bw: offset %d: invalid: block is damaged: zlib: invalid header", first), format.ErrInvalid},
		{"short buffer", set(52, 20, 0), fmt.Sprintf("p.bw: offset %d: invalid: block has more than 20 bytes, the size that the header gives", first), format.ErrInvalid},
		{"size", set(tree+41, 15, 0), fmt.Sprintf(`p.bw: offset %d: invalid: interval 10 to 20 is not within "a" of 15 bp`, first), format.ErrInvalid},
	} {
		t.Run(test.title, func(t *testing.T) {
			f := test.damage(bytes.Clone(good))
			err := readAll(f)
			if fmt.Sprint(err) != test.want || !errors.Is(err, test.kind) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestSections(t *testing.T) {
	r := &Reader{name: "p.bw", order: binary.LittleEndian, chroms: []Chrom{{"a", 100}}}
	section := func(id, start, end, step, span uint32, kind byte, n uint16, rest ...uint32) []byte {
		b := binary.LittleEndian.AppendUint32(nil, id)
		for _, v := range []uint32{start, end, step, span} {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		b = binary.LittleEndian.AppendUint16(b, uint16(kind))
		b = binary.LittleEndian.AppendUint16(b, n)
		for _, v := range rest {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		return b
	}
	one := math.Float32bits(1)
	for _, test := range []struct {
		b    []byte
		want string
	}{
		{section(0, 5, 20, 10, 5, 3, 2, one, one), "[{5 10 1} {15 20 1}] <nil>"},
		{section(0, 5, 20, 0, 5, 2, 2, 5, one, 12, one), "[{5 10 1} {12 17 1}] <nil>"},
		{section(0, 5, 20, 0, 0, 1, 2, 5, 6, one, 12, 20, one), "[{5 6 1} {12 20 1}] <nil>"},
		{section(0, 5, 20, 0, 0, 1, 0), "[] <nil>"},
		{make([]byte, 23), "[] p.bw: offset 9: invalid: section has 23 bytes, less than its head"},
		{section(1, 0, 0, 0, 0, 1, 0), "[] p.bw: offset 9: invalid: section is of chromosome 1 of 1"},
		{section(0, 0, 0, 0, 0, 4, 0), "[] p.bw: offset 9: invalid: section is of kind 4, want 1 to 3"},
		{section(0, 0, 0, 0, 0, 1, 2, 5, 6, one, 7, 8), "[] p.bw: offset 9: invalid: section of 2 intervals has only 20 bytes for them"},
		{section(0, 95, 105, 5, 5, 3, 2, one, one), `[{95 100 1}] p.bw: offset 9: invalid: interval 100 to 105 is not within "a" of 100 bp`},
		{section(0, 5, 6, 5, 0, 3, 1, one), `[] p.bw: offset 9: invalid: interval 5 to 5 is not within "a" of 100 bp`},
	} {
		items := []Interval{}
		err := r.section(extent{offset: 9}, test.b, func(_ uint32, item Interval) bool { items = append(items, item); return true })
		if got := fmt.Sprintf("%v %v", items, err); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
	zoom := make([]byte, 40)
	err := r.zoomBlock(extent{offset: 9}, zoom, func(uint32, Zoom) bool { return true })
	if err == nil || err.Error() != "p.bw: offset 9: invalid: zoom record of 0 to 0 is empty" {
		t.Error(err)
	}
}

// readAll reads all there is in a file.
func readAll(f []byte) error {
	r, err := NewReader("p.bw", bytes.NewReader(f), int64(len(f)))
	if err != nil {
		return err
	}
	for _, c := range r.Chroms() {
		for _, err := range r.Intervals(c.Name, 0, c.Size) {
			if err != nil {
				return err
			}
		}
		for level := range r.Zooms() {
			for _, err := range r.Zoom(level, c.Name, 0, c.Size) {
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// FuzzReader checks that no input makes the reader panic or go round in circles,
// and that every error says which file.
func FuzzReader(f *testing.F) {
	f.Add(small(f))
	if b, err := os.ReadFile(filepath.Join("testdata", "pybigwig.bw")); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e *format.Error
		if err := readAll(data); err != nil && (!errors.As(err, &e) || e.Name != "p.bw") {
			t.Fatalf("%v is not an error of p.bw", err)
		}
	})
}

func TestOpen(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := Open("p.bw"); err == nil || err.Error() != "p.bw: no such file" {
		t.Error(err)
	}
	if _, err := Open("."); err == nil || err.Error() != ".: invalid: is not a regular file" {
		t.Error(err)
	}
	if err := os.WriteFile("p.bw", small(t), 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := Open("p.bw")
	if err != nil {
		t.Fatal(err)
	}
	if r.Version() != 4 || len(r.Chroms()) != 2 {
		t.Errorf("version %d, %v", r.Version(), r.Chroms())
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// TestSample reads testdata/pybigwig.bw, which libBigWig wrote ("check.py make"),
// and compares with what pyBigWig reads from it: intervals of three kinds of
// sections, the header, and means that it takes from the zoom level. (For chr1
// the mean of the zoom level is not that of the data, -0.040486.)
func TestSample(t *testing.T) {
	r, err := Open(filepath.Join("testdata", "pybigwig.bw"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := os.ReadFile(filepath.Join("testdata", "pybigwig.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, c := range r.Chroms() {
		fmt.Fprintln(&got, c.Name, c.Size)
	}
	for _, c := range r.Chroms() {
		for item, err := range r.Intervals(c.Name, 0, c.Size) {
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&got, c.Name, item.Start, item.End, item.Value)
		}
	}
	if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Error(diff)
	}
	s := r.Summary()
	if s.Bases != 12643 || math.Trunc(s.Min) != -3 || math.Trunc(s.Max) != 2 || math.Trunc(s.Sum) != -1364 || math.Trunc(s.SumSquares) != 11438 {
		t.Errorf("summary is %+v", s)
	}
	for chrom, want := range map[string]float64{"chr2": -0.14703624826297165, "chr1": -0.0432774048541708} {
		var sum Summary
		for rec, err := range r.Zoom(0, chrom, 0, r.Chroms()[r.ids[chrom]].Size) {
			if err != nil {
				t.Fatal(err)
			}
			sum.add(rec.Summary)
		}
		if math.Abs(sum.Mean()-want) > 1e-9 {
			t.Errorf("mean of the zoom level of %s is %v, want %v", chrom, sum.Mean(), want)
		}
	}
	for item, err := range r.Intervals("chrM", 0, 16569) {
		t.Error("chrM has", item, err)
	}
}

// TestByteOrder reads a file of the other byte order, whose blocks are not
// compressed, made by hand: one interval and no zoom level.
func TestByteOrder(t *testing.T) {
	be := binary.BigEndian
	b := make([]byte, headerSize)
	be.PutUint32(b, magic)
	be.PutUint16(b[4:], 3)
	be.PutUint64(b[8:], 64)
	be.PutUint64(b[16:], 64+32+4+9)
	be.PutUint64(b[24:], 64+32+4+9+8+36)
	for _, v := range []uint32{treeMagic, 1, 1, 8, 0, 1, 0, 0} {
		b = be.AppendUint32(b, v)
	}
	b = append(b, 1, 0, 0, 1, 'c')
	for _, v := range []uint32{0, 100, 0, 1, 0, 5, 9, 0, 0, 1<<24 | 1, 5, 9, math.Float32bits(-2), indexMagic, 1, 0, 1, 0, 5, 0, 9, 0, 153, 1, 0, 1<<24 | 1, 0, 5, 0, 9, 0, 117, 0, 36} {
		b = be.AppendUint32(b, v)
	}
	r, err := NewReader("p.bw", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(r.Version(), r.Chroms(), r.Zooms(), r.Summary().Mean())
	for item, err := range r.Intervals("c", 0, 100) {
		got += fmt.Sprint(item, err)
	}
	if want := "3 [{c 100}] [] NaN{5 9 -2} <nil>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

package bigwig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heed/format"
)

// A memory is a file in memory that can be made to fail.
type memory struct {
	b     []byte
	limit int // of writing; 0 means none
}

var errFull = errors.New("no space left on device")

func (m *memory) WriteAt(p []byte, offset int64) (int, error) {
	end := int(offset) + len(p)
	if m.limit > 0 && end > m.limit {
		return 0, errFull
	}
	if end > len(m.b) {
		m.b = append(m.b, make([]byte, end-len(m.b))...)
	}
	return copy(m.b[offset:], p), nil
}

func (m *memory) ReadAt(p []byte, offset int64) (int, error) {
	return bytes.NewReader(m.b).ReadAt(p, offset)
}

// A track is what a test writes: the intervals of each chromosome.
type track struct {
	chroms []Chrom
	items  [][]Interval
}

func (tr track) write(f format.ReadWriterAt) error {
	w, err := NewWriter(f, tr.chroms)
	if err != nil {
		return err
	}
	for i, items := range tr.items {
		for _, item := range items {
			if err := w.Add(tr.chroms[i].Name, item.Start, item.End, item.Value); err != nil {
				return err
			}
		}
	}
	return w.Close()
}

func (tr track) read(t testing.TB) *Reader {
	t.Helper()
	var m memory
	if err := tr.write(&m); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader("p.bw", &m, int64(len(m.b)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tracks are of all kinds of sections, of several nodes in all trees, of sizes at
// their limits, and of nothing.
func tracks() map[string]track {
	rng := rand.New(rand.NewPCG(1, 2))
	value := func() float32 { return float32(rng.NormFloat64()) }
	all := make(map[string]track)
	all["empty"] = track{[]Chrom{{"c", 1}}, nil}
	all["one"] = track{[]Chrom{{"c", math.MaxUint32}}, [][]Interval{{{math.MaxUint32 - 1, math.MaxUint32, -math.MaxFloat32}}}}
	all["whole"] = track{[]Chrom{{"c", math.MaxUint32}}, [][]Interval{{{0, math.MaxUint32, math.SmallestNonzeroFloat32}}}}
	var bases, steps, variable, free []Interval
	for i := range 300_000 {
		bases = append(bases, Interval{i, i + 1, value()})
	}
	for i := range 2500 {
		steps = append(steps, Interval{100 + 25*i, 100 + 25*i + 10, value()})
	}
	for at := 7; len(variable) < 3000; at += 5 + rng.IntN(100) {
		variable = append(variable, Interval{at, at + 5, value()})
	}
	for at := 0; len(free) < 5000; at += rng.IntN(3) * rng.IntN(500) {
		length := 1 + rng.IntN(300)
		free = append(free, Interval{at, at + length, value()})
		at += length
	}
	all["bases"] = track{[]Chrom{{"c", 300_000}}, [][]Interval{bases}}
	all["three"] = track{[]Chrom{{"chr10", 1 << 20}, {"none", 5}, {"chr2", 1 << 20}, {"chr1", 1 << 22}, {"last", 5}},
		[][]Interval{steps, nil, variable, free, nil}}
	many := track{}
	for i := range 70_000 { // three levels of the B+ tree
		many.chroms = append(many.chroms, Chrom{fmt.Sprintf("scaffold_%d", i), 100 + i})
		many.items = append(many.items, nil)
		if i%7 == 3 {
			many.items[i] = []Interval{{10, 20, value()}, {50, 90, value()}}
		}
	}
	all["many"] = many
	return all
}

func TestRoundTrip(t *testing.T) {
	for name, tr := range tracks() {
		t.Run(name, func(t *testing.T) {
			r := tr.read(t)
			if diff := cmp.Diff(tr.chroms, r.Chroms()); diff != "" {
				t.Fatal(diff)
			}
			var total Summary
			for i, c := range tr.chroms {
				var want []Interval
				if i < len(tr.items) {
					want = tr.items[i]
				}
				var got []Interval
				for item, err := range r.Intervals(c.Name, 0, c.Size) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, item)
				}
				if len(tr.chroms) > 100 && i%100 != 0 && want == nil { // a query costs much
					continue
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s: %s", c.Name, diff)
				}
				for _, item := range want {
					total.add(of(item.End-item.Start, item.Value))
				}
			}
			if got := r.Summary(); got != total {
				t.Errorf("summary is %+v, want %+v", got, total)
			}
		})
	}
}

// TestZooms compares the records of all zoom levels with sums over the intervals.
func TestZooms(t *testing.T) {
	for name, tr := range tracks() {
		t.Run(name, func(t *testing.T) {
			r := tr.read(t)
			t.Log(r.Zooms())
			last := int64(math.MaxInt64)
			for level, bp := range r.Zooms() {
				records := int64(0)
				for i, c := range tr.chroms {
					if i >= len(tr.items) || tr.items[i] == nil {
						continue
					}
					want := zoomed(tr.items[i], bp)
					records += int64(len(want))
					n := 0
					for got, err := range r.Zoom(level, c.Name, 0, c.Size) {
						if err != nil {
							t.Fatal(err)
						}
						if n == len(want) {
							t.Fatalf("%d bp: more than %d records", bp, n)
						}
						if w := want[n]; got.Start != w.Start || got.End != w.End || got.Bases != w.Bases ||
							got.Min != w.Min || got.Max != w.Max ||
							!near(got.Sum, w.Sum, math.Sqrt(w.SumSquares*float64(w.Bases))) || !near(got.SumSquares, w.SumSquares, w.SumSquares) {
							t.Fatalf("%d bp: record %d is %+v, want %+v", bp, n, got, w)
						}
						n++
					}
					if n != len(want) {
						t.Fatalf("%d bp: %d records, want %d", bp, n, len(want))
					}
				}
				if records >= last {
					t.Errorf("%d bp has %d records, no fewer than the level before it", bp, records)
				}
				last = records
			}
		})
	}
	if got := fmt.Sprint(tracks()["bases"].read(t).Zooms()); got != "[64 256 1024 4096 16384 65536 262144 1048576]" {
		t.Errorf("levels of 300,000 bases are %s", got)
	}
}

func near(got, want, scale float64) bool {
	return math.Abs(got-float64(narrow(want))) <= 1e-6*scale || math.Abs(want) > math.MaxFloat32 || math.Abs(got-want) < 1e-37
}

// TestLevels compares the counts by which levels are chosen with those that the
// levels would have.
func TestLevels(t *testing.T) {
	for name, tr := range tracks() {
		if name == "whole" {
			continue // of a thousand million records
		}
		w, err := NewWriter(&memory{}, tr.chroms)
		if err != nil {
			t.Fatal(err)
		}
		var want [candidates]int64
		for i, items := range tr.items {
			for _, item := range items {
				if err := w.Add(tr.chroms[i].Name, item.Start, item.End, item.Value); err != nil {
					t.Fatal(err)
				}
			}
			for k := range want {
				want[k] += int64(len(zoomed(items, 1<<shift(k))))
			}
		}
		if got := w.levels.records; got != want {
			t.Errorf("%s: counts are %v, want %v", name, got, want)
		}
	}
	var l levels
	l.count(0, math.MaxUint32)
	if l.records[0] != 1<<30 || l.records[candidates-1] != 4 {
		t.Errorf("counts of a whole chromosome are %v", l.records)
	}
	l.records = [candidates]int64{1000, 100, 100, 50, 50, 1}
	if got := fmt.Sprint(l.choose(4*zoomSize*100), l.choose(4*zoomSize*99), l.choose(0)); got != "[1 3 5] [3 5] []" {
		t.Errorf("levels chosen are %s", got)
	}
}

// zoomed is the specification of a zoom level, interval by interval.
func zoomed(items []Interval, bp int) (recs []Zoom) {
	for _, item := range items {
		for bin := item.Start / bp; bin*bp < item.End; bin++ {
			start, end := max(item.Start, bin*bp), min(item.End, bin*bp+bp)
			if n := len(recs); n == 0 || recs[n-1].Start/bp != bin {
				recs = append(recs, Zoom{Start: start})
			}
			rec := &recs[len(recs)-1]
			rec.End = end
			rec.add(of(end-start, item.Value))
		}
	}
	return recs
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		chroms []Chrom
		want   string
	}{
		{nil, "bigwig: no chromosomes"},
		{[]Chrom{{"", 1}}, `bigwig: "" is no name for a chromosome`},
		{[]Chrom{{"a\nb", 1}}, `bigwig: "a\nb" is no name for a chromosome`},
		{[]Chrom{{strings.Repeat("x", 1025), 1}}, `bigwig: "` + strings.Repeat("x", 40) + `"... is no name for a chromosome`},
		{[]Chrom{{"a", 1}, {"a", 1}}, `bigwig: two chromosomes are called "a"`},
		{[]Chrom{{"a", 0}}, `bigwig: chromosome "a" has 0 bp, want 1 to 4294967295`},
		{[]Chrom{{"a", 1 << 32}}, `bigwig: chromosome "a" has 4294967296 bp, want 1 to 4294967295`},
	} {
		if _, err := NewWriter(&memory{}, test.chroms); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
	w, err := NewWriter(&memory{}, []Chrom{{"a", 100}, {"b", 100}, {"c", 5}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add("b", 10, 20, 1); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		chrom      string
		start, end int
		value      float32
		want       string
	}{
		{"d", 0, 1, 1, `bigwig: no chromosome "d" was declared`},
		{"a", 0, 1, 1, `bigwig: chromosome "a" after "b", but it was declared before`},
		{"b", 5, 6, 1, `bigwig: interval 5 to 6 of "b" begins before 20, the end of the one before it`},
		{"b", 20, 20, 1, `bigwig: interval 20 to 20 is not within "b" of 100 bp`},
		{"b", 20, 101, 1, `bigwig: interval 20 to 101 is not within "b" of 100 bp`},
		{"c", -1, 1, 1, `bigwig: interval -1 to 1 is not within "c" of 5 bp`},
		{"c", 0, 1, float32(math.NaN()), `bigwig: value of 0 to 1 of "c" is NaN; leave out what has none`},
		{"c", 0, 1, float32(math.Inf(-1)), `bigwig: value of 0 to 1 of "c" is -Inf; leave out what has none`},
	} {
		if err := w.Add(test.chrom, test.start, test.end, test.value); err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
	// What was refused left no trace.
	if err := w.Add("b", 20, 30, 2); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil || w.total.Bases != 20 {
		t.Errorf("%v, %d bases", err, w.total.Bases)
	}
}

// TestFull checks that no error of the file is lost, wherever it comes.
func TestFull(t *testing.T) {
	tr := tracks()["bases"]
	var m memory
	if err := tr.write(&m); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 100, 400, len(m.b) / 2, len(m.b) - 100_000, len(m.b) - 1} {
		if err := tr.write(&memory{limit: limit}); err != errFull {
			t.Errorf("limit of %d bytes: %v", limit, err)
		}
	}
}

// TestPyBigWig leaves files for testdata/check.py, which compares them with what
// libBigWig reads from them.
func TestPyBigWig(t *testing.T) {
	dir := os.Getenv("HEED_BIGWIG_OUT")
	if dir == "" {
		t.Skip("HEED_BIGWIG_OUT is not set; see testdata/check.py")
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, tr := range tracks() {
		if err := format.WriteFileAt(filepath.Join(dir, name+".bw"), tr.write); err != nil {
			t.Fatal(err)
		}
		err := format.WriteFile(filepath.Join(dir, name+".txt"), func(w io.Writer) error {
			for _, c := range tr.chroms {
				fmt.Fprintln(w, c.Name, c.Size)
			}
			for i, items := range tr.items {
				for _, item := range items {
					fmt.Fprintln(w, tr.chroms[i].Name, item.Start, item.End, item.Value)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

package dna

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"heed/format/bigwig"
	"heed/format/fasta"
	"heed/internal/cli"
)

// stranded returns an untrained model that reads one strand, and its file.
func stranded(t *testing.T, members int) (*Fitted, string) {
	t.Helper()
	f := untrained(members)
	f.Config.Strands = false
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	return f, path
}

// A chromosome is a record of a genome made for tests.
type chromosome struct {
	name string
	seq  []byte
}

// chromosomes returns sequences of the given lengths, with lower case, runs of N
// and codes for several letters.
func chromosomes(lengths ...int) []chromosome {
	r := rand.New(rand.NewPCG(9, 9))
	var out []chromosome
	for i, n := range lengths {
		seq := make([]byte, n)
		for j := range seq {
			seq[j] = "ACGTacgt"[r.IntN(8)]
		}
		for k := 0; k+300 < n; k += 1700 {
			copy(seq[k+r.IntN(200):], bytes.Repeat([]byte{"NR"[r.IntN(2)]}, 1+r.IntN(60)))
		}
		out = append(out, chromosome{fmt.Sprintf("chr%d", 10-i), seq})
	}
	return out
}

func writeGenome(t testing.TB, cs []chromosome) string {
	t.Helper()
	var b bytes.Buffer
	for _, c := range cs {
		if err := fasta.Write(&b, fasta.Record{ID: c.name, Seq: c.seq}, 61); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "genome.fa")
	if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func runScan(t testing.TB, f *Fitted, model, genome string, c ScanConfig) *Scan {
	t.Helper()
	s, err := f.OpenScan(context.Background(), model, genome, filepath.Join(t.TempDir(), "p"), c, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Run(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// written returns the files of an output, the name of each before it.
func written(t *testing.T, s *Scan, name string) string {
	t.Helper()
	o, err := ParseOutput(filepath.Join(t.TempDir(), name), "")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := s.Write(o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s:\n%s", filepath.Base(p), text)
	}
	return b.String()
}

// The lines of a scan are those of the naive loop over windows of sequences that
// lie in the memory, each scored by itself.
func TestScanIsTheNaiveLoop(t *testing.T) {
	f, model := stranded(t, 2)
	cs := chromosomes(4321, 12, 11, 1000, 3)
	path := writeGenome(t, cs)
	for _, c := range []ScanConfig{
		{Step: 3, TSS: -1},
		{Step: 4, TSS: 3, Window: 15},
		{Step: 7, TSS: 0, Window: 12, Strand: "-"},
		{Step: 30, TSS: 11, Window: 12, Strand: "+"},
		{Step: 5, TSS: -1, Window: 13, Strand: "max"},
	} {
		s := runScan(t, f, model, path, c)
		window, tss := s.Config.Window, c.TSS
		tsv := "t.tsv:\nsequence\tstart\tend\tstrand\tposition\tp_yes\n"
		graph := map[bool]string{}
		var unknown int
		for _, ch := range cs {
			for at := 0; at+window <= len(ch.seq); at += c.Step {
				w := bytes.ToUpper(ch.seq[at : at+window])
				known := !bytes.ContainsAny(w, "NR")
				if !known {
					unknown++
				}
				p := [2]float32{float32(f.Probabilities([][]byte{w}, 1)[0][1]), float32(f.Probabilities([][]byte{fasta.ReverseComplement(w)}, 1)[0][1])}
				for strand := range 2 {
					minus, sign, v := strand == 1, "+-"[strand], p[strand]
					switch c.Strand {
					case "+", "-":
						if string(sign) != c.Strand {
							continue
						}
					case "max":
						if v < p[1-strand] || minus && v == p[0] {
							continue
						}
					}
					pos := at + window/2
					if tss >= 0 {
						pos = at + tss
						if minus {
							pos = at + window - 1 - tss
						}
					}
					text := "NA"
					if known {
						text = fmt.Sprintf("%.6f", v)
						from, to := max(0, pos-c.Step/2), min(len(ch.seq), pos-c.Step/2+c.Step)
						key := minus && c.Strand != "max"
						graph[key] += fmt.Sprintf("%s\t%d\t%d\t%v\n", ch.name, from, to, v)
					}
					if known || c.Strand != "max" || !minus {
						tsv += fmt.Sprintf("%s\t%d\t%d\t%c\t%d\t%s\n", ch.name, at+1, at+window, sign, pos+1, text)
					}
				}
			}
		}
		// Where the letters are unknown the strand of max is +.
		got := written(t, s, "t.tsv")
		if c.Strand == "max" {
			got, tsv = dropNA(got), dropNA(tsv)
		}
		if got != tsv {
			t.Errorf("%+v: TSV differs:\n%.300s\n%.300s", c, got, tsv)
		}
		text := written(t, s, "t.bedgraph")
		for minus, want := range graph {
			if !strings.Contains(text, "\n"+want) {
				t.Errorf("%+v: bedGraph of minus %v differs\n%.500s\n%.300s", c, minus, text, want)
			}
		}
		if n, err := s.Unknown(); err != nil || n != unknown {
			t.Errorf("%+v: %d windows are unknown, want %d; %v", c, n, unknown, err)
		}
	}
}

func dropNA(text string) string {
	lines := strings.Split(text, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.HasSuffix(l, "NA") }), "\n")
}

// A bigWig holds what the bedGraph does.
func TestScanBigWig(t *testing.T) {
	f, model := stranded(t, 1)
	s := runScan(t, f, model, writeGenome(t, chromosomes(4321, 12, 1000)), ScanConfig{Step: 7, TSS: 3})
	paths, err := s.Write(Output{filepath.Join(t.TempDir(), "t.bw"), "bigwig"})
	if err != nil || len(paths) != 2 {
		t.Fatal(paths, err)
	}
	var got string
	for _, path := range paths {
		r, err := bigwig.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for i, name := range s.tiles.names {
			for v, err := range r.Intervals(name, 0, s.tiles.lengths[i]) {
				if err != nil {
					t.Fatal(err)
				}
				got += fmt.Sprintf("%s\t%d\t%d\t%v\n", name, v.Start, v.End, v.Value)
			}
		}
	}
	var want string
	for _, line := range strings.SplitAfter(written(t, s, "t.bedgraph"), "\n") {
		if strings.HasPrefix(line, "chr") {
			want += line
		}
	}
	if got != want {
		t.Errorf("got %.300s\nwant %.300s", got, want)
	}
}

// Intervals of a bedGraph do not overlap, and tile the genome but for its ends.
func TestIntervals(t *testing.T) {
	f, model := stranded(t, 1)
	path := writeGenome(t, []chromosome{{"c", letters(300, 4)}})
	for _, c := range []ScanConfig{{Step: 1, TSS: -1}, {Step: 2, TSS: 0}, {Step: 9, TSS: 19}, {Step: 10, TSS: -1}, {Step: 50, TSS: 2}} {
		s := runScan(t, f, model, path, c)
		for _, minus := range []bool{false, true} {
			end := -1
			for at := 0; at+20 <= 300; at += c.Step {
				from, to := s.interval(0, at, minus)
				if p := s.position(at, minus); from > p || p >= to || p < at || p >= at+20 {
					t.Errorf("%+v: %d to %d does not hold %d", c, from, to, p)
				}
				if from < 0 || to > 300 || end >= 0 && from != end {
					t.Errorf("%+v: %d to %d follows %d", c, from, to, end)
				}
				end = to
			}
		}
	}
}

// A scan that is interrupted anywhere and resumed gives the same bytes, for any
// number of cores, and after the file of scores was written further than the
// state says.
func TestScanResumes(t *testing.T) {
	f, model := stranded(t, 1)
	path := writeGenome(t, chromosomes(9000, 100, 15000, 12000))
	c := ScanConfig{Step: 2, TSS: 4, Control: true, Seed: 7, Cores: 1, Threshold: 0.5}
	names := []string{"t.tsv", "t.bed", "t.bedgraph", "t.bw"}
	results := func(s *Scan) (all string) {
		for _, n := range names {
			all += written(t, s, n)
		}
		ds, err := s.Densities()
		if err != nil {
			t.Fatal(err)
		}
		return all + fmt.Sprint(ds)
	}
	whole := runScan(t, f, model, path, c)
	want := results(whole)
	chunks := whole.Total()/(chunkTokens/(20*4)) + 1
	if chunks < 5 {
		t.Fatalf("only %d chunks", chunks)
	}
	for stop := range chunks {
		partial := filepath.Join(t.TempDir(), "out.partial")
		c.Cores = 1 + stop%3
		for step := 0; ; step++ {
			ctx, cancel := context.WithCancel(context.Background())
			s, err := f.OpenScan(ctx, model, path, partial, c, step > 0)
			if err != nil {
				t.Fatal(err)
			}
			left := stop + 1
			err = s.Run(ctx, func(Progress) {
				if left--; left == 0 {
					cancel()
				}
			})
			if err == nil {
				if got := results(s); got != want {
					t.Errorf("interrupted every %d chunks: results differ", stop+1)
				}
				if err := s.Remove(); err != nil || cli.Exists(partial) || cli.Exists(statePath(partial)) {
					t.Errorf("files are left: %v", err)
				}
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			s.Close()
			if _, err := f.OpenScan(context.Background(), model, path, partial, c, false); err == nil || err.Error() != partial+": left by a scan that was interrupted" {
				t.Fatalf("without resume: %v", err)
			}
			file, err := os.OpenFile(partial, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(file, "written after the state was saved")
			file.Close()
		}
	}
}

// A scan resumes only what it began.
func TestScanResumesTheSameOnly(t *testing.T) {
	f, model := stranded(t, 1)
	_, other := stranded(t, 2)
	path, another := writeGenome(t, chromosomes(9000)), writeGenome(t, chromosomes(9001))
	partial := filepath.Join(t.TempDir(), "p")
	c := ScanConfig{Step: 5, TSS: -1, Control: true, Seed: 1}
	s, err := f.OpenScan(context.Background(), model, path, partial, c, false)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for want, change := range map[string]func(model, genome *string, c *ScanConfig){
		"model":     func(m, _ *string, _ *ScanConfig) { *m = other },
		"genome":    func(_, g *string, _ *ScanConfig) { *g = another },
		"--window":  func(_, _ *string, c *ScanConfig) { c.Window = 19 },
		"--step":    func(_, _ *string, c *ScanConfig) { c.Step = 4 },
		"--class":   func(_, _ *string, c *ScanConfig) { c.Class = "no" },
		"--strand":  func(_, _ *string, c *ScanConfig) { c.Strand = "-" },
		"--control": func(_, _ *string, c *ScanConfig) { c.Control = false },
		"--seed":    func(_, _ *string, c *ScanConfig) { c.Seed = 2 },
		"":          func(_, _ *string, c *ScanConfig) { c.TSS, c.Threshold = 3, 0.9 }, // of the result only
	} {
		m, g, c := model, path, c
		change(&m, &g, &c)
		s, err := f.OpenScan(context.Background(), m, g, partial, c, true)
		if want == "" {
			if err != nil {
				t.Error(err)
			} else {
				s.Close()
			}
			continue
		}
		if full := statePath(partial) + ": the interrupted scan had another " + want; err == nil || err.Error() != full {
			t.Errorf("error %v, want %s", err, full)
		}
	}
	if err := os.WriteFile(statePath(partial), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := f.OpenScan(context.Background(), model, path, partial, c, true); err == nil || err.Error() != statePath(partial)+": invalid: unexpected end of JSON input" {
		t.Errorf("damaged state: %v", err)
	}
}

// The control has the dinucleotides of the genome, block by block, and its
// unknown letters where they were.
func TestControl(t *testing.T) {
	f, model := stranded(t, 1)
	c := chromosomes(5000)[0]
	s := runScan(t, f, model, writeGenome(t, []chromosome{c}), ScanConfig{TSS: -1, Control: true, Seed: 3})
	in := bytes.ToUpper(c.seq)
	out := s.shuffle(0, 0, in)
	if bytes.Equal(in, out) || bytes.Equal(s.shuffle(0, 1000, in), out) || bytes.Equal(s.shuffle(1, 0, in), out) {
		t.Error("not shuffled, or alike at different places")
	}
	if !bytes.Equal(s.shuffle(0, 0, in), out) {
		t.Error("not the same twice")
	}
	pairs := func(seq []byte) map[string]int {
		n := map[string]int{}
		for i := 1; i < len(seq); i++ {
			n[string(seq[i-1:i+1])]++
		}
		return n
	}
	if a, b := pairs(in), pairs(out); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("dinucleotides %v, want %v", b, a)
	}
	for i := range in {
		if (in[i] == 'N' || in[i] == 'R') != (out[i] == 'N' || out[i] == 'R') {
			t.Fatalf("letter %d is %c, was %c", i, out[i], in[i])
		}
	}
}

// Calls that overlap on one strand are one region; regions come in the order of
// their starts.
func TestRegions(t *testing.T) {
	f, model := stranded(t, 1)
	s := runScan(t, f, model, writeGenome(t, []chromosome{{"c", letters(76, 4)}}), ScanConfig{Step: 8, TSS: 2, Threshold: 0.5})
	if s.Total() != 8 {
		t.Fatalf("%d windows", s.Total())
	}
	set := func(values ...float32) {
		s.spool.done = 0
		if err := s.spool.append(values); err != nil {
			t.Fatal(err)
		}
	}
	nan := float32(0)
	nan /= nan
	// +: 0 | 8, 24 overlap | 56. -: 0 to 56 but for 40.
	set(0.4, 0.5, 0.6, 0.9, nan, nan, 0.7, 0.8, 0.1, 0.5, 0.2, 0.3, 0.1, 0.2, 0.99, 0.7)
	want := `t.bed:
# probability of yes, written at letter 2, counted from 0, of windows of 20 letters, step 8; calibrated to the classes of the training set at best, not to a genome
# regions of overlapping windows with 0.5 or more; score: 1000 times the greatest; thick: the position of that window
c	0	52	yes_1	900	-	25	26
c	8	44	yes_2	700	+	26	27
c	56	76	yes_3	990	+	58	59
c	56	76	yes_4	700	-	73	74
`
	if got := written(t, s, "t.bed"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	ds, err := s.Densities()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteDensities(&b, ds, false); err != nil {
		t.Fatal(err)
	}
	if want := "threshold\tcalls\tcalls_per_mb\n0.5\t4\t71428.6\n0.9\t2\t35714.3\n0.99\t1\t17857.1\n0.999\t0\t0.0\n"; b.String() != want {
		t.Errorf("got %s", b.String())
	}
}

func TestScanConfig(t *testing.T) {
	one, both, three := untrained(1), untrained(1), untrained(1)
	one.Config.Strands, three.Config.Strands = false, false
	three.Classes = []string{"a", "b", "c"}
	for want, tt := range map[string]struct {
		f *Fitted
		c ScanConfig
	}{
		"--window 21: the model reads up to 20 letters":                                                     {one, ScanConfig{Window: 21, TSS: -1}},
		"--window 11: the model was trained with 12 letters or more":                                        {one, ScanConfig{Window: 11, TSS: -1}},
		"--step -1: want 1 or more":                                                                         {one, ScanConfig{Step: -1, TSS: -1}},
		`--strand "x": want both, +, - or max`:                                                              {one, ScanConfig{Strand: "x", TSS: -1}},
		"--strand +: the model averages both strands":                                                       {both, ScanConfig{Strand: "+", TSS: -1}},
		"--tss 20: a window has 20 letters":                                                                 {one, ScanConfig{TSS: 20}},
		"--tss: the model averages both strands, its score belongs to the middle of a window":               {both, ScanConfig{TSS: 3}},
		"--tss and --strand max do not go together: the strands have their start sites at different places": {one, ScanConfig{TSS: 3, Strand: "max"}},
		"--threshold 2: want a share in [0, 1]":                                                             {one, ScanConfig{TSS: -1, Threshold: 2}},
		`--class "x": the classes are "no", "yes"`:                                                          {one, ScanConfig{TSS: -1, Class: "x"}},
		"the model has 3 classes: --class says whose probability is the score":                              {three, ScanConfig{TSS: -1}},
	} {
		if _, err := tt.c.complete(tt.f); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	c := ScanConfig{TSS: -1}
	one.Threshold = 0.3
	if class, err := c.complete(one); err != nil || class != 1 || c.Window != 20 || c.Step != 10 || c.Strand != "both" || c.Threshold != 0.3 || c.Class != "yes" {
		t.Errorf("%+v, %v", c, err)
	}
	c = ScanConfig{TSS: -1, Class: "no"}
	if class, err := c.complete(one); err != nil || class != 0 || c.Threshold != 0.7 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A model that averages the strands has one score, that of predict.
func TestScanOfBothStrands(t *testing.T) {
	f := untrained(1)
	model := filepath.Join(t.TempDir(), "m")
	if err := f.Save(model); err != nil {
		t.Fatal(err)
	}
	seq := letters(40, 8)
	s := runScan(t, f, model, writeGenome(t, []chromosome{{"c", seq}}), ScanConfig{TSS: -1})
	want := "t.tsv:\nsequence\tstart\tend\tstrand\tposition\tp_yes\n"
	for at := 0; at+20 <= len(seq); at += 10 {
		want += fmt.Sprintf("c\t%d\t%d\t.\t%d\t%.6f\n", at+1, at+20, at+11, f.Probabilities([][]byte{seq[at : at+20]}, 1)[0][1])
	}
	if got := written(t, s, "t.tsv"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReadGenome(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) string {
		path := filepath.Join(dir, "g.fa")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for want, text := range map[string]string{
		`:3: invalid: name "a" occurred in line 1 before`:           ">a\nACGT\n>a\nAC\n",
		`:2: invalid: sequence "a": letter 'E' is not a nucleotide`: ">a\nACE\n",
		`: invalid: no sequences`:                                   "",
	} {
		path := write(text)
		if _, err := readGenome(context.Background(), path); err == nil || err.Error() != path+want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	g, err := readGenome(context.Background(), write(">a x\nACGT\nAC\n>b\nA\n"))
	if err != nil || fmt.Sprint(g.names, g.lengths) != "[a b] [6 1]" {
		t.Errorf("%+v, %v", g, err)
	}
	f, model := stranded(t, 1)
	if _, err := f.OpenScan(context.Background(), model, g.path, filepath.Join(dir, "p"), ScanConfig{TSS: -1}, false); err == nil || err.Error() != g.path+": invalid: no sequence has the 20 letters of a window" {
		t.Error(err)
	}
}

func TestParseOutput(t *testing.T) {
	for path, want := range map[string]string{
		"a.bedgraph": "bedgraph", "a.BG.gz": "bedgraph", "a.bed": "bed", "a.tsv.gz": "tsv", "a.bw": "bigwig", "a.bigWig": "bigwig",
	} {
		if o, err := ParseOutput(path, ""); err != nil || o.Kind != want {
			t.Errorf("%s: %+v, %v", path, o, err)
		}
	}
	if _, err := ParseOutput("a.txt", ""); err == nil || err.Error() != "a.txt: the ending says no format" {
		t.Error(err)
	}
	if _, err := ParseOutput("a.txt", "gff"); err == nil || err.Error() != `--format "gff": want bedgraph, bigwig, bed or tsv` {
		t.Error(err)
	}
	for _, tt := range [][2]string{{"d.x/a.bg.gz", "d.x/a.plus.bg.gz"}, {"a.bw", "a.plus.bw"}, {"d.x/a", "d.x/a.plus"}, {"a", "a.plus"}} {
		if got := trackPath(tt[0], "plus"); got != tt[1] {
			t.Errorf("%s: %s", tt[0], got)
		}
	}
}

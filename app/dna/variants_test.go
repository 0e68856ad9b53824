package dna

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"heed/format/fasta"
	"heed/format/vcf"
)

const vcfHead = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"

// writeIndex writes the .fai of a genome that writeGenome wrote.
func writeIndex(t *testing.T, path string, cs []chromosome) {
	t.Helper()
	var b strings.Builder
	at := 0
	for _, c := range cs {
		at += len(c.name) + 2
		fmt.Fprintf(&b, "%s\t%d\t%d\t61\t62\n", c.name, len(c.seq), at)
		at += len(c.seq) + (len(c.seq)+60)/61
	}
	if err := os.WriteFile(path+".fai", []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// Both kinds of reference give what lies in the memory.
func TestReference(t *testing.T) {
	cs := chromosomes(400_000, 30, 5000, 1000)
	plain, with := writeGenome(t, cs), writeGenome(t, cs)
	writeIndex(t, with, cs)
	for name, path := range map[string]string{"streamed": plain, "indexed": with} {
		ref, err := openReference(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := ref.(*indexed); ok != (name == "indexed") {
			t.Errorf("%s: %T", name, ref)
		}
		for _, i := range []int{0, 2, 1, 3} { // the second asks for the file again
			seq := bytes.ToUpper(cs[i].seq)
			for from := -50; from < len(seq)+50; from += 1 + len(seq)/300 {
				to := from + from%997 + 40
				got, at, err := ref.fetch(cs[i].name, from, to)
				lo := min(max(0, from), len(seq))
				want := seq[lo:max(lo, min(to, len(seq)))]
				if err != nil || at != lo && len(want) > 0 || !bytes.Equal(got, want) {
					t.Fatalf("%s: %s %d to %d: %d letters at %d, %v; want %d", name, cs[i].name, from, to, len(got), at, err, len(want))
				}
			}
		}
		if name == "streamed" {
			if _, _, err := ref.fetch(cs[0].name, 0, 10); err != errNotSorted {
				t.Errorf("a sequence for the second time: %v", err)
			}
			if n := cap(ref.(*streamed).letters); n > 400_000 {
				t.Errorf("%d letters are held", n)
			}
		}
		if _, _, err := ref.fetch("none", 0, 10); err != errNoSequence {
			t.Errorf("%s: %v", name, err)
		}
		if err := ref.close(); err != nil {
			t.Error(err)
		}
	}
	ref, err := openReference(plain)
	if err != nil {
		t.Fatal(err)
	}
	defer ref.close()
	if _, _, err := ref.fetch(cs[0].name, 300_000, 300_010); err != nil {
		t.Error(err)
	}
	if _, _, err := ref.fetch(cs[0].name, 10, 20); err != errNotSorted {
		t.Errorf("back by much: %v", err)
	}
}

// effects scores a VCF and returns the effects of its alleles.
func effects(t testing.TB, f *Fitted, ref, text string, c VariantConfig, control bool) ([]Effect, VariantCounts, error) {
	t.Helper()
	in, err := vcf.NewReader("in.vcf", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var all []Effect
	n, err := f.ScoreVariants(context.Background(), ref, "in.vcf", in, c, control, func(_ vcf.Record, es []Effect) error {
		all = append(all, es...)
		return nil
	})
	return all, n, err
}

// Effects are those of the naive way: change the whole sequence, cut windows
// from both, score each by itself.
func TestVariantsAreTheNaiveWay(t *testing.T) {
	f, _ := stranded(t, 2)
	both := untrained(1)
	cs := []chromosome{{"c", letters(500, 3)}, {"d", letters(60, 4)}}
	cs[0].seq[300] = 'N'
	plain, with := writeGenome(t, cs), writeGenome(t, cs)
	writeIndex(t, with, cs)
	type change struct {
		chrom, at int
		ref       int
		alt       string
	}
	changes := []change{
		{0, 0, 1, "T"}, {0, 7, 1, "G"}, {0, 100, 1, "GATTACA"}, {0, 140, 9, "A"}, {0, 200, 1, "A"}, {0, 201, 4, "TTTTTTT"},
		{0, 250, 40, "G"}, {0, 295, 1, "C"}, {0, 310, 1, "c"}, {0, 489, 3, "T"}, {0, 499, 1, "G"}, {1, 30, 1, strings.Repeat("AC", 20)},
	}
	text := vcfHead
	for _, ch := range changes {
		c := cs[ch.chrom]
		text += fmt.Sprintf("%s\t%d\t.\t%s\t%s\t.\t.\t.\n", c.name, ch.at+1, c.seq[ch.at:ch.at+ch.ref], ch.alt)
	}
	for _, model := range []*Fitted{f, both} {
		for _, c := range []VariantConfig{{Shift: 0}, {Shift: 3}, {Shift: 6, Window: 13}} {
			got, n, err := effects(t, model, plain, text, c, false)
			if err != nil {
				t.Fatal(err)
			}
			c.Cores = 3
			again, _, err := effects(t, model, with, text, c, false)
			if err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
				t.Errorf("with an index, on other cores: %v", err)
			}
			scored := 0
			for i, ch := range changes {
				want := naive(model, bytes.ToUpper(cs[ch.chrom].seq), ch.at, ch.ref, ch.alt, c)
				if want.Windows > 0 {
					scored++
				}
				if !alike(got[i], want) {
					t.Errorf("shift %d, window %d, %+v:\n%+v\n%+v", c.Shift, c.Window, ch, got[i], want)
				}
			}
			if n.Scored != scored || n.Alleles != len(changes) || n.Outside != len(changes)-scored || scored < 6 {
				t.Errorf("%+v, %d scored", n, scored)
			}
		}
	}
}

func alike(a, b Effect) bool {
	pairs := [][2]float64{{a.Ref, b.Ref}, {a.Alt, b.Alt}, {a.Delta, b.Delta}, {a.SD, b.SD}, {a.Plus, b.Plus}, {a.Minus, b.Minus}}
	return a.Windows == b.Windows && a.Note == b.Note && !slices.ContainsFunc(pairs, func(p [2]float64) bool {
		return math.IsNaN(p[0]) != math.IsNaN(p[1]) || math.Abs(p[0]-p[1]) > 1e-9
	})
}

func naive(f *Fitted, seq []byte, at, ref int, alt string, c VariantConfig) Effect {
	w := c.Window
	if w == 0 {
		w = 20
	}
	mutant := append(append(slices.Clone(seq[:at]), strings.ToUpper(alt)...), seq[at+ref:]...)
	nan := math.NaN()
	e := Effect{Ref: nan, Alt: nan, Delta: nan, SD: nan, Plus: nan, Minus: nan, Note: "no window of known letters"}
	var ds []float64
	var ps, qs, plus, minus float64
	for begin := at - w/2 - c.Shift; begin <= at-w/2+c.Shift; begin++ {
		if begin < 0 || begin+w > len(seq) || begin+w > len(mutant) {
			continue
		}
		a, b := seq[begin:begin+w], mutant[begin:begin+w]
		if bytes.ContainsAny(a, "N") || bytes.ContainsAny(b, "N") {
			continue
		}
		score := func(s []byte) (p, odds float64) {
			v := f.Probabilities([][]byte{s}, 1)[0]
			return v[1], logOdds(v, 1)
		}
		pa, oa := score(a)
		pb, ob := score(b)
		if f.Config.Strands {
			ds, ps, qs = append(ds, ob-oa), ps+pa, qs+pb
			continue
		}
		pc, oc := score(fasta.ReverseComplement(a))
		pd, od := score(fasta.ReverseComplement(b))
		ds, ps, qs = append(ds, (ob-oa+od-oc)/2), ps+(pa+pc)/2, qs+(pb+pd)/2
		plus, minus = plus+ob-oa, minus+od-oc
	}
	n := float64(len(ds))
	if n == 0 {
		return e
	}
	e = Effect{Ref: ps / n, Alt: qs / n, SD: nan, Plus: plus / n, Minus: minus / n, Windows: len(ds)}
	if f.Config.Strands {
		e.Plus, e.Minus = nan, nan
	}
	for _, d := range ds {
		e.Delta += d / n
	}
	if n > 1 {
		e.SD = 0
		for _, d := range ds {
			e.SD += (d - e.Delta) * (d - e.Delta) / (n - 1)
		}
		e.SD = math.Sqrt(e.SD)
	}
	return e
}

func TestVariantNotesAndErrors(t *testing.T) {
	f, _ := stranded(t, 1)
	seq := letters(200, 6)
	copy(seq[98:], "GATTACAT") // REF at 100 is T
	ref := writeGenome(t, []chromosome{{"chr1", seq}, {"chr2", letters(100, 7)}})
	line := func(chrom string, pos int, ref, alt string) string {
		return fmt.Sprintf("%s\t%d\t.\t%s\t%s\t.\t.\t.\n", chrom, pos, ref, alt)
	}
	es, n, err := effects(t, f, ref, vcfHead+
		line("chr1", 101, "T", "G,*,<DEL>,T[chr2:5[,.")+line("other", 5, "N", "<INS>")+line("chr1", 0, "T", "A")+line("chr1", 101, "t", "N"), VariantConfig{}, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"", "spanning deletion: not supported", "symbolic allele: not supported", "breakend: not supported", "missing allele",
		"symbolic allele: not supported", "position 0", "no window of known letters"}
	for i, e := range es {
		if e.Note != want[i] || (e.Windows > 0) != (e.Note == "") || math.IsNaN(e.Delta) != (e.Note != "") {
			t.Errorf("%d: %+v, want %q", i, e, want[i])
		}
	}
	var b strings.Builder
	n.describe(&b)
	if got, want := b.String(), "4 variants, 8 alleles: 1 scored, 1 not supported (missing allele), 1 not supported (spanning deletion), 2 not supported (symbolic allele), 1 not supported (breakend), 2 without a window of known letters\n"; got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	for want, text := range map[string]string{
		`in.vcf:3: invalid: REF is "A", ` + ref + ` has "T" at chr1:101`:                         line("chr1", 101, "A", "G"),
		`in.vcf:3: invalid: REF is "TA", ` + ref + ` has "TT" at chr1:101`:                       line("chr1", 101, "TA", "G"),
		"in.vcf:3: invalid: REF of 5 letters at chr1:198 reaches beyond the end of the sequence": line("chr1", 198, "ACGTA", "G"),
		`in.vcf:3: invalid: no sequence "1" in ` + ref:                                           line("1", 101, "T", "G"),
		"in.vcf:5: invalid: not sorted: chr1:101 comes too late":                                 line("chr1", 101, "T", "G") + line("chr2", 1, string(letters(100, 7)[:1]), "G") + line("chr1", 101, "T", "C"),
	} {
		if _, _, err := effects(t, f, ref, vcfHead+text, VariantConfig{}, false); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	es, n, err = effects(t, f, ref, vcfHead+line("chr1", 101, "A", "G,C")+line("chr1", 101, "T", "C"), VariantConfig{SkipMismatch: true}, false)
	if err != nil || n.Mismatches != 2 || n.Scored != 1 || es[0].Note != "REF mismatch" || es[2].Note != "" {
		t.Errorf("%+v, %+v, %v", es, n, err)
	}
	for want, c := range map[string]VariantConfig{
		"--shift 10: want 0 to 9, or the variant leaves the window of 20 letters": {Shift: 10},
		"--shift -1: want 0 to 9, or the variant leaves the window of 20 letters": {Shift: -1},
		"--window 21: the model reads up to 20 letters":                           {Window: 21},
		`--class "x": the classes are "no", "yes"`:                                {Class: "x"},
	} {
		if _, _, err := effects(t, f, ref, vcfHead, c, false); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// The control is substitutions near the variants, the same ones for a seed on any
// number of cores.
func TestVariantControl(t *testing.T) {
	f, _ := stranded(t, 1)
	seq := letters(3000, 6)
	ref := writeGenome(t, []chromosome{{"c", seq}})
	text := vcfHead
	for at := 0; at < 3000; at += 5 {
		text += fmt.Sprintf("c\t%d\t.\t%c\t%c\t.\t.\t.\n", at+1, seq[at], "CGTA"[strings.IndexByte(Letters, seq[at])])
	}
	c := VariantConfig{Shift: 2, Seed: 5, Cores: 1}
	a, _, err := effects(t, f, ref, text, c, true)
	if err != nil {
		t.Fatal(err)
	}
	c.Cores = 3
	b, _, _ := effects(t, f, ref, text, c, true)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("cores change the control")
	}
	c.Seed = 6
	b, _, _ = effects(t, f, ref, text, c, true)
	if fmt.Sprint(a) == fmt.Sprint(b) {
		t.Error("the seed does not change the control")
	}
	v := variants{f: f, c: VariantConfig{Window: 20}}
	for line := range 2000 {
		at, alt := v.substitution(vcf.Record{Ref: "ACG", Pos: line, Alts: []string{"A"}}, 0, seq[:60], 30)
		if at < 20 || at >= 40 || at >= 30 && at < 33 || len(alt) != 1 || alt[0] == seq[at] || !strings.Contains(Letters, string(alt)) {
			t.Fatalf("%d: %s for %c", at, alt, seq[at])
		}
	}
	if at, _ := v.substitution(vcf.Record{Ref: "A", Alts: []string{"C"}}, 0, bytes.Repeat([]byte("N"), 60), 30); at != -1 {
		t.Errorf("a substitution of N at %d", at)
	}
	// Variants that are random themselves have even quantiles.
	own, _, err := effects(t, f, ref, text, c, false)
	if err != nil {
		t.Fatal(err)
	}
	var back background
	for _, e := range b {
		if e.Windows > 0 {
			back = append(back, e.Delta)
		}
	}
	slices.Sort(back)
	sum, n := 0.0, 0.0
	for _, e := range own {
		if q := back.quantile(e.Delta); !math.IsNaN(q) {
			sum, n = sum+q, n+1
		}
	}
	if mean := sum / n; n < 580 || math.Abs(mean-0.5) > 0.06 { // 5 standard errors of 0.29/sqrt(600)
		t.Errorf("mean quantile %v of %v", mean, n)
	}
}

func TestBackground(t *testing.T) {
	b := background{-1, 0, 0, 2}
	for d, want := range map[float64]float64{-2: 0, -1: 0.125, -0.5: 0.25, 0: 0.5, 1: 0.75, 2: 0.875, 3: 1} {
		if got := b.quantile(d); got != want {
			t.Errorf("quantile of %v is %v, want %v", d, got, want)
		}
	}
	if got := (background{}).quantile(1); !math.IsNaN(got) {
		t.Error(got)
	}
	var s strings.Builder
	b.describe(&s)
	if want := "effects of 4 random substitutions nearby (log-odds, nats): 1 %: -1.0000, 5 %: -1.0000, 25 %: 0.0000, 50 %: 0.0000, 75 %: 2.0000, 95 %: 2.0000, 99 %: 2.0000\n"; s.String() != want {
		t.Error(s.String())
	}
}

// The VCF that is written is the input with fields that its header declares;
// fields of an earlier run are replaced.
func TestVariantVCF(t *testing.T) {
	nan := math.NaN()
	rec := vcf.Record{Chrom: "c", Pos: 5, ID: "rs1", Ref: "A", Alts: []string{"G", "<DEL>"}, Qual: "9", Filter: "PASS", Info: "DP=3;HEED_SD=7,7"}
	es := []Effect{
		{Ref: 0.25, Alt: 0.5, Delta: -0.00001, SD: 0.5, Plus: 1, Minus: -1, Windows: 3, Quantile: 0.9},
		{Ref: nan, Alt: nan, Delta: nan, SD: nan, Plus: nan, Minus: nan, Quantile: nan, Note: "symbolic allele: not supported"},
	}
	var b bytes.Buffer
	v := variantVCF{&b, fields(true)}
	for range 2 {
		b.Reset()
		if err := v.header([]string{"##fileformat=VCFv4.2", `##INFO=<ID=HEED_SD,Number=A,Type=Float,Description="old">`, "##contig=<ID=c>"}, `a "b"`); err != nil {
			t.Fatal(err)
		}
		if err := v.write(rec, es); err != nil {
			t.Fatal(err)
		}
	}
	want := `##fileformat=VCFv4.2
##contig=<ID=c>
##INFO=<ID=HEED_PREF,Number=A,Type=Float,Description="Probability of a \"b\" with REF, mean over windows and strands">
##INFO=<ID=HEED_PALT,Number=A,Type=Float,Description="Probability of a \"b\" with ALT, mean over windows and strands">
##INFO=<ID=HEED_DELTA,Number=A,Type=Float,Description="Log-odds of a \"b\" with ALT less those with REF, nats, mean over windows and strands">
##INFO=<ID=HEED_SD,Number=A,Type=Float,Description="Standard deviation of HEED_DELTA of a \"b\" over windows">
##INFO=<ID=HEED_PLUS,Number=A,Type=Float,Description="HEED_DELTA of a \"b\" on the forward strand">
##INFO=<ID=HEED_MINUS,Number=A,Type=Float,Description="HEED_DELTA of a \"b\" on the reverse strand">
##INFO=<ID=HEED_QUANTILE,Number=A,Type=Float,Description="Share of random substitutions nearby whose HEED_DELTA of a \"b\" is smaller">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO
c	5	rs1	A	G,<DEL>	9	PASS	DP=3;HEED_PREF=0.250000,.;HEED_PALT=0.500000,.;HEED_DELTA=0.0000,.;HEED_SD=0.5000,.;HEED_PLUS=1.0000,.;HEED_MINUS=-1.0000,.;HEED_QUANTILE=0.9000,.
`
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
	b.Reset()
	tsv := variantTable{&b, fields(false)}
	if err := tsv.header(); err != nil {
		t.Fatal(err)
	}
	if err := tsv.write(rec, es); err != nil {
		t.Fatal(err)
	}
	want = "chrom\tpos\tid\tref\talt\tp_ref\tp_alt\tdelta\tsd\tplus\tminus\twindows\tnote\n" +
		"c\t5\trs1\tA\tG\t0.250000\t0.500000\t0.0000\t0.5000\t1.0000\t-1.0000\t3\t.\n" +
		"c\t5\trs1\tA\t<DEL>\tNA\tNA\tNA\tNA\tNA\tNA\t0\tsymbolic allele: not supported\n"
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

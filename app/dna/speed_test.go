package dna

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"heed/model/sequence"
)

// standard returns an untrained classifier of the default size.
func standard(length int) *Fitted {
	c := DefaultConfig(length)
	c.Model.Classes = 2
	return &Fitted{Config: c, Classes: []string{"no", "yes"}, Positive: 1, Threshold: 0.5, MinLen: length,
		Members: []Network{own{sequence.New(c.Model, rand.New(rand.NewPCG(1, 1)))}}}
}

func letters(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	seq := make([]byte, n)
	for i := range seq {
		seq[i] = Letters[r.IntN(4)]
	}
	return seq
}

// BenchmarkMutagenesis scores all 753 mutants of 251 letters.
func BenchmarkMutagenesis(b *testing.B) {
	f, seq := standard(251), letters(251, 1)
	ms, err := pickMethods(keyMutagenesis)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := f.Explain(context.Background(), "x", seq, 1, Explaining{Methods: ms}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(753*float64(b.N)/b.Elapsed().Seconds(), "mutants/s")
}

// BenchmarkWindows scores windows of 81 letters, 10 apart, on one core and on
// all.
func BenchmarkWindows(b *testing.B) {
	f, seq := standard(81), letters(40_000, 2)
	var windows [][]byte
	for at := 0; at+81 <= len(seq); at += 10 {
		windows = append(windows, seq[at:at+81])
	}
	for _, cores := range []int{1, 0} {
		b.Run(fmt.Sprintf("cores=%d", cores), func(b *testing.B) {
			for b.Loop() {
				f.Probabilities(windows, cores)
			}
			b.ReportMetric(float64(len(windows)*b.N)/b.Elapsed().Seconds(), "windows/s")
		})
	}
}

// BenchmarkGenome scans a genome of the length and the share of G and C of E.
// coli K-12 MG1655 (4,641,652 letters, 50.8 %) on both strands, with windows of
// 81 letters, 10 apart, and writes the scores.
func BenchmarkGenome(b *testing.B) {
	f := standard(81)
	model := filepath.Join(b.TempDir(), "model.safetensors")
	if err := f.Save(model); err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	seq := make([]byte, 4_641_652)
	for i := range seq {
		seq[i] = "AT"[r.IntN(2)]
		if r.Float64() < 0.508 {
			seq[i] = "CG"[r.IntN(2)]
		}
	}
	path := writeGenome(b, []chromosome{{"chr", seq}})
	windows := 0
	for b.Loop() {
		s := runScan(b, f, model, path, ScanConfig{TSS: 60})
		if _, err := s.Write(Output{filepath.Join(b.TempDir(), "s.bedgraph.gz"), "bedgraph"}); err != nil {
			b.Fatal(err)
		}
		windows += 2 * s.Total()
	}
	b.ReportMetric(float64(windows)/b.Elapsed().Seconds(), "windows/s")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB")
}

// BenchmarkVariants scores 2,000 substitutions in 11 windows of 81 letters on
// both strands each.
func BenchmarkVariants(b *testing.B) {
	f, seq := standard(81), letters(100_000, 3)
	path := writeGenome(b, []chromosome{{"c", seq}})
	text := vcfHead
	for i := range 2000 {
		at := 100 + 45*i
		text += fmt.Sprintf("c\t%d\t.\t%c\t%c\t.\t.\t.\n", at+1, seq[at], "CGTA"[strings.IndexByte(Letters, seq[at])])
	}
	for b.Loop() {
		if _, n, err := effects(b, f, path, text, VariantConfig{Shift: 5}, false); err != nil || n.Scored != 2000 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(2000*b.N)/b.Elapsed().Seconds(), "variants/s")
}

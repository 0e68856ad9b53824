package dna

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestUCIPromoters checks what the report says about the embedded data.
func TestUCIPromoters(t *testing.T) {
	d, err := uciDataset()
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Seqs) != 106 || d.Classes[d.Positive] != "promoter" {
		t.Fatalf("%d sequences, positive %q", len(d.Seqs), d.Classes[d.Positive])
	}
	ttg := 0
	for i, s := range d.Seqs {
		if len(s) != 57 {
			t.Errorf("%s has %d letters", d.Names[i], len(s))
		}
		if d.Labels[i] == d.Positive && coordinate(14, uciTSS) == -36 && string(s[14:17]) == "TTG" {
			ttg++
		}
	}
	if ttg != 26 { // 49 % of 53
		t.Errorf("TTG at -36 in %d promoters, want 26", ttg)
	}
}

// TestQuickstartTwice runs a tiny quickstart with one core and with two: but
// for the number of cores, every byte is the same.
func TestQuickstartTwice(t *testing.T) {
	run := func(cores int) (dir, stdout string) {
		dir = filepath.Join(t.TempDir(), "out")
		var clock int64
		q := Quickstart{
			Out: dir, Seed: 3, Cores: cores, Version: "v0", Command: []string{"quickstart"},
			shrink: smallest, folds: 3, baselines: "none", now: func() time.Time { clock++; return time.Unix(clock, 0) },
		}
		var b strings.Builder
		var told strings.Builder
		err := q.Run(context.Background(), &b, &told)
		if n := strings.Count(told.String(), "%, "); n != 10 || !strings.Contains(told.String(), "explaining: 100 %") {
			t.Errorf("progress:\n%s", told.String())
		}
		if err != nil {
			t.Fatal(err)
		}
		return dir, strings.ReplaceAll(b.String(), dir, "DIR")
	}
	a, outA := run(1)
	b, outB := run(2)
	if outA != outB {
		t.Errorf("printed\n%s\nand\n%s", outA, outB)
	}
	for _, want := range []string{"106 sequences, 3-fold cross-validation\n", "KBANN", "47 of 53 sequences of class other and 6 of 53 sequences of class promoter", "report: DIR/report.html"} {
		if !strings.Contains(outA, want) {
			t.Errorf("no %q in\n%s", want, outA)
		}
	}
	for _, name := range []string{metricsFile, predictionsFile, modelFile, "explain.tsv", "tracks.tsv", reportFile} {
		x, errX := os.ReadFile(filepath.Join(a, name))
		y, errY := os.ReadFile(filepath.Join(b, name))
		if errX != nil || errY != nil {
			t.Fatal(errX, errY)
		}
		if name == reportFile {
			for _, want := range []string{"Attention shows where information could flow. It is not evidence of cause.", "<dt>cores</dt>"} {
				if !bytes.Contains(x, []byte(want)) {
					t.Errorf("the report does not say %q", want)
				}
			}
			x, y = cores(x), cores(y)
		}
		if !bytes.Equal(x, y) {
			t.Errorf("%s differs", name)
		}
	}
}

func smallest(c *Config) {
	c.Train.Epochs, c.Model.Dim, c.Model.Heads, c.Model.FFN, c.Model.Stem = 2, 4, 2, 4, []int{3}
	c.Ensemble = 2
}

// cores removes the line of the report that says on how many cores it ran.
func cores(page []byte) []byte {
	lines := bytes.Split(page, []byte("\n"))
	return bytes.Join(slices.DeleteFunc(lines, func(l []byte) bool { return bytes.Contains(l, []byte("<dt>cores</dt>")) }), []byte("\n"))
}

func TestQuickstartFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	q := Quickstart{Out: dir}
	err := q.Run(context.Background(), io.Discard, io.Discard)
	if want := dir + ": the folder exists"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestQuickstartCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dir := filepath.Join(t.TempDir(), "out")
	q := Quickstart{Out: dir, shrink: smallest, folds: 3}
	if err := q.Run(ctx, io.Discard, io.Discard); err != context.Canceled {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

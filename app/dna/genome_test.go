package dna

import (
	"bytes"
	"context"
	"os"
	"testing"
)

// Windows of long sequences are those of the sequence in memory, from any one
// on, also where the step passes over letters.
func TestWindows(t *testing.T) {
	cs := chromosomes(150_000, 7, 2000)
	path := writeGenome(t, cs)
	g, err := readGenome(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	for _, window := range []int{1, 12, 5000} {
		for _, step := range []int{3, 100, 1000, 1999, 70_000} {
			tiles := g.tile(window, step)
			for _, from := range []int{0, 1, tiles.total() / 2, tiles.total() - 1, tiles.total()} {
				file, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				n := from
				for w, err := range tiles.windows(file, from, nil) {
					if err != nil {
						t.Fatal(err)
					}
					sequence, start := tiles.at(n)
					want := bytes.ToUpper(cs[sequence].seq[start : start+window])
					if !bytes.Equal(w.letters, want) || w.known == bytes.ContainsAny(want, "NR") {
						t.Fatalf("window %d, step %d, number %d of %d: %.20s %v, want %.20s", window, step, n, tiles.total(), w.letters, w.known, want)
					}
					n++
				}
				if file.Close(); n != tiles.total() {
					t.Errorf("window %d, step %d, from %d: %d windows of %d", window, step, from, n, tiles.total())
				}
			}
		}
	}
}

// A file that changes between the two passes is noticed.
func TestGenomeChanges(t *testing.T) {
	f, model := stranded(t, 1)
	for _, after := range [][]chromosome{chromosomes(900, 500), chromosomes(1000), chromosomes(1000, 500, 20), {{"other", letters(1000, 1)}}} {
		path := writeGenome(t, chromosomes(1000, 500))
		s, err := f.OpenScan(context.Background(), model, path, path+".partial", ScanConfig{TSS: -1}, false)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(writeGenome(t, after))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
		err = s.Run(context.Background(), nil)
		s.Close()
		if err == nil || !bytes.HasSuffix([]byte(err.Error()), []byte("invalid: the file changed while it was read")) {
			t.Errorf("%d sequences: %v", len(after), err)
		}
	}
}

package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func randomSeq(n int, letters string, rng *rand.Rand) []byte {
	seq := make([]byte, n)
	for i := range seq {
		seq[i] = letters[rng.IntN(len(letters))]
	}
	return seq
}

// otherStrand is the reverse complement of upper case A C G T N.
func otherStrand(seq []byte) []byte {
	rc := make([]byte, 0, len(seq))
	for _, c := range slices.Backward(seq) {
		rc = append(rc, "TGCAN"[strings.IndexByte("ACGTN", c)])
	}
	return rc
}

// related is the definition: a common word of k letters without N, on either
// strand.
func related(a, b []byte, k int) bool {
	for _, b := range [][]byte{b, otherStrand(b)} {
		for i := 0; i+k <= len(a); i++ {
			word := a[i : i+k]
			if !bytes.Contains(word, []byte("N")) && bytes.Contains(b, word) {
				return true
			}
		}
	}
	return false
}

func TestKMers(t *testing.T) {
	for _, test := range []struct {
		seq  string
		k    int
		want []uint64
	}{
		{"ACGT", 1, []uint64{0, 1, 1, 0}},
		{"AAAC", 2, []uint64{0, 0, 1}},
		{"GTTT", 2, []uint64{1, 0, 0}},
		{"gttu", 2, []uint64{1, 0, 0}},
		{"ACNGTTNA", 2, []uint64{1, 1, 0}},
		{"ACG", 4, nil},
		{strings.Repeat("A", 32), 32, []uint64{0}},
		{strings.Repeat("T", 33), 32, []uint64{0, 0}},
		{strings.Repeat("G", 32), 32, []uint64{0x5555555555555555}},
	} {
		var got []uint64
		kmers([]byte(test.seq), test.k, func(word uint64) bool { got = append(got, word); return true })
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s, k %d: %s", test.seq, test.k, diff)
		}
	}
}

// TestClusters compares with the definition: the connected parts of the graph of
// all pairs that are related.
func TestClusters(t *testing.T) {
	rng := newRand(1)
	for trial := range 60 {
		k := 4 + rng.IntN(6)
		seqs := make([][]byte, 40)
		for i := range seqs {
			seqs[i] = randomSeq(k+rng.IntN(3*k), "ACGTACGTACGTN", rng)
			if i > 0 && rng.IntN(4) == 0 { // a window of an earlier one, either strand
				from := seqs[rng.IntN(i)]
				window := from[rng.IntN(len(from)-k+1):][:k]
				if rng.IntN(2) == 0 {
					window = otherStrand(window)
				}
				seqs[i] = slices.Concat(seqs[i], window)
			}
		}
		want := make([]int, len(seqs))
		for i := range want {
			want[i] = -1
		}
		n := 0
		var spread func(i int)
		spread = func(i int) {
			want[i] = n
			for j := range seqs {
				if want[j] < 0 && related(seqs[i], seqs[j], k) {
					spread(j)
				}
			}
		}
		for i := range seqs {
			if want[i] < 0 {
				// A sequence with no whole word is alone: random ones are no copies.
				spread(i)
				n++
			}
		}
		for i, seq := range seqs { // case must not matter
			if rng.IntN(3) == 0 {
				seqs[i] = bytes.ToLower(seq)
			}
		}
		got, err := Clusters(seqs, k)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("trial %d, k %d: %s", trial, k, diff)
		}
	}
}

func TestClustersShort(t *testing.T) {
	var seqs [][]byte
	for _, s := range []string{"ACG", "acg", "ACGT", "", "NNNNNNNNN", "NNNNNNNNN", "ACGTACGTN", "NACGTACGT", "TTTT", ""} {
		seqs = append(seqs, []byte(s))
	}
	got, err := Clusters(seqs, 8)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{0, 0, 1, 2, 3, 3, 4, 4, 5, 2}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestOverlap(t *testing.T) {
	rng := newRand(1)
	train := [][]byte{randomSeq(60, "ACGT", rng), randomSeq(60, "ACGT", rng), []byte("ACG")}
	test := [][]byte{
		randomSeq(60, "ACGT", rng),                // new
		bytes.ToLower(train[1]),                   // a copy
		otherStrand(train[0]),                     // the other strand: related, no copy
		slices.Concat(train[0][:25], unrelated()), // 25 letters
		slices.Concat(train[0][:24], unrelated()), // 24 letters
		[]byte("ACG"),                             // a copy too short for a word
		[]byte("ACC"),
	}
	got, err := Overlap(train, test, KMer)
	if err != nil {
		t.Fatal(err)
	}
	want := Shared{Exact: []int{1, 5}, Related: []int{1, 2, 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// unrelated has no word of 25 letters.
func unrelated() []byte { return []byte("N" + strings.Repeat("ACCA", 5)) }

var shared = filepath.Join("..", "..", "shared", "data", "dna")

// readReal reads the sequences of a gzip file in FASTA format, or in the form
// "sequence,label" with a header. The readers of formats are not for this floor.
func readReal(t *testing.T, path ...string) (seqs [][]byte) {
	t.Helper()
	file := filepath.Join(append([]string{shared}, path...)...)
	f, err := os.Open(file)
	if err != nil {
		t.Skip("no data at " + file)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(bufio.NewReader(z))
	if err != nil {
		t.Fatal(err)
	}
	if text[0] != '>' {
		for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n"))[1:] {
			seq, _, _ := bytes.Cut(line, []byte(","))
			seqs = append(seqs, seq)
		}
		return seqs
	}
	for _, rec := range bytes.Split(text, []byte(">"))[1:] {
		_, seq, _ := bytes.Cut(rec, []byte("\n"))
		seqs = append(seqs, bytes.Join(bytes.Fields(seq), nil))
	}
	return seqs
}

// TestRealClusters repeats what was measured on the CNNProm data by another
// program: the share of negatives that share a 25-mer with another negative, and
// the largest cluster.
func TestRealClusters(t *testing.T) {
	share := func(file string, want float64) {
		clusters, err := Clusters(readReal(t, "cnnprom", file), KMer)
		if err != nil {
			t.Fatal(err)
		}
		size := map[int]int{}
		for _, c := range clusters {
			size[c]++
		}
		joined, largest := 0, 0
		for _, n := range size {
			if n > 1 {
				joined += n
			}
			largest = max(largest, n)
		}
		got := float64(joined) / float64(len(clusters))
		t.Logf("%s: %.1f %% joined, %d clusters, the largest of %d", file, 100*got, len(size), largest)
		if math.Abs(got-want) > 0.0006 {
			t.Errorf("%s: %.4f of the sequences share a 25-mer with another, want %.3f", file, got, want)
		}
	}
	share("Ecoli_non_prom.fa.gz", 0.891)
	share("Bacillus_non_prom.fa.gz", 0.902)

	positive := readReal(t, "cnnprom", "Mouse_tata.fa.gz")
	negative := readReal(t, "cnnprom", "Mouse_nonprom.fa.gz")
	clusters, err := Clusters(slices.Concat(positive, negative), KMer)
	if err != nil {
		t.Fatal(err)
	}
	size := make([]int, len(clusters))
	for _, c := range clusters {
		size[c]++
	}
	// A repeat family. It has 371 members if the other strand is left out.
	if got := slices.Max(size); got != 479 {
		t.Errorf("mouse: the largest cluster has %d sequences, want 479", got)
	}
	labels := make([]int, len(clusters))
	for i := range positive {
		labels[i] = 1
	}
	folds, err := ClusteredKFold(labels, clusters, 5, newRand(1))
	if err != nil {
		t.Fatal(err)
	}
	byLabel, bySize := spread(labels, folds, 5)
	t.Logf("mouse: 5 folds differ by %d in a label and %d in size", byLabel, bySize)
	if byLabel > 5 || bySize > 10 {
		t.Errorf("mouse: 5 folds differ by %d in a label and %d in size", byLabel, bySize)
	}
	// What the clusters are for: nothing of a fold is known from the others.
	all := slices.Concat(positive, negative)
	pick := func(samples []int) (seqs [][]byte) {
		for _, i := range samples {
			seqs = append(seqs, all[i])
		}
		return seqs
	}
	train, test := Fold(folds, 0)
	leak, err := Overlap(pick(train), pick(test), KMer)
	if err != nil || len(leak.Exact)+len(leak.Related) > 0 {
		t.Errorf("fold 0 leaks %d copies and %d relatives, %v", len(leak.Exact), len(leak.Related), err)
	}
}

// TestRealOverlap repeats the duplicates counted in the official splits of GUE. In
// the two larger sets one of them is twice in the test set.
func TestRealOverlap(t *testing.T) {
	for task, want := range map[string]int{"prom_core_tata": 16, "prom_core_notata": 30, "prom_core_all": 43, "prom_300_tata": 6} {
		train := readReal(t, "gue_prom", task, "train.csv.gz")
		test := readReal(t, "gue_prom", task, "test.csv.gz")
		leak, err := Overlap(train, test, KMer)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: of %d test sequences %d are in train, %d are related to it", task, len(test), len(leak.Exact), len(leak.Related))
		if len(leak.Exact) != want {
			t.Errorf("%s: %d copies, want %d", task, len(leak.Exact), want)
		}
	}
}

func BenchmarkClusters(b *testing.B) {
	rng := newRand(1)
	seqs := make([][]byte, 15000)
	for i := range seqs {
		seqs[i] = randomSeq(251, "ACGT", rng)
	}
	for b.Loop() {
		if _, err := Clusters(seqs, KMer); err != nil {
			b.Fatal(err)
		}
	}
}

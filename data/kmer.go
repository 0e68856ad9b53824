package data

import (
	"bytes"
	"fmt"
)

// KMer is the usual length of a word that two sequences share only if they are
// related: there are 4^25, some 10^15, such words, and 10^7 in a bacterial genome
// with both strands. Windows that overlap by 25 letters are found.
const KMer = 25

// maxKMer letters of 2 bits fill a uint64.
const maxKMer = 32

// base is the 2-bit code of a nucleotide, and 4 for any other byte. The code of
// the complement is 3 minus the code. It is never written to.
var base = func() (t [256]uint8) {
	for i := range t {
		t[i] = 4
	}
	for code, letters := range []string{"Aa", "Cc", "Gg", "TtUu"} {
		for i := range len(letters) {
			t[letters[i]] = uint8(code)
		}
	}
	return t
}()

// Nucleotide returns the number of a nucleotide in either case: 0 to 3 for A, C,
// G and T or U, and -1 for any other letter. That of the complement is 3 less
// the number.
func Nucleotide(letter byte) int {
	if b := base[letter]; b < 4 {
		return int(b)
	}
	return -1
}

// kmers calls yield with every word of k letters of seq, 1 <= k <= 32, as a
// number that is the same for a word and its reverse complement: the smaller of
// the two with A C G T as the digits 0 1 2 3. Words with another letter are
// passed over; case does not matter and U is T. It stops when yield returns
// false.
func kmers(seq []byte, k int, yield func(uint64) bool) {
	mask := uint64(1)<<(2*k) - 1
	top := 2 * (k - 1)
	var forward, reverse uint64
	run := 0 // letters since the last that is no nucleotide
	for _, c := range seq {
		b := uint64(base[c])
		if b > 3 {
			run = 0
			continue
		}
		forward = (forward<<2 | b) & mask
		reverse = reverse>>2 | (3-b)<<top
		if run++; run >= k && !yield(min(forward, reverse)) {
			return
		}
	}
}

func checkKMer(k int) error {
	if k < 1 || k > maxKMer {
		return fmt.Errorf("data: words of %d letters; 1 to %d are possible", k, maxKMer)
	}
	return nil
}

// Clusters joins DNA sequences that share a word of k letters or its reverse
// complement, directly or through others (single linkage), and returns the
// cluster of every sequence. Clusters are numbered from 0 in the order of their
// first sequence. Words with a letter other than A C G T U are passed over, so
// that runs of N join nothing; a sequence without any word left, because it is
// short, is joined with its exact copies. Upper and lower case are the same.
//
// k is 1 to 32, usually [KMer]. Time and memory grow with the sum of lengths.
func Clusters(seqs [][]byte, k int) ([]int, error) {
	if err := checkKMer(k); err != nil {
		return nil, err
	}
	// parent is a forest: a root is its own parent and the first of its cluster.
	parent := make([]int, len(seqs))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	join := func(i, j int) {
		a, b := root(i), root(j)
		parent[max(a, b)] = min(a, b)
	}
	words := 0
	for _, seq := range seqs {
		words += max(0, len(seq)-k+1)
	}
	owner := make(map[uint64]int32, words)
	copies := make(map[string]int)
	for i, seq := range seqs {
		any := false
		kmers(seq, k, func(word uint64) bool {
			any = true
			if j, found := owner[word]; found {
				join(i, int(j))
			} else {
				owner[word] = int32(i)
			}
			return true
		})
		if !any {
			if j, found := copies[exact(seq)]; found {
				join(i, j)
			} else {
				copies[exact(seq)] = i
			}
		}
	}
	clusters := make([]int, len(seqs))
	n := 0
	for i := range clusters {
		if r := root(i); r < i {
			clusters[i] = clusters[r]
		} else {
			clusters[i] = n
			n++
		}
	}
	return clusters, nil
}

func exact(seq []byte) string { return string(bytes.ToUpper(seq)) }

// Shared lists the test sequences that a model may know from training. Both
// lists are indices into the test set, ascending.
type Shared struct {
	Exact   []int // occur letter for letter in the training set
	Related []int // share a word of k letters, or its reverse complement, with it
}

// Overlap compares DNA sequences for testing with those for training. Words are
// those of [Clusters]. Case does not matter.
func Overlap(train, test [][]byte, k int) (Shared, error) {
	if err := checkKMer(k); err != nil {
		return Shared{}, err
	}
	// The test set is most often the smaller one, so it makes the table.
	words := make(map[uint64]bool) // of the test set; true: of the training set too
	known := make(map[string]bool)
	for _, seq := range test {
		known[exact(seq)] = false
		kmers(seq, k, func(word uint64) bool { words[word] = false; return true })
	}
	for _, seq := range train {
		if text := exact(seq); !known[text] {
			if _, found := known[text]; found {
				known[text] = true
			}
		}
		kmers(seq, k, func(word uint64) bool {
			if _, found := words[word]; found {
				words[word] = true
			}
			return true
		})
	}
	var s Shared
	for i, seq := range test {
		if known[exact(seq)] {
			s.Exact = append(s.Exact, i)
		}
		related := false
		kmers(seq, k, func(word uint64) bool { related = words[word]; return !related })
		if related {
			s.Related = append(s.Related, i)
		}
	}
	return s, nil
}

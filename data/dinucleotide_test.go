package data

import (
	"math"
	"math/rand/v2"
	"testing"
)

func pairs(seq []byte) map[string]int {
	m := map[string]int{}
	for i := 1; i < len(seq); i++ {
		m[string(seq[i-1:i+1])]++
	}
	return m
}

func TestShuffleDinucleotidesKeepsPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 60 {
		seq := make([]byte, n)
		for i := range seq {
			seq[i] = "ACGTN"[r.IntN(5)]
		}
		before := string(seq)
		got := ShuffleDinucleotides(seq, r)
		if string(seq) != before {
			t.Fatal("the sequence was changed")
		}
		want, have := pairs(seq), pairs(got)
		if len(got) != n || len(want) != len(have) {
			t.Fatalf("%s became %s", seq, got)
		}
		for p, k := range want {
			if have[p] != k {
				t.Fatalf("%s became %s: %d of %s, want %d", seq, got, have[p], p, k)
			}
		}
	}
}

// TestShuffleDinucleotidesUniform counts how often each of the possible
// sequences comes out.
func TestShuffleDinucleotidesUniform(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	seq := []byte("ABACBCAAB")
	counts := map[string]int{}
	const draws = 60000
	for range draws {
		counts[string(ShuffleDinucleotides(seq, r))]++
	}
	possible := map[string]bool{}
	var walk func(prefix []byte, left map[string]int)
	walk = func(prefix []byte, left map[string]int) {
		if len(prefix) == len(seq) {
			possible[string(prefix)] = true
			return
		}
		for _, c := range []byte("ABC") {
			p := string([]byte{prefix[len(prefix)-1], c})
			if left[p] > 0 {
				left[p]--
				walk(append(append([]byte(nil), prefix...), c), left)
				left[p]++
			}
		}
	}
	walk(seq[:1], pairs(seq))
	if len(counts) != len(possible) {
		t.Fatalf("%d sequences came out, %d are possible", len(counts), len(possible))
	}
	want := float64(draws) / float64(len(possible))
	for s := range possible {
		if d := (float64(counts[s]) - want) / math.Sqrt(want); math.Abs(d) > 5 {
			t.Errorf("%s came out %d times, expected %.0f", s, counts[s], want)
		}
	}
}

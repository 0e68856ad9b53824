package explain

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// planted scores 2 for TTG at position 3, -1 for a G at position 8.
func planted(seqs [][]byte) []float64 {
	out := make([]float64, len(seqs))
	for i, s := range seqs {
		if string(s[3:6]) == "TTG" {
			out[i] += 2
		}
		if s[8] == 'G' {
			out[i]--
		}
	}
	return out
}

func TestMutagenesisPlanted(t *testing.T) {
	seq := []byte("ACGTTGACGA")
	for _, batch := range []int{0, 1, 7, 30, 1000} {
		e, err := Mutagenesis(context.Background(), seq, []byte("ACGT"), batch, planted)
		if err != nil {
			t.Fatal(err)
		}
		if string(seq) != "ACGTTGACGA" {
			t.Fatal("the sequence was changed")
		}
		if e.Score != 1 {
			t.Errorf("score %v, want 1", e.Score)
		}
		importance := e.Importance()
		want := []float64{0, 0, 0, 2, 2, 2, 0, 0, -1, 0}
		if !slices.Equal(importance, want) {
			t.Errorf("batch %d: importance %v, want %v", batch, importance, want)
		}
		for i, row := range e.Hypothetical() {
			k := strings.IndexByte("ACGT", seq[i])
			if d := row[k] - 0.75*importance[i]; math.Abs(d) > 1e-12 {
				t.Errorf("position %d: height %v at the letter, want 3/4 of %v", i, row[k], importance[i])
			}
			sum := row[0] + row[1] + row[2] + row[3]
			if math.Abs(sum) > 1e-12 {
				t.Errorf("position %d: heights sum to %v, want 0", i, sum)
			}
		}
	}
}

// TestMutagenesisSingle compares every entry with its own mutant, on a score
// without structure.
func TestMutagenesisSingle(t *testing.T) {
	hash := func(s []byte) float64 {
		h := uint32(2166136261)
		for _, c := range s {
			h = (h ^ uint32(c)) * 16777619
		}
		return float64(h%1000) / 1000
	}
	seq := []byte("ACNNTGA")
	largest := 0
	e, err := Mutagenesis(context.Background(), seq, []byte("ACGT"), 5, func(seqs [][]byte) []float64 {
		largest = max(largest, len(seqs))
		out := make([]float64, len(seqs))
		for i, s := range seqs {
			out[i] = hash(s)
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	if largest != 5 {
		t.Errorf("largest batch %d, want 5", largest)
	}
	importance := e.Importance()
	for i := range seq {
		sum, others := 0.0, 0.0
		for k, c := range []byte("ACGT") {
			m := slices.Clone(seq)
			m[i] = c
			d := hash(m) - hash(seq)
			if e.Delta[i][k] != d {
				t.Errorf("Delta[%d][%c] = %v, want %v", i, c, e.Delta[i][k], d)
			}
			if c != seq[i] {
				sum += d
				others++
			}
		}
		if math.Abs(importance[i]+sum/others) > 1e-12 {
			t.Errorf("importance[%d] = %v, want %v", i, importance[i], -sum/others)
		}
	}
}

func TestMutagenesisCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	_, err := Mutagenesis(ctx, []byte("ACGTACGT"), []byte("ACGT"), 4, func(seqs [][]byte) []float64 {
		if calls++; calls == 3 {
			cancel()
		}
		return make([]float64, len(seqs))
	})
	if !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("error %v after %d calls, want %v after 3", err, calls, context.Canceled)
	}
}

func TestPeaks(t *testing.T) {
	track := []float64{0, 5, 4.9, 0, 1, math.NaN(), 3, 3, -1}
	for _, c := range []struct {
		k, gap int
		want   []Peak
	}{
		{3, 1, []Peak{{1, 5}, {2, 4.9}, {6, 3}}},
		{3, 2, []Peak{{1, 5}, {6, 3}, {4, 1}}},
		{9, 5, []Peak{{1, 5}, {6, 3}}},
		{0, 1, nil},
	} {
		if got := Peaks(track, c.k, c.gap); !slices.Equal(got, c.want) {
			t.Errorf("Peaks(k %d, gap %d) = %v, want %v", c.k, c.gap, got, c.want)
		}
	}
}

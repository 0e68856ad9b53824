package explain

import (
	"context"
	"fmt"
	"slices"
)

// Effects is what all single substitutions of one sequence do to a score f.
type Effects struct {
	// Score is f of the sequence as it is.
	Score float64
	// Delta (L, K) is f(mutant) - f(original) with letter k of the alphabet at
	// position i; 0 for the letter that stands there.
	Delta [][]float64

	alternatives []int // (L) letters of the alphabet that differ from the original
}

// Mutagenesis scores every sequence that differs from seq (L) in one position
// by a letter of the alphabet (K): in-silico mutagenesis, (K-1)·L sequences for
// letters of the alphabet and K at a position that holds another one, such as
// N. T is whatever the score takes, letters or token ids; with tokens that
// overlap, such as k-mers, mutate the letters, since one letter is in k tokens.
//
// score returns f of each of the sequences it gets, up to batch of them at a
// time, which are valid until it returns. Let f be a log-odds: a probability
// near 0 or 1 hardly moves, whatever is changed.
//
// A substitution tests one position by itself. Where either of two motifs would
// do, neither has an effect; where both are needed, each has the whole.
// The error is that of the context.
func Mutagenesis[T comparable](ctx context.Context, seq, alphabet []T, batch int, score func(seqs [][]T) []float64) (*Effects, error) {
	if batch < 1 {
		batch = 1
	}
	type site struct{ i, k int }
	var sites []site
	e := &Effects{Delta: make([][]float64, len(seq)), alternatives: make([]int, len(seq))}
	for i := range seq {
		e.Delta[i] = make([]float64, len(alphabet))
		for k, letter := range alphabet {
			if letter != seq[i] {
				sites = append(sites, site{i, k})
				e.alternatives[i]++
			}
		}
	}
	e.Score = scores(score, [][]T{slices.Clone(seq)})[0]
	mutants := make([][]T, min(batch, len(sites)))
	for j := range mutants {
		mutants[j] = make([]T, len(seq))
	}
	for lo := 0; lo < len(sites); lo += batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		part := sites[lo:min(lo+batch, len(sites))]
		for j, s := range part {
			copy(mutants[j], seq)
			mutants[j][s.i] = alphabet[s.k]
		}
		for j, f := range scores(score, mutants[:len(part)]) {
			e.Delta[part[j].i][part[j].k] = f - e.Score
		}
	}
	return e, nil
}

func scores[T any](score func([][]T) []float64, seqs [][]T) []float64 {
	f := score(seqs)
	if len(f) != len(seqs) {
		panic(fmt.Sprintf("explain: %d scores for %d sequences", len(f), len(seqs)))
	}
	return f
}

// Importance returns, for each position (L), how much the score falls on
// average when the letter is replaced by another:
//
//	importance[i] = -mean over b ≠ seq[i] of Delta[i, b]
//
// Positive means that the letter speaks for the score.
func (e *Effects) Importance() []float64 {
	out := make([]float64, len(e.Delta))
	for i, row := range e.Delta {
		sum := 0.0
		for _, d := range row {
			sum += d
		}
		if sum != 0 { // keeps a zero free of a sign
			out[i] = -sum / float64(e.alternatives[i])
		}
	}
	return out
}

// Hypothetical returns (L, K) the effect of every letter, also of those that
// are not there, centred at each position:
//
//	hypothetical[i, b] = Delta[i, b] - mean over all letters c of Delta[i, c]
//
// It is the height of a letter in a logo of what the model would like to see.
// At the letter that is there it equals (K-1)/K of the importance.
func (e *Effects) Hypothetical() [][]float64 {
	out := make([][]float64, len(e.Delta))
	for i, row := range e.Delta {
		mean := 0.0
		for _, d := range row {
			mean += d / float64(len(row))
		}
		out[i] = make([]float64, len(row))
		for k, d := range row {
			out[i][k] = d - mean
		}
	}
	return out
}

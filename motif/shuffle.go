package motif

import "math/rand/v2"

// Shuffle returns a sequence with the same number of every pair of neighbouring
// letters, and so the same letters and the same first and last one; every such
// sequence is equally likely if the letters are seen as distinct (Altschul and
// Erickson 1985): a random walk that uses up every pair.
func Shuffle(seq []byte, r *rand.Rand) []byte {
	if len(seq) < 3 {
		return append([]byte(nil), seq...)
	}
	var after [256][]byte // the letters that follow each letter
	for i, c := range seq[1:] {
		after[seq[i]] = append(after[seq[i]], c)
	}
	last := seq[len(seq)-1]
	// The walk ends at the last letter if the pair that leaves each other letter
	// last leads there: a random tree, drawn by walks that erase their loops
	// (Wilson 1996).
	var inTree [256]bool
	var exit [256]int // index into after of the pair to use last
	inTree[last] = true
	for c := range 256 {
		if len(after[c]) == 0 {
			continue
		}
		for u := byte(c); !inTree[u]; u = after[u][exit[u]] {
			exit[u] = r.IntN(len(after[u]))
		}
		for u := byte(c); !inTree[u]; u = after[u][exit[u]] {
			inTree[u] = true
		}
	}
	for c := range 256 {
		list := after[c]
		if n := len(list); n > 0 {
			rest := n
			if byte(c) != last {
				list[exit[c]], list[n-1] = list[n-1], list[exit[c]]
				rest--
			}
			r.Shuffle(rest, func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
	}
	out := make([]byte, 0, len(seq))
	u := seq[0]
	for range len(seq) - 1 {
		out = append(out, u)
		u, after[u] = after[u][0], after[u][1:]
	}
	return append(out, u)
}
